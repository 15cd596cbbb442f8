/** The laboratory's findings for people. */
import type { BrokenInvariant, LabReport } from './run-lab.ts';

const MOST_OF_A_KIND = 5;

/** @param replay the options that make the same calls again, but for the seed; empty: the defaults */
export function labReportText(report: LabReport, replay = ''): string {
  const { totals, broken, callMs, wallMs, seed } = report;
  const rows: [string, string][] = [
    [
      'calls',
      `${totals.calls}, ${(callMs / 3_600_000).toFixed(2)} call-hours in ${(wallMs / 1000).toFixed(1)} s (${Math.round(callMs / wallMs)} times real time)`,
    ],
    [
      'connections',
      `${totals.connections}; rotations planned ${totals.rotationsPlanned}, forced ${totals.rotationsForced}; attempts beyond the first ${totals.reconnects}`,
    ],
    [
      'conversation',
      `${totals.utterances} utterances, ${totals.turns} turns, ${totals.bargeIns} barge-ins, ${(totals.heardMs / 3_600_000).toFixed(2)} h heard`,
    ],
    ['greetings, fillers', `${totals.greetings}, ${totals.fillers}`],
    ['tools', String(totals.tools)],
    ['streams', String(totals.streams)],
    ['longest dead air', `${(totals.longestDeadAirMs / 1000).toFixed(1)} s`],
    ['faults', listed(totals.faults)],
    ['ended by', listed(totals.endings)],
    [
      'heap',
      report.heapMb.length === 0
        ? '-'
        : `${report.heapMb.at(0)} MB after the first group, ${report.heapMb.at(-1)} after the last`,
    ],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(20)}${value}`);
  if (report.cutShort) lines.push('  The time was up: the calls of the last group were cut short.');
  return [`Laboratory, seed ${seed}`, ...lines, '', ...brokenText(broken, replay)].join('\n');
}

function brokenText(broken: readonly BrokenInvariant[], replay: string): string[] {
  if (broken.length === 0) return ['Nothing was broken.'];
  const kinds = Map.groupBy(broken, ({ invariant }) => invariant);
  const lines: string[] = [];
  for (const [invariant, cases] of kinds) {
    lines.push(`${invariant}: broken ${cases.length} times. ${cases[0]!.sentence}`);
    for (const each of cases.slice(0, MOST_OF_A_KIND)) lines.push(`  ${caseText(each, replay)}`);
    if (cases.length > MOST_OF_A_KIND) lines.push(`  and ${cases.length - MOST_OF_A_KIND} more`);
  }
  return lines;
}

function caseText({ seed, call, atMs, detail }: BrokenInvariant, replay: string): string {
  if (call === null) return detail;
  const at = atMs === null ? '' : ` at ${(atMs / 1000).toFixed(1)} s`;
  return `call ${call}${at}: ${detail}  (--seed ${seed}${replay} --only ${call})`;
}

const listed = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, times]) => `${name} ${times}`)
    .join(', ') || 'none';
