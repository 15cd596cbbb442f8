import { describe, expect, it } from 'vitest';
import { interruption, noise, payloadOf, positionsIn, question, uplinkOf } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { fails, never, ready, stillborn } from '../../support/call-live.ts';
import { expectHeardFromOnset, onsetFrame, spokenBy } from '../../support/call-uplink.ts';

describe('a model that cannot be reached', () => {
  it('is tried again, and the call begins as if nothing had been', async () => {
    const bench = new CallBench({ live: [fails('overload'), fails('network'), ready()] });
    const carrier = await bench.answer();
    carrier.says(question());
    await bench.run(3_500);
    expect(bench.model.sent[0]).toMatchObject({ type: 'text' });
    const all = uplinkOf(Buffer.concat(carrier.spoken));
    const given = bench.model.audio;
    expect(given).toEqual(all.subarray(0, given.length));
    carrier.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('is not tried again when that cannot help: an apology is played, then the call ends', async () => {
    const bench = new CallBench({ live: [fails('auth')] });
    const carrier = await bench.answer();
    await bench.until(() => bench.hangUps.length > 0, 15_000);
    expect(carrier.heard().filter((byte) => byte !== 0xff).length / 8).toBeGreaterThan(3_000);
    await bench.run(200);
    bench.expectEnded('model', 'error');
  });

  it('is given up when the outage lasts longer than the bot allows', async () => {
    const bench = new CallBench({
      bot: { limits: { outageSeconds: 10 } },
      live: [never, fails('network'), fails('network')],
    });
    const carrier = await bench.answer();
    await bench.until(() => bench.hangUps.length > 0, 30_000);
    expect(carrier.heard().filter((byte) => byte !== 0xff).length / 8).toBeGreaterThan(3_000);
    await bench.run(200);
    expect(bench.of('call-ended').map(({ reason }) => `${reason.who}/${reason.how}`)).toEqual([
      'model/error',
    ]);
  });

  it('lets the apology be heard to its end, although the caller talks', async () => {
    const bench = new CallBench({ live: [fails('auth')] });
    const carrier = await bench.answer();
    await bench.run(800);
    carrier.says(interruption());
    await bench.run(8_000);
    expect(carrier.clears()).toEqual([]);
    bench.expectEnded('model', 'error');
  });
});

describe('a session that is lost in the middle of a call', () => {
  it('comes back: the caller is heard again from where the open utterance began, and is not greeted again', async () => {
    const bench = new CallBench({ live: [ready(), fails('network', 300), ready(500)] });
    const carrier = await bench.answerAndGreet();
    bench.model.say({ type: 'resumption', handle: 'h1', resumable: true, lastConsumedIndex: null });
    carrier.says(question());
    await bench.run(700);
    bench.model.lose();
    await bench.run(5_000);
    expect(bench.live.connections).toHaveLength(2);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    expect(bench.live.connections.map(({ texts }) => texts.length)).toEqual([1, 0]);
    const heardBefore = bench.live.connections[0]!.audio;
    expect(heardBefore).toEqual(spokenBy(carrier).subarray(0, heardBefore.length));
    // What was said before the utterance had all been heard.
    expect(heardBefore.length / 320).toBeGreaterThan(onsetFrame(bench, 0));
    expectHeardFromOnset(bench, carrier, bench.model);
    const answer = noise(1_000, 4);
    bench.model.speak(answer);
    await bench.run(2_000);
    expect(positionsIn(payloadOf(answer), carrier.heard()).filter((at) => at >= 0)).toHaveLength(
      payloadOf(answer).length,
    );
    carrier.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('loses nothing of the caller that its dying socket did not take', async () => {
    const bench = new CallBench({ live: [ready(), ready(500)] });
    const carrier = await bench.answerAndGreet();
    carrier.says(question());
    await bench.run(700);
    bench.model.refusing = true;
    await bench.run(200);
    bench.model.lose();
    await bench.run(5_000);
    expectHeardFromOnset(bench, carrier, bench.model);
  });

  it('is given up when its socket takes no audio for 5 s: the next one gets what it refused', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    bench.model.say({ type: 'resumption', handle: 'h1', resumable: true, lastConsumedIndex: null });
    carrier.says(question());
    await bench.run(700);
    const dead = bench.model;
    dead.refusing = true;
    await bench.run(4_980);
    expect(dead.closedByUs).toBe(false);
    await bench.run(100);
    expect(dead.closedByUs).toBe(true);
    await bench.run(12_000);
    expect(bench.live.connections).toHaveLength(2);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    expect(bench.of('session-lost')).toMatchObject([{ class: 'network' }]);
    expectHeardFromOnset(bench, carrier, bench.model);
    carrier.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('is not given up when its socket is slow: 5 s are counted from the last audio that it took', async () => {
    const bench = new CallBench();
    await bench.answerAndGreet();
    for (let round = 0; round < 3; round++) {
      bench.model.refusing = true;
      await bench.run(4_500);
      bench.model.refusing = false;
      await bench.run(200);
    }
    expect(bench.model.closedByUs).toBe(false);
    expect(bench.live.connections).toHaveLength(1);
  });

  it('ends the call when its first setup is refused as wrong within half a minute', async () => {
    const bench = new CallBench();
    await bench.answerAndGreet();
    bench.model.say({ type: 'resumption', handle: 'h1', resumable: true, lastConsumedIndex: null });
    bench.model.lose('config', 1007);
    await bench.run(10_000);
    bench.expectEnded('model', 'error');
  });

  it('starts afresh when it is refused as wrong after that, and ends when the fresh one is refused in the same way', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    await bench.answerAndGreet();
    bench.model.say({ type: 'resumption', handle: 'h1', resumable: true, lastConsumedIndex: null });
    await bench.run(30_000);
    bench.model.lose('config', 1007);
    await bench.run(1_000);
    expect(bench.model.setup.resumption).toEqual({ handle: null });
    expect(bench.model.setup.history).toBeUndefined();
    await bench.run(20_000);
    bench.model.lose('config', 1007);
    await bench.run(10_000);
    bench.expectEnded('model', 'error');
  });

  it('starts afresh, where its seed goes as contents, once more with it in the instruction', async () => {
    const bench = new CallBench({
      bot: { session: { seedBy: 'contents' } },
      live: [ready(), ready(), ready()],
    });
    await bench.answerAndGreet();
    bench.model.say({ type: 'resumption', handle: 'h1', resumable: true, lastConsumedIndex: null });
    await bench.run(30_000);
    bench.model.lose('config', 1007);
    await bench.run(1_000);
    expect(bench.live.connections).toHaveLength(2);
    expect(bench.model.setup.resumption).toEqual({ handle: null });
    expect(bench.model.setup.historyBy).toBe('contents');
    expect(bench.ended).toBeNull();
    await bench.run(20_000);
    bench.model.lose('config', 1007);
    await bench.run(1_000);
    expect(bench.live.connections).toHaveLength(3);
    expect(bench.model.setup.resumption).toEqual({ handle: null });
    expect(bench.model.setup.history).toBeUndefined();
    expect(bench.model.setup.systemInstruction).toContain('You: words');
    await bench.run(20_000);
    bench.model.lose('config', 1007);
    await bench.run(10_000);
    bench.expectEnded('model', 'error');
  });

  it('goes on playing what was received before the loss', async () => {
    const bench = new CallBench({ live: [ready(), ready(500)] });
    const carrier = await bench.answerAndGreet();
    const answer = noise(4_000, 4);
    bench.model.speak(answer, { pace: 20 });
    await bench.run(1_000);
    bench.model.lose();
    await bench.run(5_000);
    expect(positionsIn(payloadOf(answer), carrier.heard()).filter((at) => at >= 0)).toHaveLength(
      payloadOf(answer).length,
    );
  });

  it('comes back also when it was lost in the instant in which it came up', async () => {
    const bench = new CallBench({ live: [stillborn(), ready(500)] });
    const carrier = await bench.answer();
    await bench.run(2_000);
    expect(bench.live.connections).toHaveLength(2);
    expect(bench.model.texts).toHaveLength(1);
    carrier.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('starts afresh, without the handle, when the handle is refused', async () => {
    const bench = new CallBench({ live: [ready(), fails('handle-refused'), ready(), ready()] });
    await bench.answerAndGreet();
    bench.model.say({ type: 'resumption', handle: 'h1', resumable: true, lastConsumedIndex: null });
    bench.model.lose();
    await bench.run(3_000);
    expect(bench.model.setup.resumption).toEqual({ handle: null });
    expect(bench.model.texts).toEqual([]);
    // Nor is it tried once more when the new session, too, is lost.
    bench.model.lose();
    await bench.run(6_000);
    expect(bench.live.connections).toHaveLength(3);
    expect(bench.model.setup.resumption).toEqual({ handle: null });
  });

  it('is asked for the greeting once more when nothing of it was heard before', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answer();
    await bench.run(500);
    bench.model.lose();
    await bench.run(1_000);
    expect(bench.model.texts).toHaveLength(1);
    const greeting = noise(1_000, 1);
    bench.model.speak(greeting);
    await bench.run(3_000);
    expect(positionsIn(payloadOf(greeting), carrier.heard()).filter((at) => at >= 0)).toHaveLength(
      payloadOf(greeting).length,
    );
    const next = noise(1_000, 2);
    carrier.says(question());
    await bench.run(3_200);
    bench.model.speak(next);
    await bench.run(2_000);
    expect(positionsIn(payloadOf(next), carrier.heard()).filter((at) => at >= 0)).toHaveLength(
      payloadOf(next).length,
    );
  });

  it('hears the caller again when it was lost while the bot waited for the first word', async () => {
    const bench = new CallBench({ live: [ready(), ready()], bot: { greeting: { mode: 'after-caller' } } });
    const carrier = await bench.answer();
    await bench.run(1_000);
    bench.model.lose();
    carrier.says(question());
    await bench.run(6_000);
    expect(bench.live.connections.map(({ texts }) => texts)).toEqual([[], []]);
    expectHeardFromOnset(bench, carrier, bench.model);
  });

  it('ends the call with an apology when it does not come back', async () => {
    const bench = new CallBench({ live: [ready(), fails('auth')] });
    const carrier = await bench.answerAndGreet();
    const before = carrier.heard().filter((byte) => byte !== 0xff).length;
    bench.model.lose();
    await bench.until(() => bench.hangUps.length > 0, 20_000);
    expect((carrier.heard().filter((byte) => byte !== 0xff).length - before) / 8).toBeGreaterThan(3_000);
    await bench.run(200);
    bench.expectEnded('model', 'error');
  });

  it('is followed by the apology at once, when its end says that nothing can help', async () => {
    const bench = new CallBench();
    await bench.answerAndGreet();
    bench.model.lose('auth', 1008);
    await bench.run(10_000);
    bench.expectEnded('model', 'error');
  });

  it('says nothing to the call any more once a newer connection was asked for', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    const old = bench.model;
    old.lose();
    old.gone = false;
    await bench.run(1_000);
    const before = carrier.written.length;
    old.sayAudio(noise(500, 9));
    old.callTool('hang_up', 't9');
    await bench.run(1_000);
    expect(carrier.written.length).toBe(before);
    expect(bench.of('tool-called')).toEqual([]);
  });
});
