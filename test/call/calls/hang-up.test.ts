import { describe, expect, it } from 'vitest';
import { interruption, noise } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import type { SimulatedCarrier } from '../../support/call-carrier.ts';

const HANG_UP = 'hang_up';

/** Half a minute into a call: the caller has said goodbye, and it is the bot's turn. */
async function atTheGoodbye(
  options: ConstructorParameters<typeof CallBench>[0] = {},
): Promise<{ bench: CallBench; carrier: SimulatedCarrier }> {
  const bench = new CallBench(options);
  const carrier = await bench.answerAndGreet();
  carrier.says(interruption());
  await bench.run(2_800);
  return { bench, carrier };
}

/** When the last byte of sound was played out. */
function lastSoundMs(carrier: SimulatedCarrier): number {
  return carrier.played.findLast(({ payload }) => payload.some((byte) => byte !== 0xff))!.atMs + 20;
}

describe('hang_up', () => {
  it('answers the tool at once and without making the model talk, and hangs up 400 ms after a goodbye that was said before', async () => {
    const { bench, carrier } = await atTheGoodbye();
    const ms = bench.model.speak(noise(1_500, 1));
    await bench.run(600);
    const askedAtMs = bench.clock.now();
    bench.model.callTool(HANG_UP, 't1');
    expect(bench.model.responses).toMatchObject([{ id: 't1', name: HANG_UP, scheduling: 'SILENT' }]);
    expect(bench.model.sent.at(-1)?.atMs).toBe(askedAtMs);
    await bench.until(() => bench.hangUps.length > 0, ms + 3_000);
    const grace = bench.clock.now() - lastSoundMs(carrier);
    expect(grace).toBeGreaterThanOrEqual(400);
    expect(grace).toBeLessThanOrEqual(460);
    await bench.run(1_000);
    bench.expectEnded('bot', 'completed');
    expect(bench.hangUps.map(({ callId }) => callId)).toEqual(['CA1']);
  });

  it('waits for a goodbye that comes after the tool, and plays it out', async () => {
    const { bench, carrier } = await atTheGoodbye();
    bench.model.callTool(HANG_UP, 't1');
    await bench.run(1_500);
    bench.model.speak(noise(1_500, 1));
    await bench.until(() => bench.hangUps.length > 0, 5_000);
    expect(carrier.heard().filter((byte) => byte !== 0xff).length / 8).toBeGreaterThan(1_490);
    expect(bench.clock.now() - lastSoundMs(carrier)).toBeGreaterThanOrEqual(400);
    await bench.run(1_000);
    bench.expectEnded('bot', 'completed');
  });

  it('waits for no goodbye longer than 2 s', async () => {
    const { bench } = await atTheGoodbye();
    const askedAtMs = bench.clock.now();
    bench.model.callTool(HANG_UP, 't1');
    await bench.until(() => bench.hangUps.length > 0, 5_000);
    expect(bench.clock.now() - askedAtMs).toBeGreaterThanOrEqual(2_000);
    expect(bench.clock.now() - askedAtMs).toBeLessThanOrEqual(2_480);
    await bench.run(1_000);
    bench.expectEnded('bot', 'completed');
  });

  it('does not take an answer that was cut off for the goodbye', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    bench.model.speak(noise(8_000, 5), { ends: false });
    await bench.run(1_500);
    carrier.says(interruption());
    await bench.run(2_600);
    bench.model.stopSpeaking();
    // No turnComplete ever came for the answer that was cut.
    bench.model.callTool(HANG_UP, 't1');
    await bench.run(1_300);
    expect(bench.hangUps).toEqual([]);
    bench.model.speak(noise(1_000, 1));
    await bench.until(() => bench.hangUps.length > 0, 4_000);
    expect(bench.clock.now() - lastSoundMs(carrier)).toBeGreaterThanOrEqual(400);
  });

  it('goes by the time that remains, plus 1.5 s, when the marks do not come back', async () => {
    const { bench, carrier } = await atTheGoodbye();
    carrier.losesMarks = true;
    bench.model.speak(noise(1_500, 1));
    await bench.run(600);
    bench.model.callTool(HANG_UP, 't1');
    await bench.until(() => bench.hangUps.length > 0, 6_000);
    const late = bench.clock.now() - lastSoundMs(carrier);
    expect(late).toBeGreaterThanOrEqual(1_860);
    expect(late).toBeLessThanOrEqual(1_960);
  });

  it('is called off by a caller who speaks again, until the bot asks again', async () => {
    const { bench, carrier } = await atTheGoodbye();
    bench.model.speak(noise(1_500, 1));
    await bench.run(600);
    bench.model.callTool(HANG_UP, 't1');
    await bench.run(300);
    carrier.says(interruption());
    await bench.run(8_000);
    expect(bench.of('hang-up-disarmed')).toHaveLength(1);
    expect(bench.hangUps).toEqual([]);
    expect(bench.ended).toBeNull();
    bench.model.speak(noise(500, 2));
    await bench.run(300);
    bench.model.callTool(HANG_UP, 't2');
    await bench.run(2_000);
    bench.expectEnded('bot', 'completed');
    expect(bench.model.responses.map(({ id }) => id)).toEqual(['t1', 't2']);
  });

  it('is called off by a caller who speaks in the last 400 ms', async () => {
    const { bench, carrier } = await atTheGoodbye();
    bench.model.speak(noise(600, 1));
    await bench.run(300);
    bench.model.callTool(HANG_UP, 't1');
    await bench.until(() => bench.clock.now() - lastSoundMs(carrier) > 200, 3_000);
    carrier.says(interruption());
    await bench.run(4_000);
    expect(bench.hangUps).toEqual([]);
    expect(bench.of('hang-up-disarmed')).toHaveLength(1);
  });

  it('is not called off by a cough', async () => {
    const { bench, carrier } = await atTheGoodbye();
    bench.model.speak(noise(1_500, 1));
    await bench.run(600);
    bench.model.callTool(HANG_UP, 't1');
    await bench.run(200);
    carrier.says(interruption().slice(0, 8 * 140));
    await bench.run(5_000);
    bench.expectEnded('bot', 'completed');
  });

  it('keeps of the arguments of a tool 8 kB and no more', async () => {
    const { bench } = await atTheGoodbye();
    bench.model.callTool('launch_rocket', 't1', { to: 'moon', why: 'x'.repeat(100_000) });
    bench.model.callTool('launch_rocket', 't2', { to: 'mars' });
    const kept = bench.of('tool-called').map(({ pii }) => pii.args);
    expect(kept[0]).toHaveLength(8_192);
    expect(kept[0]).toMatch(/^\{"to":"moon","why":"x+…$/);
    expect(JSON.parse(kept[1]!)).toEqual({ to: 'mars' });
  });

  it('answers a tool that nobody has with an error, and the call goes on', async () => {
    const { bench } = await atTheGoodbye();
    bench.model.callTool('launch_rocket', 't1');
    expect(bench.model.responses).toMatchObject([
      { id: 't1', response: { error: expect.stringContaining('launch_rocket') } },
    ]);
    await bench.run(5_000);
    expect(bench.ended).toBeNull();
  });

  it.each([
    { api: 'never answers', hangUp: null, withinMs: 5_000 },
    { api: 'fails', hangUp: { result: 'failed', afterMs: 300 }, withinMs: 320 },
    { api: 'says that the call has ended', hangUp: { result: 'already-ended', afterMs: 300 }, withinMs: 320 },
    { api: 'rejects against its promise', hangUp: { result: 'rejects', afterMs: 300 }, withinMs: 320 },
    { api: 'throws against its promise', hangUp: { result: 'throws', afterMs: 0 }, withinMs: 20 },
  ] as const)('ends the call all the same when the API $api', async ({ hangUp, withinMs }) => {
    const { bench } = await atTheGoodbye({ hangUp });
    bench.model.speak(noise(500, 1));
    await bench.run(300);
    bench.model.callTool(HANG_UP, 't1');
    await bench.until(() => bench.hangUps.length > 0, 4_000);
    const askedAtMs = bench.hangUps[0]!.atMs;
    await bench.run(withinMs + 20);
    bench.expectEnded('bot', 'completed');
    expect(bench.of('call-ended')[0]!.atMs - askedAtMs).toBeLessThanOrEqual(withinMs + 20);
  });
});
