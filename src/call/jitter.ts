/**
 * How uneven the line is, read off the caller's frames: they leave the carrier evenly, so what they arrive late by is the
 * line's. The way to the carrier is taken to be as uneven as the way from it.
 */
const BUCKETS = 8;
const BUCKET_MS = 2_000;
/** A stamp that lies this far back is no late frame but a carrier that has started its count anew. */
const RESTART_MS = 1_000;

export class JitterMeter {
  /** Largest lateness in each of the last buckets of time. */
  readonly #late = new Float64Array(BUCKETS);
  #bucketStartMs = 0;
  #bucket = 0;
  #earliest = Number.POSITIVE_INFINITY;
  #lastMediaMs = Number.NEGATIVE_INFINITY;

  /** A frame that was recorded at `mediaTimeMs` of the stream arrived at `nowMs`. */
  arrived(mediaTimeMs: number, nowMs: number): void {
    if (mediaTimeMs < this.#lastMediaMs - RESTART_MS) this.#earliest = Number.POSITIVE_INFINITY;
    this.#lastMediaMs = mediaTimeMs;
    const transit = nowMs - mediaTimeMs;
    // The carrier's clock and ours drift apart: the earliest transit is let go of slowly, 1 ms in 10 s.
    this.#earliest = Math.min(transit, this.#earliest + 0.002);
    if (nowMs - this.#bucketStartMs > BUCKET_MS) {
      this.#bucketStartMs = nowMs;
      this.#bucket = (this.#bucket + 1) % BUCKETS;
      this.#late[this.#bucket] = 0;
    }
    const late = transit - this.#earliest;
    if (late > (this.#late[this.#bucket] as number)) this.#late[this.#bucket] = late;
  }

  /** The worst lateness of the last quarter of a minute, in ms. */
  get worstMs(): number {
    let worst = 0;
    for (let i = 0; i < BUCKETS; i++) if ((this.#late[i] as number) > worst) worst = this.#late[i] as number;
    return worst;
  }

  /** A new stream has a clock of its own. */
  reset(): void {
    this.#late.fill(0);
    this.#earliest = Number.POSITIVE_INFINITY;
    this.#lastMediaMs = Number.NEGATIVE_INFINITY;
  }
}
