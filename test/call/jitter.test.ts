import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JitterMeter } from '../../src/call/jitter.ts';

/** Frames every 20 ms, each late by what `lateMs` says; returns the clock's time after the last. */
function feed(
  meter: JitterMeter,
  seconds: number,
  lateMs: (frame: number) => number,
  startMs = 0,
  mediaMs = 0,
): number {
  for (let frame = 0; frame < seconds * 50; frame++) {
    meter.arrived(mediaMs + frame * 20, startMs + frame * 20 + lateMs(frame));
  }
  return startMs + seconds * 1_000;
}

test('an even line has no jitter, wherever its clock and ours began', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e7 }), fc.integer({ min: 0, max: 1e7 }), (startMs, mediaMs) => {
      const meter = new JitterMeter();
      feed(meter, 30, () => 0, startMs, mediaMs);
      expect(meter.worstMs).toBeLessThan(0.1);
    }),
    { numRuns: 20 },
  );
});

test('the worst lateness of the last seconds is what is reported', () => {
  const meter = new JitterMeter();
  feed(meter, 10, (frame) => (frame === 300 ? 85 : frame % 3));
  expect(meter.worstMs).toBeCloseTo(85, 0);
});

test('a line that has become even is believed after a quarter of a minute, and not before two thirds of it', () => {
  const meter = new JitterMeter();
  const endMs = feed(meter, 2, (frame) => (frame % 7 === 3 ? 90 : 0));
  feed(meter, 10, () => 0, endMs, endMs);
  expect(meter.worstMs).toBeCloseTo(90, 0);
  feed(meter, 8, () => 0, endMs + 10_000, endMs + 10_000);
  expect(meter.worstMs).toBeLessThan(0.1);
});

test('a carrier whose clock runs a little slow is not taken for a late one', () => {
  const meter = new JitterMeter();
  // 80 parts in a million for half an hour are 144 ms.
  feed(meter, 1_800, (frame) => frame * 20 * 80e-6);
  expect(meter.worstMs).toBeLessThan(1);
});

test('a carrier that starts its count anew is a new clock, not a line that is hours late', () => {
  const meter = new JitterMeter();
  const endMs = feed(meter, 60, () => 0);
  feed(meter, 1, (frame) => (frame === 30 ? 20 : 0), endMs, 0);
  expect(meter.worstMs).toBeCloseTo(20, 0);
});

test('a frame that lost its race does not look like a new clock', () => {
  const meter = new JitterMeter();
  feed(meter, 5, () => 0);
  meter.arrived(4_500, 5_000);
  meter.arrived(5_000, 5_000);
  meter.arrived(5_020, 5_060);
  expect(meter.worstMs).toBeGreaterThan(39);
});

test('a new stream begins with nothing', () => {
  const meter = new JitterMeter();
  feed(meter, 5, (frame) => frame % 50);
  meter.reset();
  expect(meter.worstMs).toBe(0);
  feed(meter, 1, () => 0, 90_000, 0);
  expect(meter.worstMs).toBeLessThan(0.1);
});
