import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCodec } from '../../src/call/codec.ts';

const rms = (samples: ArrayLike<number>) =>
  20 *
  Math.log10(Math.sqrt(Array.from(samples).reduce((sum, s) => sum + s * s, 0) / samples.length) / 32_768);

/** The segment and step of a mu-law code, by the Recommendation's formula rather than by a table. */
function muLaw(code: number): number {
  const inverted = ~code & 0xff;
  const magnitude = (((inverted & 0x0f) << 3) + 0x84) << ((inverted >> 4) & 7);
  return (inverted & 0x80) === 0 ? magnitude - 0x84 : 0x84 - magnitude;
}

describe.each([
  ['pcmu', 8_000, 1],
  ['pcma', 8_000, 1],
  ['l16', 16_000, 2],
] as const)('%s at %i Hz', (encoding, sampleRate, bytesPerSample) => {
  const payloads = fc
    .uint8Array({ minLength: 0, maxLength: 8_000, size: 'max' })
    .map((bytes) => bytes.subarray(0, bytes.length - (bytes.length % bytesPerSample)));

  test('what is decoded and encoded again sounds the same, also beyond the scratch space', () => {
    fc.assert(
      fc.property(payloads, (payload) => {
        const codec = createCodec({ encoding, sampleRate });
        const samples = codec.decode(payload).slice();
        expect(samples.length * bytesPerSample).toBe(payload.length);
        const again = codec.decode(codec.encode(samples).slice()).slice();
        expect(Buffer.from(again.buffer).equals(Buffer.from(samples.buffer))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('its silence is silent, and its level is that of what it decodes to', () => {
    const codec = createCodec({ encoding, sampleRate });
    expect(codec.sampleRate).toBe(sampleRate);
    expect(codec.bytesPerSample).toBe(bytesPerSample);
    const silence = new Uint8Array(320).fill(codec.silence);
    expect(Math.max(...codec.decode(silence).map(Math.abs))).toBeLessThanOrEqual(8);
    expect(codec.levelDbov(silence)).toBeLessThan(-70);
    const loud = Uint8Array.from({ length: 320 }, (_, i) => (i * 37) % 256);
    expect(codec.levelDbov(loud)).toBeCloseTo(rms(codec.decode(loud).slice()), 6);
  });
});

test('mu-law is mu-law, every code of it', () => {
  const codec = createCodec({ encoding: 'pcmu', sampleRate: 8_000 });
  const codes = Uint8Array.from({ length: 256 }, (_, code) => code);
  expect(Array.from(codec.decode(codes))).toEqual(Array.from(codes, (code) => muLaw(code) || 0));
});

test('L16 is little-endian, whatever the alignment of the payload', () => {
  const codec = createCodec({ encoding: 'l16', sampleRate: 8_000 });
  const shifted = Buffer.from([0xff, 0x01, 0x80, 0xfe, 0x7f]).subarray(1);
  expect(Array.from(codec.decode(shifted))).toEqual([-32_767, 32_766]);
  expect(Array.from(codec.encode(Int16Array.of(-2, 258)))).toEqual([0xfe, 0xff, 2, 1]);
});
