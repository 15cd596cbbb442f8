import { describe, expect, it } from 'vitest';
import { noise, payloadOf, positionsIn, question } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { type Attempt, fails, never, ready } from '../../support/call-live.ts';
import { exchange, giveHandle } from '../../support/call-talk.ts';
import { expectHeardFromOnset } from '../../support/call-uplink.ts';

/** A call with two handles, of which `newest` is the newer one, five seconds and more after it came up. */
async function withTwoHandles(
  after: readonly Attempt[] | (() => Attempt),
  bot: Record<string, unknown> = {},
) {
  let attempt = -1;
  const next = typeof after === 'function' ? after : (): Attempt => after[attempt] ?? ready();
  const bench = new CallBench({
    bot,
    live: () => {
      attempt += 1;
      if (attempt === 0) return ready();
      attempt -= 1;
      const given = next();
      attempt += 1;
      return given;
    },
  });
  const carrier = await bench.answerAndGreet();
  giveHandle(bench.model, 'older');
  await exchange(bench, carrier, 'newest');
  return { bench, carrier };
}

/** What each attempt after the first was made with; null: a fresh session. */
const handlesTried = (bench: CallBench): (string | null)[] =>
  bench.live.asked.slice(1).map(({ setup }) => setup.resumption?.handle ?? null);

describe('the ladder of an outage', () => {
  it('goes from the newest handle to an older one when the newest is refused, and never back', async () => {
    const { bench } = await withTwoHandles([fails('handle-refused'), ready()]);
    bench.model.lose();
    await bench.run(3_000);
    expect(handlesTried(bench)).toEqual(['newest', 'older']);
    await bench.run(6_000);
    // The refused one is not offered at the next loss either.
    bench.model.lose();
    await bench.run(3_000);
    expect(handlesTried(bench)).toEqual(['newest', 'older', 'older']);
  });

  it('tells the session that takes up an older handle what it cannot know', async () => {
    const { bench } = await withTwoHandles([fails('handle-refused'), ready()]);
    bench.model.lose();
    await bench.run(3_000);
    expect(bench.model.setup.systemInstruction).toContain('answer 50');
  });

  it('ends in a fresh session that is told what was said, when both are refused', async () => {
    const { bench } = await withTwoHandles([fails('handle-refused'), fails('handle-refused'), ready()]);
    bench.model.lose();
    await bench.run(3_000);
    expect(handlesTried(bench)).toEqual(['newest', 'older', null]);
    expect(bench.model.setup.systemInstruction).toContain('answer 50');
    expect(bench.of('rotated').map(({ how }) => how)).toEqual(['fresh']);
    expect(bench.model.texts).toEqual([]);
  });

  it('tries the newest handle for 8 s when nothing says that it is to blame', async () => {
    const { bench } = await withTwoHandles(() => fails('overload'));
    const lostAtMs = bench.clock.now();
    bench.model.lose();
    await bench.run(25_000);
    const tried = bench.live.asked.slice(1).map(({ setup, atMs }) => ({
      handle: setup.resumption?.handle ?? null,
      afterMs: atMs - lostAtMs,
    }));
    const withNewest = tried.filter(({ handle }) => handle === 'newest');
    const withOlder = tried.filter(({ handle }) => handle === 'older');
    expect(withNewest.length).toBeGreaterThanOrEqual(4);
    expect(withNewest.at(-1)!.afterMs).toBeLessThan(8_000 + 100);
    expect(withOlder).toHaveLength(1);
    expect(withOlder[0]!.afterMs).toBeGreaterThanOrEqual(8_000);
    // From then on nothing but fresh ones.
    const order = tried.map(({ handle }) => handle);
    expect(order.slice(order.indexOf('older') + 1).every((handle) => handle === null)).toBe(true);
    expect(order.at(-1)).toBeNull();
  });

  it('does not give up a handle that is refused because the old socket is taken for open', async () => {
    const { bench } = await withTwoHandles([
      fails('old-socket-open'),
      fails('old-socket-open'),
      fails('old-socket-open'),
      ready(),
    ]);
    const lostAtMs = bench.clock.now();
    bench.model.lose();
    await bench.run(5_000);
    expect(handlesTried(bench)).toEqual(['newest', 'newest', 'newest', 'newest']);
    expect(bench.live.asked.at(-1)!.atMs - lostAtMs).toBeLessThan(2_000);
  });

  it('never tries a setup and handle again that were refused as wrong', async () => {
    const { bench } = await withTwoHandles([fails('config'), ready()]);
    bench.model.lose();
    await bench.run(3_000);
    expect(handlesTried(bench)).toEqual(['newest', null]);
  });

  it('gives up after 30 s: the caller hears fillers meanwhile, then the apology', async () => {
    const { bench, carrier } = await withTwoHandles(() => fails('network', 500));
    carrier.says(question());
    await bench.run(2_700);
    const lostAtMs = bench.clock.now();
    bench.model.lose();
    await bench.until(() => bench.of('clip-played').some(({ isFiller }) => !isFiller), 40_000);
    const clips = bench.of('clip-played').filter(({ atMs }) => atMs > lostAtMs);
    const fillers = clips.filter(({ isFiller }) => isFiller).map(({ atMs }) => atMs - lostAtMs);
    expect(fillers[0]).toBeGreaterThanOrEqual(1_500);
    expect(fillers[0]).toBeLessThan(2_500);
    for (const [at, next] of fillers.slice(1).entries()) expect(next - fillers[at]!).toBeCloseTo(6_000, -3);
    expect(fillers.length).toBeGreaterThanOrEqual(4);
    const apologyAfterMs = clips.at(-1)!.atMs - lostAtMs;
    expect(apologyAfterMs).toBeGreaterThan(24_000);
    // The last attempt is given a second, though it be the last one of the budget.
    expect(apologyAfterMs).toBeLessThanOrEqual(31_000);
    await bench.run(10_000);
    expect(bench.ended?.reason).toMatchObject({ who: 'model', how: 'error' });
  });

  it('gives up when its budget is spent, also when no attempt ever answers', async () => {
    const { bench } = await withTwoHandles(() => never, { limits: { outageSeconds: 12 } });
    const lostAtMs = bench.clock.now();
    bench.model.lose();
    await bench.until(() => bench.of('clip-played').some(({ isFiller }) => !isFiller), 20_000);
    expect(bench.clock.now() - lostAtMs).toBeLessThanOrEqual(13_000);
  });

  it('counts a connection that breaks within 5 s as part of the same outage', async () => {
    const { bench } = await withTwoHandles(() => ready(), { limits: { outageSeconds: 15 } });
    const lostAtMs = bench.clock.now();
    bench.model.lose();
    for (let i = 0; i < 20 && bench.of('clip-played').every(({ isFiller }) => isFiller); i++) {
      await bench.until(
        () => bench.model.open || bench.of('clip-played').some(({ isFiller }) => !isFiller),
        10_000,
      );
      await bench.run(500);
      bench.model.lose();
    }
    expect(bench.of('clip-played').some(({ isFiller }) => !isFiller)).toBe(true);
    expect(bench.clock.now() - lostAtMs).toBeLessThanOrEqual(16_000);
  });

  it('begins anew for a connection that had served', async () => {
    const { bench } = await withTwoHandles(() => ready(1_000), { limits: { outageSeconds: 10 } });
    for (let i = 0; i < 8; i++) {
      bench.model.lose();
      await bench.run(7_000);
    }
    expect(bench.ended).toBeNull();
    expect(bench.live.connections).toHaveLength(9);
  });
});

describe('a connection whose end was not noticed', () => {
  it('is replaced when it takes no audio for 5 s, and the words are said again', async () => {
    const { bench, carrier } = await withTwoHandles([ready()]);
    carrier.says(question());
    await bench.run(500);
    const [dead] = bench.live.connections;
    dead!.refusing = true;
    const fromMs = bench.clock.now();
    await bench.until(() => dead!.closedAtMs !== null, 6_000);
    expect(dead!.closedAtMs! - fromMs).toBeGreaterThan(4_900);
    await bench.run(9_000);
    expect(handlesTried(bench)).toEqual(['newest']);
    // The old one is gone before another is asked for: the resume would be refused.
    expect(bench.live.asked.at(-1)!.atMs).toBeGreaterThanOrEqual(dead!.goneAtMs!);
    expectHeardFromOnset(bench, carrier, bench.model, 1);
  });
});

describe('a session that was taken up and has forgotten', () => {
  const usage = (bench: CallBench, promptTokens: number): void => {
    bench.model.say({
      type: 'usage',
      usage: { promptTokens, responseTokens: 10, totalTokens: promptTokens },
    });
  };

  async function resumedWith(before: number, after: number) {
    const { bench, carrier } = await withTwoHandles(() => ready());
    usage(bench, before);
    bench.model.lose();
    await bench.run(2_000);
    expect(bench.model.setup.resumption).toEqual({ handle: 'newest' });
    bench.model.speak(noise(500, 1));
    await bench.run(1_000);
    usage(bench, after);
    await bench.run(2_000);
    return { bench, carrier };
  }

  it('counts as lost: a fresh one is told what was said', async () => {
    const { bench, carrier } = await resumedWith(8_000, 3_000);
    expect(bench.of('session-forgotten')).toMatchObject([{ before: 8_000, promptTokens: 3_000 }]);
    expect(handlesTried(bench)).toEqual(['newest', null]);
    expect(bench.model.setup.systemInstruction).toContain('answer 50');
    const answer = noise(1_000, 9);
    bench.model.speak(answer);
    await bench.run(2_000);
    const heard = positionsIn(payloadOf(answer), carrier.heard()).filter((at) => at >= 0);
    expect(heard).toHaveLength(payloadOf(answer).length);
  });

  it.each([
    { what: 'with little less than before', before: 8_000, after: 4_500 },
    { what: 'with less because the context was due to be compressed', before: 31_800, after: 9_000 },
  ])('is not suspected $what', async ({ before, after }) => {
    const { bench } = await resumedWith(before, after);
    expect(bench.of('session-forgotten')).toEqual([]);
    expect(handlesTried(bench)).toEqual(['newest']);
  });
});
