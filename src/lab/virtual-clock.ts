/** Time that passes only when it is told to: a two-hour call runs in a second, in the same order on every machine. */
import type { Clock, Timer } from '../clock.ts';

interface Pending {
  readonly dueMs: number;
  /** Timers of the same instant fire in the order in which they were set, as Node's do. */
  readonly order: number;
  readonly onFire: () => void;
  /** It has fired, or was cancelled: then it stays in the heap until it comes up. */
  done: boolean;
}

const before = (a: Pending, b: Pending): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);

/** All promise callbacks that are ready, and those that they make ready, run before this resolves. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #epochOffsetMs: number;
  #order = 0;
  /** A binary heap, the next one first: thousands of timers may wait. */
  readonly #heap: Pending[] = [];
  #waiting = 0;

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
    const timer: Pending = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      onFire,
      done: false,
    };
    this.#waiting += 1;
    this.#rise(timer);
    return {
      cancel: () => {
        if (timer.done) return;
        timer.done = true;
        this.#waiting -= 1;
      },
    };
  }

  /** How many timers wait: zero after a clean teardown. */
  get pendingTimers(): number {
    return this.#waiting;
  }

  /** When the next timer fires, or null when none waits. */
  get nextDueMs(): number | null {
    return this.#next()?.dueMs ?? null;
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
    const next = this.#next();
    if (next === undefined || next.dueMs > untilMs) return false;
    this.#takeFirst();
    next.done = true;
    this.#waiting -= 1;
    this.#nowMs = Math.max(this.#nowMs, next.dueMs);
    next.onFire();
    return true;
  }

  #next(): Pending | undefined {
    while (this.#heap[0]?.done === true) this.#takeFirst();
    return this.#heap[0];
  }

  /** Puts a timer in from below. */
  #rise(timer: Pending): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!before(timer, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = timer;
  }

  /** Takes the first one out; the last one sinks to where it belongs. */
  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const { length } = heap;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
