/** What both filters are made of. Four neighbouring outputs lie in one vector, and each lane is one output. */
import { type Code, f32Const, f32x4, get, i16x8, i32x4, type Local, set, v128 } from './assembler.ts';

/** One term of a symmetric filter: where its tap is, and where the two samples that it meets are. */
export interface Term {
  readonly tapAt: number;
  readonly leftAt: number;
  /** Absent for the middle of a filter. */
  readonly rightAt?: number;
}

/**
 * Adds up a filter's terms for the outputs of all `sums`, in the order given: an output is the same to the bit in
 * whatever lane it is computed. Written out term by term, so that all addresses are part of the instructions.
 * @param at the byte offset of the first output's samples
 */
export function sumTerms(sums: readonly Local[], tap: Local, at: Local, terms: readonly Term[]): Code {
  const code: number[] = sums.flatMap((sum) => [...set(sum, v128.zero)]);
  for (const { tapAt, leftAt, rightAt } of terms) {
    code.push(...set(tap, v128.load32Splat([0x41, 0], tapAt)));
    for (const [v, sum] of sums.entries()) {
      const left = v128.load(get(at), leftAt + 16 * v);
      const samples = rightAt === undefined ? left : f32x4.add(left, v128.load(get(at), rightAt + 16 * v));
      code.push(...set(sum, f32x4.add(get(sum), f32x4.mul(get(tap), samples))));
    }
  }
  return code;
}

/** Eight samples, from two times four sums: gain, rounding half up, clamping. */
export function toSamples(low: Code, high: Code, gain: Local): Code {
  const round = (value: Code) =>
    i32x4.fromF32(
      f32x4.floor(f32x4.add(f32x4.mul(f32x4.splat(get(gain)), value), f32x4.splat(f32Const(0.5)))),
    );
  return i16x8.narrow(round(low), round(high));
}

/** Moves the last `samples` (at least) from `from` down to address `to`; forwards, as they may overlap. */
export function keepHistory(from: Local, to: number, samples: number): Code {
  return Array.from({ length: Math.ceil(samples / 8) }, (_, k) =>
    v128.store([0x41, 0], to + 16 * k, v128.load(get(from), to + 16 * k)),
  ).flat();
}
