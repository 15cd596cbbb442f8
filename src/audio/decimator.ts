/**
 * 24 to 8 kHz: a 183-tap low-pass of which only every third output is computed. Flat to 3.5 kHz, -3 dB at 3.78 kHz,
 * aliases from 4.4 kHz on below -85 dB: what is left of them is below mu-law's first decision value.
 * In 64-bit floats; wasm/decimator.ts does the same where SIMD can be had.
 */
import { lowPass } from './kaiser.ts';
import { type Kernel, toSample } from './resampler.ts';

const TAPS = 183;
/** Taps that meet one of the three input phases. */
const PER_PHASE = TAPS / 3;
const HISTORY = PER_PHASE - 1;
const MIDDLE = HISTORY / 2;
/** Outputs of one block: 20 ms at 8 kHz. */
const BLOCK = 160;

const H = lowPass({ taps: TAPS, sampleRate: 24_000, cutoffHz: 3_850, beta: 8, sum: 1 });
/** The first half of the symmetric taps, outermost first, and the middle one. */
export const DECIMATOR_TAPS = H.subarray(0, (TAPS + 1) / 2);
/** Taps on the newest samples' phase; mirrored, they are those of the oldest samples' phase. */
const OUTER = Float64Array.from({ length: PER_PHASE }, (_, j) => H[3 * j]!);
/** Taps of the phase between, which is symmetric in itself; the last one is the filter's middle. */
const INNER = Float64Array.from({ length: MIDDLE + 1 }, (_, j) => H[3 * j + 1]!);

/** Divides a sample rate of 24 kHz by three. Delay: 91 input samples, 3.79 ms. */
export class DecimatorKernel implements Kernel {
  readonly inputRate = 24_000;
  readonly outputRate = 8_000;
  readonly delaySeconds = (TAPS - 1) / 2 / 24_000;
  /** A block completes at most BLOCK triples, wherever in a triple it starts. */
  readonly blockSamples = 3 * BLOCK;
  readonly #gain: number;
  /** The input dealt out to three hands, oldest sample of each triple first; in front of each, 60 of the past. */
  readonly #old = new Float64Array(HISTORY + BLOCK + 1);
  readonly #mid = new Float64Array(HISTORY + BLOCK + 1);
  readonly #new = new Float64Array(HISTORY + BLOCK + 1);
  /** Samples of the started triple. Two to begin with: the first output is due with the first sample. */
  #started = 2;

  constructor(gain: number) {
    this.#gain = gain;
  }

  get stateBytes(): number {
    return this.#old.byteLength + this.#mid.byteLength + this.#new.byteLength;
  }

  reset(): void {
    this.#old.fill(0);
    this.#mid.fill(0);
    this.#new.fill(0);
    this.#started = 2;
  }

  run(input: Int16Array, from: number, to: number, output: Int16Array, at: number): number {
    const complete = this.#deal(input, from, to);
    this.#filter(complete, output, at);
    this.#old.copyWithin(0, complete, complete + HISTORY + 1);
    this.#mid.copyWithin(0, complete, complete + HISTORY + 1);
    this.#new.copyWithin(0, complete, complete + HISTORY + 1);
    return at + complete;
  }

  /** Deals the input out and returns how many triples are complete. */
  #deal(input: Int16Array, from: number, to: number): number {
    const old = this.#old;
    const mid = this.#mid;
    const newest = this.#new;
    let triple = HISTORY;
    let next = from;
    if (this.#started === 1 && next < to) {
      mid[triple] = input[next++]!;
      this.#started = 2;
    }
    if (this.#started === 2 && next < to) {
      newest[triple++] = input[next++]!;
      this.#started = 0;
    }
    for (; next + 3 <= to; next += 3, triple += 1) {
      old[triple] = input[next]!;
      mid[triple] = input[next + 1]!;
      newest[triple] = input[next + 2]!;
    }
    if (next < to) {
      old[triple] = input[next++]!;
      this.#started = 1;
    }
    if (next < to) {
      mid[triple] = input[next]!;
      this.#started = 2;
    }
    return triple - HISTORY;
  }

  #filter(complete: number, output: Int16Array, at: number): void {
    const old = this.#old;
    const mid = this.#mid;
    const newest = this.#new;
    const gain = this.#gain;
    let n = 0;
    // Four outputs at once: each round loads two new samples and one tap, and uses them for all four.
    for (; n + 4 <= complete; n += 4) {
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let sum3 = 0;
      let up0 = old[n]!;
      let up1 = old[n + 1]!;
      let up2 = old[n + 2]!;
      let down1 = newest[n + HISTORY + 1]!;
      let down2 = newest[n + HISTORY + 2]!;
      let down3 = newest[n + HISTORY + 3]!;
      for (let j = 0; j < PER_PHASE; j += 1) {
        const tap = OUTER[j]!;
        const up3 = old[n + 3 + j]!;
        const down0 = newest[n + HISTORY - j]!;
        sum0 += tap * (up0 + down0);
        sum1 += tap * (up1 + down1);
        sum2 += tap * (up2 + down2);
        sum3 += tap * (up3 + down3);
        up0 = up1;
        up1 = up2;
        up2 = up3;
        down3 = down2;
        down2 = down1;
        down1 = down0;
      }
      up0 = mid[n]!;
      up1 = mid[n + 1]!;
      up2 = mid[n + 2]!;
      down1 = mid[n + HISTORY + 1]!;
      down2 = mid[n + HISTORY + 2]!;
      down3 = mid[n + HISTORY + 3]!;
      for (let j = 0; j < MIDDLE; j += 1) {
        const tap = INNER[j]!;
        const up3 = mid[n + 3 + j]!;
        const down0 = mid[n + HISTORY - j]!;
        sum0 += tap * (up0 + down0);
        sum1 += tap * (up1 + down1);
        sum2 += tap * (up2 + down2);
        sum3 += tap * (up3 + down3);
        up0 = up1;
        up1 = up2;
        up2 = up3;
        down3 = down2;
        down2 = down1;
        down1 = down0;
      }
      const tap = INNER[MIDDLE]!;
      output[at + n] = toSample(gain * (sum0 + tap * mid[n + MIDDLE]!));
      output[at + n + 1] = toSample(gain * (sum1 + tap * mid[n + MIDDLE + 1]!));
      output[at + n + 2] = toSample(gain * (sum2 + tap * mid[n + MIDDLE + 2]!));
      output[at + n + 3] = toSample(gain * (sum3 + tap * mid[n + MIDDLE + 3]!));
    }
    // The same sums in the same order, so that a cut in the input never shows in the output.
    for (; n < complete; n += 1) {
      let sum = 0;
      for (let j = 0; j < PER_PHASE; j += 1) sum += OUTER[j]! * (old[n + j]! + newest[n + HISTORY - j]!);
      for (let j = 0; j < MIDDLE; j += 1) sum += INNER[j]! * (mid[n + j]! + mid[n + HISTORY - j]!);
      output[at + n] = toSample(gain * (sum + INNER[MIDDLE]! * mid[n + MIDDLE]!));
    }
  }
}
