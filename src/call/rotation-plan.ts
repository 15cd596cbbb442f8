/** When a connection is to be replaced. Gemini ends one after about ten minutes, and does not always say so before. */

export interface RotationPlan {
  /** Since the connection came up: from when on, spread over which time, and when without waiting for a quiet moment. */
  readonly earliestMs: number;
  readonly latestMs: number;
  readonly forcedMs: number;
}

/**
 * Connections were seen to end, without a word before, after 523 s and more (autonomous-os#238), with a goAway after
 * about 590 s (forum 177402).
 */
export const ROTATION_PLAN: RotationPlan = { earliestMs: 480_000, latestMs: 570_000, forcedMs: 582_000 };

/** A goAway may come with five minutes left, one second after the start: there is no hurry then. */
const WINDOW_MS = 60_000;
const SPREAD_MS = 15_000;
/** One that took the place of another and is to end soon lives as shortly as the next one will: this part of it is used. */
const SPENT = 0.4;
/** What a goAway without a time means: 50 s is what was seen most. */
const USUAL_LEFT_MS = 50_000;
/** Enough for a socket to be opened and an old one to be closed. */
const LAST_MS = 5_000;

/**
 * From when on a goAway asks for a quiet moment.
 * @param ageMs of the connection, where it has taken the place of another; null for a call's first
 */
export function rotationDueMs(
  timeLeftMs: number | null,
  {
    ageMs,
    random,
    nowMs,
  }: { readonly ageMs: number | null; readonly random: number; readonly nowMs: number },
): number {
  const leftMs = timeLeftMs ?? USUAL_LEFT_MS;
  const earliestMs = ageMs === null ? nowMs : nowMs + Math.max(0, (ageMs + leftMs) * SPENT - ageMs);
  if (leftMs <= WINDOW_MS) return earliestMs;
  return Math.max(earliestMs, nowMs + leftMs - WINDOW_MS + random * SPREAD_MS);
}

/** When to leave at the latest, quiet or not. */
export function forcedAtMs(timeLeftMs: number | null, nowMs: number): number {
  const leftMs = timeLeftMs ?? USUAL_LEFT_MS;
  return nowMs + leftMs - Math.min(LAST_MS, leftMs / 2);
}
