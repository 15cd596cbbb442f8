import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MediaEvent, MediaPort } from '../../../src/carriers/carrier.ts';
import { createSignalwireMediaPort } from '../../../src/carriers/signalwire/media.ts';

const SID = 'b4c10000-0000-4000';
/** As long as the id of the stream. */
const OTHER = 'b4c10000-0000-4001';
const MULAW = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 };
const WIDE = { encoding: 'audio/x-L16', sampleRate: 16000, channels: 1 };
const start = (mediaFormat: object = MULAW) => ({
  event: 'start',
  sequenceNumber: '1',
  start: {
    streamSid: SID,
    accountSid: 'p',
    callSid: 'c-5',
    tracks: ['inbound'],
    customParameters: { from: '+15551230001' },
    mediaFormat,
  },
});

function decode(port: MediaPort, message: unknown): readonly MediaEvent[] {
  return port.decode(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), false);
}
function started(format?: object): MediaPort {
  const port = createSignalwireMediaPort();
  expect(decode(port, start(format))[0]?.type).toBe('started');
  return port;
}
function media(payload: unknown, more: object = {}) {
  return {
    event: 'media',
    sequenceNumber: '3',
    media: { track: 'inbound', chunk: '1', timestamp: '20', payload, ...more },
  };
}
function withoutDetail(events: readonly MediaEvent[]): object[] {
  return events.map((event) => ({ ...event, detail: undefined }));
}
function faultOf(events: readonly MediaEvent[]): string {
  const [event] = events;
  return event?.type === 'fault' ? event.kind : `no fault: ${event?.type}`;
}
function payloads(messages: readonly (string | Buffer)[]): Buffer[] {
  return messages.map((message) => Buffer.from(JSON.parse(String(message)).media.payload, 'base64'));
}

describe('a SignalWire stream starts', () => {
  test.each([
    [MULAW, { encoding: 'pcmu', sampleRate: 8000 }],
    [WIDE, { encoding: 'l16', sampleRate: 16000 }],
    [
      { encoding: 'audio/x-l16', sampleRate: '24000' },
      { encoding: 'l16', sampleRate: 24000 },
    ],
  ])('with %j in both directions; its id stands in "start" alone', (mediaFormat, format) => {
    const port = createSignalwireMediaPort();
    expect(decode(port, { event: 'connected', protocol: 'Call', version: '0.2.0' })).toEqual([]);
    expect(decode(port, start(mediaFormat))).toEqual([
      {
        type: 'started',
        start: {
          callId: 'c-5',
          streamId: SID,
          parameters: { from: '+15551230001' },
          receive: format,
          send: format,
        },
      },
    ]);
  });

  test('also without parameters: integrators have missed them', () => {
    const message = start();
    const bare = { ...message, start: { streamSid: SID, mediaFormat: MULAW } };
    expect(decode(createSignalwireMediaPort(), bare)).toMatchObject([
      { start: { callId: null, parameters: {} } },
    ]);
  });

  test.each([
    { encoding: 'audio/x-alaw', sampleRate: 8000, channels: 1 },
    { encoding: 'audio/x-mulaw', sampleRate: 16000, channels: 1 },
    { encoding: 'audio/x-L16', sampleRate: 48000, channels: 1 },
    { encoding: 'audio/x-L16', sampleRate: 16000, channels: 2 },
  ])('not with %j: closed with 1003', (mediaFormat) => {
    const port = createSignalwireMediaPort();
    expect(decode(port, start(mediaFormat))).toMatchObject([{ type: 'unusable', closeCode: 1003 }]);
    expect(faultOf(decode(port, media('AAAA')))).toBe('before-start');
  });

  test.each([
    undefined,
    null,
    [],
    { ...start().start, streamSid: '' },
    { ...start().start, streamSid: 'x'.repeat(200) },
    { ...start().start, mediaFormat: undefined },
    { ...start().start, customParameters: 'x' },
  ])('not from something unlike a start: closed with 1002 (%#)', (value) => {
    expect(decode(createSignalwireMediaPort(), { event: 'start', start: value })).toMatchObject([
      { type: 'unusable', closeCode: 1002 },
    ]);
  });

  test('once', () => {
    const port = started();
    expect(faultOf(decode(port, start()))).toBe('second-start');
  });
});

describe('a SignalWire stream carries', () => {
  test('the same events whether or not a message is plain', () => {
    const number = fc.oneof(
      { arbitrary: fc.nat().map((n) => `"${n}"`), weight: 10 },
      fc.nat().map(String),
      fc.constantFrom('""', '"-1"', '"1e3"', '"0007"', '007', '"999999999999999"', '9'.repeat(16), 'null'),
    );
    const base64 = fc.oneof(
      { arbitrary: fc.base64String({ maxLength: 100 }), weight: 2 },
      fc.constantFrom('', 'A', '=', 'AA=A', 'AAA', '-_', 'AA==\\n', '\\u0041AAA', 'A"A', 'é', 'AAAA===='),
    );
    const sid = fc.constantFrom(
      '',
      '',
      `"streamSid":"${SID}",`,
      '"streamSid":"other",',
      `"streamSid":"${OTHER}",`,
    );
    const track = fc.constantFrom('inbound', 'inbound', 'outbound', 'inbound_track');
    const usual = fc
      .tuple(sid, number, number, number, base64, track)
      .map(
        ([stream, sequence, chunk, time, payload, name]) =>
          `{"event":"media","sequenceNumber":${sequence},${stream}"media":{"track":"${name}","chunk":${chunk},` +
          `"timestamp":${time},"payload":"${payload}"}}`,
      );
    for (const format of [MULAW, WIDE]) {
      const port = started(format);
      fc.assert(
        // A line feed in front is nothing to JSON, but is not plain.
        fc.property(usual, (message) => {
          expect(withoutDetail(decode(port, message))).toEqual(withoutDetail(decode(port, `\n${message}`)));
        }),
        { numRuns: 1500, seed: 31 },
      );
    }
  });

  test('L16 as it comes, but no half sample', () => {
    const port = started(WIDE);
    expect(decode(port, media('AQIDBA=='))).toMatchObject([
      { payload: Buffer.from([1, 2, 3, 4]), mediaTimeMs: 20 },
    ]);
    expect(faultOf(decode(port, media('AAAA')))).toBe('bad-payload');
  });

  test('digits with or without the stream', () => {
    const port = started();
    expect(decode(port, { event: 'dtmf', streamSid: SID, dtmf: { digit: '5', duration: 120 } })).toEqual([
      { type: 'dtmf', digit: '5' },
    ]);
    expect(decode(port, { event: 'dtmf', dtmf: { digit: 'd' } })).toEqual([{ type: 'dtmf', digit: 'D' }]);
    expect(faultOf(decode(port, { event: 'dtmf', dtmf: { digit: '55' } }))).toBe('bad-payload');
  });
});

describe('a SignalWire stream refuses, and goes on', () => {
  test.each([
    [
      'wrong-stream',
      [
        { ...media('AAAA'), streamSid: 'x' },
        { event: 'mark', streamSid: 5, mark: { name: 'a' } },
      ],
    ],
    [
      'unknown-event',
      [
        { event: 'weather' },
        { event: 5 },
        {},
        { event: 'constructor' },
        media('AAAA', { track: 'outbound' }),
      ],
    ],
    ['bad-json', ['', '{', '[]', 'null', '"x"', '\u0000']],
    ['bad-payload', [media(5), media('!'), { event: 'media' }, { event: 'mark', mark: { name: '' } }]],
  ] as const)('%s', (kind, messages) => {
    const port = started();
    for (const message of messages)
      expect(faultOf(decode(port, message)), JSON.stringify(message)).toBe(kind);
    expect(decode(port, media('AAAA'))).toMatchObject([{ type: 'audio' }]);
  });

  test('everything after stop, which has no stream id', () => {
    const port = started();
    expect(decode(port, { event: 'stop', sequenceNumber: '9' })).toEqual([{ type: 'stopped' }]);
    expect(faultOf(decode(port, media('AAAA')))).toBe('out-of-order');
    expect(port.encode({ type: 'audio', payload: Buffer.alloc(160) })).toEqual([]);
  });

  test('twenty thousand mutated messages without throwing', () => {
    const samples = [
      start(),
      start(WIDE),
      media('/////w=='),
      { event: 'mark', streamSid: SID, mark: { name: 'g1.2' } },
      { event: 'dtmf', streamSid: SID, dtmf: { digit: '1' } },
      { event: 'stop' },
      { event: 'connected' },
    ].map((message) => Buffer.from(JSON.stringify(message)));
    const mutation = fc.record({
      sample: fc.nat(samples.length - 1),
      edits: fc.array(fc.record({ at: fc.nat(400), byte: fc.nat(255), cut: fc.nat(30) }), { maxLength: 3 }),
      isBinary: fc.boolean(),
    });
    const types = new Set<string>();
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(mutation, { minLength: 20, maxLength: 20 }),
        (isStarted, mutations) => {
          const port = isStarted ? started() : createSignalwireMediaPort();
          for (const { sample, edits, isBinary } of mutations) {
            let bytes = Buffer.from(samples[sample] as Buffer);
            for (const { at, byte, cut } of edits) {
              const from = at % Math.max(1, bytes.length);
              const rest = bytes.subarray(cut < 15 ? from + 1 : from + cut - 15);
              bytes = Buffer.concat([bytes.subarray(0, from), Buffer.from([byte]), rest]);
            }
            for (const { type } of port.decode(bytes, isBinary && bytes.length % 10 === 0)) types.add(type);
          }
        },
      ),
      { numRuns: 1000, seed: 32 },
    );
    for (const type of ['fault', 'audio', 'mark', 'dtmf', 'started', 'stopped', 'unusable']) {
      expect(types).toContain(type);
    }
  });
});

describe('a SignalWire stream is told', () => {
  test('audio, marks, clear and keys with the stream it is for', () => {
    const port = started();
    const messages = [
      ...port.encode({ type: 'audio', payload: Buffer.from([0xff, 0x7f, 0x00]) }),
      ...port.encode({ type: 'mark', name: 'g3.7' }),
      ...port.encode({ type: 'clear' }),
      ...port.encode({ type: 'dtmf', digits: '1w#d' }),
    ];
    expect(messages.map((message) => JSON.parse(String(message)))).toEqual([
      { event: 'media', streamSid: SID, media: { payload: '/38A' } },
      { event: 'mark', streamSid: SID, mark: { name: 'g3.7' } },
      { event: 'clear', streamSid: SID },
      { event: 'dtmf', streamSid: SID, dtmf: { digit: '1' } },
      { event: 'dtmf', streamSid: SID, dtmf: { digit: '#' } },
      { event: 'dtmf', streamSid: SID, dtmf: { digit: 'D' } },
    ]);
    expect(port.encode({ type: 'hangup' })).toEqual([]);
  });

  test.each([
    [MULAW, 1],
    [WIDE, 2],
  ])(
    'all of an audio payload in whole samples, in messages of at most half a second: %j',
    (format, sampleBytes) => {
      const parts = fc.array(fc.uint8Array({ maxLength: 20_000, size: 'max' }), { maxLength: 4 });
      fc.assert(
        fc.property(parts, (given) => {
          const port = started(format);
          const sent = given.flatMap((payload) => payloads(port.encode({ type: 'audio', payload })));
          sent.push(...payloads(port.encode({ type: 'end-of-turn' })));
          const all = Buffer.concat(given.map((part) => Buffer.from(part)));
          const played = Buffer.concat(sent);
          expect(played.subarray(0, all.length).equals(all)).toBe(true);
          expect(played.length - all.length).toBe(all.length % sampleBytes);
          for (const part of sent) {
            expect(part.length % sampleBytes).toBe(0);
            expect(part.length).toBeGreaterThan(0);
            expect(part.length).toBeLessThanOrEqual(4000 * (sampleBytes === 2 ? 4 : 1));
          }
        }),
        { numRuns: 60, seed: 33 },
      );
    },
  );

  test('nothing after a clear of the half sample before it', () => {
    const port = started(WIDE);
    expect(payloads(port.encode({ type: 'audio', payload: Buffer.from([1, 2, 3]) }))).toEqual([
      Buffer.from([1, 2]),
    ]);
    port.encode({ type: 'clear' });
    expect(payloads(port.encode({ type: 'audio', payload: Buffer.from([4, 5]) }))).toEqual([
      Buffer.from([4, 5]),
    ]);
    expect(port.encode({ type: 'end-of-turn' })).toEqual([]);
  });

  test('nothing before it started', () => {
    const port = createSignalwireMediaPort();
    expect(port.encode({ type: 'audio', payload: Buffer.alloc(160) })).toEqual([]);
    expect(port.encode({ type: 'dtmf', digits: '1' })).toEqual([]);
  });
});
