/** The envelope and everything in it but `setup`: one of the known fields, each of the documented shape. Pure. */
import { z } from 'zod';
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import { invalid, type Refusal, refusalOfIssues } from './refusal.ts';
import { contentSchema } from './setup-schema.ts';

const blobSchema = z.strictObject({ data: z.string(), mimeType: z.string() });
const signalSchema = z.strictObject({});

const realtimeInputSchema = z.strictObject({
  audio: blobSchema.optional(),
  video: blobSchema.optional(),
  text: z.string().optional(),
  audioStreamEnd: z.boolean().optional(),
  activityStart: signalSchema.optional(),
  activityEnd: signalSchema.optional(),
  mediaChunks: z.array(blobSchema).optional(),
});

const clientContentSchema = z.strictObject({
  turns: z.array(contentSchema).optional(),
  turnComplete: z.boolean().optional(),
});

const schedulingSchema = z.enum(['INTERRUPT', 'WHEN_IDLE', 'SILENT', 'SCHEDULING_UNSPECIFIED']);

const toolResponseSchema = z.strictObject({
  functionResponses: z
    .array(
      z.strictObject({
        id: z.string().min(1),
        name: z.string().optional(),
        response: z.record(z.string(), z.unknown()).optional(),
        scheduling: schedulingSchema.optional(),
        willContinue: z.boolean().optional(),
      }),
    )
    .min(1),
});

const contextUpdateSchema = z.strictObject({
  systemInstruction: contentSchema.optional(),
  tools: z.record(z.string(), z.unknown()).optional(),
});

export type RealtimeInput = z.infer<typeof realtimeInputSchema>;
export type ClientContent = z.infer<typeof clientContentSchema>;
export type FunctionResponse = z.infer<typeof toolResponseSchema>['functionResponses'][number];
export type Scheduling = z.infer<typeof schedulingSchema>;

export type ClientMessage =
  | { readonly kind: 'setup'; readonly value: unknown }
  | { readonly kind: 'realtimeInput'; readonly value: RealtimeInput }
  | { readonly kind: 'clientContent'; readonly value: ClientContent }
  | {
      readonly kind: 'toolResponse';
      readonly value: { readonly functionResponses: readonly FunctionResponse[] };
    }
  | { readonly kind: 'contextUpdate'; readonly value: z.infer<typeof contextUpdateSchema> }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const SCHEMAS = {
  realtimeInput: realtimeInputSchema,
  clientContent: clientContentSchema,
  toolResponse: toolResponseSchema,
  contextUpdate: contextUpdateSchema,
} as const;

const refused = (refusal: Refusal): ClientMessage => ({ kind: 'refused', refusal });

/** Reads one frame. `contextUpdate` is documented for Vertex alone and refused elsewhere. Never throws. */
export function parseClientMessage(
  text: string,
  context: { readonly vertex: boolean; readonly behaviours: Pick<BehaviourValues, 'unknownFieldText'> },
): ClientMessage {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return refused(invalid('a frame that is no JSON', 'Invalid JSON payload received.'));
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return refused(invalid('a frame that is no JSON object', 'Invalid JSON payload received.'));
  }
  const fields = Object.keys(json);
  if (fields.length !== 1) {
    return refused(
      invalid(
        `the fields "${fields.slice(0, 5).join(', ')}" in one message, wanted exactly one of the envelope's`,
      ),
    );
  }
  const field = fields[0]!;
  const value = (json as Record<string, unknown>)[field];
  if (field === 'setup') return { kind: 'setup', value };
  if (!Object.hasOwn(SCHEMAS, field) || (field === 'contextUpdate' && !context.vertex)) {
    const reason =
      context.behaviours.unknownFieldText === 'unknown-name'
        ? `Invalid JSON payload received. Unknown name "${field}": Cannot find field.`
        : undefined;
    return refused(invalid(`unknown field "${field}" in the envelope`, reason));
  }
  const kind = field as keyof typeof SCHEMAS;
  const parsed = SCHEMAS[kind].safeParse(value);
  if (!parsed.success) return refused(refusalOfIssues(parsed.error.issues, kind, context.behaviours));
  return { kind, value: parsed.data } as ClientMessage;
}
