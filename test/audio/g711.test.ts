import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PCMA, PCMU } from '../../src/audio/g711.ts';

/** G.711's tables as formulas, in 16-bit units: interval `q` (0..127) begins at `from` and is decoded as `value`. */
interface Interval {
  readonly from: number;
  readonly value: number;
}

const MU: Interval[] = Array.from({ length: 128 }, (_, q) => {
  const [segment, step] = [q >> 4, q & 15];
  return {
    from: q === 0 ? 0 : 4 * ((2 * step + 32) * 2 ** segment - 33),
    value: 4 * ((2 * step + 33) * 2 ** segment - 33),
  };
});

const A: Interval[] = Array.from({ length: 128 }, (_, q) => {
  const [segment, step] = [q >> 4, q & 15];
  if (segment === 0) return { from: 16 * step, value: 16 * step + 8 };
  const scale = 16 * 2 ** (segment - 1);
  return { from: (16 + step) * scale, value: (16.5 + step) * scale };
});

const LAWS = [
  { law: PCMU, intervals: MU, code: (q: number, negative: boolean) => ((negative ? 0x80 : 0) | q) ^ 0xff },
  { law: PCMA, intervals: A, code: (q: number, negative: boolean) => ((negative ? 0 : 0x80) | q) ^ 0x55 },
];

describe.each(LAWS)('$law.name', ({ law, intervals, code }) => {
  test('all 256 codes decode to the value of the Recommendation', () => {
    for (const negative of [false, true]) {
      intervals.forEach(({ value }, q) => {
        const [sample] = law.decode(Uint8Array.of(code(q, negative)));
        expect(sample).toBe(negative && value !== 0 ? -value : value);
      });
    }
  });

  test('all 65,536 samples encode to the interval their magnitude falls into', () => {
    const samples = Int16Array.from({ length: 65_536 }, (_, i) => i - 32_768);
    const payload = law.encode(samples);
    const wrong = Array.from(samples).filter((sample, i) => {
      const q = intervals.findLastIndex(({ from }) => from <= Math.abs(sample));
      return payload[i] !== code(q, sample < 0);
    });
    expect(wrong).toEqual([]);
  });

  test('silence is the code of zero', () => {
    expect(law.encode(Int16Array.of(0))).toEqual(Uint8Array.of(law.silence));
    expect(Math.abs(law.decode(Uint8Array.of(law.silence))[0]!)).toBe(intervals[0]!.value);
  });

  test('a buffer handed in that is large enough is filled, and only that', () => {
    const samples = new Int16Array(10).fill(77);
    const decoded = law.decode(Uint8Array.of(1, 2, 3), samples);
    expect(decoded.buffer).toBe(samples.buffer);
    expect(decoded).toHaveLength(3);
    expect(samples[3]).toBe(77);
    const payload = new Uint8Array(10).fill(7);
    const encoded = law.encode(Int16Array.of(1, -2, 3), payload);
    expect(encoded.buffer).toBe(payload.buffer);
    expect(encoded).toHaveLength(3);
    expect(payload[3]).toBe(7);
  });

  test('a buffer that is too small is left alone', () => {
    const small = new Int16Array(2);
    expect(law.decode(Uint8Array.of(1, 2, 3), small)).toHaveLength(3);
    expect(small).toEqual(new Int16Array(2));
    const smallBytes = new Uint8Array(2);
    expect(law.encode(Int16Array.of(1, 2, 3), smallBytes)).toHaveLength(3);
    expect(smallBytes).toEqual(new Uint8Array(2));
  });

  test('decoding and encoding again gives the same payload, minus zero apart', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000, size: 'max' }), (payload) => {
        const again = law.encode(law.decode(payload));
        const expected = payload.map((byte) => (law === PCMU && byte === 0x7f ? 0xff : byte));
        expect(again).toEqual(expected);
      }),
    );
  });
});
