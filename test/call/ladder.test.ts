import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterFailure,
  type Failure,
  type Outage,
  rungAfterLoss,
  startOutage,
} from '../../src/call/ladder.ts';
import type { CloseClass } from '../../src/gemini/live-session.ts';

const failure = (found: CloseClass, more: Partial<Failure> = {}): Failure => ({
  class: found,
  detail: '',
  random: 0.5,
  handles: 2,
  ...more,
});
const next = (outage: Outage, ...rest: [Failure, number]) =>
  afterFailure(outage, ...rest)?.outage.rung ?? null;
const RETRYABLE: readonly CloseClass[] = ['overload', 'deadline', 'normal', 'aborted'];
const OUT_OF_REACH: readonly CloseClass[] = ['network', 'quota'];

describe('the ladder', () => {
  test('begins with the newest handle, and without one with a fresh session', () => {
    expect(rungAfterLoss(failure('network'))).toBe('newest');
    expect(rungAfterLoss(failure('network', { handles: 0 }))).toBe('fresh');
    expect(rungAfterLoss(failure('config'))).toBe('fresh');
  });

  test.each(RETRYABLE)('stays with the newest handle for 8 s after "%s"', (found) => {
    const outage = startOutage('newest', 1_000);
    expect(next(outage, failure(found), 5_000)).toBe('newest');
    expect(next(outage, failure(found), 9_000)).toBe('older');
    expect(next(outage, failure(found, { handles: 1 }), 9_000)).toBe('fresh');
    expect(next({ ...outage, rung: 'older' }, failure(found), 1_100)).toBe('fresh');
  });

  test.each(OUT_OF_REACH)('keeps the newest handle through an outage of any length: "%s"', (found) => {
    let outage = startOutage('newest', 0);
    for (let nowMs = 500; nowMs < 25_000; nowMs += 500) {
      outage = afterFailure(outage, failure(found), nowMs)!.outage;
      expect(outage.rung).toBe('newest');
    }
    // The 8 s begin when the service is there again.
    expect(next(outage, failure('overload'), 25_500)).toBe('newest');
    expect(next(outage, failure('old-socket-open'), 30_000)).toBe('newest');
    expect(next(outage, failure('overload'), 34_000)).toBe('older');
  });

  test('counts the pause before an attempt: none is made with the newest handle after its 8 s', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 20_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, atMs, random) => {
          const after = afterFailure(
            { ...startOutage('newest', 0), attempt },
            failure('overload', { random }),
            atMs,
          );
          if (after?.outage.rung === 'newest') expect(atMs + after.waitMs).toBeLessThan(8_000);
        },
      ),
      { seed: 20_261 },
    );
  });

  test('leaves a refused handle at once for an older one, and then for a fresh session', () => {
    const first = afterFailure(startOutage('newest', 0), failure('handle-refused'), 10);
    expect(first).toMatchObject({ waitMs: 0, outage: { rung: 'older', attempt: 2 } });
    const second = afterFailure(first!.outage, failure('handle-refused', { handles: 1 }), 20);
    expect(second).toMatchObject({ waitMs: 0, outage: { rung: 'fresh', attempt: 3 } });
    expect(next(startOutage('newest', 0), failure('handle-refused', { handles: 0 }), 10)).toBe('fresh');
  });

  test('goes to a fresh session when the setup was refused, once more with another seed, and then no further', () => {
    const first = afterFailure(startOutage('newest', 0), failure('config'), 10);
    expect(first).toMatchObject({ waitMs: 0, outage: { rung: 'fresh', reseed: false } });
    const second = afterFailure(first!.outage, failure('config'), 20);
    expect(second).toMatchObject({ waitMs: 0, outage: { rung: 'fresh', reseed: true } });
    expect(afterFailure(second!.outage, failure('config'), 30)).toBeNull();
  });

  test('has no rung for a key that is refused, nor for a first setup that is wrong', () => {
    expect(afterFailure(startOutage('newest', 0), failure('auth'), 10)).toBeNull();
    expect(afterFailure(startOutage('first', 0), failure('config', { handles: 0 }), 10)).toBeNull();
    expect(next(startOutage('first', 0), failure('network', { handles: 0 }), 60_000)).toBe('first');
  });

  test('asks again within 0.4 s where the old socket is taken for open, however often', () => {
    for (const random of [0, 0.5, 0.999]) {
      const after = afterFailure(
        { ...startOutage('newest', 0), attempt: 9 },
        failure('old-socket-open', { random }),
        3_000,
      );
      expect(after?.outage.rung).toBe('newest');
      expect(after?.waitMs).toBeGreaterThan(200);
      expect(after?.waitMs).toBeLessThan(400);
    }
  });

  test('waits longer each time, spread by half, and never more than 6 s', () => {
    for (let attempt = 1; attempt < 12; attempt++) {
      const wait = (random: number) =>
        afterFailure({ ...startOutage('fresh', 0), attempt }, failure('network', { random }), 10)!.waitMs;
      const middle = Math.min(4_000, 250 * 2 ** (attempt - 1));
      expect(wait(0)).toBeCloseTo(middle / 2);
      expect(wait(0.5)).toBeCloseTo(middle);
      expect(wait(0.999)).toBeLessThan(middle * 1.5);
    }
  });

  test('never leads back up, and always ends in a fresh session, whatever fails', () => {
    const order = ['newest', 'older', 'fresh'];
    const any = fc.record({
      found: fc.constantFrom<CloseClass>(...RETRYABLE, 'handle-refused', 'old-socket-open', 'config'),
      handles: fc.integer({ min: 0, max: 3 }),
      afterMs: fc.integer({ min: 0, max: 3_000 }),
    });
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 40 }), (all) => {
        let outage = startOutage('newest', 0);
        let nowMs = 0;
        for (const { found, handles, afterMs } of all) {
          nowMs += afterMs;
          const after = afterFailure(outage, failure(found, { handles }), nowMs);
          if (after === null) return;
          expect(order.indexOf(after.outage.rung)).toBeGreaterThanOrEqual(order.indexOf(outage.rung));
          expect(after.outage.sinceMs).toBe(0);
          outage = after.outage;
          nowMs += after.waitMs;
        }
        if (nowMs > 60_000) expect(outage.rung).toBe('fresh');
      }),
      { seed: 20_261 },
    );
  });
});
