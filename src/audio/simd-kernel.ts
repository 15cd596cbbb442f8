/**
 * The two filters of the hot path in WebAssembly SIMD: a quarter to a third of the CPU of the ones in JavaScript.
 *
 * One module for each filter serves all calls of the process. Its memory is a workbench: a call's history is put on it
 * before a block and taken back after it, so that there is nothing to free, and what a call leaves no other one reads.
 */
import type { Kernel } from './resampler.ts';
import type { FilterModule } from './wasm/fir.ts';

/** The little of WebAssembly that is used here; the types of Node leave it out. */
interface WebAssemblyInterface {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: FilterExports };
}

interface FilterExports {
  run(samples: number, ahead: number, outputs: number, gain: number): void;
  readonly memory: { readonly buffer: ArrayBuffer };
}

/** A filter that is ready to run: its function, and views of its memory, which never grows. */
export interface SimdFilter extends Pick<FilterModule, 'block' | 'up' | 'down' | 'delay'> {
  readonly run: FilterExports['run'];
  readonly history: Int16Array;
  readonly input: Int16Array;
  readonly output: Int16Array;
}

/** Compiles a filter. Null where WebAssembly (`--jitless`) or its SIMD instructions (old processors) are missing. */
export function compileFilter(filter: FilterModule): SimdFilter | null {
  const { WebAssembly } = globalThis as { readonly WebAssembly?: WebAssemblyInterface };
  if (WebAssembly === undefined) return null;
  let exports: FilterExports;
  try {
    exports = new WebAssembly.Instance(new WebAssembly.Module(filter.bytes)).exports;
  } catch {
    return null;
  }
  const { buffer } = exports.memory;
  new Float32Array(buffer, filter.tapsAt, filter.taps.length).set(filter.taps);
  const { block, up, down, delay } = filter;
  return {
    run: exports.run,
    history: new Int16Array(buffer, filter.inputAt - 2 * filter.history, filter.history),
    input: new Int16Array(buffer, filter.inputAt, block),
    output: new Int16Array(buffer, filter.outputAt, Math.ceil((block * up) / down)),
    block,
    up,
    down,
    delay,
  };
}

/** One direction of one call, on a filter that all of them share. */
export class SimdKernel implements Kernel {
  readonly inputRate: number;
  readonly outputRate: number;
  readonly delaySeconds: number;
  readonly blockSamples: number;
  readonly #filter: SimdFilter;
  readonly #gain: number;
  readonly #history: Int16Array;
  /** Where the next output lies behind the next sample, in steps of 1 / up of a sample. */
  #ahead = 0;
  /** The part of the output that was copied last: chunks mostly repeat their length. */
  #result: Int16Array;

  constructor(filter: SimdFilter, inputRate: number, gain: number) {
    this.inputRate = inputRate;
    this.outputRate = (inputRate * filter.up) / filter.down;
    this.delaySeconds = filter.delay / inputRate;
    this.blockSamples = filter.block;
    this.#filter = filter;
    this.#gain = gain;
    this.#history = new Int16Array(filter.history.length);
    this.#result = filter.output;
  }

  get stateBytes(): number {
    return this.#history.byteLength;
  }

  reset(): void {
    this.#history.fill(0);
    this.#ahead = 0;
  }

  run(input: Int16Array, from: number, to: number, output: Int16Array, at: number): number {
    const filter = this.#filter;
    const count = to - from;
    const due = Math.max(0, Math.ceil((count * filter.up - this.#ahead) / filter.down));
    filter.history.set(this.#history);
    filter.input.set(count === input.length ? input : input.subarray(from, to));
    filter.run(count, this.#ahead, due, this.#gain);
    if (this.#result.length !== due) this.#result = filter.output.subarray(0, due);
    output.set(this.#result, at);
    this.#history.set(filter.history);
    this.#ahead += due * filter.down - count * filter.up;
    return at + due;
  }
}
