import { describe, expect, it } from 'vitest';
import { cough, noise, question } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import type { SimulatedCarrier } from '../../support/call-carrier.ts';
import { ready } from '../../support/call-live.ts';
import { exchange, giveHandle, SlowTool, takeHandlesBack } from '../../support/call-talk.ts';
import { expectNothingLostOrDoubled } from '../../support/call-uplink.ts';

/** A call in a pause, the newest handle holds everything: one that is told to rotate does so at once. */
async function inAPause(tools = new SlowTool()): Promise<{ bench: CallBench; carrier: SimulatedCarrier }> {
  const bench = new CallBench({ live: [ready(), ready()], tools });
  const carrier = await bench.answerAndGreet();
  await exchange(bench, carrier, 'before');
  await bench.run(1_000);
  return { bench, carrier };
}

/** It does not even open a socket for `ms`. */
async function expectWaits(bench: CallBench, ms: number): Promise<void> {
  await bench.run(ms);
  expect(bench.live.asked).toHaveLength(1);
  expect(bench.live.connections[0]!.open).toBe(true);
}

/** It is done within half a second, and nothing was lost. */
async function expectRotates(bench: CallBench, carrier: SimulatedCarrier, handle: string): Promise<void> {
  await bench.until(() => bench.live.connections.length === 2, 500);
  expect(bench.model.setup.resumption).toEqual({ handle });
  expect(bench.of('session-lost')).toEqual([]);
  await bench.run(2_000);
  expectNothingLostOrDoubled(bench, carrier);
}

const goAway = (bench: CallBench): void => bench.model.say({ type: 'go-away', timeLeftMs: 50_000 });

describe('a rotation that is due', () => {
  it('happens at once in a pause', async () => {
    const { bench, carrier } = await inAPause();
    goAway(bench);
    await expectRotates(bench, carrier, 'before');
  });

  it('waits while the caller speaks', async () => {
    const { bench, carrier } = await inAPause();
    carrier.says(question());
    await bench.run(400);
    giveHandle(bench.model, 'in the middle');
    goAway(bench);
    await expectWaits(bench, 1_500);
  });

  it('waits while an utterance has no answer, also when a handle came after it', async () => {
    const { bench, carrier } = await inAPause();
    carrier.says(question());
    await bench.run(3_500);
    giveHandle(bench.model, 'unanswered');
    goAway(bench);
    await expectWaits(bench, 8_000);
    bench.model.speak(noise(1_000, 1), { pace: 20 });
    await bench.run(200);
    giveHandle(bench.model, 'answered');
    await expectRotates(bench, carrier, 'answered');
  });

  it('waits until a cough is known for one, and 300 ms of silence have followed it', async () => {
    const { bench, carrier } = await inAPause();
    carrier.says(cough());
    await bench.until(() => bench.of('utterance-started').length === 2, 500);
    const onsetAtMs = bench.of('utterance-started').at(-1)!.onsetAtMs;
    goAway(bench);
    await bench.run(150);
    giveHandle(bench.model, 'after the cough');
    await bench.until(() => bench.live.asked.length === 2, 2_000);
    expect(bench.live.asked.at(-1)!.atMs - onsetAtMs).toBeGreaterThanOrEqual(140 + 300);
    await expectRotates(bench, carrier, 'after the cough');
  });

  it('waits while a turn of the model is being made, also when a handle came with it', async () => {
    const { bench, carrier } = await inAPause();
    carrier.says(question());
    await bench.run(3_400);
    bench.model.speak(noise(5_000, 1), { pace: 1 });
    await bench.run(1_000);
    goAway(bench);
    const untilMs = bench.clock.now() + 3_900;
    while (bench.clock.now() < untilMs) {
      giveHandle(bench.model, 'in the turn');
      await expectWaits(bench, 130);
    }
    await bench.run(300);
    giveHandle(bench.model, 'after the turn');
    await expectRotates(bench, carrier, 'after the turn');
  });

  it('does not wait for the end of a turn that the model has forgotten to end', async () => {
    const { bench, carrier } = await inAPause();
    carrier.says(question());
    await bench.run(3_400);
    bench.model.speak(noise(1_000, 1), { pace: 3, ends: false });
    await bench.run(1_500);
    giveHandle(bench.model, 'endless');
    goAway(bench);
    await expectWaits(bench, 1_500);
    await bench.run(700);
    await expectRotates(bench, carrier, 'endless');
  });

  it('waits while a tool is at work, and for the answer to what it found', async () => {
    const tools = new SlowTool();
    const { bench, carrier } = await inAPause(tools);
    carrier.says(question());
    await bench.run(3_400);
    bench.model.speak(noise(500, 1));
    await bench.run(500);
    bench.model.callTool('lookup', 't1');
    giveHandle(bench.model, 'at work');
    goAway(bench);
    await expectWaits(bench, 4_000);
    giveHandle(bench.model, 'still at work');
    await expectWaits(bench, 1_000);
    tools.comesBack('42');
    await bench.run(20);
    expect(bench.model.responses).toMatchObject([{ id: 't1', response: { result: '42' } }]);
    // The handle was given before the result came: the session at it waits for that still.
    await expectWaits(bench, 1_000);
    bench.model.speak(noise(500, 2));
    await bench.run(400);
    giveHandle(bench.model, 'told');
    await expectRotates(bench, carrier, 'told');
  });

  it('waits while the newest state cannot be taken up', async () => {
    const { bench, carrier } = await inAPause();
    takeHandlesBack(bench.model);
    goAway(bench);
    await expectWaits(bench, 3_000);
    giveHandle(bench.model, 'again');
    await expectRotates(bench, carrier, 'again');
  });

  it('waits for a handle that is newer than the last words of the model', async () => {
    const { bench, carrier } = await inAPause();
    carrier.says(question());
    await bench.run(3_400);
    bench.model.speak(noise(1_000, 1), { pace: 20 });
    await bench.run(3_000);
    goAway(bench);
    await expectWaits(bench, 3_000);
    giveHandle(bench.model, 'newer');
    await expectRotates(bench, carrier, 'newer');
  });

  it('waits for a handle that is newer than the last sound of the caller, though it was a cough', async () => {
    const { bench, carrier } = await inAPause();
    carrier.says(cough());
    await bench.run(1_500);
    goAway(bench);
    await expectWaits(bench, 3_000);
    giveHandle(bench.model, 'newer');
    await expectRotates(bench, carrier, 'newer');
  });

  it('waits for the answer to keys', async () => {
    const { bench, carrier } = await inAPause();
    carrier.press('4', '#');
    await bench.run(300);
    giveHandle(bench.model, 'keys');
    goAway(bench);
    await expectWaits(bench, 4_000);
    bench.model.speak(noise(600, 1), { pace: 20 });
    await bench.run(100);
    giveHandle(bench.model, 'answered');
    await expectRotates(bench, carrier, 'answered');
  });

  it('does not wait for ever for an answer to keys that does not come', async () => {
    const { bench, carrier } = await inAPause();
    carrier.press('4', '#');
    await bench.run(300);
    giveHandle(bench.model, 'keys');
    goAway(bench);
    await expectWaits(bench, 5_000);
    await bench.until(() => bench.live.asked.length === 2, 2_000);
    await expectRotates(bench, carrier, 'keys');
  });

  it('waits while the greeting has been asked for', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answer();
    await bench.until(() => bench.live.connections[0]?.texts.length === 1, 2_000);
    giveHandle(bench.model, 'early');
    goAway(bench);
    await expectWaits(bench, 1_500);
    bench.model.speak(noise(800, 1), { pace: 20 });
    await bench.run(200);
    giveHandle(bench.model, 'greeted');
    await expectRotates(bench, carrier, 'greeted');
    expect(bench.live.connections.map(({ texts }) => texts.length)).toEqual([1, 0]);
  });

  it('goes back to waiting when the pause ends while the new socket is being opened', async () => {
    const { bench, carrier } = await inAPause();
    goAway(bench);
    await bench.until(() => bench.live.asked.length === 2, 100);
    takeHandlesBack(bench.model);
    await bench.run(1_000);
    expect(bench.live.connections[0]!.open).toBe(true);
    expect(bench.live.releasedAtMs).toEqual([]);
    giveHandle(bench.model, 'after all');
    await expectRotates(bench, carrier, 'after all');
  });

  it('lets a held socket go after 5 s, as the other end may, and opens another at the next pause', async () => {
    const bench = new CallBench({ live: [ready(), ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    goAway(bench);
    await bench.until(() => bench.live.asked.length === 2, 200);
    takeHandlesBack(bench.model);
    await bench.run(5_200);
    expect(bench.live.pending).toBe(0);
    expect(bench.live.connections[0]!.open).toBe(true);
    giveHandle(bench.model, 'h2');
    await expectRotates(bench, carrier, 'h2');
    expect(bench.live.asked).toHaveLength(3);
  });
});

describe('a rotation without a quiet moment', () => {
  it.each([
    { timeLeftMs: 50_000, atMs: 45_000 },
    { timeLeftMs: 10_000, atMs: 5_000 },
    { timeLeftMs: 4_000, atMs: 2_000 },
    { timeLeftMs: null, atMs: 45_000 },
  ])('is forced before the end that was announced ($timeLeftMs ms)', async ({ timeLeftMs, atMs }) => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    carrier.says(question());
    await bench.run(500);
    const saidAtMs = bench.clock.now();
    bench.model.say({ type: 'go-away', timeLeftMs });
    const [old] = bench.live.connections;
    await bench.until(() => old!.closedAtMs !== null, 60_000);
    expect(bench.live.asked[1]!.atMs - saidAtMs).toBeGreaterThanOrEqual(atMs);
    expect(old!.goneAtMs ?? old!.closedAtMs! - saidAtMs).toBeLessThan(atMs + 500);
    expect(old!.closedAtMs! - saidAtMs).toBeLessThan(timeLeftMs ?? 50_000);
    await bench.until(() => bench.live.connections.length === 2, 500);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    expect(bench.live.releasedAtMs[0]!).toBeGreaterThanOrEqual(old!.goneAtMs!);
  });

  it('is forced by our own clock before the tenth minute', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    await bench.answerAndGreet();
    const [old] = bench.live.connections;
    await bench.until(() => old!.closedAtMs !== null, 600_000);
    // No handle ever came: there is no quiet moment, and the next session is told what was said.
    expect(old!.closedAtMs! - old!.readyAtMs).toBeGreaterThanOrEqual(582_000);
    expect(old!.closedAtMs! - old!.readyAtMs).toBeLessThan(583_000);
    await bench.until(() => bench.live.connections.length === 2, 1_000);
    expect(bench.model.setup.resumption).toEqual({ handle: null });
    expect(bench.model.texts).toEqual([]);
  });
});
