/** The half-band interpolation of half-band.ts: the same sums in 32-bit floats, for eight samples at once. */
import { assembleModule, type Code, f32x4, get, i16x8, i32, Locals, loop, set, v128 } from './assembler.ts';
import { type FilterModule, GROUP, moveDown, runParameters, sumTerms, toSamples } from './fir.ts';

/** 20 ms: what a carrier sends at a time. */
const BLOCK = 160;

/** @param taps the outer half of the symmetric taps of the interpolated samples, outermost first */
export function halfBandModule(taps: Float64Array): FilterModule {
  const history = 2 * taps.length - 1;
  const samples = history + BLOCK + GROUP;
  const tapsAt = 0;
  const pastAt = tapsAt + 4 * taps.length;
  const floatsAt = pastAt + 2 * samples;
  const outputAt = floatsAt + 4 * samples;

  const locals = new Locals();
  const run = runParameters(locals);
  const n = locals.variable('i32');
  const end = locals.variable('i32');
  const at = locals.variable('i32');
  const copied = locals.variable('v128');
  const between = locals.variable('v128');
  const sums = [locals.variable('v128'), locals.variable('v128')] as const;

  const widen: Code = [
    ...set(at, i32.mul(get(n), i32.const(2))),
    ...v128.store(i32.mul(get(n), i32.const(4)), floatsAt, f32x4.fromI32(v128.load16x4(get(at), pastAt))),
  ];
  const term = { tapAt: tapsAt, leftAt: floatsAt, rightAt: floatsAt + 4 * history };
  const middle = (vector: number): Code => v128.load(get(at), floatsAt + 4 * (taps.length - 1) + 16 * vector);
  const filter: Code = [
    ...set(at, i32.mul(get(n), i32.const(4))),
    ...sumTerms(locals, sums, at, { repeated: [term], rounds: taps.length, last: [] }),
    ...set(copied, toSamples(middle(0), middle(1), run.gain)),
    ...set(between, toSamples(get(sums[0]), get(sums[1]), run.gain)),
    ...v128.store(get(at), outputAt, i16x8.shuffle(get(copied), get(between), [0, 8, 1, 9, 2, 10, 3, 11])),
    ...v128.store(
      get(at),
      outputAt + 16,
      i16x8.shuffle(get(copied), get(between), [4, 12, 5, 13, 6, 14, 7, 15]),
    ),
  ];
  const bytes = assembleModule(locals, [
    ...set(end, i32.add(get(run.samples), i32.const(history))),
    ...loop(n, end, 4, widen),
    ...loop(n, run.samples, GROUP, filter),
    ...set(at, i32.mul(get(run.samples), i32.const(2))),
    ...moveDown(at, pastAt, history),
  ]);
  const inputAt = pastAt + 2 * history;
  return {
    bytes,
    taps: Float32Array.from(taps),
    tapsAt,
    inputAt,
    outputAt,
    history,
    block: BLOCK,
    delay: taps.length,
    up: 2,
    down: 1,
  };
}
