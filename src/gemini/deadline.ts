/** A deadline that stands still while somebody else is waited for. */
import type { Clock, Timer } from '../clock.ts';

export class PausableDeadline {
  readonly #clock: Clock;
  readonly #onOver: () => void;
  #leftMs: number;
  #sinceMs = 0;
  #timer: Timer | null = null;

  /** Runs at once. `onOver` is called at most once, and never after `cancel`. */
  constructor(clock: Clock, deadlineMs: number, onOver: () => void) {
    this.#clock = clock;
    this.#leftMs = deadlineMs;
    this.#onOver = onOver;
    this.resume();
  }

  pause(): void {
    if (this.#timer === null) return;
    this.cancel();
    this.#leftMs -= this.#clock.now() - this.#sinceMs;
  }

  resume(): void {
    if (this.#timer !== null) return;
    this.#sinceMs = this.#clock.now();
    this.#timer = this.#clock.setTimer(Math.max(0, this.#leftMs), this.#onOver);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
