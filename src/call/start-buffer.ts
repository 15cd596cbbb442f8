/**
 * What a carrier holds back: it plays nothing of a stream before so much has come, and from then on lets audio through
 * whenever a block is complete. The media port fills up the last block of a turn with silence, and the one that a `clear`
 * meets.
 */
export class StartBuffer {
  readonly #firstSamples: number;
  readonly #blockSamples: number;
  readonly #samplesPerMs: number;
  #wanted: number;
  #held = 0;

  /** @param firstMs 0: nothing is held back */
  constructor(firstMs: number, blockMs: number, samplesPerMs: number) {
    this.#firstSamples = firstMs * samplesPerMs;
    this.#blockSamples = firstMs === 0 ? 0 : blockMs * samplesPerMs;
    this.#samplesPerMs = samplesPerMs;
    this.#wanted = this.#firstSamples;
  }

  /** Written, and not to be played before more comes. */
  get heldMs(): number {
    return this.#held / this.#samplesPerMs;
  }

  /** @returns whether everything that was written is let through by it */
  wrote(samples: number): boolean {
    this.#held += samples;
    if (this.#held < this.#wanted) return false;
    this.#held = 0;
    this.#wanted = this.#blockSamples;
    return true;
  }

  /** The block is filled up, and everything let through. @returns ms of silence that it took */
  fill(): number {
    if (this.#held === 0) return 0;
    const missing = this.#wanted - this.#held;
    this.wrote(missing);
    return missing / this.#samplesPerMs;
  }

  /** Another stream of the call. */
  reset(): void {
    this.#held = 0;
    this.#wanted = this.#firstSamples;
  }
}
