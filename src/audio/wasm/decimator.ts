/** The decimator of decimator.ts: the same sums in 32-bit floats, for eight outputs at once. */
import {
  assembleModule,
  type Code,
  f32x4,
  get,
  i16x8,
  i32,
  i32x4,
  type Local,
  Locals,
  loop,
  set,
  v128,
} from './assembler.ts';
import { type FilterModule, GROUP, moveDown, runParameters, sumTerms, type Term, toSamples } from './fir.ts';

/** 20 ms at 24 kHz. */
const BLOCK = 480;

/** @param taps the first half of the symmetric taps, outermost first, and the middle one: 3n + 2 in all */
export function decimatorModule(taps: Float64Array): FilterModule {
  const middle = taps.length - 1;
  const history = 2 * middle;
  /** In whole groups, and one more for what the lanes that nobody reads take in. */
  const triples = GROUP * (Math.ceil((BLOCK + history) / 3 / GROUP) + 1);
  const tapsAt = 0;
  const pastAt = tapsAt + 4 * taps.length;
  /** Where the oldest samples of the triples lie, the middle ones and the newest: each lot in a row. */
  const lotsAt = [0, 1, 2].map((lot) => pastAt + 2 * 3 * triples + lot * 4 * triples);
  const outputAt = lotsAt[2]! + 4 * triples;

  const locals = new Locals();
  const run = runParameters(locals);
  const n = locals.variable('i32');
  const end = locals.variable('i32');
  const at = locals.variable('i32');
  const picked = locals.variable('v128');
  const dealt = Array.from({ length: 3 }, () => locals.variable('v128'));
  const sums = [locals.variable('v128'), locals.variable('v128')] as const;

  const deal: Code = [
    ...set(at, i32.mul(i32.add(get(run.ahead), i32.mul(get(n), i32.const(3))), i32.const(2))),
    ...dealt.flatMap((vector, v) => set(vector, v128.load(get(at), pastAt + 16 * v))),
    ...set(at, i32.mul(get(n), i32.const(4))),
    ...lotsAt.flatMap((lotAt, lot) => [
      ...set(picked, everyThird(dealt, lot)),
      ...v128.store(get(at), lotAt, f32x4.fromI32(i32x4.extendLow16(get(picked)))),
      ...v128.store(get(at), lotAt + 16, f32x4.fromI32(i32x4.extendHigh16(get(picked)))),
    ]),
  ];
  const sampleAt = (k: number) => lotsAt[k % 3]! + 4 * Math.floor(k / 3);
  const term = (k: number): Term => ({
    tapAt: tapsAt + 4 * k,
    leftAt: sampleAt(k),
    ...(k < middle && { rightAt: sampleAt(history - k) }),
  });
  const filter: Code = [
    ...set(at, i32.mul(get(n), i32.const(4))),
    ...sumTerms(locals, sums, at, {
      repeated: [term(0), term(1), term(2)],
      rounds: (middle - 1) / 3,
      last: [term(middle - 1), term(middle)],
    }),
    ...v128.store(i32.mul(get(n), i32.const(2)), outputAt, toSamples(get(sums[0]), get(sums[1]), run.gain)),
  ];
  const bytes = assembleModule(locals, [
    ...set(end, i32.add(get(run.outputs), i32.const(history / 3))),
    ...loop(n, end, GROUP, deal),
    ...loop(n, run.outputs, GROUP, filter),
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
    delay: middle,
    up: 1,
    down: 3,
  };
}

/** The eight samples of one lot among 24, which three vectors hold. */
function everyThird(vectors: readonly Local[], lot: number): Code {
  const wanted = Array.from({ length: 8 }, (_, k) => 3 * k + lot);
  const [a, b, c] = vectors.map(get) as [Code, Code, Code];
  // A shuffle takes two vectors: first those that lie in `a` and `b`, each in its place, then the rest from `c`.
  const fromTwo = i16x8.shuffle(
    a,
    b,
    wanted.map((lane) => (lane < 16 ? lane : 0)),
  );
  return i16x8.shuffle(
    fromTwo,
    c,
    wanted.map((lane, k) => (lane < 16 ? k : lane - 8)),
  );
}
