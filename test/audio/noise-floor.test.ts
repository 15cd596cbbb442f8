import { expect, test } from 'vitest';
import { NoiseFloor } from '../../src/audio/noise-floor.ts';

function after(floor: NoiseFloor, frames: number, level: (i: number) => number, speaking = false): number {
  for (let i = 0; i < frames; i += 1) floor.push(level(i), speaking);
  return floor.dbov;
}

test('the noise of the first frames is believed at once, if it is not as loud as speech', () => {
  expect(after(new NoiseFloor(), 5, () => -45)).toBeCloseTo(-45, 5);
  expect(after(new NoiseFloor(), 5, () => -20)).toBe(-36);
});

test('it falls with the noise, within 0.3 s', () => {
  const floor = new NoiseFloor();
  after(floor, 100, () => -40);
  expect(after(floor, 15, () => -60)).toBeLessThan(-59);
});

test('it rises at most 10 dB a second, and reaches steady noise', () => {
  const floor = new NoiseFloor();
  after(floor, 200, () => -60);
  expect(after(floor, 150, () => -40)).toBeLessThan(-40);
  expect(after(floor, 100, () => -40)).toBeCloseTo(-40, 3);
});

test('speech is not learnt: twenty seconds of syllables leave it on the noise', () => {
  const floor = new NoiseFloor();
  after(floor, 100, () => -55);
  expect(after(floor, 1_000, (i) => (i % 40 < 30 ? -20 : -55), true)).toBeLessThan(-53);
});

test('a vowel of four seconds lifts it by no more than 4 dB', () => {
  const floor = new NoiseFloor();
  after(floor, 100, () => -55);
  expect(after(floor, 200, () => -20, true)).toBeLessThanOrEqual(-51);
});

test('digital silence does not take it below -66 dBov', () => {
  expect(after(new NoiseFloor(), 50, () => -127)).toBe(-66);
});
