import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PlayoutDesk, same } from './playout-desk.ts';
import { SAMPLES_PER_MS } from './simulated-carrier.ts';

describe('what the caller hears', () => {
  const chunk = fc.record({
    samples: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 300, max: 6_000 })),
    afterMs: fc.integer({ min: 0, max: 150 }),
    last: fc.boolean(),
  });

  test('is what was queued, in order, once, and no more than the lead is ever in the carrier', () => {
    fc.assert(
      fc.property(
        fc.array(chunk, { minLength: 1, maxLength: 25, size: 'max' }),
        fc.constantFrom(
          {},
          { packetMs: 20, leadMs: 100 },
          { packetMs: 100, leadMs: 250 },
          { exactFrameMs: 20, packetMs: 20, leadMs: 60 },
        ),
        (chunks, limits) => {
          const desk = new PlayoutDesk(limits);
          let turn = 1;
          const bounded = () => expect(desk.carrier.aheadMs).toBeLessThanOrEqual(desk.limits.leadMs + 0.001);
          for (const { samples, afterMs, last } of chunks) {
            desk.say(samples, turn);
            bounded();
            if (last) {
              desk.endTurn();
              turn += 1;
              bounded();
            }
            desk.run(afterMs, bounded);
          }
          desk.endTurn();
          desk.run(desk.queued / SAMPLES_PER_MS + 100, bounded);
          same(desk.carrier.heard, desk.all);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('has no hole while the model is ahead', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(10_000);
    desk.endTurn();
    desk.run(10_100);
    expect(desk.carrier.holesMs).toEqual([]);
    expect(desk.underruns).toEqual([]);
    same(desk.carrier.heard, desk.all);
  });

  test('goes on over a socket that takes nothing for a while: nothing is lost, nothing is piled up in it', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(3_000);
    desk.endTurn();
    desk.carrier.bufferedBytes = 70_000;
    const before = desk.carrier.written.length;
    desk.run(1_000);
    expect(desk.carrier.written).toHaveLength(before);
    desk.carrier.bufferedBytes = 0;
    desk.run(3_500);
    same(desk.carrier.heard, desk.all);
  });

  test('is bounded by four minutes queued, and what does not fit is counted', () => {
    const desk = new PlayoutDesk();
    for (let second = 0; second < 250; second++) desk.sayMs(1_000);
    expect(desk.playout.unplayedMs(desk.nowMs)).toBe(240_000);
    expect(desk.overflowMs).toBe(10_000);
  });
});

describe('the tail of a turn', () => {
  test('waits for the end of the turn, and is flushed by it, with one end-of-turn behind it', () => {
    const desk = new PlayoutDesk();
    desk.say(1_234);
    desk.run(400);
    expect(desk.carrier.heard.length).toBeLessThan(1_234);
    expect(desk.carrier.writtenOf('end-of-turn')).toHaveLength(0);
    desk.endTurn();
    desk.endTurn();
    desk.run(200);
    same(desk.carrier.heard, desk.all);
    expect(desk.carrier.writtenOf('end-of-turn')).toHaveLength(1);
  });

  test('is followed by an end-of-turn and then the mark, wherever the marks fall', () => {
    // Also where a mark was just due: at 160 ms, and in the middle of the tail.
    for (const ms of [20, 40, 140, 155, 160, 165, 170, 180, 320, 330, 345, 480, 500]) {
      for (const [endsAtOnce, packetMs] of [
        [true, 20],
        [false, 20],
        [true, 60],
        [false, 60],
      ] as const) {
        const desk = new PlayoutDesk({ packetMs });
        desk.sayMs(ms);
        if (!endsAtOnce) desk.run(ms + 40);
        desk.endTurn();
        desk.run(ms + 100);
        const types = desk.carrier.written.map(({ type }) => type);
        const end = types.lastIndexOf('end-of-turn');
        expect(types.filter((type) => type === 'end-of-turn')).toHaveLength(1);
        expect(end).toBeGreaterThan(types.lastIndexOf('audio'));
        // What the caller heard of a tail is known by a mark behind all of it, also what the port held back.
        expect(types.lastIndexOf('mark')).toBeGreaterThan(types.lastIndexOf('audio'));
        if (endsAtOnce && ms % 20 > 0) expect(types.at(-1)).toBe('mark');
      }
    }
  });

  test('a carrier that wants whole frames gets nothing else, but for the tail that it pads itself', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 0, max: 333 }), fc.boolean()),
          {
            minLength: 1,
            maxLength: 20,
            size: 'max',
          },
        ),
        fc.constantFrom(50, 60, 90, 400),
        (chunks, leadMs) => {
          const desk = new PlayoutDesk({ exactFrameMs: 20, packetMs: 20, leadMs });
          for (const [samples, tenths, last] of chunks) {
            desk.say(samples);
            // Times between the ticks and between the milliseconds.
            desk.nowMs += tenths / 10;
            if (last) desk.endTurn();
            desk.run(45);
          }
          desk.endTurn();
          desk.run(desk.queued / SAMPLES_PER_MS + 200);
          const { written } = desk.carrier;
          for (const [i, each] of written.entries()) {
            if (each.type !== 'audio' || each.samples.length === 160) continue;
            expect(each.samples.length).toBeLessThan(160);
            expect(written[i + 1]?.type).toBe('end-of-turn');
          }
          same(desk.carrier.heard, desk.all);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('marks', () => {
  test('lie 100 to 200 ms apart, and one lies behind the last sample', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(4_000);
    desk.endTurn();
    desk.run(4_200);
    const distances: number[] = [];
    let since = 0;
    for (const each of desk.carrier.written) {
      if (each.type === 'audio') since += each.samples.length / SAMPLES_PER_MS;
      if (each.type === 'mark') {
        distances.push(since);
        since = 0;
      }
    }
    expect(since).toBe(0);
    for (const distance of distances.slice(0, -1)) {
      expect(distance).toBeGreaterThanOrEqual(100);
      expect(distance).toBeLessThanOrEqual(200);
    }
  });

  test('carry the generation, and those of an old one say nothing about the new one', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(1_000);
    desk.run(300);
    const old = desk.carrier.writtenOf('mark').map(({ name }) => name);
    expect(old.every((name) => name.startsWith('g1.'))).toBe(true);
    desk.playout.drop(desk.nowMs);
    desk.sayMs(1_000, 2);
    const heard = desk.playout.heardTo(desk.nowMs);
    for (const name of [...old, 'g2.999', 'g9.1', 'somebody-elses', 'g2.', '']) {
      desk.playout.echoed(name, 'played', desk.nowMs);
    }
    expect(desk.playout.heardTo(desk.nowMs)).toBe(heard);
    const fresh = desk.carrier.writtenOf('mark').slice(old.length);
    expect(fresh.length).toBeGreaterThan(0);
    expect(fresh.every(({ name }) => name.startsWith('g2.'))).toBe(true);
  });

  test('that were returned by a clear are not taken for played', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(2_000);
    const heard = desk.playout.heardTo(desk.nowMs);
    desk.playout.echoed('g1.1', 'cleared', desk.nowMs);
    expect(desk.playout.heardTo(desk.nowMs)).toBe(heard);
    desk.playout.echoed('g1.1', 'played', desk.nowMs);
    expect(desk.playout.heardTo(desk.nowMs)).toBeGreaterThan(heard);
  });

  test('are not sent to a carrier that has none', () => {
    const desk = new PlayoutDesk({ supportsMarks: false });
    desk.sayMs(1_000);
    desk.endTurn();
    desk.run(1_200);
    expect(desk.carrier.writtenOf('mark')).toEqual([]);
    expect(desk.carrier.writtenOf('end-of-turn')).toHaveLength(1);
    same(desk.carrier.heard, desk.all);
  });

  test('that never come back are bounded', () => {
    const desk = new PlayoutDesk();
    desk.carrier.loseMarks = true;
    desk.sayMs(90_000);
    desk.run(90_500);
    expect(desk.carrier.writtenOf('mark').length).toBeLessThanOrEqual(256);
    same(desk.carrier.heard, desk.all);
  });
});

describe('what was heard', () => {
  test('is known to the sample on an even line, at every moment', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 }), (upMs, downMs) => {
        const desk = new PlayoutDesk();
        desk.carrier.upMs = () => upMs;
        desk.carrier.downMs = () => downMs;
        desk.sayMs(2_000);
        desk.endTurn();
        desk.run(2_500, () => {
          expect(desk.playout.heardTo(desk.nowMs)).toBe(desk.carrier.countBefore(desk.nowMs + upMs));
        });
      }),
      { numRuns: 15 },
    );
  });

  test('never runs backwards', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(3_000);
    let furthest = 0;
    const forwards = () => {
      const heard = desk.playout.heardTo(desk.nowMs);
      expect(heard).toBeGreaterThanOrEqual(furthest);
      furthest = heard;
    };
    desk.run(700, forwards);
    desk.playout.pause(desk.nowMs);
    desk.run(100, forwards);
    desk.playout.resume(desk.nowMs, 60);
    forwards();
    desk.run(500, forwards);
    desk.playout.drop(desk.nowMs);
    desk.run(100, forwards);
  });
});
