import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createResampler } from '../../src/audio/resample.ts';
import { Playout } from '../../src/call/playout.ts';
import { Voice } from '../../src/call/voice.ts';
import { noise } from '../audio/signals.ts';
import { LIMITS } from './playout-desk.ts';
import { bytesOf, l16, SimulatedCarrier } from './simulated-carrier.ts';

class Desk {
  nowMs = 1_000;
  readonly carrier = new SimulatedCarrier(() => this.nowMs);
  readonly playout = new Playout(
    l16(),
    { ...LIMITS, leadMs: 60_000, maxLeadMs: 60_000 },
    {
      onAudible: () => {},
      onUnderrun: () => {},
      onOverflow: () => {},
      onDrained: () => {},
    },
  );
  readonly voice: Voice;

  constructor(gainDb = 0) {
    this.voice = new Voice(l16(), this.playout, gainDb);
    this.playout.attach(this.carrier, this.nowMs);
  }

  /** Everything that was written, silence included. */
  get written(): number[] {
    return this.carrier.writtenOf('audio').flatMap(({ samples }) => Array.from(samples));
  }
}

/** The whole signal converted in one piece, tail and all. */
function converted(signal: Int16Array, rate = 24_000, gainDb = 0): number[] {
  const resampler = createResampler(rate, 8_000, { gainDb });
  const body = Array.from(resampler.process(signal));
  return [...body, ...Array.from(resampler.flush())];
}

const SIGNAL = noise(24_000, 8_000, 5);

test('the bytes of the model may be cut anywhere, also inside a sample: the sound is the same to the bit', () => {
  const wanted = converted(SIGNAL);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9_601 }), { maxLength: 40, size: 'max' }), (cuts) => {
      const desk = new Desk();
      const bytes = bytesOf(SIGNAL);
      let at = 0;
      let queued = 0;
      for (const length of [...cuts, bytes.length]) {
        queued += desk.voice.push(bytes.slice(at, at + length), 24_000, 1, desk.nowMs);
        at += length;
      }
      queued += desk.voice.endOfGeneration(desk.nowMs);
      expect(desk.written).toEqual(wanted);
      expect(queued).toBe(wanted.length);
      expect(desk.playout.queuedTo).toBe(queued);
    }),
    { numRuns: 25 },
  );
});

describe('the tail of a word', () => {
  test('comes with the end of the generation, once', () => {
    const desk = new Desk();
    desk.voice.push(bytesOf(SIGNAL), 24_000, 1, desk.nowMs);
    expect(desk.playout.queuedTo).toBe(8_000);
    expect(desk.voice.endOfGeneration(desk.nowMs)).toBe(converted(SIGNAL).length - 8_000);
    expect(desk.voice.endOfGeneration(desk.nowMs)).toBe(0);
    expect(desk.written).toEqual(converted(SIGNAL));
  });

  test('does not wait for a model that pauses: it is said before the carrier runs dry', () => {
    const desk = new Desk();
    desk.voice.push(bytesOf(SIGNAL), 24_000, 1, desk.nowMs);
    // A second is being played: until shortly before its end the next chunk may join without a seam.
    expect(desk.voice.tick(desk.nowMs + 900)).toBe(0);
    expect(desk.voice.tick(desk.nowMs + 940)).toBeGreaterThan(0);
    expect(desk.voice.tick(desk.nowMs + 1_000)).toBe(0);
    expect(desk.written).toEqual(converted(SIGNAL));
    // And the next word begins clean.
    desk.voice.push(bytesOf(SIGNAL), 24_000, 1, desk.nowMs + 1_000);
    desk.voice.endOfGeneration(desk.nowMs + 1_000);
    expect(desk.written).toEqual([...converted(SIGNAL), ...converted(SIGNAL)]);
  });

  test('is not said in the first 150 ms of a pause: the next chunk may be on its way', () => {
    const desk = new Desk();
    const short = SIGNAL.subarray(0, 960);
    desk.voice.push(bytesOf(short), 24_000, 1, desk.nowMs);
    expect(desk.voice.tick(desk.nowMs + 149)).toBe(0);
    expect(desk.voice.tick(desk.nowMs + 150)).toBeGreaterThan(0);
  });

  test('belongs to nobody after a barge-in', () => {
    const desk = new Desk();
    desk.voice.push(bytesOf(SIGNAL).slice(0, 4_801), 24_000, 1, desk.nowMs);
    desk.voice.reset();
    expect(desk.voice.endOfGeneration(desk.nowMs)).toBe(0);
    const before = desk.written.length;
    desk.voice.push(bytesOf(SIGNAL), 24_000, 2, desk.nowMs);
    desk.voice.endOfGeneration(desk.nowMs);
    expect(desk.written.slice(before)).toEqual(converted(SIGNAL));
  });
});

test('half a sample at the end of a turn does not turn the next one into noise', () => {
  const desk = new Desk();
  desk.voice.push(Buffer.from([...bytesOf(SIGNAL.slice(0, 480)), 0x55]), 24_000, 1, desk.nowMs);
  desk.voice.endOfGeneration(desk.nowMs);
  const before = desk.written.length;
  desk.voice.push(bytesOf(SIGNAL), 24_000, 2, desk.nowMs);
  desk.voice.endOfGeneration(desk.nowMs);
  expect(desk.written.slice(before)).toEqual(converted(SIGNAL));
});

test('another rate in the middle is converted as what it is', () => {
  const desk = new Desk();
  const half = SIGNAL.slice(0, 8_000);
  desk.voice.push(bytesOf(half), 24_000, 1, desk.nowMs);
  const before = desk.playout.queuedTo;
  desk.voice.push(bytesOf(half), 16_000, 1, desk.nowMs);
  desk.voice.endOfGeneration(desk.nowMs);
  expect(desk.playout.queuedTo - before).toBe(converted(half, 16_000).length);
});

test('a rate that nobody has announced is not played, and does not throw', () => {
  const desk = new Desk();
  for (const rate of [44_100, 48_000, 4_000, 0]) {
    expect(desk.voice.push(bytesOf(SIGNAL), rate, 1, desk.nowMs)).toBe(0);
  }
  desk.voice.endOfGeneration(desk.nowMs);
  expect(desk.written).toEqual([]);
  desk.voice.push(bytesOf(SIGNAL), 24_000, 1, desk.nowMs);
  desk.voice.endOfGeneration(desk.nowMs);
  expect(desk.written).toEqual(converted(SIGNAL));
});

test('the gain of the bot is applied', () => {
  const desk = new Desk(-6);
  desk.voice.push(bytesOf(SIGNAL), 24_000, 1, desk.nowMs);
  desk.voice.endOfGeneration(desk.nowMs);
  const energy = (samples: readonly number[]) => samples.reduce((sum, sample) => sum + sample * sample, 0);
  expect(10 * Math.log10(energy(desk.written) / energy(converted(SIGNAL)))).toBeCloseTo(-6, 1);
});
