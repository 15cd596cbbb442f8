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

/** Interrupts answer after answer with marks pending. */
async function errorsOf(seed: number, weather: LineWeather): Promise<number[]> {
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
    return Math.abs(ledger[turn]!.heardMs - heardMs);
  });
}

async function errors(seeds: number, weather: LineWeather, firstSeed = 1): Promise<number[]> {
  const all: number[] = [];
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) all.push(...(await errorsOf(seed, weather)));
  return all;
}

describe('what the ledger says the caller heard of a cleared generation is what the carrier played', () => {
  it('to a frame of the carrier, where the line has no delay', async () => {
    // From 51 on the marks that a clear returned were once taken for played ones: they are back before it is written.
    const all = await errors(6, line(0, 0, 0), 51);
    expect(all.length).toBe(6 * (TURNS - 1));
    expect(Math.max(...all)).toBeLessThanOrEqual(20);
  });

  it('to 60 ms, and nearly always to a frame, over 80 ± 30 ms each way', async () => {
    const all = await errors(12, line(80, 30, 0));
    expect(Math.max(...all)).toBeLessThanOrEqual(60);
    expect(all.filter((errorMs) => errorMs <= 20).length / all.length).toBeGreaterThanOrEqual(0.95);
  });

  // What is left are stops so soon after a turn's first word that no mark of it is back yet.
  it('to 60 ms also where every hundredth message is 250 ms late and holds up those behind it', async () => {
    const all = await errors(20, line(80, 30, 0.01));
    expect(all.filter((errorMs) => errorMs <= 60).length / all.length).toBeGreaterThanOrEqual(0.985);
  });
});
