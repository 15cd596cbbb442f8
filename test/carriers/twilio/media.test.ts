import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MediaEvent, MediaPort } from '../../../src/carriers/carrier.ts';
import { createTwilioMediaPort } from '../../../src/carriers/twilio/media.ts';

const SID = 'MZ18ceafc1d2e3';
const START = {
  event: 'start',
  sequenceNumber: '1',
  streamSid: SID,
  start: {
    streamSid: SID,
    accountSid: 'AC0',
    callSid: 'CA5',
    tracks: ['inbound'],
    customParameters: { from: '+15551230001' },
    mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
  },
};
const PCMU = { encoding: 'pcmu', sampleRate: 8000 };

function decode(port: MediaPort, message: unknown): readonly MediaEvent[] {
  return port.decode(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), false);
}
function started(): MediaPort {
  const port = createTwilioMediaPort();
  expect(decode(port, START)[0]?.type).toBe('started');
  return port;
}
function media(payload: unknown, more: object = {}) {
  return {
    event: 'media',
    sequenceNumber: '3',
    streamSid: SID,
    media: { track: 'inbound', chunk: '1', timestamp: '5', payload, ...more },
  };
}
function mark(name: unknown) {
  return { event: 'mark', sequenceNumber: '4', streamSid: SID, mark: { name } };
}
function withoutDetail(events: readonly MediaEvent[]): object[] {
  return events.map((event) => ({ ...event, detail: undefined }));
}
function faultOf(events: readonly MediaEvent[]): string {
  const [event] = events;
  return event?.type === 'fault' ? event.kind : `no fault: ${event?.type}`;
}

describe('a Twilio stream starts', () => {
  test('with ids, parameters and both formats; "connected" says nothing', () => {
    const port = createTwilioMediaPort();
    expect(decode(port, { event: 'connected', protocol: 'Call', version: '1.0.0' })).toEqual([]);
    expect(decode(port, START)).toEqual([
      {
        type: 'started',
        start: {
          callId: 'CA5',
          streamId: SID,
          parameters: { from: '+15551230001' },
          receive: PCMU,
          send: PCMU,
        },
      },
    ]);
  });

  test('also with numbers written as strings, without parameters or channels', () => {
    const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: '8000' };
    const events = decode(createTwilioMediaPort(), {
      event: 'start',
      start: { streamSid: SID, mediaFormat },
    });
    expect(events).toMatchObject([{ type: 'started', start: { callId: null, parameters: {} } }]);
  });

  test.each([
    { encoding: 'audio/x-alaw', sampleRate: 8000, channels: 1 },
    { encoding: 'audio/x-mulaw', sampleRate: 16000, channels: 1 },
    { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 2 },
  ])('not with %j: closed with 1003', (mediaFormat) => {
    const port = createTwilioMediaPort();
    const events = decode(port, { ...START, start: { ...START.start, mediaFormat } });
    expect(events).toMatchObject([{ type: 'unusable', closeCode: 1003 }]);
    expect(faultOf(decode(port, media('AAAA')))).toBe('before-start');
  });

  test.each([
    undefined,
    null,
    [],
    'x',
    { ...START.start, streamSid: 5 },
    { ...START.start, streamSid: '' },
    { ...START.start, streamSid: 'x'.repeat(200) },
    { ...START.start, mediaFormat: undefined },
    { ...START.start, mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: { valueOf: 1, toString: 2 } } },
    { ...START.start, customParameters: 'x' },
  ])('not from something unlike a start: closed with 1002 (%#)', (start) => {
    const events = decode(createTwilioMediaPort(), { event: 'start', start });
    expect(events).toMatchObject([{ type: 'unusable', closeCode: 1002 }]);
  });

  test('once: a second start is a fault and changes nothing', () => {
    const port = started();
    const other = JSON.parse(JSON.stringify(START).replaceAll(SID, 'MZother'));
    expect(faultOf(decode(port, other))).toBe('second-start');
    expect(port.encode({ type: 'clear' })[0]).toContain(SID);
  });

  test('with parameters that are text, at most 64 of them, and none that reaches a prototype', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`p${n}`, String(n)]));
    const text = JSON.stringify({ a: 'x', n: 5, o: {}, ...many }).replace(
      '{',
      '{"__proto__":{"polluted":"yes"},',
    );
    const [event] = decode(
      createTwilioMediaPort(),
      JSON.stringify(START).replace('{"from":"+15551230001"}', text),
    );
    const parameters = event?.type === 'started' ? event.start.parameters : {};
    expect(parameters['a']).toBe('x');
    expect(Object.keys(parameters)).toHaveLength(64);
    expect((parameters as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('a Twilio stream carries', () => {
  test('audio of any size, byte for byte, with its time', () => {
    const port = started();
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 4000, size: 'max' }),
        fc.nat(),
        (bytes, timeMs) => {
          const events = decode(
            port,
            media(Buffer.from(bytes).toString('base64'), { timestamp: String(timeMs) }),
          );
          expect(events).toEqual([{ type: 'audio', payload: Buffer.from(bytes), mediaTimeMs: timeMs }]);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('audio whose time is a number, or nothing like one', () => {
    const port = started();
    const times = [7, '0', undefined, '-5', 'x', 1.5, 1e300, '9'.repeat(40), null].map((timestamp) => {
      const [event] = decode(port, media('AAAA', { timestamp }));
      return event?.type === 'audio' ? event.mediaTimeMs : 'no audio';
    });
    expect(times).toEqual([7, 0, null, null, null, null, null, null, null]);
  });

  test('base64 that is written another way: white space, URL alphabet, no padding', () => {
    const port = started();
    const wanted = Buffer.from([0xfb, 0xef, 0xff, 0x01]);
    for (const text of ['++//AQ==', '--__AQ', '+ +/\n/AQ==', '++//AQ']) {
      expect(decode(port, media(text)), text).toMatchObject([{ type: 'audio', payload: wanted }]);
    }
  });

  test('nothing where the payload is empty, and a fault where it is no payload', () => {
    const port = started();
    expect(decode(port, media(''))).toEqual([]);
    for (const payload of ['!', '=', 5, null, {}, undefined]) {
      expect(faultOf(decode(port, media(payload)))).toBe('bad-payload');
    }
    expect(faultOf(decode(port, { event: 'media', streamSid: SID }))).toBe('bad-payload');
    expect(faultOf(decode(port, { event: 'media', streamSid: SID, media: 'x' }))).toBe('bad-payload');
  });

  test('digits, one at a time', () => {
    const port = started();
    const digits = [...'0123456789*#ABCDd', '', '12', 'x', 5].map((digit) => {
      const [event] = decode(port, {
        event: 'dtmf',
        streamSid: SID,
        dtmf: { track: 'inbound_track', digit },
      });
      return event?.type === 'dtmf' ? event.digit : faultOf(event ? [event] : []);
    });
    expect(digits.slice(0, 17).join('')).toBe('0123456789*#ABCDD');
    expect(new Set(digits.slice(17))).toEqual(new Set(['bad-payload']));
  });

  test('the same events whether or not a message is written exactly as Twilio writes it', () => {
    const port = started();
    const number = fc.oneof(
      { arbitrary: fc.nat().map((n) => `"${n}"`), weight: 10 },
      fc.nat().map(String),
      fc.constantFrom('""', '"-1"', '"1e3"', '"0007"', '"999999999999999"', '"9999999999999999"', 'null'),
    );
    const base64 = fc.oneof(
      { arbitrary: fc.base64String({ maxLength: 400, size: 'max' }), weight: 2 },
      fc.constantFrom('', 'A', '=', 'AA=A', 'AAA', '-_', 'AA==\\n', '\\u0041AAA', 'A"A', 'é', 'AAAA===='),
    );
    const sid = fc.constantFrom('', `"streamSid":"${SID}",`, '"streamSid":"MZother",', '"streamSid":"",');
    const track = fc.constantFrom('inbound', 'inbound', 'outbound', 'inbound_track');
    const usual = fc
      .tuple(sid, sid, number, number, number, base64, track)
      .map(
        ([before, after, sequence, chunk, time, payload, name]) =>
          `{"event":"media","sequenceNumber":${sequence},${before}"media":{"track":"${name}","chunk":${chunk},` +
          `"timestamp":${time},"payload":"${payload}"}${after === '' ? '' : `,${after.slice(0, -1)}`}}`,
      );
    fc.assert(
      // A space in front is nothing to JSON, but no longer how Twilio writes it.
      fc.property(usual, (message) => {
        expect(withoutDetail(decode(port, message))).toEqual(withoutDetail(decode(port, ` ${message}`)));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a Twilio stream refuses, and goes on', () => {
  test.each([
    [
      'before-start',
      createTwilioMediaPort,
      [media('AAAA'), mark('g0.1'), { event: 'dtmf', dtmf: { digit: '1' } }, { event: 'stop' }],
    ],
    [
      'wrong-stream',
      started,
      [
        { ...media('AAAA'), streamSid: 'MZother' },
        { ...mark('g0.1'), streamSid: 5 },
        { ...media('AAAA'), streamSid: null },
      ],
    ],
    [
      'unknown-event',
      started,
      [
        { event: 'weather' },
        { event: 5 },
        {},
        { event: 'constructor' },
        media('AAAA', { track: 'outbound' }),
      ],
    ],
    ['bad-json', started, ['', '{', '[]', 'null', '5', '"x"', `{"event":"media"`, '\u0000']],
    ['bad-payload', started, [mark(''), mark(5), mark('x'.repeat(5000)), { event: 'mark', mark: null }]],
  ] as const)('%s', (kind, open, messages) => {
    const port = open();
    for (const message of messages)
      expect(faultOf(decode(port, message)), JSON.stringify(message)).toBe(kind);
    if (open === started) expect(decode(port, media('AAAA'))).toMatchObject([{ type: 'audio' }]);
  });

  test('binary messages', () => {
    const port = started();
    expect(faultOf(port.decode(Buffer.from(JSON.stringify(media('AAAA'))), true))).toBe('unexpected-binary');
    expect(decode(port, media('AAAA'))).toMatchObject([{ type: 'audio' }]);
  });

  test('everything after stop', () => {
    const port = started();
    expect(decode(port, { event: 'stop', streamSid: SID, stop: { callSid: 'CA5' } })).toEqual([
      { type: 'stopped' },
    ]);
    expect(faultOf(decode(port, media('AAAA')))).toBe('out-of-order');
    const usual = `{"event":"media","sequenceNumber":"1","media":{"track":"inbound","chunk":"1","timestamp":"1","payload":"AAAA"},"streamSid":"${SID}"}`;
    expect(faultOf(decode(port, usual))).toBe('out-of-order');
    expect(port.encode({ type: 'audio', payload: Buffer.alloc(160) })).toEqual([]);
  });

  test('without ever repeating what a peer wrote beyond a plain short word', () => {
    const secret = '+15551230001 is my number';
    for (const message of [
      { event: secret },
      { ...START, start: { ...START.start, mediaFormat: { encoding: secret, sampleRate: 1 } } },
      secret,
    ]) {
      expect(JSON.stringify(decode(createTwilioMediaPort(), message))).not.toContain('5551230001');
    }
  });

  test('ten thousand mutated messages without throwing', () => {
    const samples = [
      START,
      media('/////w=='),
      mark('g1.2'),
      { event: 'stop', streamSid: SID },
      { event: 'connected' },
    ].map((m) => Buffer.from(JSON.stringify(m)));
    const mutation = fc.record({
      sample: fc.nat(samples.length - 1),
      edits: fc.array(fc.record({ at: fc.nat(400), byte: fc.nat(255), cut: fc.nat(30) }), {
        minLength: 1,
        maxLength: 4,
      }),
      isBinary: fc.boolean(),
    });
    const types = new Set<string>();
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(mutation, { minLength: 10, maxLength: 10 }),
        (isStarted, mutations) => {
          const port = isStarted ? started() : createTwilioMediaPort();
          for (const { sample, edits, isBinary } of mutations) {
            let bytes = Buffer.from(samples[sample] as Buffer);
            for (const { at, byte, cut } of edits) {
              const start = at % bytes.length;
              if (cut < 15) bytes[start] = byte;
              else
                bytes = Buffer.concat([
                  bytes.subarray(0, start),
                  Buffer.from([byte]),
                  bytes.subarray(start + cut - 15),
                ]);
            }
            for (const event of port.decode(bytes, isBinary && bytes.length % 10 === 0))
              types.add(event.type);
          }
        },
      ),
      { numRuns: 1000 },
    );
    for (const type of ['fault', 'audio', 'mark', 'started', 'stopped', 'unusable'])
      expect(types).toContain(type);
  });
});

describe('a Twilio stream is told', () => {
  test('audio, marks and clear as JSON with the stream it is for', () => {
    const port = started();
    const payload = Buffer.from([0xff, 0x7f, 0x00]);
    const messages = [
      ...port.encode({ type: 'audio', payload }),
      ...port.encode({ type: 'mark', name: 'g3.7' }),
      ...port.encode({ type: 'clear' }),
    ];
    expect(messages.map((message) => JSON.parse(String(message)))).toEqual([
      { event: 'media', streamSid: SID, media: { payload: '/38A' } },
      { event: 'mark', streamSid: SID, mark: { name: 'g3.7' } },
      { event: 'clear', streamSid: SID },
    ]);
  });

  test('all of an audio payload in order, in messages of at most half a second', () => {
    const port = started();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000, size: 'max' }), fc.nat(8), (bytes, offset) => {
        const view = new Uint8Array(bytes.buffer, Math.min(offset, bytes.length));
        const parts = port.encode({ type: 'audio', payload: view }).map((message) => {
          const { media } = JSON.parse(String(message)) as { media: { payload: string } };
          return Buffer.from(media.payload, 'base64');
        });
        expect(Buffer.concat(parts).equals(Buffer.from(view))).toBe(true);
        expect(parts.every((part) => part.length > 0 && part.length <= 4000)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test('names that need escaping, whole', () => {
    const odd = `MZ"\\${'\u2028'}`;
    const port = createTwilioMediaPort();
    decode(
      port,
      JSON.parse(JSON.stringify(START).replaceAll(SID, 'X'), (key, value) =>
        key === 'streamSid' ? odd : value,
      ),
    );
    const texts = [
      ...port.encode({ type: 'audio', payload: Buffer.alloc(1) }),
      ...port.encode({ type: 'mark', name: 'a"b' }),
      ...port.encode({ type: 'clear' }),
    ];
    expect(texts.map((text) => JSON.parse(String(text)).streamSid)).toEqual([odd, odd, odd]);
    expect(JSON.parse(String(texts[1])).mark.name).toBe('a"b');
  });

  test('nothing before it started, and nothing that it has no message for', () => {
    const commands = [
      { type: 'audio', payload: Buffer.alloc(160) },
      { type: 'mark', name: 'g0.1' },
      { type: 'clear' },
    ] as const;
    const fresh = createTwilioMediaPort();
    for (const command of commands) expect(fresh.encode(command)).toEqual([]);
    const port = started();
    expect(port.encode({ type: 'end-of-turn' })).toEqual([]);
    expect(port.encode({ type: 'dtmf', digits: '1' })).toEqual([]);
    expect(port.encode({ type: 'hangup' })).toEqual([]);
    expect(port.encode({ type: 'audio', payload: new Uint8Array(0) })).toEqual([]);
  });
});

describe("a mark's echo", () => {
  function outcomes(script: string): string[] {
    const port = started();
    return script.split(' ').flatMap((step) => {
      if (step === 'clear') port.encode({ type: 'clear' });
      else if (step.startsWith('>')) port.encode({ type: 'mark', name: step.slice(1) });
      else {
        const [event] = decode(port, mark(step.slice(1)));
        return [event?.type === 'mark' ? `${event.name} ${event.outcome}` : 'no mark'];
      }
      return [];
    });
  }

  test.each([
    ['means played while nothing was cleared', '>g0.1 >g0.2 <g0.1 <g0.2', 'g0.1 played, g0.2 played'],
    ['is ambiguous after a clear', '>g0.1 >g0.2 <g0.1 clear <g0.2', 'g0.1 played, g0.2 ambiguous'],
    [
      'means played again from the next generation on',
      '>g0.1 clear >g1.1 <g0.1 <g1.1',
      'g0.1 ambiguous, g1.1 played',
    ],
    ['of an old generation stays ambiguous', '>g0.1 clear >g1.1 <g1.1 <g0.1', 'g1.1 played, g0.1 ambiguous'],
    [
      'is ambiguous after each of several clears',
      '>g0.1 clear >g1.1 clear >g2.1 <g0.1 <g1.1 <g2.1',
      'g0.1 ambiguous, g1.1 ambiguous, g2.1 played',
    ],
    [
      'is ambiguous for any name until a newer generation',
      '>x >g0.1 clear >y <x <y >g1.1 <g1.1 >z <z',
      'x ambiguous, y ambiguous, g1.1 played, z played',
    ],
    ['counts generations as numbers', '>g9.1 clear >g10.1 <g9.1 <g10.1', 'g9.1 ambiguous, g10.1 played'],
    ['means played where a clear found no mark', 'clear >g0.1 <g0.1', 'g0.1 played'],
  ])('%s', (_rule, script, wanted) => {
    expect(outcomes(script).join(', ')).toBe(wanted);
  });

  test('is never taken for played where a simulated buffer threw it away', () => {
    const step = fc.constantFrom('send', 'send', 'play', 'barge-in');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        const port = started();
        let generation = 0;
        let sent = 0;
        let queued: string[] = [];
        const echo = (name: string, thrownAway: boolean) => {
          const [event] = decode(port, mark(name));
          const outcome = event?.type === 'mark' ? event.outcome : 'none';
          expect(['played', 'ambiguous']).toContain(outcome);
          if (thrownAway) expect(outcome).toBe('ambiguous');
          else expect(outcome).toBe('played');
        };
        for (const what of steps) {
          if (what === 'send') {
            sent += 1;
            const name = `g${generation}.${sent}`;
            port.encode({ type: 'mark', name });
            queued.push(name);
          } else if (what === 'play') {
            const name = queued.shift();
            if (name !== undefined) echo(name, false);
          } else {
            generation += 1;
            port.encode({ type: 'clear' });
            for (const name of queued) echo(name, true);
            queued = [];
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
