import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MediaEvent, MediaFormat, MediaPort } from '../../../src/carriers/carrier.ts';
import { createTelnyxMediaPort } from '../../../src/carriers/telnyx/media.ts';

const ID = '3b1c0a4e-32de';
/** As long as the id of the stream. */
const OTHER = '3b1c0a4e-32df';
const PCMU = { encoding: 'pcmu', sampleRate: 8000 } as const;
const L16 = { encoding: 'l16', sampleRate: 16000 } as const;
const start = (media_format: object = { encoding: 'PCMU', sample_rate: 8000, channels: 1 }) => ({
  event: 'start',
  sequence_number: '1',
  stream_id: ID,
  start: {
    user_id: 'u',
    call_control_id: 'v3:c',
    call_session_id: 's',
    from: '+15551230001',
    to: '+15551230002',
    client_state: 'aGk=',
    custom_parameters: { k: 'v' },
    media_format,
  },
});

function decode(port: MediaPort, message: unknown): readonly MediaEvent[] {
  return port.decode(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), false);
}
function started(
  format?: object,
  settings: { audio: MediaFormat; l16Order: 'little' | 'big' } = { audio: PCMU, l16Order: 'little' },
): MediaPort {
  const port = createTelnyxMediaPort(settings);
  expect(decode(port, start(format))[0]?.type).toBe('started');
  return port;
}
function media(chunk: unknown, payload: unknown, more: object = {}, sequence?: unknown) {
  return {
    event: 'media',
    sequence_number: sequence,
    stream_id: ID,
    media: { track: 'inbound', chunk, timestamp: String(Number(chunk) * 20), payload, ...more },
  };
}
/** A frame that can be told from others: its number, twice. */
function frame(n: number): string {
  return Buffer.from([n >> 8, n & 255]).toString('base64');
}
function numbersOf(events: readonly MediaEvent[]): number[] {
  return events.flatMap((event) => (event.type === 'audio' ? [event.payload.readUInt16BE(0)] : []));
}
function key(digit: unknown, sequence?: unknown) {
  return { event: 'dtmf', stream_id: ID, sequence_number: sequence, dtmf: { digit } };
}
function digitsOf(events: readonly MediaEvent[]): string {
  return events.map((event) => (event.type === 'dtmf' ? event.digit : '')).join('');
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

describe('a Telnyx stream starts', () => {
  test('with what it says it sends, and with what we said we send', () => {
    for (const [format, receive] of [
      [{ encoding: 'PCMU', sample_rate: 8000, channels: 1 }, PCMU],
      [
        { encoding: 'PCMA', sample_rate: 8000, channels: 1 },
        { encoding: 'pcma', sampleRate: 8000 },
      ],
      [{ encoding: 'PCMU', sample_rate: '8000' }, PCMU],
      [{ encoding: 'L16', sample_rate: 16000, channels: '1' }, L16],
      [
        { encoding: 'L16', sample_rate: 24000, channels: 1 },
        { encoding: 'l16', sampleRate: 24000 },
      ],
    ] as const) {
      const port = createTelnyxMediaPort({
        audio: { encoding: 'pcma', sampleRate: 8000 },
        l16Order: 'little',
      });
      expect(decode(port, { event: 'connected', version: '1.0.0' })).toEqual([]);
      expect(decode(port, start(format))).toEqual([
        {
          type: 'started',
          start: {
            callId: 'v3:c',
            streamId: ID,
            parameters: { k: 'v', from: '+15551230001', to: '+15551230002' },
            receive,
            send: { encoding: 'pcma', sampleRate: 8000 },
          },
        },
      ]);
    }
  });

  test.each([
    { encoding: 'G722', sample_rate: 8000, channels: 1 },
    { encoding: 'OPUS', sample_rate: 48000, channels: 2 },
    { encoding: 'AMR-WB', sample_rate: 16000, channels: 1 },
    { encoding: 'PCMU', sample_rate: 16000, channels: 1 },
    { encoding: 'PCMU', sample_rate: 8000, channels: 2 },
    { encoding: 'L16', sample_rate: 48000, channels: 1 },
    { encoding: 'constructor', sample_rate: 8000, channels: 1 },
  ])('not with %j: closed with 1003', (format) => {
    const port = createTelnyxMediaPort({ audio: PCMU, l16Order: 'little' });
    expect(decode(port, start(format))).toMatchObject([{ type: 'unusable', closeCode: 1003 }]);
    expect(faultOf(decode(port, media(1, 'AAAA')))).toBe('before-start');
  });

  test.each([
    { ...start(), start: undefined },
    { ...start(), start: [] },
    { ...start(), stream_id: undefined },
    { ...start(), stream_id: '' },
    { ...start(), stream_id: 'x'.repeat(200) },
    { ...start(), start: { ...start().start, media_format: null } },
    { ...start(), start: { ...start().start, media_format: { encoding: 'PCMU', sample_rate: [8000] } } },
    { ...start(), start: { ...start().start, call_control_id: 5 } },
  ])('not from something unlike a start: closed with 1002 (%#)', (message) => {
    const port = createTelnyxMediaPort({ audio: PCMU, l16Order: 'little' });
    expect(decode(port, message)).toMatchObject([{ type: 'unusable', closeCode: 1002 }]);
  });

  test('with parameters written as a list, and none that reaches a prototype', () => {
    const custom = [{ name: 'k', value: 'v' }, { name: 5, value: 'x' }, null, { name: 'n', value: 5 }];
    const message = start();
    const port = createTelnyxMediaPort({ audio: PCMU, l16Order: 'little' });
    const [event] = decode(port, { ...message, start: { ...message.start, custom_parameters: custom } });
    expect(event?.type === 'started' && event.start.parameters).toEqual({
      k: 'v',
      from: '+15551230001',
      to: '+15551230002',
    });
    const bare = { ...message, start: { media_format: message.start.media_format } };
    const [least] = decode(createTelnyxMediaPort({ audio: PCMU, l16Order: 'little' }), bare);
    expect(least).toMatchObject({ type: 'started', start: { callId: null, parameters: {} } });
    const text = JSON.stringify(start()).replace('{"k":"v"}', '{"__proto__":{"polluted":"yes"}}');
    decode(createTelnyxMediaPort({ audio: PCMU, l16Order: 'little' }), text);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('once', () => {
    const port = started();
    expect(faultOf(decode(port, start()))).toBe('second-start');
    expect(decode(port, media(1, 'AAAA'))).toMatchObject([{ type: 'audio' }]);
  });
});

describe('a Telnyx stream carries', () => {
  test('the same events whether or not a message is plain, in whatever order its members are', () => {
    const number = fc.oneof(
      { arbitrary: fc.nat({ max: 40 }).map((n) => `"${n}"`), weight: 8 },
      fc.nat({ max: 40 }).map(String),
      fc.constantFrom(
        '""',
        '"-1"',
        '"1e3"',
        '"0007"',
        '007',
        '-1',
        '1.5',
        '"999999999999999"',
        '9'.repeat(16),
        'null',
      ),
    );
    const base64 = fc.oneof(
      { arbitrary: fc.base64String({ maxLength: 60 }), weight: 3 },
      fc.constantFrom('', 'A', '=', 'AA=A', 'AAA', '-_', 'AA==\\n', '\\u0041AAA', 'A"A', 'é', 'AAAA===='),
    );
    const shuffled = <T>(parts: T[]) => fc.shuffledSubarray(parts, { minLength: parts.length });
    const space = fc.constantFrom('', '', '', ' ');
    const inner = fc
      .tuple(
        fc.option(fc.constantFrom('inbound', 'inbound', 'outbound', 'inbound_track', 'in\\u0062ound')),
        fc.option(number),
        fc.option(number),
        fc.option(base64, { freq: 20 }),
        space,
      )
      .chain(([track, chunk, time, payload, gap]) =>
        shuffled(
          [
            track === null ? [] : [`"track":${gap}"${track}"`],
            chunk === null ? [] : [`"chunk":${gap}${chunk}`],
            time === null ? [] : [`"timestamp"${gap}:${time}`],
            payload === null ? [] : [`"payload":"${payload}"${gap}`],
          ].flat(),
        ),
      )
      .map((parts) => `"media":{${parts.join(',')}}`);
    const outer = fc
      .tuple(
        inner,
        fc.option(number),
        fc.constantFrom(
          '',
          `"stream_id":"${ID}"`,
          `"stream_id":"${ID}"`,
          '"stream_id":"other"',
          `"stream_id":"${OTHER}"`,
          '"more":{}',
        ),
        fc.constantFrom('', '', '', '"event":"media"', '"media":{"payload":"AAAA"}'),
      )
      .chain(([body, sequence, stream, twice]) =>
        shuffled(
          [
            ['"event":"media"', body],
            sequence === null ? [] : [`"sequence_number":${sequence}`],
            stream === '' ? [] : [stream],
            twice === '' ? [] : [twice],
          ].flat(),
        ),
      )
      .chain((parts) =>
        fc.constantFrom('', '', '', '', ' ', '}', 'x').map((end) => `{${parts.join(',')}}${end}`),
      );
    fc.assert(
      // A line feed in front is nothing to JSON, but is not plain.
      fc.property(fc.array(outer, { minLength: 1, maxLength: 6 }), (messages) => {
        const [plain, long] = [started(), started()];
        for (const message of messages) {
          const given = withoutDetail(decode(plain, message));
          expect(given, message).toEqual(withoutDetail(decode(long, `\n${message}`)));
        }
      }),
      { numRuns: 2500, seed: 3 },
    );
  });

  test('digits, one at a time', () => {
    const port = started();
    const digits = [...'0123456789*#ABCDd', '', '12', 'x', 5].map((digit) => {
      const [event] = decode(port, key(digit));
      return event?.type === 'dtmf' ? event.digit : faultOf(event ? [event] : []);
    });
    expect(digits.slice(0, 17).join('')).toBe('0123456789*#ABCDD');
    expect(new Set(digits.slice(17))).toEqual(new Set(['bad-payload']));
  });

  test('L16 in the byte order that was chosen, both ways; half a sample is refused', () => {
    const samples = Int16Array.from([1, -2, 300, -30_000]);
    const little = Buffer.from(samples.buffer);
    const big = Buffer.from(little).swap16();
    for (const [l16Order, wire] of [
      ['little', little],
      ['big', big],
    ] as const) {
      const port = started({ encoding: 'L16', sample_rate: 16000, channels: 1 }, { audio: L16, l16Order });
      expect(decode(port, media(1, wire.toString('base64')))).toMatchObject([
        { type: 'audio', payload: little },
      ]);
      expect(decode(port, `\n${JSON.stringify(media(2, wire.toString('base64')))}`)).toMatchObject([
        { type: 'audio', payload: little },
      ]);
      expect(faultOf(decode(port, media(3, 'AAAA')))).toBe('bad-payload');
      const long = Buffer.concat(Array(80).fill(little));
      const before = Buffer.from(long);
      expect(payloads(port.encode({ type: 'audio', payload: long }))).toEqual([
        Buffer.concat(Array(80).fill(wire)),
      ]);
      // What we were given is not ours to turn round.
      expect(long.equals(before)).toBe(true);
    }
  });

  test('PCMU never has its bytes turned round', () => {
    const port = started(undefined, { audio: PCMU, l16Order: 'big' });
    expect(numbersOf(decode(port, media(1, frame(258))))).toEqual([258]);
  });

  test("errors of Telnyx's as warnings with their code", () => {
    const port = started();
    const [event] = decode(port, { event: 'error', stream_id: ID, payload: { code: 100003, title: 'x' } });
    expect(event).toMatchObject({ type: 'fault', kind: 'carrier-warning', detail: 'error code 100003' });
    expect(faultOf(decode(port, { event: 'error', stream_id: ID, payload: 'x' }))).toBe('carrier-warning');
  });
});

describe('what arrives out of order', () => {
  const feed = (port: MediaPort, chunks: readonly number[]) =>
    chunks.map((n) => numbersOf(decode(port, media(n, frame(n)))));

  test('waits for what is missing, and is heard in order', () => {
    expect(feed(started(), [1, 3, 2, 4])).toEqual([[1], [], [2, 3], [4]]);
    expect(feed(started(), [2, 1, 3])).toEqual([[], [1, 2], [3]]);
    expect(feed(started(), [1, 4, 3, 2, 5])).toEqual([[1], [], [], [2, 3, 4], [5]]);
  });

  test('waits for three later frames at most', () => {
    expect(feed(started(), [1, 3, 4, 5, 6, 7])).toEqual([[1], [], [], [], [3, 4, 5, 6], [7]]);
    // 3 to 7 are 80 ms.
    expect(feed(started(), [1, 3, 5, 7, 9, 10])).toEqual([[1], [], [], [3], [5], []]);
  });

  test('waits for 60 ms at most, where frames are longer', () => {
    const port = started();
    const long = (n: number) => numbersOf(decode(port, media(n, frame(n), { timestamp: String(n * 100) })));
    expect([1, 3, 4, 5].map(long)).toEqual([[1], [], [3, 4], [5]]);
  });

  test('is dropped when it comes after its place was given up, and so is a copy', () => {
    const port = started();
    feed(port, [1, 3, 4, 5, 6]);
    expect(faultOf(decode(port, media(2, frame(2))))).toBe('out-of-order');
    expect(faultOf(decode(port, media(6, frame(6))))).toBe('out-of-order');
    decode(port, media(8, frame(8)));
    expect(faultOf(decode(port, media(8, frame(8))))).toBe('out-of-order');
    expect(feed(port, [7])).toEqual([[7, 8]]);
  });

  test('a numbering that starts anew or stands still does not silence the caller', () => {
    const port = started();
    feed(port, [1, 2, 3, 4, 5, 6, 7, 8]);
    expect(feed(port, [1, 2, 3, 4, 5, 6]).flat()).toEqual([4, 5, 6]);
    const still = started();
    const heard = Array.from({ length: 50 }, () => numbersOf(decode(still, media(1, frame(9)))));
    expect(heard.flat().length).toBeGreaterThan(45);
  });

  test('audio without numbers is heard as it comes', () => {
    const port = started();
    const heard = [5, 3, 4].map((n) => numbersOf(decode(port, media(undefined, frame(n)))));
    expect(heard).toEqual([[5], [3], [4]]);
  });

  test('a stream that begins in the middle is heard from there', () => {
    expect(feed(started(), [700, 701, 703, 702])).toEqual([[700], [701], [], [702, 703]]);
    expect(feed(started(), [0, 1, 2])).toEqual([[0], [1], [2]]);
  });

  test('shuffled within the window nothing is lost; lost or not, nothing is heard twice or backwards', () => {
    const schedule = fc.record({
      // How far behind its time each frame arrives, in frames; at most 2.9 so that no more than three overtake it.
      delays: fc.array(fc.double({ min: 0, max: 2.9, noNaN: true }), {
        minLength: 5,
        maxLength: 120,
        size: 'max',
      }),
      lost: fc.uniqueArray(fc.nat({ max: 119 }), { maxLength: 10 }),
      copies: fc.uniqueArray(fc.nat({ max: 119 }), { maxLength: 10 }),
    });
    fc.assert(
      fc.property(schedule, ({ delays, lost, copies }) => {
        const sent = delays.flatMap((delay, n) => {
          const chunk = n + 1;
          if (lost.includes(n)) return [];
          const once = { chunk, at: n + delay };
          return copies.includes(n) ? [once, { chunk, at: once.at + 0.5 }] : [once];
        });
        const port = started();
        const arrived = [...sent].sort((a, b) => a.at - b.at);
        const heard = arrived.flatMap(({ chunk }) => numbersOf(decode(port, media(chunk, frame(chunk)))));
        heard.push(...numbersOf(decode(port, { event: 'stop', stream_id: ID })));
        const once = [...new Set(sent.map(({ chunk }) => chunk))];
        if (lost.length === 0) expect(heard).toEqual(once);
        expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b));
        expect(heard.length).toBeGreaterThanOrEqual(once.length - 3 * lost.length);
      }),
      { numRuns: 500, seed: 11 },
    );
  });

  test('what waits is heard when the stream stops', () => {
    const port = started();
    feed(port, [1, 3]);
    const events = decode(port, { event: 'stop', stream_id: ID, stop: {} });
    expect(events.map(({ type }) => type)).toEqual(['audio', 'stopped']);
    expect(faultOf(decode(port, media(4, frame(4))))).toBe('out-of-order');
  });

  test('keys are put in order by their numbers, and wait for three frames at most', () => {
    const port = started();
    expect(digitsOf(decode(port, key('1', '2')))).toBe('1');
    expect(digitsOf(decode(port, key('3', '4')))).toBe('');
    expect(digitsOf(decode(port, key('2', '3')))).toBe('23');
    expect(digitsOf(decode(port, key('5', 7)))).toBe('');
    const frames = [1, 2, 3].map((n) => digitsOf(decode(port, media(n, frame(n), {}, String(7 + n)))));
    expect(frames).toEqual(['', '', '5']);
    expect(digitsOf(decode(port, key('4', '6')))).toBe('4');
    expect(digitsOf(decode(port, key('6', '20')))).toBe('');
    expect(digitsOf(decode(port, { event: 'stop', stream_id: ID }))).toBe('6');
  });

  test('a key that overtook a frame follows it', () => {
    const port = started();
    expect(digitsOf(decode(port, media(1, frame(1), {}, 2)))).toBe('');
    expect(digitsOf(decode(port, key('7', 4)))).toBe('');
    const events = decode(port, media(2, frame(2), {}, 3));
    expect(events.map(({ type }) => type)).toEqual(['audio', 'dtmf']);
  });

  test('no key is ever lost or doubled, and swapped neighbours come out in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('key', 'key', 'frame', 'lost', 'none'), { minLength: 1, maxLength: 60 }),
        fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
        (kinds, swaps) => {
          let chunk = 0;
          const sent = kinds.flatMap((kind, n): { message: object; digit: string }[] => {
            if (kind === 'lost') return [];
            if (kind === 'frame') {
              chunk += 1;
              return [{ message: media(chunk, frame(chunk), {}, n + 2), digit: '' }];
            }
            const digit = String(n % 10);
            return [{ message: key(digit, kind === 'none' ? undefined : n + 2), digit }];
          });
          const arrived = [...sent];
          for (let n = 0; n + 1 < arrived.length; n += 2) {
            if (swaps[n]) arrived.splice(n, 2, arrived[n + 1] as never, arrived[n] as never);
          }
          const port = started();
          const heard = arrived.map(({ message }) => digitsOf(decode(port, message))).join('');
          const all = heard + digitsOf(decode(port, { event: 'stop', stream_id: ID }));
          const wanted = sent.map(({ digit }) => digit).join('');
          expect([...all].sort().join('')).toBe([...wanted].sort().join(''));
          const numbered = kinds.every((kind) => kind === 'key' || kind === 'frame');
          if (numbered) expect(all).toBe(wanted);
        },
      ),
      { numRuns: 500, seed: 12 },
    );
  });
});

describe('a Telnyx stream refuses, and goes on', () => {
  test.each([
    [
      'wrong-stream',
      [
        { ...media(1, 'AAAA'), stream_id: 'x' },
        { ...key('1'), stream_id: null },
      ],
    ],
    [
      'unknown-event',
      [
        { event: 'weather' },
        { event: 5 },
        {},
        { event: 'constructor' },
        media(1, 'AAAA', { track: 'outbound' }),
      ],
    ],
    ['bad-json', ['', '{', '[]', 'null', '5', '"x"', '{"event":"media"', '\u0000']],
    [
      'bad-payload',
      [
        { event: 'media', stream_id: ID },
        { event: 'media', stream_id: ID, media: 'x' },
        media(1, 5),
        media(1, '!'),
        { event: 'mark', stream_id: ID, mark: { name: '' } },
        { event: 'mark', stream_id: ID, mark: null },
        { event: 'mark', stream_id: ID, mark: { name: 'x'.repeat(5000) } },
      ],
    ],
  ] as const)('%s', (kind, messages) => {
    const port = started();
    for (const message of messages)
      expect(faultOf(decode(port, message)), JSON.stringify(message)).toBe(kind);
    expect(decode(port, media(1, 'AAAA'))).toMatchObject([{ type: 'audio' }]);
  });

  test('binary messages, and everything before start', () => {
    const port = started();
    expect(faultOf(port.decode(Buffer.from(JSON.stringify(media(1, 'AAAA'))), true))).toBe(
      'unexpected-binary',
    );
    const fresh = createTelnyxMediaPort({ audio: PCMU, l16Order: 'little' });
    for (const message of [media(1, 'AAAA'), key('1'), { event: 'stop' }]) {
      expect(faultOf(decode(fresh, message))).toBe('before-start');
    }
    expect(fresh.encode({ type: 'audio', payload: Buffer.alloc(160) })).toEqual([]);
    expect(fresh.encode({ type: 'clear' })).toEqual([]);
  });

  test('without ever repeating what a peer wrote beyond a plain short word', () => {
    const secret = '+15551230001 is my number';
    for (const message of [{ event: secret }, start({ encoding: secret, sample_rate: 1 }), secret]) {
      const port = createTelnyxMediaPort({ audio: PCMU, l16Order: 'little' });
      expect(JSON.stringify(decode(port, message))).not.toContain('is my number');
    }
  });

  test('twenty thousand mutated messages without throwing', () => {
    const samples = [
      start(),
      start({ encoding: 'L16', sample_rate: 16000, channels: 1 }),
      media(1, '/////w==', {}, '2'),
      media(4, 'AAAA', {}, '9'),
      key('1', '5'),
      { event: 'mark', stream_id: ID, sequence_number: '6', mark: { name: 'g1.2' } },
      { event: 'error', stream_id: ID, payload: { code: 100003 } },
      { event: 'stop', stream_id: ID },
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
          const port = isStarted ? started() : createTelnyxMediaPort({ audio: L16, l16Order: 'big' });
          for (const { sample, edits, isBinary } of mutations) {
            const bytes = mutated(samples[sample] as Buffer, edits);
            for (const { type } of port.decode(bytes, isBinary && bytes.length % 10 === 0)) types.add(type);
          }
        },
      ),
      { numRuns: 1000, seed: 13 },
    );
    for (const type of ['fault', 'audio', 'mark', 'dtmf', 'started', 'stopped', 'unusable']) {
      expect(types).toContain(type);
    }
  });
});

function mutated(sample: Buffer, edits: readonly { at: number; byte: number; cut: number }[]): Buffer {
  let bytes = Buffer.from(sample);
  for (const { at, byte, cut } of edits) {
    const from = at % Math.max(1, bytes.length);
    if (cut < 15) bytes[from] = byte;
    else {
      const rest = bytes.subarray(from + cut - 15);
      bytes = Buffer.concat([bytes.subarray(0, from), Buffer.from([byte]), rest]);
    }
  }
  return bytes;
}

describe('a Telnyx stream is told', () => {
  test.each([
    [PCMU, 160, 0xff],
    [{ encoding: 'pcma', sampleRate: 8000 }, 160, 0xd5],
    [L16, 640, 0],
    [{ encoding: 'l16', sampleRate: 24000 }, 960, 0],
  ] as const)(
    'all of its audio in whole frames, and silence only behind the turn: %j',
    (audio, frameBytes, silence) => {
      const parts = fc.array(fc.uint8Array({ minLength: 0, maxLength: 3000, size: 'max' }), { maxLength: 6 });
      fc.assert(
        fc.property(parts, (given) => {
          const port = started(undefined, { audio, l16Order: 'little' });
          const sent = given.flatMap((payload) => payloads(port.encode({ type: 'audio', payload })));
          const before = Buffer.concat(sent);
          const all = Buffer.concat(given.map((part) => Buffer.from(part)));
          expect(all.subarray(0, before.length).equals(before)).toBe(true);
          expect(all.length - before.length).toBeLessThan(frameBytes);
          const tail = payloads(port.encode({ type: 'end-of-turn' }));
          const played = Buffer.concat([before, ...tail]);
          expect(played.subarray(0, all.length).equals(all)).toBe(true);
          expect(played.subarray(all.length).every((byte) => byte === silence)).toBe(true);
          for (const part of [...sent, ...tail]) {
            expect(part.length % frameBytes).toBe(0);
            expect(part.length).toBeLessThanOrEqual(25 * frameBytes);
          }
          expect(port.encode({ type: 'end-of-turn' })).toEqual([]);
        }),
        { numRuns: 60, seed: 14 },
      );
    },
  );

  test('nothing after a clear of what was held back before it', () => {
    const port = started();
    expect(port.encode({ type: 'audio', payload: Buffer.alloc(100, 1) })).toEqual([]);
    expect(port.encode({ type: 'clear' })).toEqual(['{"event":"clear"}']);
    expect(port.encode({ type: 'end-of-turn' })).toEqual([]);
    const [part] = payloads(port.encode({ type: 'audio', payload: Buffer.alloc(160, 2) }));
    expect(part?.equals(Buffer.alloc(160, 2))).toBe(true);
  });

  test('marks and clear without a stream id; no keys and no hang-up', () => {
    const port = started();
    expect(port.encode({ type: 'mark', name: 'a"b' })).toEqual(['{"event":"mark","mark":{"name":"a\\"b"}}']);
    expect(port.encode({ type: 'dtmf', digits: '1' })).toEqual([]);
    expect(port.encode({ type: 'hangup' })).toEqual([]);
  });

  test("what a mark's echo means: a clear throws away what looks played", () => {
    const port = started();
    const echo = (name: string) => {
      const [event] = decode(port, { event: 'mark', stream_id: ID, mark: { name } });
      return event?.type === 'mark' ? event.outcome : 'none';
    };
    for (const name of ['g1.1', 'g1.2']) port.encode({ type: 'mark', name });
    expect(echo('g1.1')).toBe('played');
    port.encode({ type: 'clear' });
    expect(echo('g1.2')).toBe('ambiguous');
    port.encode({ type: 'mark', name: 'g2.1' });
    expect(echo('g2.1')).toBe('played');
  });
});
