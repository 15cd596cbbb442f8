/** What every sample rate converter here is, and the shell that all of them share. */

/** A stream of samples at one rate turned into a stream at another. One instance belongs to one direction of one call. */
export interface Resampler {
  readonly inputRate: number;
  readonly outputRate: number;
  /** The filter's constant delay, in milliseconds: output lags its input by this. */
  readonly delayMs: number;
  /** Bytes of memory this instance holds now (never above 16 kB). */
  readonly stateBytes: number;
  /**
   * Takes any number of samples and returns all output they make possible: after n samples in all,
   * ceil(n * outputRate / inputRate) have come out, however the input was cut, and the same ones to the bit.
   * The result is a view of memory of the instance: valid until its next process, flush or reset.
   */
  process(input: Int16Array): Int16Array;
  /** Ends the signal: returns what the delay still holds (a view, as in process) and leaves the instance as new. */
  flush(): Int16Array;
  /** Forgets the signal and leaves the instance as new. */
  reset(): void;
}

/** The filter proper: works blocks off, keeps the history between them. */
export interface Kernel {
  readonly inputRate: number;
  readonly outputRate: number;
  /** The filter's delay, in seconds. */
  readonly delaySeconds: number;
  /** Most samples that one `run` may take. */
  readonly blockSamples: number;
  readonly stateBytes: number;
  /**
   * Takes input[from..to) and writes what it makes possible to `output` from index `at`.
   * @returns the index behind the last sample written
   */
  run(input: Int16Array, from: number, to: number, output: Int16Array, at: number): number;
  reset(): void;
}

/** A call keeps an output array of at most this many samples; a longer chunk gets one that goes with it. */
const RETAINED_SAMPLES = 3_072;

/** Rounds half up and clamps: a typed array would let an overshoot wrap round into a loud click. */
export function toSample(value: number): number {
  const rounded = Math.floor(value + 0.5);
  return rounded > 32_767 ? 32_767 : rounded < -32_768 ? -32_768 : rounded;
}

/** Dresses a kernel as a Resampler: blocks of bounded size, an output array that is used again and again. */
export class KernelResampler implements Resampler {
  readonly inputRate: number;
  readonly outputRate: number;
  readonly delayMs: number;
  readonly #kernel: Kernel;
  #output = new Int16Array(0);

  constructor(kernel: Kernel) {
    this.inputRate = kernel.inputRate;
    this.outputRate = kernel.outputRate;
    this.delayMs = kernel.delaySeconds * 1000;
    this.#kernel = kernel;
  }

  get stateBytes(): number {
    return this.#kernel.stateBytes + this.#output.byteLength;
  }

  process(input: Int16Array): Int16Array {
    const kernel = this.#kernel;
    const output = this.#room(input.length);
    let written = 0;
    for (let from = 0; from < input.length; from += kernel.blockSamples) {
      const to = Math.min(input.length, from + kernel.blockSamples);
      written = kernel.run(input, from, to, output, written);
    }
    return output.subarray(0, written);
  }

  flush(): Int16Array {
    const tail = this.process(new Int16Array(Math.ceil(this.#kernel.delaySeconds * this.inputRate)));
    this.#kernel.reset();
    return tail;
  }

  reset(): void {
    this.#kernel.reset();
  }

  #room(inputSamples: number): Int16Array {
    const wanted = Math.ceil((inputSamples * this.outputRate) / this.inputRate) + 1;
    if (wanted <= this.#output.length) return this.#output;
    const grown = new Int16Array(wanted);
    if (wanted <= RETAINED_SAMPLES) this.#output = grown;
    return grown;
  }
}
