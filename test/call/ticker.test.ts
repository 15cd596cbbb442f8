import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Ticked, Ticker } from '../../src/call/ticker.ts';
import type { Clock, Timer } from '../../src/clock.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';

/** A member that writes down when it was served, and may do something more. */
class Member implements Ticked {
  readonly servedAtMs: number[] = [];
  leave: () => void = () => {};
  readonly #also: (self: Member) => void;

  constructor(also: (self: Member) => void = () => {}) {
    this.#also = also;
  }

  tick(nowMs: number): void {
    this.servedAtMs.push(nowMs);
    this.#also(this);
  }
}

/** A clock whose timers come late, as those of a busy process do. */
class LateClock implements Clock {
  readonly inner = new VirtualClock();
  #lateMs: () => number;

  constructor(lateMs: () => number) {
    this.#lateMs = lateMs;
  }

  now = () => this.inner.now();
  epochMs = () => this.inner.epochMs();
  setTimer(delayMs: number, onFire: () => void): Timer {
    return this.inner.setTimer(delayMs + this.#lateMs(), onFire);
  }
}

function join(ticker: Ticker, member: Member): Member {
  member.leave = ticker.add(member);
  return member;
}

const noFault = (detail: string) => expect.unreachable(detail);
const phaseOf = (ms: number) => Math.round(ms % 20);

test('each member is served every 20 ms, to the millisecond, for as long as it stays', () => {
  const clock = new VirtualClock({ startMs: 7 });
  const ticker = new Ticker(clock, noFault);
  const members = Array.from({ length: 13 }, () => join(ticker, new Member()));
  clock.advance(1_000);
  for (const { servedAtMs } of members) {
    // Whoever comes while a round is on may have to wait for the next.
    expect(servedAtMs[0]! - 7).toBeLessThanOrEqual(40);
    expect(servedAtMs.length).toBeGreaterThanOrEqual(48);
    for (let i = 1; i < servedAtMs.length; i++) expect(servedAtMs[i]! - servedAtMs[i - 1]!).toBe(20);
  }
});

test('calls are spread over ten phases, and a new one takes the place that was given up', () => {
  const clock = new VirtualClock();
  const ticker = new Ticker(clock, noFault);
  const members = Array.from({ length: 30 }, () => join(ticker, new Member()));
  clock.advance(40);
  const perPhase = (all: readonly Member[]) => {
    const counts = new Map<number, number>();
    for (const { servedAtMs } of all) {
      const phase = phaseOf(servedAtMs.at(-1)!);
      counts.set(phase, (counts.get(phase) ?? 0) + 1);
    }
    return counts;
  };
  expect([...perPhase(members).values()]).toEqual(new Array(10).fill(3));
  const gone = members.splice(4, 1)[0]!;
  gone.leave();
  const late = join(ticker, new Member());
  clock.advance(40);
  expect(phaseOf(late.servedAtMs[0]!)).toBe(phaseOf(gone.servedAtMs[0]!));
});

test('a timer that is late delays its own tick, never the following ones: there is no drift', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 9, noNaN: true }), { minLength: 20, maxLength: 20, size: 'max' }),
      fc.integer({ min: 1, max: 12 }),
      (delays, count) => {
        let at = 0;
        const clock = new LateClock(() => delays[at++ % delays.length]!);
        const ticker = new Ticker(clock, noFault);
        const members = Array.from({ length: count }, () => join(ticker, new Member()));
        clock.inner.advance(60_000);
        for (const { servedAtMs } of members) {
          const first = servedAtMs[0]!;
          expect(Math.abs(servedAtMs.length - 3_000)).toBeLessThanOrEqual(2);
          // Each service lies at its place in the grid, at most the worst lateness behind it.
          const last = servedAtMs.at(-1)!;
          const behind = last - first - (servedAtMs.length - 1) * 20;
          expect(Math.abs(behind)).toBeLessThanOrEqual(9.01);
        }
      },
    ),
    { numRuns: 20 },
  );
});

test('after a stall everybody is served once, not once for each tick that was missed', () => {
  let lateMs = 0;
  const clock = new LateClock(() => lateMs);
  const ticker = new Ticker(clock, noFault);
  const members = Array.from({ length: 25 }, () => join(ticker, new Member()));
  clock.inner.advance(99);
  const before = members.map(({ servedAtMs }) => servedAtMs.length);
  lateMs = 500;
  clock.inner.advance(3);
  lateMs = 0;
  clock.inner.runUntil(605);
  const during = members.map(({ servedAtMs }, i) => servedAtMs.length - before[i]!);
  for (const times of during) expect(times).toBeLessThanOrEqual(2);
  const inTheStall = members.map(({ servedAtMs }) => servedAtMs.filter((ms) => ms > 102 && ms < 605));
  expect(inTheStall.every((times) => new Set(times).size === times.length && times.length >= 1)).toBe(true);
  expect(new Set(inTheStall.map((times) => times[0])).size).toBe(1);
});

test('a member may leave while it is served; the others of its slot are served all the same, once', () => {
  const clock = new VirtualClock();
  const ticker = new Ticker(clock, noFault);
  const leavers = Array.from({ length: 15 }, () => join(ticker, new Member((self) => self.leave())));
  const stayers = Array.from({ length: 15 }, () => join(ticker, new Member()));
  clock.advance(39);
  const before = stayers.map(({ servedAtMs }) => servedAtMs.length);
  for (const { servedAtMs } of [...leavers, ...stayers]) expect(servedAtMs.length).toBeGreaterThanOrEqual(1);
  clock.advance(20);
  for (const { servedAtMs } of leavers) expect(servedAtMs).toHaveLength(1);
  expect(stayers.map(({ servedAtMs }, i) => servedAtMs.length - before[i]!)).toEqual(new Array(15).fill(1));
  expect(ticker.members).toBe(15);
});

test('a member may send any other away while it is served: nobody is served twice, and nobody who has left', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 39 }), fc.integer({ min: 0, max: 39 }), (actor, target) => {
      const clock = new VirtualClock();
      const ticker = new Ticker(clock, noFault);
      const members: Member[] = [];
      let sentAwayAtMs = -1;
      let servedBefore = 0;
      for (let i = 0; i < 40; i++) {
        members.push(
          join(
            ticker,
            new Member((self) => {
              if (members.indexOf(self) !== actor || sentAwayAtMs >= 0) return;
              sentAwayAtMs = clock.now();
              servedBefore = members[target]!.servedAtMs.length;
              members[target]!.leave();
            }),
          ),
        );
      }
      clock.advance(100);
      expect(sentAwayAtMs).toBeGreaterThanOrEqual(0);
      expect(members[target]!.servedAtMs).toHaveLength(servedBefore);
      for (const { servedAtMs } of members) {
        for (let i = 1; i < servedAtMs.length; i++) expect(servedAtMs[i]! - servedAtMs[i - 1]!).toBe(20);
      }
    }),
    { numRuns: 200 },
  );
});

test('the last one may leave and the first of the next may come in the same tick: one timer, every 20 ms', () => {
  const clock = new VirtualClock();
  const ticker = new Ticker(clock, noFault);
  const next = new Member();
  join(
    ticker,
    new Member((self) => {
      self.leave();
      join(ticker, next);
    }),
  );
  clock.advance(200);
  expect(clock.pendingTimers).toBe(1);
  expect(next.servedAtMs.length).toBeGreaterThanOrEqual(8);
  next.leave();
  expect(clock.pendingTimers).toBe(0);
});

test('no timer is left when the last member has gone, and leaving twice is leaving once', () => {
  const clock = new VirtualClock();
  const ticker = new Ticker(clock, noFault);
  expect(clock.pendingTimers).toBe(0);
  const members = Array.from({ length: 3 }, () => join(ticker, new Member()));
  members[0]!.leave();
  members[0]!.leave();
  expect(ticker.members).toBe(2);
  members[1]!.leave();
  expect(clock.pendingTimers).toBe(1);
  members[2]!.leave();
  expect(clock.pendingTimers).toBe(0);
});

test('a member that throws is reported, and costs nobody a tick', () => {
  const faults: string[] = [];
  const clock = new VirtualClock();
  const ticker = new Ticker(clock, (detail) => faults.push(detail));
  const members = Array.from({ length: 20 }, (_, i) =>
    join(
      ticker,
      new Member(() => {
        if (i === 10) throw new Error('broken call');
      }),
    ),
  );
  clock.advance(100);
  expect(new Set(faults)).toEqual(new Set(['broken call']));
  expect(faults).toHaveLength(members[10]!.servedAtMs.length);
  for (const { servedAtMs } of members) expect(servedAtMs.length).toBeGreaterThanOrEqual(4);
});
