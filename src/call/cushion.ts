/** How much silence goes before a turn, so that an uneven line does not break its first words. */

/** The cushion follows the line's jitter up to here; the lead itself is hardly longer. */
const MAX_MS = 360;
/** A line this even needs no cushion. */
const EVEN_MS = 15;
/** Beyond the worst that was seen: a frame of the carrier's, and as much for what was not seen. */
const MARGIN_MS = 40;
/** An uneven line that has been watched for less than this may be worse than it looks. */
const KNOWN_AFTER_MS = 8_000;
const UNKNOWN_MS = 340;

/** @param worstMs the worst lateness seen; `watchedMs`: for how long the line has been watched */
export function cushionMs(worstMs: number, watchedMs: number): number {
  if (worstMs <= EVEN_MS) return 0;
  const wantedMs = worstMs + MARGIN_MS;
  return Math.min(MAX_MS, watchedMs >= KNOWN_AFTER_MS ? wantedMs : Math.max(wantedMs, UNKNOWN_MS));
}
