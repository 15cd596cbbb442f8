import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SampleAssembler, samplesToBytes } from '../../src/audio/pcm.ts';
import { createResampler, type Resampler } from '../../src/audio/resample.ts';
import { join, noise } from './signals.ts';

/** The hot ones come in SIMD and in JavaScript; the others ignore the difference. */
const PAIRS = [
  [8_000, 16_000, true],
  [24_000, 8_000, true],
  [8_000, 16_000, false],
  [24_000, 8_000, false],
  [16_000, 8_000, true],
  [8_000, 24_000, true],
  [24_000, 16_000, true],
  [16_000, 24_000, true],
  [8_000, 8_000, true],
] as const;

/** Pushes a signal cut at the given lengths (the last one takes what is left) and returns all that came out. */
function inChunks(resampler: Resampler, signal: Int16Array, lengths: readonly number[]): Int16Array {
  const parts: Int16Array[] = [];
  let at = 0;
  for (const length of [...lengths, signal.length]) {
    parts.push(resampler.process(signal.subarray(at, at + length)).slice());
    at += length;
  }
  return join(parts);
}

describe.each(PAIRS)('%i to %i Hz (SIMD: %s)', (inputRate, outputRate, simd) => {
  const fresh = () => createResampler(inputRate, outputRate, { simd });
  const whole = (signal: Int16Array) => {
    const resampler = fresh();
    return join([resampler.process(signal).slice(), resampler.flush()]);
  };

  test('any chunking gives the same output to the bit, and as much of it as is due', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5_000 }),
        fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 1_500 })), {
          maxLength: 60,
          size: 'max',
        }),
        fc.integer(),
        (samples, lengths, seed) => {
          const signal = noise(samples, 32_767, seed);
          const resampler = fresh();
          const chunked = inChunks(resampler, signal, lengths);
          expect(chunked).toHaveLength(Math.ceil((samples * outputRate) / inputRate));
          expect(join([chunked, resampler.flush()])).toEqual(whole(signal));
        },
      ),
      { numRuns: 40 },
    );
  });

  test('single samples give the same output to the bit', () => {
    const signal = noise(700, 32_767, 5);
    const resampler = fresh();
    const chunked = inChunks(resampler, signal, new Array(signal.length).fill(1));
    expect(join([chunked, resampler.flush()])).toEqual(whole(signal));
  });

  test.each(['flush', 'reset'] as const)('after a %s it is as new, wherever the signal stood', (ending) => {
    const signal = noise(600, 20_000, 6);
    for (const before of [1, 2, 3, 100, 481]) {
      const resampler = fresh();
      resampler.process(noise(before, 32_767, before));
      resampler[ending]();
      expect(join([resampler.process(signal).slice(), resampler.flush()])).toEqual(whole(signal));
    }
  });

  test('a flush brings the end of a word: an impulse on the last sample comes out whole', () => {
    const resampler = fresh();
    const signal = new Int16Array(inputRate / 20);
    signal[signal.length - 1] = 30_000;
    const output = join([resampler.process(signal).slice(), resampler.flush()]);
    const due = ((signal.length - 1) / inputRate + resampler.delayMs / 1000) * outputRate;
    const peak = output.reduce((best, value, i) => (Math.abs(value) > Math.abs(output[best]!) ? i : best), 0);
    expect(Math.abs(peak - due)).toBeLessThanOrEqual(1);
  });

  test('what it returns lives in memory of its own that the next call writes over', () => {
    const resampler = fresh();
    const first = resampler.process(noise(480, 9_000, 1));
    const second = resampler.process(noise(480, 9_000, 2));
    expect(second.buffer).toBe(first.buffer);
  });
});

test('24 to 8 kHz from single bytes gives the same output to the bit', () => {
  const signal = noise(2_000, 32_767, 9);
  const [assembler, resampler, reference] = [
    new SampleAssembler(),
    createResampler(24_000, 8_000),
    createResampler(24_000, 8_000),
  ];
  const parts = Array.from(samplesToBytes(signal), (byte) =>
    resampler.process(assembler.push(Uint8Array.of(byte))).slice(),
  );
  expect(join(parts)).toEqual(reference.process(signal).slice());
});

describe('ten minutes in chunks of every length', () => {
  test.each(PAIRS.slice(0, 4))(
    '%i to %i Hz (SIMD: %s): not one sample of drift',
    (inputRate, outputRate, simd) => {
      const resampler = createResampler(inputRate, outputRate, { simd });
      const total = 600 * inputRate;
      const click = total - 7_200;
      let fed = 0;
      let received = 0;
      let peakAt = -1;
      let peak = 0;
      for (let length = 1; fed < total; length = (length % 1_999) + 1) {
        const chunk = new Int16Array(Math.min(length, total - fed));
        if (click >= fed && click < fed + chunk.length) chunk[click - fed] = 30_000;
        const output = resampler.process(chunk);
        if (fed > click - 30_000) {
          output.forEach((sample, i) => {
            if (Math.abs(sample) > peak) [peak, peakAt] = [Math.abs(sample), received + i];
          });
        }
        fed += chunk.length;
        received += output.length;
      }
      expect(received).toBe(600 * outputRate);
      const due = (click / inputRate + resampler.delayMs / 1000) * outputRate;
      expect(Math.abs(peakAt - due)).toBeLessThanOrEqual(0.5);
    },
  );
});

describe('what cannot be converted is refused with what was found', () => {
  test.each([
    [11_025, 8_000],
    [8_000, 48_000],
    [0, 0],
    [44_100, 44_100],
  ])('%i to %i Hz', (inputRate, outputRate) => {
    expect(() => createResampler(inputRate, outputRate)).toThrow(`from "${inputRate}" to "${outputRate}"`);
  });

  test.each([Number.NaN, 21, -41, Number.POSITIVE_INFINITY])('a gain of %s dB', (gainDb) => {
    expect(() => createResampler(8_000, 16_000, { gainDb })).toThrow(`"${gainDb}"`);
  });
});
