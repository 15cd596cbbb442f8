/** The half-band filter of half-band.ts in WebAssembly SIMD: the same sums in 32-bit floats, outputs side by side. */
import { HALF_BAND_TAPS } from './half-band.ts';
import type { Kernel } from './resampler.ts';
import { assembleModule, type Code, f32x4, get, i16x8, i32, i32x4, Locals, loop, set, v128 } from './wasm/assembler.ts';
import { keepHistory, sumTerms, toSamples } from './wasm/fir.ts';
import { instantiate } from './wasm/instance.ts';

const K = HALF_BAND_TAPS.length;
const HISTORY = 2 * K - 1;
/** Samples of one block. */
const BLOCK = 320;
/** Outputs computed at once, in vectors of four. */
const GROUP = Number(process.env['G'] ?? 8);

/** The module's memory, in bytes. Room for a last group that is not full: what it computes there, nobody reads. */
const TAPS_AT = 0;
const INPUT_AT = 4 * K;
const FLOATS_AT = INPUT_AT + 2 * (HISTORY + BLOCK + GROUP + 1);
const OUTPUT_AT = FLOATS_AT + 4 * (HISTORY + BLOCK + GROUP + 1);

function halfBandCode(): Uint8Array<ArrayBuffer> {
  const locals = new Locals();
  const count = locals.param('i32');
  const gain = locals.param('f32');
  const end = locals.variable('i32');
  const i = locals.variable('i32');
  const at = locals.variable('i32');
  const tap = locals.variable('v128');
  const odd = locals.variable('v128');
  const even = locals.variable('v128');
  const sums = Array.from({ length: GROUP / 4 }, () => locals.variable('v128'));

  const widen: Code = [
    ...set(at, i32.mul(get(i), i32.const(2))),
    ...set(even, f32x4.fromI32(v128.load16x4(get(at), INPUT_AT))),
    ...v128.store(i32.mul(get(i), i32.const(4)), FLOATS_AT, get(even)),
  ];
  const terms = Array.from(HALF_BAND_TAPS, (_, j) => ({
    tapAt: TAPS_AT + 4 * j,
    leftAt: FLOATS_AT + 4 * j,
    rightAt: FLOATS_AT + 4 * (HISTORY - j),
  }));
  const middle = (v: number) => v128.load(get(at), FLOATS_AT + 4 * (K - 1) + 16 * v);
  const stores: number[] = [];
  for (let v = 0; v < sums.length; v += 2) {
    stores.push(
      ...set(even, toSamples(middle(v), middle(v + 1), gain)),
      ...set(odd, toSamples(get(sums[v]!), get(sums[v + 1]!), gain)),
      ...v128.store(get(at), OUTPUT_AT + 16 * v, i16x8.shuffle(get(even), get(odd), [0, 8, 1, 9, 2, 10, 3, 11])),
      ...v128.store(
        get(at),
        OUTPUT_AT + 16 * v + 16,
        i16x8.shuffle(get(even), get(odd), [4, 12, 5, 13, 6, 14, 7, 15]),
      ),
    );
  }
  return assembleModule(locals, [
    ...set(end, i32.add(get(count), i32.const(HISTORY))),
    ...loop(i, end, 4, widen),
    ...loop(i, count, GROUP, [
      ...set(at, i32.mul(get(i), i32.const(4))),
      ...sumTerms(sums, tap, at, terms),
      ...stores,
    ]),
    ...set(at, i32.mul(get(count), i32.const(2))),
    ...keepHistory(at, INPUT_AT, HISTORY),
  ]);
}

const filter = instantiate(halfBandCode());
const memory = filter?.memory ?? new ArrayBuffer(65536);
new Float32Array(memory, TAPS_AT, K).set(HALF_BAND_TAPS);
const inputView = new Int16Array(memory, INPUT_AT + 2 * HISTORY, BLOCK);
const historyView = new Int16Array(memory, INPUT_AT, HISTORY);
const outputView = new Int16Array(memory, OUTPUT_AT, 2 * BLOCK);
const run = filter!.run;

export class HalfBandSimdKernel implements Kernel {
  readonly inputRate: number;
  readonly outputRate: number;
  readonly delaySeconds: number;
  readonly blockSamples = BLOCK;
  readonly #gain: number;
  readonly #history = new Int16Array(HISTORY);
  #view = outputView;

  constructor(inputRate: number, gain: number) {
    this.inputRate = inputRate;
    this.outputRate = 2 * inputRate;
    this.delaySeconds = K / inputRate;
    this.#gain = gain;
  }

  get stateBytes(): number {
    return this.#history.byteLength;
  }

  reset(): void {
    this.#history.fill(0);
  }

  run(input: Int16Array, from: number, to: number, output: Int16Array, at: number): number {
    const count = to - from;
    historyView.set(this.#history);
    inputView.set(count === input.length ? input : input.subarray(from, to));
    run(count, this.#gain);
    if (this.#view.length !== 2 * count) this.#view = outputView.subarray(0, 2 * count);
    output.set(this.#view, at);
    this.#history.set(historyView);
    return at + 2 * count;
  }
}
