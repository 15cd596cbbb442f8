/**
 * Gemini's side of the rotation bench, in a process of its own: connections that are told after five seconds that they
 * have ten left, and some that are cut without a word.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../clock.ts';
import { messageOf } from '../../errors.ts';
import { behavioursFor } from '../../gemini/behaviours.ts';
import { loadClip } from '../clip.ts';
import type { Conversation } from '../emulator/conversation.ts';
import { type Fault, makeFaults } from '../emulator/faults/catalogue.ts';
import { planLifetime } from '../emulator/lifetime.ts';
import type { EmulatorRecord } from '../emulator/record.ts';
import { type Emulator, startEmulator } from '../emulator/server.ts';
import type { AnswerBegun } from '../emulator/stage.ts';
import { seededRandom } from '../network/random.ts';
import { makeReply, makeScenario, type Scenario } from '../scenario.ts';
import { ANSWERS, GREET } from './rotation-callers.ts';
import { drawCuts } from './rotation-cuts.ts';
import type {
  FromRotationModel,
  HeardOfCaller,
  HeardSpan,
  HeardState,
  ToRotationModel,
} from './rotation-protocol.ts';

const VOICES = fileURLToPath(new URL('../../../fixtures/voices/bot', import.meta.url));
/** More than any round comes to. */
const MOST_CONNECTIONS = 2_000;
const GO_AWAY_LEAD = '10s';

function faultsOf(setupDelayMs: number, connectionMs: number, share: number): readonly Fault[] {
  const behaviours = behavioursFor('3.8', { goAwayLead: GO_AWAY_LEAD });
  const { goAwayAtMs, endsAtMs } = planLifetime(connectionMs, behaviours);
  const cuts = drawCuts(
    {
      share,
      connections: MOST_CONNECTIONS,
      readyAfterMs: setupDelayMs,
      toldAfterMs: Math.max(setupDelayMs, goAwayAtMs ?? endsAtMs),
      endsAfterMs: endsAtMs,
    },
    // Others in each round.
    seededRandom(setupDelayMs + 1),
  );
  return makeFaults(
    cuts.map(({ connection, afterMs }) => ({ at: `setup:${connection}`, fault: 'cut', afterMs })),
  );
}

function scenarioOf(setupDelayMs: number, connectionMs: number, cutShare: number): Scenario {
  const clip = (name: string) => loadClip(join(VOICES, `${name}.wav`), name);
  return makeScenario({
    name: 'rotation',
    // To its own trigger alone: a session that begins anew is asked to go on, and must not be taken to greet.
    onText: [{ match: GREET, reply: makeReply({ clip: clip('greeting'), text: 'greeting' }) }],
    otherwise: ANSWERS.map((name) => makeReply({ clip: clip(name), text: name, hears: 'something' })),
    faults: faultsOf(setupDelayMs, connectionMs, cutShare),
    model: { setupDelayMs, connectionMs, behaviours: { goAwayLead: GO_AWAY_LEAD } },
  });
}

/** A session, and what it held whenever it began to answer an utterance. */
interface Known {
  readonly conversation: Conversation;
  readonly answers: HeardState[];
}
const sessions = new Map<number, Known>();

function answerBegins({ conversation, isUtterance }: AnswerBegun): void {
  const known = sessions.get(conversation.id) ?? { conversation, answers: [] };
  sessions.set(conversation.id, known);
  if (!isUtterance) return;
  known.answers.push({ answersAtEpochMs: systemClock.epochMs(), spans: spansOf(conversation) });
}

const spansOf = ({ heard }: Conversation): readonly HeardSpan[] =>
  heard.map(({ session, from, to }) => ({ connection: session, from, to }));

function heardBy(emulator: Emulator, caller: string): HeardOfCaller {
  const own = emulator.sessions.filter((record) => promptOf(record) === caller);
  const ids = new Set(own.map(({ conversation }) => conversation));
  const known = [...ids].flatMap((id) => (id === null ? [] : (sessions.get(id) ?? [])));
  return {
    audio: new Map(own.map(({ audio, number }) => [number, audio.toSamples()])),
    states: [...known.flatMap(({ answers }) => answers), { answersAtEpochMs: null, spans: heldAtLast(own) }],
    connections: own.length,
    cut: own.filter(({ faults }) => faults.some(({ fault }) => fault === 'cut')).length,
    refusals: own.flatMap(({ refusals }) => refusals.map(({ code, detail }) => `${code} ${detail}`)),
  };
}

/**
 * Of the last session. One that never came to an answer is not known here; whatever it was told, it was told anew on each
 * of its connections, so that the last one which got anything must have got it all.
 */
function heldAtLast(own: readonly EmulatorRecord[]): readonly HeardSpan[] {
  const id = own.findLast(({ conversation }) => conversation !== null)?.conversation ?? 0;
  const known = sessions.get(id);
  if (known !== undefined) return spansOf(known.conversation);
  const last = own.findLast(({ conversation, audio }) => conversation === id && audio.length > 0);
  return last === undefined ? [] : [{ connection: last.number, from: 0, to: last.audio.length }];
}

/** A caller's bot says in its first line whose it is. */
const promptOf = ({ setup }: EmulatorRecord): string | null =>
  setup?.systemInstruction?.parts[0]?.text?.split('\n')[0] ?? null;

const say = (message: FromRotationModel): void => {
  process.send?.(message);
};

process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches all processes of the bench; the parent decides when this one stops.
process.on('SIGINT', () => {});

try {
  const [setupDelayMs, connectionMs, cutShare] = process.argv.slice(2).map(Number) as [
    number,
    number,
    number,
  ];
  const emulator = await startEmulator({
    clock: systemClock,
    scenario: scenarioOf(setupDelayMs, connectionMs, cutShare),
    stage: { answerBegins },
  });
  process.on('message', (message: ToRotationModel) => {
    if (message.type === 'stop') process.exit(0);
    say({ type: 'heard', heard: heardBy(emulator, message.caller) });
  });
  say({ type: 'ready', url: emulator.url });
} catch (caught) {
  say({ type: 'failed', message: messageOf(caught) });
}
