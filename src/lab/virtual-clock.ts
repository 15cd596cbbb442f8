/** Time that passes only when it is told to: a two-hour call runs in a second, in the same order on every machine. */
import type { Clock, Timer } from '../clock.ts';

interface Pending {
  readonly dueMs: number;
  /** Timers of the same instant fire in the order in which they were set, as Node's do. */
  readonly order: number;
  readonly onFire: () => void;
}

const before = (a: Pending, b: Pending): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

/** All promise callbacks that are ready, and those that they make ready, run before this resolves. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #epochOffsetMs: number;
  #order = 0;
  /** Sorted, the next one last, so that taking it costs nothing. */
  readonly #pending: Pending[] = [];

  constructor(options: { startMs?: number; epochMs?: number } = {}) {
    this.#nowMs = options.startMs ?? 0;
    this.#epochOffsetMs = (options.epochMs ?? Date.UTC(2026, 0, 1)) - this.#nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return this.#epochOffsetMs + this.#nowMs;
  }

  setTimer(delayMs: number, onFire: () => void): Timer {
    const timer: Pending = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, onFire };
    let low = 0;
    let high = this.#pending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (before(timer, this.#pending[middle]!)) low = middle + 1;
      else high = middle;
    }
    this.#pending.splice(low, 0, timer);
    return {
      cancel: () => {
        const index = this.#pending.indexOf(timer);
        if (index >= 0) this.#pending.splice(index, 1);
      },
    };
  }

  /** How many timers wait: zero after a clean teardown. */
  get pendingTimers(): number {
    return this.#pending.length;
  }

  /** When the next timer fires, or null when none waits. */
  get nextDueMs(): number | null {
    return this.#pending.at(-1)?.dueMs ?? null;
  }

  /** Lets `ms` pass; fires what falls due on the way, each timer at its own instant. */
  advance(ms: number): void {
    this.runUntil(this.#nowMs + ms);
  }

  /** Lets time pass until `timeMs`; a time in the past fires nothing and leaves the clock where it is. */
  runUntil(timeMs: number): void {
    while (this.#fireNext(timeMs)) {}
    this.#nowMs = Math.max(this.#nowMs, timeMs);
  }

  /** As `advance`, but promises settle between two timers: code that awaits runs at the instant it waited for. */
  async advanceAsync(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    while (this.#fireNext(untilMs)) await settle();
    this.#nowMs = Math.max(this.#nowMs, untilMs);
    await settle();
  }

  #fireNext(untilMs: number): boolean {
    const next = this.#pending.at(-1);
    if (next === undefined || next.dueMs > untilMs) return false;
    this.#pending.pop();
    this.#nowMs = Math.max(this.#nowMs, next.dueMs);
    next.onFire();
    return true;
  }
}
