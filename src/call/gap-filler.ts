/**
 * Puts the caller's time line right: silence for what the carrier lost, once. Frames carry their time in the stream; a
 * jump forwards is a loss, a frame from before the line's end came too late and its place has been filled already.
 * A stalled stream is filled while it lasts, so that the model hears the pause and can take its turn; what was filled
 * then is not filled again when the next time stamp shows the same gap.
 */
const MAX_FILL_MS = 1_000;
/** Time stamps are rounded to a millisecond, and some carriers jitter them by a few. */
const TOLERANCE_MS = 10;

export interface Placed {
  /** Silence to put before the frame, in ms. */
  readonly fillMs: number;
  /** Of the gap, what is too long to fill. */
  readonly unfilledMs: number;
  /** The frame's place has passed: it is not to be used. */
  readonly late: boolean;
}

const IN_ORDER: Placed = { fillMs: 0, unfilledMs: 0, late: false };
const TOO_LATE: Placed = { fillMs: 0, unfilledMs: 0, late: true };

export class GapFiller {
  /** Media time behind the last frame; null before the first. */
  #endMs: number | null = null;
  /** Silence put in since, because the stream stood still. */
  #stallMs = 0;

  /** Where a frame of `durationMs` that starts at `mediaTimeMs` of the stream belongs. */
  place(mediaTimeMs: number, durationMs: number): Placed {
    const endMs = this.#endMs;
    if (endMs === null) {
      this.#endMs = mediaTimeMs + durationMs;
      return IN_ORDER;
    }
    const gapMs = mediaTimeMs - endMs;
    if (gapMs < -TOLERANCE_MS) {
      // Far back: the carrier restarted its count. Anything nearer is a frame that lost its race.
      if (gapMs > -MAX_FILL_MS - durationMs) return TOO_LATE;
      this.#endMs = mediaTimeMs + durationMs;
      this.#stallMs = 0;
      return IN_ORDER;
    }
    if (gapMs <= TOLERANCE_MS) {
      // Held against the running end, not the stamp, so that rounding cannot add up.
      this.#endMs = endMs + durationMs;
      // Frames of a stall that come after all are words and are used; only the next gap is measured from here.
      this.#stallMs = 0;
      return IN_ORDER;
    }
    this.#endMs = mediaTimeMs + durationMs;
    const missingMs = Math.max(0, gapMs - this.#stallMs);
    this.#stallMs = 0;
    if (missingMs <= MAX_FILL_MS) return { fillMs: missingMs, unfilledMs: 0, late: false };
    return { fillMs: 0, unfilledMs: missingMs, late: false };
  }

  /** Silence of `ms` was put in because nothing came. */
  stalled(ms: number): void {
    this.#stallMs += ms;
  }

  reset(): void {
    this.#endMs = null;
    this.#stallMs = 0;
  }
}
