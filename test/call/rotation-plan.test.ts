import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forcedAtMs, ROTATION_PLAN, rotationDueMs } from '../../src/call/rotation-plan.ts';

const NOW = 1_000_000;

describe('the plan', () => {
  test('has a connection replaced in minutes 8 to 9.5, and by force before the tenth', () => {
    expect(ROTATION_PLAN.earliestMs).toBe(8 * 60_000);
    expect(ROTATION_PLAN.latestMs).toBe(9.5 * 60_000);
    expect(ROTATION_PLAN.forcedMs).toBeGreaterThan(ROTATION_PLAN.latestMs);
    expect(ROTATION_PLAN.forcedMs).toBeLessThan(590_000);
  });
});

describe('a goAway', () => {
  test.each([60_000, 50_000, 10_000, 1_000, 0])(
    'with %s ms left asks for a quiet moment at once',
    (leftMs) => {
      for (const random of [0, 0.999])
        expect(rotationDueMs(leftMs, { ageMs: 590_000, random, nowMs: NOW })).toBe(NOW);
    },
  );

  test('with five minutes left asks for one in the last of them, spread over a quarter of it', () => {
    expect(rotationDueMs(300_000, { ageMs: 1_000, random: 0, nowMs: NOW })).toBe(NOW + 240_000);
    expect(rotationDueMs(300_000, { ageMs: 1_000, random: 0.999, nowMs: NOW })).toBeLessThanOrEqual(
      NOW + 255_000,
    );
    expect(rotationDueMs(300_000, { ageMs: 1_000, random: 0.999, nowMs: NOW })).toBeGreaterThan(
      NOW + 254_000,
    );
  });

  test.each([
    { ageMs: 300, leftMs: 38_700, dueMs: 15_300 },
    { ageMs: 5_000, leftMs: 10_000, dueMs: 1_000 },
    { ageMs: 7_000, leftMs: 10_000, dueMs: 0 },
    { ageMs: 1_000, leftMs: 60_000, dueMs: 23_400 },
    { ageMs: null, leftMs: 60_000, dueMs: 0 },
  ])('has two fifths of a short life used: $ageMs ms old, $leftMs ms left, due in $dueMs ms', (row) => {
    expect(rotationDueMs(row.leftMs, { ageMs: row.ageMs, random: 0.5, nowMs: NOW }) - NOW).toBeCloseTo(
      row.dueMs,
    );
  });

  test('without a time is one with 50 s left', () => {
    expect(rotationDueMs(null, { ageMs: 540_000, random: 0.5, nowMs: NOW })).toBe(NOW);
    expect(forcedAtMs(null, NOW)).toBe(forcedAtMs(50_000, NOW));
  });

  test.each([
    { leftMs: 300_000, forcedMs: 295_000 },
    { leftMs: 50_000, forcedMs: 45_000 },
    { leftMs: 10_000, forcedMs: 5_000 },
    { leftMs: 4_000, forcedMs: 2_000 },
    { leftMs: 0, forcedMs: 0 },
  ])('with $leftMs ms left is obeyed after $forcedMs ms, quiet or not', ({ leftMs, forcedMs }) => {
    expect(forcedAtMs(leftMs, NOW)).toBe(NOW + forcedMs);
  });

  test('leaves time for a quiet moment, and is obeyed before the end, whatever time it names', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3_600_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.integer({ min: 0, max: 600_000 }),
        (leftMs, random, ageMs) => {
          const dueMs = rotationDueMs(leftMs, { ageMs, random, nowMs: NOW });
          expect(dueMs).toBeGreaterThanOrEqual(NOW);
          expect(dueMs).toBeLessThan(forcedAtMs(leftMs, NOW));
          expect(forcedAtMs(leftMs, NOW)).toBeLessThan(NOW + leftMs);
        },
      ),
      { seed: 20_261 },
    );
  });
});
