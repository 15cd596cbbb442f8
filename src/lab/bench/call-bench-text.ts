/** The call bench's figures for people: gateway and relay side by side, with the goals. */
import type { CallBenchResult, SubjectFigures } from './call-bench.ts';

type Row = readonly [label: string, gateway: string, relay: string, goal: string];

const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
const kb = (bytes: number): string => `${(bytes / 1e3).toFixed(0)} kB`;
const left = (figures: SubjectFigures): string => {
  const kinds = Object.entries(figures.leftBehind);
  return kinds.length === 0 ? 'nothing' : kinds.map(([kind, count]) => `${count} ${kind}`).join(', ');
};

export function formatCallBench(result: CallBenchResult): string {
  const { gateway, relay } = result;
  const pair = (label: string, of: (figures: SubjectFigures) => string, goal = ''): Row => [
    label,
    of(gateway),
    of(relay),
    goal,
  ];
  const growth = ({ rssEarlyBytes, rssLateBytes }: SubjectFigures): string =>
    `${mb(rssEarlyBytes)}, ${mb(rssLateBytes)}`;
  const rows: readonly Row[] = [
    pair(
      'CPU per call-second',
      (f) => ms(f.cpuMsPerCallSecond),
      `ratio ${result.cpuRatio.toFixed(2)}, goal 1.6`,
    ),
    pair(
      'added latency up, p50 and p99',
      (f) => (f.added ? `${ms(f.added.upP50)}, ${ms(f.added.upP99)}` : '-'),
      'goal p99 10 ms',
    ),
    pair(
      'added latency down, p50 and p99',
      (f) => (f.added ? `${ms(f.added.downP50)}, ${ms(f.added.downP99)}` : '-'),
      'goal p99 10 ms',
    ),
    pair(
      'caller to model, p50 and p99',
      (f) => `${ms(f.load.upP50)}, ${ms(f.load.upP99)}`,
      'both machines’ queues included',
    ),
    pair('model to caller, p50 and p99', (f) => `${ms(f.load.downP50)}, ${ms(f.load.downP99)}`),
    pair(
      'late frames, up and down',
      (f) => `${f.load.lateUp} and ${f.load.lateDown} of ${f.load.frames}`,
      'goal: not above the relay’s',
    ),
    pair('alive per call', (f) => kb(f.livePerCallBytes), 'goal 150 kB'),
    pair('resident per call', (f) => kb(f.residentPerCallBytes)),
    pair('resident after collection, at 1/4 and 4/4', growth, 'goal: within 10 %'),
    pair('calls lost', (f) => String(f.load.closed)),
    pair('left after the last hang-up', left, 'goal: nothing'),
  ];
  const width = (column: 0 | 1 | 2): number => Math.max(...rows.map((row) => row[column].length));
  const lines = rows.map(([label, a, b, goal]) =>
    `${label.padEnd(width(0))}  ${a.padStart(width(1))}  ${b.padStart(width(2))}  ${goal}`.trimEnd(),
  );
  const pinned = result.pinned
    ? 'each side pinned to a core of its own'
    : 'not pinned: taskset or a second core is missing';
  return [
    `${result.calls} calls for ${result.seconds} s, the model speaking half of the time, TLS to the model; ${pinned}`,
    `${''.padEnd(width(0))}  ${'gateway'.padStart(width(1))}  ${'bare relay'.padStart(width(2))}`,
    ...lines,
  ].join('\n');
}
