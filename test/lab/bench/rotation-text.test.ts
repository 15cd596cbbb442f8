import { expect, test } from 'vitest';
import type { CallVerdict } from '../../../src/lab/bench/rotation-judge.ts';
import { roundOf } from '../../../src/lab/bench/rotation-round.ts';
import { formatRotationBench } from '../../../src/lab/bench/rotation-text.ts';

const ROTATION = { kind: 'broken', gapMs: 900, queuedMs: 500, ownMs: 150, beyondDelayMs: 650 } as const;
const VERDICT: CallVerdict = {
  name: 'caller-0',
  ended: 'caller completed',
  rotations: [{ ...ROTATION, fromEpochMs: 0 }],
  lostMs: 0,
  doubledMs: 0,
  wronglyDoubledMs: 0,
  countedMs: 10_000,
  greetingsHeard: 1,
  gapsAfterQuiet: [],
  gapsAfterForced: [],
  gapsFromCatchUp: [],
  otherGaps: [],
  bargeIns: 0,
  stalls: [],
  troubles: [],
};
const round = (parts: Partial<Parameters<typeof roundOf>[0]>) =>
  roundOf({
    setupDelayMs: 250,
    verdicts: [VERDICT],
    failures: [],
    connections: 40,
    cut: 3,
    cutShare: 0.1,
    lateP99Ms: 1,
    lateMostMs: 2,
    ...parts,
  });

test('the headline says what was run, and the table what was cut and what waited', () => {
  const run = { calls: 7, seconds: 33, connectionMs: 12_500, cutShare: 0.1, rounds: [round({})] };
  const [head, ...rows] = formatRotationBench(run).split('\n');
  expect(head).toBe('7 calls for 33 s a round; a connection lives 12.5 s, one in 10 is cut');
  const row = (label: string): string | undefined => rows.find((each) => each.startsWith(label));
  expect(row('connections, cut without a word')).toMatch(/ 40, 3$/);
  expect(row('waited for its turn after a break')).toMatch(/ 500 ms, 500 ms$/);
  expect(formatRotationBench({ ...run, cutShare: 0 })).toContain('none is cut');
});

test('a round in which nothing was cut although something should have been has proved nothing of it', () => {
  expect(round({ cut: 0 }).broken).toEqual(['no connection was cut']);
  expect(round({ cut: 1 }).broken).toEqual([]);
  // Too few connections for one of them, or none asked for.
  expect(round({ cut: 0, connections: 9 }).broken).toEqual([]);
  expect(round({ cut: 0, cutShare: 0 }).broken).toEqual([]);
});
