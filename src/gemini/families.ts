/**
 * What a family of Live models takes in `setup` and understands afterwards. A wrong field ends the connection with 1007,
 * at times only at the first audio frame, or leaves setup pending for ever; so nothing is sent that this table does not
 * allow. Facts: the official migration pages to 3.1 and 3.8. What is not certain stands in behaviour-rows.ts.
 */
import { OffhookError } from '../errors.ts';
import type { HistoryBy } from './setup.ts';

export const FAMILY_IDS = ['2.5', '3.1', '3.8', '3.8-extended-thinking'] as const;
export type FamilyId = (typeof FAMILY_IDS)[number];

export const DEFAULT_MODEL = 'gemini-3.8-live';

export type ThinkingLevel = 'minimal' | 'low' | 'medium' | 'high';

export interface Family {
  readonly id: FamilyId;
  /** `omit`: any thinkingConfig is refused. `level-required`: setup without one is refused. */
  readonly thinking: 'budget' | 'level' | 'level-required' | 'omit';
  readonly thinkingLevels: readonly ThinkingLevel[];
  /** 2.5 native audio ignores `speechConfig.languageCode`: there the language is asked for in the instruction. */
  readonly languageBy: 'speech-config' | 'instruction';
  /** `initial-only`: clientContent is for seeding history before the first turn, and needs historyConfig. */
  readonly clientContent: 'always' | 'initial-only';
  /** 2.5 is reported to forget contents when speech follows them (openContentsRemembered); 3.1 needs historyConfig for them. */
  readonly historyBy: HistoryBy;
  /** Which message carries text in mid call. */
  readonly textBy: 'realtime-input' | 'client-content';
  /** `trailing-silence`: audioStreamEnd is ignored, only silence ends an utterance. */
  readonly utteranceEndBy: 'audio-stream-end' | 'trailing-silence';
  readonly functionBehaviours: readonly FunctionBehaviour[];
  /** What a declaration without `behavior` is. */
  readonly defaultFunctionBehaviour: FunctionBehaviour;
  /** False where `scheduling` in a tool response is refused (or means nothing, all calls being blocking). */
  readonly scheduling: boolean;
  /** Both need v1alpha on the Gemini API, which is not the version in use here: left is Vertex, for 2.5. */
  readonly affectiveDialog: 'vertex-only' | 'never';
  readonly proactiveAudio: 'vertex-only' | 'always-on' | 'never';
}

export type FunctionBehaviour = 'blocking' | 'non-blocking';

const EVERY_LEVEL: readonly ThinkingLevel[] = ['minimal', 'low', 'medium', 'high'];

export const FAMILIES: Readonly<Record<FamilyId, Family>> = {
  '2.5': {
    id: '2.5',
    thinking: 'budget',
    thinkingLevels: [],
    languageBy: 'instruction',
    clientContent: 'always',
    historyBy: 'instruction',
    textBy: 'client-content',
    utteranceEndBy: 'audio-stream-end',
    functionBehaviours: ['blocking', 'non-blocking'],
    defaultFunctionBehaviour: 'blocking',
    scheduling: true,
    affectiveDialog: 'vertex-only',
    proactiveAudio: 'vertex-only',
  },
  '3.1': {
    id: '3.1',
    thinking: 'level',
    thinkingLevels: EVERY_LEVEL,
    languageBy: 'speech-config',
    clientContent: 'initial-only',
    historyBy: 'instruction',
    textBy: 'realtime-input',
    utteranceEndBy: 'audio-stream-end',
    functionBehaviours: ['blocking'],
    defaultFunctionBehaviour: 'blocking',
    scheduling: false,
    affectiveDialog: 'never',
    proactiveAudio: 'never',
  },
  '3.8': {
    id: '3.8',
    thinking: 'omit',
    thinkingLevels: [],
    languageBy: 'speech-config',
    clientContent: 'always',
    historyBy: 'contents',
    textBy: 'realtime-input',
    utteranceEndBy: 'trailing-silence',
    functionBehaviours: ['blocking', 'non-blocking'],
    defaultFunctionBehaviour: 'non-blocking',
    scheduling: true,
    affectiveDialog: 'never',
    proactiveAudio: 'always-on',
  },
  '3.8-extended-thinking': {
    id: '3.8-extended-thinking',
    thinking: 'level-required',
    thinkingLevels: ['low', 'medium', 'high'],
    languageBy: 'speech-config',
    clientContent: 'always',
    historyBy: 'contents',
    textBy: 'realtime-input',
    utteranceEndBy: 'trailing-silence',
    functionBehaviours: ['blocking', 'non-blocking'],
    defaultFunctionBehaviour: 'non-blocking',
    scheduling: false,
    affectiveDialog: 'never',
    proactiveAudio: 'always-on',
  },
};

const KNOWN_MODELS: ReadonlyMap<string, FamilyId> = new Map([
  ['gemini-3.8-live', '3.8'],
  ['gemini-3.8-live-extended-thinking', '3.8-extended-thinking'],
  ['gemini-3.1-flash-live-preview', '3.1'],
  ['gemini-2.5-flash-native-audio-preview-12-2025', '2.5'],
  ['gemini-2.5-flash-native-audio-preview-09-2025', '2.5'],
  ['gemini-live-2.5-flash-native-audio', '2.5'],
]);

export interface FamilyMatch {
  readonly family: Family;
  /** Null for a model in the table; otherwise why the family is a guess, for one log line. */
  readonly warning: string | null;
}

/**
 * Finds the family of a model, named with or without `models/` or `publishers/google/models/`.
 * @throws OffhookError `ERR_CONFIG` for a name that cannot be a Live model that answers speech with speech.
 */
export function familyOf(model: string): FamilyMatch {
  const name = model.slice(model.lastIndexOf('/') + 1);
  const known = KNOWN_MODELS.get(name);
  if (known !== undefined) return { family: FAMILIES[known], warning: null };
  const version = /(?:^|-)(\d{1,3})(?:\.(\d{1,3}))?(?=-|$)/.exec(name);
  const speaks =
    /(?:^|-)(?:live|native-audio)(?:-|$)/.test(name) && !/(?:^|-)(?:translate|transcribe)/.test(name);
  if (version === null || !speaks) {
    throw new OffhookError(
      'ERR_CONFIG',
      `Choosing the model: found "${model}", wanted a Gemini Live model that talks, for example "${DEFAULT_MODEL}"`,
    );
  }
  const number = Number(version[1]) * 1000 + Number(version[2] ?? 0);
  const guess = nearestFamily(number, name.includes('extended-thinking'));
  return {
    family: FAMILIES[guess],
    warning: `The model "${model}" is not in the table of models: it is treated like family ${guess}`,
  };
}

function nearestFamily(version: number, extendedThinking: boolean): FamilyId {
  if (version < 3_000) return '2.5';
  if (version < 3_008) return '3.1';
  return extendedThinking ? '3.8-extended-thinking' : '3.8';
}
