import { describe, expect, test } from 'vitest';
import { DECIMATOR_TAPS } from '../../../src/audio/decimator.ts';
import { HALF_BAND_TAPS } from '../../../src/audio/half-band.ts';
import {
  assembleModule,
  type Code,
  f32,
  f32x4,
  get,
  i16x8,
  i32,
  i32x4,
  Locals,
  loop,
  set,
  v128,
} from '../../../src/audio/wasm/assembler.ts';
import { decimatorModule } from '../../../src/audio/wasm/decimator.ts';
import { halfBandModule } from '../../../src/audio/wasm/half-band.ts';

/** The little of WebAssembly that is used here; the types of Node leave it out. */
interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
    readonly Instance: new (
      module: object,
    ) => { readonly exports: { run(...values: number[]): void; readonly memory: Memory } };
  };
};

const load = (bytes: Uint8Array<ArrayBuffer>) =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;

const IN = 16;
const OUT = 80;
const input = (vector = 0): Code => v128.load(i32.const(IN), 16 * vector);

/** Runs code that yields a vector on what is put at address IN; returns what is stored at OUT. */
function evaluate(code: Code, values: Int16Array | Int32Array | Float32Array): ArrayBuffer {
  const { run, memory } = load(assembleModule(new Locals(), v128.store(i32.const(0), OUT, code)));
  new Uint8Array(memory.buffer).set(new Uint8Array(values.buffer), IN);
  run();
  return memory.buffer.slice(OUT, OUT + 16);
}

describe('each vector instruction does what its name says', () => {
  const floats = Float32Array.of(1.5, -1.5, 40_000.25, -0.25, 3, -7, 0.5, 1e12);

  test('load and store move sixteen bytes, and load32Splat four to every lane', () => {
    expect(new Float32Array(evaluate(input(1), floats))).toEqual(floats.slice(4));
    const splat = v128.load32Splat(i32.const(IN), 8);
    expect(new Float32Array(evaluate(splat, floats))).toEqual(new Float32Array(4).fill(40_000.25));
    expect(new Float32Array(evaluate(v128.zero, floats))).toEqual(new Float32Array(4));
  });

  test('add, mul and floor of floats, a constant in every lane', () => {
    const sum = new Float32Array(evaluate(f32x4.add(input(0), input(1)), floats));
    expect(sum).toEqual(Float32Array.of(4.5, -8.5, 40_000.75, 1e12));
    const product = new Float32Array(evaluate(f32x4.mul(input(0), f32x4.splat(f32.const(-2))), floats));
    expect(product).toEqual(Float32Array.of(-3, 3, -80_000.5, 0.5));
    const floor = new Float32Array(evaluate(f32x4.floor(input(0)), floats));
    expect(floor).toEqual(Float32Array.of(1, -2, 40_000, -1));
  });

  test('floats to integers truncate and clamp, integers to floats are exact', () => {
    expect(new Int32Array(evaluate(i32x4.fromF32(input(1)), floats))).toEqual(
      Int32Array.of(3, -7, 0, 2_147_483_647),
    );
    const integers = Int32Array.of(-32_768, 32_767, 0, 5);
    expect(new Float32Array(evaluate(f32x4.fromI32(input()), integers))).toEqual(
      Float32Array.of(-32_768, 32_767, 0, 5),
    );
  });

  test('16 bits widen with their sign, the lower four and the upper four; 32 bits narrow with a clamp', () => {
    const samples = Int16Array.of(1, -2, 32_767, -32_768, 5, -6, 7, -8);
    const low = Int32Array.of(1, -2, 32_767, -32_768);
    expect(new Int32Array(evaluate(i32x4.extendLow16(input()), samples))).toEqual(low);
    expect(new Int32Array(evaluate(v128.load16x4(i32.const(IN), 0), samples))).toEqual(low);
    expect(new Int32Array(evaluate(i32x4.extendHigh16(input()), samples))).toEqual(
      Int32Array.of(5, -6, 7, -8),
    );
    const wide = Int32Array.of(1, -2, 32_768, -32_769, 70_000, -70_000, 7, -8);
    expect(new Int16Array(evaluate(i16x8.narrow(input(0), input(1)), wide))).toEqual(
      Int16Array.of(1, -2, 32_767, -32_768, 32_767, -32_768, 7, -8),
    );
  });

  test('a shuffle picks lanes from both vectors', () => {
    const samples = Int16Array.from({ length: 16 }, (_, i) => 100 + i);
    const lanes = [15, 0, 8, 7, 3, 3, 12, 1];
    expect(new Int16Array(evaluate(i16x8.shuffle(input(0), input(1), lanes), samples))).toEqual(
      Int16Array.from(lanes, (lane) => 100 + lane),
    );
  });
});

test('a loop runs for each step below its limit, and not at all for a limit of 0', () => {
  for (const [limit, step, rounds] of [
    [0, 8, 0],
    [1, 8, 1],
    [8, 8, 1],
    [9, 8, 2],
    [160, 8, 20],
    [300, 1, 300],
  ] as const) {
    const locals = new Locals();
    const end = locals.param('i32');
    const n = locals.variable('i32');
    const at = locals.variable('i32');
    // Every round adds 1 to all lanes at the address that counts up in `at`, which starts at 0.
    const one = f32x4.splat(f32.const(1));
    const body = [
      ...v128.store(get(at), 0, f32x4.add(v128.load(get(at), 0), one)),
      ...set(at, i32.add(get(at), i32.const(16))),
    ];
    const { run, memory } = load(assembleModule(locals, loop(n, end, step, body)));
    run(limit);
    const touched = new Float32Array(memory.buffer).filter((value) => value === 1).length;
    expect(touched).toBe(4 * rounds);
  }
});

test.each([0, 63, 64, -64, -65, 127, 128, 8_191, 8_192, -8_193, 65_519])('%i is encoded whole', (value) => {
  const locals = new Locals();
  const at = locals.param('i32');
  const { run, memory } = load(
    assembleModule(
      locals,
      v128.store(i32.add(get(at), i32.mul(i32.const(value), i32.const(1))), 0, f32x4.splat(f32.const(9))),
    ),
  );
  // Its address is the parameter and the constant: they cancel to 8.
  run(8 - value);
  expect(new Float32Array(memory.buffer, 8, 4)).toEqual(new Float32Array(4).fill(9));
});

test('a parameter cannot be declared behind a variable, whose index it would take', () => {
  const locals = new Locals();
  locals.variable('i32');
  expect(() => locals.param('i32')).toThrow('behind a variable');
});

describe.each([
  ['half-band', halfBandModule(HALF_BAND_TAPS)],
  ['decimator', decimatorModule(DECIMATOR_TAPS)],
])('the module of the %s', (_, filter) => {
  test('is small, and the same bytes whenever it is made', () => {
    expect(filter.bytes.length).toBeLessThan(2_000);
    const again = filter.up === 2 ? halfBandModule(HALF_BAND_TAPS) : decimatorModule(DECIMATOR_TAPS);
    expect(again.bytes).toEqual(filter.bytes);
  });

  test('has one page of memory, of which it uses less than 8 kB, and cannot grow', () => {
    const { memory } = load(filter.bytes);
    expect(memory.buffer.byteLength).toBe(65_536);
    expect(() => memory.grow(1)).toThrow(RangeError);
    expect(filter.outputAt + 2 * Math.ceil((filter.block * filter.up) / filter.down)).toBeLessThan(8_192);
  });

  test('writes nowhere but behind its taps and up to the end of its output', () => {
    const { run, memory } = load(filter.bytes);
    const end = filter.outputAt + 2 * Math.ceil((filter.block * filter.up) / filter.down);
    const bytes = new Uint8Array(memory.buffer);
    bytes.fill(0xa5);
    const outputs = Math.ceil((filter.block * filter.up) / filter.down);
    run(filter.block, 0, outputs, 1);
    expect(new Set(bytes.subarray(0, filter.tapsAt + filter.taps.byteLength))).toEqual(new Set([0xa5]));
    expect(new Set(bytes.subarray(end))).toEqual(new Set([0xa5]));
  });
});
