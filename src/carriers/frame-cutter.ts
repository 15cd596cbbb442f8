/**
 * Cuts outbound audio into whole frames, for carriers that throw away or refuse anything else. What is left over waits
 * for the next payload, for the end of the turn, or for a `clear` that makes it void.
 */
export class FrameCutter {
  readonly #frameBytes: number;
  readonly #silence: number;
  readonly #maxFrames: number;
  readonly #held: Buffer;
  #heldBytes = 0;

  /**
   * @param frameBytes length of a frame
   * @param silence the byte that is silence in the stream's encoding
   * @param maxFrames largest run of frames in one message
   */
  constructor(frameBytes: number, silence: number, maxFrames: number) {
    this.#frameBytes = frameBytes;
    this.#silence = silence;
    this.#maxFrames = maxFrames;
    this.#held = Buffer.allocUnsafe(frameBytes);
  }

  /** Messages of whole frames. They are copies: the payload is its owner's again as soon as this returns. */
  cut(payload: Uint8Array): readonly Buffer[] {
    const total = this.#heldBytes + payload.length;
    const whole = total - (total % this.#frameBytes);
    if (whole === 0) {
      this.#held.set(payload, this.#heldBytes);
      this.#heldBytes = total;
      return [];
    }
    const taken = whole - this.#heldBytes;
    const run = Buffer.allocUnsafe(whole);
    run.set(this.#held.subarray(0, this.#heldBytes));
    run.set(payload.subarray(0, taken), this.#heldBytes);
    this.#held.set(payload.subarray(taken));
    this.#heldBytes = total - whole;

    const messageBytes = this.#maxFrames * this.#frameBytes;
    if (whole <= messageBytes) return [run];
    const messages: Buffer[] = [];
    for (let at = 0; at < whole; at += messageBytes) messages.push(run.subarray(at, at + messageBytes));
    return messages;
  }

  /** The frame that was begun, filled up with silence; nothing where none was. */
  pad(): readonly Buffer[] {
    if (this.#heldBytes === 0) return [];
    const frame = Buffer.alloc(this.#frameBytes, this.#silence);
    frame.set(this.#held.subarray(0, this.#heldBytes));
    this.#heldBytes = 0;
    return [frame];
  }

  /** What was held back belonged to what is not wanted any more. */
  drop(): void {
    this.#heldBytes = 0;
  }
}
