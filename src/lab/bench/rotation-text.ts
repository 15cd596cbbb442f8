/** The rotation bench's figures for people: a column a round, with the rules and the goals. */
import type { RotationBenchResult } from './rotation-bench.ts';
import type { RoundFigures, Spread } from './rotation-round.ts';

const ms = (value: number | null): string => (value === null ? '-' : `${value.toFixed(0)} ms`);
const both = ({ p50Ms, p99Ms }: Spread): string => `${ms(p50Ms)}, ${ms(p99Ms)}`;
const percent = (part: number, of: number): string => (of === 0 ? '-' : `${Math.round((part / of) * 100)} %`);

const ROWS: readonly (readonly [label: string, of: (round: RoundFigures) => string, goal: string])[] = [
  ['calls lost', (round) => `${round.callsLost} of ${round.calls}`, 'must be 0'],
  [
    'speech lost',
    ({ speech }) => `${ms(speech.lostMs)} of ${Math.round(speech.countedMs / 1_000)} s`,
    'must be 0',
  ],
  ['speech heard twice, wrongly', ({ speech }) => ms(speech.wronglyDoubledMs), 'must be 0'],
  ['speech heard twice, open when it broke', ({ speech }) => ms(speech.doubledMs), ''],
  ['second greetings', (round) => String(round.secondGreetings), 'must be 0'],
  ['connections, cut without a word', (round) => `${round.connections}, ${round.cut}`, ''],
  [
    'connections left, broken',
    ({ rotations }) => `${rotations.quiet + rotations.hurried}, ${rotations.broken}`,
    '',
  ],
  [
    'left at a quiet moment',
    ({ rotations }) => percent(rotations.quiet, rotations.quiet + rotations.hurried),
    '',
  ],
  ['own share of the gap, p50 and p99', ({ own }) => both(own), 'goal p99 30 ms'],
  ['gap beyond the delay set, p50 and p99', ({ beyondDelay }) => both(beyondDelay), ''],
  ['waited for its turn after a break, p50 and p99', ({ queuedWhenBroken }) => both(queuedWhenBroken), ''],
  ['own share after a break, p50 and p99', ({ ownWhenBroken }) => both(ownWhenBroken), ''],
  [
    'gap beyond it after a break, p50 and p99',
    ({ beyondDelayWhenBroken }) => both(beyondDelayWhenBroken),
    '',
  ],
  ['turn gap after a quiet one', ({ turnGaps }) => both(turnGaps.afterQuiet), ''],
  ['turn gap after any other', ({ turnGaps }) => both(turnGaps.afterForced), ''],
  [
    'of both, from the end of the catch-up',
    ({ turnGaps }) => both(turnGaps.fromCatchUp),
    'goal: as all other turns',
  ],
  ['turn gap of all other turns', ({ turnGaps }) => both(turnGaps.others), ''],
  ['barge-ins', ({ bargeIns }) => String(bargeIns), ''],
  [
    'gateway’s timers late, p99 and most',
    (round) => `${ms(round.gatewayLate.p99Ms)}, ${ms(round.gatewayLate.mostMs)}`,
    'what no gateway can make good',
  ],
];

export function formatRotationBench(result: RotationBenchResult): string {
  const { calls, seconds, connectionMs, cutShare, rounds } = result;
  const cuts = cutShare > 0 ? `one in ${Math.round(1 / cutShare)} is cut` : 'none is cut';
  const head = `${calls} calls for ${seconds} s a round; a connection lives ${connectionMs / 1_000} s, ${cuts}`;
  const cells = ROWS.map(([label, of, goal]) => [label, ...rounds.map(of), goal]);
  const columns = ['set-up delay', ...rounds.map(({ setupDelayMs }) => ms(setupDelayMs)), ''];
  const all = [columns, ...cells];
  const widths = columns.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) =>
    row
      .map((cell, column) =>
        column === 0 || column === row.length - 1
          ? cell.padEnd(widths[column]!)
          : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
  const notes = rounds.flatMap(({ setupDelayMs, broken, troubles, stalls }) => [
    ...broken.map((what) => `BROKEN at ${setupDelayMs} ms: ${what}`),
    ...troubles.map((what) => `made good at ${setupDelayMs} ms: ${what}`),
    ...Object.entries(stalls).map(([what, count]) => `doctor at ${setupDelayMs} ms: ${count} x ${what}`),
  ]);
  return [head, ...lines, ...notes].join('\n');
}
