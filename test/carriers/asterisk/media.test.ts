import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAsteriskMediaPort } from '../../../src/carriers/asterisk/media.ts';
import type { MediaEvent, MediaPort } from '../../../src/carriers/carrier.ts';

const CHANNEL = '1795170643.1';
const START = {
  event: 'MEDIA_START',
  connection_id: 'gateway',
  channel: 'WebSocket/gateway/0x7f4a78003c80',
  channel_id: CHANNEL,
  format: 'ulaw',
  optimal_frame_size: 160,
  ptime: 20,
};
const PLAIN_START =
  'MEDIA_START connection_id:gateway channel:WebSocket/gateway/0x7f4a440036f0 channel_id:1795170643.1 format:ulaw optimal_frame_size:160 ptime:20';

function text(port: MediaPort, message: unknown): readonly MediaEvent[] {
  return port.decode(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), false);
}
function started(start: unknown = START, hangsUp = true): MediaPort {
  const port = createAsteriskMediaPort(hangsUp);
  expect(text(port, start)[0]?.type).toBe('started');
  return port;
}
const audio = (port: MediaPort, bytes: number, value = 1) =>
  port.encode({ type: 'audio', payload: new Uint8Array(bytes).fill(value) }) as Buffer[];
const event = (name: string, more: object = {}) => ({ event: name, channel_id: CHANNEL, ...more });

describe('an Asterisk stream starts', () => {
  test.each([
    ['ulaw', 'pcmu', 8000, 160],
    ['alaw', 'pcma', 8000, 160],
    ['slin', 'l16', 8000, 320],
    ['slin16', 'l16', 16000, 640],
    ['slin24', 'l16', 24000, 960],
  ])('with the codec of the dial string: %s', (codec, encoding, sampleRate, frameBytes) => {
    const port = createAsteriskMediaPort(true);
    const format = { encoding, sampleRate };
    const start = {
      ...START,
      format: codec,
      optimal_frame_size: frameBytes,
      channel_variables: { X_FROM: 'a', n: 1 },
    };
    expect(text(port, start)).toEqual([
      {
        type: 'started',
        start: {
          callId: null,
          streamId: CHANNEL,
          parameters: { X_FROM: 'a' },
          receive: format,
          send: format,
        },
      },
    ]);
    expect(audio(port, frameBytes * 3 + 1).map((message) => message.length)).toEqual([frameBytes * 3]);
  });

  test.each(['opus', 'g722', 'sln16', '', undefined, 7, '__proto__'])(
    'not with %j: closed with 1003',
    (codec) => {
      const port = createAsteriskMediaPort(true);
      expect(text(port, { ...START, format: codec })).toMatchObject([{ type: 'unusable', closeCode: 1003 }]);
      expect(port.decode(Buffer.alloc(160), true)).toMatchObject([{ kind: 'before-start' }]);
    },
  );

  test.each([undefined, '', 7, 'x'.repeat(129)])(
    'not without a channel: closed with 1002 (%j)',
    (channel_id) => {
      expect(text(createAsteriskMediaPort(true), { ...START, channel_id })).toMatchObject([
        { type: 'unusable', closeCode: 1002 },
      ]);
    },
  );

  test.each([0, undefined, -160, 1.5, 'x', 1e9])('with a frame of 20 ms where %j is named', (size) => {
    const port = started({ ...START, optimal_frame_size: size });
    expect(audio(port, 200).map((message) => message.length)).toEqual([160]);
  });

  test('with another packet time the frames are those that Asterisk cuts to', () => {
    const port = started({ ...START, optimal_frame_size: 240, ptime: 30 });
    expect(audio(port, 400).map((message) => message.length)).toEqual([240]);
  });
});

describe('plain text', () => {
  test('is read as JSON is, and answered in plain text', () => {
    const port = started(PLAIN_START);
    expect(text(port, 'DTMF_END digit:5 channel_id:1795170643.1')).toEqual([{ type: 'dtmf', digit: '5' }]);
    expect(text(port, 'DTMF_END channel_id:1795170643.1 digit:#\n')).toEqual([{ type: 'dtmf', digit: '#' }]);
    expect(text(port, 'MEDIA_MARK_PROCESSED g1.2')).toEqual([
      { type: 'mark', name: 'g1.2', outcome: 'played' },
    ]);
    expect(text(port, 'MEDIA_XOFF')).toEqual([{ type: 'flow', paused: true }]);
    expect(text(port, 'STATUS channel_id:1795170643.1 queue_length:200 queue_full:false')).toEqual([]);
    expect(text(port, 'WEATHER')).toMatchObject([{ kind: 'unknown-event' }]);
    expect(text(port, 'hello')).toMatchObject([{ kind: 'bad-json' }]);
    expect(text(port, 'DTMF_END digit:5 channel_id:other')).toMatchObject([{ kind: 'wrong-stream' }]);
    expect(port.encode({ type: 'mark', name: 'g1.3' })).toEqual(['MARK_MEDIA g1.3']);
    expect(port.encode({ type: 'clear' })).toEqual(['REPORT_QUEUE_DRAINED', 'FLUSH_MEDIA']);
    expect(port.encode({ type: 'hangup' })).toEqual(['HANGUP']);
  });

  test('and JSON mean the same: any stream of events', () => {
    const pairs = [
      [START, PLAIN_START],
      [event('DTMF_END', { digit: '1' }), 'DTMF_END digit:1'],
      [event('MEDIA_XOFF'), 'MEDIA_XOFF'],
      [event('MEDIA_XON'), 'MEDIA_XON'],
      [event('QUEUE_DRAINED'), 'QUEUE_DRAINED'],
      [event('MEDIA_MARK_PROCESSED', { correlation_id: 'g1.1' }), 'MEDIA_MARK_PROCESSED g1.1'],
      [event('MEDIA_BUFFERING_COMPLETED', { correlation_id: 'u1' }), 'MEDIA_BUFFERING_COMPLETED u1'],
    ] as const;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pairs), { maxLength: 12 }), (course) => {
        const json = createAsteriskMediaPort(true);
        const plain = createAsteriskMediaPort(true);
        expect(course.map(([message]) => text(json, message))).toEqual(
          course.map(([, message]) => text(plain, message)),
        );
      }),
    );
  });
});

describe('outbound', () => {
  test('is whole frames in messages far below what ends the call', () => {
    const port = started();
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 70_000 }), { maxLength: 5 }), (lengths) => {
        const messages = lengths.flatMap((length) => audio(port, length));
        for (const { length } of [...messages, ...(port.encode({ type: 'end-of-turn' }) as Buffer[])]) {
          expect(length % 160).toBe(0);
          expect(length).toBeGreaterThan(0);
          expect(length).toBeLessThanOrEqual(32_000);
        }
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ['ulaw', 160, 0xff],
    ['alaw', 160, 0xd5],
    ['slin16', 640, 0],
  ])('%s: a turn ends with silence of its own kind', (format, optimal_frame_size, silence) => {
    const port = started({ ...START, format, optimal_frame_size });
    expect(audio(port, 10, 7)).toEqual([]);
    const [frame] = port.encode({ type: 'end-of-turn' }) as Buffer[];
    expect(frame?.length).toBe(optimal_frame_size);
    expect(frame?.subarray(0, 10).every((byte) => byte === 7)).toBe(true);
    expect(frame?.subarray(10).every((byte) => byte === silence)).toBe(true);
  });

  test('a clear leaves no half frame for the next generation, and is confirmed once', () => {
    const port = started();
    expect(text(port, event('QUEUE_DRAINED'))).toEqual([]);
    audio(port, 100, 1);
    expect(port.encode({ type: 'clear' })).toEqual([
      '{"command":"REPORT_QUEUE_DRAINED"}',
      '{"command":"FLUSH_MEDIA"}',
    ]);
    expect(port.encode({ type: 'end-of-turn' })).toEqual([]);
    expect(audio(port, 160, 2)[0]?.every((byte) => byte === 2)).toBe(true);
    expect(text(port, event('QUEUE_DRAINED'))).toEqual([{ type: 'cleared' }]);
    expect(text(port, event('QUEUE_DRAINED'))).toEqual([]);
  });

  test('no command is longer than Asterisk reads, and no mark has a space in it', () => {
    const port = started();
    const name = fc.oneof(fc.string({ maxLength: 200 }), fc.stringMatching(/^g[0-9]{1,9}\.[0-9]{1,9}$/));
    fc.assert(
      fc.property(name, (mark) => {
        for (const message of port.encode({ type: 'mark', name: mark }) as string[]) {
          expect(Buffer.byteLength(message)).toBeLessThanOrEqual(128);
          expect(JSON.parse(message)).toEqual({ command: 'MARK_MEDIA', correlation_id: mark });
          expect(mark).not.toMatch(/[\s:]/);
        }
      }),
      { numRuns: 1000 },
    );
    expect(port.encode({ type: 'mark', name: 'g999999999.999999999' })).toHaveLength(1);
    expect(port.encode({ type: 'mark', name: 'x'.repeat(81) })).toEqual([]);
    expect(port.encode({ type: 'mark', name: '"'.repeat(60) })).toEqual([]);
  });

  test('hangs up by a message only where the REST interface does not', () => {
    expect(started().encode({ type: 'hangup' })).toEqual(['{"command":"HANGUP"}']);
    expect(started(START, false).encode({ type: 'hangup' })).toEqual([]);
    expect(started().encode({ type: 'dtmf', digits: '1' })).toEqual([]);
  });

  test('nothing before the start', () => {
    const port = createAsteriskMediaPort(true);
    for (const type of ['clear', 'hangup', 'end-of-turn'] as const) expect(port.encode({ type })).toEqual([]);
    expect(audio(port, 160)).toEqual([]);
  });
});

describe('inbound', () => {
  test('takes packets of any length as they come; an empty one is a packet that was lost', () => {
    const port = started();
    for (const bytes of [80, 160, 240, 320, 480, 1]) {
      const data = Buffer.alloc(bytes, 7);
      const [first] = port.decode(data, true);
      expect(first).toEqual({ type: 'audio', payload: data, mediaTimeMs: null });
      expect(first?.type === 'audio' && first.payload === data).toBe(true);
    }
    expect(port.decode(Buffer.alloc(0), true)).toEqual([]);
  });

  test('half a sample never gets in', () => {
    const port = started({ ...START, format: 'slin16', optimal_frame_size: 640 });
    expect(port.decode(Buffer.alloc(641), true)).toMatchObject([{ kind: 'bad-payload' }]);
    expect(port.decode(Buffer.alloc(640), true)).toMatchObject([{ type: 'audio' }]);
  });

  test('says when Asterisk’s queue is too full, and passes its warnings on without personal data', () => {
    const port = started();
    expect(text(port, event('MEDIA_XOFF'))).toEqual([{ type: 'flow', paused: true }]);
    expect(text(port, event('MEDIA_XON'))).toEqual([{ type: 'flow', paused: false }]);
    expect(text(port, event('ERROR', { error_text: 'Unable to parse JSON command' }))).toEqual([
      { type: 'fault', kind: 'carrier-warning', detail: 'Unable to parse JSON command' },
    ]);
    expect(text(port, event('ERROR', { error_text: '<b>"{' }))).toMatchObject([
      { detail: 'an error without plain words' },
    ]);
    expect(text(port, event('DTMF_END', { digit: '55' }))).toMatchObject([{ kind: 'bad-payload' }]);
    expect(text(port, event('MEDIA_MARK_PROCESSED'))).toMatchObject([{ kind: 'bad-payload' }]);
    expect(text(port, { ...event('DTMF_END', { digit: '5' }), channel_id: 'other' })).toMatchObject([
      { kind: 'wrong-stream' },
    ]);
  });

  test('never throws: twenty thousand messages with something changed in them', () => {
    const seeds = [
      JSON.stringify(START),
      PLAIN_START,
      JSON.stringify(event('DTMF_END', { digit: '5' })),
      JSON.stringify(event('MEDIA_MARK_PROCESSED', { correlation_id: 'g1.1' })),
      'MEDIA_MARK_PROCESSED g1.1',
      JSON.stringify(event('STATUS', { queue_length: 200, queue_full: false })),
    ];
    const ports = [started(), started(PLAIN_START), createAsteriskMediaPort(false)];
    const edit = fc.record({
      at: fc.nat(),
      byte: fc.nat({ max: 255 }),
      cut: fc.nat(),
      kind: fc.nat({ max: 3 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        edit,
        fc.boolean(),
        fc.nat({ max: 2 }),
        (seed, how, isBinary, which) => {
          let data = Buffer.from(seed);
          const at = how.at % data.length;
          if (how.kind === 0) data[at] = how.byte;
          if (how.kind === 1) data = data.subarray(0, at);
          if (how.kind === 2) data = Buffer.concat([data.subarray(0, at), data]);
          if (how.kind === 3) data = Buffer.concat([data.subarray(0, at), data.subarray(at + (how.cut % 9))]);
          expect(Array.isArray(ports[which]?.decode(data, isBinary))).toBe(true);
        },
      ),
      { numRuns: 20_000 },
    );
  });
});
