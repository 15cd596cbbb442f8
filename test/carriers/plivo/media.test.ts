import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MediaEvent, MediaPort } from '../../../src/carriers/carrier.ts';
import { createPlivoMediaPort } from '../../../src/carriers/plivo/media.ts';
import { CALL } from './support.ts';

const STREAM = '20170ada-f610-433b-8758-c02a2aab3662';
const START = {
  event: 'start',
  sequenceNumber: 1,
  start: {
    callId: CALL,
    streamId: STREAM,
    accountId: 'MA0',
    tracks: ['inbound'],
    mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000 },
  },
  extra_headers: 'from=15551230001,to=15551230002',
};

function decode(port: MediaPort, message: unknown): readonly MediaEvent[] {
  return port.decode(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), false);
}
function started(mediaFormat: object = START.start.mediaFormat): MediaPort {
  const port = createPlivoMediaPort();
  expect(decode(port, { ...START, start: { ...START.start, mediaFormat } })[0]?.type).toBe('started');
  return port;
}
function media(payload: unknown, more: object = {}) {
  return {
    event: 'media',
    sequenceNumber: 3,
    streamId: STREAM,
    media: { track: 'inbound', timestamp: '1705312200000', chunk: 1, payload, ...more },
    extra_headers: '{}',
  };
}
function played(name: unknown) {
  return { event: 'playedStream', sequenceNumber: 4, streamId: STREAM, name };
}
function faultOf(events: readonly MediaEvent[]): string {
  const [event] = events;
  return event?.type === 'fault' ? event.kind : `no fault: ${event?.type}`;
}
function payloadOf(message: string | Buffer): Buffer {
  return Buffer.from((JSON.parse(String(message)) as { media: { payload: string } }).media.payload, 'base64');
}

describe('a Plivo stream starts', () => {
  test.each([
    ['audio/x-mulaw', 8000, 'pcmu', 8000],
    ['audio/x-mulaw;rate=8000', '8000', 'pcmu', 8000],
    ['audio/x-l16', 8000, 'l16', 8000],
    ['audio/x-l16', 16000, 'l16', 16000],
    ['audio/x-l16;rate=24000', 24000, 'l16', 24000],
  ] as const)('with what it says: %s at %s', (encoding, sampleRate, wanted, rate) => {
    const [event] = decode(createPlivoMediaPort(), {
      ...START,
      start: { ...START.start, mediaFormat: { encoding, sampleRate } },
    });
    const format = { encoding: wanted, sampleRate: rate };
    expect(event).toMatchObject({ start: { callId: CALL, streamId: STREAM, receive: format, send: format } });
  });

  test.each([
    ['audio/x-alaw', 8000, 1],
    ['audio/x-mulaw', 16000, 1],
    ['audio/x-l16', 44100, 1],
    ['audio/x-l16', 16000, 2],
    ['', 8000, 1],
  ])('not with %s at %i Hz and %i channels: closed with 1003', (encoding, sampleRate, channels) => {
    const port = createPlivoMediaPort();
    const mediaFormat = { encoding, sampleRate, channels };
    const events = decode(port, { ...START, start: { ...START.start, mediaFormat } });
    expect(events).toMatchObject([{ type: 'unusable', closeCode: 1003 }]);
    expect(faultOf(decode(port, media('AAAA')))).toBe('before-start');
  });

  test.each([
    undefined,
    null,
    [],
    'x',
    { ...START.start, streamId: '' },
    { ...START.start, mediaFormat: undefined },
  ])('not from something unlike a start: closed with 1002 (%#)', (start) => {
    const events = decode(createPlivoMediaPort(), { ...START, start });
    expect(events).toMatchObject([{ type: 'unusable', closeCode: 1002 }]);
  });

  test.each<[unknown, object]>([
    ['a=1,b=2', { a: '1', b: '2' }],
    ['a=1;b=x=y', { a: '1', b: 'x=y' }],
    [' a = 1 , ,=2,c', { a: '1' }],
    ['{"a":"1","n":5}', { a: '1' }],
    ['{}', {}],
    ['{"a":', {}],
    [{ a: '1' }, { a: '1' }],
    [undefined, {}],
    [5, {}],
    [Array.from({ length: 400 }, (_, n) => `p${n}=1`).join(','), { p0: '1', p63: '1' }],
  ])('with the parameters of %j', (extra_headers, wanted) => {
    const [event] = decode(createPlivoMediaPort(), { ...START, extra_headers });
    const parameters = event?.type === 'started' ? event.start.parameters : null;
    expect(parameters).toMatchObject(wanted);
    expect(Object.keys(parameters ?? {}).length).toBeLessThanOrEqual(64);
  });
});

describe('a Plivo stream carries', () => {
  test('audio of any size, its time counted from the audio itself', () => {
    const port = started();
    let bytes = 0;
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 3000, size: 'max' }),
        fc.nat(),
        (payload, chunk) => {
          // Time stamps of the wall clock that jump about say nothing of a frame's place.
          const message = media(Buffer.from(payload).toString('base64'), { chunk, timestamp: `${chunk}` });
          expect(decode(port, message)).toEqual([
            { type: 'audio', payload: Buffer.from(payload), mediaTimeMs: bytes / 8 },
          ]);
          bytes += payload.length;
        },
      ),
      { numRuns: 300, seed: 34 },
    );
  });

  test('the same events whether or not a message looks like the first one', () => {
    const number = fc.oneof(
      { arbitrary: fc.nat().map(String), weight: 8 },
      fc.constantFrom('007', '', '-1', '1e3', 'null', '9999999999999999', '"5"'),
    );
    const base64 = fc.oneof(
      { arbitrary: fc.base64String({ maxLength: 400, size: 'max' }), weight: 3 },
      fc.constantFrom('', 'A', '=', 'AA=A', 'AAA', '-_==', 'AA==\\n', '\\u0041AAA', 'A"A', 'é', 'AAAA===='),
    );
    const shape = fc.record({
      stream: fc.constantFrom(STREAM, STREAM, STREAM, 'other', STREAM.replace('20170', '20171')),
      track: fc.constantFrom('inbound', 'inbound', 'inbound', 'outbound'),
      event: fc.constantFrom('media', 'media', 'media', 'dtmf'),
      extra: fc.constantFrom('a=1', 'a=1', '\\"payload\\":\\"AAAA'),
      order: fc.constantFrom(0, 0, 1),
      again: fc.constantFrom('', '', '', ',"payload":"AAAA"'),
      behind: fc.constantFrom('', '', '', ' ', '}', 'x'),
      sequence: number,
      chunk: number,
      time: number,
      payload: base64,
    });
    const write = (s: ReturnType<typeof shape.generate>['value']) => {
      const head = `"event":"${s.event}","sequenceNumber":${s.sequence},"streamId":"${s.stream}"`;
      const inner = [`"timestamp":"${s.time.replaceAll('"', '')}"`, `"chunk":${s.chunk}`];
      const body = `"media":{"track":"${s.track}",${s.order === 0 ? inner.join() : inner.reverse().join()},"payload":"${s.payload}"${s.again}}`;
      return `{${head},${body},"extra_headers":"${s.extra}"}${s.behind}`;
    };
    fc.assert(
      fc.property(fc.array(shape, { minLength: 1, maxLength: 12 }), (shapes) => {
        const port = started();
        const long = started();
        for (const message of shapes.map(write)) {
          // A space in front is nothing to JSON, and never how the first one looked.
          const wanted = decode(long, `${' '.repeat(1 + (message.length % 3))}${message}`);
          expect(decode(port, message).map(withoutDetail)).toEqual(wanted.map(withoutDetail));
        }
      }),
      { numRuns: 1500, seed: 35 },
    );
  });

  test('digits, one at a time', () => {
    const port = started();
    const digits = [...'0123456789*#ABCDd', '', '12', 'x', 5].map((digit) => {
      const [event] = decode(port, { event: 'dtmf', streamId: STREAM, dtmf: { track: 'inbound', digit } });
      return event?.type === 'dtmf' ? event.digit : faultOf(event ? [event] : []);
    });
    expect(digits.slice(0, 17).join('')).toBe('0123456789*#ABCDD');
    expect(new Set(digits.slice(17))).toEqual(new Set(['bad-payload']));
  });

  test('an acknowledgement of what was cleared', () => {
    expect(decode(started(), { event: 'clearedAudio', sequenceNumber: 80, streamId: STREAM })).toEqual([
      { type: 'cleared' },
    ]);
  });
});

describe('a Plivo stream refuses, and goes on', () => {
  test.each<[string, readonly unknown[]]>([
    [
      'wrong-stream',
      [
        { ...media('AAAA'), streamId: 'other' },
        { ...played('g0.1'), streamId: 5 },
        { ...media('AAAA'), streamId: null },
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
    ['bad-json', ['', '{', '[]', 'null', '5', '"x"', '{"event":"media"', '\u0000']],
    [
      'bad-payload',
      [
        media('!'),
        media(5),
        media(null),
        { event: 'media' },
        { event: 'media', media: 'x' },
        played(''),
        played(5),
        played('x'.repeat(5000)),
        { event: 'dtmf', dtmf: null },
      ],
    ],
    ['second-start', [START]],
  ])('%s', (kind, messages) => {
    const port = started();
    for (const message of messages)
      expect(faultOf(decode(port, message)), JSON.stringify(message)).toBe(kind);
    expect(decode(port, media('AAAA'))).toMatchObject([{ type: 'audio' }]);
  });

  test('everything before the start', () => {
    const port = createPlivoMediaPort();
    for (const message of [media('AAAA'), played('g0.1'), { event: 'clearedAudio' }, { event: 'stop' }])
      expect(faultOf(decode(port, message))).toBe('before-start');
    expect(port.encode({ type: 'audio', payload: Buffer.alloc(160) })).toEqual([]);
  });

  test('without ever repeating what a peer wrote beyond a plain short word', () => {
    const secret = '+15551230001 is my number';
    const mediaFormat = { encoding: secret, sampleRate: 1 };
    for (const message of [{ event: secret }, { ...START, start: { ...START.start, mediaFormat } }, secret]) {
      expect(JSON.stringify(decode(createPlivoMediaPort(), message))).not.toContain('5551230001');
    }
  });

  test('twenty thousand mutated messages without throwing', () => {
    const samples = [
      START,
      media('/////w=='),
      played('g1.2'),
      { event: 'stop', streamId: STREAM },
      { event: 'clearedAudio', streamId: STREAM },
    ].map((message) => Buffer.from(JSON.stringify(message)));
    const edit = fc.record({ at: fc.nat(400), byte: fc.nat(255), cut: fc.integer({ min: -12, max: 12 }) });
    const mutation = fc.record({
      sample: fc.nat(samples.length - 1),
      edits: fc.array(edit, { maxLength: 3 }),
      isBinary: fc.nat(40).map((n) => n === 0),
    });
    const types = new Set<string>();
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(mutation, { minLength: 20, maxLength: 20 }),
        (isStarted, mutations) => {
          const port = isStarted ? started() : createPlivoMediaPort();
          for (const { sample, edits, isBinary } of mutations) {
            let bytes = Buffer.from(samples[sample] as Buffer);
            for (const { at, byte, cut } of edits) {
              const from = at % bytes.length;
              if (cut <= 0) bytes[from] = byte;
              else
                bytes = Buffer.concat([
                  bytes.subarray(0, from),
                  Buffer.from([byte]),
                  bytes.subarray(from + cut),
                ]);
            }
            for (const event of port.decode(bytes, isBinary)) types.add(event.type);
          }
        },
      ),
      { numRuns: 1000, seed: 36 },
    );
    for (const type of ['fault', 'audio', 'mark', 'started', 'stopped', 'cleared', 'unusable'])
      expect(types).toContain(type);
  });
});

describe('a Plivo stream is told', () => {
  test('audio, checkpoints, digits and clear, each with what it needs', () => {
    const port = started();
    const messages = [
      ...port.encode({ type: 'audio', payload: Buffer.from([0xff, 0x7f, 0x00]) }),
      ...port.encode({ type: 'mark', name: 'g3.7' }),
      ...port.encode({ type: 'clear' }),
      ...port.encode({ type: 'dtmf', digits: '12#' }),
    ];
    expect(messages.map((message) => JSON.parse(String(message)))).toEqual([
      { event: 'playAudio', media: { contentType: 'audio/x-mulaw', sampleRate: 8000, payload: '/38A' } },
      { event: 'checkpoint', streamId: STREAM, name: 'g3.7' },
      { event: 'clearAudio', streamId: STREAM },
      { event: 'sendDTMF', dtmf: '12#' },
    ]);
    expect(port.encode({ type: 'dtmf', digits: '1"' })).toEqual([]);
    expect(port.encode({ type: 'hangup' })).toEqual([]);
    expect(port.encode({ type: 'end-of-turn' })).toEqual([]);
  });

  test('all of a payload in order, in messages that Plivo takes', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(fc.uint8Array({ maxLength: 30_000, size: 'max' }), { maxLength: 4 }),
        (isL16, payloads) => {
          const port = started(
            isL16 ? { encoding: 'audio/x-l16', sampleRate: 16000 } : START.start.mediaFormat,
          );
          const parts = [
            ...payloads.flatMap((payload) => port.encode({ type: 'audio', payload })),
            ...port.encode({ type: 'end-of-turn' }),
          ].map((message) => payloadOf(message));
          const sent = Buffer.concat(payloads);
          const odd = isL16 && sent.length % 2 === 1 ? Buffer.from([0]) : Buffer.alloc(0);
          expect(Buffer.concat(parts).equals(Buffer.concat([sent, odd]))).toBe(true);
          for (const part of parts) {
            expect(part.length).toBeGreaterThan(0);
            expect(part.toString('base64').length).toBeLessThanOrEqual(16 * 1024);
            if (isL16) expect(part.length % 2).toBe(0);
          }
        },
      ),
      { numRuns: 100, seed: 37, endOnFailure: true },
    );
  });

  test('no half sample of what was cleared', () => {
    const port = started({ encoding: 'audio/x-l16', sampleRate: 8000 });
    port.encode({ type: 'audio', payload: Buffer.from([1, 2, 3]) });
    port.encode({ type: 'clear' });
    const [message] = port.encode({ type: 'audio', payload: Buffer.from([4, 5]) });
    expect(payloadOf(message as string)).toEqual(Buffer.from([4, 5]));
    expect(port.encode({ type: 'end-of-turn' })).toEqual([]);
  });

  test('nothing after a stop', () => {
    const port = started();
    expect(decode(port, media('AAAA'))).toMatchObject([{ type: 'audio' }]);
    expect(decode(port, { event: 'stop', streamId: STREAM })).toEqual([{ type: 'stopped' }]);
    expect(faultOf(decode(port, media('AAAA')))).toBe('out-of-order');
    expect(port.encode({ type: 'clear' })).toEqual([]);
  });
});

describe('a checkpoint', () => {
  function outcomes(script: string): string[] {
    const port = started();
    return script.split(' ').flatMap((step) => {
      if (step === 'clear') port.encode({ type: 'clear' });
      else if (step === 'ack') decode(port, { event: 'clearedAudio', streamId: STREAM });
      else if (step.startsWith('>')) port.encode({ type: 'mark', name: step.slice(1) });
      else {
        const [event] = decode(port, played(step.slice(1)));
        return [event?.type === 'mark' ? `${event.name} ${event.outcome}` : 'no mark'];
      }
      return [];
    });
  }

  test.each([
    ['was played', '>g1.1 >g1.2 <g1.1 <g1.2', 'g1.1 played, g1.2 played'],
    ['was played when it comes before the acknowledgement', '>g1.1 clear <g1.1 ack', 'g1.1 played'],
    ['is ambiguous behind the acknowledgement', '>g1.1 clear ack <g1.1', 'g1.1 ambiguous'],
    [
      'of the next generation was played, whenever the acknowledgement comes',
      '>g1.1 clear >g2.1 ack <g2.1',
      'g2.1 played',
    ],
    ['counts generations as numbers', '>g9.1 clear ack >g10.1 <g9.1 <g10.1', 'g9.1 ambiguous, g10.1 played'],
    ['of another name was played', '>x clear ack <x', 'x played'],
  ])('%s', (_rule, script, wanted) => {
    expect(outcomes(script).join(', ')).toBe(wanted);
  });
});

function withoutDetail(event: MediaEvent): object {
  return { ...event, detail: undefined };
}
