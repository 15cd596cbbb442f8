import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/program.ts';
import { systemClock } from '../../src/clock.ts';
import type { AnsweredBy } from '../../src/lab/caller/dial-desk.ts';
import { type CarrierAccount, placeCarrierCall } from '../../src/lab/caller/place-call.ts';
import { makeReply, makeScenario } from '../../src/lab/scenario.ts';
import { noise } from '../support/call-audio.ts';
import {
  DIALLING,
  type Dialling,
  type OutboundWorld,
  startOutboundWorld,
} from '../support/outbound-world.ts';

const OURS = '+15550100002';
let world: OutboundWorld;
beforeAll(async () => {
  world = await startOutboundWorld(
    makeScenario({
      greeting: makeReply({ clip: { name: 'noise', samples: noise(800, 7) }, text: 'Noise.' }),
      model: { firstAudioMs: 50, setupDelayMs: 20 },
    }),
  );
});
afterAll(() => world.close());

async function offhook(args: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli(args, {
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    draw: () => {},
    env: {},
    isTerminal: false,
    columns: 80,
    stopSignal: () => new AbortController().signal,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

/** Asked for on the command line; the carrier rings, and somebody answers. */
async function answered(carrier: Dialling, to: string, by: AnsweredBy) {
  const dial = ['dial', '--carrier', carrier, '--from', OURS, '--to', to, '--bot', 'receptionist'];
  const placed = await offhook([...dial, '--url', world.gateway.adminUrl, '--json']);
  expect(placed).toMatchObject({ code: 0, err: '' });
  const { ref } = JSON.parse(placed.out) as { ref: string };
  const call = await world.dials[carrier].next();
  const account: CarrierAccount = { ...world.accounts[carrier], dialled: { call, by } };
  const run = await placeCarrierCall(account, {
    clock: systemClock,
    url: world.gateway.localUrl,
    from: OURS,
    to,
    direction: 'outbound',
    caller: new Int16Array(8 * 2_500),
    lingerMs: 20,
    maxMs: 8_000,
  }).catch((caught) => {
    // It may be over before its stream is there.
    if (by === 'machine') return null;
    throw caught;
  });
  await expect.poll(() => world.of(ref, 'call-ended').length, { timeout: 9_000 }).toBe(1);
  return { carrier, ref, run, reason: world.of(ref, 'call-ended')[0]?.reason };
}

describe('a call that was asked for, at every carrier that places calls:', () => {
  it('a person is greeted by the bot that was named, and hangs up', async () => {
    const calls = await Promise.all(DIALLING.map((id, n) => answered(id, `+155501001${n}0`, 'person')));
    for (const { carrier, ref, run, reason } of calls) {
      const [admitted] = world.of(ref, 'call-admitted');
      expect({
        carrier,
        admitted: [admitted?.direction, admitted?.bot],
        greetings: world.of(ref, 'greeting-triggered').length,
        heard: run?.generations.some(({ playedMs }) => playedMs > 400),
        invalid: run?.invalidMessages,
        ended: [reason?.who, reason?.how],
      }).toEqual({
        carrier,
        admitted: ['outbound', 'receptionist'],
        greetings: 1,
        heard: true,
        invalid: [],
        ended: ['caller', 'completed'],
      });
    }
  }, 30_000);

  it('a machine is hung up on, where the carrier knows one', async () => {
    const ears = DIALLING.filter((id) => id !== 'asterisk');
    const calls = await Promise.all(ears.map((id, n) => answered(id, `+155501002${n}0`, 'machine')));
    for (const { carrier, ref, run, reason } of calls) {
      expect([carrier, reason?.who, reason?.how, reason?.detail]).toEqual([
        carrier,
        'gateway',
        'completed',
        'an answering machine answered',
      ]);
      expect(world.of(ref, 'greeting-triggered')).toEqual([]);
      if (run !== null) expect(run.end.by).toBe('gateway');
    }
  }, 30_000);

  it('nobody is called whom DIAL_ALLOW does not name, and none too often', async () => {
    const dial = (to: string) =>
      offhook(['dial', '--carrier', 'plivo', '--from', OURS, '--to', to, '--url', world.gateway.adminUrl]);
    expect(await dial('+4930123456')).toMatchObject({ code: 1, err: expect.stringContaining('DIAL_ALLOW') });
    const results = [];
    for (let n = 0; n < 7; n++) results.push(await dial('+15550199999'));
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0, 1]);
    expect(results.at(-1)?.err).toContain('DIAL_PER_HOUR');
  });
});
