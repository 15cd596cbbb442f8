/** What one call of the rotation bench proves: from the gateway's journal, what the model heard and what the caller did. */
import type { GatewayEntry, HeardOfCaller, HeardState } from './rotation-protocol.ts';
import { type Arrived, SpokenFrames, type Stretch } from './rotation-speech.ts';

export interface JudgedCall {
  readonly name: string;
  /** Null: it could not even be placed. */
  readonly line: {
    /** 8 kHz, decoded. */
    readonly sent: Int16Array;
    readonly heard: Int16Array;
    /** Of the stream's start. */
    readonly epochMs: number;
  } | null;
  readonly utterances: readonly Stretch[];
  readonly journal: readonly { readonly entry: GatewayEntry; readonly epochMs: number }[];
  readonly heard: HeardOfCaller;
}

/** `quiet`: at a moment that nobody noticed. `hurried`: there was no time to wait for one. `broken`: nobody was asked. */
export type RotationKind = 'quiet' | 'hurried' | 'broken';

export interface Rotation {
  readonly kind: RotationKind;
  readonly gapMs: number;
  /** Of the gap, what the gateway let go by before the attempt's turn among those of all calls. */
  readonly queuedMs: number;
  /** All but that and what the gateway says that the set-up took; and all but what Gemini's side was told to take. */
  readonly ownMs: number;
  readonly beyondDelayMs: number;
  /** When the old connection took its last audio. */
  readonly fromEpochMs: number;
}

export interface CallVerdict {
  readonly name: string;
  readonly ended: string;
  readonly rotations: readonly Rotation[];
  readonly lostMs: number;
  /** Allowed: of an utterance that was open or unanswered when the old connection was left in a hurry, or broke. */
  readonly doubledMs: number;
  readonly wronglyDoubledMs: number;
  readonly countedMs: number;
  readonly greetingsHeard: number;
  /** Turn gaps: of the first turn after a quiet rotation, after any other one, and of all the rest. */
  readonly gapsAfterQuiet: readonly number[];
  readonly gapsAfterForced: readonly number[];
  /** Of both, but counted from when the new connection had heard all of the caller, where that was later. */
  readonly gapsFromCatchUp: readonly number[];
  readonly otherGaps: readonly number[];
  readonly bargeIns: number;
  readonly stalls: readonly string[];
  readonly troubles: readonly string[];
}

/** The break was on its way when the answer began. */
const SLACK_MS = 1_000;
/** From an answer's beginning at Gemini's side to its being on the line. */
const AUDIBLE_WITHIN_MS = 1_500;
/** Of the greeting's first second: with less that can be told apart nothing is said of greetings. */
const HEARD_MS = 400;
const SAMPLES_A_SECOND = 8_000;

/** @param greeting 8 kHz, as it comes out of the line; @param setupDelayMs what Gemini's side was told to take */
export function judge(call: JudgedCall, greeting: Int16Array, setupDelayMs: number): CallVerdict {
  const { name, line, journal, heard } = call;
  const rotations = rotationsOf(journal, setupDelayMs);
  const arrived = arrivedOf(call);
  const wrong = arrived.filter(
    ({ doubledMs }, index) => doubledMs > 0 && !mayBeDoubled(call, rotations, call.utterances[index]!),
  );
  const sum = (all: readonly Arrived[], of: (one: Arrived) => number): number =>
    all.reduce((total, one) => total + of(one), 0);
  return {
    name,
    ended: journal.map(({ entry }) => endOf(entry)).find((end) => end !== null) ?? 'not at all',
    rotations,
    lostMs: sum(arrived, ({ lostMs }) => lostMs),
    doubledMs: sum(arrived, ({ doubledMs }) => doubledMs),
    wronglyDoubledMs: sum(wrong, ({ doubledMs }) => doubledMs),
    countedMs: sum(arrived, ({ countedMs }) => countedMs),
    greetingsHeard: line === null ? 0 : greetingsIn(line.heard, greeting),
    ...gapsOf(journal),
    bargeIns: journal.filter(({ entry }) => entry.type === 'barge-in').length,
    stalls: journal.flatMap(({ entry }) => (entry.type === 'stall' ? [`${entry.sign} ${entry.step}`] : [])),
    troubles: [
      ...journal.flatMap(({ entry }) => troubleOf(entry)),
      ...heard.refusals.map((refusal) => `Gemini's side refused: ${refusal}`),
    ],
  };
}

/**
 * A frame has arrived when a session held it that answered, so that the answer was heard, or that holds it at last; it
 * is doubled when such a session held it twice.
 */
function arrivedOf({ line, utterances, heard, journal }: JudgedCall): readonly Arrived[] {
  if (line === null) return [];
  const frames = new SpokenFrames(line.sent, utterances);
  let counts: Uint16Array | null = null;
  for (const { answersAtEpochMs, spans } of heard.states) {
    const found = frames.inUplink(joined(heard.audio, spans));
    if (answersAtEpochMs !== null && !wasAnswerHeard(journal, answersAtEpochMs)) continue;
    counts ??= new Uint16Array(found.length);
    for (const [index, count] of found.entries()) counts[index] = Math.max(counts[index]!, count);
  }
  return frames.account(counts ?? frames.inUplink(new Int16Array(0)));
}

/** The model's turns as they came on the line: what the gateway played of its own is no answer. */
function audibleTurns(journal: JudgedCall['journal']) {
  const clips = new Set(journal.map(({ entry }) => (entry.type === 'clip-played' ? entry.turn : null)));
  return journal.flatMap(({ entry, epochMs }) =>
    entry.type === 'turn-audible' && !clips.has(entry.turn) ? [{ entry, epochMs }] : [],
  );
}

const wasAnswerHeard = (journal: JudgedCall['journal'], atEpochMs: number): boolean =>
  audibleTurns(journal).some(
    ({ epochMs }) => epochMs >= atEpochMs && epochMs < atEpochMs + AUDIBLE_WITHIN_MS,
  );

function joined(audio: HeardOfCaller['audio'], spans: HeardState['spans']): Int16Array {
  const pieces = spans.flatMap(({ connection, from, to }) => audio.get(connection)?.subarray(from, to) ?? []);
  const all = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const endOf = (entry: GatewayEntry): string | null =>
  entry.type === 'call-ended' ? `${entry.reason.who} ${entry.reason.how}` : null;

function troubleOf(entry: GatewayEntry): readonly string[] {
  if (entry.type === 'bug') return [`a bug in ${entry.where}: ${entry.detail}`];
  if (entry.type === 'session-failed') return [`no connection: ${entry.class}, ${entry.detail}`];
  return [];
}

function rotationsOf(journal: JudgedCall['journal'], setupDelayMs: number): readonly Rotation[] {
  let broke = false;
  return journal.flatMap(({ entry, epochMs }) => {
    if (entry.type === 'session-lost') broke = true;
    if (entry.type !== 'rotated') return [];
    const { gapMs, planned, queuedMs, setupMs } = entry;
    const kind = broke ? 'broken' : planned ? 'quiet' : 'hurried';
    broke = false;
    return [
      {
        kind,
        gapMs,
        queuedMs,
        ownMs: gapMs - queuedMs - setupMs,
        beyondDelayMs: gapMs - setupDelayMs,
        fromEpochMs: epochMs - gapMs,
      } as const,
    ];
  });
}

/** It was open, or waited for its answer, when its connection broke or could not be kept any longer. */
function mayBeDoubled(
  { journal, line }: JudgedCall,
  rotations: readonly Rotation[],
  { from, to }: Stretch,
): boolean {
  if (line === null) return false;
  const [startMs, endMs] = [from, to].map((sample) => line.epochMs + sample / 8) as [number, number];
  const answer = audibleTurns(journal).find(({ epochMs }) => epochMs > endMs);
  const untilMs = (answer?.epochMs ?? Number.POSITIVE_INFINITY) + SLACK_MS;
  return rotations.some(
    ({ kind, fromEpochMs }) => kind !== 'quiet' && fromEpochMs >= startMs && fromEpochMs <= untilMs,
  );
}

function gapsOf(
  journal: JudgedCall['journal'],
): Pick<CallVerdict, 'gapsAfterQuiet' | 'gapsAfterForced' | 'gapsFromCatchUp' | 'otherGaps'> {
  const gapsAfterQuiet: number[] = [];
  const gapsAfterForced: number[] = [];
  const gapsFromCatchUp: number[] = [];
  const otherGaps: number[] = [];
  let caughtUpAtMs = Number.NEGATIVE_INFINITY;
  const rotations = rotationsOf(journal, 0)[Symbol.iterator]();
  const turns = new Set<GatewayEntry>(audibleTurns(journal).map(({ entry }) => entry));
  /** The worst that happened since the turn before. */
  let since: RotationKind | null = null;
  for (const { entry } of journal) {
    if (entry.type === 'caught-up') caughtUpAtMs = entry.atMs;
    if (entry.type === 'rotated') {
      const { kind } = rotations.next().value!;
      if (since === null || since === 'quiet') since = kind;
    }
    if (entry.type !== 'turn-audible' || entry.turnGapMs === null || !turns.has(entry)) continue;
    const gaps = since === null ? otherGaps : since === 'quiet' ? gapsAfterQuiet : gapsAfterForced;
    gaps.push(entry.turnGapMs);
    if (since !== null) gapsFromCatchUp.push(Math.min(entry.turnGapMs, entry.atMs - caughtUpAtMs));
    since = null;
  }
  return { gapsAfterQuiet, gapsAfterForced, gapsFromCatchUp, otherGaps };
}

/** How often its first second was heard, nearly whole. */
function greetingsIn(heard: Int16Array, greeting: Int16Array): number {
  const opening: Stretch = { from: 0, to: Math.min(greeting.length, SAMPLES_A_SECOND) };
  const frames = new SpokenFrames(greeting, [opening]);
  const { countedMs, doubledMs, lostMs } = frames.account(frames.onLine(heard))[0]!;
  return Math.round((countedMs - lostMs + doubledMs) / Math.max(HEARD_MS, countedMs));
}
