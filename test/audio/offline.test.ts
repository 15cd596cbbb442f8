import { describe, expect, test } from 'vitest';
import waveResampler from 'wave-resampler';
import { convertOffline } from '../../src/audio/offline.ts';
import { createResampler } from '../../src/audio/resample.ts';
import { db, join, noise, rms, sinad, sine, snr } from './signals.ts';

const RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
const PAIRS = RATES.flatMap((from) => RATES.filter((to) => to !== from).map((to) => [from, to] as const));

describe('every pair of rates', () => {
  test.each(PAIRS)('%i to %i Hz: a tone keeps its place, its level and its purity', (from, to) => {
    const tone = (sampleRate: number) =>
      sine({ hertz: 1_000, sampleRate, samples: Math.floor(sampleRate / 10), dbfs: -6 });
    const output = convertOffline(tone(from), from, to);
    expect(output).toHaveLength(Math.ceil((Math.floor(from / 10) * to) / from));
    // Nothing is delayed: the same tone, sampled at the other rate, is what should come out.
    const [start, end] = [to / 50, to / 12.5].map(Math.floor) as [number, number];
    const expected = sine({ hertz: 1_000, sampleRate: to, samples: to / 10, dbfs: -6 });
    expect(snr(output.subarray(start, end), expected.subarray(start, end))).toBeGreaterThan(65);
    expect(sinad(output.subarray(start, end), 1_000, to)).toBeGreaterThan(70);
  });

  test('equal rates: a copy', () => {
    const signal = noise(100, 9_000);
    const copy = convertOffline(signal, 44_100, 44_100);
    expect(copy).toEqual(signal);
    expect(copy.buffer).not.toBe(signal.buffer);
  });
});

test('the input is left as it was', () => {
  const signal = noise(2_000, 30_000);
  const before = signal.slice();
  convertOffline(signal, 24_000, 8_000);
  expect(signal).toEqual(before);
});

test('overshoot is clamped and never wraps round', () => {
  const square = Int16Array.from({ length: 4_800 }, (_, i) => (Math.floor(i / 60) % 2 ? -32_768 : 32_767));
  const output = convertOffline(square, 24_000, 8_000);
  for (let k = 2; k < 70; k += 1) {
    // Without the two samples next to each flank, where the sign may be either.
    const half = output.subarray(k * 20 + 2, k * 20 + 18);
    expect(new Set(half.map(Math.sign))).toEqual(new Set([k % 2 ? -1 : 1]));
  }
});

test.each([16_000, 22_050, 24_000, 44_100, 48_000])('what 8 kHz cannot hold is gone: from %i Hz', (from) => {
  const tone = sine({ hertz: 5_003, sampleRate: from, samples: from, dbfs: -1 });
  const settled = convertOffline(tone, from, 8_000).subarray(500, 7_500);
  expect(db((rms(settled) * Math.SQRT2) / 32_767)).toBeLessThan(-80);
});

test('nothing in, nothing out', () => {
  expect(convertOffline(new Int16Array(0), 8_000, 16_000)).toHaveLength(0);
});

test('a rate that is not supported is refused with what was found', () => {
  expect(() => convertOffline(new Int16Array(1), 12_000, 8_000)).toThrow('from "12000" to "8000"');
});

describe('why the live path does not call wave-resampler on every frame', () => {
  test.each([
    [8_000, 16_000],
    [24_000, 8_000],
  ])('%i to %i Hz: it is below 20 dB of SINAD there, where G.711 itself leaves 37', (from, to) => {
    const hertz = 1_004;
    const signal = sine({ hertz, sampleRate: from, samples: from, dbfs: -10 });
    const frame = from / 50;
    const frames = Array.from({ length: 50 }, (_, i) => signal.slice(i * frame, (i + 1) * frame));
    const perFrame = join(
      frames.map((f) =>
        Int16Array.from(waveResampler.resample(Float64Array.from(f), from, to, {}), Math.round),
      ),
    );
    const resampler = createResampler(from, to);
    const own = join(frames.map((f) => resampler.process(f).slice()));
    expect(sinad(perFrame.subarray(to / 10), hertz, to)).toBeLessThan(20);
    expect(sinad(own.subarray(to / 10), hertz, to)).toBeGreaterThan(80);
  });
});
