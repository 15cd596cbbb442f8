/** Judges a `setup` as the service would: its shape, its model, and what the model's family takes. Pure. */
import { type BehaviourValues, behavioursFor } from '../../gemini/behaviours.ts';
import type { FamilyId } from '../../gemini/families.ts';
import { LIVE_MODELS, type ModelProfile, PROFILES, VOICES } from './models.ts';
import { invalid, type Refusal, refusalOfIssues } from './refusal.ts';
import { type SetupMessage, setupSchema } from './setup-schema.ts';
import { DEFAULT_VAD, type VadOptions } from './vad.ts';

export interface AcceptedSetup {
  readonly model: string;
  readonly family: FamilyId;
  readonly profile: ModelProfile;
  readonly behaviours: BehaviourValues;
  readonly message: SetupMessage;
  /** Function names with what their calls do to the turn. */
  readonly functions: ReadonlyMap<string, 'BLOCKING' | 'NON_BLOCKING'>;
  readonly vad: VadOptions | null;
  readonly interruptions: boolean;
  readonly initialHistory: boolean;
  /** Null: no compression, and a session that ends after its fifteen minutes. */
  readonly compression: { readonly triggerTokens: number; readonly targetTokens: number } | null;
}

export type SetupVerdict =
  | { readonly kind: 'accepted'; readonly setup: AcceptedSetup }
  /** `at` the first input the connection closes although setup was complete; `never`: nothing is ever answered. */
  | {
      readonly kind: 'refused';
      readonly refusal: Refusal;
      readonly at: 'setup' | 'first-input' | 'never';
      /** How the session looks until then. */
      readonly setup: AcceptedSetup | null;
    };

export interface SetupContext {
  readonly apiVersion: string;
  readonly vertex: boolean;
  readonly overrides: Partial<BehaviourValues>;
}

/** The window of the native audio models, and the share of it at which compression starts by itself. */
export const CONTEXT_WINDOW_TOKENS = 131_072;
const DEFAULT_TRIGGER = Math.floor(CONTEXT_WINDOW_TOKENS * 0.8);

const STAGES = { setup: 'setup', 'first-input': 'first-input', 'never-completes': 'never' } as const;

const refuse = (refusal: Refusal): SetupVerdict => ({ kind: 'refused', refusal, at: 'setup', setup: null });

export function judgeSetup(value: unknown, context: SetupContext): SetupVerdict {
  const unknownFieldText = behavioursFor('3.8', context.overrides).unknownFieldText;
  const parsed = setupSchema.safeParse(value);
  if (!parsed.success) return refuse(refusalOfIssues(parsed.error.issues, 'setup', { unknownFieldText }));
  const message = parsed.data;

  const name = modelName(message.model, context.vertex);
  const model = name === null || !Object.hasOwn(LIVE_MODELS, name) ? undefined : LIVE_MODELS[name];
  const servedHere =
    model !== undefined && (model.at === 'both' || (model.at === 'vertex') === context.vertex);
  if (name === null || model === undefined || !servedHere) {
    return refuse({
      code: 1008,
      reason: `${message.model} is not found for API version ${context.apiVersion}, or is not supported for bidiGenerateContent. Call ListModels to see the list of available models and their supported methods.`,
      detail: `setup.model: found "${message.model}", wanted models/ and one of ${Object.keys(LIVE_MODELS).join(', ')}`,
    });
  }

  const malformed = checkValues(message, context);
  if (malformed !== null) return refuse(malformed);

  const behaviours = behavioursFor(model.family, context.overrides);
  const setup = accept(name, model.family, message, behaviours);
  const untaken = checkFamily(message, setup.profile, context);
  if (untaken === null) return { kind: 'accepted', setup };
  return { kind: 'refused', refusal: untaken, at: STAGES[behaviours.setupRefusalStage], setup };
}

function modelName(model: string, vertex: boolean): string | null {
  const match = vertex
    ? /^(?:projects\/[^/]+\/locations\/[^/]+\/)?publishers\/google\/models\/([^/]+)$/.exec(model)
    : /^models\/([^/]+)$/.exec(model);
  return match?.[1] ?? null;
}

/** What is wrong in every family. */
function checkValues(message: SetupMessage, context: SetupContext): Refusal | null {
  const modalities = message.generationConfig?.responseModalities ?? ['AUDIO'];
  if (modalities.length !== 1 || modalities[0] !== 'AUDIO') {
    return invalid(
      `setup.generationConfig.responseModalities: found "${modalities.join(', ')}", wanted AUDIO alone`,
    );
  }
  const voice = message.generationConfig?.speechConfig?.voiceConfig?.prebuiltVoiceConfig?.voiceName;
  if (voice !== undefined && !VOICES.has(voice)) {
    return invalid(
      `setup.generationConfig.speechConfig: found the voice "${voice}", wanted a prebuilt voice's name`,
    );
  }
  if (message.sessionResumption?.transparent !== undefined && !context.vertex) {
    return invalid('setup.sessionResumption.transparent: wanted on Vertex only');
  }
  const compression = message.contextWindowCompression;
  const trigger = compression?.triggerTokens ?? DEFAULT_TRIGGER;
  const target = compression?.slidingWindow.targetTokens ?? Math.floor(trigger / 2);
  if (target >= trigger || trigger > CONTEXT_WINDOW_TOKENS) {
    return invalid(
      `setup.contextWindowCompression: found target "${target}" and trigger "${trigger}", wanted target < trigger <= ${CONTEXT_WINDOW_TOKENS}`,
    );
  }
  const names = declarations(message).map((declaration) => declaration.name);
  const doubled = names.find((name, index) => names.indexOf(name) !== index);
  if (doubled !== undefined)
    return invalid(`setup.tools: found the function "${doubled}" twice, wanted once`);
  return null;
}

/** What this family does not take, though another does. */
function checkFamily(message: SetupMessage, profile: ModelProfile, context: SetupContext): Refusal | null {
  const alpha = context.apiVersion === 'v1alpha';
  const config = message.generationConfig;
  const thinking = config?.thinkingConfig;
  if (
    thinking?.thinkingLevel !== undefined &&
    (profile.thinking === 'none' || profile.thinking === 'budget')
  ) {
    return invalid(
      `setup.generationConfig.thinkingConfig: found the level "${thinking.thinkingLevel}", wanted ${profile.thinking === 'none' ? 'none' : 'thinkingBudget'}`,
      'Thinking level is not supported for this model.',
    );
  }
  if (thinking?.thinkingBudget !== undefined && profile.thinking !== 'budget') {
    return invalid('setup.generationConfig.thinkingConfig.thinkingBudget: wanted on 2.5 only');
  }
  if (thinking !== undefined && profile.thinking === 'none') {
    return invalid('setup.generationConfig.thinkingConfig: wanted none on this model');
  }
  if (
    profile.thinking === 'level-required' &&
    !['LOW', 'MEDIUM', 'HIGH'].includes(thinking?.thinkingLevel ?? '')
  ) {
    return invalid(
      `setup.generationConfig.thinkingConfig.thinkingLevel: found "${thinking?.thinkingLevel ?? 'nothing'}", wanted LOW, MEDIUM or HIGH`,
    );
  }
  const affectiveTaken = profile.affectiveDialog === 'v1alpha' && alpha;
  if (config?.enableAffectiveDialog !== undefined && !affectiveTaken) {
    return invalid(
      'setup.generationConfig.enableAffectiveDialog: this model takes it not at all, or on v1alpha only',
    );
  }
  const proactivityTaken = profile.proactivity === 'v1alpha' && alpha;
  if (message.proactivity !== undefined && !proactivityTaken) {
    return invalid('setup.proactivity: this model takes it not at all, or on v1alpha only');
  }
  if (message.proactivity?.proactiveAudio === false && profile.affectiveDialog === 'never') {
    return invalid('setup.proactivity.proactiveAudio: found false, but it is always on in this model');
  }
  const nonBlocking = declarations(message).find((declaration) => declaration.behavior === 'NON_BLOCKING');
  if (nonBlocking !== undefined && !profile.nonBlockingFunctions) {
    return invalid(
      `setup.tools: found NON_BLOCKING at "${nonBlocking.name}", wanted blocking functions only`,
    );
  }
  return null;
}

const declarations = (message: SetupMessage) =>
  (message.tools ?? []).flatMap((tool) => tool.functionDeclarations ?? []);

function accept(
  model: string,
  family: FamilyId,
  message: SetupMessage,
  behaviours: BehaviourValues,
): AcceptedSetup {
  const profile = PROFILES[family];
  const detection = message.realtimeInputConfig?.automaticActivityDetection;
  const silenceDurationMs = detection?.silenceDurationMs ?? DEFAULT_VAD.silenceDurationMs;
  const capMs = behaviours.silenceDurationCapMs;
  const trigger = message.contextWindowCompression?.triggerTokens ?? DEFAULT_TRIGGER;
  return {
    model,
    family,
    profile,
    behaviours,
    message,
    functions: new Map(
      declarations(message).map((declaration) => [
        declaration.name,
        declaration.behavior ?? profile.defaultFunctionBehavior,
      ]),
    ),
    vad:
      detection?.disabled === true
        ? null
        : {
            prefixPaddingMs: detection?.prefixPaddingMs ?? DEFAULT_VAD.prefixPaddingMs,
            silenceDurationMs: capMs === 0 ? silenceDurationMs : Math.min(silenceDurationMs, capMs),
            startSensitivity:
              detection?.startOfSpeechSensitivity === 'START_SENSITIVITY_LOW' ? 'low' : 'high',
            endSensitivity: detection?.endOfSpeechSensitivity === 'END_SENSITIVITY_LOW' ? 'low' : 'high',
          },
    interruptions: message.realtimeInputConfig?.activityHandling !== 'NO_INTERRUPTION',
    initialHistory: message.historyConfig?.initialHistoryInClientContent === true,
    compression:
      message.contextWindowCompression === undefined
        ? null
        : {
            triggerTokens: trigger,
            targetTokens:
              message.contextWindowCompression.slidingWindow.targetTokens ?? Math.floor(trigger / 2),
          },
  };
}
