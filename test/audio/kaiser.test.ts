import { expect, test } from 'vitest';
import { besselI0, kaiser, lowPass, sinc } from '../../src/audio/kaiser.ts';

test('I0 agrees with its integral: the mean of exp(x cos t) over half a turn', () => {
  for (const x of [0, 0.5, 3, 8, 9]) {
    const steps = 2_000;
    let sum = 0;
    for (let k = 0; k < steps; k += 1) sum += Math.exp(x * Math.cos((Math.PI * (k + 0.5)) / steps));
    expect(besselI0(x) / (sum / steps)).toBeCloseTo(1, 12);
  }
});

test('the window is 1 in the middle, 1 / I0(beta) at its ends, 0 outside', () => {
  expect(kaiser(0, 8)).toBe(1);
  expect(kaiser(1, 8)).toBeCloseTo(1 / besselI0(8), 12);
  expect(kaiser(-1, 8)).toBe(kaiser(1, 8));
  expect(kaiser(1.01, 8)).toBe(0);
});

test('sinc is 1 at 0 and vanishes at every other whole number', () => {
  expect(sinc(0)).toBe(1);
  for (const x of [-3, -1, 1, 2, 50]) expect(Math.abs(sinc(x))).toBeLessThan(1e-15);
});

test('a low-pass is symmetric, has the wanted sum, and is 6 dB down at its cut-off', () => {
  const taps = lowPass({ taps: 183, sampleRate: 24_000, cutoffHz: 3_850, beta: 8, sum: 2 });
  const gainAt = (hertz: number) => {
    const [re, im] = [Math.cos, Math.sin].map((f) =>
      taps.reduce((sum, tap, k) => sum + tap * f((2 * Math.PI * hertz * k) / 24_000), 0),
    ) as [number, number];
    return Math.hypot(re, im);
  };
  expect(
    taps
      .toReversed()
      .map((tap, k) => Math.abs(tap - taps[k]!))
      .reduce((a, b) => a + b),
  ).toBeLessThan(1e-12);
  expect(gainAt(0)).toBeCloseTo(2, 12);
  expect(20 * Math.log10(gainAt(3_850) / 2)).toBeCloseTo(-6.02, 1);
  expect(20 * Math.log10(gainAt(4_400) / 2)).toBeLessThan(-80);
});
