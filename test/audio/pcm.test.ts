import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SampleAssembler, samplesToBytes } from '../../src/audio/pcm.ts';
import { join } from './signals.ts';

/** The bytes at an odd offset of a larger buffer, as a socket hands them out. */
function misaligned(bytes: Uint8Array): Buffer {
  const buffer = Buffer.alloc(bytes.length + 1);
  buffer.set(bytes, 1);
  return buffer.subarray(1);
}

test('bytes cut anywhere, at any alignment, become the samples they were', () => {
  fc.assert(
    fc.property(
      fc.int16Array({ maxLength: 3_000, size: 'max' }),
      fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 40, size: 'max' }),
      (samples, cuts) => {
        const bytes = Buffer.alloc(samples.length * 2);
        samples.forEach((sample, i) => {
          bytes.writeInt16LE(sample, i * 2);
        });
        const assembler = new SampleAssembler();
        const parts: Int16Array[] = [];
        for (let at = 0, k = 0; at < bytes.length; k += 1) {
          const length = k >= cuts.length ? bytes.length - at : cuts[k]!;
          parts.push(assembler.push(misaligned(bytes.subarray(at, at + length))).slice());
          at += length;
        }
        expect(join(parts)).toEqual(samples);
      },
    ),
  );
});

test('single bytes and empty pushes lose nothing', () => {
  const assembler = new SampleAssembler();
  const bytes = [0x34, 0x12, 0xff, 0xff, 0x00, 0x80];
  const samples = bytes.flatMap((byte) => [
    ...assembler.push(new Uint8Array(0)),
    ...assembler.push(Uint8Array.of(byte)),
  ]);
  expect(samples).toEqual([0x1234, -1, -32_768]);
});

test('a reset forgets the odd byte', () => {
  const assembler = new SampleAssembler();
  assembler.push(Uint8Array.of(1, 2, 3));
  assembler.reset();
  expect([...assembler.push(Uint8Array.of(0x10, 0x20))]).toEqual([0x2010]);
});

test('a huge push does not stay in memory', () => {
  const assembler = new SampleAssembler();
  const huge = assembler.push(new Uint8Array(200_000));
  expect(huge).toHaveLength(100_000);
  expect(assembler.push(Uint8Array.of(1, 0)).buffer.byteLength).toBeLessThanOrEqual(8_192);
});

test('samples go out as little-endian bytes of the same memory', () => {
  const samples = Int16Array.of(0, 1, -2, 0x1234).subarray(1);
  const bytes = samplesToBytes(samples);
  expect([...bytes]).toEqual([0x01, 0x00, 0xfe, 0xff, 0x34, 0x12]);
  samples[0] = 5;
  expect(bytes[0]).toBe(5);
});
