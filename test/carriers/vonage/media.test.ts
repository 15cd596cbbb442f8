import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MediaEvent, MediaPort } from '../../../src/carriers/carrier.ts';
import { createVonageMediaPort } from '../../../src/carriers/vonage/media.ts';
import { CALL } from './support.ts';

const CONNECTED = { event: 'websocket:connected', 'content-type': 'audio/l16;rate=16000', uuid: CALL };

function text(port: MediaPort, message: unknown): readonly MediaEvent[] {
  return port.decode(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), false);
}
function started(rate = 16000): MediaPort {
  const port = createVonageMediaPort();
  expect(text(port, { ...CONNECTED, 'content-type': `audio/l16;rate=${rate}` })[0]?.type).toBe('started');
  return port;
}
const audio = (port: MediaPort, bytes: number, value = 1) =>
  port.encode({ type: 'audio', payload: new Uint8Array(bytes).fill(value) }) as Buffer[];

describe('a Vonage stream starts', () => {
  test.each([8000, 16000, 24000])('with what the first message says: %i Hz', (sampleRate) => {
    const type = `audio/l16;rate=${sampleRate}`;
    const format = { encoding: 'l16', sampleRate };
    const events = text(createVonageMediaPort(), { ...CONNECTED, 'content-type': type, from: '+1555', n: 5 });
    expect(events).toEqual([
      {
        type: 'started',
        start: {
          callId: CALL,
          streamId: CALL,
          parameters: { uuid: CALL, from: '+1555' },
          receive: format,
          send: format,
        },
      },
    ]);
  });

  test.each(['audio/L16;rate=16000', 'audio/l16; rate=16000'])('also where it is written as %s', (type) => {
    expect(text(createVonageMediaPort(), { ...CONNECTED, 'content-type': type })[0]?.type).toBe('started');
  });

  test.each([
    'audio/l16;rate=44100',
    'audio/l16',
    'audio/pcmu;rate=8000',
    '',
    undefined,
    16000,
    { rate: 16000 },
  ])('not with %j: closed with 1003', (type) => {
    const port = createVonageMediaPort();
    expect(text(port, { ...CONNECTED, 'content-type': type })).toMatchObject([
      { type: 'unusable', closeCode: 1003 },
    ]);
    expect(port.decode(Buffer.alloc(640), true)).toMatchObject([{ kind: 'before-start' }]);
  });

  test.each([undefined, '', 5, 'x'.repeat(129)])('with id %j it is a call without one', (uuid) => {
    expect(text(createVonageMediaPort(), { ...CONNECTED, uuid })).toMatchObject([
      { start: { callId: null } },
    ]);
  });
});

describe('outbound audio', () => {
  test.each([
    [8000, 320],
    [16000, 640],
    [24000, 960],
  ])('at %i Hz leaves in messages of %i bytes, whatever comes', (rate, frameBytes) => {
    const port = started(rate);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 6 }), (lengths) => {
        const messages = [
          ...lengths.flatMap((length) => audio(port, length)),
          ...port.encode({ type: 'end-of-turn' }),
        ];
        expect(messages.every((message) => Buffer.isBuffer(message) && message.length === frameBytes)).toBe(
          true,
        );
      }),
    );
  });

  test('a clear leaves no half frame for the next generation', () => {
    const port = started();
    expect(audio(port, 700, 1)).toHaveLength(1);
    expect(port.encode({ type: 'clear' })).toEqual(['{"action":"clear"}']);
    expect(port.encode({ type: 'end-of-turn' })).toEqual([]);
    const [frame] = audio(port, 640, 2);
    expect(frame?.every((byte) => byte === 2)).toBe(true);
  });

  test('what the socket has no message for is not written', () => {
    const port = started();
    expect(port.encode({ type: 'dtmf', digits: '1' })).toEqual([]);
    expect(port.encode({ type: 'hangup' })).toEqual([]);
    const fresh = createVonageMediaPort();
    for (const type of ['clear', 'end-of-turn', 'hangup'] as const)
      expect(fresh.encode({ type })).toEqual([]);
    expect(fresh.encode({ type: 'mark', name: 'g0.1' })).toEqual([]);
  });
});

describe('marks', () => {
  const echo = (port: MediaPort, id: string) => text(port, { event: 'websocket:notify', payload: { id } })[0];
  const outcome = (port: MediaPort, id: string) => {
    const event = echo(port, id);
    return event?.type === 'mark' ? event.outcome : event?.type;
  };

  test('after a clear are ambiguous until Vonage has confirmed it, and cleared from then on', () => {
    const port = started();
    for (const name of ['g1.1', 'g1.2', 'g1.3']) port.encode({ type: 'mark', name });
    expect(outcome(port, 'g1.1')).toBe('played');
    port.encode({ type: 'clear' });
    expect(outcome(port, 'g1.2')).toBe('ambiguous');
    expect(text(port, { event: 'websocket:cleared' })).toEqual([{ type: 'cleared' }]);
    expect(outcome(port, 'g1.3')).toBe('cleared');
    port.encode({ type: 'mark', name: 'g2.1' });
    expect(outcome(port, 'g2.1')).toBe('played');
  });

  test('of two clears wait for both confirmations; one too many changes nothing', () => {
    const port = started();
    port.encode({ type: 'mark', name: 'g1.1' });
    port.encode({ type: 'clear' });
    port.encode({ type: 'clear' });
    text(port, { event: 'websocket:cleared' });
    expect(outcome(port, 'g1.1')).toBe('ambiguous');
    text(port, { event: 'websocket:cleared' });
    text(port, { event: 'websocket:cleared' });
    port.encode({ type: 'mark', name: 'g2.1' });
    port.encode({ type: 'clear' });
    expect(outcome(port, 'g2.1')).toBe('ambiguous');
  });
});

describe('inbound', () => {
  test('audio is handed on as it is, without a copy; half a sample never gets in', () => {
    const port = started();
    const data = Buffer.alloc(640, 7);
    const [event] = port.decode(data, true);
    expect(event).toEqual({ type: 'audio', payload: data, mediaTimeMs: 0 });
    expect(event?.type === 'audio' && event.payload === data).toBe(true);
    expect(port.decode(Buffer.alloc(0), true)).toEqual([]);
    expect(port.decode(Buffer.alloc(641), true)).toMatchObject([{ kind: 'bad-payload' }]);
    // It comes all the time: so much of it has gone by.
    expect(port.decode(data, true)).toMatchObject([{ mediaTimeMs: 640 / 32 }]);
  });

  test('never throws: twenty thousand messages with something changed in them', () => {
    const seeds = [
      JSON.stringify(CONNECTED),
      '{"event":"websocket:dtmf","digit":"5","duration":260}',
      '{"event":"websocket:notify","payload":{"id":"g1.1"}}',
      '{"event":"websocket:cleared"}',
    ];
    const ports = [started(), createVonageMediaPort()];
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
        fc.nat({ max: 1 }),
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

  test('says nothing that a peer wrote, but plain words', () => {
    const port = started();
    const details = [
      '{"event":"<script>"}',
      '{"event":"websocket:weather"}',
      `{"event":"${'x'.repeat(500)}"}`,
    ]
      .flatMap((message) => text(port, message))
      .map((event) => (event.type === 'fault' ? event.detail : event.type));
    expect(details).toEqual(['no plain name', '"weather"', 'no plain name']);
  });
});
