import fc from 'fast-check';
import { expect, it } from 'vitest';
import { VirtualClock } from '../../../src/lab/virtual-clock.ts';

it('fires in order of time, and of setting where the time is the same; never early, always at its instant', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 20 }), { size: 'max', maxLength: 200 }), (delays) => {
      const clock = new VirtualClock();
      const fired: { index: number; atMs: number }[] = [];
      for (const [index, delay] of delays.entries()) {
        clock.setTimer(delay, () => fired.push({ index, atMs: clock.now() }));
      }
      clock.advance(20);
      const expected = delays.map((delay, index) => ({ index, atMs: delay })).sort((a, b) => a.atMs - b.atMs);
      expect(fired).toEqual(expected);
      expect(clock.pendingTimers).toBe(0);
    }),
    { numRuns: 50 },
  );
});

it('fires timers that timers set, up to the time that was asked for', () => {
  const clock = new VirtualClock({ startMs: 100 });
  let beats = 0;
  const beat = (): void => {
    beats++;
    clock.setTimer(10, beat);
  };
  clock.setTimer(0, beat);
  clock.runUntil(200);
  expect(beats).toBe(11);
  expect(clock.now()).toBe(200);
  expect(clock.nextDueMs).toBe(210);
  clock.runUntil(50);
  expect(clock.now()).toBe(200);
});

it('does not fire what was cancelled, even by a timer of the same instant', () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  clock.setTimer(5, () => second.cancel());
  const second = clock.setTimer(5, () => fired.push('second'));
  clock.advance(10);
  expect(fired).toEqual([]);
});

it('lets promises settle between timers when asked to', async () => {
  const clock = new VirtualClock();
  const wait = (ms: number) => new Promise<void>((resolve) => clock.setTimer(ms, resolve));
  const times: number[] = [];
  const walk = async () => {
    for (const ms of [5, 5, 90]) {
      await wait(ms);
      times.push(clock.now());
    }
  };
  const walking = walk();
  await clock.advanceAsync(99);
  expect(times).toEqual([5, 10]);
  await clock.advanceAsync(1);
  await walking;
  expect(times).toEqual([5, 10, 100]);
});

it('its wall clock passes as its monotonic one does', () => {
  const clock = new VirtualClock({ epochMs: 1000, startMs: 7 });
  clock.advance(2.5);
  expect(clock.epochMs()).toBe(1002.5);
  expect(clock.now()).toBe(9.5);
});
