import { describe, expect, it } from 'vitest';
import { gapsIn, noise, payloadOf, positionsIn, question, uplinkOf } from '../../support/call-audio.ts';
import { CallBench, incoming } from '../../support/call-bench.ts';

/** What the carrier is told when it asks what comes next: the stream to open, or null. */
function takeBack(bench: CallBench, callId: string) {
  const plan = bench.registry.afterStream(bench.adapter, callId, null);
  return plan.kind === 'stream' ? plan : null;
}

describe('a second stream of a call', () => {
  it('is refused while the first goes on and the webhook was not repeated', async () => {
    const bench = new CallBench();
    const path = bench.ring();
    const carrier = bench.connect(path)!;
    carrier.start();
    await bench.run(1_000);
    expect(bench.connect(path)).toBeNull();
    await bench.run(1_000);
    expect(bench.ended).toBeNull();
    expect(carrier.ended).toBe(false);
  });

  it('takes the leg over after a repeated webhook, which got the same answer; the session stays', async () => {
    const bench = new CallBench();
    const first = await bench.answerAndGreet();
    const repeated = bench.registry.admit(bench.adapter, {
      carrier: 'twilio',
      callId: 'CA1',
      accountId: 'AC1',
      from: '+15550100001',
      to: '+15550100002',
      direction: 'inbound',
    });
    expect(repeated).toMatchObject({ kind: 'admitted', repeated: true, streamPath: bench.ring() });
    const path = bench.ring();
    const second = bench.connect(path)!;
    await bench.run(200);
    expect(first.ended).toBe(false);
    second.start();
    second.says(question());
    await bench.run(100);
    expect(first.closes).toMatchObject([{ code: 1000 }]);
    await bench.run(3_000);
    expect(bench.live.connections).toHaveLength(1);
    expect(bench.model.texts).toHaveLength(1);
    const answer = noise(1_000, 1);
    bench.model.speak(answer);
    await bench.run(2_000);
    expect(positionsIn(payloadOf(answer), second.heard()).filter((at) => at >= 0)).toHaveLength(
      payloadOf(answer).length,
    );
    // What the second stream brought follows what the first had brought, whole.
    const all = uplinkOf(Buffer.concat([...first.spoken, ...second.spoken]));
    const given = bench.model.audio;
    expect(given).toEqual(all.subarray(0, given.length));
    expect(bench.connect(path)).toBeNull();
    second.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('goes on at once with what the caller had not heard on the first', async () => {
    const bench = new CallBench();
    const first = await bench.answerAndGreet();
    const answer = noise(5_000, 3);
    bench.model.speak(answer, { pace: 20 });
    await bench.run(2_000);
    const path = bench.ring();
    const second = bench.connect(path)!;
    second.start();
    const startedAtMs = bench.clock.now();
    await bench.run(5_000);
    expect(second.written[0]!.atMs - startedAtMs).toBeLessThanOrEqual(20);
    const source = payloadOf(answer);
    const before = positionsIn(source, first.heard()).filter((at) => at >= 0);
    const after = positionsIn(source, second.heard()).filter((at) => at >= 0);
    expect(after[0]!).toBeLessThanOrEqual(before.at(-1)! + 1);
    expect(before.at(-1)! - after[0]!).toBeLessThanOrEqual(8 * 60);
    expect(after.at(-1)).toBe(source.length - 1);
    expect(gapsIn(second.heard())).toEqual([]);
  });

  it('may follow a first one that broke, when the webhook was repeated', async () => {
    const bench = new CallBench();
    const first = await bench.answerAndGreet();
    first.drop();
    await bench.run(500);
    const second = bench.connect(bench.ring())!;
    await bench.run(300);
    second.start();
    await bench.run(5_000);
    expect(bench.ended).toBeNull();
    second.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('takes the caller back when the carrier asks what comes after one that broke off; the session stays', async () => {
    const bench = new CallBench();
    const firstPath = bench.ring();
    const first = bench.connect(firstPath)!;
    first.start();
    await bench.run(1_000);
    bench.model.speak(noise(600, 9));
    await bench.run(2_000);
    first.drop();
    await bench.run(4_000);
    const back = takeBack(bench, 'CA1');
    expect(back!.call).toEqual(incoming('CA1'));
    expect(back!.streamPath).not.toBe(firstPath);
    // The carrier has ten seconds now, no longer the rest of the five.
    await bench.run(8_000);
    expect(bench.ended).toBeNull();
    const second = bench.connect(back!.streamPath)!;
    second.start();
    await bench.run(500);
    const answer = noise(1_000, 1);
    bench.model.speak(answer);
    await bench.run(3_000);
    expect(positionsIn(payloadOf(answer), second.heard()).filter((at) => at >= 0)).toHaveLength(
      payloadOf(answer).length,
    );
    expect(bench.live.connections).toHaveLength(1);
    expect(bench.model.texts).toHaveLength(1);
    expect(bench.connect(back!.streamPath)).toBeNull();
    second.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('is waited for ten seconds when it was asked for; then the stream has broken off', async () => {
    const bench = new CallBench();
    const first = await bench.answerAndGreet();
    first.drop();
    await bench.run(1_000);
    expect(takeBack(bench, 'CA1')).not.toBeNull();
    await bench.run(9_900);
    expect(bench.ended).toBeNull();
    await bench.run(200);
    bench.expectEnded('carrier', 'error');
  });

  it('is asked for neither while the first goes on, nor for a call that is unknown or over', async () => {
    const bench = new CallBench();
    const first = await bench.answerAndGreet();
    expect(takeBack(bench, 'CA1')).toBeNull();
    expect(takeBack(bench, 'CA2')).toBeNull();
    first.stop();
    await bench.run(10);
    expect(takeBack(bench, 'CA1')).toBeNull();
    bench.expectEnded('caller', 'completed');
  });

  it('is asked for no more once the call is being hung up', async () => {
    const bench = new CallBench({ hangUp: null });
    const first = await bench.answerAndGreet();
    first.drop();
    await bench.run(500);
    bench.registry.end(bench.registry.summaries()[0]!.ref, { who: 'operator', how: 'completed', detail: '' });
    expect(takeBack(bench, 'CA1')).toBeNull();
    await bench.run(6_000);
    bench.expectEnded('operator', 'completed');
  });

  it('that is waited for leaves the model with a second of silence, and only then the end of the audio', async () => {
    const bench = new CallBench();
    const first = await bench.answerAndGreet();
    first.says(question());
    await bench.run(1_500);
    const before = bench.model.audio.length;
    first.drop();
    await bench.run(200);
    const [last] = bench.model.sent.slice(-1);
    expect(last).toMatchObject({ type: 'stream-end' });
    const given = bench.model.audio.subarray(before);
    const silence = given.findLastIndex((sample) => Math.abs(sample) > 8);
    const silentMs = (given.length - 1 - silence) / 16;
    expect(silentMs).toBeGreaterThan(980);
    expect(silentMs).toBeLessThan(1_060);
    expect(bench.model.sent.filter(({ type }) => type === 'stream-end')).toHaveLength(1);
  });

  it.each([
    { what: 'of another call', options: { startCallSid: 'CA666' } },
    { what: 'of another codec', options: { encoding: 'audio/opus' } },
  ])('is sent away alone when its start is $what: the first goes on', async ({ options }) => {
    const bench = new CallBench();
    const first = await bench.answerAndGreet();
    const second = bench.connect(bench.ring(), options)!;
    second.start();
    await bench.run(1_000);
    expect(second.ended).toBe(true);
    expect(first.ended).toBe(false);
    expect(bench.ended).toBeNull();
    first.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('that never says start does not hurt the first', async () => {
    const bench = new CallBench();
    const first = await bench.answerAndGreet();
    const second = bench.connect(bench.ring())!;
    await bench.run(11_000);
    expect(second.closes).toMatchObject([{ code: 1008 }]);
    expect(first.ended).toBe(false);
    expect(bench.ended).toBeNull();
  });

  it('replaces a first socket that has not started: carriers repeat their handshake', async () => {
    const bench = new CallBench();
    const path = bench.ring();
    const first = bench.connect(path)!;
    await bench.run(500);
    const second = bench.connect(path)!;
    await bench.run(10);
    expect(first.ended).toBe(true);
    second.start();
    await bench.run(1_000);
    second.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('is not ended by a late word of the carrier about the failure of the one that it replaced', async () => {
    const bench = new CallBench();
    const first = await bench.answerAndGreet();
    const second = bench.connect(bench.ring())!;
    second.start();
    await bench.run(100);
    expect(first.ended).toBe(true);
    bench.registry.carrierSays(bench.adapter, 'CA1', 'stream-failed', '31921');
    await bench.run(10_000);
    expect(bench.ended).toBeNull();
    expect(second.ended).toBe(false);
    second.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });
});

describe('a call id that comes back', () => {
  it('is a new call once the old one has ended', async () => {
    const bench = new CallBench({
      live: [
        { kind: 'ready', afterMs: 1 },
        { kind: 'ready', afterMs: 1 },
      ],
    });
    const first = await bench.answer();
    first.stop();
    await bench.run(10);
    const second = await bench.answer();
    await bench.run(100);
    second.stop();
    await bench.run(10);
    expect(
      new Set(bench.of('call-ended').map((entry) => (entry as unknown as { ref: string }).ref)).size,
    ).toBe(2);
    bench.expectNothingLeft();
  });
});
