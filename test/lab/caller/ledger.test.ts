import { describe, expect, it } from 'vitest';
import { createResampler } from '../../../src/audio/resample.ts';
import type { CarrierId } from '../../../src/carriers/carrier.ts';
import type { LineWeather } from '../../../src/lab/network/line.ts';
import { seededRandom } from '../../../src/lab/network/random.ts';
import { join } from '../../audio/signals.ts';
import { noise } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { adapterOf, CARRIERS, connect, line } from './bench-stream.ts';

const TURNS = 5;

/** Samples of the source up to the last one that was heard: found by its last 8 ms, the loudness apart. */
function heardTo(source: Int16Array, heard: Int16Array, sampleRate: number): number {
  const window = (sampleRate * 8) / 1_000;
  const end = heard.findLastIndex((sample) => Math.abs(sample) > 8) + 1;
  if (end < window) return 0;
  let best = { at: 0, error: Number.POSITIVE_INFINITY };
  for (let at = 0; at + window <= source.length; at += 1) {
    let error = 0;
    for (let n = 0; n < window && error < best.error; n += 1) {
      error += (source[at + n]! - heard[end - window + n]!) ** 2;
    }
    if (error < best.error) best = { at, error };
  }
  // Noise that is not of this source is nowhere near it.
  return best.error > window * 1_000 ** 2 ? 0 : best.at + window;
}

function converted(samples: Int16Array, sampleRate: number, isWhole: boolean): Int16Array[] {
  const converter = createResampler(24_000, sampleRate);
  const all = [Int16Array.from(converter.process(samples))];
  if (isWhole) all.push(Int16Array.from(converter.flush()));
  return all;
}

interface Comparison {
  readonly errorMs: number;
  readonly heardMs: number;
}

/** How the model speaks. */
interface Speech {
  /** Times real time. */
  readonly pace: (random: () => number) => number;
  /** A short turn to its end goes before each answer, without a gap. */
  readonly afterShortTurn?: boolean;
}
const FAST: Speech = { pace: (random) => 1.3 + 8 * random() };

/** Interrupts answer after answer, and lays the ledger beside what the simulated carrier has played. */
async function compare(id: CarrierId, seed: number, weather: LineWeather, speech: Speech) {
  const random = seededRandom(seed * 77);
  const adapter = adapterOf(id, random);
  const bench = new CallBench({
    seed,
    bot: { bargeIn: { tracker: false } },
    capabilities: adapter.capabilities,
    createMediaPort: adapter.createMediaPort,
  });
  const { open, heard: format } = CARRIERS[id];
  const stream = connect(bench, open, weather, seed);
  await bench.until(() => (bench.live.connections.at(-1)?.texts.length ?? 0) > 0, 3_000);
  await bench.run(bench.model.speak(new Int16Array(24 * 600).fill(3_000)) + 1_500);
  const answers: Int16Array[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const parts: Int16Array[] = [];
    if (speech.afterShortTurn === true) {
      const short = noise(Math.round(240 + 300 * random()), seed * 1_000 + turn);
      parts.push(...converted(short, format.sampleRate, true));
      bench.model.speak(short, { pace: 4 });
      await bench.run(short.length / 24 / 4 + 100);
    }
    const answer = noise(3_500, seed * 100 + turn);
    parts.push(...converted(answer, format.sampleRate, false));
    answers.push(format.decode(format.encode(join(parts))));
    bench.model.speak(answer, { pace: speech.pace(random), ends: random() < 0.5 });
    await bench.run(500 + 2_500 * random());
    bench.model.interrupt();
    bench.model.say({ type: 'turn-complete', reason: null });
    await bench.run(700 + 500 * random());
  }
  // A carrier that loses cleared marks lets the gateway wait for them.
  await bench.run(3_000);
  stream.end(false);
  const ledger = bench.of('generation-over').filter(({ how }) => how === 'cleared');
  const account = stream.account();
  const perMs = account.sampleRate / 1_000;
  // The first generation holds the greeting as well.
  const compared = answers.slice(1).map((source, index): Comparison => {
    const runs = account.runs.filter(({ generation }) => generation === index + 1);
    const from = runs[0]?.fromMs ?? 0;
    const to = runs.at(-1)?.toMs ?? 0;
    const heard = account.heard.subarray(Math.round(from * perMs), Math.round(to * perMs));
    const heardMs = heardTo(source, heard, account.sampleRate) / perMs;
    return { errorMs: Math.abs(ledger[index + 1]!.heardMs - heardMs), heardMs };
  });
  return { compared, ledger, account };
}

describe('the gateway’s ledger is what the simulated carrier played,', () => {
  const ids = Object.keys(CARRIERS) as CarrierId[];
  const weathers = [
    ['with no delay', line(0, 0)],
    ['over 80 ± 30 ms each way', line(80, 30)],
  ] as const;
  const cases = ids.flatMap((id) => weathers.map(([name, weather]) => ({ id, name, weather })));

  async function worstMs(id: CarrierId, weather: LineWeather, speech: Speech): Promise<number> {
    const errors: number[] = [];
    for (let seed = 1; seed <= 4; seed += 1) {
      const { compared, ledger, account } = await compare(id, seed, weather, speech);
      expect(ledger).toHaveLength(TURNS);
      expect(account.clears).toHaveLength(TURNS);
      expect(account.invalidMessages).toEqual([]);
      for (const { heardMs } of compared) expect(heardMs).toBeGreaterThan(0);
      errors.push(...compared.map(({ errorMs }) => errorMs));
    }
    return Math.max(...errors);
  }

  // Asterisk sends nothing while the phone is silent: nothing ties its acknowledgement to a time of its own.
  const mostMs = (id: CarrierId): number => (id === 'asterisk' ? 60 : 20);

  it.each(cases)('$id, to a frame, $name', async ({ id, weather }) => {
    expect(await worstMs(id, weather, FAST)).toBeLessThanOrEqual(mostMs(id));
  });

  it.each(weathers)('also where a carrier holds the first audio back, %s', async (_name, weather) => {
    const pace = (random: () => number): number => 1.01 + 0.1 * random();
    expect(await worstMs('jambonz', weather, { pace })).toBeLessThanOrEqual(20);
    expect(await worstMs('jambonz', weather, { pace, afterShortTurn: true })).toBeLessThanOrEqual(20);
  });
});
