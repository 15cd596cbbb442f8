/**
 * The caller's newest audio by absolute position, encoded: a ring that grows as far as it is needed. What was sent stays
 * for a while, so that it can be sent again on another connection; what has not been sent yet waits here.
 */
const FIRST_BYTES = 8_192;

export class KeptAudio {
  readonly #bytesPerSample: number;
  readonly #maxBytes: number;
  #bytes = new Uint8Array(FIRST_BYTES);
  /** Where the first byte kept lies in the ring. */
  #head = 0;
  #length = 0;
  #startSample = 0;

  /** @param maxSamples the oldest go first when there are more */
  constructor(bytesPerSample: number, maxSamples: number) {
    this.#bytesPerSample = bytesPerSample;
    this.#maxBytes = maxSamples * bytesPerSample;
  }

  /** Position of the first sample kept. */
  get start(): number {
    return this.#startSample;
  }

  /** Position behind the last sample. */
  get end(): number {
    return this.#startSample + this.#length / this.#bytesPerSample;
  }

  /** Appends whole samples; of a payload longer than the ring only the end stays. */
  append(payload: Uint8Array): void {
    const kept = payload.length <= this.#maxBytes ? payload : payload.subarray(-this.#maxBytes);
    const excess = this.#length + payload.length - this.#maxBytes;
    if (excess > 0) this.#forget(Math.min(excess, this.#length));
    this.#startSample += (payload.length - kept.length) / this.#bytesPerSample;
    this.#reserve(this.#length + kept.length);
    const size = this.#bytes.length;
    const at = (this.#head + this.#length) % size;
    const untilEnd = size - at;
    if (kept.length <= untilEnd) {
      this.#bytes.set(kept, at);
    } else {
      this.#bytes.set(kept.subarray(0, untilEnd), at);
      this.#bytes.set(kept.subarray(untilEnd), 0);
    }
    this.#length += kept.length;
  }

  /** Some of the samples in [from, to), from `from` on: a view, valid until the next append. Empty only if from ≥ to. */
  view(from: number, to: number): Uint8Array {
    const size = this.#bytes.length;
    const bytes = (Math.min(to, this.end) - from) * this.#bytesPerSample;
    const at = (this.#head + (from - this.#startSample) * this.#bytesPerSample) % size;
    return this.#bytes.subarray(at, at + Math.max(0, Math.min(bytes, size - at)));
  }

  /** Gives up what lies before `position`; a ring that had grown and is nearly empty gives its memory back. */
  forgetBefore(position: number): void {
    const bytes = Math.min(this.#length, (position - this.#startSample) * this.#bytesPerSample);
    if (bytes <= 0) return;
    this.#forget(bytes);
    if (this.#bytes.length > FIRST_BYTES && this.#length <= this.#bytes.length >> 3) this.#resize();
  }

  #forget(bytes: number): void {
    this.#head = (this.#head + bytes) % this.#bytes.length;
    this.#length -= bytes;
    this.#startSample += bytes / this.#bytesPerSample;
  }

  #reserve(bytes: number): void {
    if (bytes > this.#bytes.length) this.#resize(bytes);
  }

  /** To twice what is kept or needed, so that neither growing nor shrinking happens often. */
  #resize(bytes = this.#length): void {
    const most = this.#maxBytes + (this.#maxBytes % 2);
    const grown = new Uint8Array(Math.max(FIRST_BYTES, bytes, Math.min(most, bytes * 2)));
    const untilEnd = Math.min(this.#length, this.#bytes.length - this.#head);
    grown.set(this.#bytes.subarray(this.#head, this.#head + untilEnd));
    grown.set(this.#bytes.subarray(0, this.#length - untilEnd), untilEnd);
    this.#bytes = grown;
    this.#head = 0;
  }
}
