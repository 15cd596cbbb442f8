import { describe, expect, it } from 'vitest';
import { PENDING_MS } from '../../../src/call/dial-desk.ts';
import { interruption, noise } from '../../support/call-audio.ts';
import { type BenchOptions, CallBench } from '../../support/call-bench.ts';
import type { SimulatedCarrier } from '../../support/call-carrier.ts';
import { fails, ready } from '../../support/call-live.ts';

const OURS = '+15550100002';
const CALLEE = '+15550100001';
const RULES = { allow: ['+1555*'], perHour: 6 };
const ASK = { carrier: 'twilio', from: OURS, to: CALLEE, bot: 'bench' };

const benchOf = (options: BenchOptions = {}) => new CallBench({ dialRules: RULES, ...options });

async function dialled(bench: CallBench): Promise<string> {
  const outcome = await bench.registry.dial(ASK);
  if (!outcome.ok) throw new Error(outcome.detail);
  return outcome.ref;
}

/** The callee's telephone was picked up: what the carrier's webhook says. */
const answeredAs = (dialRef: string) => ({ direction: 'outbound', dialRef, from: OURS, to: CALLEE }) as const;

/** Placed, answered, and its stream has started. */
async function answered(
  options: BenchOptions = {},
): Promise<{ bench: CallBench; carrier: SimulatedCarrier; ref: string }> {
  const bench = benchOf(options);
  const ref = await dialled(bench);
  const path = bench.ring('CA1', answeredAs(ref));
  await bench.run(500);
  const carrier = bench.connect(path);
  if (carrier === null) throw new Error('the stream was refused');
  carrier.start();
  return { bench, carrier, ref };
}

const saidBy = (bench: CallBench, by: 'person' | 'machine' | 'unknown') =>
  bench.registry.answeredBy(bench.adapter, 'CA1', by);
const triggers = (bench: CallBench) => bench.of('greeting-triggered').length;

describe('a call that we place', () => {
  it('is asked of the carrier once, and becomes a call of the same name when it is answered', async () => {
    const bench = benchOf();
    const ref = await dialled(bench);
    expect(bench.dialled).toEqual([{ ref, from: OURS, to: CALLEE, ringSeconds: 45, detectMachine: true }]);
    expect(ref).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    expect(bench.registry.activeCalls).toBe(0);
    bench.ring('CA1', answeredAs(ref));
    expect(bench.registry.summaries()).toMatchObject([{ ref, bot: 'bench' }]);
    expect(bench.of('call-admitted')).toMatchObject([
      { direction: 'outbound', pii: { from: OURS, to: CALLEE } },
    ]);
  });

  it('is answered the same again when its webhook is repeated, although its name is used up', async () => {
    const bench = benchOf();
    const ref = await dialled(bench);
    const path = bench.ring('CA1', answeredAs(ref));
    expect(bench.ring('CA1', answeredAs(ref))).toBe(path);
    expect(bench.registry.activeCalls).toBe(1);
  });

  it('may be answered before the carrier’s API has said that it was placed', async () => {
    const { promise, resolve } = Promise.withResolvers<{ ok: true; callId: string }>();
    const bench = benchOf({ dial: () => promise });
    const outcome = bench.registry.dial(ASK);
    const ref = bench.dialled[0]?.ref ?? '';
    bench.ring('CA1', answeredAs(ref));
    resolve({ ok: true, callId: 'CA1' });
    expect(await outcome).toEqual({ ok: true, ref, callId: 'CA1' });
    expect(bench.registry.activeCalls).toBe(1);
  });

  it.each([
    ['that nobody placed', () => 'made-up'],
    ['that was answered already, as another call', (ref: string) => ref],
  ])('a name %s is refused', async (_what, nameOf) => {
    const bench = benchOf();
    const ref = await dialled(bench);
    bench.ring('CA1', answeredAs(ref));
    expect(() => bench.ring('CA2', answeredAs(nameOf(ref)))).toThrow('refused: error');
  });

  it('is waited for until it cannot be answered any more, and not longer', async () => {
    const early = benchOf();
    const late = benchOf();
    const refs = [await dialled(early), await dialled(late)];
    await early.run(PENDING_MS - 1);
    await late.run(PENDING_MS);
    expect(early.ring('CA1', answeredAs(refs[0] ?? ''))).toContain('/media/');
    expect(() => late.ring('CA1', answeredAs(refs[1] ?? ''))).toThrow('refused: error');
  });

  it('that the carrier says has ended unanswered is forgotten', async () => {
    const bench = benchOf();
    const ref = await dialled(bench);
    bench.registry.carrierSays(bench.adapter, 'CA7', 'ended', 'no-answer');
    bench.registry.carrierSays({ ...bench.adapter, id: 'telnyx' }, 'CA1', 'ended', 'no-answer');
    const kept = await dialled(bench);
    expect(kept).not.toBe(ref);
    bench.registry.carrierSays(bench.adapter, 'CA1', 'ended', 'no-answer');
    expect(() => bench.ring('CA2', answeredAs(ref))).toThrow('refused: error');
  });

  it('has a place kept while it rings: neither callers nor other calls take it', async () => {
    const bench = benchOf({ maxCalls: 2 });
    bench.ring('CA5');
    const ref = await dialled(bench);
    expect(() => bench.ring('CA6')).toThrow('refused: busy');
    expect(await bench.registry.dial(ASK)).toMatchObject({ ok: false, why: 'full' });
    expect(bench.dialled).toHaveLength(1);
    expect(bench.ring('CA1', answeredAs(ref))).toContain('/media/');
    expect(bench.registry.activeCalls).toBe(2);
  });

  it('that the carrier would not place keeps no place, but is let in where there is one: the answer may have been lost', async () => {
    const bench = benchOf({
      maxCalls: 1,
      dial: async () => ({ ok: false, result: 'retryable', detail: 'a timeout' }),
    });
    expect(await bench.registry.dial(ASK)).toEqual({
      ok: false,
      why: 'carrier',
      result: 'retryable',
      detail: 'a timeout',
    });
    const ref = bench.dialled[0]?.ref ?? '';
    bench.ring('CA5');
    expect(() => bench.ring('CA1', answeredAs(ref))).toThrow('refused: busy');
    bench.registry.carrierSays(bench.adapter, 'CA5', 'ended', 'completed');
    await bench.run(10);
    expect(bench.ring('CA2', answeredAs(ref))).toContain('/media/');
  });

  it('an API that breaks its promise is a failure of the carrier', async () => {
    const bench = benchOf({ dial: () => Promise.reject(new Error('boom')) });
    expect(await bench.registry.dial(ASK)).toMatchObject({
      why: 'carrier',
      result: 'failed',
      detail: 'boom',
    });
  });

  it.each([
    ['another carrier', { carrier: 'pigeon' }, 'invalid', /"pigeon", which is not configured/],
    ['no E.164', { to: '0155500001' }, 'invalid', /to is "0155500001"/],
    ['an address in the place of our number', { from: 'sip:a@b' }, 'invalid', /from is "sip:a@b"/],
    ['a number that is not allowed', { to: '+4930123456' }, 'not-allowed', /DIAL_ALLOW does not name it/],
  ] as const)('is refused: %s', async (_what, change, why, detail) => {
    const bench = benchOf();
    expect(await bench.registry.dial({ ...ASK, ...change })).toEqual({
      ok: false,
      why,
      detail: expect.stringMatching(detail),
    });
    expect(bench.dialled).toEqual([]);
  });

  it('is refused while the gateway drains, by us and to whoever answers', async () => {
    const bench = benchOf();
    const ref = await dialled(bench);
    bench.registry.beginDrain();
    expect(await bench.registry.dial(ASK)).toMatchObject({ why: 'draining' });
    expect(() => bench.ring('CA1', answeredAs(ref))).toThrow('refused: draining');
  });

  it('a carrier that cannot place calls, as it is configured, says so', async () => {
    const bench = benchOf();
    const { dial: _dial, ...control } = bench.adapter.control;
    Object.assign(bench.adapter, { control });
    expect(await bench.registry.dial(ASK)).toMatchObject({ why: 'invalid', detail: /places no calls/ });
  });
});

describe('who has answered', () => {
  it.each(['person', 'unknown'] as const)(
    'is greeted when the carrier says: %s, and not before; their hello follows',
    async (by) => {
      const { bench, carrier } = await answered();
      carrier.says(interruption());
      await bench.run(3_000);
      expect([triggers(bench), bench.model.sent]).toEqual([0, []]);
      saidBy(bench, by);
      expect(bench.model.sent[0]).toMatchObject({ type: 'text' });
      await bench.run(1_000);
      expect(triggers(bench)).toBe(1);
      expect(bench.model.audio.some((sample) => Math.abs(sample) > 1_000)).toBe(true);
    },
  );

  it('is greeted after 5 s when the carrier says nothing', async () => {
    const { bench } = await answered();
    await bench.run(4_950);
    expect(triggers(bench)).toBe(0);
    await bench.run(100);
    expect(triggers(bench)).toBe(1);
  });

  it('is greeted once, whatever the carrier says later', async () => {
    const { bench } = await answered();
    await bench.run(1_000);
    saidBy(bench, 'person');
    bench.model.speak(noise(500, 1));
    await bench.run(6_000);
    saidBy(bench, 'person');
    saidBy(bench, 'machine');
    await bench.run(1_000);
    expect([triggers(bench), bench.ended]).toEqual([1, null]);
  });

  it('a machine is hung up on, unheard', async () => {
    const { bench, carrier } = await answered();
    await bench.run(2_000);
    saidBy(bench, 'machine');
    await bench.run(200);
    bench.expectEnded('gateway', 'completed');
    expect(bench.ended?.reason.detail).toBe('an answering machine answered');
    expect(bench.hangUps).toHaveLength(1);
    expect(carrier.heard().some((byte) => byte !== 0xff)).toBe(false);
  });

  it('a machine that is known for one only after the 5 s is hung up on as well', async () => {
    const { bench } = await answered();
    await bench.run(6_000);
    expect(triggers(bench)).toBe(1);
    saidBy(bench, 'machine');
    await bench.run(200);
    bench.expectEnded('gateway', 'completed');
  });

  it('a bot that speaks to machines greets one', async () => {
    const { bench } = await answered({ bot: { outbound: { onMachine: 'speak' } } });
    await bench.run(1_000);
    saidBy(bench, 'machine');
    await bench.run(100);
    expect([triggers(bench), bench.ended]).toEqual([1, null]);
  });

  it('is not waited for by a bot that does not want to know, nor by a call that came in', async () => {
    const { bench } = await answered({ bot: { outbound: { detectMachine: false } } });
    expect(bench.dialled).toMatchObject([{ detectMachine: false }]);
    await bench.run(500);
    expect(triggers(bench)).toBe(1);
    const inbound = benchOf();
    await inbound.answer();
    await inbound.run(500);
    expect(triggers(inbound)).toBe(1);
    saidBy(inbound, 'machine');
    await inbound.run(500);
    expect(inbound.ended).toBeNull();
  });

  it('hears "one moment" only when it is a person for whom the session is missing', async () => {
    const { bench } = await answered({ live: [ready(9_000)] });
    await bench.run(4_000);
    expect(bench.of('clip-played')).toEqual([]);
    saidBy(bench, 'person');
    await bench.run(2_000);
    expect(bench.of('clip-played')).toHaveLength(1);
  });

  it('a machine is not put through to the fallback', async () => {
    const { bench } = await answered({
      live: [fails('auth')],
      bot: { transfer: { targets: [{ name: 'desk', number: '+15550109999' }], fallback: 'desk' } },
    });
    await bench.run(15_000);
    bench.expectEnded('model', 'error');
    expect(bench.of('transfer')).toEqual([]);
  });

  it.each(['person', 'machine'] as const)('may be known before the call is announced: %s', async (by) => {
    const bench = benchOf();
    const ref = await dialled(bench);
    saidBy(bench, by);
    const path = bench.ring('CA1', answeredAs(ref));
    await bench.run(500);
    const carrier = bench.connect(path);
    carrier?.start();
    await bench.run(50);
    if (by === 'person') {
      expect(triggers(bench)).toBe(1);
      return;
    }
    // It is up, although its stream never was.
    expect([carrier, bench.hangUps.length]).toEqual([null, 1]);
    expect(bench.ended?.reason).toMatchObject({ who: 'gateway', how: 'completed' });
  });

  it('may be known before the stream is there', async () => {
    const bench = benchOf();
    const ref = await dialled(bench);
    const path = bench.ring('CA1', answeredAs(ref));
    saidBy(bench, 'person');
    await bench.run(500);
    bench.connect(path)?.start();
    await bench.run(50);
    expect(triggers(bench)).toBe(1);
  });
});
