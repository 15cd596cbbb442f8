/** How long jambonz waits before it plays the first audio of a stream, and any audio after it. */
export const FIRST_BLOCK_MS = 160;
export const NEXT_BLOCK_MS = 80;

/**
 * What jambonz holds back: it plays nothing until so many samples have come, and from then on lets audio through whenever
 * the next block of them is complete. The end of a turn would wait there for the next one, and `killAudio` empties only
 * what is behind it. Both are helped by silence up to the end of the block. Blocks are reckoned for a call at the
 * stream's own rate, where they are longest. Source: the media module of jambonz (`mod_audio_fork`, October 2024 and later).
 */
export class PreBuffer {
  readonly #samplesPerMs: number;
  #blockMs = FIRST_BLOCK_MS;
  #held = 0;

  constructor(sampleRate: number) {
    this.#samplesPerMs = sampleRate / 1000;
  }

  add(samples: number): void {
    this.#held += samples;
    if (this.#held < this.#blockMs * this.#samplesPerMs) return;
    this.#held = 0;
    this.#blockMs = NEXT_BLOCK_MS;
  }

  /** Samples of silence that let everything through; 0 where nothing is held back. */
  get missing(): number {
    return this.#held === 0 ? 0 : this.#blockMs * this.#samplesPerMs - this.#held;
  }
}
