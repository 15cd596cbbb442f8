import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { HALF_BAND_TAPS } from '../../src/audio/half-band.ts';
import { createResampler } from '../../src/audio/resample.ts';
import { compileFilter } from '../../src/audio/simd-kernel.ts';
import { halfBandModule } from '../../src/audio/wasm/half-band.ts';
import { parseWav } from '../../src/audio/wav.ts';
import { join, noise } from './signals.ts';

const PAIRS = [
  [8_000, 16_000],
  [24_000, 8_000],
] as const;

const whole = (
  signal: Int16Array,
  from: number,
  to: number,
  options: { simd?: boolean; gainDb?: number },
) => {
  const resampler = createResampler(from, to, options);
  return join([resampler.process(signal).slice(), resampler.flush()]);
};

/** How many samples differ, and the largest difference. */
function compare(a: Int16Array, b: Int16Array) {
  expect(a).toHaveLength(b.length);
  const differences = Array.from(a, (sample, i) => Math.abs(sample - b[i]!));
  return { differing: differences.filter((d) => d > 0).length, most: Math.max(0, ...differences) };
}

const recording = (path: string): Int16Array =>
  parseWav(readFileSync(new URL(`../../fixtures/${path}`, import.meta.url))).channels[0]!;

/** Five seconds of a call, in each direction: a caller's recording, and one of the bot's answers. */
const SPEECH = {
  8000: recording('calls/plain-question/caller.wav').subarray(0, 40_000),
  24000: recording('voices/bot/greeting.wav').subarray(0, 120_000),
};

const steps = (period: number): Int16Array =>
  Int16Array.from({ length: 20_000 }, (_, i) => (Math.floor(i / period) % 2 ? -32_768 : 32_767));

describe.each(PAIRS)('%i to %i Hz', (from, to) => {
  test('SIMD is in charge by default', () => {
    // It keeps 16-bit samples where JavaScript keeps 64-bit numbers.
    const [simd, plain] = [createResampler(from, to), createResampler(from, to, { simd: false })];
    expect(simd.stateBytes).toBeLessThan(plain.stateBytes / 4);
    expect(simd.delayMs).toBe(plain.delayMs);
  });

  test.each([0, -6, 4, 20])(
    'with %i dB it is within 1 of JavaScript: on speech, noise and steps',
    (gainDb) => {
      const signals = [
        SPEECH[from],
        noise(50_000, 32_767, 3),
        noise(50_000, 300, 4),
        steps(40),
        steps(7),
        steps(3_000),
      ];
      for (const signal of signals) {
        const { differing, most } = compare(
          whole(signal, from, to, { gainDb }),
          whole(signal, from, to, { gainDb, simd: false }),
        );
        expect(most).toBeLessThanOrEqual(1);
        expect(differing).toBeLessThan((signal.length * to) / from / 200);
      }
    },
  );

  test('calls that take turns at the one module do not hear each other', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            call: fc.integer({ min: 0, max: 2 }),
            length: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 1_500 })),
          }),
          { maxLength: 60, size: 'max' },
        ),
        (turns) => {
          const calls = [0, -3, 6].map((gainDb, call) => ({
            signal: noise(4_000, 20_000, call),
            resampler: createResampler(from, to, { gainDb }),
            gainDb,
            at: 0,
            heard: [] as Int16Array[],
          }));
          for (const { call, length } of turns) {
            const one = calls[call]!;
            one.heard.push(one.resampler.process(one.signal.subarray(one.at, one.at + length)).slice());
            one.at += length;
          }
          for (const { signal, resampler, gainDb, at, heard } of calls) {
            heard.push(resampler.process(signal.subarray(at)).slice(), resampler.flush());
            expect(join(heard)).toEqual(whole(signal, from, to, { gainDb }));
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('what comes out stays as it is when another call is served', () => {
    const [one, other] = [createResampler(from, to), createResampler(from, to)];
    const heard = one.process(noise(480, 9_000, 1));
    const copy = heard.slice();
    other.process(noise(480, 9_000, 2));
    expect(heard).toEqual(copy);
  });
});

test('8 to 16 kHz: every second output is a sample of the input, to the bit', () => {
  const signal = noise(5_000, 32_767, 8);
  const output = whole(signal, 8_000, 16_000, {});
  expect(signal.map((_, i) => output[2 * i + 56]!)).toEqual(signal);
});

describe('where SIMD cannot be had', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  const refusing = {
    Module: class {
      constructor() {
        throw new SyntaxError('Wasm SIMD unsupported');
      }
    },
  };

  test.each([
    ['no WebAssembly', undefined],
    ['a WebAssembly that refuses SIMD', refusing],
  ])('%s: JavaScript takes over', async (_, WebAssembly) => {
    vi.resetModules();
    vi.stubGlobal('WebAssembly', WebAssembly);
    const without = await import('../../src/audio/resample.ts');
    for (const [from, to] of PAIRS) {
      // Loud enough noise that the two would differ somewhere.
      const signal = noise(48_000, 32_767, 9);
      const expected = createResampler(from, to, { simd: false }).process(signal);
      expect(without.createResampler(from, to).process(signal)).toEqual(expected);
      expect(createResampler(from, to).process(signal)).not.toEqual(expected);
    }
  });

  test('a module that is not valid is not used', () => {
    const filter = halfBandModule(HALF_BAND_TAPS);
    expect(compileFilter(filter)).not.toBeNull();
    // No opcode begins with 0xff: in the place of the prefix of all SIMD instructions it stands for those unknown.
    const bytes = filter.bytes.map((byte) => (byte === 0xfd ? 0xff : byte));
    expect(compileFilter({ ...filter, bytes })).toBeNull();
  });
});
