import type { Clock, Timer } from '../clock.ts';

/** Counts the timers that whoever was given it has not let go yet, apart from those of its surroundings. */
export class CountingClock implements Clock {
  readonly #clock: Clock;
  pending = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  epochMs(): number {
    return this.#clock.epochMs();
  }

  setTimer(delayMs: number, onFire: () => void): Timer {
    this.pending += 1;
    let counted = true;
    const settle = (): void => {
      if (counted) this.pending -= 1;
      counted = false;
    };
    const timer = this.#clock.setTimer(delayMs, () => {
      settle();
      onFire();
    });
    return {
      cancel: () => {
        settle();
        timer.cancel();
      },
    };
  }
}
