/** The door in front of all connections, on virtual time, with a service behind it that does as each test says. */
import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { LiveConnectError } from '../../src/gemini/closes.ts';
import { govern } from '../../src/gemini/governor.ts';
import type { ConnectNeed, HeldFields } from '../../src/gemini/live-session.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';
import { type Begun, GovernorBench as Bench, HELD, SETUP, SILENT } from './governor-bench.ts';

const succeedAfter = (bench: Bench, ms: number) => (begun: Begun) =>
  void bench.clock.setTimer(ms, begun.succeed);

describe('the rate', () => {
  test('two hundred calls that lose their connections in one second all get through, evenly', async () => {
    const bench = new Bench();
    bench.behave = succeedAfter(bench, 700);
    for (let i = 0; i < 200; i++) {
      bench.ask(`call ${i}`, 'outage', { deadlineMs: 20_000 });
      await bench.clock.advanceAsync(5);
    }
    await bench.clock.advanceAsync(20_000);
    expect([...bench.ended.values()].filter(({ how }) => how === 'connected')).toHaveLength(200);
    const times = bench.begun.map(({ atMs }) => atMs);
    expect(times.at(-1)! - times[0]!).toBeLessThanOrEqual((200 / 15) * 1000);
    // In no second more than the rate and the few of a burst.
    for (const fromMs of times) {
      const inSecond = times.filter((atMs) => atMs >= fromMs && atMs < fromMs + 1_000).length;
      expect(inSecond).toBeLessThanOrEqual(15 + 3);
    }
    // After the burst, one by one.
    expect(times.slice(4).filter((atMs, i) => atMs - times[i + 3]! < 66)).toEqual([]);
    expect(bench.counts).toEqual({ waiting: 0, inFlight: 0, breaker: 'closed' });
    expect(bench.clock.pendingTimers).toBe(0);
  });

  test('no more than so many are under way, and the next begins when one ends', async () => {
    const bench = new Bench({ atOnce: 2, burst: 10 });
    for (const name of ['a', 'b', 'c', 'd']) bench.ask(name);
    await bench.clock.advanceAsync(10_000);
    expect([bench.names, bench.counts]).toEqual([['a', 'b'], { waiting: 2, inFlight: 2, breaker: 'closed' }]);
    bench.named('b').fail('network');
    await bench.clock.advanceAsync(0);
    expect(bench.names).toEqual(['a', 'b', 'c']);
    bench.named('a').succeed();
    await bench.clock.advanceAsync(0);
    expect(bench.names).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('the order', () => {
  test('an outage goes before a new call, that before a rotation, and the oldest first', async () => {
    const bench = new Bench({ atOnce: 1, burst: 100 });
    bench.ask('first');
    const needs: ConnectNeed[] = ['rotation', 'new-call', 'outage', 'rotation', 'new-call', 'outage'];
    for (const [index, need] of needs.entries()) {
      bench.ask(`${need} ${index}`, need);
      await bench.clock.advanceAsync(1);
    }
    bench.behave = (begun) => begun.succeed();
    bench.named('first').succeed();
    await bench.clock.advanceAsync(10_000);
    expect(bench.names).toEqual([
      'first',
      'outage 2',
      'outage 5',
      'new-call 1',
      'new-call 4',
      'rotation 0',
      'rotation 3',
    ]);
  });

  test('who has waited long goes before who is needier and has just come', async () => {
    const bench = new Bench({ perSecond: 10, burst: 1 });
    bench.behave = (begun) => begun.succeed();
    bench.ask('before');
    bench.ask('rotation', 'rotation', { deadlineMs: 100_000 });
    bench.ask('new-call', 'new-call', { deadlineMs: 100_000 });
    // Outages come as fast as they are served, so that one always waits.
    for (let i = 0; i < 400; i++) {
      bench.ask(`outage ${i}`);
      await bench.clock.advanceAsync(100);
    }
    const waited = (name: string) => bench.named(name).atMs;
    expect(waited('new-call')).toBeGreaterThan(3_000);
    expect(waited('new-call')).toBeLessThan(5_000);
    expect(waited('rotation')).toBeGreaterThan(11_000);
    expect(waited('rotation')).toBeLessThan(13_000);
  });
});

describe('waiting', () => {
  test('has the deadline in it: what is left of it is the attempt’s', async () => {
    const bench = new Bench({ perSecond: 1, burst: 1 });
    bench.behave = (begun) => begun.succeed();
    bench.ask('a');
    bench.ask('b', 'outage', { deadlineMs: 1_500 });
    bench.ask('c', 'outage', { deadlineMs: 1_500 });
    await bench.clock.advanceAsync(1_499);
    expect(bench.named('b').options.deadlineMs).toBe(500);
    expect(bench.ended.has('c')).toBe(false);
    await bench.clock.advanceAsync(1);
    expect(bench.ended.get('c')).toEqual({ how: 'overload', atMs: 1_500 });
    expect(bench.clock.pendingTimers).toBe(0);
    await bench.clock.advanceAsync(10_000);
    expect(bench.names).toEqual(['a', 'b']);
  });

  test('what is said of it is what was attempted, found and wanted', async () => {
    const bench = new Bench({ atOnce: 1 });
    bench.ask('a');
    const outcome = bench
      .door(SETUP, SILENT, { signal: new AbortController().signal, deadlineMs: 2_000, need: 'rotation' })
      .catch((caught: unknown) => caught);
    await bench.clock.advanceAsync(2_000);
    const error = (await outcome) as LiveConnectError;
    expect(error).toMatchObject({ code: 'ERR_LIVE_CONNECT', closeClass: 'overload', retryable: true });
    expect(error.message).toMatch(/gemini-3.8-live.*no place within 2000 ms.*1 connect.*wanted/);
  });

  test('ends at once with the call, and nothing of it is left', async () => {
    const bench = new Bench({ atOnce: 1 });
    bench.ask('a');
    const call = new AbortController();
    bench.ask('b', 'outage', { signal: call.signal });
    bench.ask('over', 'outage', { signal: AbortSignal.abort() });
    await bench.clock.advanceAsync(100);
    expect(bench.ended.get('over')?.how).toBe('normal');
    call.abort();
    await bench.clock.advanceAsync(0);
    expect(bench.ended.get('b')).toEqual({ how: 'normal', atMs: 100 });
    expect(bench.counts.waiting).toBe(0);
    expect(getEventListeners(call.signal, 'abort')).toEqual([]);
    expect(bench.clock.pendingTimers).toBe(0);
  });

  test('who waited for the rate alone and leaves takes the alarm along', async () => {
    const bench = new Bench({ perSecond: 1, burst: 1 });
    const call = new AbortController();
    bench.ask('a');
    bench.ask('b', 'outage', { signal: call.signal });
    expect(bench.clock.pendingTimers).toBe(2);
    call.abort();
    await bench.clock.advanceAsync(0);
    expect(bench.clock.pendingTimers).toBe(0);
  });

  test('is bounded: the least needy is sent away, whether it has just come or not', async () => {
    const bench = new Bench({ atOnce: 1, maxWaiting: 2 });
    bench.ask('under way');
    bench.ask('rotation', 'rotation');
    bench.ask('new-call', 'new-call');
    bench.ask('outage', 'outage');
    bench.ask('another rotation', 'rotation');
    await bench.clock.advanceAsync(0);
    expect([...bench.ended]).toEqual([
      ['rotation', { how: 'overload', atMs: 0 }],
      ['another rotation', { how: 'overload', atMs: 0 }],
    ]);
    expect(bench.counts.waiting).toBe(2);
  });
});

describe('a held setup', () => {
  test('does not take a place while it is held, and does again afterwards', async () => {
    const bench = new Bench({ atOnce: 1, burst: 10 });
    const { promise, resolve } = Promise.withResolvers<HeldFields>();
    bench.ask('rotation', 'rotation', { hold: () => promise });
    bench.ask('call');
    await bench.clock.advanceAsync(0);
    const rotation = bench.named('rotation');
    const held = rotation.options.hold!();
    await bench.clock.advanceAsync(0);
    expect([bench.names, bench.counts.inFlight]).toEqual([['rotation', 'call'], 1]);
    resolve(HELD);
    // It goes on at once: its caller is without a connection now.
    expect(await held).toBe(HELD);
    expect(bench.counts.inFlight).toBe(2);
    rotation.succeed();
    bench.named('call').succeed();
    await bench.clock.advanceAsync(0);
    expect(bench.counts.inFlight).toBe(0);
  });

  test.each(['given up', 'late'])('that is %s gives back no more than it took', async (how) => {
    const bench = new Bench({ atOnce: 1, burst: 10 });
    const { promise, resolve, reject } = Promise.withResolvers<HeldFields>();
    bench.ask('rotation', 'rotation', { hold: () => promise });
    await bench.clock.advanceAsync(0);
    const rotation = bench.named('rotation');
    const held = rotation.options.hold!().catch(() => {});
    if (how === 'given up') reject(new Error('no'));
    rotation.fail('network');
    await bench.clock.advanceAsync(0);
    if (how === 'late') resolve(HELD);
    await held;
    expect(bench.counts.inFlight).toBe(0);
    for (const name of ['a', 'b']) bench.ask(name);
    expect(bench.counts).toMatchObject({ inFlight: 1, waiting: 1 });
  });
});

describe('the breaker', () => {
  /** Random 1 is never reached; it makes the back-off its whole self. */
  async function opened(): Promise<Bench> {
    const bench = new Bench({ perSecond: 1_000, burst: 100 });
    bench.ask('refused');
    await bench.clock.advanceAsync(0);
    bench.named('refused').fail('quota');
    await bench.clock.advanceAsync(0);
    expect(bench.counts.breaker).toBe('open');
    return bench;
  }

  test('after a refusal for the quota nobody connects for a while, then the neediest alone', async () => {
    const bench = await opened();
    for (const need of ['rotation', 'outage', 'new-call'] as const) bench.ask(need, need);
    await bench.clock.advanceAsync(999);
    expect(bench.names).toEqual(['refused']);
    await bench.clock.advanceAsync(1);
    expect(bench.names).toEqual(['refused', 'outage']);
    await bench.clock.advanceAsync(10_000);
    expect([bench.names, bench.counts.breaker]).toEqual([['refused', 'outage'], 'probing']);
    bench.named('outage').succeed();
    await bench.clock.advanceAsync(0);
    expect([bench.names, bench.counts.breaker]).toEqual([
      ['refused', 'outage', 'new-call', 'rotation'],
      'closed',
    ]);
  });

  test('each refusal of a probe doubles the wait, up to half a minute, and a success forgets them', async () => {
    const bench = await opened();
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      const beforeMs = bench.clock.now();
      bench.ask(`probe ${i}`);
      while (bench.begun.length < i + 2) await bench.clock.advanceAsync(100);
      waits.push(bench.begun.at(-1)!.atMs - beforeMs);
      bench.begun.at(-1)!.fail('quota');
      await bench.clock.advanceAsync(0);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    bench.ask('at last');
    await bench.clock.advanceAsync(30_000);
    bench.named('at last').succeed();
    await bench.clock.advanceAsync(0);
    bench.ask('again');
    await bench.clock.advanceAsync(0);
    bench.named('again').fail('quota');
    await bench.clock.advanceAsync(0);
    bench.ask('next');
    await bench.clock.advanceAsync(999);
    expect(bench.names.at(-1)).toBe('again');
    await bench.clock.advanceAsync(1);
    expect(bench.names.at(-1)).toBe('next');
  });

  test('the back-off is spread: between half of it and all of it', async () => {
    for (const [random, wantedMs] of [
      [0, 500],
      [0.5, 750],
    ] as const) {
      const bench = new Bench({ random: () => random });
      bench.ask('refused');
      await bench.clock.advanceAsync(0);
      bench.named('refused').fail('quota');
      await bench.clock.advanceAsync(0);
      bench.ask('probe');
      await bench.clock.advanceAsync(5_000);
      expect(bench.named('probe').atMs).toBe(wantedMs);
    }
  });

  test('the refusals and successes of those who were under way are no news', async () => {
    const bench = new Bench({ burst: 10 });
    for (const name of ['a', 'b', 'c', 'd']) bench.ask(name);
    await bench.clock.advanceAsync(0);
    for (const name of ['a', 'b', 'c']) {
      bench.named(name).fail('quota');
      await bench.clock.advanceAsync(10);
    }
    bench.named('d').succeed();
    await bench.clock.advanceAsync(0);
    expect(bench.counts.breaker).toBe('open');
    bench.ask('probe');
    await bench.clock.advanceAsync(2_000);
    expect(bench.named('probe').atMs).toBe(1_000);
  });

  test.each(['network', 'normal', 'handle-refused'] as const)(
    'a probe that ends as %s says nothing of the quota: the next one tries',
    async (closeClass) => {
      const bench = await opened();
      for (const name of ['a', 'b', 'c']) bench.ask(name);
      await bench.clock.advanceAsync(1_000);
      expect(bench.names).toEqual(['refused', 'a']);
      bench.named('a').fail(closeClass);
      await bench.clock.advanceAsync(0);
      expect(bench.names).toEqual(['refused', 'a', 'b']);
    },
  );

  test('a probe that is held does not keep the others from trying', async () => {
    const bench = await opened();
    bench.ask('held', 'outage', { hold: () => new Promise(() => {}) });
    bench.ask('other');
    await bench.clock.advanceAsync(1_000);
    expect(bench.names).toEqual(['refused', 'held']);
    void bench.named('held').options.hold!();
    await bench.clock.advanceAsync(0);
    expect(bench.names).toEqual(['refused', 'held', 'other']);
    bench.named('held').fail('quota');
    await bench.clock.advanceAsync(0);
    expect(bench.counts.breaker).toBe('probing');
  });

  test('a connection that is closed for the quota in mid call opens it too, and is told', async () => {
    const bench = new Bench();
    const closes: string[] = [];
    const handlers = { onEvents: () => {}, onClose: ({ reason }: { reason: string }) => closes.push(reason) };
    const options = { signal: new AbortController().signal, deadlineMs: 1_000, need: 'new-call' } as const;
    const connecting = bench.door(SETUP, handlers, options);
    bench.begun[0]!.succeed();
    await connecting;
    bench.begun[0]!.handlers.onClose({ code: 1000, reason: 'bye', class: 'normal' });
    expect(bench.counts.breaker).toBe('closed');
    bench.begun[0]!.handlers.onClose({ code: 1011, reason: 'quota', class: 'quota' });
    expect(bench.counts.breaker).toBe('open');
    expect(closes).toEqual(['bye', 'quota']);
  });
});

describe('the meters', () => {
  test('are told who was let in and after how long, and who was not; what is no longer wanted is nobody', async () => {
    const bench = new Bench({ perSecond: 1, burst: 1 });
    bench.ask('a', 'new-call');
    bench.ask('b', 'outage', { deadlineMs: 1_500 });
    bench.ask('c', 'outage', { deadlineMs: 1_500 });
    const unwanted = new AbortController();
    bench.ask('d', 'rotation', { signal: unwanted.signal });
    unwanted.abort();
    await bench.clock.advanceAsync(2_000);
    expect(bench.metered).toEqual([
      'granted new-call after 0 ms',
      'granted outage after 1000 ms',
      'turned away outage',
    ]);
  });

  test('are told of every refusal for the quota, also of those that are no news to the breaker', async () => {
    const bench = new Bench({ burst: 10 });
    for (const name of ['a', 'b', 'c']) bench.ask(name);
    await bench.clock.advanceAsync(0);
    for (const name of ['a', 'b']) bench.named(name).fail('quota');
    bench.named('c').fail('network');
    await bench.clock.advanceAsync(0);
    expect(bench.metered.filter((each) => each === 'quota')).toHaveLength(2);
  });

  test('and the call itself is told when its turn has come', async () => {
    const bench = new Bench({ perSecond: 1, burst: 1 });
    const turns: number[] = [];
    for (const name of ['a', 'b']) bench.ask(name, 'outage', { onTurn: () => turns.push(bench.clock.now()) });
    expect(turns).toEqual([0]);
    await bench.clock.advanceAsync(5_000);
    expect(turns).toEqual([0, 1_000]);
  });
});

test('the rate that is set is kept, and a fifth of it may begin at once', async () => {
  for (const [perSecond, atOnce] of [
    [1, 1],
    [15, 3],
    [100, 20],
  ] as const) {
    const bench = new Bench({ perSecond, atOnce: 10_000 });
    for (let n = 0; n < perSecond * 4; n++) bench.ask(`call ${n}`);
    expect(bench.begun).toHaveLength(atOnce);
    await bench.clock.advanceAsync(2_000.1);
    expect(bench.begun).toHaveLength(atOnce + perSecond * 2);
  }
});

test('a service that throws instead of rejecting costs that attempt alone', async () => {
  const clock = new VirtualClock();
  const door = govern(
    () => {
      throw new Error('a bug');
    },
    { clock, random: () => 0, perSecond: 15, atOnce: 32 },
  );
  const options = { signal: new AbortController().signal, deadlineMs: 1_000, need: 'outage' } as const;
  await expect(door(SETUP, SILENT, options)).rejects.toThrow('a bug');
  expect([door.counts.inFlight, clock.pendingTimers]).toEqual([0, 0]);
});
