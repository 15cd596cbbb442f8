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
      for (const random of [0, 0.999]) expect(rotationDueMs(leftMs, random, NOW)).toBe(NOW);
    },
  );

  test('with five minutes left asks for one in the last of them, spread over a quarter of it', () => {
    expect(rotationDueMs(300_000, 0, NOW)).toBe(NOW + 240_000);
    expect(rotationDueMs(300_000, 0.999, NOW)).toBeLessThanOrEqual(NOW + 255_000);
    expect(rotationDueMs(300_000, 0.999, NOW)).toBeGreaterThan(NOW + 254_000);
  });

  test('without a time is one with 50 s left', () => {
    expect(rotationDueMs(null, 0.5, NOW)).toBe(NOW);
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
        (leftMs, random) => {
          const dueMs = rotationDueMs(leftMs, random, NOW);
          expect(dueMs).toBeGreaterThanOrEqual(NOW);
          expect(dueMs).toBeLessThan(forcedAtMs(leftMs, NOW));
          expect(forcedAtMs(leftMs, NOW)).toBeLessThan(NOW + leftMs);
        },
      ),
      { seed: 20_261 },
    );
  });
});
