/**
 * What the carrier has of ours: what it holds back until more comes, and, by the clock, what it plays or is yet to play.
 */
import { CarrierClock } from './carrier-clock.ts';
import { StartBuffer } from './start-buffer.ts';

export class CarrierBuffer {
  readonly clock: CarrierClock;
  readonly #startBuffer: StartBuffer;
  readonly #samplesPerMs: number;
  /** From where on nothing is let through; null: all is. */
  #heldFrom: number | null = null;
  #heldTo = 0;
  #isGap = false;
  /** Silence in front of what is written next, until when the carrier plays it, and how much of it it holds back. */
  #padMs = 0;
  #padEndsMs = Number.NEGATIVE_INFINITY;
  #padHeldMs = 0;

  constructor(sampleRate: number, startBufferMs: number, blockMs: number) {
    this.#samplesPerMs = sampleRate / 1000;
    this.clock = new CarrierClock(sampleRate);
    this.#startBuffer = new StartBuffer(startBufferMs, blockMs, this.#samplesPerMs);
  }

  isEmpty(nowMs: number): boolean {
    return this.#heldFrom === null && nowMs >= this.clock.endMs;
  }

  /** How much it has, in ms. */
  aheadMs(nowMs: number): number {
    return Math.max(0, this.clock.endMs - nowMs) + this.#startBuffer.heldMs;
  }

  /** A message of silence was written into the empty buffer, in front of what comes next. */
  padded(ms: number, nowMs: number): void {
    this.#startBuffer.wrote(ms * this.#samplesPerMs);
    this.#padMs += ms;
    this.#padHeldMs = this.#startBuffer.heldMs;
    this.#padEndsMs = nowMs + this.#padMs - this.#padHeldMs;
  }

  /**
   * Audio of [from, to) was written. `isGap`: before it the carrier should not have been without.
   * @returns ms for which it was, as far as that is certain by now
   */
  wrote(from: number, to: number, nowMs: number, isGap: boolean): number {
    if (this.#heldFrom === null) this.#isGap = isGap;
    this.#heldFrom ??= from;
    this.#heldTo = to;
    return this.#startBuffer.wrote(to - from) ? this.#letThrough(nowMs) : 0;
  }

  /** A turn ended, and the port has filled up the block. @returns as `wrote` */
  turnEnded(nowMs: number): number {
    const fillMs = this.#startBuffer.fill();
    const dryMs = this.#letThrough(nowMs);
    this.clock.fill(fillMs);
    return dryMs;
  }

  /** It was emptied. */
  cleared(nowMs: number): void {
    this.clock.cleared(nowMs);
    this.#startBuffer.fill();
    this.#forgetHeld();
  }

  /** That of another stream. */
  reset(): void {
    this.#startBuffer.reset();
    this.#forgetHeld();
  }

  #letThrough(nowMs: number): number {
    if (this.#heldFrom === null) return 0;
    const startMs = Math.max(nowMs, this.#padEndsMs) + this.#padHeldMs;
    const dryMs = this.clock.wrote(this.#heldFrom, this.#heldTo, startMs);
    this.#forgetHeld();
    return this.#isGap ? dryMs : 0;
  }

  #forgetHeld(): void {
    this.#heldFrom = null;
    this.#padMs = 0;
    this.#padEndsMs = Number.NEGATIVE_INFINITY;
    this.#padHeldMs = 0;
  }
}
