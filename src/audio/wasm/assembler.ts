/**
 * A WebAssembly assembler for functions without results over one page of memory: enough for a filter. Code is a
 * list of bytes, and an instruction is a function of the code of its operands, so a formula reads as a formula.
 * Opcodes: WebAssembly Core Specification 2.0, chapter 5 (binary format).
 */

export type Code = readonly number[];

/** A function's parameter or local variable, by its index; parameters come first. */
export interface Local {
  readonly index: number;
  readonly type: ValueType;
}

export type ValueType = keyof typeof TYPES;

const TYPES = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

/** What a function declares: its parameters, in the order of the call, and its local variables. */
export class Locals {
  readonly params: Local[] = [];
  readonly variables: Local[] = [];

  param(type: 'i32' | 'f32'): Local {
    if (this.variables.length > 0) throw new Error('Cannot declare a parameter behind a variable.');
    const local = { index: this.params.length, type };
    this.params.push(local);
    return local;
  }

  variable(type: ValueType): Local {
    const local = { index: this.params.length + this.variables.length, type };
    this.variables.push(local);
    return local;
  }
}

export const get = (local: Local): Code => [0x20, ...unsigned(local.index)];
export const set = (local: Local, value: Code): Code => [...value, 0x21, ...unsigned(local.index)];

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  add: (a: Code, b: Code): Code => [...a, ...b, 0x6a],
  mul: (a: Code, b: Code): Code => [...a, ...b, 0x6c],
};

/** `offset` is in bytes, and part of the instruction: it costs nothing. No address needs to be aligned. */
export const v128 = {
  load: (address: Code, offset: number): Code => [...address, ...simd(0x00), ...memory(offset)],
  /** Four 16-bit integers, widened to 32 bits. */
  load16x4: (address: Code, offset: number): Code => [...address, ...simd(0x03), ...memory(offset)],
  /** One 32-bit value in all four lanes. */
  load32Splat: (address: Code, offset: number): Code => [...address, ...simd(0x09), ...memory(offset)],
  store: (address: Code, offset: number, value: Code): Code => [
    ...address,
    ...value,
    ...simd(0x0b),
    ...memory(offset),
  ],
  zero: [0xfd, 0x0c, ...new Array<number>(16).fill(0)] as Code,
};

export const i16x8 = {
  /** Picks eight lanes: 0 to 7 are those of `a`, 8 to 15 those of `b`. */
  shuffle: (a: Code, b: Code, lanes: readonly number[]): Code => [
    ...a,
    ...b,
    ...simd(0x0d),
    ...lanes.flatMap((lane) => [2 * lane, 2 * lane + 1]),
  ],
  /** Two times four 32-bit integers, clamped to 16 bits. */
  narrow: (low: Code, high: Code): Code => [...low, ...high, ...simd(0x85)],
};

export const i32x4 = {
  /** The four lower of eight 16-bit integers, widened. */
  extendLow16: (value: Code): Code => [...value, ...simd(0xa7)],
  /** The four upper ones. */
  extendHigh16: (value: Code): Code => [...value, ...simd(0xa8)],
  /** Truncates; what lies beyond 32 bits is clamped. */
  fromF32: (value: Code): Code => [...value, ...simd(0xf8)],
};

export const f32x4 = {
  splat: (value: Code): Code => [...value, ...simd(0x13)],
  floor: (value: Code): Code => [...value, ...simd(0x68)],
  add: (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe4)],
  mul: (a: Code, b: Code): Code => [...a, ...b, ...simd(0xe6)],
  fromI32: (value: Code): Code => [...value, ...simd(0xfa)],
};

export const f32 = {
  const: (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
};

/** for (counter = 0; counter < limit; counter += step) body */
export function loop(counter: Local, limit: Local, step: number, body: Code): Code {
  const leave = [...get(counter), ...get(limit), 0x4f, 0x0d, 1];
  const next = [...set(counter, i32.add(get(counter), i32.const(step))), 0x0c, 0];
  return [...set(counter, i32.const(0)), 0x02, 0x40, 0x03, 0x40, ...leave, ...body, ...next, 0x0b, 0x0b];
}

/** The bytes of a module that exports one function, `run`, and its memory, `memory`: one page, and never more. */
export function assembleModule(locals: Locals, body: Code): Uint8Array<ArrayBuffer> {
  const declared = locals.variables.map((local) => [1, TYPES[local.type]]);
  const code = [...vector(declared), ...body, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, ...vector(locals.params.map((local) => [TYPES[local.type]])), 0]]),
    ...section(3, [[0]]),
    ...section(5, [[1, 1, 1]]),
    ...section(7, [
      [...name('run'), 0, 0],
      [...name('memory'), 2, 0],
    ]),
    ...section(10, [[...unsigned(code.length), ...code]]),
  ]);
}

function section(id: number, entries: readonly Code[]): Code {
  const content = vector(entries);
  return [id, ...unsigned(content.length), ...content];
}

const vector = (entries: readonly Code[]): Code => [...unsigned(entries.length), ...entries.flat()];
const name = (text: string): Code => [...unsigned(text.length), ...Buffer.from(text)];
const simd = (opcode: number): Code => [0xfd, ...unsigned(opcode)];
/** Alignment 2^0, which every address has, and the offset. */
const memory = (offset: number): Code => [0, ...unsigned(offset)];

/** LEB128, seven bits a byte, the lowest first. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const last = value >= -0x40 && value < 0x40;
  return last ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}
