/** Linear 16-bit audio (L16, always little-endian here) between the bytes of a socket and samples. */

/** The rate of a telephone line, in hertz. */
export const PHONE_RATE = 8_000;
/** The rate in which Gemini Live listens, in hertz. */
export const GEMINI_INPUT_RATE = 16_000;
/** The rate in which Gemini Live speaks, in hertz. */
export const GEMINI_OUTPUT_RATE = 24_000;

/** Length of a frame, in milliseconds: the packet time of every carrier here. */
export const FRAME_MS = 20;
/** Samples of one frame at the telephone's rate; with G.711 also its bytes. */
export const FRAME_SAMPLES = (PHONE_RATE * FRAME_MS) / 1000;

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Above this many samples (0.17 s at 24 kHz) a result gets an array of its own, so that no call keeps a huge one. */
const RETAINED_SAMPLES = 4_096;

/**
 * Puts samples together from bytes that may be cut anywhere, also inside a sample: the odd byte waits for the
 * next push. Reads byte by byte, because an Int16Array view of a Buffer throws at odd offsets.
 */
export class SampleAssembler {
  #oddByte = -1;
  #buffer = new Int16Array(0);

  /**
   * @param bytes little-endian 16-bit samples, any length, any alignment
   * @returns the samples that became complete; a view that is valid until the next push
   */
  push(bytes: Uint8Array): Int16Array {
    const carried = this.#oddByte >= 0 ? 1 : 0;
    const count = (bytes.length + carried) >> 1;
    const samples = this.#room(count);
    let at = 0;
    let from = 0;
    if (carried === 1 && bytes.length > 0) {
      samples[at++] = this.#oddByte | (bytes[0]! << 8);
      from = 1;
      this.#oddByte = -1;
    }
    for (; at < count; at += 1, from += 2) samples[at] = bytes[from]! | (bytes[from + 1]! << 8);
    if (from < bytes.length) this.#oddByte = bytes[from]!;
    return samples.subarray(0, count);
  }

  /** Forgets the odd byte: what follows is a new signal. */
  reset(): void {
    this.#oddByte = -1;
  }

  #room(count: number): Int16Array {
    if (count <= this.#buffer.length) return this.#buffer;
    const grown = new Int16Array(count);
    if (count <= RETAINED_SAMPLES) this.#buffer = grown;
    return grown;
  }
}

/**
 * The little-endian bytes of samples. On little-endian machines (all that Node 24 is built for but s390x) a view of
 * the same memory, so it lives no longer than they do; elsewhere a swapped copy.
 */
export function samplesToBytes(samples: Int16Array): Buffer {
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  return LITTLE_ENDIAN ? bytes : Buffer.from(bytes).swap16();
}
