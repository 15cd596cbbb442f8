/** LiveSetup → the config of the SDK's `live.connect`, cut down to what the family takes. */
import type {
  ActivityHandling,
  Behavior,
  EndSensitivity,
  FunctionDeclaration,
  LiveConnectConfig,
  MediaResolution,
  Modality,
  ThinkingLevel as SdkThinkingLevel,
  StartSensitivity,
} from '@google/genai';
import type { Family } from './families.ts';
import { historyAsInstruction, historyAsTurns, recentHistory } from './history.ts';
import type { HeldFields, HistoryTurn } from './live-session.ts';
import {
  type CompleteSetup,
  completeSetup,
  type LiveSetup,
  type ToolDeclaration,
  type VadSetup,
} from './setup.ts';

export interface LiveConfig {
  /** Never shared: the SDK writes to the object that it is given. */
  readonly config: LiveConnectConfig;
  /** Setup fields that the SDK leaves out (it drops historyConfig, js-genai#1520): put into the first frame by our socket. */
  readonly extraSetup: Readonly<Record<string, unknown>>;
  /** The first clientContent, due as soon as setup is complete; null: none. */
  readonly firstContent: FirstContent | null;
  readonly resumes: boolean;
  /** What was asked for but is not sent, for one log line. */
  readonly dropped: readonly string[];
}

export interface FirstContent {
  readonly turns: readonly HistoryTurn[];
  readonly turnComplete: boolean;
}

/** The setup with what was only known when its socket was open. */
export function withHeldFields(setup: LiveSetup, { handle, systemInstruction }: HeldFields): LiveSetup {
  return { ...setup, systemInstruction, resumption: setup.resumption === null ? null : { handle } };
}

/**
 * A new config at every call, for the given family. `vertex` opens what only Vertex takes; `hooked`: the first frame goes
 * through our socket, so that `extraSetup` reaches the server.
 */
export function toLiveConnectConfig(
  setup: LiveSetup,
  family: Family,
  options: { readonly vertex: boolean; readonly hooked?: boolean } = { vertex: false },
): LiveConfig {
  const full = completeSetup(setup);
  const resumes = typeof full.resumption?.handle === 'string';
  const dropped: string[] = [];
  const config: LiveConnectConfig = { responseModalities: ['AUDIO' as Modality] };

  let instruction = full.systemInstruction;
  if (full.voice !== null) {
    config.speechConfig = { voiceConfig: { prebuiltVoiceConfig: { voiceName: full.voice } } };
  }
  if (full.language !== null) {
    if (family.languageBy === 'speech-config') {
      config.speechConfig = { ...config.speechConfig, languageCode: full.language };
    } else {
      instruction = `${instruction}\n\nSpeak the language with the BCP 47 tag ${full.language}.`.trimStart();
      dropped.push('language (asked for in the instruction instead)');
    }
  }
  const { told, firstContent, extraSetup } = planHistory(
    full,
    resumes,
    family,
    options.hooked ?? true,
    dropped,
  );
  if (told !== '') instruction = `${instruction}\n\n${told}`.trimStart();
  if (instruction !== '') config.systemInstruction = instruction;

  addThinking(config, full.thinking, family, dropped);
  if (full.temperature !== null) config.temperature = full.temperature;
  if (full.mediaResolution !== null) {
    config.mediaResolution = `MEDIA_RESOLUTION_${full.mediaResolution.toUpperCase()}` as MediaResolution;
  }
  addListening(config, full.vad);
  if (full.tools.length > 0) {
    config.tools = [{ functionDeclarations: full.tools.map((tool) => declare(tool, family, dropped)) }];
  }
  if (full.transcripts.input) config.inputAudioTranscription = {};
  if (full.transcripts.output) config.outputAudioTranscription = {};
  if (full.resumption !== null) {
    config.sessionResumption = full.resumption.handle === null ? {} : { handle: full.resumption.handle };
    // Only Vertex tells how far it has heard (lastConsumedClientMessageIndex); the SDK throws elsewhere.
    if (options.vertex) config.sessionResumption.transparent = true;
  }
  if (full.compression !== null) {
    // int64 on the wire, so strings; without slidingWindow the server refuses triggerTokens (livekit/agents#2376).
    config.contextWindowCompression = {
      triggerTokens: String(full.compression.triggerTokens),
      slidingWindow: { targetTokens: String(full.compression.targetTokens) },
    };
  }
  if (full.affectiveDialog) {
    if (family.affectiveDialog === 'vertex-only' && options.vertex) config.enableAffectiveDialog = true;
    else dropped.push('affectiveDialog');
  }
  if (full.proactiveAudio && family.proactiveAudio !== 'always-on') {
    if (family.proactiveAudio === 'vertex-only' && options.vertex)
      config.proactivity = { proactiveAudio: true };
    else dropped.push('proactiveAudio');
  }
  return { config, extraSetup, firstContent, resumes, dropped };
}

/** Where the history goes; `told` is for the instruction. */
function planHistory(
  setup: CompleteSetup,
  resumes: boolean,
  family: Family,
  hooked: boolean,
  dropped: string[],
): { told: string } & Pick<LiveConfig, 'firstContent' | 'extraSetup'> {
  const nothing = { told: '', firstContent: null, extraSetup: {} };
  const history = recentHistory(setup.history);
  if (resumes || history.turns.length === 0) return nothing;
  const anyTime = family.clientContent === 'always';
  const wanted = setup.historyBy ?? family.historyBy;
  if (wanted === 'contents' && !anyTime && !hooked)
    dropped.push('historyBy contents (told in the instruction instead)');
  if (wanted === 'instruction' || !(anyTime || hooked)) {
    return { ...nothing, told: historyAsInstruction(history) };
  }
  return {
    told: '',
    // Under historyConfig the server takes contents until they are said to be complete, and does not answer them
    // (reference); without it, completing them would ask for an answer.
    firstContent: { turns: historyAsTurns(history), turnComplete: !anyTime },
    extraSetup: anyTime ? {} : { historyConfig: { initialHistoryInClientContent: true } },
  };
}

function addThinking(
  config: LiveConnectConfig,
  asked: Required<LiveSetup>['thinking'],
  family: Family,
  dropped: string[],
): void {
  const takesLevel = family.thinking === 'level' || family.thinking === 'level-required';
  if (asked?.budget !== undefined) {
    if (family.thinking === 'budget') config.thinkingConfig = { thinkingBudget: asked.budget };
    else dropped.push('thinking.budget');
  }
  const level = asked?.level;
  const fits = takesLevel && level !== undefined && family.thinkingLevels.includes(level);
  if (fits) config.thinkingConfig = { thinkingLevel: level.toUpperCase() as SdkThinkingLevel };
  else if (level !== undefined) dropped.push(`thinking.level ${level}`);
  // A caller waits on the line: where a level must be named, the quickest one.
  if (!fits && family.thinking === 'level-required') {
    config.thinkingConfig = { thinkingLevel: 'LOW' as SdkThinkingLevel };
  }
}

function addListening(config: LiveConnectConfig, vad: Required<VadSetup>): void {
  config.realtimeInputConfig = {
    automaticActivityDetection:
      vad.mode === 'manual'
        ? { disabled: true }
        : {
            startOfSpeechSensitivity:
              `START_SENSITIVITY_${vad.startSensitivity.toUpperCase()}` as StartSensitivity,
            endOfSpeechSensitivity: `END_SENSITIVITY_${vad.endSensitivity.toUpperCase()}` as EndSensitivity,
            prefixPaddingMs: vad.prefixPaddingMs,
            silenceDurationMs: vad.silenceDurationMs,
          },
  };
  if (!vad.interruptions) {
    config.realtimeInputConfig.activityHandling = 'NO_INTERRUPTION' as ActivityHandling;
  }
}

function declare(tool: ToolDeclaration, family: Family, dropped: string[]): FunctionDeclaration {
  const declaration: FunctionDeclaration = { name: tool.name, description: tool.description };
  // A copy, because whatever the SDK does to it must not reach the bot's own declaration.
  if (tool.parameters !== null) declaration.parametersJsonSchema = structuredClone(tool.parameters);
  if (tool.behaviour !== undefined) {
    if (!family.functionBehaviours.includes(tool.behaviour))
      dropped.push(`${tool.behaviour} of tool ${tool.name}`);
    else if (family.functionBehaviours.length > 1) {
      declaration.behavior = (tool.behaviour === 'blocking' ? 'BLOCKING' : 'NON_BLOCKING') as Behavior;
    }
  }
  return declaration;
}
