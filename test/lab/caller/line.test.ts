import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FAIR_WEATHER, Line, type LineWeather } from '../../../src/lab/network/line.ts';
import { seededRandom } from '../../../src/lab/network/random.ts';
import { VirtualClock } from '../../../src/lab/virtual-clock.ts';

function createLine(weather: Partial<LineWeather>, seed = 1) {
  const clock = new VirtualClock();
  const arrived: { item: number; atMs: number }[] = [];
  const line = new Line<number>({
    clock,
    random: seededRandom(seed),
    weather: { ...FAIR_WEATHER, ...weather },
    deliver: (item) => arrived.push({ item, atMs: clock.now() }),
  });
  return { clock, line, arrived };
}

it('delivers within send in fair weather', () => {
  const { line, arrived } = createLine({});
  line.send(1);
  expect(arrived).toEqual([{ item: 1, atMs: 0 }]);
  expect(line.inFlight).toBe(0);
});

it('delivers after the delay, each item after its own', () => {
  const { clock, line, arrived } = createLine({ delayMs: 50 });
  line.send(1);
  clock.advance(20);
  line.send(2);
  clock.advance(100);
  expect(arrived).toEqual([
    { item: 1, atMs: 50 },
    { item: 2, atMs: 70 },
  ]);
});

it('holds back everything behind an item that is late, and then delivers it in one burst', () => {
  const { clock, line, arrived } = createLine({ lateShare: 0.1, lateByMs: 200 }, 3);
  for (let item = 0; item < 100; item += 1) {
    line.send(item);
    clock.advance(20);
  }
  clock.advance(1_000);
  expect(arrived.map(({ item }) => item)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  const late = arrived.filter(({ item, atMs }) => atMs - item * 20 === 200);
  expect(late.length).toBeGreaterThan(3);
  const held = arrived.filter(({ item, atMs }) => atMs - item * 20 > 0 && atMs - item * 20 < 200);
  // The items sent in the 200 ms behind the late one come with it.
  for (const { atMs } of held) expect(late.some((one) => one.atMs === atMs)).toBe(true);
  expect(held.length).toBeGreaterThanOrEqual(late.length);
});

it('is the same line again with the same seed, and another one with another', () => {
  const arrivals = (seed: number): number[] => {
    const { clock, line, arrived } = createLine({ delayMs: 40, jitterMs: 30 }, seed);
    for (let item = 0; item < 50; item += 1) {
      line.send(item);
      clock.advance(20);
    }
    clock.advance(500);
    return arrived.map(({ atMs }) => atMs);
  };
  expect(arrivals(7)).toEqual(arrivals(7));
  expect(arrivals(7)).not.toEqual(arrivals(8));
});

it('loses what is on the way when it is closed, and takes nothing more', () => {
  const { clock, line, arrived } = createLine({ delayMs: 50 });
  line.send(1);
  line.close();
  line.send(2);
  clock.advance(1_000);
  expect(arrived).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

it('survives being closed by what it delivers', () => {
  const clock = new VirtualClock();
  const seen: number[] = [];
  const line: Line<number> = new Line({
    clock,
    random: seededRandom(1),
    weather: { ...FAIR_WEATHER, delayMs: 10 },
    deliver: (item) => {
      seen.push(item);
      line.close();
    },
  });
  line.send(1);
  line.send(2);
  clock.advance(100);
  expect(seen).toEqual([1]);
});

it('never loses, doubles or reorders, and never delivers before the least delay', () => {
  fc.assert(
    fc.property(
      fc.record({
        delayMs: fc.integer({ min: 0, max: 300 }),
        jitterMs: fc.integer({ min: 0, max: 300 }),
        lateShare: fc.double({ min: 0, max: 1, noNaN: true }),
        lateByMs: fc.integer({ min: 0, max: 1_000 }),
      }),
      fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 200, size: 'max' }),
      fc.integer(),
      (weather, waits, seed) => {
        const { clock, line, arrived } = createLine(weather, seed);
        const sentAt: number[] = [];
        for (const wait of waits) {
          clock.advance(wait);
          sentAt.push(clock.now());
          line.send(sentAt.length - 1);
        }
        clock.advance(2_000);
        expect(arrived.map(({ item }) => item)).toEqual(sentAt.map((_, n) => n));
        for (const { item, atMs } of arrived) {
          const took = atMs - sentAt[item]!;
          expect(took).toBeGreaterThanOrEqual(Math.max(0, weather.delayMs - weather.jitterMs) - 1e-6);
          // Held back by an earlier one at the worst, which itself is bounded.
          expect(took).toBeLessThanOrEqual(weather.delayMs + weather.jitterMs + weather.lateByMs + 1e-6);
        }
      },
    ),
    { numRuns: 80 },
  );
});
