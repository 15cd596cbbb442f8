import { describe, expect, it } from 'vitest';
import type { LineWeather } from '../../../src/lab/network/line.ts';
import { seededRandom } from '../../../src/lab/network/random.ts';
import { noise, payloadOf, positionsIn } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';

const TURNS = 8;
const line = (delayMs: number, jitterMs: number, lateShare: number): LineWeather => ({
  delayMs,
  jitterMs,
  lateShare,
  lateByMs: 250,
});

interface Account {
  /** The ledger's account less the carrier's. */
  readonly errorMs: number;
  /** How long `clear` was on its way: what is heard meanwhile, nobody can know when it is written. */
  readonly clearTookMs: number;
}

/** Interrupts answer after answer with marks pending. */
async function accountsOf(seed: number, weather: LineWeather): Promise<Account[]> {
  const random = seededRandom(seed * 77);
  const bench = new CallBench({ seed, bot: { bargeIn: { tracker: false } } });
  const carrier = await bench.answerAndGreet({ weather, seed });
  const answers: Buffer[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const answer = noise(3_500, seed * 100 + turn);
    answers.push(payloadOf(answer));
    bench.model.speak(answer, { pace: 1.3 + 8 * random(), ends: random() < 0.5 });
    await bench.run(300 + 2_700 * random());
    bench.model.interrupt();
    bench.model.say({ type: 'turn-complete', reason: null });
    await bench.run(500 + 500 * random());
  }
  const ledger = bench.of('generation-over').filter(({ how }) => how === 'cleared');
  expect(ledger).toHaveLength(TURNS);
  expect(carrier.written.filter(({ event }) => event === 'mark').length).toBeGreaterThan(TURNS);
  carrier.stop();
  await bench.run(2_000);
  bench.expectEnded('caller', 'completed');
  // The first generation holds the greeting as well.
  return answers.slice(1).map((source, index) => {
    const turn = index + 1;
    const played = carrier.played.filter(({ generation }) => generation === turn);
    const positions = positionsIn(source, Buffer.concat(played.map(({ payload }) => payload)));
    const heardMs = (Math.max(-1, ...positions) + 1) / 8;
    const { heardMs: ledgerMs, atMs } = ledger[turn]!;
    return { errorMs: Math.abs(ledgerMs - heardMs), clearTookMs: carrier.clearedAtMs[turn]! - atMs };
  });
}

async function accounts(seeds: number, weather: LineWeather, firstSeed = 1): Promise<Account[]> {
  const all: Account[] = [];
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) all.push(...(await accountsOf(seed, weather)));
  return all;
}

const shareWithin = (all: readonly Account[]): number =>
  all.filter(({ errorMs }) => errorMs <= 60).length / all.length;

const worst = (all: readonly Account[]): number => Math.max(...all.map(({ errorMs }) => errorMs));

describe('what the ledger says the caller heard of a cleared generation is what the carrier played', () => {
  it('to a frame of the carrier, where the line has no delay', async () => {
    // From 51 on the marks that a clear returned were once taken for played ones: they are back before it is written.
    const all = await accounts(6, line(0, 0, 0), 51);
    expect(all.length).toBe(6 * (TURNS - 1));
    expect(worst(all)).toBeLessThanOrEqual(20);
  });

  // The first message of the turn and the clear may each be 30 ms early or late; frames of 20 ms come on top.
  it('to 80 ms, and nearly always to 60 ms, over 80 ± 30 ms each way', async () => {
    const all = await accounts(12, line(80, 30, 0));
    expect(worst(all)).toBeLessThanOrEqual(80);
    expect(shareWithin(all)).toBeGreaterThanOrEqual(0.97);
  });

  it('nearly always where, on top, every hundredth message is 250 ms late and holds up those behind it', async () => {
    const all = await accounts(20, line(80, 30, 0.01));
    expect(shareWithin(all)).toBeGreaterThanOrEqual(0.93);
    const clearInTime = all.filter(({ clearTookMs }) => clearTookMs <= 80 + 30 + 60);
    expect(shareWithin(clearInTime)).toBeGreaterThanOrEqual(0.97);
  });
});
