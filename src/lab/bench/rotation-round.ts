/** The figures of a round of the rotation bench, and which of its rules were broken. */
import type { CallVerdict, RotationKind } from './rotation-judge.ts';

export interface Spread {
  readonly count: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface RoundFigures {
  readonly setupDelayMs: number;
  readonly calls: number;
  readonly callsLost: number;
  readonly connections: number;
  /** Without a word, by Gemini's side. */
  readonly cut: number;
  readonly rotations: Readonly<Record<RotationKind, number>>;
  readonly speech: {
    readonly countedMs: number;
    readonly lostMs: number;
    /** Of utterances that were open or unanswered when their connection was lost or left in a hurry. */
    readonly doubledMs: number;
    readonly wronglyDoubledMs: number;
  };
  readonly secondGreetings: number;
  readonly bargeIns: number;
  /** Of the gap, where the old connection was left: all but waiting and set-up, as the gateway says; all but the delay set. */
  readonly own: Spread;
  readonly beyondDelay: Spread;
  /** The same where it broke: the new socket is opened only then. */
  readonly ownWhenBroken: Spread;
  readonly queuedWhenBroken: Spread;
  readonly beyondDelayWhenBroken: Spread;
  readonly turnGaps: {
    readonly afterQuiet: Spread;
    readonly afterForced: Spread;
    readonly fromCatchUp: Spread;
    readonly others: Spread;
  };
  readonly stalls: Readonly<Record<string, number>>;
  readonly gatewayLate: { readonly p99Ms: number; readonly mostMs: number };
  /** Empty: every rule held. */
  readonly broken: readonly string[];
  /** What else went wrong and was made good, a line a kind. */
  readonly troubles: readonly string[];
}

export interface RoundParts {
  readonly setupDelayMs: number;
  readonly verdicts: readonly CallVerdict[];
  /** Calls that could not be placed. */
  readonly failures: readonly string[];
  readonly connections: number;
  readonly cut: number;
  /** Of the connections, as it was asked for. */
  readonly cutShare: number;
  readonly lateP99Ms: number;
  readonly lateMostMs: number;
}

const ENDED_WELL = 'caller completed';
const MOST_LINES = 12;

export function roundOf(parts: RoundParts): RoundFigures {
  const { verdicts, failures, setupDelayMs, connections, cut, cutShare } = parts;
  const rotations = verdicts.flatMap((verdict) => verdict.rotations);
  const ofKind = (wanted: RotationKind) => rotations.filter(({ kind }) => kind === wanted);
  const broken = ofKind('broken');
  const left = rotations.filter(({ kind }) => kind !== 'broken');
  const total = (of: (verdict: CallVerdict) => number): number =>
    verdicts.reduce((sum, verdict) => sum + of(verdict), 0);
  return {
    setupDelayMs,
    calls: verdicts.length,
    callsLost: verdicts.filter(({ ended }) => ended !== ENDED_WELL).length,
    connections,
    cut,
    rotations: { quiet: ofKind('quiet').length, hurried: ofKind('hurried').length, broken: broken.length },
    speech: {
      countedMs: total(({ countedMs }) => countedMs),
      lostMs: total(({ lostMs }) => lostMs),
      doubledMs: total(({ doubledMs }) => doubledMs),
      wronglyDoubledMs: total(({ wronglyDoubledMs }) => wronglyDoubledMs),
    },
    secondGreetings: total(({ greetingsHeard }) => Math.max(0, greetingsHeard - 1)),
    bargeIns: total(({ bargeIns }) => bargeIns),
    own: spread(left.map(({ ownMs }) => ownMs)),
    beyondDelay: spread(left.map(({ beyondDelayMs }) => beyondDelayMs)),
    ownWhenBroken: spread(broken.map(({ ownMs }) => ownMs)),
    queuedWhenBroken: spread(broken.map(({ queuedMs }) => queuedMs)),
    beyondDelayWhenBroken: spread(broken.map(({ beyondDelayMs }) => beyondDelayMs)),
    turnGaps: {
      afterQuiet: spread(verdicts.flatMap(({ gapsAfterQuiet }) => gapsAfterQuiet)),
      afterForced: spread(verdicts.flatMap(({ gapsAfterForced }) => gapsAfterForced)),
      fromCatchUp: spread(verdicts.flatMap(({ gapsFromCatchUp }) => gapsFromCatchUp)),
      others: spread(verdicts.flatMap(({ otherGaps }) => otherGaps)),
    },
    stalls: counted(verdicts.flatMap(({ stalls }) => stalls)),
    gatewayLate: { p99Ms: parts.lateP99Ms, mostMs: parts.lateMostMs },
    broken: [
      ...failures,
      ...brokenRules(verdicts),
      // Likewise of what is made good after a cut.
      ...(cut === 0 && connections * cutShare >= 1 ? ['no connection was cut'] : []),
    ].slice(0, MOST_LINES),
    troubles: Object.entries(counted(verdicts.flatMap(({ troubles }) => troubles.map(kindOf))))
      .map(([what, count]) => `${count} x ${what}`)
      .slice(0, MOST_LINES),
  };
}

function brokenRules(verdicts: readonly CallVerdict[]): readonly string[] {
  const broken = verdicts.flatMap((verdict) => {
    const { name, ended, lostMs, wronglyDoubledMs, greetingsHeard, countedMs, troubles } = verdict;
    return [
      ...(ended === ENDED_WELL ? [] : [`${name}: ended "${ended}"`]),
      ...(lostMs > 0 ? [`${name}: ${lostMs} ms of speech were lost`] : []),
      ...(wronglyDoubledMs > 0 ? [`${name}: ${wronglyDoubledMs} ms of speech were heard twice`] : []),
      ...(greetingsHeard > 1 ? [`${name}: greeted ${greetingsHeard} times`] : []),
      ...(countedMs === 0 ? [`${name}: said nothing that could be looked for`] : []),
      ...troubles.filter((trouble) => trouble.startsWith('a bug')).map((bug) => `${name}: ${bug}`),
    ];
  });
  // A round in which nothing was replaced has proved nothing.
  return verdicts.some(({ rotations }) => rotations.length > 0) ? broken : [...broken, 'no rotation at all'];
}

/** Without what tells one of a kind from another. */
const kindOf = (trouble: string): string => trouble.replace(/\d{3,}/g, '…').slice(0, 140);

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number | null => sorted[Math.ceil(sorted.length * share) - 1] ?? null;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function counted(all: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const each of all) counts[each] = (counts[each] ?? 0) + 1;
  return counts;
}
