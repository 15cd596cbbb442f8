/** The bot's turns as the caller heard them: grouped from what was really played. */
import type { CallRun } from '../caller/call-run.ts';
import type { PlayedRun } from '../caller/playout-buffer.ts';
import type { ClipRecognizer, HeardClip } from './clips.ts';

/** Audio that pauses for less than this and is not cleared belongs to one turn. */
const TURN_PAUSE_MS = 1_000;
/** A clip counts as heard out when less than this is missing: it ends in near silence, and frames are whole. */
const WHOLE_WITHIN_MS = 80;
/** Mu-law's smallest step is 8: louder than that is audible. */
const AUDIBLE = 8;

export interface HeardTurn {
  readonly generation: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Of it, really played. */
  readonly heardMs: number;
  /** The first sample above silence. */
  readonly audibleFromMs: number;
  /** True when a clear ended it before all that had arrived was played. */
  readonly cut: boolean;
  readonly clips: readonly HeardClip[];
}

export interface Underrun {
  readonly atMs: number;
  readonly gapMs: number;
}

export function findTurns(run: CallRun, recognizer: ClipRecognizer | null): readonly HeardTurn[] {
  const groups: PlayedRun[][] = [];
  for (const played of run.runs) {
    const last = groups.at(-1)?.at(-1);
    const joins =
      last !== undefined &&
      last.generation === played.generation &&
      played.fromMs - last.toMs < TURN_PAUSE_MS;
    if (joins) groups.at(-1)!.push(played);
    else groups.push([played]);
  }
  return groups.flatMap((group, index) => {
    const first = group[0]!;
    const last = group.at(-1)!;
    const audibleFromMs = firstAudible(run, first.fromMs, last.toMs);
    if (audibleFromMs === null) return [];
    // Of a generation with several turns, the clear cut the last one.
    const endsGeneration = groups[index + 1]?.[0]?.generation !== last.generation;
    const dropped = run.generations[last.generation]?.droppedMs ?? 0;
    return [
      {
        generation: first.generation,
        fromMs: first.fromMs,
        toMs: last.toMs,
        heardMs: group.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0),
        audibleFromMs,
        cut: endsGeneration && dropped > 0,
        clips: recognizer === null ? [] : group.flatMap((played) => recognizePlayed(run, played, recognizer)),
      },
    ];
  });
}

function recognizePlayed(run: CallRun, played: PlayedRun, recognizer: ClipRecognizer): readonly HeardClip[] {
  const samples = run.heard.subarray(sampleAt(run, played.fromMs), sampleAt(run, played.toMs));
  return recognizer.recognize(samples, played.fromMs, run.sampleRate);
}

/** Breaks within a turn: audio came on within a second of the queue running dry, and the break was not the bot's own. */
export function findUnderruns(run: CallRun, turns: readonly HeardTurn[]): readonly Underrun[] {
  const ends = turns.flatMap((turn) =>
    turn.clips.flatMap((clip) => (clip.clipMs - clip.clipToMs < WHOLE_WITHIN_MS ? [clip.toMs] : [])),
  );
  return run.runs.flatMap((played, index) => {
    const before = run.runs[index - 1];
    if (before === undefined || before.generation !== played.generation) return [];
    const gapMs = played.fromMs - before.toMs;
    const betweenClips = ends.some((endMs) => Math.abs(endMs - before.toMs) < WHOLE_WITHIN_MS);
    return gapMs >= TURN_PAUSE_MS || betweenClips ? [] : [{ atMs: before.toMs, gapMs }];
  });
}

function firstAudible(run: CallRun, fromMs: number, toMs: number): number | null {
  const end = Math.min(run.heard.length, sampleAt(run, toMs));
  for (let i = sampleAt(run, fromMs); i < end; i += 1) {
    if (Math.abs(run.heard[i]!) > AUDIBLE) return (i * 1_000) / run.sampleRate;
  }
  return null;
}

const sampleAt = (run: CallRun, atMs: number): number => Math.round((atMs * run.sampleRate) / 1_000);
