import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { OffhookError } from '../../../../src/errors.ts';
import {
  FAULT_NAMES,
  type FaultFile,
  type FaultName,
  makeFaults,
} from '../../../../src/lab/emulator/faults/catalogue.ts';
import { CLOSE_NAMES } from '../../../../src/lab/emulator/faults/close-rows.ts';
import { FaultRun } from '../../../../src/lab/emulator/faults/fault-run.ts';
import { HAPPENINGS } from '../../../../src/lab/emulator/faults/moment.ts';
import { randomFaults } from '../../../../src/lab/emulator/faults/random-faults.ts';
import { seededRandom } from '../../../../src/lab/emulator/random.ts';
import { makeScenario, parseScenario } from '../../../../src/lab/scenario.ts';
import { type Json, Line } from '../line.ts';

const read = (yaml: string) =>
  parseScenario(parse(yaml), { name: 'faulty', directory: import.meta.dirname }).faults;
const problemsOf = (act: () => unknown): string[] => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(OffhookError);
    expect((error as OffhookError).code).toBe('ERR_SCENARIO');
    return (error as Error).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
};

/** The least entry of each fault. */
const least = (fault: FaultName, at: string): FaultFile =>
  (fault === 'close' ? { at, fault, close: 'internal' } : { at, fault }) as FaultFile;

describe('faults in a scenario file', () => {
  it('are read as they are written', () => {
    const faults = read(`
faults:
  - { at: connect, fault: refuse, status: 429, share: 0.5, times: always }
  - { at: second:12.5, fault: close, close: quota }
  - at: turn:3
    fault: stall
    forMs: 20000
  - { at: utterance:2, fault: swallow, shorterThanMs: 600 }
  - { at: resume:1, fault: close, close: { code: 1013, reason: later }, afterMs: 250 }
`);
    expect(faults).toMatchObject([
      { at: { kind: 'connect', n: 1 }, fault: 'refuse', status: 429, share: 0.5, times: 'always' },
      { at: { kind: 'second', offsetMs: 12_500 }, fault: 'close', close: 'quota', times: 1, share: 1 },
      { at: { kind: 'turn', n: 3 }, fault: 'stall', forMs: 20_000 },
      { at: { kind: 'utterance', n: 2 }, fault: 'swallow', shorterThanMs: 600 },
      { at: { kind: 'resume', n: 1 }, close: { code: 1013, reason: 'later' }, afterMs: 250 },
    ]);
  });

  it('that are wrong are all listed, each with its key, what was found and what was wanted', () => {
    const problems = problemsOf(() =>
      read(`
faults:
  - { at: turn, fault: explode }
  - { at: someday, fault: cut }
  - { at: turn:0, fault: cut }
  - { at: connect, fault: stall }
  - { at: turn:1, fault: stall, forMs: -1 }
  - { at: turn:1, fault: stall, forms: 9 }
  - { at: turn:1, fault: close, close: whatever }
  - { at: turn:1, fault: close, close: { code: 1006, reason: '' } }
  - { at: connect, fault: refuse, status: 200, share: 2 }
  - { fault: cut }
`),
    );
    const keys = problems.map((problem) => problem.split(': ')[0]);
    expect(keys.sort()).toEqual([
      'faults.0.fault',
      'faults.1.at',
      'faults.2.at',
      'faults.3.at',
      'faults.4.forMs',
      'faults.5',
      'faults.6.close',
      'faults.7.close.code',
      'faults.8.share',
      'faults.8.status',
      'faults.9.at',
    ]);
    const about = (key: string) => problems.find((problem) => problem.startsWith(`${key}: `));
    expect(about('faults.0.fault')).toMatch(/found "explode", wanted one of refuse, close/);
    expect(about('faults.1.at')).toMatch(/found "someday", wanted connect, .*second:12\.5/);
    expect(about('faults.3.at')).toMatch(
      /found "connect", wanted for "stall" one of turn, utterance, second/,
    );
    expect(about('faults.5')).toContain('"forms"');
    expect(about('faults.6.close')).toMatch(/found "whatever", wanted .*deadline/);
  });

  it('that are wrong in code are told the same way', () => {
    const problems = problemsOf(() => makeFaults([{ at: 'never', fault: 'cut' }]));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^faults\.0\.at: found "never"/);
  });

  it.each(FAULT_NAMES)('%s can be put at some moments, and at every second', (fault) => {
    const accepted = [...HAPPENINGS, 'second:1'].filter(
      (at) => problemsOf(() => makeFaults([least(fault, at)])).length === 0,
    );
    expect(accepted).toContain('second:1');
    expect(accepted.length).toBeGreaterThan(1);
  });
});

describe('the explanation for people', () => {
  const readme = readFileSync(new URL('../../../../fixtures/README.md', import.meta.url), 'utf8');
  const faults = readme.slice(readme.indexOf('### Faults'), readme.indexOf('## Golden'));

  it('has a row for every fault, a name for every close, and every moment', () => {
    const rows = [...faults.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]);
    expect(rows.filter((row) => FAULT_NAMES.some((name) => name === row)).sort()).toEqual(
      [...FAULT_NAMES].sort(),
    );
    for (const name of CLOSE_NAMES) expect(faults).toContain(`\`${name}\``);
    for (const kind of HAPPENINGS) expect(faults).toMatch(new RegExp(`^\\| \`${kind}[:\`]`, 'm'));
  });

  it('has an example that can be played', () => {
    const example = /```yaml\n(faults:[\s\S]*?)```/.exec(faults)![1]!;
    expect(read(example)).toHaveLength(6);
  });
});

describe('a run of faults', () => {
  const count = (run: FaultRun, happening: (typeof HAPPENINGS)[number], times: number) =>
    Array.from({ length: times }, () => run.happens(happening, 0).length);

  it('strikes from the n-th on, so many in a row', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }), (n, times) => {
        const run = new FaultRun(makeFaults([{ at: `turn:${n}`, fault: 'stall', times }]), 1, 0);
        const found = count(run, 'turn', 30);
        const expected = Array.from({ length: 30 }, (_, index) =>
          index + 1 >= n && index + 1 < n + times ? 1 : 0,
        );
        expect(found).toEqual(expected);
      }),
    );
  });

  it('counts every kind of thing by itself', () => {
    const run = new FaultRun(makeFaults(HAPPENINGS.map((kind) => ({ at: `${kind}:2`, fault: 'cut' }))), 1, 0);
    for (const kind of HAPPENINGS) expect(count(run, kind, 3)).toEqual([0, 1, 0]);
  });

  it('is the same for the same seed, and spares its share', () => {
    const faults = makeFaults([{ at: 'turn', fault: 'near-silent', times: 'always', share: 0.25 }]);
    const struck = (seed: number) => count(new FaultRun(faults, seed, 0), 'turn', 2000);
    expect(struck(5)).toEqual(struck(5));
    expect(struck(5)).not.toEqual(struck(6));
    const share = struck(5).reduce((sum, hit) => sum + hit, 0) / 2000;
    // Four standard deviations of a binomial with p = 0.25.
    expect(Math.abs(share - 0.25)).toBeLessThan(4 * Math.sqrt((0.25 * 0.75) / 2000));
  });
});

describe('faults by chance', () => {
  const draw = (seed: number, options: Parameters<typeof randomFaults>[1]) =>
    randomFaults(seededRandom(seed), options);

  it('are the same for the same seed, can be played, and can be written down and read again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 1, max: 120 }), (seed, minutes) => {
        const faults = draw(seed, { minutes });
        expect(draw(seed, { minutes })).toEqual(faults);
        expect(makeFaults(parse(stringify(faults)))).toEqual(makeFaults(faults));
      }),
      { numRuns: 60 },
    );
  });

  it('come in order, within the call, as many a minute as were asked for', () => {
    const faults = makeFaults(draw(3, { minutes: 500, perMinute: 2 }));
    const times = faults.map(({ at }) => (at.kind === 'second' ? at.offsetMs : Number.NaN));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.at(-1)).toBeLessThan(500 * 60_000);
    // 1,000 expected, of a Poisson process: four standard deviations.
    expect(Math.abs(faults.length - 1000)).toBeLessThan(4 * Math.sqrt(1000));
  });

  it('let a call begin in peace', () => {
    for (let seed = 0; seed < 50; seed++) {
      const [first] = makeFaults(draw(seed, { minutes: 5, perMinute: 30 }));
      expect(first!.at).toMatchObject({ kind: 'second' });
      expect(first!.at.kind === 'second' ? first!.at.offsetMs : 0).toBeGreaterThanOrEqual(4000);
    }
  });

  it('are of all kinds, or of those that were asked for', () => {
    const all = draw(4, { minutes: 400, perMinute: 2 });
    expect(new Set(all.map((fault) => fault.fault))).toEqual(new Set(FAULT_NAMES));
    const some = draw(4, { minutes: 60, kinds: ['close', 'stall'], closes: ['quota'] });
    expect(new Set(some.map((fault) => fault.fault))).toEqual(new Set(['close', 'stall']));
    expect(some.every((fault) => fault.fault !== 'close' || fault.close === 'quota')).toBe(true);
    expect(draw(4, { minutes: 60, kinds: [] })).toEqual([]);
    expect(draw(4, { minutes: 60, perMinute: 0 })).toEqual([]);
  });
});

describe('whole calls under faults by chance', () => {
  /** What goes on the wire must be JSON, whatever a fault has made of it. */
  const wellFormed = (message: Json) => JSON.parse(JSON.stringify(message)) !== null;

  it('never throw, and nothing follows the end of a connection', () => {
    const calls = makeScenario({
      otherwise: [{ hears: 'hm', text: 'yes it is', clip: null, delayMs: null, calls: [] }],
    });
    const struck = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const faults = makeFaults(randomFaults(seededRandom(seed), { minutes: 1, perMinute: 8 }));
      const scenario = { ...calls, faults };
      let line = new Line(scenario);
      let handle: string | undefined;
      while (line.nowMs < 60_000) {
        line.open('2.5', { sessionResumption: handle === undefined ? {} : { handle } });
        while (line.closed === null && !line.session.closed && line.nowMs < 60_000)
          line.speak(600).silence(2400);
        expect(line.received.every((entry) => wellFormed(entry.message))).toBe(true);
        expect(line.afterTheEnd).toEqual([]);
        for (const fault of line.record.faults) struck.add(fault.fault);
        handle = line
          .of('sessionResumptionUpdate')
          .findLast((entry) => entry.message.sessionResumptionUpdate.newHandle)?.message
          .sessionResumptionUpdate.newHandle;
        if (line.nowMs >= 60_000) break;
        line.session.disconnected(line.closed !== null, 1006, line.nowMs);
        line = new Line(scenario, { after: line.wait(1000) });
      }
      line.session.disconnected(true, 1000, line.nowMs);
      expect(line.session.nextDueMs).toBeNull();
    }
    expect(struck.size).toBeGreaterThan(15);
  });
});
