import { describe, expect, it } from 'vitest';
import { AudioRun } from '../../src/call/audio-run.ts';
import { CarrierTime, type ClearManners, CutAccount } from '../../src/call/cut-account.ts';

const PER_MS = 8;
const ECHOED: ClearManners = { marksAtClear: 'echoed', acknowledgesClear: false };
const REPORTED: ClearManners = { marksAtClear: 'reported', acknowledgesClear: false };
const DROPPED: ClearManners = { marksAtClear: 'dropped', acknowledgesClear: true };
const SILENT: ClearManners = { marksAtClear: 'dropped', acknowledgesClear: false };

/** Playing since carrier time 1,000; marks at 160, 320, 480 ms; 500 ms were sent; the clock reckons 250 ms. */
function cut(manners = ECHOED, zeroMs: number | null = 1_000, ms = [160, 320, 480]): CutAccount {
  const run = new AudioRun(0, PER_MS);
  run.extend(500 * PER_MS);
  return new CutAccount({
    generation: 3,
    pending: ms.map((each, i) => ({ number: i + 1, position: each * PER_MS })),
    run,
    zeroMs,
    heardTo: 250 * PER_MS,
    sentTo: 500 * PER_MS,
    manners,
  });
}
const heardMs = (account: CutAccount): number => account.heardTo / PER_MS;

describe('the account of a cut, of a carrier whose echoes look alike,', () => {
  const echoed = (account: CutAccount, number: number, mediaMs: number | null): boolean =>
    account.echoed(number, 'ambiguous', mediaMs);

  it('believes the clock until a mark tells more', () => {
    expect(heardMs(cut())).toBe(250);
    expect(cut().settled).toBe(false);
  });

  it('ends where the carrier was when the first mark came back before its time', () => {
    const account = cut();
    expect(echoed(account, 1, 1_170)).toBe(false);
    expect(echoed(account, 2, 1_200)).toBe(true);
    expect(heardMs(account)).toBe(200);
    expect(account.settled).toBe(true);
  });

  it('takes marks that come back in their time for played, however late the clear was', () => {
    const account = cut();
    echoed(account, 1, 1_160);
    echoed(account, 2, 1_330);
    expect(heardMs(account)).toBe(320);
    echoed(account, 3, 1_480);
    expect(heardMs(account)).toBe(480);
    expect(account.settled).toBe(true);
  });

  it('is not held to a mark that came back a little early: it may have been thrown out', () => {
    const account = cut();
    echoed(account, 1, 1_140);
    echoed(account, 2, 1_140);
    expect(heardMs(account)).toBe(140);
  });

  it('does not change its mind once it is settled', () => {
    const account = cut();
    echoed(account, 1, 1_100);
    expect(echoed(account, 2, 1_900)).toBe(false);
    expect(heardMs(account)).toBe(100);
  });

  it('never says more than was sent, nor less than nothing', () => {
    const late = cut();
    echoed(late, 3, 1_440);
    expect(heardMs(late)).toBeLessThanOrEqual(500);
    const early = cut();
    echoed(early, 1, 900);
    expect(heardMs(early)).toBe(0);
  });

  it("leaves it at the clock where no mark has tied positions to the carrier's time", () => {
    const account = cut(ECHOED, null);
    expect(account.settled).toBe(true);
    expect(echoed(account, 1, 5_000)).toBe(false);
    expect(heardMs(account)).toBe(250);
  });
});

describe('of a carrier that reports what it threw out', () => {
  it('it lies between the last mark played and the first one cleared, where there is no carrier’s time', () => {
    const later = cut(REPORTED, null);
    later.echoed(1, 'played', null);
    later.echoed(2, 'played', null);
    expect([heardMs(later), later.settled]).toEqual([320, false]);
    later.echoed(3, 'cleared', null);
    expect([heardMs(later), later.settled]).toEqual([320, true]);
    const sooner = cut(REPORTED, null);
    sooner.echoed(1, 'cleared', null);
    expect([heardMs(sooner), sooner.settled]).toEqual([160, true]);
  });

  it('the carrier’s time tells where, and is not believed against the marks', () => {
    const inside = cut(REPORTED);
    inside.echoed(1, 'played', 1_165);
    inside.echoed(2, 'cleared', 1_290);
    expect(heardMs(inside)).toBe(290);
    const outside = cut(REPORTED);
    outside.echoed(1, 'played', 1_165);
    outside.echoed(2, 'cleared', 1_400);
    expect(heardMs(outside)).toBe(320);
  });

  it('it waits for no mark when there is none', () => {
    expect(cut(REPORTED, 1_000, []).settled).toBe(true);
    expect(cut(REPORTED).settled).toBe(false);
  });
});

describe('of a carrier that drops marks and acknowledges a clear', () => {
  it('is settled by that, and by nothing before it', () => {
    const account = cut(DROPPED);
    for (const number of [1, 2, 3]) account.echoed(number, 'played', 1_000 + 160 * number);
    expect(account.settled).toBe(false);
    expect(account.acknowledged(1_490)).toBe(true);
    expect([heardMs(account), account.settled]).toEqual([490, true]);
    expect(account.acknowledged(1_700)).toBe(false);
  });

  it('marks that are not back by then were thrown out, and those that are were not', () => {
    const sooner = cut(DROPPED, null);
    sooner.acknowledged(null);
    expect(heardMs(sooner)).toBe(160);
    const later = cut(DROPPED, null);
    later.echoed(1, 'played', null);
    later.echoed(2, 'played', null);
    later.acknowledged(null);
    expect(heardMs(later)).toBe(320);
    const between = cut(DROPPED, null);
    between.echoed(1, 'played', null);
    between.acknowledged(null);
    expect(heardMs(between)).toBe(250);
  });

  it('a mark of which nobody knows is no evidence that it was thrown out', () => {
    const account = cut(DROPPED, null);
    account.echoed(1, 'ambiguous', null);
    account.acknowledged(null);
    expect(heardMs(account)).toBe(250);
  });

  it('the carrier’s time tells where', () => {
    const account = cut(DROPPED);
    account.echoed(1, 'played', 1_160);
    account.acknowledged(1_230);
    expect(heardMs(account)).toBe(230);
  });

  it('waits for it also where no mark is pending, and for nothing where none will come', () => {
    expect(cut(DROPPED, 1_000, []).settled).toBe(false);
    expect(cut(SILENT).settled).toBe(true);
  });
});

describe("the carrier's time", () => {
  const run = (from: number, to: number): AudioRun => {
    const created = new AudioRun(from * PER_MS, PER_MS);
    created.extend(to * PER_MS);
    return created;
  };

  it('is known from the marks of the run that plays, and forgotten with it', () => {
    const time = new CarrierTime();
    const playing = run(0, 400);
    expect(time.zeroMs(playing)).toBeNull();
    time.played(playing, 160 * PER_MS, 1_160);
    time.played(playing, 320 * PER_MS, 1_340);
    expect(time.zeroMs(playing)).toBe(1_010);
    const next = run(400, 800);
    expect(time.zeroMs(next)).toBeNull();
    time.played(next, 480 * PER_MS, 3_080);
    expect(time.zeroMs(next)).toBe(3_000);
  });

  it('is not told by a mark from before the run, or at its beginning', () => {
    const time = new CarrierTime();
    const playing = run(400, 800);
    time.played(playing, 390 * PER_MS, 9_000);
    time.played(playing, 400 * PER_MS, 9_000);
    expect(time.zeroMs(playing)).toBeNull();
  });
});
