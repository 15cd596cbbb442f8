import { describe, expect, it } from 'vitest';
import { noise, payloadOf, positionsIn, question, uplinkOf } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { ready } from '../../support/call-live.ts';
import { exchange, giveHandle, SlowTool } from '../../support/call-talk.ts';
import { payloadFromOnset, wordsOf } from '../../support/call-uplink.ts';

const NOTE = '[Note from the telephone system]';

async function inTalk(stall: Record<string, unknown> = {}) {
  const tools = new SlowTool();
  const bench = new CallBench({ bot: { stall }, live: () => ready(), tools });
  const carrier = await bench.answerAndGreet();
  await exchange(bench, carrier, 'h1');
  await bench.run(1_500);
  return { bench, carrier, tools };
}

/** The steps that were taken, with their times since the caller's last sound. */
function stepsOf(bench: CallBench) {
  const fromMs = bench.of('utterance-ended').at(-1)!.lastSpeechAtMs;
  return bench.of('stall').map(({ step, sign, atMs }) => ({ step, sign, afterMs: atMs - fromMs }));
}

describe('a model that says nothing to what the caller asked', () => {
  it('and does answer in the end, takes the place of "one moment": that is no interruption of the bot', async () => {
    const { bench, carrier } = await inTalk();
    carrier.says(question());
    await bench.until(() => bench.of('clip-played').length === 1, 8_000);
    await bench.run(300);
    const answer = noise(1_000, 2);
    bench.model.speak(answer);
    await bench.run(3_000);
    const [clip] = bench.of('clip-played');
    expect(bench.of('turn-given-up')).toMatchObject([{ turn: clip!.turn, why: 'answered' }]);
    expect(bench.of('barge-in')).toEqual([]);
    const heard = positionsIn(payloadOf(answer), carrier.heard()).filter((at) => at >= 0);
    expect(heard).toHaveLength(payloadOf(answer).length);
  });

  it('is covered by "one moment", then nudged', async () => {
    const { bench, carrier } = await inTalk();
    carrier.says(question());
    await bench.run(2_450 + 7_000);
    const steps = stepsOf(bench);
    const filler = steps.find(({ step }) => step === 'filler');
    expect(filler?.afterMs).toBeGreaterThanOrEqual(800 + 1_500 - 20);
    expect(filler?.afterMs).toBeLessThan(800 + 1_500 + 600);
    expect(bench.of('clip-played')).toMatchObject([{ isFiller: true }]);
    const nudge = steps.find(({ step }) => step === 'nudge');
    expect(nudge?.afterMs).toBeGreaterThanOrEqual(800 + 4_000 - 20);
    expect(nudge?.afterMs).toBeLessThan(800 + 4_000 + 600);
    expect(bench.model.texts.slice(1)).toEqual([expect.stringContaining(NOTE)]);
    expect(bench.live.connections).toHaveLength(1);
    const answer = noise(1_000, 2);
    bench.model.speak(answer);
    await bench.run(2_000);
    const heard = positionsIn(payloadOf(answer), carrier.heard()).filter((at) => at >= 0);
    expect(heard).toHaveLength(payloadOf(answer).length);
    await bench.run(30_000);
    expect(bench.live.connections).toHaveLength(1);
    expect(bench.ended).toBeNull();
  });

  it('is reconnected at the second time in a row, with the newest handle, and hears the caller again', async () => {
    const { bench, carrier } = await inTalk();
    carrier.says(question());
    await bench.run(2_450 + 9_000);
    expect(bench.live.connections).toHaveLength(1);
    carrier.says(question());
    await bench.run(2_450);
    await bench.until(() => bench.live.connections.length === 2, 12_000);
    const [old] = bench.live.connections;
    expect(bench.live.asked.at(-1)!.atMs).toBeGreaterThanOrEqual(old!.goneAtMs!);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    await bench.run(6_000);
    // Both times, with no more than half a second of the pause between them.
    const said = wordsOf(uplinkOf(payloadFromOnset(bench, carrier, -2)));
    const given = wordsOf(bench.model.audio);
    const needed = said.length - 1_600;
    expect(given.length).toBeGreaterThanOrEqual(needed);
    expect(given.subarray(0, needed)).toEqual(said.subarray(0, needed));
    expect(bench.model.audio.length / 16).toBeLessThan(2 * 2_450 + 6_000);
    expect(bench.ended).toBeNull();
  });

  it('goes through every step where the bot wants that for one silence, and in the end apologises', async () => {
    const { bench, carrier } = await inTalk({ ignoredSteps: ['end'] });
    carrier.says(question());
    await bench.run(2_450);
    await bench.until(() => bench.ended !== null, 60_000);
    const taken = stepsOf(bench).filter(({ step }) => step !== 'filler' && step !== 'wait');
    expect(taken.map(({ step }) => step).filter((step) => step !== 'nudge')).toEqual([
      'rotate',
      'manual',
      'fresh',
      'end',
    ]);
    expect(taken[0]!.step).toBe('nudge');
    const [, rotated, byHand, fresh] = bench.live.connections;
    expect(bench.live.connections).toHaveLength(4);
    expect(rotated!.setup.resumption).toEqual({ handle: 'h1' });
    expect(rotated!.setup.vad?.mode).not.toBe('manual');
    expect(byHand!.setup.resumption).toEqual({ handle: 'h1' });
    expect(byHand!.setup.vad?.mode).toBe('manual');
    const signals = byHand!.sent.filter(({ type }) => type === 'activity' || type === 'audio');
    expect(signals[0]).toMatchObject({ type: 'activity', kind: 'start' });
    expect(signals.at(-1)).toMatchObject({ type: 'activity', kind: 'end' });
    expect(fresh!.setup.resumption).toEqual({ handle: null });
    expect(fresh!.setup.vad?.mode).toBe('manual');
    expect(fresh!.setup.systemInstruction).toContain('answer 50');
    // Each of them has heard the question.
    for (const connection of [rotated!, byHand!, fresh!])
      expect(connection.audio.some((sample) => Math.abs(sample) > 2_000)).toBe(true);
    const [lastClip] = bench.of('clip-played').slice(-1);
    expect(lastClip).toMatchObject({ isFiller: false });
    bench.expectEnded('model', 'error');
  });

  it('is let be when it says that it waits for more', async () => {
    const { bench, carrier } = await inTalk();
    carrier.says(question());
    await bench.run(3_400);
    bench.model.say({ type: 'waiting-for-input' });
    await bench.run(20_000);
    expect(bench.model.texts).toHaveLength(1);
    expect(bench.live.connections).toHaveLength(1);
  });
});

describe('a model that goes wrong in its turn', () => {
  it('and freezes in the middle is replaced, and asked to go on', async () => {
    const { bench, carrier } = await inTalk();
    carrier.says(question());
    await bench.run(3_400);
    const answer = noise(2_000, 4);
    bench.model.speak(answer, { ends: false, text: 'The first half of an answer and' });
    await bench.until(() => bench.live.connections.length === 2, 20_000);
    expect(bench.of('stall').map(({ sign, step }) => `${sign} ${step}`)).toContain('freeze rotate');
    await bench.run(1_000);
    expect(bench.model.texts).toEqual([expect.stringContaining('The first half')]);
  });

  it('and cannot be heard is asked to say it again, without waiting for its silence to be played', async () => {
    const { bench, carrier } = await inTalk();
    carrier.says(question());
    await bench.run(3_400);
    const fromMs = bench.clock.now();
    bench.model.speak(new Int16Array(24 * 10_000).fill(1), { pace: 20 });
    await bench.until(() => bench.model.texts.length === 2, 6_000);
    expect(bench.clock.now() - fromMs).toBeLessThan(5_000);
    expect(bench.model.texts[1]).toContain('Say it again');
    expect(bench.of('turn-given-up')).toMatchObject([{ why: 'inaudible' }]);
  });

  it('and says nothing to what a tool has found is nudged', async () => {
    const { bench, carrier, tools } = await inTalk();
    carrier.says(question());
    await bench.run(3_400);
    bench.model.speak(noise(500, 3));
    await bench.run(1_500);
    bench.model.callTool('lookup', 't1');
    await bench.run(2_000);
    tools.comesBack('42');
    await bench.run(20);
    expect(bench.model.responses).toHaveLength(1);
    const fromMs = bench.clock.now();
    await bench.until(() => bench.model.texts.length === 2, 12_000);
    expect(bench.model.texts[1]).toContain(NOTE);
    expect(bench.clock.now() - fromMs).toBeGreaterThan(3_500);
  });
});

describe('an outage', () => {
  it('is no stall: nothing is nudged while there is no connection, and the answer is due anew on the next', async () => {
    const bench = new CallBench({ bot: { stall: {} }, live: [ready(), ready(6_000)] });
    const carrier = await bench.answerAndGreet();
    giveHandle(bench.model, 'h1');
    await bench.run(5_000);
    carrier.says(question());
    await bench.run(3_000);
    bench.model.lose();
    await bench.until(() => bench.live.connections.length === 2, 8_000);
    const readyAtMs = bench.clock.now();
    expect(bench.of('stall').filter(({ step }) => step === 'nudge')).toEqual([]);
    await bench.run(2_500);
    expect(bench.model.texts).toEqual([]);
    expect(bench.of('stall').every(({ atMs }) => atMs < readyAtMs || atMs >= readyAtMs + 1_500)).toBe(true);
    const fillers = bench.of('clip-played').map(({ atMs }) => atMs);
    for (const [at, next] of fillers.slice(1).entries())
      expect(next - fillers[at]!).toBeGreaterThanOrEqual(6_000);
  });
});
