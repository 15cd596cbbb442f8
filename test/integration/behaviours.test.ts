import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { BEHAVIOUR_IDS, type BehaviourCase, everyValue } from '../../src/gemini/behaviours.ts';
import { FAMILIES } from '../../src/gemini/families.ts';
import { GatewayOfCalls, type ModelledCall } from '../support/gateway-calls.ts';
import { StallWatch } from '../support/gateway-clock.ts';
import {
  cannotBeAsked,
  keepsSession,
  losesConnection,
  MODELS,
  planOf,
  play,
  shapeOf,
  textsOf,
} from '../support/gateway-shapes.ts';
import { wordOf } from '../support/gateway-sounds.ts';

/** As many calls as two cores carry in real time with room to spare, all in one gateway. */
const AT_ONCE = 40;
/** Between the first calls, so that their work does not fall together. */
const STAGGER_MS = 25;
const ALL_MS = 90_000;
const ATTEMPTS = 3;
/** Half of what makes the gateway think that a caller has fallen silent. */
const STALL_MS = 80;

const gateway = new GatewayOfCalls();
const outcomes = new Map<string, Promise<readonly string[]>>();
const keyOf = ({ family, id, value }: BehaviourCase): string => `${family} ${id}=${value}`;
const tally = { calls: 0, connections: 0, wallMs: 0, again: [] as string[] };
const stalls = new StallWatch();

/** What was wrong with the call; nothing, hopefully. A call that was stalled from outside is made again. */
async function tryCase(one: BehaviourCase): Promise<readonly string[]> {
  for (let attempt = 1; ; attempt += 1) {
    const startedAtMs = systemClock.now();
    const problems = await callOnce(one, attempt);
    const stalledMs = stalls.longestSince(startedAtMs);
    if (problems.length === 0 || attempt === ATTEMPTS || stalledMs < STALL_MS) return problems;
    tally.again.push(`${keyOf(one)} (stalled for ${Math.round(stalledMs)} ms)`);
  }
}

async function callOnce(one: BehaviourCase, attempt: number): Promise<readonly string[]> {
  const plan = planOf(one);
  const call = await gateway.place({ ...plan, name: `${plan.name} #${attempt}` });
  const problems: string[] = [];
  try {
    await play(call, one);
    await call.settled();
  } catch (caught) {
    problems.push(`${caught instanceof Error ? caught.message : caught}; last: ${lastEntriesOf(call)}`);
  }
  for (const [what, found, wanted] of cannotBeAsked(one) ? apologyOf(call) : conversationOf(call, one)) {
    const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
    if (a !== b) problems.push(`${what}: ${a}, wanted ${b}`);
  }
  tally.calls += 1;
  tally.connections += call.sessions.length;
  await call.close();
  return problems;
}

const lastEntriesOf = (call: ModelledCall): string =>
  call.entries
    .slice(-12)
    .map(({ type }) => type)
    .join(', ');

type Finding = readonly [what: string, found: unknown, wanted: unknown];

function conversationOf(call: ModelledCall, one: BehaviourCase): readonly Finding[] {
  const shape = shapeOf(one.id);
  const { sessions, carrier } = call;
  const { interruptionOfTextTrigger, textNoteIsAnswered, audioWhileToolPending } = one.behaviours;
  const keysInterrupt = FAMILIES[one.family].textBy === 'client-content' || interruptionOfTextTrigger;
  const isCut = shape !== 'uninterruptible' && (shape !== 'interrupting-keys' || keysInterrupt);
  const toolResponses = sessions.flatMap(({ toolResponses: all }) => all.map(({ response }) => response));
  const mayMissResponse = audioWhileToolPending === 'close-1008' && toolResponses.length === 0;
  // The connection is closed while the goodbye is on its way: what nobody has heard of it by then is dropped.
  const missesGoodbye = mayMissResponse && !call.heard().some((heard) => wordOf(heard) === 'last');
  return [
    ['models', [...new Set(sessions.map(({ model }) => model))], [MODELS[one.family]]],
    ['refused', refusalsOf(call, one), []],
    ['warned of', sessions.flatMap(({ warnings }) => warnings), []],
    ['lost a connection', sessions.length > 1, losesConnection(shape) || mayMissResponse],
    ['resumed at last', losesConnection(shape) && sessions.at(-1)?.resumed, keepsSession(shape)],
    ['texts', textsOf(call).length, shape.endsWith('keys') ? 2 : 1],
    [
      'heard',
      call.heard().map(wordOf),
      [
        'greeting',
        ...(shape === 'keys' && textNoteIsAnswered ? ['note'] : []),
        isCut ? 'answer~' : 'answer',
        ...(shape === 'interrupting-keys' ? ['note'] : []),
        ...(missesGoodbye ? [] : ['last']),
      ],
    ],
    // While there was no connection a clip was played, which may be cut as well.
    [
      'clears',
      Math.min(carrier.clears().length, shape === 'cut' ? 1 : 9),
      (isCut ? 1 : 0) + (missesGoodbye ? 1 : 0),
    ],
    ['tool responses', toolResponses, mayMissResponse ? [] : [{ result: 'ok' }]],
    ...endOf(call, 'bot completed'),
  ];
}

/** Where the model cannot be talked to, the caller is told so. */
function apologyOf(call: ModelledCall): readonly Finding[] {
  const [turn] = call.of('turn-ended');
  const [ended] = call.of('call-ended');
  return [
    ['apologised for ms', Math.round(ended?.totals.heardMs ?? 0) > 1_000, true],
    ['turns of the model', turn, undefined],
    ...endOf(call, 'model error'),
  ];
}

function endOf(call: ModelledCall, how: string): readonly Finding[] {
  return [
    ['ends', call.of('call-ended').map(({ reason }) => `${reason.who} ${reason.how}`), [how]],
    ['bugs', [...call.of('bug'), ...call.of('model-fault')], []],
    ['carrier faults', call.of('carrier-fault'), []],
    ['open at the model', call.sessions.filter(({ closed }) => closed === null).length, 0],
    ['closed at the carrier', call.carrier.ended, true],
  ];
}

/** Refusals that the case itself provokes are left out: they are what the gateway has to live with. */
function refusalsOf(call: ModelledCall, { id, behaviours }: BehaviourCase): string[] {
  const provoked = (detail: string): boolean =>
    (shapeOf(id) === 'cut' && behaviours.oldSocketOpenRefused && detail.includes('still open')) ||
    (shapeOf(id) === 'restarted' && detail.includes('handle: not known')) ||
    // The frame was on its way when the model called.
    (behaviours.audioWhileToolPending === 'close-1008' && detail.includes('blocking tool call waits'));
  return call.sessions.flatMap(({ refusals }) =>
    refusals.filter(({ detail }) => !provoked(detail)).map(({ code, detail }) => `${code} ${detail}`),
  );
}

beforeAll(() => {
  // The longest first: a service that takes a dead connection for open keeps its caller waiting.
  const cases = [...everyValue()].sort((a, b) => Number(isSlow(b)) - Number(isSlow(a)));
  const startedAtMs = systemClock.now();
  const waiting = cases.map((one) => {
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    outcomes.set(keyOf(one), promise);
    return { one, resolve };
  });
  const workers = Array.from({ length: AT_ONCE }, async (_, worker) => {
    await setTimeout(worker * STAGGER_MS);
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      next.resolve(await tryCase(next.one));
  });
  void Promise.all(workers).then(() => {
    tally.wallMs = systemClock.now() - startedAtMs;
  });
});

const isSlow = ({ id, value }: BehaviourCase): boolean => id === 'oldSocketGraceMs' && Number(value) >= 2_000;

describe('every family of models is talked to, whatever turns out to be true of', () => {
  test.each(BEHAVIOUR_IDS)(
    '%s',
    async (id) => {
      const found: string[] = [];
      for (const one of everyValue()) {
        if (one.id !== id) continue;
        for (const problem of await outcomes.get(keyOf(one))!) found.push(`${keyOf(one)}: ${problem}`);
      }
      expect(found).toEqual([]);
    },
    ALL_MS,
  );
});

afterAll(() => {
  stalls.stop();
  // Told only when there is something to tell: whoever reads it should look for a quieter machine.
  if (tally.again.length > 0) console.log(tally);
});

test('after all of them nothing is left', () => {
  expect({
    cases: outcomes.size,
    calls: gateway.registry.activeCalls,
    tickerMembers: gateway.ticker.members,
    timers: gateway.clock.pending,
    faults: gateway.faults,
  }).toEqual({ cases: 472, calls: 0, tickerMembers: 0, timers: 0, faults: [] });
});
