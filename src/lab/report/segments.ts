/** Where somebody speaks in a recording: by level against the recording's own noise, for measuring afterwards. */
import { levelDbov } from '../../audio/level.ts';

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

const FRAME_MS = 20;
/** Quieter than this nobody would call it speech, however silent the line is. */
const LEAST_DBOV = -48;
const ABOVE_NOISE_DB = 8;
/** Shorter pauses are part of one utterance, shorter bursts are clicks. */
const PAUSE_MS = 400;
const SHORTEST_MS = 120;

/** Utterances of a recording, to the 20 ms frame. @param sampleRate hertz */
export function findSpeech(samples: Int16Array, sampleRate = 8_000): readonly Span[] {
  const frameSamples = (sampleRate * FRAME_MS) / 1_000;
  const levels: number[] = [];
  for (let at = 0; at < samples.length; at += frameSamples) {
    levels.push(levelDbov(samples.subarray(at, at + frameSamples)));
  }
  const sorted = [...levels].sort((a, b) => a - b);
  const noise = sorted[Math.floor(sorted.length * 0.2)] ?? LEAST_DBOV;
  const threshold = Math.max(LEAST_DBOV, noise + ABOVE_NOISE_DB);
  const loud = levels.flatMap((level, frame) =>
    level > threshold ? [{ fromMs: frame * FRAME_MS, toMs: (frame + 1) * FRAME_MS }] : [],
  );
  return mergeSpans(loud, PAUSE_MS).filter((span) => span.toMs - span.fromMs >= SHORTEST_MS);
}

/** Joins spans, in order of time, whose gap is not longer than `gapMs`. */
export function mergeSpans(spans: readonly Span[], gapMs: number): readonly Span[] {
  const merged: Span[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last !== undefined && span.fromMs - last.toMs <= gapMs) {
      merged[merged.length - 1] = { fromMs: last.fromMs, toMs: Math.max(last.toMs, span.toMs) };
    } else merged.push(span);
  }
  return merged;
}
