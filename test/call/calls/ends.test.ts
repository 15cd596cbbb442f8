import { describe, expect, it } from 'vitest';
import { interruption, noise } from '../../support/call-audio.ts';
import { CallBench, incoming } from '../../support/call-bench.ts';
import { fails, never, ready } from '../../support/call-live.ts';

describe('the carrier ends a call', () => {
  it('with stop: at once, and without asking its API', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    carrier.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
    expect(bench.hangUps).toEqual([]);
  });

  it('with stop in the middle of an answer, and what the model still says is not written', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    bench.model.speak(noise(5_000, 1));
    await bench.run(500);
    carrier.stop();
    const written = carrier.written.length;
    await bench.run(5_000);
    expect(carrier.written.length).toBe(written);
    bench.expectEnded('caller', 'completed');
  });

  it('with a close and no stop: after the 1.5 s in which another stream could have come', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    const atMs = bench.clock.now();
    carrier.drop();
    await bench.run(1_480);
    expect(bench.ended).toBeNull();
    await bench.run(60);
    bench.expectEnded('caller', 'completed');
    expect(bench.ended!.atMs - atMs).toBeGreaterThanOrEqual(1_500);
  });

  it('by its callback, before the stream says anything of it', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    bench.registry.carrierSays(bench.adapter, 'CA1', 'ended', '');
    await bench.run(0);
    bench.expectEnded('caller', 'completed');
    expect(carrier.closes).toHaveLength(1);
    carrier.stop();
    bench.registry.carrierSays(bench.adapter, 'CA1', 'ended', '');
    await bench.run(100);
    bench.expectEnded('caller', 'completed');
  });

  it('by its callback while no stream has come', async () => {
    const bench = new CallBench();
    bench.ring();
    await bench.run(1_000);
    bench.registry.carrierSays(bench.adapter, 'CA1', 'ended', '');
    bench.expectEnded('caller', 'completed');
  });

  it('by saying that it could not open the stream', async () => {
    const bench = new CallBench();
    bench.ring();
    await bench.run(1_000);
    bench.registry.carrierSays(bench.adapter, 'CA1', 'stream-failed', '31920');
    bench.expectEnded('carrier', 'error');
  });

  it('by never opening a stream: after a minute', async () => {
    const bench = new CallBench();
    bench.ring();
    await bench.run(59_900);
    expect(bench.ended).toBeNull();
    await bench.run(200);
    bench.expectEnded('carrier', 'error');
  });

  it('by never saying start: after 10 s', async () => {
    const bench = new CallBench();
    const carrier = bench.connect(bench.ring())!;
    await bench.run(9_900);
    expect(bench.ended).toBeNull();
    await bench.run(200);
    bench.expectEnded('carrier', 'error');
    expect(carrier.closes).toMatchObject([{ code: 1008 }]);
  });

  it('not by a socket that closes before it said start: another one may come within the minute', async () => {
    const bench = new CallBench();
    const path = bench.ring();
    bench.connect(path)!.drop();
    await bench.run(5_000);
    const carrier = bench.connect(path)!;
    carrier.start();
    await bench.run(1_000);
    expect(bench.model.texts).toHaveLength(1);
    carrier.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
  });

  it('by sending nothing for 30 s', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    carrier.mute = true;
    const atMs = bench.clock.now();
    await bench.until(() => bench.ended !== null, 40_000);
    await bench.run(0);
    expect(bench.ended!.atMs - atMs).toBeGreaterThan(29_900);
    expect(bench.ended!.atMs - atMs).toBeLessThan(30_100);
    bench.expectEnded('carrier', 'error');
  });

  it('by taking nothing of what we write for 5 s', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    carrier.bufferedBytes = 1_000;
    await bench.run(4_900);
    expect(carrier.closes).toEqual([]);
    await bench.run(2_000);
    bench.expectEnded('caller', 'completed');
    expect(carrier.closes).toMatchObject([{ code: 1013 }]);
  });

  it.each([
    { what: 'another call', options: { startCallSid: 'CA666' }, code: 1008 },
    { what: 'another codec', options: { encoding: 'audio/opus' }, code: 1003 },
  ])('by a start of $what: refused, and nobody is spoken to', async ({ options, code }) => {
    const bench = new CallBench();
    const carrier = await bench.answer(options);
    await bench.run(300);
    bench.expectEnded('carrier', 'error');
    expect(carrier.closes).toMatchObject([{ code }]);
    expect(carrier.written).toEqual([]);
  });

  it('in vain, when the word that it is over comes for another call', async () => {
    const bench = new CallBench();
    await bench.answerAndGreet();
    bench.registry.carrierSays(bench.adapter, 'CA2', 'ended', '');
    await bench.run(1_000);
    expect(bench.ended).toBeNull();
  });
});

describe('we end a call', () => {
  it('when the operator asks: the API is asked first, the socket closed after it, and only one end is written', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    const { ref } = bench.registry.summaries()[0]!;
    const reason = { who: 'operator', how: 'completed', detail: 'asked' } as const;
    expect(bench.registry.end(ref, reason)).toBe(true);
    expect(bench.registry.end(ref, reason)).toBe(true);
    expect(carrier.closes).toEqual([]);
    expect(bench.live.now.open).toBe(false);
    await bench.run(200);
    bench.expectEnded('operator', 'completed');
    expect(bench.hangUps).toHaveLength(1);
    expect(bench.registry.end(ref, reason)).toBe(false);
  });

  it('while the model is still being reached: the attempt is given up', async () => {
    const bench = new CallBench({ live: [never] });
    await bench.answer();
    await bench.run(1_000);
    expect(bench.live.pending).toBe(1);
    bench.registry.end(bench.registry.summaries()[0]!.ref, { who: 'operator', how: 'completed', detail: '' });
    await bench.run(200);
    bench.expectEnded('operator', 'completed');
  });

  it('while it waits to reach the model once more', async () => {
    const bench = new CallBench({ live: [fails('network', 300)] });
    await bench.answer();
    await bench.run(60);
    bench.registry.end(bench.registry.summaries()[0]!.ref, { who: 'operator', how: 'completed', detail: '' });
    await bench.run(200);
    bench.expectEnded('operator', 'completed');
  });

  it('at its longest length, with the recorded goodbye', async () => {
    const bench = new CallBench({ bot: { limits: { maxMinutes: 0.5 } } });
    const carrier = await bench.answerAndGreet();
    const startedAtMs = bench.of('stream-started')[0]!.atMs;
    const heardBefore = carrier.heard().filter((byte) => byte !== 0xff).length;
    await bench.until(() => bench.hangUps.length > 0, 60_000);
    expect(bench.clock.now() - startedAtMs).toBeGreaterThan(30_000);
    expect(bench.clock.now() - startedAtMs).toBeLessThan(33_000);
    expect((carrier.heard().filter((byte) => byte !== 0xff).length - heardBefore) / 8).toBeGreaterThan(1_000);
    await bench.run(200);
    bench.expectEnded('gateway', 'limit');
  });

  it('and a caller who talks does not stop the last goodbye', async () => {
    const bench = new CallBench({ bot: { limits: { maxMinutes: 0.5 } } });
    const carrier = await bench.answerAndGreet();
    await bench.run(27_000);
    await bench.until(() => bench.of('turn-started').length === 2, 5_000);
    await bench.run(300);
    carrier.says(interruption());
    await bench.run(5_000);
    expect(carrier.clears()).toEqual([]);
    bench.expectEnded('gateway', 'limit');
  });

  it('when the gateway is drained: calls may end by themselves until the deadline, the rest is ended then', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    const first = await bench.answerAndGreet({ callSid: 'CA1' });
    await bench.answerAndGreet({ callSid: 'CA2' });
    let drained = false;
    void bench.registry.drained(30_000).then(() => {
      drained = true;
    });
    expect(bench.registry.admit(bench.adapter, incoming('CA3'))).toMatchObject({
      kind: 'refused',
      reason: 'draining',
    });
    await bench.run(10_000);
    first.stop();
    await bench.run(19_900);
    expect(drained).toBe(false);
    expect(bench.of('call-ended')).toHaveLength(1);
    await bench.run(500);
    expect(drained).toBe(true);
    expect(bench.of('call-ended').map(({ reason }) => `${reason.who}/${reason.how}`)).toEqual([
      'caller/completed',
      'operator/drained',
    ]);
    bench.expectNothingLeft();
  });

  it('and a drain is over as soon as the last call is', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    let drained = false;
    void bench.registry.drained(30_000).then(() => {
      drained = true;
    });
    await bench.run(1_000);
    carrier.stop();
    await bench.run(10);
    expect(drained).toBe(true);
    bench.expectEnded('caller', 'completed');
  });

  it('and a drain waits for the API of a carrier that never answers, but not for ever', async () => {
    const bench = new CallBench({ hangUp: null });
    await bench.answerAndGreet();
    let drained = false;
    void bench.registry.drained(1_000).then(() => {
      drained = true;
    });
    await bench.run(6_100);
    expect(drained).toBe(true);
    bench.expectEnded('operator', 'drained');
  });

  it('and a socket whose token was checked just before is closed', async () => {
    const bench = new CallBench();
    const path = bench.ring();
    const claim = bench.registry.claimStream(bench.adapter, path.split('/').at(-1)!);
    bench.registry.carrierSays(bench.adapter, 'CA1', 'ended', '');
    const closes: number[] = [];
    const socket = { send: () => true, bufferedBytes: 0, close: (code: number) => closes.push(code) };
    if (!claim.ok) throw new Error('the token was good');
    const sink = claim.attach(socket);
    sink.onMessage(Buffer.from('{}'), false);
    sink.onClose(1000, '');
    expect(closes).toEqual([1000]);
    bench.expectEnded('caller', 'completed');
  });

  it('and no stream is let in while the carrier is being told', async () => {
    const bench = new CallBench({ hangUp: null });
    await bench.answerAndGreet();
    const path = bench.ring();
    bench.registry.end(bench.registry.summaries()[0]!.ref, { who: 'operator', how: 'completed', detail: '' });
    expect(bench.connect(path)).toBeNull();
    await bench.run(5_100);
    bench.expectEnded('operator', 'completed');
  });
});

describe('admission', () => {
  it('refuses what exceeds the capacity, and takes calls again when there is room', async () => {
    const bench = new CallBench({ maxCalls: 1, live: [ready(), ready()] });
    const carrier = await bench.answerAndGreet();
    expect(bench.registry.admit(bench.adapter, incoming('CA2'))).toMatchObject({
      kind: 'refused',
      reason: 'busy',
    });
    carrier.stop();
    await bench.run(10);
    expect(bench.registry.admit(bench.adapter, incoming('CA2'))).toMatchObject({ kind: 'admitted' });
  });
});
