import { describe, expect, it } from 'vitest';
import { interruption, noise, SILENT } from '../../support/call-audio.ts';
import { CallBench, incoming } from '../../support/call-bench.ts';
import type { SimulatedCarrier } from '../../support/call-carrier.ts';
import { fails, never, ready } from '../../support/call-live.ts';

/** Sound that the caller heard from then on. */
const heardMs = (carrier: SimulatedCarrier, fromMs = 0): number =>
  carrier.heard(fromMs).filter((byte) => byte !== SILENT).length / 8;

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

  it.each([
    { what: 'a close and no stop', code: 1000, who: 'caller', how: 'completed' },
    { what: 'a stream that breaks off', code: 1006, who: 'carrier', how: 'error' },
  ] as const)(
    'with $what: after the 5 s in which another stream could have come',
    async ({ code, who, how }) => {
      const bench = new CallBench();
      const carrier = await bench.answerAndGreet();
      const atMs = bench.clock.now();
      carrier.drop(code);
      await bench.run(4_980);
      expect(bench.ended).toBeNull();
      await bench.run(100);
      bench.expectEnded(who, how);
      expect(bench.ended!.atMs - atMs).toBeGreaterThanOrEqual(5_000);
    },
  );

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

  it('by sending no audio for 30 s, although its marks and its keys go on', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    carrier.mute = true;
    const atMs = bench.clock.now();
    for (let second = 0; second < 31 && bench.ended === null; second++) {
      carrier.press('5');
      bench.model.speak(noise(300, second));
      await bench.run(1_000);
    }
    expect(carrier.written.some((each) => each.event === 'mark' && each.atMs > atMs + 20_000)).toBe(true);
    expect(bench.ended!.atMs - atMs).toBeGreaterThan(29_900);
    expect(bench.ended!.atMs - atMs).toBeLessThan(30_100);
    bench.expectEnded('carrier', 'error');
  });

  it('by taking nothing of what we write for 5 s, and opening no other stream', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    carrier.bufferedBytes = 1_000;
    await bench.run(4_900);
    expect(carrier.closes).toEqual([]);
    await bench.run(200);
    expect(carrier.closes).toMatchObject([{ code: 1013 }]);
    await bench.run(5_000);
    bench.expectEnded('carrier', 'error');
  });

  it('not by taking it slowly: a socket that still drains is left alone, unless it holds too much', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    for (let second = 0; second < 20; second++) {
      carrier.bufferedBytes = 60_000 + (second % 4) * 1_000;
      await bench.run(1_000);
    }
    expect(carrier.closes).toEqual([]);
    carrier.bufferedBytes = 262_144;
    await bench.run(40);
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
    const second = await bench.answerAndGreet({ callSid: 'CA2' });
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
    const heardBefore = heardMs(second);
    await bench.until(() => bench.hangUps.length > 0, 6_000);
    expect(heardMs(second) - heardBefore).toBeGreaterThan(1_000);
    await bench.run(200);
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
    await bench.until(() => bench.hangUps.length > 0, 6_000);
    await bench.run(4_900);
    expect(drained).toBe(false);
    await bench.run(200);
    expect(drained).toBe(true);
    bench.expectEnded('operator', 'drained');
  });

  it('and a drain lets the goodbye be heard behind what is being said, but not behind all that can be queued', async () => {
    for (const [queuedMs, isHeard] of [
      [8_000, true],
      [30_000, false],
    ] as const) {
      const bench = new CallBench();
      const carrier = await bench.answerAndGreet();
      const answer = noise(queuedMs, 5);
      bench.model.speak(answer, { pace: 100 });
      await bench.run(500);
      const atMs = bench.clock.now();
      let drainedMs = 0;
      void bench.registry.drained(1).then(() => {
        drainedMs = bench.clock.now() - atMs;
      });
      await bench.until(() => drainedMs > 0, 30_000);
      expect(drainedMs).toBeLessThan(15_500);
      const goodbyeMs = heardMs(carrier, atMs + queuedMs - 400);
      if (isHeard) expect(goodbyeMs).toBeGreaterThan(1_000);
      else expect(goodbyeMs).toBe(0);
      bench.expectEnded('operator', 'drained');
    }
  });

  it('and the second signal ends at once what a drain has left', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    const heardBefore = heardMs(carrier);
    void bench.registry.drained(0);
    await bench.run(100);
    bench.expectEnded('operator', 'drained');
    expect(heardMs(carrier)).toBe(heardBefore);
  });

  it('and the last clip waits for what is queued before it, however long, but not for ever', async () => {
    for (const [queuedMs, mostMs] of [
      [20_000, 24_000],
      [100_000, 61_000],
    ] as const) {
      const bench = new CallBench({ bot: { limits: { maxMinutes: 0.1 } } });
      const carrier = await bench.answerAndGreet();
      carrier.losesMarks = true;
      bench.model.speak(noise(queuedMs, 5), { pace: 100 });
      const limitAtMs = bench.of('stream-started')[0]!.atMs + 6_000;
      await bench.until(() => bench.hangUps.length > 0, 120_000);
      const tookMs = bench.hangUps[0]!.atMs - limitAtMs;
      expect(tookMs).toBeGreaterThan(Math.min(queuedMs - 5_000, 59_000));
      expect(tookMs).toBeLessThan(mostMs);
      await bench.run(200);
      bench.expectEnded('gateway', 'limit');
    }
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
