/**
 * The shape of `setup` as the WebSocket reference gives it, every object closed: an unknown field ends the connection.
 * What a model's family makes of a well-formed setup is validate-setup.ts.
 */
import { z } from 'zod';

/** proto3 JSON: an int64 is a string or a number; the SDK converts neither. */
const int64 = z
  .union([z.string().regex(/^\d{1,18}$/), z.number().int().nonnegative()])
  .transform((value) => Number(value));
const int32 = z.number().int().min(-2_147_483_648).max(2_147_483_647);
const durationMs = int32.nonnegative();

const partSchema = z.strictObject({
  text: z.string().optional(),
  thought: z.boolean().optional(),
  inlineData: z.strictObject({ data: z.base64(), mimeType: z.string() }).optional(),
  functionCall: z
    .strictObject({
      id: z.string().optional(),
      name: z.string(),
      args: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
  functionResponse: z
    .strictObject({
      id: z.string().optional(),
      name: z.string(),
      response: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
});

/** `system` and other roles are refused: history has two sides only. */
export const contentSchema = z.strictObject({
  role: z.enum(['user', 'model']).optional(),
  parts: z.array(partSchema).min(1),
});

/** The OpenAPI subset of function parameters; a JSON-schema keyword outside it is an unknown field. */
const parameterSchema: z.ZodType = z.lazy(() =>
  z.strictObject({
    type: z.enum(['STRING', 'NUMBER', 'INTEGER', 'BOOLEAN', 'ARRAY', 'OBJECT', 'NULL']).optional(),
    format: z.string().optional(),
    title: z.string().optional(),
    description: z.string().optional(),
    nullable: z.boolean().optional(),
    enum: z.array(z.string()).optional(),
    default: z.unknown().optional(),
    example: z.unknown().optional(),
    pattern: z.string().optional(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    minLength: int64.optional(),
    maxLength: int64.optional(),
    minItems: int64.optional(),
    maxItems: int64.optional(),
    minProperties: int64.optional(),
    maxProperties: int64.optional(),
    items: parameterSchema.optional(),
    properties: z.record(z.string(), parameterSchema).optional(),
    required: z.array(z.string()).optional(),
    propertyOrdering: z.array(z.string()).optional(),
    anyOf: z.array(parameterSchema).optional(),
  }),
);

const functionDeclarationSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z_][\w.:-]{0,127}$/),
  description: z.string().optional(),
  behavior: z.enum(['BLOCKING', 'NON_BLOCKING']).optional(),
  parameters: parameterSchema.optional(),
  parametersJsonSchema: z.record(z.string(), z.unknown()).optional(),
  response: parameterSchema.optional(),
  responseJsonSchema: z.record(z.string(), z.unknown()).optional(),
});

const toolSchema = z.strictObject({
  functionDeclarations: z.array(functionDeclarationSchema).optional(),
  googleSearch: z.strictObject({}).optional(),
});

const generationConfigSchema = z.strictObject({
  responseModalities: z.array(z.enum(['AUDIO', 'TEXT', 'IMAGE'])).optional(),
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().min(0).max(1).optional(),
  topK: z.number().nonnegative().optional(),
  maxOutputTokens: int32.positive().optional(),
  seed: int32.optional(),
  candidateCount: int32.optional(),
  presencePenalty: z.number().optional(),
  frequencyPenalty: z.number().optional(),
  mediaResolution: z
    .enum(['MEDIA_RESOLUTION_LOW', 'MEDIA_RESOLUTION_MEDIUM', 'MEDIA_RESOLUTION_HIGH'])
    .optional(),
  enableAffectiveDialog: z.boolean().optional(),
  speechConfig: z
    .strictObject({
      voiceConfig: z
        .strictObject({ prebuiltVoiceConfig: z.strictObject({ voiceName: z.string() }).optional() })
        .optional(),
      languageCode: z
        .string()
        .regex(/^[a-z]{2,3}(-[A-Za-z]{4})?(-([A-Z]{2}|\d{3}))?$/)
        .optional(),
    })
    .optional(),
  thinkingConfig: z
    .strictObject({
      thinkingBudget: int32.optional(),
      thinkingLevel: z.enum(['MINIMAL', 'LOW', 'MEDIUM', 'HIGH']).optional(),
      includeThoughts: z.boolean().optional(),
    })
    .optional(),
});

const transcriptionSchema = z.strictObject({ languageCodes: z.array(z.string()).optional() });

export const setupSchema = z.strictObject({
  model: z.string(),
  generationConfig: generationConfigSchema.optional(),
  systemInstruction: z.strictObject({ role: z.string().optional(), parts: z.array(partSchema) }).optional(),
  tools: z.array(toolSchema).optional(),
  realtimeInputConfig: z
    .strictObject({
      automaticActivityDetection: z
        .strictObject({
          disabled: z.boolean().optional(),
          startOfSpeechSensitivity: z
            .enum(['START_SENSITIVITY_UNSPECIFIED', 'START_SENSITIVITY_HIGH', 'START_SENSITIVITY_LOW'])
            .optional(),
          endOfSpeechSensitivity: z
            .enum(['END_SENSITIVITY_UNSPECIFIED', 'END_SENSITIVITY_HIGH', 'END_SENSITIVITY_LOW'])
            .optional(),
          prefixPaddingMs: durationMs.optional(),
          silenceDurationMs: durationMs.optional(),
        })
        .optional(),
      activityHandling: z
        .enum(['ACTIVITY_HANDLING_UNSPECIFIED', 'START_OF_ACTIVITY_INTERRUPTS', 'NO_INTERRUPTION'])
        .optional(),
      turnCoverage: z
        .enum([
          'TURN_COVERAGE_UNSPECIFIED',
          'TURN_INCLUDES_ONLY_ACTIVITY',
          'TURN_INCLUDES_ALL_INPUT',
          'TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO',
        ])
        .optional(),
    })
    .optional(),
  sessionResumption: z
    .strictObject({ handle: z.string().optional(), transparent: z.boolean().optional() })
    .optional(),
  contextWindowCompression: z
    .strictObject({
      triggerTokens: int64.optional(),
      // Required: triggerTokens alone is an error (livekit/agents#2376).
      slidingWindow: z.strictObject({ targetTokens: int64.optional() }),
    })
    .optional(),
  inputAudioTranscription: transcriptionSchema.optional(),
  outputAudioTranscription: transcriptionSchema.optional(),
  proactivity: z.strictObject({ proactiveAudio: z.boolean().optional() }).optional(),
  historyConfig: z.strictObject({ initialHistoryInClientContent: z.boolean().optional() }).optional(),
});

export type SetupMessage = z.infer<typeof setupSchema>;

const resumingSchema = z.object({ sessionResumption: z.object({ handle: z.string().min(1) }) });

/** The handle of a setup that has not been checked; null when it brings none. */
export const handleOf = (setup: unknown): string | null =>
  resumingSchema.safeParse(setup).data?.sessionResumption.handle ?? null;
