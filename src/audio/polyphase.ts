/**
 * The rarer ratios (carriers and files at 16 kHz, a bot heard at 24 kHz): a plain polyphase FIR for L / M, one
 * output at a time. Same family of filters as the two of the hot path.
 */
import { lowPass } from './kaiser.ts';
import { type Kernel, toSample } from './resampler.ts';

const BLOCK = 160;

/** A conversion's shared, precomputed part. */
export interface PolyphaseDesign {
  readonly inputRate: number;
  readonly outputRate: number;
  readonly up: number;
  readonly down: number;
  readonly delaySeconds: number;
  /** One row per phase, all of equal length; index 0 meets the newest sample. */
  readonly phases: readonly Float64Array[];
}

/**
 * Computes the filter of a conversion.
 * @param options.taps length at the rate `inputRate * up`, odd
 */
export function designPolyphase(options: {
  readonly inputRate: number;
  readonly up: number;
  readonly down: number;
  readonly taps: number;
  readonly cutoffHz: number;
  readonly beta: number;
}): PolyphaseDesign {
  const { inputRate, up, down, taps } = options;
  const sampleRate = inputRate * up;
  const h = lowPass({ taps, sampleRate, cutoffHz: options.cutoffHz, beta: options.beta, sum: up });
  const perPhase = Math.ceil(taps / up);
  const phases = Array.from({ length: up }, (_, phase) =>
    Float64Array.from({ length: perPhase }, (_unused, j) => h[phase + j * up] ?? 0),
  );
  const delaySeconds = (taps - 1) / 2 / sampleRate;
  return { inputRate, outputRate: sampleRate / down, up, down, delaySeconds, phases };
}

/** Converts by the ratio up / down of its design. */
export class PolyphaseKernel implements Kernel {
  readonly inputRate: number;
  readonly outputRate: number;
  readonly delaySeconds: number;
  readonly blockSamples = BLOCK;
  readonly #design: PolyphaseDesign;
  readonly #gain: number;
  readonly #history: number;
  readonly #x: Float64Array;
  /** Where the next output lies behind the next input sample, in steps of 1 / up of an input sample. */
  #ahead = 0;

  constructor(design: PolyphaseDesign, gain: number) {
    this.inputRate = design.inputRate;
    this.outputRate = design.outputRate;
    this.delaySeconds = design.delaySeconds;
    this.#design = design;
    this.#gain = gain;
    this.#history = design.phases[0]!.length - 1;
    this.#x = new Float64Array(this.#history + BLOCK);
  }

  get stateBytes(): number {
    return this.#x.byteLength;
  }

  reset(): void {
    this.#x.fill(0);
    this.#ahead = 0;
  }

  run(input: Int16Array, from: number, to: number, output: Int16Array, at: number): number {
    const x = this.#x;
    const history = this.#history;
    const { up, down, phases } = this.#design;
    const count = to - from;
    for (let i = 0; i < count; i += 1) x[history + i] = input[from + i]!;
    let written = at;
    let position = this.#ahead;
    for (; position < count * up; position += down) {
      const newest = history + Math.floor(position / up);
      const taps = phases[position % up]!;
      let sum = 0;
      for (let j = 0; j <= history; j += 1) sum += taps[j]! * x[newest - j]!;
      output[written++] = toSample(this.#gain * sum);
    }
    this.#ahead = position - count * up;
    x.copyWithin(0, count, count + history);
    return written;
  }
}
