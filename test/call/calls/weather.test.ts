import { describe, expect, it } from 'vitest';
import type { LineWeather } from '../../../src/lab/network/line.ts';
import { gapsIn, noise } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';

const WEATHER: LineWeather = { delayMs: 80, jitterMs: 30, lateShare: 0.01, lateByMs: 250 };
const TURNS = 20;
const TURN_MS = 2_000;

/** The gaps a caller hears inside the turns of a call over a bad line, in ms. */
async function gapsOf(seed: number, pace: number): Promise<number[]> {
  const bench = new CallBench({ seed });
  const carrier = await bench.answerAndGreet({ weather: WEATHER, seed });
  const gaps: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const fromMs = bench.clock.now();
    bench.model.speak(noise(TURN_MS, seed * 100 + turn), { pace });
    await bench.run(TURN_MS + 1_500);
    gaps.push(...gapsIn(carrier.heard(fromMs)));
  }
  return gaps;
}

describe('a line of 80 ± 30 ms with every hundredth message 250 ms late', () => {
  it.each([3, 1.5])(
    'is never heard in twenty turns at the default lead, from a model at %s times real time',
    async (pace) => {
      const all: number[][] = [];
      for (let seed = 1; seed <= 10; seed++) all.push(await gapsOf(seed, pace));
      expect(all.flat()).toEqual([]);
    },
  );
});
