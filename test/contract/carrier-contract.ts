import { describe, expect, test } from 'vitest';
import type {
  CarrierAdapter,
  IncomingCall,
  MediaCommand,
  MediaEvent,
  MediaFormat,
  MediaPort,
  RawRequest,
} from '../../src/carriers/carrier.ts';
import { mintStreamToken } from '../../src/carriers/stream-token.ts';
import { eventInWords, readTraces, type TraceLine } from './traces.ts';

/** A message on the wire: text frames are strings, binary frames are buffers. */
export type Wire = string | Buffer;

/** All that the contract must know of a carrier: how its side of the wire and of the webhooks looks. */
export interface CarrierProfile {
  /** Folder of `*.jsonl` traces, ending in a slash. */
  readonly traces: URL;
  readonly receive: MediaFormat;
  readonly send: MediaFormat;
  readonly callId: string;
  /** The call's id in the start message, where that is another one than `callId`: null when it has none. */
  readonly startCallId?: null;
  readonly streamId: string;
  /** What the carrier would write. */
  readonly wire: {
    start(): readonly Wire[];
    audio(payload: Buffer, index: number): Wire;
    dtmf(digit: string): Wire;
    mark(name: string): Wire | null;
    /** The echo of a mark that a clear threw away, where there is one. */
    clearedMark(name: string): Wire | null;
    stop(): Wire | null;
    unknownEvent(): Wire;
    /** Audio that names another stream, or null where audio names none. */
    audioOfAnotherStream(): Wire | null;
    /** A message of the kind that the carrier never sends: binary for a text protocol. */
    wrongFrameType(): Wire | null;
  };
  /** What the carrier would make of a message of ours; null where it would warn or close. */
  read(message: Wire): MediaCommand | null;
  /** Requests signed by another implementation than the adapter's own. */
  readonly signed: {
    voice(): RawRequest;
    events(): RawRequest;
    handshake(target: string): RawRequest;
  };
  /** Of a carrier without a webhook: a handshake that names the call. Nothing is asked of `signed` but handshakes then. */
  readonly incoming?: () => RawRequest;
  /** Requests that look right and are not, by what is wrong with them. */
  readonly forged: Readonly<Record<string, RawRequest>>;
  readonly forgedHandshakes: Readonly<Record<string, RawRequest>>;
  /** The stream's address in an answer document. */
  streamAddressIn(body: string): string | null;
  /** The stream's origin that carriers see. */
  readonly streamOrigin: string;
}

/** What every carrier's adapter must do, whatever its protocol looks like. */
export function carrierContract(createAdapter: () => CarrierAdapter, profile: CarrierProfile): void {
  const { capabilities, id } = createAdapter();
  const { wire } = profile;

  function give(port: MediaPort, message: Wire): readonly MediaEvent[] {
    return typeof message === 'string'
      ? port.decode(Buffer.from(message), false)
      : port.decode(message, true);
  }
  function started(): MediaPort {
    const port = createAdapter().createMediaPort();
    for (const message of wire.start()) give(port, message);
    return port;
  }
  function words(events: readonly MediaEvent[]): string[] {
    return events.map(eventInWords);
  }
  const frameBytes =
    profile.receive.encoding === 'l16' ? profile.receive.sampleRate / 25 : profile.receive.sampleRate / 50;
  const frames = Array.from({ length: 50 }, (_, n) => Buffer.alloc(frameBytes, n + 1));
  const silence = { pcmu: 0xff, pcma: 0xd5, l16: 0 }[profile.send.encoding];

  describe(`contract of ${id}: traces`, () => {
    test.each(readTraces(profile.traces))('%s', (_name, lines) => {
      const port = createAdapter().createMediaPort();
      for (let at = 0; at < lines.length; at += 1) {
        const line = lines[at] as TraceLine;
        if (line.dir === 'in') {
          expect(words(give(port, line.message)), String(line.message)).toEqual(line.events);
          continue;
        }
        const command = profile.read(line.message);
        expect(
          command,
          `a trace has a message that the carrier would not take: ${line.message}`,
        ).not.toBeNull();
        const messages = port.encode(command as MediaCommand);
        // One command may take several messages; its first line says which command it is.
        const written = lines.slice(at, at + Math.max(1, messages.length));
        expect(messages.map(comparable)).toEqual(written.map(({ message }) => comparable(message)));
        at += written.length - 1;
      }
    });
  });

  describe(`contract of ${id}: the stream`, () => {
    test('start names the call, the stream and both formats', () => {
      const port = createAdapter().createMediaPort();
      const starts = wire
        .start()
        .flatMap((message) => give(port, message))
        .filter((event) => event.type === 'started');
      const { streamId, receive, send } = profile;
      const callId = profile.startCallId === null ? null : profile.callId;
      expect(starts).toMatchObject([{ start: { callId, streamId, receive, send } }]);
    });

    test('fifty frames arrive as they were sent', () => {
      const port = started();
      const heard = frames.flatMap((frame, n) => give(port, wire.audio(frame, n)));
      const payloads = heard.map((event) =>
        event.type === 'audio' ? event.payload : Buffer.from(event.type),
      );
      expect(Buffer.concat(payloads).equals(Buffer.concat(frames))).toBe(true);
    });

    test.each([1, 159, 161, 65_000])('%i bytes are encoded legally and completely', (bytes) => {
      const port = started();
      const payload = Buffer.from(Array.from({ length: bytes }, (_, n) => n % 251));
      const messages = [...port.encode({ type: 'audio', payload }), ...port.encode({ type: 'end-of-turn' })];
      const parts = messages.map((message) => {
        const command = profile.read(message);
        return command?.type === 'audio' ? Buffer.from(command.payload) : Buffer.alloc(0);
      });
      const played = Buffer.concat(parts);
      expect(played.subarray(0, bytes).equals(payload)).toBe(true);
      expect(played.subarray(bytes).every((byte) => byte === silence)).toBe(true);
      const exactBytes =
        capabilities.exactFrameMs === null ? null : exactFrameBytes(capabilities.exactFrameMs);
      for (const part of parts) {
        if (exactBytes === null) expect(part.length).toBeGreaterThan(0);
        else expect(part.length).toBe(exactBytes);
      }
    });

    test('digits arrive', () => {
      const port = started();
      expect(words([...'19*0#'].flatMap((digit) => give(port, wire.dtmf(digit))))).toEqual(
        [...'19*0#'].map((digit) => `dtmf ${digit}`),
      );
    });

    test('a mark comes back as played; three that a clear met come back as the capabilities say', () => {
      if (!capabilities.supportsMarks) return;
      const port = started();
      port.encode({ type: 'audio', payload: frames[0] as Buffer });
      for (const name of ['g0.1', 'g0.2', 'g0.3', 'g0.4']) {
        expect(port.encode({ type: 'mark', name }).map(profile.read)).toEqual([{ type: 'mark', name }]);
      }
      expect(words(give(port, wire.mark('g0.1') as Wire))).toEqual(['mark g0.1 played']);
      expect(port.encode({ type: 'clear' }).length).toBeGreaterThan(0);
      const outcome = { echoed: 'ambiguous', reported: 'cleared', dropped: null }[capabilities.marksAtClear];
      for (const name of ['g0.2', 'g0.3', 'g0.4']) {
        const echo = wire.clearedMark(name);
        expect(echo === null).toBe(outcome === null);
        if (echo !== null) expect(words(give(port, echo))).toEqual([`mark ${name} ${outcome}`]);
      }
      port.encode({ type: 'mark', name: 'g1.5' });
      expect(words(give(port, wire.mark('g1.5') as Wire))).toEqual(['mark g1.5 played']);
    });

    test('what the capabilities promise has a message, and what they do not has none', () => {
      const port = started();
      expect(port.encode({ type: 'clear' }).length > 0).toBe(capabilities.supportsClear);
      expect(port.encode({ type: 'mark', name: 'g0.1' }).length > 0).toBe(capabilities.supportsMarks);
      expect(port.encode({ type: 'dtmf', digits: '1' }).length > 0).toBe(capabilities.dtmfOut === 'media');
      expect(port.encode({ type: 'hangup' }).length > 0).toBe(capabilities.hangup === 'media');
      expect(capabilities.leadMs).toBeLessThanOrEqual(capabilities.maxLeadMs);
    });

    test('what is strange is a fault, and the stream goes on', () => {
      const strange: Record<string, Wire | null> = {
        'unknown event': wire.unknownEvent(),
        'half a message': '{"event":',
        'no object': '[1]',
        'nothing at all': '',
        'another stream': wire.audioOfAnotherStream(),
        'wrong frame type': wire.wrongFrameType(),
        'a second start': wire.start().at(-1) ?? null,
      };
      for (const [what, message] of Object.entries(strange)) {
        if (message === null) continue;
        const port = started();
        expect(
          give(port, message).map((event) => event.type),
          what,
        ).toEqual(['fault']);
        expect(
          give(port, wire.audio(frames[0] as Buffer, 0)).map((event) => event.type),
          what,
        ).toEqual(['audio']);
      }
    });

    test('audio before the start is a fault, and stop is the last thing that happens', () => {
      const fresh = createAdapter().createMediaPort();
      expect(words(give(fresh, wire.audio(frames[0] as Buffer, 0)))).toEqual(['fault before-start']);
      const stop = wire.stop();
      if (stop === null) return;
      const port = started();
      expect(words(give(port, stop))).toEqual(['stopped']);
      expect(give(port, wire.audio(frames[0] as Buffer, 0)).map((event) => event.type)).toEqual(['fault']);
      expect(port.encode({ type: 'audio', payload: frames[0] as Buffer })).toEqual([]);
    });

    test('two streams of one adapter know nothing of each other', () => {
      const adapter = createAdapter();
      const one = adapter.createMediaPort();
      const other = adapter.createMediaPort();
      for (const message of wire.start()) give(one, message);
      expect(words(give(other, wire.audio(frames[0] as Buffer, 0)))).toEqual(['fault before-start']);
    });
  });

  describe(`contract of ${id}: requests`, () => {
    const adapter = createAdapter();

    test.each(Object.entries(profile.forgedHandshakes))('handshake refused: %s', (_what, request) => {
      expect(adapter.upgrade.authorize(request).ok).toBe(false);
    });

    const { webhook } = adapter;
    if (webhook === null) {
      test('without a webhook, the handshake is let in and names the call', () => {
        const request = profile.incoming?.() as RawRequest;
        expect(adapter.upgrade.authorize(request)).toEqual({ ok: true });
        expect(adapter.upgrade.incoming?.(request)).toMatchObject({
          carrier: id,
          callId: profile.callId,
          direction: 'inbound',
        });
      });
      return;
    }

    test('what the carrier signed is let in and says what it is', () => {
      const voice = profile.signed.voice();
      expect(webhook.verify(voice)).toEqual({ ok: true });
      expect(webhook.parse(voice, 'voice')).toMatchObject({
        type: 'call-incoming',
        call: { carrier: id, callId: profile.callId, direction: 'inbound' },
      });
      const events = profile.signed.events();
      expect(webhook.verify(events)).toEqual({ ok: true });
      expect(webhook.parse(events, 'events')).toMatchObject({
        type: 'call-ended',
        callId: profile.callId,
      });
    });

    test.each(Object.entries(profile.forged))('refused: %s', (_what, request) => {
      expect(webhook.verify(request).ok).toBe(false);
    });

    test('the answer names a stream whose handshake is accepted, and is the same when asked again', async () => {
      const event = webhook.parse(profile.signed.voice(), 'voice');
      const { call } = event as { call: IncomingCall };
      const { callId } = call;
      const token = mintStreamToken({
        carrier: id,
        callId,
        issuedAtEpochMs: 0,
        secrets: adapter.tokenSecrets,
      });
      const path = `/${id}/media/${token}`;
      const reply = await webhook.accept(call, path);
      expect(reply.status).toBe(200);
      expect(profile.streamAddressIn(reply.body)).toBe(profile.streamOrigin + path);
      expect(await webhook.accept(call, path)).toEqual(reply);
      expect(adapter.upgrade.authorize(profile.signed.handshake(path))).toEqual({ ok: true });
    });

    test('a refusal, an ending and a transfer are answers of their own; events get no content', async () => {
      const event = webhook.parse(profile.signed.voice(), 'voice');
      const { call } = event as { call: IncomingCall };
      const bodies = [
        (await webhook.reject(call, 'busy')).body,
        webhook.continueWith({ kind: 'hangup' }).body,
        webhook.continueWith({ kind: 'transfer', target: '+15559990000' }).body,
      ];
      expect(new Set(bodies).size).toBe(3);
      expect(bodies[2]).toContain('15559990000');
      expect(webhook.acknowledge()).toMatchObject({ body: '' });
    });
  });

  function exactFrameBytes(frameMs: number): number {
    return (profile.send.sampleRate * frameMs * (profile.send.encoding === 'l16' ? 2 : 1)) / 1000;
  }
}

/** JSON is the same however it is written; anything else must be the same byte for byte. */
function comparable(message: Wire): unknown {
  return typeof message === 'string' && message.startsWith('{') ? JSON.parse(message) : message;
}
