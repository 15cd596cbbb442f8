import { describe, expect, test } from 'vitest';
import { PlayoutDesk, same } from './playout-desk.ts';

/** Packets of audio written since the desk began. */
const written = (desk: PlayoutDesk): number => desk.carrier.writtenOf('audio').length;
const flow = (desk: PlayoutDesk, paused: boolean): void => desk.playout.flow(paused, desk.nowMs);

describe('a carrier that has more audio than it wants', () => {
  test('gets nothing, not even the end of a turn, until it takes more again: then at once, and nothing is lost', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(3_000);
    desk.run(500);
    flow(desk, true);
    const before = desk.carrier.written.length;
    desk.sayMs(500);
    desk.endTurn();
    desk.run(900);
    expect(desk.carrier.written).toHaveLength(before);
    flow(desk, false);
    expect(desk.carrier.written.length).toBeGreaterThan(before);
    desk.run(4_000);
    same(desk.carrier.heard, desk.all);
  });

  test('and runs dry meanwhile by its own will was not left without audio', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(5_000);
    desk.run(500);
    flow(desk, true);
    desk.run(1_000);
    flow(desk, false);
    desk.run(5_000);
    expect(desk.carrier.holesMs).toHaveLength(1);
    expect(desk.underruns).toEqual([]);
    expect(desk.playout.leadMs).toBe(desk.limits.leadMs);
    same(desk.carrier.heard, desk.all);
  });

  test('is short of audio from the moment on that it takes more again, if the model has none then', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(480);
    desk.run(300);
    flow(desk, true);
    desk.run(700);
    flow(desk, false);
    desk.run(300);
    desk.sayMs(480);
    expect(desk.underruns).toEqual([{ gapMs: 300, seenBy: 'clock' }]);
  });

  test('has not played what marks should have come back for by now', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(10_000);
    desk.run(1_000);
    desk.carrier.loseMarks = true;
    desk.run(3_000);
    expect(desk.playout.heardTo(desk.nowMs) / 8).toBe(4_000);
    flow(desk, true);
    desk.run(20);
    // The last mark that was sent before lies a lead further on, the one after it is missing.
    expect(desk.playout.heardTo(desk.nowMs) / 8).toBeLessThanOrEqual(1_400 + 180);
    expect(desk.playout.unplayedMs(desk.nowMs)).toBeGreaterThanOrEqual(10_000 - 1_580);
  });

  test('and never says that it takes more is given more a second after it must have played what it has', () => {
    const desk = new PlayoutDesk({ leadMs: 400 });
    desk.sayMs(10_000);
    desk.run(1_000);
    flow(desk, true);
    const [atMs, before] = [desk.nowMs, written(desk)];
    // It held the lead, and a mark may be as old as their distance.
    desk.run(1_380);
    expect(written(desk)).toBe(before);
    desk.run(200);
    expect(written(desk)).toBeGreaterThan(before);
    expect(desk.nowMs - atMs).toBeLessThanOrEqual(1_600);
    desk.run(11_000);
    same(desk.carrier.heard, desk.all);
  });

  test('that returns no marks is waited for no longer than any carrier’s queue is', () => {
    const desk = new PlayoutDesk();
    desk.carrier.loseMarks = true;
    desk.sayMs(100_000);
    desk.run(60_000);
    flow(desk, true);
    const before = written(desk);
    desk.run(20_900);
    expect(written(desk)).toBe(before);
    desk.run(200);
    expect(written(desk)).toBeGreaterThan(before);
  });

  test('has nothing of it any more once it is cleared: what comes next is written at once', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(3_000);
    desk.run(500);
    flow(desk, true);
    desk.playout.drop(desk.nowMs);
    const before = written(desk);
    desk.sayMs(500, 2);
    expect(written(desk)).toBeGreaterThan(before);
  });

  test('is not the one of another stream', () => {
    const desk = new PlayoutDesk();
    desk.sayMs(3_000);
    desk.run(500);
    flow(desk, true);
    desk.carrier = desk.newCarrier();
    desk.playout.attach(desk.carrier, desk.nowMs);
    expect(written(desk)).toBeGreaterThan(0);
  });
});

describe('a clear that is acknowledged', () => {
  const acknowledging = { marksAtClear: 'dropped', acknowledgesClear: true } as const;

  test('opens what was heard to doubt until then, and a pause goes on from where it is known to have cut', () => {
    const desk = new PlayoutDesk(acknowledging);
    desk.sayMs(2_000);
    desk.run(500);
    const heardMs = desk.playout.pause(desk.nowMs) / 8;
    expect(desk.playout.cut).toMatchObject({ settled: false });
    // By the carrier's time it was a little later, and no mark says otherwise.
    desk.playout.echoed('g1.3', 'played', desk.nowMs, null);
    desk.playout.cleared(null);
    expect(desk.playout.cut).toMatchObject({ settled: true });
    expect(desk.playout.cut!.heardTo / 8).toBeGreaterThanOrEqual(heardMs);
    expect(desk.playout.heardTo(desk.nowMs)).toBe(desk.playout.cut!.heardTo);
  });

  test('says nothing of a later clear that is still on its way', () => {
    const desk = new PlayoutDesk(acknowledging);
    desk.sayMs(2_000);
    desk.run(500);
    desk.playout.drop(desk.nowMs);
    desk.sayMs(2_000, 2);
    desk.run(100);
    desk.playout.drop(desk.nowMs);
    const { heardTo } = desk.playout.cut!;
    desk.playout.cleared(null);
    expect(desk.playout.cut).toMatchObject({ settled: false, heardTo });
    desk.playout.cleared(null);
    expect(desk.playout.cut).toMatchObject({ settled: true });
  });

  test('is not counted as missing for ever when its acknowledgement is lost', () => {
    const desk = new PlayoutDesk(acknowledging);
    desk.sayMs(2_000);
    desk.run(500);
    desk.playout.drop(desk.nowMs);
    desk.sayMs(2_000, 2);
    // A mark of what was written behind it came back: it was done.
    desk.run(500);
    desk.playout.drop(desk.nowMs);
    desk.playout.cleared(null);
    expect(desk.playout.cut).toMatchObject({ settled: true });
  });

  test('counts the marks that were played before it', () => {
    const desk = new PlayoutDesk(acknowledging);
    desk.carrier.downMs = () => 100;
    desk.sayMs(2_000);
    desk.run(450);
    const before = desk.playout.counts.marksEchoed;
    desk.playout.drop(desk.nowMs);
    desk.run(150);
    expect(desk.playout.counts.marksEchoed).toBeGreaterThan(before);
  });
});
