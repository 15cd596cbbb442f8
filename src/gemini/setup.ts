/** What a bot wants of a session, with the defaults for a telephone; live-config.ts turns it into the SDK's config. */
import type { FunctionBehaviour, ThinkingLevel } from './families.ts';
import type { HistoryTurn } from './live-session.ts';

export interface ToolDeclaration {
  /** Begins with a letter or underscore; letters, digits, `_ . : -`, at most 128. */
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object: `{ type: 'object', properties, required }`. Null for a tool without parameters. */
  readonly parameters: Readonly<Record<string, unknown>> | null;
  /** Absent: the family's default. */
  readonly behaviour?: FunctionBehaviour;
}

export interface VadSetup {
  /** `manual`: the server does not listen for speech, we send activity signals. */
  readonly mode: 'auto' | 'manual';
  readonly startSensitivity?: 'low' | 'high';
  readonly endSensitivity?: 'low' | 'high';
  /** Speech needed before its start counts. */
  readonly prefixPaddingMs?: number;
  /** Silence needed before an utterance is over. */
  readonly silenceDurationMs?: number;
  /** False: an answer is never cut by speech. */
  readonly interruptions: boolean;
}

/** As turns of its own, before anything else is said, or told in words in the system instruction. */
export type HistoryBy = 'contents' | 'instruction';

/** An absent field takes its value from PHONE_DEFAULTS; null turns a feature off. */
export interface LiveSetup {
  readonly model: string;
  readonly systemInstruction: string;
  /** One of VOICES; null leaves the choice to the model. */
  readonly voice: string | null;
  /** BCP 47. */
  readonly language: string | null;
  readonly thinking?: { readonly level?: ThinkingLevel; readonly budget?: number } | null;
  readonly temperature?: number | null;
  readonly mediaResolution?: 'low' | 'medium' | 'high' | null;
  readonly vad?: VadSetup;
  readonly tools?: readonly ToolDeclaration[];
  readonly transcripts?: { readonly input: boolean; readonly output: boolean };
  /** `handle: null` begins a session and asks for handles. */
  readonly resumption?: { readonly handle: string | null } | null;
  readonly compression?: { readonly triggerTokens: number; readonly targetTokens: number } | null;
  readonly affectiveDialog?: boolean;
  readonly proactiveAudio?: boolean;
  /** What was said before, for a session that begins in the middle of a call; a resumed one knows it. Empty: nothing was. */
  readonly history?: readonly HistoryTurn[];
  /** How the history gets there; absent: as the family takes it best (Family.historyBy). */
  readonly historyBy?: HistoryBy;
}

/**
 * Listening: both sensitivities high, as the Gemini API's own default. Start: a short "yes" swallowed is worse than a
 * false start, and the gateway has a speech tracker of its own against noise; the 60 ms of prefix keep clicks and pops of
 * a line out (API examples use 20). End: with `low`, noise on a telephone line has kept a turn open for half a minute.
 * 600 ms of silence: guides advise 500 to 800; shorter splits numbers that a caller dictates, longer is felt as lag.
 *
 * Compression: every turn is billed with the whole context, and without compression a session ends after 15 minutes.
 * At 25 tokens a second each way, 32,000 tokens are about 15 minutes of talk, 16,000 are what is left after it.
 */
export const PHONE_DEFAULTS = {
  thinking: null,
  temperature: null,
  mediaResolution: null,
  vad: {
    mode: 'auto',
    startSensitivity: 'high',
    endSensitivity: 'high',
    prefixPaddingMs: 60,
    silenceDurationMs: 600,
    interruptions: true,
  },
  tools: [],
  transcripts: { input: true, output: true },
  resumption: { handle: null },
  compression: { triggerTokens: 32_000, targetTokens: 16_000 },
  affectiveDialog: false,
  proactiveAudio: false,
  history: [],
} as const satisfies Required<Omit<LiveSetup, Particular>>;

/** What has no default: the bot's own, and what the family decides. */
type Particular = 'model' | 'systemInstruction' | 'voice' | 'language' | 'historyBy';
export type CompleteSetup = Required<Omit<LiveSetup, 'historyBy'>> &
  Pick<LiveSetup, 'historyBy'> & { readonly vad: Required<VadSetup> };

/** The setup with every default filled in. An absent detail of `vad` takes the phone's value too. */
export function completeSetup(setup: LiveSetup): CompleteSetup {
  return { ...PHONE_DEFAULTS, ...setup, vad: { ...PHONE_DEFAULTS.vad, ...setup.vad } };
}
