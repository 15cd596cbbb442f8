import { describe, expect, it } from 'vitest';
import { noise, payloadOf, positionsIn, question, SILENT } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import type { SimulatedCarrier } from '../../support/call-carrier.ts';
import { type Attempt, ready } from '../../support/call-live.ts';

/** When the caller began to hear something, after at least half a second of silence. */
function beginnings(carrier: SimulatedCarrier, fromMs: number): number[] {
  const found: number[] = [];
  let quietFrames = 25;
  for (const { atMs, payload } of carrier.played) {
    if (atMs < fromMs) continue;
    const sounds = payload.some((byte) => byte !== SILENT && byte !== 0x7f);
    if (sounds && quietFrames >= 25) found.push(atMs);
    quietFrames = sounds ? 0 : quietFrames + 1;
  }
  return found;
}

const heardOf = (source: Int16Array, carrier: SimulatedCarrier): number =>
  positionsIn(payloadOf(source), carrier.heard()).filter((position) => position >= 0).length;

const unreachable: Attempt = { kind: 'fails', afterMs: 4_000, class: 'network' };

describe('a line whose session is missing', () => {
  it('says so after 1.5 s, every 6 s again, and greets as if it had not', async () => {
    const bench = new CallBench({
      live: [unreachable, unreachable, ready()],
      bot: { limits: { outageSeconds: 40 } },
    });
    const carrier = await bench.answer();
    const fromMs = bench.clock.now();
    await bench.until(() => bench.live.connections.length > 0, 30_000);
    const found = beginnings(carrier, fromMs);
    // The first attempt began with the webhook; two of 4 s and their back-off leave room for one, 1.5 s in, and the next.
    expect(found.length).toBeGreaterThanOrEqual(1);
    expect(found[0]! - fromMs).toBeGreaterThanOrEqual(1_500);
    expect(found[0]! - fromMs).toBeLessThan(1_600);
    for (const [at, next] of found.slice(1).entries()) {
      expect(next - found[at]!).toBeGreaterThan(5_900);
      expect(next - found[at]!).toBeLessThan(6_200);
    }
    expect(bench.of('greeting-clip')).toEqual([]);
    await bench.run(100);
    expect(bench.model.texts).toEqual([bench.bot.greeting.instruction]);
    const greeting = noise(2_000, 1);
    await bench.run(1_000);
    bench.model.speak(greeting);
    await bench.run(4_000);
    expect(heardOf(greeting, carrier)).toBe(payloadOf(greeting).length);
    expect(bench.of('duplicate-greeting-dropped')).toEqual([]);
  });

  it('says nothing where the session comes back in time', async () => {
    const bench = new CallBench({ live: [ready(), ready(1_400)] });
    const carrier = await bench.answerAndGreet();
    const fromMs = bench.clock.now();
    bench.model.lose();
    await bench.run(10_000);
    expect(beginnings(carrier, fromMs)).toEqual([]);
  });

  it('lost in the talk: says so after 1.5 s, and stops once a session is there', async () => {
    const bench = new CallBench({ live: [ready(), unreachable, ready(6_000)] });
    const carrier = await bench.answerAndGreet();
    carrier.says(question());
    await bench.run(3_200);
    const fromMs = bench.clock.now();
    bench.model.lose();
    await bench.run(30_000);
    const found = beginnings(carrier, fromMs).map((atMs) => atMs - fromMs);
    expect(found).toHaveLength(2);
    expect(found[0]).toBeGreaterThanOrEqual(1_500);
    expect(found[0]).toBeLessThan(1_640);
    expect(found[1]! - found[0]!).toBeGreaterThan(5_900);
    expect(found[1]! - found[0]!).toBeLessThan(6_200);
  });

  it('says nothing into the words of a caller, and counts from the last of them', async () => {
    const bench = new CallBench({ live: [ready(), unreachable, ready(6_000)] });
    const carrier = await bench.answerAndGreet();
    bench.model.lose();
    await bench.run(500);
    carrier.says(question());
    await bench.until(() => bench.of('utterance-ended').length > 0, 5_000);
    const { lastSpeechAtMs } = bench.of('utterance-ended')[0]!;
    await bench.run(4_000);
    const [first] = beginnings(carrier, lastSpeechAtMs - 3_000);
    expect(first! - lastSpeechAtMs).toBeGreaterThanOrEqual(1_500);
    expect(first! - lastSpeechAtMs).toBeLessThan(1_640);
  });

  it('says nothing while nobody waits for anything: the pause is the caller’s own', async () => {
    const bench = new CallBench({ live: [ready(), unreachable, ready(6_000)] });
    const carrier = await bench.answerAndGreet();
    const fromMs = bench.clock.now();
    bench.model.lose();
    await bench.run(30_000);
    expect(bench.live.connections).toHaveLength(2);
    expect(beginnings(carrier, fromMs)).toEqual([]);
  });

  it('says nothing over what is still being played', async () => {
    const bench = new CallBench({ live: [ready(), unreachable, ready(6_000)] });
    const carrier = await bench.answerAndGreet();
    const answer = noise(12_000, 4);
    bench.model.speak(answer, { pace: 100 });
    await bench.run(500);
    const turns = bench.of('turn-started').length;
    bench.model.lose();
    await bench.run(15_000);
    expect(heardOf(answer, carrier)).toBe(payloadOf(answer).length);
    expect(bench.of('turn-started')).toHaveLength(turns);
  });

  it('lets a greeting that had to be asked for twice be heard, although "one moment" was said before', async () => {
    const bench = new CallBench({ live: [unreachable, ready()] });
    const carrier = await bench.answer();
    const fromMs = bench.clock.now();
    await bench.until(() => bench.live.connections.length === 1, 10_000);
    expect(beginnings(carrier, fromMs)).toHaveLength(1);
    await bench.run(3_000);
    expect(bench.model.texts).toHaveLength(2);
    const greeting = noise(2_000, 1);
    bench.model.speak(greeting);
    await bench.run(5_000);
    expect(heardOf(greeting, carrier)).toBe(payloadOf(greeting).length);
  });
});

describe('a caller who speaks before the greeting', () => {
  it('and gets no answer is asked for a greeting again after 6 s, then hears the clip', async () => {
    const bench = new CallBench();
    const carrier = await bench.answer();
    await bench.run(400);
    carrier.says(question());
    await bench.until(() => bench.of('greeting-clip').length === 1, 20_000);
    const [first, second, ...more] = bench.of('greeting-triggered');
    expect(more).toEqual([]);
    expect(second!.atMs - first!.atMs).toBeGreaterThan(6_000);
    expect(bench.of('greeting-clip')[0]!.atMs - second!.atMs).toBeLessThanOrEqual(2_520);
  });

  it('and is answered within that is not greeted on top', async () => {
    const bench = new CallBench();
    const carrier = await bench.answer();
    await bench.run(400);
    carrier.says(question());
    await bench.run(5_000);
    const answer = noise(2_000, 2);
    bench.model.speak(answer);
    await bench.run(12_000);
    expect(bench.model.texts).toHaveLength(1);
    expect(heardOf(answer, carrier)).toBe(payloadOf(answer).length);
  });
});
