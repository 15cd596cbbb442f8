import { describe, expect, it } from 'vitest';
import { gapsIn, interruption, noise, payloadOf, positionsIn, question } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { ready, refused, SOCKET_MS } from '../../support/call-live.ts';
import { exchange, giveHandle } from '../../support/call-talk.ts';
import { expectEveryWordOnce, expectNothingLostOrDoubled } from '../../support/call-uplink.ts';

/** Nobody noticed anything, and nothing had to be sent again. */
function expectSmooth(bench: CallBench): void {
  expect(bench.of('rotated').every(({ resentMs }) => resentMs === 0)).toBe(true);
  expectUnnoticed(bench);
}

/** Of the ends that a rotation may come to, the one at which nobody noticed anything. */
function expectUnnoticed(bench: CallBench): void {
  expect(bench.of('rotated').every(({ planned, how }) => planned && how === 'resumed')).toBe(true);
  expect(bench.of('session-lost')).toEqual([]);
  expect(bench.of('greeting-triggered')).toHaveLength(1);
  expect(bench.of('clip-played')).toEqual([]);
}

describe('a planned rotation', () => {
  it('comes by our own clock in the ninth or tenth minute, and the caller loses nothing', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    await bench.until(() => bench.live.connections.length === 2, 600_000);
    const [first, second] = bench.live.connections;
    expect(first!.closedAtMs! - first!.readyAtMs).toBeGreaterThanOrEqual(480_000);
    expect(first!.closedAtMs! - first!.readyAtMs).toBeLessThan(570_000 + 1_000);
    expect(second!.setup.resumption).toEqual({ handle: 'h1' });
    carrier.says(question());
    await bench.run(3_000);
    expectNothingLostOrDoubled(bench, carrier);
    expectSmooth(bench);
    expect(bench.of('rotation-due')).toMatchObject([{ cause: 'age' }]);
    carrier.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('is spread over that time, so that calls which began together do not rotate together', async () => {
    const ages: number[] = [];
    for (const seed of [1, 300, 7_000, 40_000, 90_000, 1_000_000]) {
      const bench = new CallBench({
        seed,
        live: [ready(), ready()],
        rotation: { earliestMs: 5_000, latestMs: 15_000, forcedMs: 20_000 },
      });
      await bench.answerAndGreet();
      giveHandle(bench.model, 'h1');
      await bench.until(() => bench.live.connections.length === 2, 17_000);
      ages.push(bench.live.connections[0]!.closedAtMs! - bench.live.connections[0]!.readyAtMs);
    }
    expect(Math.max(...ages) - Math.min(...ages)).toBeGreaterThan(4_000);
  });

  it.each([
    { what: 'with 50 s left', timeLeftMs: 50_000 },
    { what: 'with 10 s left', timeLeftMs: 10_000 },
    { what: 'without a time', timeLeftMs: null },
  ])('comes at once after a goAway $what', async ({ timeLeftMs }) => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    await exchange(bench, carrier, 'h1');
    const saidAtMs = bench.clock.now();
    bench.model.say({ type: 'go-away', timeLeftMs });
    await bench.until(() => bench.live.connections.length === 2, 1_000);
    expect(bench.live.asked.at(-1)).toMatchObject({ need: 'rotation', held: true });
    expect(bench.live.asked.at(-1)!.atMs - saidAtMs).toBeLessThanOrEqual(20);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    await exchange(bench, carrier, 'h2', 51);
    expectNothingLostOrDoubled(bench, carrier);
    expectSmooth(bench);
    expect(bench.of('rotation-due')).toMatchObject([{ cause: 'go-away' }]);
  });

  it('comes in its last minute after a goAway with 300 s left, which is said at the start', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    const saidAtMs = bench.clock.now();
    bench.model.say({ type: 'go-away', timeLeftMs: 300_000 });
    await bench.run(239_000);
    expect(bench.live.asked).toHaveLength(1);
    await bench.until(() => bench.live.connections.length === 2, 20_000);
    expect(bench.live.asked.at(-1)!.atMs - saidAtMs).toBeGreaterThanOrEqual(240_000);
    expect(bench.live.asked.at(-1)!.atMs - saidAtMs).toBeLessThanOrEqual(255_020);
    await exchange(bench, carrier, 'h2');
    expectNothingLostOrDoubled(bench, carrier);
    expectSmooth(bench);
  });

  it('opens the new socket first, and lets its setup go when the old connection is gone', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    bench.model.say({ type: 'go-away', timeLeftMs: 50_000 });
    await bench.until(() => bench.live.connections.length === 2, 1_000);
    const [old] = bench.live.connections;
    const opened = bench.live.asked[1]!.atMs;
    expect(old!.closedAtMs! - opened).toBeGreaterThanOrEqual(SOCKET_MS);
    expect(bench.live.releasedAtMs).toHaveLength(1);
    expect(bench.live.releasedAtMs[0]!).toBeGreaterThanOrEqual(old!.goneAtMs!);
    expect(bench.live.releasedAtMs[0]! - old!.goneAtMs!).toBeLessThanOrEqual(1);
  });

  it('takes the handle that is the newest when the setup goes, not when the socket was opened', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    bench.model.say({ type: 'go-away', timeLeftMs: 50_000 });
    await bench.until(() => bench.live.asked.length === 2, 100);
    await bench.run(50);
    giveHandle(bench.model, 'h2');
    await bench.until(() => bench.live.connections.length === 2, 1_000);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h2' });
  });

  it('happens again and again in a long call, each time without a loss', async () => {
    const bench = new CallBench({
      live: () => ready(),
      rotation: { earliestMs: 9_000, latestMs: 12_000, forcedMs: 30_000 },
    });
    const carrier = await bench.answerAndGreet();
    for (let round = 0; round < 10; round++) {
      await exchange(bench, carrier, `h${round}`, 60 + round);
      await bench.run(700 + round * 130);
    }
    expect(bench.live.connections.length).toBeGreaterThanOrEqual(6);
    expectNothingLostOrDoubled(bench, carrier);
    expectSmooth(bench);
    expect(bench.of('rotated')).toHaveLength(bench.live.connections.length - 1);
    carrier.stop();
    await bench.run(50);
    bench.expectEnded('caller', 'completed');
  });

  it('leaves no gap in what is being played', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    carrier.says(question());
    await bench.run(3_400);
    const fromMs = bench.clock.now();
    const answer = noise(6_000, 7);
    bench.model.speak(answer, { pace: 20 });
    await bench.run(600);
    giveHandle(bench.model, 'h1');
    bench.model.say({ type: 'go-away', timeLeftMs: 50_000 });
    await bench.run(8_000);
    const [old] = bench.live.connections;
    // It was left while most of the answer was still to be heard.
    expect(old!.closedAtMs! - fromMs).toBeLessThan(1_000);
    const heard = carrier.heard(fromMs);
    expect(gapsIn(heard)).toEqual([]);
    const positions = [...positionsIn(payloadOf(answer), heard)].filter((at) => at >= 0);
    expect(positions).toEqual(positions.map((_, index) => index));
    expect(positions).toHaveLength(payloadOf(answer).length);
    expectNothingLostOrDoubled(bench, carrier);
    // Nor is it told anything that would make it speak.
    expect(bench.model.texts).toEqual([]);
  });

  it.each([0, 60, 150, 260])(
    'gives the new connection the words of a caller who begins to speak %s ms after the old one was left',
    async (afterMs) => {
      const bench = new CallBench({ live: [ready(), ready()] });
      const carrier = await bench.answerAndGreet();
      await exchange(bench, carrier, 'h1');
      bench.model.say({ type: 'go-away', timeLeftMs: 50_000 });
      await bench.until(() => bench.live.connections[0]!.closedAtMs !== null, 1_000);
      await bench.run(afterMs);
      carrier.says(question());
      await bench.run(4_000);
      expectEveryWordOnce(bench, carrier);
      expectUnnoticed(bench);
    },
  );

  it.each([
    { beforeMs: 40, softMs: 0 },
    { beforeMs: 60, softMs: 0 },
    { beforeMs: 60, softMs: 160 },
    { beforeMs: 100, softMs: 220 },
  ])(
    'sends the beginning of a word again of which the old connection heard $beforeMs ms, $softMs ms of the word being soft',
    async ({ beforeMs, softMs }) => {
      const bench = new CallBench({ live: [ready(), ready()] });
      const carrier = await bench.answerAndGreet();
      await exchange(bench, carrier, 'h1');
      await bench.run(500);
      giveHandle(bench.model, 'h2');
      bench.model.say({ type: 'go-away', timeLeftMs: 50_000 });
      // The socket takes 100 ms, and the next tick 20 at most.
      await bench.run(120 - beforeMs);
      carrier.says(Int16Array.from(noise(softMs / 3, 9), (sample) => sample / 100));
      carrier.says(question());
      await bench.run(4_500);
      expect(bench.live.connections).toHaveLength(2);
      expectEveryWordOnce(bench, carrier);
      expectUnnoticed(bench);
    },
  );

  it('does not keep a caller from interrupting: what was played is cleared, and the new connection hears why', async () => {
    const bench = new CallBench({ live: [ready(), ready(600)] });
    const carrier = await bench.answerAndGreet();
    carrier.says(question());
    await bench.run(3_400);
    const answer = noise(8_000, 7);
    bench.model.speak(answer, { pace: 20 });
    await bench.run(1_000);
    giveHandle(bench.model, 'h1');
    bench.model.say({ type: 'go-away', timeLeftMs: 50_000 });
    await bench.until(() => bench.live.connections[0]!.closedAtMs !== null, 1_000);
    const spokeAtMs = bench.clock.now();
    carrier.says(interruption());
    await bench.until(() => carrier.clears().length === 1, 1_000);
    expect(bench.live.connections).toHaveLength(1);
    expect(carrier.clears()[0]! - spokeAtMs).toBeLessThan(500);
    await bench.until(() => bench.live.connections.length === 2, 1_000);
    await bench.run(3_500);
    expectEveryWordOnce(bench, carrier);
    const next = noise(1_000, 8);
    bench.model.speak(next);
    await bench.run(2_000);
    const positions = [...positionsIn(payloadOf(next), carrier.heard())].filter((at) => at >= 0);
    expect(positions).toHaveLength(payloadOf(next).length);
    // The rest of the old answer never came back.
    expect(carrier.clears()).toHaveLength(1);
    expect(
      positionsIn(payloadOf(answer), carrier.heard(bench.clock.now() - 4_000)).every((at) => at === -1),
    ).toBe(true);
  });

  it('that cannot open its socket leaves the old connection at work, and is tried again', async () => {
    const bench = new CallBench({ live: [ready(), refused('overload'), refused('network'), ready()] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    bench.model.say({ type: 'go-away', timeLeftMs: 50_000 });
    await bench.until(() => bench.live.asked.length === 3, 5_000);
    expect(bench.live.connections[0]!.open).toBe(true);
    const [, second, third] = bench.live.asked;
    expect(third!.atMs - second!.atMs).toBeGreaterThan(500);
    await bench.until(() => bench.live.connections.length === 2, 5_000);
    carrier.says(question());
    await bench.run(3_000);
    expectNothingLostOrDoubled(bench, carrier);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    expectSmooth(bench);
  });
});
