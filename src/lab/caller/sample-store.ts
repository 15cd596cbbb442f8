/** Samples of a whole call in one growing array: doubled when full, so that appending costs next to nothing. */
export class SampleStore {
  #samples = new Int16Array(8_000);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(samples: Int16Array): void {
    const wanted = this.#length + samples.length;
    if (wanted > this.#samples.length) {
      const larger = new Int16Array(Math.max(wanted, this.#samples.length * 2));
      larger.set(this.#samples.subarray(0, this.#length));
      this.#samples = larger;
    }
    this.#samples.set(samples, this.#length);
    this.#length = wanted;
  }

  /** A view, not a copy. */
  view(): Int16Array {
    return this.#samples.subarray(0, this.#length);
  }
}
