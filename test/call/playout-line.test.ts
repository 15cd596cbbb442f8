import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SILENCE_DBOV } from '../../src/audio/level.ts';
import { PlayoutDesk, same } from './playout-desk.ts';
import { SAMPLES_PER_MS } from './simulated-carrier.ts';

describe('underruns', () => {
  test('of the model are seen by the clock, as long as the caller heard nothing', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(600);
    desk.run(1_400);
    desk.sayMs(600);
    desk.run(1_000);
    expect(desk.underruns).toHaveLength(1);
    expect(desk.underruns[0]).toMatchObject({ seenBy: 'clock' });
    expect(desk.underruns[0]!.gapMs).toBeCloseTo(desk.carrier.holesMs[0]!, 3);
  });

  test('between two turns are none', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(600);
    desk.endTurn();
    desk.run(2_000);
    desk.sayMs(600, 2);
    desk.run(1_000);
    expect(desk.underruns).toEqual([]);
  });

  test('of the line are seen by the marks; the lead grows with each of them, up to its bound', () => {
    const desk = new PlayoutDesk({ leadMs: 400, maxLeadMs: 600 });
    let stalledUntilMs = 0;
    desk.carrier.upMs = () => Math.max(30, stalledUntilMs - desk.nowMs);
    desk.carrier.downMs = () => 30;
    desk.sayMs(30_000);
    const leads: number[] = [];
    for (let spell = 0; spell < 4; spell++) {
      desk.run(3_000);
      stalledUntilMs = desk.nowMs + 1_000;
      desk.run(3_000);
      leads.push(desk.playout.leadMs);
    }
    expect(leads).toEqual([500, 600, 600, 600]);
    expect(desk.underruns.every(({ seenBy }) => seenBy === 'marks')).toBe(true);
  });
});

describe('the cushion', () => {
  test('is put before a turn, whole frames of it, in no larger messages than the carrier takes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 20, max: 500 }),
        (cushionMs, readyMs) => {
          const desk = new PlayoutDesk({ leadMs: 300 });
          desk.playout.setCushion(cushionMs);
          desk.sayMs(readyMs);
          desk.endTurn();
          const { written } = desk.carrier;
          const padMs = written
            .flatMap((each) =>
              each.type === 'audio' && each.samples.every((sample) => sample === 0)
                ? each.samples.length
                : [],
            )
            .reduce((sum, samples) => sum + samples / SAMPLES_PER_MS, 0);
          expect(padMs % 20).toBe(0);
          expect(padMs).toBeGreaterThanOrEqual(cushionMs - readyMs);
          expect(padMs).toBeLessThan(Math.max(0, cushionMs - readyMs) + 20);
          for (const each of written) {
            if (each.type === 'audio')
              expect(each.samples.length).toBeLessThanOrEqual(desk.limits.packetMs * SAMPLES_PER_MS);
          }
          desk.run(900);
          same(desk.carrier.heard, desk.all);
          expect(desk.audible[0]?.padMs).toBe(padMs);
          // The clock knows of the silence.
          expect(desk.playout.heardTo(desk.nowMs)).toBe(desk.queued);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('keeps an uneven line from tearing a turn whose audio comes in real time', () => {
    const holes = (cushionMs: number) => {
      const desk = new PlayoutDesk();
      desk.playout.setCushion(cushionMs);
      let message = 0;
      desk.carrier.upMs = () => (message++ % 9 === 5 ? 160 : 10);
      for (let frame = 0; frame < 150; frame++) {
        desk.sayMs(20);
        desk.run(20);
      }
      return desk.carrier.holesMs.length;
    };
    expect(holes(0)).toBeGreaterThan(0);
    expect(holes(200)).toBe(0);
  });
});

describe('the first sound of a turn', () => {
  test('is reported once, when the first packet above silence is written', () => {
    const desk = new PlayoutDesk({ packetMs: 20 });
    const silence = new Uint8Array(2 * 1_600);
    desk.playout.append(silence, 1, desk.nowMs);
    expect(desk.audible).toEqual([]);
    desk.queued = 1_600;
    desk.sayMs(1_000);
    desk.run(500);
    expect(desk.audible).toHaveLength(1);
    expect(desk.audible[0]).toMatchObject({ turn: 1, padMs: 0 });
    desk.endTurn();
    desk.run(1_000);
    desk.sayMs(200, 2);
    expect(desk.audible.map(({ turn }) => turn)).toEqual([1, 2]);
  });
});

describe('our own echo', () => {
  test('is expected while we are heard and half a second longer, and not otherwise', () => {
    const desk = new PlayoutDesk();
    expect(desk.playout.echoDbov(desk.nowMs)).toBe(SILENCE_DBOV);
    desk.sayMs(1_000);
    desk.endTurn();
    desk.run(300);
    expect(desk.playout.echoDbov(desk.nowMs)).toBeGreaterThan(-30);
    desk.run(700 + 450);
    expect(desk.playout.echoDbov(desk.nowMs)).toBeGreaterThan(-30);
    desk.run(100);
    expect(desk.playout.echoDbov(desk.nowMs)).toBe(SILENCE_DBOV);
  });
});
