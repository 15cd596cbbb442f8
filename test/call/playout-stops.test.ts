import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PlayoutDesk, same } from './playout-desk.ts';
import { numbered, SAMPLES_PER_MS, type Written } from './simulated-carrier.ts';

/** Every clear, and the audio and marks before and after it. */
function clears(written: readonly Written[]): { before: Written[]; after: Written[] }[] {
  return written.flatMap((each, i) =>
    each.type === 'clear' ? [{ before: written.slice(0, i), after: written.slice(i + 1) }] : [],
  );
}

describe('a drop', () => {
  test('clears before anything of the new generation is written, and forgets the rest', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(3_000);
    desk.run(500);
    const { heardTo, droppedMs } = desk.playout.drop(desk.nowMs);
    expect(desk.playout.generation).toBe(2);
    expect(heardTo / SAMPLES_PER_MS + droppedMs).toBe(3_000);
    expect(desk.carrier.written.at(-1)?.type).toBe('clear');
    const from = desk.queued;
    desk.sayMs(500, 2);
    desk.endTurn();
    desk.run(600);
    expect(clears(desk.carrier.written)).toHaveLength(1);
    same(desk.carrier.heard, [...numbered(0, heardTo), ...numbered(from, desk.queued)]);
    expect(desk.playout.unplayedMs(desk.nowMs)).toBe(0);
  });

  test('after a pause drops the queue alone: no second clear, no further generation', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(3_000);
    desk.run(500);
    const heard = desk.playout.pause(desk.nowMs);
    desk.run(200);
    expect(desk.playout.drop(desk.nowMs)).toEqual({
      heardTo: heard,
      droppedMs: 3_000 - heard / SAMPLES_PER_MS,
    });
    expect(clears(desk.carrier.written)).toHaveLength(1);
    expect(desk.playout.generation).toBe(2);
  });
});

describe('a pause', () => {
  const moment = fc.record({
    playMs: fc.integer({ min: 40, max: 900 }),
    pauseMs: fc.integer({ min: 20, max: 500 }),
  });

  test('that ends loses nothing, and repeats no more than was asked for and the line is uneven', () => {
    fc.assert(
      fc.property(
        fc.array(moment, { minLength: 1, maxLength: 6, size: 'max' }),
        fc.integer({ min: 0, max: 250 }),
        fc.array(fc.integer({ min: 0, max: 25 }), { minLength: 5, maxLength: 5, size: 'max' }),
        (moments, upMs, jitter) => {
          const desk = new PlayoutDesk();
          let at = 0;
          desk.carrier.upMs = () => upMs + jitter[at++ % jitter.length]!;
          desk.carrier.downMs = () => 20;
          desk.sayMs(8_000);
          desk.endTurn();
          let replayedMs = 0;
          for (const { playMs, pauseMs } of moments) {
            desk.run(playMs);
            desk.playout.pause(desk.nowMs);
            desk.run(pauseMs);
            expect(desk.carrier.written.findLastIndex(({ type }) => type === 'clear')).toBe(
              desk.carrier.written.length - 1,
            );
            const replay = desk.playout.resume(desk.nowMs, 60);
            expect(replay).toBeLessThanOrEqual(60);
            replayedMs += replay;
          }
          desk.run(9_500 + upMs);
          const { heard } = desk.carrier;
          // Everything, each number followed by the next, but for steps back of at most 60 ms and the line's unevenness.
          let next = 1;
          let repeated = 0;
          for (const sample of heard) {
            const back = (next - sample + 64_000) % 32_000;
            if (back > 0) {
              repeated += back;
              expect(back).toBeLessThanOrEqual((60 + 26) * SAMPLES_PER_MS);
            }
            next += 1 - back;
          }
          expect(next - 1).toBe(desk.queued);
          expect(repeated / SAMPLES_PER_MS).toBeLessThanOrEqual(replayedMs + 26 * moments.length);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('has nothing to go back to once all was heard, and what was said is not kept', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(2_000);
    desk.endTurn();
    desk.run(1_000);
    desk.playout.pause(desk.nowMs);
    expect(desk.playout.resume(desk.nowMs, 60)).toBe(60);
    desk.run(3_000);
    desk.playout.pause(desk.nowMs);
    expect(desk.playout.resume(desk.nowMs, 60)).toBe(0);
    desk.sayMs(500, 2);
    desk.endTurn();
    desk.run(1_000);
    expect(desk.carrier.heard.at(-1)).toBe(desk.all.at(-1));
  });

  test('is no underrun of the line', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(4_000);
    desk.run(600);
    desk.playout.pause(desk.nowMs);
    desk.run(300);
    desk.playout.resume(desk.nowMs, 60);
    desk.run(500);
    expect(desk.underruns).toEqual([]);
  });

  test('begins a generation and writes nothing until it is over; what the model says meanwhile waits', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(500);
    desk.run(200);
    desk.playout.pause(desk.nowMs);
    expect([desk.playout.paused, desk.playout.generation]).toEqual([true, 2]);
    const before = desk.carrier.written.length;
    desk.sayMs(500);
    desk.endTurn();
    desk.run(1_000);
    expect(desk.carrier.written).toHaveLength(before);
    desk.playout.resume(desk.nowMs, 0);
    desk.run(1_500);
    same(desk.carrier.heard, desk.all);
    expect(desk.playout.resume(desk.nowMs, 60)).toBe(0);
  });
});

describe('drained', () => {
  test('is reported when the last mark comes back, not before', () => {
    const desk = new PlayoutDesk();
    desk.carrier.upMs = () => 50;
    desk.carrier.downMs = () => 70;
    desk.sayMs(1_000);
    const startMs = desk.nowMs;
    desk.playout.watchDrained(desk.nowMs);
    desk.endTurn();
    desk.run(3_000);
    expect(desk.drainedAtMs).toHaveLength(1);
    expect(desk.drainedAtMs[0]! - startMs).toBeGreaterThanOrEqual(1_000 + 50 + 70);
    expect(desk.drainedAtMs[0]! - startMs).toBeLessThanOrEqual(1_000 + 50 + 70 + 10);
  });

  test('is reported by the clock when the marks are lost, a second and a half after the end', () => {
    const desk = new PlayoutDesk();
    desk.carrier.loseMarks = true;
    desk.sayMs(1_000);
    desk.endTurn();
    const startMs = desk.nowMs;
    desk.playout.watchDrained(desk.nowMs);
    desk.run(4_000);
    expect(desk.drainedAtMs).toHaveLength(1);
    expect(desk.drainedAtMs[0]! - startMs).toBeGreaterThanOrEqual(2_500);
    expect(desk.drainedAtMs[0]! - startMs).toBeLessThanOrEqual(2_520);
  });

  test('waits for a turn that is still open, for what is queued later, and for a pause', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(300);
    desk.playout.watchDrained(desk.nowMs);
    desk.run(2_500);
    expect(desk.drainedAtMs).toEqual([]);
    desk.endTurn();
    desk.sayMs(500, 2);
    desk.endTurn();
    desk.run(100);
    desk.playout.pause(desk.nowMs);
    desk.run(3_000);
    expect(desk.drainedAtMs).toEqual([]);
    desk.playout.resume(desk.nowMs, 60);
    desk.run(2_000);
    expect(desk.drainedAtMs).toHaveLength(1);
  });

  test('is at once where there is nothing to hear: before the first word, and after everything was dropped', () => {
    const silent = new PlayoutDesk();
    silent.playout.watchDrained(silent.nowMs);
    expect(silent.drainedAtMs).toHaveLength(1);
    const dropped = new PlayoutDesk();
    dropped.sayMs(2_000);
    dropped.run(300);
    dropped.playout.drop(dropped.nowMs);
    dropped.playout.watchDrained(dropped.nowMs);
    expect(dropped.drainedAtMs).toHaveLength(1);
  });

  test('is not reported once nobody wants to know', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(300);
    desk.endTurn();
    desk.playout.watchDrained(desk.nowMs);
    desk.playout.stopWatching();
    desk.run(3_000);
    expect(desk.drainedAtMs).toEqual([]);
  });
});

describe('another stream of the call', () => {
  test('goes on where the caller stopped hearing, at once and with a full lead', () => {
    for (const goneForMs of [0, 20, 100, 900]) {
      const desk = new PlayoutDesk();
      desk.sayMs(4_000);
      desk.endTurn();
      desk.run(1_000);
      const first = desk.carrier;
      const heardOnFirst = first.heardBefore(desk.nowMs);
      desk.playout.detach(desk.nowMs);
      desk.run(goneForMs);
      desk.carrier = desk.newCarrier();
      desk.playout.attach(desk.carrier, desk.nowMs);
      expect(desk.carrier.aheadMs).toBeGreaterThan(desk.limits.leadMs - desk.limits.packetMs);
      expect(desk.carrier.aheadMs).toBeLessThanOrEqual(desk.limits.leadMs);
      desk.run(5_000);
      same([...heardOnFirst, ...desk.carrier.heard], desk.all);
      expect(desk.carrier.writtenOf('mark').every(({ name }) => name.startsWith('g2.'))).toBe(true);
      expect(desk.carrier.writtenOf('end-of-turn')).toHaveLength(1);
      expect(desk.underruns).toEqual([]);
    }
  });

  test('takes over from one that is still there', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(2_000);
    desk.endTurn();
    desk.run(500);
    const heardOnFirst = desk.carrier.heardBefore(desk.nowMs);
    desk.carrier = desk.newCarrier();
    desk.playout.attach(desk.carrier, desk.nowMs);
    desk.run(3_000);
    same([...heardOnFirst, ...desk.carrier.heard], desk.all);
  });

  test('that comes while playout is paused waits for the verdict', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(2_000);
    desk.run(500);
    const heardOnFirst = desk.carrier.heardBefore(desk.nowMs);
    desk.playout.pause(desk.nowMs);
    desk.playout.detach(desk.nowMs);
    desk.carrier = desk.newCarrier();
    desk.playout.attach(desk.carrier, desk.nowMs);
    expect(desk.carrier.written).toEqual([]);
    desk.playout.resume(desk.nowMs, 0);
    desk.endTurn();
    desk.run(3_000);
    same([...heardOnFirst, ...desk.carrier.heard], desk.all);
  });
});
