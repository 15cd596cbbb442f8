/** The short call that every value of the behaviour table is tried with, and its variants where a value needs more. */

import type { BehaviourCase, BehaviourId } from '../../src/gemini/behaviours.ts';
import { FAMILIES, type FamilyId } from '../../src/gemini/families.ts';
import { type ModelPlan, makeReply, makeScenario, type Scenario } from '../../src/lab/scenario.ts';
import type { CallPlan, ModelledCall } from './gateway-calls.ts';
import { type ClipId, modelClip, SPEECH } from './gateway-sounds.ts';

/**
 * plain: greeting, an utterance and its answer, a barge-in, a goodbye with `hang_up`. burst: the model is done long
 * before it is heard out. keys: pressed after the greeting. interrupting-keys: and over the answer. uninterruptible: the
 * bot may not be interrupted. manual: the gateway marks the caller's speech. demanding: a bot that asks for more than
 * most families take. expiring: the connection's time is over after the greeting. cut: the line breaks there.
 * restarted: and nobody knows the session.
 */
export type Shape =
  | 'plain'
  | 'burst'
  | 'keys'
  | 'interrupting-keys'
  | 'uninterruptible'
  | 'manual'
  | 'demanding'
  | 'expiring'
  | 'cut'
  | 'restarted';

const SHAPES: Partial<Record<BehaviourId, Shape>> = {
  handleHoldsOpenUtterance: 'expiring',
  updatesWhileCallerSpeaks: 'expiring',
  updateWhileGenerating: 'expiring',
  handleWhileCallWaits: 'expiring',
  earlierHandlesUsable: 'expiring',
  openSocketWaitMs: 'expiring',
  openContentsRemembered: 'expiring',
  handleLifetimeMs: 'expiring',
  notFoundCode: 'restarted',
  oldSocketOpenRefused: 'cut',
  oldSocketGraceMs: 'cut',
  resumeReplaysUndelivered: 'cut',
  resumeKeepsSeededHistory: 'expiring',
  goAwayLead: 'expiring',
  silentAfterGoAway: 'expiring',
  connectionEndClose: 'expiring',
  turnCompleteWaitsForPlayback: 'burst',
  interruptsAssumedPlayback: 'burst',
  interruptedMayFollowTurnComplete: 'burst',
  speechUnderNoInterruption: 'uninterruptible',
  textNoteIsAnswered: 'keys',
  interruptionOfTextTrigger: 'interrupting-keys',
  clientContentInMidCall: 'keys',
  activitySignalInWrongMode: 'manual',
  setupRefusalStage: 'demanding',
  unknownFieldText: 'demanding',
};

export const shapeOf = (id: BehaviourId): Shape => SHAPES[id] ?? 'plain';

export const MODELS: Readonly<Record<FamilyId, string>> = {
  '2.5': 'gemini-2.5-flash-native-audio-preview-12-2025',
  '3.1': 'gemini-3.1-flash-live-preview',
  '3.8': 'gemini-3.8-live',
  '3.8-extended-thinking': 'gemini-3.8-live-extended-thinking',
};

/** Every wait; a call needs a few seconds in all. */
const PATIENCE_MS = 20_000;
const FIRST_CONNECTION_MS = 2_000;
const SILENCE_MS = 300;

export function planOf({ family, id, behaviours, value }: BehaviourCase): CallPlan {
  const shape = shapeOf(id);
  return {
    name: `${family} ${id}=${value}`,
    bot: {
      model: MODELS[family],
      listening: shape === 'manual' ? { mode: 'manual' } : { silenceDurationMs: SILENCE_MS },
      ...(shape === 'uninterruptible' ? { bargeIn: { enabled: false } } : {}),
      ...(shape === 'demanding' ? DEMANDS : {}),
    },
    scenario: (connections) =>
      scenario({
        behaviours,
        // At a pace at which an answer is still being generated when it is interrupted.
        pace: shape === 'burst' ? 'burst' : 2,
        get connectionMs() {
          return shape === 'expiring' && connections() === 1 ? FIRST_CONNECTION_MS : 590_000;
        },
      }),
  };
}

const DEMANDS = {
  voice: 'Kore',
  language: 'de-DE',
  thinking: { level: 'high', budget: 128 },
  temperature: 0.7,
  mediaResolution: 'low',
  affectiveDialog: true,
  proactiveAudio: true,
};

function scenario(plan: Pick<ModelPlan, 'behaviours' | 'pace' | 'connectionMs'>): Scenario {
  const { greeting, replies, otherwise, ...rest } = makeScenario({
    greeting: makeReply({ clip: modelClip('greeting'), text: 'Hello there.' }),
    replies: [
      makeReply({ clip: modelClip('answer'), text: 'This takes a while to say.', hears: 'How long?' }),
      makeReply({
        clip: modelClip('last'),
        text: 'Goodbye.',
        hears: 'Thank you.',
        calls: [{ name: 'hang_up', args: {}, when: 'after', followUp: null }],
      }),
    ],
    otherwise: [makeReply({ clip: modelClip('note'), text: 'I see.' })],
    model: { setupDelayMs: 10, firstAudioMs: 30, interruptDelayMs: 150, chunkBytes: [1_920, 2_400, 5_760] },
  });
  // Not spread: the length of a connection is asked for with each of them.
  const model = Object.create(rest.model, Object.getOwnPropertyDescriptors(plan)) as ModelPlan;
  return { ...rest, greeting, replies, otherwise, model };
}

/** The caller's part, until the call is over. Rejects when something is not heard in time. */
export async function play(call: ModelledCall, { family, id, behaviours }: BehaviourCase): Promise<void> {
  const shape = shapeOf(id);
  const hear = (clip: ClipId, ms: number): Promise<void> => call.untilHeard(clip, ms, PATIENCE_MS);
  const press = async (): Promise<void> => {
    call.carrier.press('4', '2', '#');
    await call.until('the keys told', () => textsOf(call).length === 2, PATIENCE_MS);
  };
  if (cannotBeAsked({ family, behaviours })) {
    await call.until('the end', () => call.of('call-ended').length > 0, PATIENCE_MS);
    return;
  }
  await hear('greeting', 300);
  if (shape === 'keys') {
    // Until then a note would break off what was heard out already.
    await call.until('the greeting completed', () => turnsCompleted(call) === 1, PATIENCE_MS);
    await press();
    if (behaviours.textNoteIsAnswered) await hear('note', 300);
  }
  // With the second one on its way, the first has certainly come.
  if (losesConnection(shape)) await call.until('a handle', () => handlesOf(call) >= 2, PATIENCE_MS);
  if (shape === 'cut') call.cutLine();
  if (shape === 'restarted') await call.restartModel();
  if (losesConnection(shape)) {
    await call.until('another connection', () => call.of('session-ready').length === 2, PATIENCE_MS);
  }
  call.carrier.says(SPEECH);
  await hear('answer', 300);
  if (shape === 'interrupting-keys') {
    await press();
    await call.untilWhole('note', PATIENCE_MS);
  }
  call.carrier.says(SPEECH);
  if (shape === 'uninterruptible' && behaviours.speechUnderNoInterruption === 'dropped') {
    await hear('answer', 3_000);
    await call.until('the answer completed', () => turnsCompleted(call) === 2, PATIENCE_MS);
    call.carrier.says(SPEECH);
  }
  await call.until('the end', () => call.of('call-ended').length > 0, PATIENCE_MS);
}

/** The only way in which the family takes text in mid call is closed: not even a greeting can be asked for. */
export const cannotBeAsked = ({
  family,
  behaviours,
}: Pick<BehaviourCase, 'family' | 'behaviours'>): boolean =>
  FAMILIES[family].textBy === 'client-content' && behaviours.clientContentInMidCall === 'close-1007';

export const keepsSession = (shape: Shape): boolean => shape === 'expiring' || shape === 'cut';
export const losesConnection = (shape: Shape): boolean => keepsSession(shape) || shape === 'restarted';

/** What was said to the model in text; the account of the call that a fresh session is given at its start is none of that. */
export const textsOf = (call: ModelledCall): readonly string[] =>
  call.sessions.flatMap(({ texts, resumed }, at) =>
    texts.filter(({ via }) => at === 0 || resumed || via !== 'clientContent').map(({ text }) => text),
  );

const handlesOf = (call: ModelledCall): number =>
  call.sessions.flatMap(({ sent }) =>
    sent.filter(({ kind, detail }) => kind === 'sessionResumptionUpdate' && detail !== null),
  ).length;

const turnsCompleted = (call: ModelledCall): number =>
  call.sessions.flatMap(({ sent }) => sent.filter(({ kind }) => kind === 'turnComplete')).length;
