import { describe, expect, it } from 'vitest';
import { interruption, noise } from '../../support/call-audio.ts';
import { type BenchOptions, CallBench } from '../../support/call-bench.ts';
import type { SimulatedCarrier } from '../../support/call-carrier.ts';
import { type Attempt, fails, ready } from '../../support/call-live.ts';
import { giveHandle } from '../../support/call-talk.ts';

const TRANSFER = 'transfer_call';
const NUMBER = '+15550109999';
const TARGETS = [
  { name: 'sales', number: NUMBER, description: 'Orders and prices' },
  { name: 'workshop', number: 'sip:workshop@example.com' },
];
const BOT = { transfer: { targets: TARGETS } };
const BY_API = { transfer: 'api', transferReports: true } as const;

/** In the middle of a talk; the newest state of the session is in a handle. */
async function talking(options: BenchOptions = {}): Promise<{ bench: CallBench; carrier: SimulatedCarrier }> {
  const bench = new CallBench({ ...options, bot: { ...BOT, ...options.bot } });
  const carrier = await bench.answerAndGreet();
  giveHandle(bench.model, 'h1');
  return { bench, carrier };
}

/** The bot says that it puts the caller through, calls the tool, and is heard out. */
async function putThrough(bench: CallBench, to = 'sales'): Promise<void> {
  bench.model.speak(noise(900, 3), { text: 'I put you through.' });
  await bench.run(300);
  bench.model.callTool(TRANSFER, 't1', { to });
  await bench.until(() => bench.of('transfer').length > 0, 4_000);
}

const whatBecame = (bench: CallBench) => bench.of('transfer').map(({ what }) => what);
const toldOf = (bench: CallBench) => bench.of('model-told').map(({ what }) => what);
const RETURN_WORDS = /could not be put through/;

describe('by continuation', () => {
  it('the bot is heard out, the stream is closed, the session let go, and the carrier is told whom to ring', async () => {
    const { bench, carrier } = await talking();
    const before = carrier.heard().filter((byte) => byte !== 0xff).length;
    await putThrough(bench);
    expect((carrier.heard().filter((byte) => byte !== 0xff).length - before) / 8).toBeGreaterThan(890);
    expect(bench.model.responses).toMatchObject([{ id: 't1', name: TRANSFER, scheduling: 'SILENT' }]);
    await bench.run(10);
    expect(carrier.closes.map(({ code }) => code)).toEqual([1000]);
    expect(bench.model.open).toBe(false);
    expect(bench.after(null)).toEqual({ kind: 'transfer', target: NUMBER });
    expect(bench.after(null)).toEqual({ kind: 'transfer', target: NUMBER });
    expect([bench.transfers, bench.hangUps, bench.ended]).toEqual([[], [], null]);
  });

  it('when it was answered the call is over for us, as transferred, and nobody is cut off', async () => {
    const { bench } = await talking();
    await putThrough(bench);
    bench.after(null);
    await bench.run(60_000);
    expect(bench.after('answered')).toEqual({ kind: 'hangup' });
    await bench.run(100);
    bench.expectEnded('bot', 'transferred');
    expect(bench.hangUps).toEqual([]);
  });

  it('when nobody answered the caller is back on another stream with the same session, which is told, and greets nobody', async () => {
    const { bench } = await talking({ live: [ready(), ready()] });
    await putThrough(bench);
    bench.after(null);
    await bench.run(30_000);
    const plan = bench.after('unanswered');
    if (plan.kind !== 'stream') throw new Error(`found ${plan.kind}`);
    await bench.run(1_000);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    // Not before the caller is there to hear the answer.
    expect(bench.model.texts).toEqual([]);
    const carrier = bench.connect(plan.streamPath);
    carrier?.start();
    await bench.run(100);
    expect(bench.model.texts).toEqual([expect.stringMatching(RETURN_WORDS)]);
    expect(whatBecame(bench)).toEqual(['asked', 'unanswered', 'returned']);
    bench.model.speak(noise(800, 4));
    await bench.run(2_000);
    expect(carrier?.heard().some((byte) => byte !== 0xff)).toBe(true);
    carrier?.says(interruption());
    const sentBefore = bench.model.audio.length;
    await bench.run(1_000);
    expect(bench.model.audio.length - sentBefore).toBeGreaterThan(16 * 900);
    expect(bench.of('greeting-triggered')).toHaveLength(1);
    carrier?.stop();
    await bench.run(100);
    bench.expectEnded('caller', 'completed');
  });

  it('who comes back before the session is there is told as soon as it is, and is not left in silence meanwhile', async () => {
    const { bench } = await talking({ live: [ready(), fails('network', 200), ready(4_000)] });
    await putThrough(bench);
    bench.after(null);
    const plan = bench.after('unanswered');
    if (plan.kind !== 'stream') throw new Error(`found ${plan.kind}`);
    const carrier = bench.connect(plan.streamPath);
    carrier?.start();
    await bench.run(3_000);
    expect(bench.of('clip-played').map(({ isFiller }) => isFiller)).toEqual([true]);
    await bench.run(3_000);
    expect(toldOf(bench)).toEqual(['returned']);
  });

  it('a session that cannot be taken up again is begun afresh with what was said, and told all the same', async () => {
    const { bench } = await talking({ live: [ready(), fails('handle-refused', 100), ready()] });
    bench.model.say({ type: 'input-transcript', text: 'I would like to order a boat.' });
    await putThrough(bench);
    bench.after(null);
    const plan = bench.after('unanswered');
    if (plan.kind !== 'stream') throw new Error(`found ${plan.kind}`);
    await bench.run(1_500);
    bench.connect(plan.streamPath)?.start();
    await bench.run(500);
    expect(bench.model.setup.resumption).toEqual({ handle: null });
    expect(JSON.stringify(bench.model.setup)).toContain('I would like to order a boat.');
    expect(bench.model.texts.filter((text) => RETURN_WORDS.test(text))).toHaveLength(1);
    expect(bench.of('greeting-triggered')).toHaveLength(1);
  });

  it('a carrier that never asks what comes next is given up after 30 s, and told so', async () => {
    const { bench } = await talking();
    await putThrough(bench);
    const askedAtMs = bench.clock.now();
    await bench.until(() => bench.hangUps.length > 0, 60_000);
    expect(bench.clock.now() - askedAtMs).toBeGreaterThanOrEqual(30_000);
    expect(bench.clock.now() - askedAtMs).toBeLessThanOrEqual(30_100);
    await bench.run(200);
    bench.expectEnded('carrier', 'error');
  });

  it('a carrier that never says what became of it keeps the call until its longest length, and nobody is cut off', async () => {
    const { bench } = await talking({ bot: { limits: { maxMinutes: 5 } } });
    await putThrough(bench);
    bench.after(null);
    await bench.run(4 * 60_000);
    expect(bench.ended).toBeNull();
    await bench.run(2 * 60_000);
    bench.expectEnded('bot', 'transferred');
    expect(bench.hangUps).toEqual([]);
  });

  it('the stream that was asked for after an unanswered transfer, and never comes, ends the call as the carrier’s error', async () => {
    const { bench } = await talking({ live: [ready(), ready()] });
    await putThrough(bench);
    bench.after(null);
    bench.after('unanswered');
    await bench.run(10_500);
    bench.expectEnded('carrier', 'error');
  });

  it('a caller who hangs up while it rings was put through, and one who hangs up on the way back was not', async () => {
    const completed = { who: 'caller', how: 'completed', detail: 'the carrier says that the call has ended' };
    const ends = async (outcome: 'unanswered' | null) => {
      const { bench } = await talking({ live: outcome === null ? [ready()] : [ready(), ready()] });
      await putThrough(bench);
      bench.after(null);
      if (outcome !== null) bench.after(outcome);
      await bench.run(2_000);
      bench.registry.carrierSays(bench.adapter, 'CA1', 'ended', 'completed');
      await bench.run(100);
      bench.expectNothingLeft();
      expect(bench.hangUps).toEqual([]);
      return bench.ended?.reason;
    };
    expect(await ends(null)).toMatchObject({ who: 'bot', how: 'transferred' });
    expect(await ends('unanswered')).toEqual(completed);
  });

  it('a caller who thanks the bot meanwhile is put through all the same', async () => {
    const { bench, carrier } = await talking();
    bench.model.speak(noise(2_000, 3));
    await bench.run(300);
    bench.model.callTool(TRANSFER, 't1', { to: 'sales' });
    carrier.says(interruption());
    await bench.until(() => bench.of('transfer').length > 0, 10_000);
    expect(bench.of('hang-up-disarmed')).toEqual([]);
    expect(bench.after(null)).toEqual({ kind: 'transfer', target: NUMBER });
  });

  it('a gateway that stops lets go of a caller who talks to somebody else, and does not hang up', async () => {
    const { bench } = await talking();
    await putThrough(bench);
    bench.after(null);
    const drained = bench.registry.drained(20_000);
    await bench.run(40_000);
    await drained;
    bench.expectEnded('operator', 'drained');
    expect(bench.hangUps).toEqual([]);
  });

  it('an operator who ends the call ends it, wherever the caller is', async () => {
    const { bench } = await talking();
    await putThrough(bench);
    bench.after(null);
    const [{ ref } = { ref: '' }] = bench.registry.summaries();
    bench.registry.end(ref, { who: 'operator', how: 'completed', detail: 'the test' });
    await bench.run(200);
    bench.expectEnded('operator', 'completed');
    expect(bench.hangUps).toHaveLength(1);
  });

  it('a second transfer works like the first', async () => {
    const { bench } = await talking({ live: [ready(), ready()] });
    await putThrough(bench);
    bench.after(null);
    const plan = bench.after('unanswered');
    if (plan.kind !== 'stream') throw new Error(`found ${plan.kind}`);
    bench.connect(plan.streamPath)?.start();
    await bench.run(1_000);
    bench.model.speak(noise(500, 6));
    await bench.run(1_500);
    bench.model.callTool(TRANSFER, 't2', { to: 'workshop' });
    await bench.until(() => bench.of('transfer').length > 3, 6_000);
    expect(bench.after(null)).toEqual({ kind: 'transfer', target: 'sip:workshop@example.com' });
    bench.after('answered');
    await bench.run(100);
    bench.expectEnded('bot', 'transferred');
  });
});

describe('by API', () => {
  it('where the carrier does not report, the call is over for us when it says done', async () => {
    const { bench, carrier } = await talking({
      capabilities: { ...BY_API, transferReports: false },
    });
    await putThrough(bench);
    expect(bench.transfers).toMatchObject([{ target: NUMBER, callerId: '+15550100002' }]);
    expect(carrier.ended).toBe(false);
    await bench.run(200);
    bench.expectEnded('bot', 'transferred');
    expect(bench.hangUps).toEqual([]);
  });

  it('where it reports, its word is waited for while the stream stays open, without a session', async () => {
    const { bench, carrier } = await talking({ capabilities: BY_API });
    await putThrough(bench);
    expect(bench.model.open).toBe(true);
    await bench.run(60_000);
    expect(bench.ended).toBeNull();
    expect(carrier.ended).toBe(false);
    expect(bench.model.open).toBe(false);
    expect(bench.after('answered')).toEqual({ kind: 'hangup' });
    await bench.run(100);
    bench.expectEnded('bot', 'transferred');
  });

  it('nobody answered: another stream of the call takes the place of the one that was left open', async () => {
    const { bench, carrier } = await talking({ capabilities: BY_API, live: [ready(), ready()] });
    await putThrough(bench);
    await bench.run(20_000);
    const plan = bench.after('unanswered');
    if (plan.kind !== 'stream') throw new Error(`found ${plan.kind}`);
    await bench.run(500);
    const next = bench.connect(plan.streamPath);
    next?.start();
    await bench.run(100);
    expect(carrier.ended).toBe(true);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    expect(bench.model.texts).toEqual([expect.stringMatching(RETURN_WORDS)]);
    next?.stop();
    await bench.run(100);
    bench.expectEnded('caller', 'completed');
  });

  it.each([
    ['refuses it', 'failed'],
    ['cannot be reached', 'retryable'],
    ['cannot do it after all', 'unsupported'],
    ['breaks its promise', 'rejects'],
  ] as const)(
    'when the API %s the caller stays: same stream, same connection, and the model is told',
    async (_how, result) => {
      const { bench, carrier } = await talking({
        capabilities: BY_API,
        transfer: { result, afterMs: 300 },
      });
      await putThrough(bench);
      await bench.run(400);
      expect(whatBecame(bench)).toEqual(['asked', result === 'rejects' ? 'failed' : result, 'returned']);
      expect([carrier.ended, bench.live.connections.length]).toEqual([false, 1]);
      expect(bench.of('stream-replaced')).toEqual([]);
      expect(bench.model.texts.at(-1)).toMatch(RETURN_WORDS);
      const before = bench.model.audio.length;
      const heardBefore = carrier.heard().filter((byte) => byte !== 0xff).length;
      carrier.says(interruption());
      await bench.run(3_000);
      expect(bench.model.audio.length - before).toBeGreaterThan(16 * 2_500);
      bench.model.speak(noise(600, 9));
      await bench.run(1_500);
      expect(carrier.heard().filter((byte) => byte !== 0xff).length - heardBefore).toBeGreaterThan(8 * 590);
      carrier.stop();
      await bench.run(100);
      bench.expectEnded('caller', 'completed');
    },
  );

  it('a caller who hung up while the API was asked, and refused, is known for one who hung up', async () => {
    const { bench, carrier } = await talking({
      capabilities: BY_API,
      transfer: { result: 'failed', afterMs: 1_000 },
    });
    await putThrough(bench);
    carrier.stop();
    await bench.run(7_000);
    bench.expectEnded('caller', 'completed');
  });

  it('of a call that we placed the callee sees our number', async () => {
    const { bench } = await talking({ capabilities: { ...BY_API, transferReports: false } });
    expect(bench.adapter.capabilities.transfer).toBe('api');
    await putThrough(bench);
    expect(bench.transfers.map(({ callerId }) => callerId)).toEqual(['+15550100002']);
    const placed = new CallBench({
      bot: { ...BOT, outbound: { detectMachine: false } },
      capabilities: { ...BY_API, transferReports: false },
      dialRules: { allow: ['+1555*'], perHour: 6 },
    });
    const dialled = await placed.registry.dial({
      carrier: 'twilio',
      from: '+15550100002',
      to: '+15550100001',
      bot: null,
    });
    if (!dialled.ok) throw new Error(dialled.detail);
    const path = placed.ring('CA1', {
      direction: 'outbound',
      dialRef: dialled.ref,
      from: '+15550100002',
      to: '+15550100001',
    });
    const carrier = placed.connect(path);
    carrier?.start();
    await placed.run(1_000);
    placed.model.speak(noise(600, 1));
    await placed.run(2_000);
    await putThrough(placed);
    expect(placed.transfers.map(({ callerId }) => callerId)).toEqual(['+15550100002']);
  });
});

describe('a transfer that cannot be', () => {
  it('where the carrier has none the tool says so, and the talk goes on', async () => {
    const { bench } = await talking({ capabilities: { transfer: 'none' } });
    bench.model.callTool(TRANSFER, 't1', { to: 'sales' });
    expect(bench.model.responses).toMatchObject([
      { id: 't1', response: { error: expect.stringContaining('cannot be put through') } },
    ]);
    await bench.run(8_000);
    expect(bench.ended).toBeNull();
    expect(whatBecame(bench)).toEqual([]);
  });

  it.each([['the boss'], [NUMBER], [''], [undefined], [{ name: 'sales' }]])(
    'to %o: the tool names whom there is, and the talk goes on',
    async (to) => {
      const { bench } = await talking();
      bench.model.callTool(TRANSFER, 't1', to === undefined ? {} : { to });
      expect(bench.model.responses).toMatchObject([
        { id: 't1', response: { error: expect.stringMatching(/sales, workshop/) } },
      ]);
      await bench.run(8_000);
      expect([bench.ended, whatBecame(bench)]).toEqual([null, []]);
    },
  );

  it('a bot that may put nobody through has no such tool', async () => {
    const bench = new CallBench();
    await bench.answerAndGreet();
    expect(bench.model.setup.tools?.map(({ name }) => name)).toEqual(['hang_up']);
    bench.model.callTool(TRANSFER, 't1', { to: 'sales' });
    expect(bench.model.responses).toMatchObject([{ response: { error: expect.any(String) } }]);
  });
});

describe('the fallback', () => {
  const FALLBACK = { transfer: { targets: TARGETS, fallback: 'workshop' }, limits: { outageSeconds: 5 } };
  const LOST: readonly Attempt[] = [ready(), fails('auth', 100)];

  it('after an outage the caller hears the apology, then is put through', async () => {
    const { bench, carrier } = await talking({ bot: FALLBACK, live: LOST });
    bench.model.lose();
    await bench.until(() => bench.of('transfer').length > 0, 30_000);
    expect(carrier.heard().filter((byte) => byte !== 0xff).length / 8).toBeGreaterThan(3_000);
    expect(bench.after(null)).toEqual({ kind: 'transfer', target: 'sip:workshop@example.com' });
    bench.after('answered');
    await bench.run(100);
    bench.expectEnded('bot', 'transferred');
  });

  it('nobody answers there: the model is tried once more, and has the caller back', async () => {
    const { bench } = await talking({ bot: FALLBACK, live: [...LOST, ready()] });
    bench.model.lose();
    await bench.until(() => bench.of('transfer').length > 0, 30_000);
    bench.after(null);
    await bench.run(20_000);
    const plan = bench.after('unanswered');
    if (plan.kind !== 'stream') throw new Error(`found ${plan.kind}`);
    const carrier = bench.connect(plan.streamPath);
    carrier?.start();
    await bench.run(1_000);
    expect(bench.model.setup.resumption).toEqual({ handle: 'h1' });
    expect(bench.model.texts.some((text) => RETURN_WORDS.test(text))).toBe(true);
    bench.model.speak(noise(500, 2));
    await bench.run(1_500);
    expect(carrier?.heard().some((byte) => byte !== 0xff)).toBe(true);
  });

  it('nobody answers there, and there is still no model: an apology, and the end; nobody goes round in circles', async () => {
    const { bench } = await talking({ bot: FALLBACK, live: [...LOST, fails('auth', 100)] });
    bench.model.lose();
    await bench.until(() => bench.of('transfer').length > 0, 30_000);
    bench.after(null);
    const plan = bench.after('unanswered');
    if (plan.kind !== 'stream') throw new Error(`found ${plan.kind}`);
    bench.connect(plan.streamPath)?.start();
    await bench.run(20_000);
    bench.expectEnded('model', 'error');
    expect(whatBecame(bench).filter((what) => what === 'asked')).toHaveLength(1);
  });

  it.each([
    ['refuses it', { capabilities: BY_API, transfer: { result: 'failed', afterMs: 100 } }],
    ['has none', { capabilities: { transfer: 'none' } }],
  ] as const)(
    'where the carrier %s the call ends after the apology, when the model stays away',
    async (_how, options) => {
      const again: readonly Attempt[] = options.capabilities.transfer === 'api' ? [fails('auth', 100)] : [];
      const { bench } = await talking({ bot: FALLBACK, live: [...LOST, ...again], ...options });
      bench.model.lose();
      await bench.run(40_000);
      bench.expectEnded('model', 'error');
    },
  );
});

describe('a carrier whose calls outlive their streams', () => {
  const capabilities = { ...BY_API, outlivesStream: true } as const;

  it.each([
    ['the caller stops the stream', (_bench: CallBench, carrier: SimulatedCarrier) => carrier.stop(), 0],
    ['the stream breaks off', (_bench: CallBench, carrier: SimulatedCarrier) => carrier.drop(), 5_000],
    ['the bot hangs up', (bench: CallBench) => bench.model.callTool('hang_up', 't9'), 3_000],
  ] as const)(
    'when %s the API is asked to hang up, unless the carrier has said that the call ended',
    async (_what, happens, afterMs) => {
      const { bench, carrier } = await talking({ capabilities });
      happens(bench, carrier);
      await bench.run(afterMs + 1_500);
      expect(bench.hangUps).toHaveLength(1);
      bench.expectNothingLeft();

      const said = await talking({ capabilities });
      said.bench.registry.carrierSays(said.bench.adapter, 'CA1', 'ended', 'completed');
      happens(said.bench, said.carrier);
      await said.bench.run(afterMs + 1_500);
      expect(said.bench.hangUps).toEqual([]);
      said.bench.expectEnded('caller', 'completed');
    },
  );

  it('a call whose stream never came is hung up as well', async () => {
    const bench = new CallBench({ capabilities });
    bench.ring();
    await bench.run(61_000);
    expect(bench.hangUps).toHaveLength(1);
    bench.expectEnded('carrier', 'error');
  });

  it('the caller’s leg is hung up after a transfer that has ended', async () => {
    const { bench } = await talking({ capabilities });
    await putThrough(bench);
    await bench.run(20_000);
    bench.after('answered');
    await bench.run(200);
    bench.expectEnded('bot', 'transferred');
    expect(bench.hangUps).toHaveLength(1);
  });
});
