/** Lets virtual time pass in steps between which whoever awaits a promise runs, as between two events of a real loop. */
import { settle } from '../settle.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/** Promises settle at least this often. */
const SETTLE_EVERY_MS = 20;

export class Drive {
  readonly #clock: VirtualClock;
  #stirred = false;
  #settledAtMs: number;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    this.#settledAtMs = clock.now();
  }

  /** A promise was settled: whoever waits for it should run before time passes. */
  stir(): void {
    this.#stirred = true;
  }

  /** Lets so much time pass, or less when it is `over` before. */
  async run(ms: number, over: () => boolean): Promise<void> {
    const untilMs = this.#clock.now() + ms;
    for (;;) {
      const { nextDueMs } = this.#clock;
      if (nextDueMs === null || nextDueMs > untilMs || over()) break;
      this.#clock.runUntil(nextDueMs);
      if (this.#stirred || nextDueMs - this.#settledAtMs >= SETTLE_EVERY_MS) {
        this.#stirred = false;
        this.#settledAtMs = nextDueMs;
        await settle();
      }
    }
    if (!over()) this.#clock.runUntil(untilMs);
    await settle();
  }

  /** Until the dust has settled after the end: all of the time, in small steps. */
  async rest(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += REST_STEP_MS) {
      this.#clock.advance(REST_STEP_MS);
      await settle();
    }
  }
}

const REST_STEP_MS = 100;
