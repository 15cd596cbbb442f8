import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CarrierId } from '../../../src/carriers/carrier.ts';
import { systemClock } from '../../../src/clock.ts';
import { CARRIERS, type CallRun, type TimelineEntry } from '../../../src/lab/caller/call-run.ts';
import { type CarrierAccount, placeCarrierCall } from '../../../src/lab/caller/place-call.ts';
import type { CallOptions } from '../../../src/lab/caller/simulated-call.ts';
import { measureCall } from '../../../src/lab/report/measure.ts';
import { makeReply, makeScenario } from '../../../src/lab/scenario.ts';
import { interruption, noise } from '../../support/call-audio.ts';
import { sequence } from '../../support/call-run.ts';
import { type CarrierWorld, startCarrierWorld } from './carrier-world.ts';

type Player = CarrierId | 'texml';
const PLAYERS: readonly Player[] = [...CARRIERS, 'texml'];
const FROM = '+15550100001';
const TO = '+15550100002';

let world: CarrierWorld;
beforeAll(async () => {
  const clip = (samples: Int16Array) => makeReply({ clip: { name: 'noise', samples }, text: 'Noise.' });
  const hangUp = { name: 'hang_up', args: {}, when: 'after', followUp: null } as const;
  world = await startCarrierWorld(
    makeScenario({
      greeting: clip(noise(4_000, 7)),
      replies: [{ ...clip(noise(400, 9)), calls: [hangUp] }],
      model: { firstAudioMs: 100, setupDelayMs: 20 },
    }),
  );
});
afterAll(() => world.close());

function call(account: CarrierAccount, options: Partial<CallOptions> = {}): Promise<CallRun> {
  return placeCarrierCall(account, {
    clock: systemClock,
    url: world.gateway.localUrl,
    from: FROM,
    to: TO,
    caller: new Int16Array(8 * 20_000),
    lingerMs: 20,
    maxMs: 8_000,
    ...options,
  });
}

/** Does something once the caller hears the bot. */
const whenHeard = (act: () => void): { onEvent: (entry: TimelineEntry) => void } => {
  let done = false;
  return {
    onEvent: ({ what }) => {
      if (what !== 'audio' || done) return;
      done = true;
      act();
    },
  };
};

/** The same account, with a name for the call that is known beforehand: as the API gave it to a call that was placed. */
const named = (account: CarrierAccount, callId: string): CarrierAccount => ({
  ...account,
  dialled: { call: { callId, from: FROM, to: TO, fields: {} }, by: 'person' },
});

describe('a simulated carrier and the gateway’s own adapter agree:', () => {
  it('the bot is heard, interrupted and cleared, answers and hangs up, and nothing on the wire is wrong', async () => {
    const runs = await Promise.all(
      PLAYERS.map(async (name) => {
        const caller = sequence(1_200, interruption(), 6_000);
        return { name, run: await call(world.accounts[name], { caller }) };
      }),
    );
    for (const { name, run } of runs) {
      const measures = measureCall(run);
      expect({
        name,
        end: [run.end.by, run.end.how],
        invalid: run.invalidMessages,
        bargeIns: measures.bargeIns.length,
        greetingHeard: run.generations[0]!.playedMs > 100,
        greetingCut: run.generations[0]!.playedMs < 4_000,
        answerHeard: run.generations[1]!.playedMs > 300,
        marksBack: run.marks.filter(({ how }) => how === 'played').length > 0,
        ended: world.entriesOf(run.callSid, 'call-ended').map(({ reason }) => [reason.who, reason.how]),
      }).toEqual({
        name,
        // Of a TeXML application the simulated API knows nothing: its call ends with the document behind the stream.
        end: name === 'texml' ? ['gateway', 'stream-closed'] : ['gateway', 'api'],
        invalid: [],
        bargeIns: 1,
        greetingHeard: true,
        greetingCut: true,
        answerHeard: true,
        marksBack: true,
        ended: [['bot', 'completed']],
      });
    }
  }, 30_000);

  it('a call that the gateway places is answered, and has its direction and both numbers', async () => {
    const placed = await Promise.all(
      CARRIERS.map(async (id) => {
        if (world.adapters.get(id)!.control.dial === undefined) return null;
        const result = await world.gateway.desk.dial({ carrier: id, from: TO, to: FROM, bot: null });
        const asked = await world.dials[id].next();
        const account: CarrierAccount = {
          ...world.accounts[id],
          dialled: { call: asked, by: 'person' },
        };
        const run = await call(account, {
          from: asked.from,
          to: asked.to,
          direction: 'outbound',
          caller: new Int16Array(8 * 600),
        });
        const [admitted] = world.entriesOf(run.callSid, 'call-admitted');
        return {
          id,
          ok: result.ok,
          direction: admitted?.direction,
          heard: run.messagesReceived['media']! > 0,
          end: run.end.by,
        };
      }),
    );
    const dialling = placed.flatMap((each) => (each === null ? [] : [each]));
    expect(dialling.length).toBeGreaterThanOrEqual(6);
    for (const each of dialling) {
      expect(each).toEqual({ id: each.id, ok: true, direction: 'outbound', heard: true, end: 'caller' });
    }
  }, 30_000);

  it('a caller who was put through in vain comes back on a second stream', async () => {
    const callId = 'transfer-vonage';
    const control = world.adapters.get('vonage')!.control;
    const run = await call(named(world.accounts.vonage, callId), {
      caller: new Int16Array(8 * 1_200),
      callee: { outcome: 'busy', afterMs: 100, talkMs: 0 },
      ...whenHeard(() => void control.transfer(callId, '+15550100009', null)),
    });
    expect(run.messagesSent['websocket:connected']).toBe(2);
    expect(run.end).toMatchObject({ by: 'caller', how: 'hung-up' });
    // Nothing was spoken while the callee rang, and the recording went on where it had stopped.
    expect(run.sent.length / 16).toBeGreaterThan(1_200 + 60);
    expect(run.messagesSent['media']).toBe(run.frameWrittenMs.filter(Number.isFinite).length);
  }, 30_000);
});
