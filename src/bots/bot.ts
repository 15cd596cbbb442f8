/** A bot: one YAML file, a prompt beside it, checked here and nowhere else. */
import { z } from 'zod';
import { DEFAULT_MODEL } from '../gemini/families.ts';
import type { LiveSetup, ToolDeclaration } from '../gemini/setup.ts';

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

const HANG_UP: ToolDeclaration = {
  name: HANG_UP_TOOL,
  description:
    'Ends the telephone call. Say goodbye first, then call this. Use it when the caller has said goodbye or wants nothing more.',
  parameters: {
    type: 'object',
    properties: { reason: { type: 'string', description: 'Why the call ends, in a few words.' } },
  },
};

/** What the session is set up with. A fresh object each time, as a connection may keep it. */
export function liveSetupOf(bot: Bot): LiveSetup {
  const { listening } = bot;
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
    tools: [HANG_UP],
    transcripts: { input: true, output: true },
  };
}
