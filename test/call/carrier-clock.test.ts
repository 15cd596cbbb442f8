import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CarrierClock } from '../../src/call/carrier-clock.ts';
import { bytesOf, numbered, SAMPLES_PER_MS, SimulatedCarrier } from './simulated-carrier.ts';

const FRAME = 20 * SAMPLES_PER_MS;

/** Writes ahead of real time to a carrier over a line, marks as playout does, and tells the clock what it sees. */
class Line {
  nowMs = 1_000;
  readonly clock = new CarrierClock(8_000);
  readonly carrier = new SimulatedCarrier(() => this.nowMs);
  sent = 0;
  drySpellsMs: number[] = [];
  slipsMs: number[] = [];
  leadMs = 200;
  readonly #marks = new Map<string, number>();

  constructor(upMs: () => number, downMs: () => number) {
    this.carrier.upMs = upMs;
    this.carrier.downMs = downMs;
  }

  /** Lets `ms` pass; writes while `talking`, up to the lead. */
  run(ms: number, talking = true, each: () => void = () => {}): void {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; this.nowMs += 5) {
      for (const { name } of this.carrier.takeEchoes()) {
        const slip = this.clock.echoed(this.#marks.get(name)!, this.nowMs);
        if (slip > 0) this.slipsMs.push(slip);
      }
      while (talking && this.clock.endMs - this.nowMs < this.leadMs) this.#write();
      each();
    }
  }

  /** The truth: samples that have begun to sound when a message written now arrives. */
  heard(onTheWayMs: number): number {
    return this.carrier.countBefore(this.nowMs + onTheWayMs);
  }

  #write(): void {
    const to = this.sent + FRAME;
    this.carrier.audio(bytesOf(numbered(this.sent, to)));
    const dry = this.clock.wrote(this.sent, to, this.nowMs);
    if (dry > 0 && this.sent > 0) this.drySpellsMs.push(dry);
    this.sent = to;
    if (this.sent % (8 * FRAME) === 0) {
      const name = `m${this.sent}`;
      this.#marks.set(name, this.sent);
      this.carrier.mark(name);
    }
  }
}

describe('on an even line', () => {
  test('the position is exact to the sample, whatever the delay', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 800 }), fc.integer({ min: 0, max: 800 }), (upMs, downMs) => {
        const line = new Line(
          () => upMs,
          () => downMs,
        );
        line.run(3_000, true, () => expect(line.clock.positionAt(line.nowMs)).toBe(line.heard(upMs)));
        expect(line.clock.roundTripMs).toBeGreaterThanOrEqual(upMs + downMs);
        expect(line.clock.roundTripMs).toBeLessThanOrEqual(upMs + downMs + 5);
        expect(line.slipsMs).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  test('it stops with the audio, and a pause of ours is told as long as the carrier was dry', () => {
    const line = new Line(
      () => 40,
      () => 40,
    );
    line.run(1_000);
    line.run(1_000, false);
    expect(line.clock.positionAt(line.nowMs)).toBe(line.sent);
    expect(line.heard(40)).toBe(line.sent);
    line.run(500);
    expect(line.drySpellsMs).toHaveLength(1);
    expect(line.drySpellsMs[0]).toBeCloseTo(line.carrier.holesMs[0]!, 3);
    expect(line.clock.positionAt(line.nowMs)).toBe(line.heard(40));
  });

  test('a clear stops it where it is', () => {
    const line = new Line(
      () => 60,
      () => 0,
    );
    line.run(1_000);
    line.carrier.clear();
    line.clock.cleared(line.nowMs);
    const heard = line.clock.positionAt(line.nowMs);
    expect(Math.abs(heard - line.carrier.heard.length)).toBeLessThanOrEqual(1);
    expect(line.clock.positionAt(line.nowMs + 10_000)).toBe(heard);
    expect(line.clock.endMs).toBe(line.nowMs);
  });
});

test('before the first word, and for marks of audio that it does not know, it says nothing', () => {
  const clock = new CarrierClock(8_000);
  expect(clock.roundTripMs).toBeNull();
  expect(clock.positionAt(5_000)).toBe(0);
  expect(clock.echoed(160, 5_000)).toBe(0);
  expect(clock.roundTripMs).toBeNull();
  clock.wrote(0, 160, 5_000);
  expect(clock.echoed(161, 5_030)).toBe(0);
  expect(clock.echoed(0, 5_030)).toBe(0);
  expect(clock.roundTripMs).toBeNull();
  clock.echoed(160, 5_090);
  expect(clock.roundTripMs).toBe(70);
});

test('jitter that the lead covers moves the position by no more than the jitter', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 11, maxLength: 11, size: 'max' }),
      fc.integer({ min: 10, max: 200 }),
      (jitter, baseMs) => {
        let at = 0;
        const line = new Line(
          () => baseMs + jitter[at++ % jitter.length]!,
          () => baseMs + jitter[at++ % jitter.length]!,
        );
        line.run(4_000, true, () => {
          const offMs = (line.clock.positionAt(line.nowMs) - line.heard(baseMs)) / SAMPLES_PER_MS;
          expect(Math.abs(offMs)).toBeLessThanOrEqual(51);
        });
        expect(line.slipsMs).toEqual([]);
      },
    ),
    { numRuns: 20 },
  );
});

test('dry spells of the carrier are learned from its marks, one after the other, and the delay is not mistaken', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 300, max: 700 }), { minLength: 1, maxLength: 5, size: 'max' }),
      fc.integer({ min: 10, max: 150 }),
      (spells, oneWayMs) => {
        let stalledUntilMs = 0;
        const line = new Line(
          () => Math.max(oneWayMs, stalledUntilMs - line.nowMs),
          () => oneWayMs,
        );
        line.run(4_000);
        for (const spellMs of spells) {
          // What is written now arrives later by more than the lead: the carrier runs dry.
          stalledUntilMs = line.nowMs + spellMs + oneWayMs;
          // The marks need a while to come back, and three of them to be believed.
          line.run(spellMs + 3 * 180 + 2 * oneWayMs + 400);
          line.run(3_500, true, () => {
            const offMs = (line.clock.positionAt(line.nowMs) - line.heard(oneWayMs)) / SAMPLES_PER_MS;
            expect(Math.abs(offMs)).toBeLessThanOrEqual(70);
          });
        }
        const dryMs = line.carrier.holesMs.filter((hole) => hole > 65);
        expect(line.slipsMs).toHaveLength(dryMs.length);
        for (const [i, slip] of line.slipsMs.entries())
          expect(Math.abs(slip - dryMs[i]!)).toBeLessThanOrEqual(65);
        expect(Math.abs(line.clock.roundTripMs! - 2 * oneWayMs)).toBeLessThanOrEqual(65);
      },
    ),
    { numRuns: 15 },
  );
});

test('a single late mark is the line, not the carrier', () => {
  const line = new Line(
    () => 30,
    () => (line.nowMs > 2_500 && line.nowMs < 2_640 ? 400 : 30),
  );
  line.run(5_000);
  expect(line.slipsMs).toEqual([]);
});

test('a carrier that stood still is reckoned from the mark that it has not come to, as late as marks are anyway', () => {
  const clock = new CarrierClock(8_000);
  const samples = (ms: number): number => ms * SAMPLES_PER_MS;
  clock.wrote(0, samples(30_000), 0);
  for (let ms = 160; ms <= 1_600; ms += 160) clock.echoed(samples(ms), ms + 60);
  // Its next mark is due at 1,820 ms, and a little late is nothing.
  expect(clock.isBehind(samples(1_760), samples(30_000), 1_850)).toBe(false);
  expect(clock.isBehind(samples(1_760), samples(30_000), 5_000)).toBe(true);
  expect(clock.positionAt(5_000)).toBe(samples(1_760 + 60));
  expect(clock.endMs).toBe(5_000 - 60 + (30_000 - 1_760));
  // The mark comes, and so do the ones behind it.
  for (let ms = 0; ms <= 3_200; ms += 160) expect(clock.echoed(samples(1_760 + ms), 5_000 + ms)).toBe(0);
  expect(clock.roundTripMs).toBe(60);
});
