import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startAsteriskApi } from '../../../src/lab/caller/asterisk/api.ts';
import { asteriskProtocol } from '../../../src/lab/caller/asterisk/protocol.ts';
import { loudPcmu, openStream } from './open-stream.ts';

const ids = { channelId: '1795170643.1', connectionId: 'gateway' };
const stream = (more: Partial<Parameters<typeof asteriskProtocol>[0]> = {}) =>
  openStream(asteriskProtocol({ ...ids, ...more }));
type Opened = ReturnType<typeof stream>;
const eventsOf = ({ events }: Opened): readonly unknown[][] =>
  events()
    .slice(1)
    .map(({ atMs, json }) => [atMs, json.event, ...(json.correlation_id ? [json.correlation_id] : [])]);

describe('a simulated Asterisk', () => {
  it('starts with MEDIA_START as seen on the wire, and sends one message a packet', () => {
    const { clock, said } = stream();
    clock.advance(41);
    expect(said[0]!.json).toMatchObject({
      event: 'MEDIA_START',
      connection_id: 'gateway',
      channel_id: '1795170643.1',
      format: 'ulaw',
      optimal_frame_size: 160,
      ptime: 20,
    });
    expect(said.slice(1).map(({ atMs, audio }) => [atMs, audio!.length])).toEqual([
      [20, 160],
      [40, 160],
    ]);
  });

  it.each([
    [10, 80, 6],
    [40, 320, 1],
    [60, 480, 1],
  ] as const)(
    'with packets of %d ms sends messages of %d bytes, whatever MEDIA_START says',
    (packetMs, bytes, count) => {
      const { clock, media } = stream({ packetMs });
      clock.advance(61);
      expect(media().map(({ audio }) => audio!.length)).toEqual(new Array(count).fill(bytes));
    },
  );

  it('plays whole frames of a message and loses the rest', () => {
    const { clock, play, stream: under, heardSpans } = stream();
    play(Buffer.alloc(250, 0x20));
    play(Buffer.alloc(100, 0x20));
    clock.advance(200);
    expect(heardSpans(8_000)).toEqual([[20, 40]]);
    expect(under.account().invalidMessages).toEqual([
      '90 bytes are no whole frame and are lost',
      '100 bytes are no whole frame and are lost',
    ]);
  });

  it('joins messages while buffering, and ends with a short frame that takes its time', () => {
    const opened = stream();
    opened.tell({ command: 'START_MEDIA_BUFFERING' });
    for (let n = 0; n < 5; n += 1) opened.play(Buffer.alloc(100, 0x20));
    opened.tell({ command: 'STOP_MEDIA_BUFFERING', correlation_id: 'u7' });
    opened.clock.advance(300);
    // 500 bytes: three frames and 20 bytes, which are 2.5 ms of a fourth.
    expect(opened.heardSpans(8_000)).toEqual([[20, 82.5]]);
    expect(eventsOf(opened)).toEqual([[100, 'MEDIA_BUFFERING_COMPLETED', 'u7']]);
    expect(opened.stream.account().invalidMessages).toEqual([]);
  });

  it('never loses a byte while buffering, however the messages are cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 60 }), (sizes) => {
        const { clock, play, tell, stream: under } = stream();
        tell({ command: 'START_MEDIA_BUFFERING' });
        for (const size of sizes) play(Buffer.alloc(size, 0x20));
        tell({ command: 'STOP_MEDIA_BUFFERING', correlation_id: 'end' });
        clock.advance(sizes.reduce((sum, size) => sum + size, 0) / 8 + 200);
        const heard = under.account().heard.filter((sample) => Math.abs(sample) > 8).length;
        expect(heard).toBe(sizes.reduce((sum, size) => sum + size, 0));
      }),
      { numRuns: 40 },
    );
  });

  it('returns a mark when the frame before it was played out, and QUEUE_DRAINED once, when it was asked for', () => {
    const opened = stream();
    opened.play(loudPcmu(60));
    opened.tell({ command: 'MARK_MEDIA', correlation_id: 'g0.1' });
    opened.tell({ command: 'REPORT_QUEUE_DRAINED' });
    opened.clock.advance(500);
    expect(eventsOf(opened)).toEqual([
      [80, 'MEDIA_MARK_PROCESSED', 'g0.1'],
      [80, 'QUEUE_DRAINED'],
    ]);
  });

  it('at a flush is silent after the frame that sounds, forgets marks and ends buffering', () => {
    const opened = stream();
    opened.tell({ command: 'START_MEDIA_BUFFERING' });
    opened.play(loudPcmu(500));
    opened.tell({ command: 'MARK_MEDIA', correlation_id: 'g0.1' });
    opened.clock.advance(50);
    opened.tell({ command: 'REPORT_QUEUE_DRAINED' });
    opened.tell({ command: 'FLUSH_MEDIA' });
    opened.play(Buffer.alloc(250, 0x20));
    opened.clock.advance(1_000);
    expect(opened.heardSpans(8_000)).toEqual([[20, 80]]);
    expect(eventsOf(opened).map((row) => row[1])).toEqual(['QUEUE_DRAINED']);
    expect(opened.stream.account().invalidMessages).toEqual(['90 bytes are no whole frame and are lost']);
    expect(opened.stream.account().marks).toMatchObject([{ name: 'g0.1', how: 'cleared' }]);
  });

  it('says drained at the next frame when a flush has left nothing', () => {
    const opened = stream();
    opened.play(loudPcmu(500));
    opened.clock.advance(50);
    opened.tell({ command: 'REPORT_QUEUE_DRAINED' });
    opened.tell({ command: 'FLUSH_MEDIA' });
    opened.clock.advance(30);
    expect(eventsOf(opened)).toEqual([[60, 'QUEUE_DRAINED']]);
  });

  it('says XOFF at 900 frames and XON below 800, and loses what comes to a full queue', () => {
    const opened = stream();
    for (let n = 0; n < 1_200; n += 1) opened.play(loudPcmu(20));
    expect(eventsOf(opened)).toEqual([[0, 'MEDIA_XOFF']]);
    opened.clock.advance(30_000);
    const { messagesReceived, generations } = opened.stream.account();
    expect([messagesReceived['media'], messagesReceived['invalid']]).toEqual([1_000, 200]);
    expect(generations[0]!.playedMs).toBe(20_000);
    // The frame of 20 ms was the first: 201 of them have begun at 4020 ms, and 799 are left.
    expect(eventsOf(opened)).toEqual([
      [0, 'MEDIA_XOFF'],
      [4_020, 'MEDIA_XON'],
    ]);
  });

  it('holds the queue while paused', () => {
    const opened = stream();
    opened.play(loudPcmu(60));
    opened.tell({ command: 'PAUSE_MEDIA' });
    opened.clock.advance(210);
    opened.tell({ command: 'GET_STATUS' });
    opened.tell({ command: 'CONTINUE_MEDIA' });
    opened.clock.advance(200);
    expect(opened.heardSpans(8_000)).toEqual([[220, 280]]);
    expect(opened.events().at(-1)!.json).toMatchObject({ queue_length: 3, media_paused: true });
  });

  it('does not read a command over 128 bytes, and says nothing of it', () => {
    const opened = stream();
    opened.tell({ command: 'MARK_MEDIA', correlation_id: 'x'.repeat(100) });
    opened.tell({ command: 'START_SOMETHING' });
    expect(eventsOf(opened)).toEqual([]);
    opened.tell('{');
    expect(eventsOf(opened).map((row) => row[1])).toEqual(['ERROR']);
    expect(opened.stream.account().messagesReceived).toEqual({ invalid: 3 });
  });

  it('ends the call at HANGUP, and at a message over 65500 bytes', () => {
    const { tell, play, asked } = stream();
    tell({ command: 'HANGUP' });
    play(Buffer.alloc(65_501));
    expect(asked.map(({ what }) => what)).toEqual(['hang-up', 'drop']);
  });

  it('speaks plain text where it is set up so', () => {
    const { clock, play, tell, said } = stream({ control: 'plain-text' });
    play(loudPcmu(20));
    tell('MARK_MEDIA m2');
    tell('REPORT_QUEUE_DRAINED');
    clock.advance(100);
    const lines = said.flatMap(({ text }) => (text === null ? [] : [text]));
    expect(lines[0]).toBe(
      'MEDIA_START connection_id:gateway channel:WebSocket/gateway/0x7f3c08001230 channel_id:1795170643.1 format:ulaw optimal_frame_size:160 ptime:20',
    );
    expect(lines.slice(1)).toEqual(['MEDIA_MARK_PROCESSED m2', 'QUEUE_DRAINED']);
  });

  it.each([
    ['alaw', 160, 8_000],
    ['slin', 320, 8_000],
    ['slin16', 640, 16_000],
    ['slin24', 960, 24_000],
  ] as const)('with codec %s sends frames of %d bytes', (codec, bytes, sampleRate) => {
    const { clock, media, stream: under } = stream({ codec });
    clock.advance(21);
    expect(media()[0]!.audio!.length).toBe(bytes);
    expect(under.account().sampleRate).toBe(sampleRate);
  });
});

it('the REST interface hangs up, redirects, presses keys and places calls', async () => {
  const api = await startAsteriskApi({ username: 'ari', password: 'pw' });
  try {
    const done: string[] = [];
    api.register('c1', {
      hangUp: () => done.push('hang-up'),
      redirect: (target) => done.push(target),
      digits: (digits) => done.push(digits),
    });
    const ask = async (method: string, path: string, password = 'pw'): Promise<number> => {
      const headers = { authorization: `Basic ${btoa(`ari:${password}`)}` };
      return (await fetch(`${api.url}/ari${path}`, { method, headers })).status;
    };
    expect(await ask('DELETE', '/channels/c1', 'no')).toBe(401);
    expect(await ask('DELETE', '/channels/c2')).toBe(404);
    expect(await ask('POST', '/channels/c1/dtmf?dtmf=12')).toBe(204);
    expect(await ask('POST', '/channels/c1/redirect?endpoint=PJSIP/600')).toBe(204);
    expect(await ask('DELETE', '/channels/c1')).toBe(204);
    expect(done).toEqual(['12', 'PJSIP/600', 'hang-up']);
    expect(
      await ask('POST', '/channels?endpoint=PJSIP/%2B15550100009@trunk&channelId=d1&callerId=%2B1555'),
    ).toBe(200);
    expect(await api.dials.next()).toMatchObject({ callId: 'd1', to: '+15550100009', from: '+1555' });
  } finally {
    await api.close();
  }
});
