/** A bot: one YAML file, a prompt beside it, checked here and nowhere else. */
import { z } from 'zod';
import type { StallPolicy } from '../call/stall-policy.ts';
import { DEFAULT_MODEL } from '../gemini/families.ts';
import { type LiveSetup, PHONE_DEFAULTS, type ToolDeclaration } from '../gemini/setup.ts';
import { stallSchema } from './stall-schema.ts';

const seconds = z.number().min(0).max(86_400);

export const botSchema = z
  .strictObject({
    model: z.string().min(1).default(DEFAULT_MODEL).describe('Gemini Live model.'),
    voice: z.string().nullable().default(null).describe('Prebuilt voice; null leaves it to the model.'),
    language: z.string().nullable().default(null).describe('BCP 47 tag, as en-US.'),
    numbers: z
      .array(z.string().min(1))
      .default([])
      .describe('Called numbers that this bot answers. Empty: every call that no other bot claims.'),
    greeting: z
      .strictObject({
        mode: z
          .enum(['at-once', 'after-caller', 'none'])
          .default('at-once')
          .describe('Who speaks first. after-caller: the bot greets only a caller who says nothing.'),
        instruction: z
          .string()
          .min(1)
          .default('A caller is on the line. Greet them now, in one short sentence.')
          .describe('The text that makes the model greet.'),
        waitSeconds: seconds.default(5).describe('after-caller: how long a silent caller is left alone.'),
      })
      .prefault({}),
    listening: z
      .strictObject({
        mode: z
          .enum(['auto', 'manual'])
          .default('auto')
          .describe('Who finds the ends of utterances: the model, or Offhook.'),
        startSensitivity: z.enum(['low', 'high']).optional(),
        endSensitivity: z.enum(['low', 'high']).optional(),
        prefixPaddingMs: z.int().min(0).max(2_000).optional(),
        silenceDurationMs: z.int().min(100).max(10_000).optional(),
      })
      .prefault({}),
    bargeIn: z
      .strictObject({
        enabled: z.boolean().default(true).describe('Whether the caller may interrupt the bot.'),
        tracker: z
          .boolean()
          .default(true)
          .describe('Stop at the first sound of speech, before the model has noticed; go on if it was none.'),
      })
      .prefault({}),
    audio: z
      .strictObject({
        outputGainDb: z.number().min(-20).max(10).default(0).describe('Gain on the way to the caller.'),
        chunkMs: z
          .int()
          .min(20)
          .max(100)
          .multipleOf(20)
          .default(20)
          .describe('Audio per message to the model.'),
      })
      .prefault({}),
    limits: z
      .strictObject({
        maxMinutes: z.number().positive().max(1_440).default(240).describe('Longest call.'),
        outageSeconds: seconds
          .default(30)
          .describe('How long the model may be out of reach before the call is given up.'),
      })
      .prefault({}),
    transfer: z
      .strictObject({
        targets: z
          .array(
            z.strictObject({
              name: z
                .string()
                .regex(/^[\w-]{1,40}$/)
                .describe('What the model calls it.'),
              number: z
                .string()
                .regex(/^(\+\d{4,15}|sips?:[^\s<>"]{1,200})$/)
                .describe('E.164, or a sip: address where the carrier takes one.'),
              description: z
                .string()
                .max(300)
                .default('')
                .describe('For the model: who answers there, and when to choose it.'),
            }),
          )
          .max(20)
          .default([])
          .describe('Whom the bot may put callers through to. Empty: nobody.'),
        fallback: z
          .string()
          .nullable()
          .default(null)
          .describe(
            'Name of the target that callers are put through to when the model is out of reach for too long.',
          ),
      })
      .refine(({ targets, fallback }) => fallback === null || targets.some(({ name }) => name === fallback), {
        error: 'fallback must be the name of one of the targets',
      })
      .prefault({}),
    outbound: z
      .strictObject({
        detectMachine: z
          .boolean()
          .default(true)
          .describe(
            'Have the carrier tell people from answering machines, where it can; the bot waits for its word, at most 5 s.',
          ),
        onMachine: z
          .enum(['hang-up', 'speak'])
          .default('hang-up')
          .describe('What is done when a machine answers a call that was placed.'),
      })
      .prefault({}),
    session: z
      .strictObject({
        compression: z
          .strictObject({
            triggerTokens: z
              .int()
              .min(5_000)
              .max(128_000)
              .default(PHONE_DEFAULTS.compression.triggerTokens)
              .describe('A context of this size is shortened. Every turn is billed with the whole context.'),
            targetTokens: z
              .int()
              .min(1_000)
              .max(127_000)
              .default(PHONE_DEFAULTS.compression.targetTokens)
              .describe('What is left of it: the newest.'),
          })
          .refine(({ triggerTokens, targetTokens }) => targetTokens < triggerTokens, {
            error: 'targetTokens must be smaller than triggerTokens',
          })
          .prefault({}),
        seedBy: z
          .enum(['instruction', 'contents'])
          .default('instruction')
          .describe(
            'How a new session is told what was said, when the old one cannot be resumed: in its instruction, which every model reads, or as turns of its own.',
          ),
      })
      .prefault({}),
    stall: stallSchema,
    thinking: z
      .strictObject({
        level: z.enum(['minimal', 'low', 'medium', 'high']).optional(),
        budget: z.int().min(-1).optional(),
      })
      .optional(),
    temperature: z.number().min(0).max(2).optional(),
    mediaResolution: z.enum(['low', 'medium', 'high']).optional(),
    affectiveDialog: z.boolean().default(false),
    proactiveAudio: z.boolean().default(false),
  })
  .describe('A bot of Offhook.');

export type BotSettings = z.infer<typeof botSchema>;

export interface Bot extends BotSettings {
  readonly name: string;
  /** prompt.md: the system instruction. */
  readonly prompt: string;
}

export const HANG_UP_TOOL = 'hang_up';
export const TRANSFER_TOOL = 'transfer_call';
/** From the end of an utterance to the server's knowing it. */
const KNOWN_AFTER_MS = 200;

const HANG_UP: ToolDeclaration = {
  name: HANG_UP_TOOL,
  description:
    'Ends the telephone call. Say goodbye first, then call this. Use it when the caller has said goodbye or wants nothing more.',
  parameters: {
    type: 'object',
    properties: { reason: { type: 'string', description: 'Why the call ends, in a few words.' } },
  },
};

/** The tool with which the model puts a caller through; null where there is nobody to put them through to. */
function transferTool({ transfer: { targets } }: Bot): ToolDeclaration | null {
  if (targets.length === 0) return null;
  const list = targets.map(
    ({ name, description }) => `${name}${description === '' ? '' : `: ${description}`}`,
  );
  return {
    name: TRANSFER_TOOL,
    description: `Puts the caller through to somebody else. Tell them first, then call this. If nobody answers, the caller comes back to you. Targets: ${list.join('; ')}`,
    parameters: {
      type: 'object',
      properties: {
        to: { type: 'string', enum: targets.map(({ name }) => name), description: 'The target.' },
      },
      required: ['to'],
    },
  };
}

/** The stall doctor's settings: nothing can be due before the model may know that the caller has finished. */
export function stallPolicyOf({ stall, listening }: Bot): StallPolicy {
  const silenceMs = listening.silenceDurationMs ?? PHONE_DEFAULTS.vad.silenceDurationMs;
  return { ...stall, answerDueAfterMs: Math.max(stall.answerDueAfterMs, silenceMs + KNOWN_AFTER_MS) };
}

/** What the session is set up with. A fresh object each time, as a connection may keep it. */
export function liveSetupOf(bot: Bot): LiveSetup {
  const { listening } = bot;
  const transfer = transferTool(bot);
  return {
    model: bot.model,
    systemInstruction: bot.prompt,
    voice: bot.voice,
    language: bot.language,
    vad: {
      mode: listening.mode,
      interruptions: bot.bargeIn.enabled,
      ...(listening.startSensitivity === undefined ? {} : { startSensitivity: listening.startSensitivity }),
      ...(listening.endSensitivity === undefined ? {} : { endSensitivity: listening.endSensitivity }),
      ...(listening.prefixPaddingMs === undefined ? {} : { prefixPaddingMs: listening.prefixPaddingMs }),
      ...(listening.silenceDurationMs === undefined
        ? {}
        : { silenceDurationMs: listening.silenceDurationMs }),
    },
    ...(bot.thinking === undefined
      ? {}
      : {
          thinking: {
            ...(bot.thinking.level === undefined ? {} : { level: bot.thinking.level }),
            ...(bot.thinking.budget === undefined ? {} : { budget: bot.thinking.budget }),
          },
        }),
    ...(bot.temperature === undefined ? {} : { temperature: bot.temperature }),
    ...(bot.mediaResolution === undefined ? {} : { mediaResolution: bot.mediaResolution }),
    affectiveDialog: bot.affectiveDialog,
    proactiveAudio: bot.proactiveAudio,
    tools: transfer === null ? [HANG_UP] : [HANG_UP, transfer],
    transcripts: { input: true, output: true },
    resumption: { handle: null },
    compression: { ...bot.session.compression },
  };
}
