import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MediaEvent, MediaPort } from '../../../src/carriers/carrier.ts';
import { createJambonzMediaPort } from '../../../src/carriers/jambonz/media.ts';
import { MediaModule } from './media-module.ts';
import { CALL, settings } from './support.ts';

const L16 = { encoding: 'l16', sampleRate: 8000 } as const;
const FIRST = {
  callSid: CALL,
  direction: 'inbound',
  from: '15551230001',
  to: '15551230002',
  callId: 'sip-1',
  accountSid: settings.accountSid,
  callStatus: 'in-progress',
  sampleRate: 8000,
  mixType: 'mono',
};

function decode(port: MediaPort, message: unknown): readonly MediaEvent[] {
  return port.decode(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), false);
}
function started(rate: 8000 | 16000 | 24000 = 8000): MediaPort {
  const port = createJambonzMediaPort({ encoding: 'l16', sampleRate: rate });
  expect(decode(port, { ...FIRST, sampleRate: rate })[0]?.type).toBe('started');
  return port;
}
function mark(name: unknown, event: unknown) {
  return { type: 'mark', data: { name, event } };
}
function faultOf(events: readonly MediaEvent[]): string {
  const [event] = events;
  return event?.type === 'fault' ? event.kind : `no fault: ${event?.type}`;
}
function samplesOf(messages: readonly (string | Buffer)[]): number[] {
  return messages.flatMap((message) => {
    if (typeof message === 'string') return [];
    return Array.from({ length: message.length / 2 }, (_, n) => message.readInt16LE(n * 2));
  });
}
function l16(samples: readonly number[]): Buffer {
  const bytes = Buffer.alloc(samples.length * 2);
  for (const [n, sample] of samples.entries()) bytes.writeInt16LE(sample, n * 2);
  return bytes;
}

describe('a jambonz stream starts', () => {
  test.each([8000, 16000, 24000, '16000'])('with its first message, at %s Hz', (sampleRate) => {
    const events = decode(createJambonzMediaPort(L16), { ...FIRST, sampleRate });
    const receive = { encoding: 'l16', sampleRate: Number(sampleRate) };
    expect(events).toEqual([
      { type: 'started', start: { callId: CALL, streamId: CALL, parameters: {}, receive, send: L16 } },
    ]);
  });

  test('sends at the rate that was asked for, since the first message does not repeat it', () => {
    const port = createJambonzMediaPort({ encoding: 'l16', sampleRate: 24000 });
    expect(decode(port, FIRST)).toMatchObject([{ start: { receive: L16, send: { sampleRate: 24000 } } }]);
  });

  test.each([{ mixType: 'stereo' }, { mixType: 'mixed' }, { sampleRate: 44100 }, { sampleRate: 0 }])(
    'not with %j: closed with 1003',
    (more) => {
      const port = createJambonzMediaPort(L16);
      expect(decode(port, { ...FIRST, ...more })).toMatchObject([{ type: 'unusable', closeCode: 1003 }]);
      expect(faultOf(port.decode(Buffer.alloc(320), true))).toBe('before-start');
    },
  );

  test.each([{}, { callSid: '' }, { callSid: 5 }, { callSid: CALL }, { callSid: CALL, sampleRate: null }])(
    'not from %j: closed with 1002',
    (message) => {
      const events = decode(createJambonzMediaPort(L16), message);
      expect(events).toMatchObject([{ type: 'unusable', closeCode: 1002 }]);
    },
  );

  test('once', () => {
    const port = started();
    expect(faultOf(decode(port, { ...FIRST, callSid: 'other' }))).toBe('second-start');
  });
});

describe('a jambonz stream carries', () => {
  test('audio as it came, at the place where it lies among the rest', () => {
    const port = started(16000);
    let bytes = 0;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 2000, size: 'max' }), (payload) => {
        const data = Buffer.from(payload);
        expect(port.decode(data, true)).toEqual([{ type: 'audio', payload: data, mediaTimeMs: bytes / 32 }]);
        bytes += data.length;
      }),
      { numRuns: 200, seed: 41 },
    );
    expect(port.decode(Buffer.alloc(0), true)).toEqual([]);
  });

  test('digits, one at a time', () => {
    const port = started();
    const digits = [...'0123456789*#ABCDd', '', '12', 'x', 5].map((dtmf) => {
      const [event] = decode(port, { event: 'dtmf', dtmf, duration: '1600' });
      return event?.type === 'dtmf' ? event.digit : faultOf(event ? [event] : []);
    });
    expect(digits.slice(0, 17).join('')).toBe('0123456789*#ABCDD');
    expect(new Set(digits.slice(17))).toEqual(new Set(['bad-payload']));
  });

  test('what became of a mark', () => {
    const port = started();
    expect(decode(port, mark('g1.1', 'playout'))).toEqual([
      { type: 'mark', name: 'g1.1', outcome: 'played' },
    ]);
    expect(decode(port, mark('g1.2', 'cleared'))).toEqual([
      { type: 'mark', name: 'g1.2', outcome: 'cleared' },
    ]);
    for (const bad of [
      mark('', 'playout'),
      mark(5, 'playout'),
      mark('x'.repeat(300), 'playout'),
      { type: 'mark' },
    ])
      expect(faultOf(decode(port, bad))).toBe('bad-payload');
    expect(decode(port, { type: 'playDone', data: { id: '7' } })).toEqual([]);
  });
});

describe('a jambonz stream refuses, and goes on', () => {
  test.each<[string, readonly unknown[]]>([
    [
      'unknown-event',
      [{ type: 'weather' }, { event: 5 }, { type: 'constructor' }, { type: null, event: 'x' }],
    ],
    ['bad-json', ['', '{', '[]', 'null', '5', '"x"', '{"type":"mark"', '\u0000']],
  ])('%s', (kind, messages) => {
    const port = started();
    for (const message of messages)
      expect(faultOf(decode(port, message)), JSON.stringify(message)).toBe(kind);
    expect(port.decode(Buffer.alloc(320), true)).toMatchObject([{ type: 'audio' }]);
  });

  test('everything before the first message', () => {
    const port = createJambonzMediaPort(L16);
    expect(faultOf(port.decode(Buffer.alloc(320), true))).toBe('before-start');
    expect(faultOf(decode(port, { event: 'dtmf', dtmf: '1' }))).toBe('before-start');
    expect(faultOf(decode(port, mark('g1.1', 'playout')))).toBe('before-start');
    expect(port.encode({ type: 'audio', payload: Buffer.alloc(320) })).toEqual([]);
    expect(port.encode({ type: 'clear' })).toEqual([]);
  });

  test('without ever repeating what a peer wrote beyond a plain short word', () => {
    const secret = '+15551230001 is my number';
    for (const message of [
      { type: secret },
      { ...FIRST, mixType: secret },
      { ...FIRST, callSid: 5, x: secret },
      secret,
    ])
      expect(JSON.stringify(decode(createJambonzMediaPort(L16), message))).not.toContain('5551230001');
  });

  test('twenty thousand mutated messages without throwing', () => {
    const samples = [
      FIRST,
      { event: 'dtmf', dtmf: '2', duration: '1600' },
      mark('g1.2', 'cleared'),
      mark('g1.1', 'playout'),
    ].map((message) => Buffer.from(JSON.stringify(message)));
    const edit = fc.record({ at: fc.nat(400), byte: fc.nat(255), cut: fc.integer({ min: -12, max: 12 }) });
    const mutation = fc.record({
      sample: fc.nat(samples.length - 1),
      edits: fc.array(edit, { maxLength: 3 }),
      isBinary: fc.nat(5).map((n) => n === 0),
    });
    const types = new Set<string>();
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(mutation, { minLength: 20, maxLength: 20 }),
        (isStarted, mutations) => {
          const port = isStarted ? started() : createJambonzMediaPort(L16);
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
            port.encode({ type: 'audio', payload: bytes });
          }
        },
      ),
      { numRuns: 1000, seed: 42 },
    );
    for (const type of ['fault', 'audio', 'mark', 'dtmf', 'started', 'unusable'])
      expect(types).toContain(type);
  });
});

describe('a jambonz stream is told', () => {
  test('audio as samples, marks and clear as JSON', () => {
    const port = started();
    expect(samplesOf(port.encode({ type: 'audio', payload: l16([5, -6, 7]) }))).toEqual([5, -6, 7]);
    expect(port.encode({ type: 'mark', name: 'g"1' })).toEqual(['{"type":"mark","data":{"name":"g\\"1"}}']);
    expect(port.encode({ type: 'clear' }).at(-1)).toBe('{"type":"killAudio"}');
    expect(port.encode({ type: 'dtmf', digits: '1' })).toEqual([]);
    expect(port.encode({ type: 'hangup' })).toEqual([]);
  });

  test('no sample of −1 in our audio, and every other sample unchanged, however the bytes are cut', () => {
    const sample = fc.oneof(fc.constantFrom(-1, 0, -256, 255, -2), fc.integer({ min: -32768, max: 32767 }));
    fc.assert(
      fc.property(
        fc.array(sample, { maxLength: 400, size: 'max' }),
        fc.array(fc.nat(800)),
        (samples, cuts) => {
          const port = started();
          const bytes = l16(samples);
          const edges = [
            0,
            ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
            bytes.length,
          ];
          const messages = edges
            .slice(1)
            .flatMap((to, n) => port.encode({ type: 'audio', payload: bytes.subarray(edges[n], to) }));
          expect(samplesOf(messages)).toEqual(samples.map((value) => (value === -1 ? 0 : value)));
        },
      ),
      { numRuns: 300, seed: 43 },
    );
  });

  test('a payload whole: the odd byte waits, and is not there any more after a clear', () => {
    const port = started();
    const first = port.encode({ type: 'audio', payload: Buffer.from([1, 0, 9]) });
    expect(samplesOf(first)).toEqual([1]);
    port.encode({ type: 'clear' });
    expect(samplesOf(port.encode({ type: 'audio', payload: Buffer.from([2, 0]) }))).toEqual([2]);
    port.encode({ type: 'audio', payload: Buffer.from([7]) });
    expect(samplesOf(port.encode({ type: 'end-of-turn' }))[0]).toBe(7);
  });

  test('no payload of ours that it could overwrite later', () => {
    const payload = l16([1, -1, 3]);
    started().encode({ type: 'audio', payload });
    expect(payload).toEqual(l16([1, -1, 3]));
  });

  test.each([8000, 16000, 24000] as const)(
    'silence at the end of a turn at %i Hz: as much as is held back',
    (rate) => {
      const port = started(rate);
      const ms = (count: number) => (count * 1000) / rate;
      const say = (lengthMs: number) =>
        port.encode({ type: 'audio', payload: Buffer.alloc((lengthMs * rate) / 500, 1) });
      const end = () => ms(samplesOf(port.encode({ type: 'end-of-turn' })).length);
      expect(end()).toBe(0);
      say(60);
      expect(end()).toBe(100);
      expect(end()).toBe(0);
      say(80);
      expect(end()).toBe(0);
      say(200);
      say(20);
      expect(end()).toBe(60);
    },
  );
});

/** A turn of so many samples, told apart from any other by its value, with a mark behind every block and at its end. */
interface Turn {
  readonly blocks: readonly number[];
  /** How many frames pass before the caller interrupts; null: the turn is played to its end. */
  readonly cutAfter: number | null;
  /** Whether the caller's interruption meets a turn that has been ended already. */
  readonly ended: boolean;
}

describe('with the media module of jambonz', () => {
  const turn: fc.Arbitrary<Turn> = fc.record({
    blocks: fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 8 }),
    cutAfter: fc.option(fc.nat(60)),
    ended: fc.boolean(),
  });

  function run(turns: readonly Turn[], rate: 8000 | 16000, callRate: number) {
    const port = started(rate);
    const jambonz = new MediaModule(callRate);
    const outcomes = new Map<string, string>();
    let told = 0;
    const give = (messages: readonly (string | Buffer)[]) => {
      for (const message of messages) jambonz.receive(message);
    };
    const tick = () => {
      jambonz.tick();
      for (; told < jambonz.reports.length; told += 1) {
        const { name, event } = jambonz.reports[told] as (typeof jambonz.reports)[number];
        const [said] = decode(port, mark(name, event));
        if (said?.type === 'mark') outcomes.set(name, said.outcome);
      }
    };
    const heardAtClear: number[] = [];
    for (const [generation, { blocks, cutAfter, ended }] of turns.entries()) {
      let sent = 0;
      for (const [n, block] of blocks.entries()) {
        give(port.encode({ type: 'audio', payload: l16(Array(block).fill(generation + 1)) }));
        sent += block;
        if (n < blocks.length - 1 || cutAfter === null || ended) {
          if (n === blocks.length - 1) give(port.encode({ type: 'end-of-turn' }));
          give(port.encode({ type: 'mark', name: `g${generation}.${sent}` }));
        }
      }
      for (let n = 0; n < (cutAfter ?? 600); n += 1) tick();
      if (cutAfter !== null) {
        give(port.encode({ type: 'clear' }));
        heardAtClear[generation] = jambonz.heard.filter((sample) => sample === generation + 1).length;
        // The caller goes on speaking.
        for (let n = 0; n < 5; n += 1) tick();
      }
    }
    return { jambonz, outcomes, heardAtClear };
  }

  test('a turn is heard to its last sample, and a cleared one not a sample further', () => {
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 6 }), (turns) => {
        const { jambonz, heardAtClear } = run(turns, 8000, 8000);
        for (const [generation, { blocks, cutAfter }] of turns.entries()) {
          const total = blocks.reduce((sum, block) => sum + block, 0);
          const heard = jambonz.heard.filter((sample) => sample === generation + 1).length;
          expect(heard).toBe(cutAfter === null ? total : heardAtClear[generation]);
        }
        expect(jambonz.heard).not.toContain(-1);
      }),
      { numRuns: 150, seed: 44 },
    );
  });

  test('a mark that comes back as played lies exactly where playing is, also after many interruptions', () => {
    fc.assert(
      fc.property(fc.array(turn, { minLength: 2, maxLength: 8 }), (turns) => {
        const { jambonz, outcomes } = run(turns, 8000, 8000);
        const before = turns.map(
          (_, generation) => jambonz.heard.filter((s) => s !== 0 && s <= generation).length,
        );
        for (const { name, event, played } of jambonz.reports) {
          const [, generation, position] = /^g(\d+)\.(\d+)$/.exec(name) ?? [];
          if (generation === undefined) {
            expect(outcomes.has(name), name).toBe(false);
            continue;
          }
          expect(outcomes.get(name)).toBe(event === 'playout' ? 'played' : 'cleared');
          if (event === 'playout')
            expect(played - (before[Number(generation)] ?? 0), name).toBe(Number(position));
        }
      }),
      { numRuns: 150, seed: 45 },
    );
  });

  test('every mark of a turn that was played comes back, after any number of interruptions', () => {
    const cut: Turn = { blocks: [1280, 640, 640, 640], cutAfter: 4, ended: false };
    const whole: Turn = { blocks: [640, 640, 100], cutAfter: null, ended: true };
    const { outcomes } = run([...Array(40).fill(cut), whole], 8000, 8000);
    expect(['g40.640', 'g40.1280', 'g40.1380'].map((name) => outcomes.get(name))).toEqual(
      Array(3).fill('played'),
    );
  });

  test('a receipt is our own affair, and counts once, however often it is reported', () => {
    const port = started();
    const say = () => port.encode({ type: 'audio', payload: Buffer.alloc(1280, 1) });
    port.encode({ type: 'mark', name: 'g1.1' });
    say();
    port.encode({ type: 'clear' });
    decode(port, mark('g1.1', 'cleared'));
    decode(port, mark('g1.1', 'cleared'));
    const [owed, receipt] = say();
    expect(samplesOf([owed as Buffer])).toEqual([-1]);
    const { name } = (JSON.parse(receipt as string) as { data: { name: string } }).data;
    expect(decode(port, mark(name, 'cleared'))).toEqual([]);
    for (let n = 0; n < 5; n += 1) expect(decode(port, mark(name, 'cleared'))).not.toEqual([]);
    // The sample that was owed, and the one of the receipt.
    expect(samplesOf(say().slice(0, 1))).toEqual([-1, -1]);
  });

  test('what is owed has a bound, whatever is reported', () => {
    const port = started();
    for (let n = 0; n < 200; n += 1) {
      for (let m = 0; m < 30; m += 1) port.encode({ type: 'mark', name: `g${n}.${m}` });
      port.encode({ type: 'audio', payload: Buffer.alloc(2) });
      port.encode({ type: 'clear' });
      for (let m = 0; m < 30; m += 1) decode(port, mark(`g${n}.${m}`, 'cleared'));
      for (let m = 0; m <= n; m += 1) decode(port, mark(`receipt.${m}`, 'cleared'));
    }
    const bytes = port.encode({ type: 'audio', payload: Buffer.alloc(2) }).map((message) => message.length);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(512);
  });

  test('a wideband call holds back less, and is served as well', () => {
    const turns: Turn[] = [
      { blocks: [1500, 700], cutAfter: 3, ended: false },
      { blocks: [100], cutAfter: null, ended: true },
    ];
    const { jambonz, outcomes } = run(turns, 16000, 16000);
    expect(jambonz.heard.filter((sample) => sample === 2)).toHaveLength(100);
    expect(outcomes.get('g1.100')).toBe('played');
  });
});
