/** One direction of a simulated network under a TCP connection: what goes in comes out, later, in the same order. */
import type { Clock, Timer } from '../../clock.ts';
import type { Random } from './random.ts';

export interface LineWeather {
  /** One way. */
  readonly delayMs: number;
  /** Each item's own delay is drawn evenly from `delayMs` ± this, never below zero. */
  readonly jitterMs: number;
  /** 0 to 1: the part of all items that is late by `lateByMs` on top. */
  readonly lateShare: number;
  readonly lateByMs: number;
}

export const FAIR_WEATHER: LineWeather = { delayMs: 0, jitterMs: 0, lateShare: 0, lateByMs: 0 };

interface Sent<T> {
  readonly item: T;
  readonly dueMs: number;
}

/**
 * TCP delivers in order, so an item that is late holds back all that were sent after it, and they then arrive in one
 * burst: the effect that a datagram model would miss. In fair weather an item is delivered within `send`, so that an
 * undisturbed line costs the measurements nothing.
 */
export class Line<T> {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #weather: LineWeather;
  readonly #deliver: (item: T) => void;
  readonly #inFlight: Sent<T>[] = [];
  #timer: Timer | null = null;
  #closed = false;

  constructor(parts: {
    readonly clock: Clock;
    readonly random: Random;
    readonly weather: LineWeather;
    readonly deliver: (item: T) => void;
  }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#weather = parts.weather;
    this.#deliver = parts.deliver;
  }

  get inFlight(): number {
    return this.#inFlight.length;
  }

  send(item: T): void {
    if (this.#closed) return;
    const nowMs = this.#clock.now();
    const dueMs = nowMs + this.#drawDelayMs();
    if (dueMs <= nowMs && this.#inFlight.length === 0) {
      this.#deliver(item);
      return;
    }
    // The queue keeps the order: what is due earlier waits for what is before it.
    this.#inFlight.push({ item, dueMs });
    this.#arm();
  }

  /** What is still on the way is lost. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#inFlight.length = 0;
  }

  #drawDelayMs(): number {
    const { delayMs, jitterMs, lateShare, lateByMs } = this.#weather;
    // Always two draws, so that changing one setting leaves the other's sequence as it was.
    const jitter = (this.#random() * 2 - 1) * jitterMs;
    const late = this.#random() < lateShare ? lateByMs : 0;
    return Math.max(0, delayMs + jitter) + late;
  }

  #arm(): void {
    const next = this.#inFlight[0];
    if (this.#timer !== null || next === undefined) return;
    this.#timer = this.#clock.setTimer(Math.max(0, next.dueMs - this.#clock.now()), () => {
      this.#timer = null;
      this.#deliverDue();
      this.#arm();
    });
  }

  #deliverDue(): void {
    const nowMs = this.#clock.now();
    let due = 0;
    while (due < this.#inFlight.length && this.#inFlight[due]!.dueMs <= nowMs) due += 1;
    // Taken out first: what is delivered may send again, or close the line.
    for (const { item } of this.#inFlight.splice(0, due)) {
      if (this.#closed) return;
      this.#deliver(item);
    }
  }
}
