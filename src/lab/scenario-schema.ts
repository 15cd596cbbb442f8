/** The shape of a scenario file; fixtures/README.md explains it to people. */
import { z } from 'zod';
import { faultSchema, MAX_FAULTS } from './emulator/faults/catalogue.ts';

const milliseconds = z.number().min(0).max(3_600_000);
const count = z.number().int().min(0).max(100_000);

export interface ReplyFile {
  hears?: string | undefined;
  say?: string | undefined;
  text?: string | undefined;
  delayMs?: number | undefined;
  tools?: ToolFile[] | undefined;
}

interface ToolFile {
  name: string;
  args: Record<string, unknown>;
  when: 'before' | 'after';
  followUp?: ReplyFile | undefined;
}

const toolSchema = z.strictObject({
  name: z.string().min(1),
  args: z.record(z.string(), z.unknown()).default({}),
  when: z.enum(['before', 'after']).default('after'),
  /** What the model says when the tool's response has come. */
  followUp: z.lazy((): z.ZodType<ReplyFile> => replySchema).optional(),
});

const replyShape = {
  hears: z.string().optional(),
  /** A WAV file; without it the text is hummed, and with neither the turn is silent. */
  say: z.string().optional(),
  text: z.string().optional(),
  delayMs: milliseconds.optional(),
  tools: z.array(toolSchema).optional(),
};

const replySchema: z.ZodType<ReplyFile> = z.strictObject(replyShape);

const modelSchema = z.strictObject({
  seed: z.number().int().optional(),
  setupDelayMs: milliseconds.optional(),
  firstAudioMs: milliseconds.optional(),
  interruptDelayMs: milliseconds.optional(),
  pace: z.union([z.number().min(0.05).max(100), z.enum(['burst', 'realtime'])]).optional(),
  chunkBytes: z.array(z.number().int().min(2).max(1_000_000).multipleOf(2)).min(1).optional(),
  staleChunksAfterInterrupt: z.number().int().min(0).max(10).optional(),
  behaviours: z.record(z.string(), z.unknown()).optional(),
  /** How long a connection lives, and a session without compression. */
  connectionMs: milliseconds.optional(),
  sessionCapMs: milliseconds.optional(),
  /** Beyond these the service answers that the quota is exceeded. */
  maxSessions: count.optional(),
  connectsPerMinute: count.optional(),
});

export const scenarioSchema = z.strictObject({
  description: z.string().optional(),
  caller: z
    .strictObject({
      wav: z.string().min(1),
      from: z.string().optional(),
      to: z.string().optional(),
      dtmf: z
        .array(z.strictObject({ atMs: milliseconds, digit: z.string().regex(/^[0-9*#A-D]$/) }))
        .optional(),
    })
    .optional(),
  model: modelSchema.optional(),
  greeting: replySchema.optional(),
  replies: z.array(replySchema).optional(),
  onText: z.array(z.strictObject({ match: z.string(), ...replyShape })).optional(),
  otherwise: z.union([replySchema, z.array(replySchema)]).optional(),
  faults: z.array(faultSchema).max(MAX_FAULTS).optional(),
  expect: z.looseObject({ bargeIns: z.number().int().optional(), endedBy: z.string().optional() }).optional(),
});

export type ScenarioFile = z.infer<typeof scenarioSchema>;
