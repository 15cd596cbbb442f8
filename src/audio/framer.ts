/** What a push answers when no frame became complete; shared, so that waiting costs nothing. */
const NO_FRAMES: readonly Buffer[] = Object.freeze([]);

/**
 * Recuts payload of any chunking into frames of one size. Holds less than one frame at any time; every frame is
 * a copy of its own, because what is pushed usually lives in a buffer that is about to be written again.
 */
export class Framer {
  readonly frameBytes: number;
  readonly #held: Uint8Array;
  #heldBytes = 0;

  /** @param frameBytes size of every frame; 160 is 20 ms of G.711 */
  constructor(frameBytes: number) {
    if (!Number.isInteger(frameBytes) || frameBytes < 1) {
      throw new RangeError(`Cannot cut frames of "${frameBytes}" bytes: a whole number above 0 is wanted.`);
    }
    this.frameBytes = frameBytes;
    this.#held = new Uint8Array(frameBytes);
  }

  /** Bytes waiting for the rest of their frame: 0 to `frameBytes - 1`. */
  get bufferedBytes(): number {
    return this.#heldBytes;
  }

  /** Takes payload of any length and returns the frames it completed, in order. */
  push(payload: Uint8Array): readonly Buffer[] {
    const total = this.#heldBytes + payload.length;
    if (total < this.frameBytes) {
      this.#hold(payload);
      return NO_FRAMES;
    }
    const frames: Buffer[] = [];
    let from = 0;
    if (this.#heldBytes > 0) {
      from = this.frameBytes - this.#heldBytes;
      const frame = Buffer.allocUnsafe(this.frameBytes);
      frame.set(this.#held.subarray(0, this.#heldBytes));
      frame.set(payload.subarray(0, from), this.#heldBytes);
      frames.push(frame);
      this.#heldBytes = 0;
    }
    for (; from + this.frameBytes <= payload.length; from += this.frameBytes) {
      const frame = Buffer.allocUnsafe(this.frameBytes);
      frame.set(payload.subarray(from, from + this.frameBytes));
      frames.push(frame);
    }
    this.#hold(payload.subarray(from));
    return frames;
  }

  /** The last, incomplete frame filled up with `fill` (the law's silence), or null when nothing waits. */
  flush(fill: number): Buffer | null {
    if (this.#heldBytes === 0) return null;
    const frame = Buffer.allocUnsafe(this.frameBytes).fill(fill, this.#heldBytes);
    frame.set(this.#held.subarray(0, this.#heldBytes));
    this.#heldBytes = 0;
    return frame;
  }

  /** Drops what waits. */
  reset(): void {
    this.#heldBytes = 0;
  }

  #hold(rest: Uint8Array): void {
    this.#held.set(rest, this.#heldBytes);
    this.#heldBytes += rest.length;
  }
}
