/** How many may begin a second, evenly: a token bucket, kept as the time at which it will be full again. Pure. */

/** Timers and sums of fractions are not exact; so much early is on time. */
const SLACK_MS = 0.01;

export class StartRate {
  readonly #intervalMs: number;
  readonly #headroomMs: number;
  #fullAtMs = Number.NEGATIVE_INFINITY;

  /** @param burst how many may begin at the same instant after a rest, at least 1 */
  constructor(perSecond: number, burst: number) {
    this.#intervalMs = 1000 / perSecond;
    this.#headroomMs = (burst - 1) * this.#intervalMs;
  }

  /** 0: one may begin now. */
  waitMs(nowMs: number): number {
    const waitMs = this.#fullAtMs - this.#headroomMs - nowMs;
    return waitMs <= SLACK_MS ? 0 : waitMs;
  }

  take(nowMs: number): void {
    this.#fullAtMs = Math.max(this.#fullAtMs, nowMs) + this.#intervalMs;
  }
}
