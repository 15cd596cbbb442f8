/** The system's clock, which may be told to leap: deadlines of many seconds come at once, over real sockets. */
import { type Clock, systemClock, type Timer } from '../../src/clock.ts';

interface Pending {
  readonly dueMs: number;
  readonly fire: () => void;
  timer: Timer;
}

export class LeapClock implements Clock {
  #aheadMs = 0;
  readonly #pending = new Set<Pending>();

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  epochMs(): number {
    return systemClock.epochMs() + this.#aheadMs;
  }

  setTimer(delayMs: number, onFire: () => void): Timer {
    const fire = (): void => {
      this.#pending.delete(pending);
      onFire();
    };
    const pending: Pending = {
      dueMs: this.now() + delayMs,
      fire,
      timer: systemClock.setTimer(delayMs, fire),
    };
    this.#pending.add(pending);
    return {
      cancel: () => {
        this.#pending.delete(pending);
        pending.timer.cancel();
      },
    };
  }

  /** So much time has passed at once; what has fallen due fires in its order, but not before this returns. */
  leap(ms: number): void {
    this.#aheadMs += ms;
    const nowMs = this.now();
    for (const pending of [...this.#pending].sort((a, b) => a.dueMs - b.dueMs)) {
      pending.timer.cancel();
      pending.timer = systemClock.setTimer(Math.max(0, pending.dueMs - nowMs), pending.fire);
    }
  }
}
