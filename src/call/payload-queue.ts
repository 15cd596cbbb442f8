/**
 * Outbound audio by absolute position: what is queued, and for a while what was sent, so that playout can go back to the
 * last word heard. Positions count samples since the call began and never run backwards.
 */
const FIRST_BYTES = 4_096;

export class PayloadQueue {
  readonly #bytesPerSample: number;
  readonly #maxBytes: number;
  #bytes = new Uint8Array(0);
  /** Absolute sample position of the first byte kept. */
  #start = 0;
  #length = 0;

  constructor(bytesPerSample: number, maxSamples: number) {
    this.#bytesPerSample = bytesPerSample;
    this.#maxBytes = maxSamples * bytesPerSample;
  }

  /** Position of the first sample kept. */
  get start(): number {
    return this.#start;
  }

  /** Position behind the last sample. */
  get end(): number {
    return this.#start + this.#length / this.#bytesPerSample;
  }

  /** Appends whole samples. @returns how many did not fit and were left out */
  append(payload: Uint8Array): number {
    const room = this.#maxBytes - this.#length;
    const taken =
      payload.length <= room ? payload : payload.subarray(0, room - (room % this.#bytesPerSample));
    this.#reserve(this.#length + taken.length);
    this.#bytes.set(taken, this.#length);
    this.#length += taken.length;
    return (payload.length - taken.length) / this.#bytesPerSample;
  }

  /** The bytes of the samples in [from, to): a view that is valid until the queue changes. */
  view(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(
      (from - this.#start) * this.#bytesPerSample,
      (to - this.#start) * this.#bytesPerSample,
    );
  }

  /** Gives up what lies before `position`; a queue that has become empty gives its memory back. */
  forgetBefore(position: number): void {
    const bytes = Math.min(this.#length, (position - this.#start) * this.#bytesPerSample);
    if (bytes <= 0) return;
    const rest = this.#length - bytes;
    // Moved only when at least half is freed, so that a byte is copied once on the average.
    if (rest > 0 && bytes < rest) return;
    if (rest === 0 && this.#bytes.length > FIRST_BYTES) this.#bytes = new Uint8Array(0);
    else this.#bytes.copyWithin(0, bytes, this.#length);
    this.#start += bytes / this.#bytesPerSample;
    this.#length = rest;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    // By half: a burst of some seconds would otherwise hold twice its size for as long as it plays.
    let size = Math.max(FIRST_BYTES, this.#bytes.length);
    while (size < bytes) size += size >> 1;
    const grown = new Uint8Array(size);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
