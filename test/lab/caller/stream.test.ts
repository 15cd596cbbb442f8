import alawmulaw from 'alawmulaw';
import { describe, expect, it } from 'vitest';
import { CallerStream, type StreamParts } from '../../../src/lab/caller/stream.ts';
import { twilioProtocol } from '../../../src/lab/caller/twilio/protocol.ts';
import { VirtualClock } from '../../../src/lab/virtual-clock.ts';

interface Sent {
  readonly event: string;
  readonly sequenceNumber?: string;
  readonly media: { readonly payload: string };
  readonly mark: { readonly name: string };
  readonly dtmf: object;
}

const ids = { accountSid: 'AC1', callSid: 'CA1', streamSid: 'MZ1' };

function createStream(parts: Partial<StreamParts> = {}) {
  const clock = new VirtualClock({ startMs: 5_000 });
  const sent: { atMs: number; message: Sent }[] = [];
  const done: number[] = [];
  const stream = new CallerStream({
    clock,
    open: twilioProtocol(ids, { from: '+1' }),
    caller: Int16Array.from({ length: 1_600 }, (_, n) => Math.round(8_000 * Math.sin(n / 5))),
    dtmf: [],
    send: (text) => sent.push({ atMs: clock.now() - 5_000, message: JSON.parse(String(text)) }),
    onTimeline: () => {},
    onCallerDone: () => done.push(clock.now() - 5_000),
    ...parts,
  });
  const receive = (message: object): void =>
    stream.receive(Buffer.from(JSON.stringify({ streamSid: 'MZ1', ...message })), false);
  const say = (ms: number, code = 1): void =>
    receive({ event: 'media', media: { payload: Buffer.alloc(ms * 8, code).toString('base64') } });
  return { clock, stream, sent, done, receive, say };
}

describe('a simulated stream', () => {
  it('says connected, start, then a frame every 20 ms when its last sample was spoken, with numbers as strings', () => {
    const { clock, sent } = createStream();
    clock.advance(61);
    expect(sent.map(({ atMs, message }) => [atMs, message.event])).toEqual([
      [0, 'connected'],
      [0, 'start'],
      [20, 'media'],
      [40, 'media'],
      [60, 'media'],
    ]);
    expect(sent[1]!.message).toMatchObject({
      sequenceNumber: '1',
      streamSid: 'MZ1',
      start: {
        accountSid: 'AC1',
        callSid: 'CA1',
        streamSid: 'MZ1',
        tracks: ['inbound'],
        customParameters: { from: '+1' },
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      },
    });
    expect(sent[3]!.message).toMatchObject({
      sequenceNumber: '3',
      media: { track: 'inbound', chunk: '2', timestamp: '20' },
    });
  });

  it('carries the recording as mu-law, then silence, and says when the recording is over', () => {
    const caller = Int16Array.from({ length: 400 }, (_, n) => n * 37 - 7_000);
    const { clock, sent, done, stream } = createStream({ caller });
    clock.advance(100);
    const media = sent.filter(({ message }) => message.event === 'media');
    const bytes = Buffer.concat(media.map(({ message }) => Buffer.from(message.media.payload, 'base64')));
    expect([...bytes.subarray(0, 400)]).toEqual([...alawmulaw.mulaw.encode(caller)]);
    expect(bytes.subarray(400).every((code) => code === 0xff)).toBe(true);
    expect(done).toEqual([60]);
    expect([...stream.account().sent.subarray(0, 400)]).toEqual([
      ...alawmulaw.mulaw.decode(bytes.subarray(0, 400)),
    ]);
  });

  it('catches up after a stall: the frames that are due leave at once', () => {
    const stalled = createStalledClock();
    const events: string[] = [];
    const { stream } = createStream({
      clock: stalled.clock,
      send: (text) => events.push(JSON.parse(String(text)).event),
    });
    stalled.jump(90);
    expect(events.filter((event) => event === 'media').length).toBe(4);
    stream.end(false);
  });

  it('presses keys at their time, in sequence with the audio', () => {
    const { clock, sent, stream } = createStream({
      dtmf: [
        { atMs: 50, digit: '#' },
        { atMs: 10, digit: '4' },
      ],
    });
    clock.advance(100);
    const keys = sent.filter(({ message }) => message.event === 'dtmf');
    expect(keys.map(({ atMs, message }) => [atMs, message.dtmf])).toEqual([
      [20, { track: 'inbound_track', digit: '4' }],
      [60, { track: 'inbound_track', digit: '#' }],
    ]);
    const numbers = sent.flatMap(({ message }) =>
      message.sequenceNumber ? [Number(message.sequenceNumber)] : [],
    );
    expect(numbers).toEqual(numbers.map((_, n) => n + 1));
    expect(stream.account().dtmf.map(({ digit }) => digit)).toEqual(['4', '#']);
  });

  it('hears what comes at the sample at which it sounds', () => {
    const { clock, stream, say } = createStream();
    clock.advance(33);
    say(40, 0x10);
    clock.advance(167);
    const { heard, runs, received } = stream.account();
    const value = alawmulaw.mulaw.decode(Uint8Array.of(0x10))[0]!;
    expect([heard.indexOf(value), heard.lastIndexOf(value)]).toEqual([40 * 8, 80 * 8 - 1]);
    expect(runs).toEqual([{ generation: 0, fromMs: 40, toMs: 80 }]);
    expect(received).toEqual([{ atMs: 33, generation: 0, bytes: 320, audible: true }]);
  });

  it('returns marks with their name, and keeps account of when and how', () => {
    const { clock, stream, sent, say, receive } = createStream();
    say(60);
    receive({ event: 'mark', mark: { name: 'g0.1' } });
    clock.advance(50);
    receive({ event: 'mark', mark: { name: 'g0.2' } });
    receive({ event: 'clear' });
    clock.advance(50);
    const echoed = sent.filter(({ message }) => message.event === 'mark');
    expect(echoed.map(({ atMs, message }) => [atMs, message.mark.name])).toEqual([
      [50, 'g0.1'],
      [50, 'g0.2'],
    ]);
    expect(stream.account().marks).toMatchObject([
      { name: 'g0.1', receivedAtMs: 0, echoedAtMs: 50, how: 'cleared' },
      { name: 'g0.2', receivedAtMs: 50, echoedAtMs: 50, how: 'cleared' },
    ]);
    expect(stream.account().clears).toMatchObject([{ atMs: 50, generation: 0 }]);
    // 60 ms from 20 on; the frame of 40 had begun at 50.
    expect(stream.account().clears[0]!.neverHeard.length).toBe(20 * 8);
  });

  it('counts what the carrier would warn about, and goes on', () => {
    const { stream, receive } = createStream();
    stream.receive(Buffer.from('{'), false);
    receive({ event: 'media', media: { payload: '!' } });
    receive({ event: 'clear' });
    expect(stream.account().messagesReceived).toEqual({ invalid: 2, clear: 1 });
    expect(stream.account().invalidMessages.length).toBe(2);
  });

  it('stops once, for good, and leaves no timer', () => {
    const { clock, stream, sent, say } = createStream();
    say(100);
    clock.advance(45);
    stream.end(true);
    stream.end(true);
    say(100);
    clock.advance(1_000);
    expect(sent.filter(({ message }) => message.event === 'stop').length).toBe(1);
    expect(sent.at(-1)!.message.event).toBe('stop');
    expect(clock.pendingTimers).toBe(0);
    expect(stream.account().durationMs).toBe(45);
    expect(stream.account().unplayed.length).toBe(60 * 8);
  });
});

/** A process that was busy: time has passed, and the timer fires only then. */
function createStalledClock() {
  let nowMs = 0;
  let pending: (() => void) | null = null;
  const sent: string[] = [];
  return {
    sent,
    clock: {
      now: () => nowMs,
      epochMs: () => 0,
      setTimer: (_delayMs: number, onFire: () => void) => {
        pending = onFire;
        return { cancel: () => {} };
      },
    },
    jump(ms: number) {
      nowMs += ms;
      const fire = pending;
      pending = null;
      fire?.();
    },
  };
}
