/** Audio as clients send it, taken strictly: what Google's server might forgive is refused here, so that it is seen. */

/** What a sample rate may be; anything else is refused. 16 kHz is the native one, others are converted. */
const LOWEST_RATE = 8000;
const HIGHEST_RATE = 48_000;
export const INPUT_RATE = 16_000;

const PCM_MIME = /^audio\/pcm(?:\s*;\s*rate\s*=\s*(\d{1,6}))?$/;

export type ParsedMime =
  | { readonly ok: true; readonly sampleRate: number; readonly rateGiven: boolean }
  | { readonly ok: false; readonly detail: string };

/** `audio/pcm;rate=N`; without a rate 16 kHz is assumed, and `rateGiven` is false so that it can be warned about. */
export function parseAudioMime(mimeType: string): ParsedMime {
  const match = PCM_MIME.exec(mimeType);
  if (match === null)
    return { ok: false, detail: `mime type "${mimeType.slice(0, 60)}", wanted audio/pcm;rate=N` };
  if (match[1] === undefined) return { ok: true, sampleRate: INPUT_RATE, rateGiven: false };
  const sampleRate = Number(match[1]);
  if (sampleRate < LOWEST_RATE || sampleRate > HIGHEST_RATE) {
    return { ok: false, detail: `sample rate "${sampleRate}", wanted ${LOWEST_RATE} to ${HIGHEST_RATE}` };
  }
  return { ok: true, sampleRate, rateGiven: true };
}

/**
 * Standard base64 with its padding, decoded to 16-bit little-endian samples; null when it is not that or holds half a
 * sample. Node skips what is not base64, so the number of bytes that came out tells whether anything was skipped.
 */
export function decodeSamples(base64: string): Int16Array | null {
  const length = base64.length;
  if (length % 4 !== 0 || base64.includes('-') || base64.includes('_')) return null;
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  const byteCount = (length / 4) * 3 - padding;
  if (byteCount % 2 !== 0) return null;
  const samples = new Int16Array(byteCount / 2);
  const bytes = Buffer.from(samples.buffer);
  // Room for one more byte than expected would hide padding in the middle; Buffer.write reports what fitted.
  if (bytes.write(base64, 'base64') !== byteCount) return null;
  return samples;
}

/** Straight lines between samples: good enough to listen for speech and to keep a record of odd rates. */
export class LinearConverter {
  readonly #step: number;
  /** Where the next output sample lies, in input samples after `#last`. */
  #position = 1;
  #last = 0;

  constructor(inputRate: number) {
    this.#step = inputRate / INPUT_RATE;
  }

  process(input: Int16Array): Int16Array {
    const output = new Int16Array(Math.max(0, Math.ceil((input.length + 1 - this.#position) / this.#step)));
    let count = 0;
    while (this.#position < input.length + 1 && count < output.length) {
      const before = Math.floor(this.#position);
      const left = before === 0 ? this.#last : input[before - 1]!;
      const right = before < input.length ? input[before]! : left;
      const part = this.#position - before;
      if (part > 0 && before >= input.length) break;
      output[count++] = Math.round(left + (right - left) * part);
      this.#position += this.#step;
    }
    this.#position -= input.length;
    if (input.length > 0) this.#last = input.at(-1)!;
    return output.subarray(0, count);
  }
}
