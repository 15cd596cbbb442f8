/**
 * Outbound L16 in whole samples: a carrier that got half a sample would hear noise from there on. The odd byte of a
 * payload waits for the next one, or for the end of the turn.
 */
export class WholeSamples {
  #oddByte = -1;

  /** @returns a copy that ends with a whole sample; empty when there is none yet */
  take(payload: Uint8Array): Buffer {
    const carried = this.#oddByte >= 0 ? 1 : 0;
    const bytes = payload.length + carried;
    const whole = bytes & ~1;
    const samples = Buffer.allocUnsafe(whole);
    if (carried === 1 && whole > 0) samples[0] = this.#oddByte;
    if (whole > 0) samples.set(payload.subarray(0, whole - carried), carried);
    if (payload.length > 0) this.#oddByte = whole < bytes ? (payload[payload.length - 1] as number) : -1;
    return samples;
  }

  /** The odd byte as a sample, its upper half silence; empty where there is none. */
  finish(): Buffer {
    const odd = this.#oddByte;
    this.#oddByte = -1;
    return odd < 0 ? Buffer.alloc(0) : Buffer.from([odd, 0]);
  }

  /** What waits belongs to audio that is not wanted any more. */
  drop(): void {
    this.#oddByte = -1;
  }
}
