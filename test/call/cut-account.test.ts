import { describe, expect, it } from 'vitest';
import { CarrierTime, CutAccount } from '../../src/call/cut-account.ts';

const PER_MS = 8;

/** Playing since carrier time 1,000; marks at 160, 320, 480 ms; 500 ms were sent; the clock reckons 250 ms. */
const cut = (zeroMs: number | null = 1_000) =>
  new CutAccount({
    generation: 3,
    pending: [160, 320, 480].map((ms, i) => ({ number: i + 1, position: ms * PER_MS })),
    zeroMs,
    samplesPerMs: PER_MS,
    heardTo: 250 * PER_MS,
    sentTo: 500 * PER_MS,
  });

describe('the account of a cut', () => {
  it('believes the clock until a mark tells more', () => {
    expect(cut().heardTo).toBe(250 * PER_MS);
    expect(cut().settled).toBe(false);
  });

  it('ends where the carrier was when the first mark came back before its time', () => {
    const account = cut();
    expect(account.echoed(1, 1_170)).toBe(false);
    expect(account.echoed(2, 1_200)).toBe(true);
    expect(account.heardTo).toBe(200 * PER_MS);
    expect(account.settled).toBe(true);
  });

  it('takes marks that come back in their time for played, however late the clear was', () => {
    const account = cut();
    account.echoed(1, 1_160);
    account.echoed(2, 1_330);
    expect(account.heardTo).toBe(320 * PER_MS);
    account.echoed(3, 1_480);
    expect(account.heardTo).toBe(480 * PER_MS);
    expect(account.settled).toBe(true);
  });

  it('does not change its mind once it is settled', () => {
    const account = cut();
    account.echoed(1, 1_100);
    expect(account.echoed(2, 1_900)).toBe(false);
    expect(account.heardTo).toBe(100 * PER_MS);
  });

  it('never says more than was sent, nor less than nothing', () => {
    const late = cut();
    late.echoed(3, 1_440);
    expect(late.heardTo).toBeLessThanOrEqual(500 * PER_MS);
    const early = cut();
    early.echoed(1, 900);
    expect(early.heardTo).toBe(0);
  });

  it("leaves it at the clock where no mark has tied positions to the carrier's time", () => {
    const account = cut(null);
    expect(account.settled).toBe(true);
    expect(account.echoed(1, 5_000)).toBe(false);
    expect(account.heardTo).toBe(250 * PER_MS);
  });
});

describe("the carrier's time", () => {
  it('is known from the marks of the run that plays, and forgotten with it', () => {
    const time = new CarrierTime(PER_MS);
    expect(time.zeroMs).toBeNull();
    time.played(160 * PER_MS, 1_160);
    time.played(320 * PER_MS, 1_340);
    expect(time.zeroMs).toBe(1_010);
    time.runBegins(400 * PER_MS);
    expect(time.zeroMs).toBeNull();
  });

  it('is not told by a mark from before the run', () => {
    const time = new CarrierTime(PER_MS);
    time.runBegins(400 * PER_MS);
    time.played(390 * PER_MS, 9_000);
    expect(time.zeroMs).toBeNull();
  });
});
