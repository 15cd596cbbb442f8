/** Every fault that the emulated service can be told to have, as it stands in a scenario file. */
import { z } from 'zod';
import { OffhookError } from '../../../errors.ts';
import { CLOSE_NAMES } from './close-rows.ts';
import { type Happening, type MomentKind, parseMoment } from './moment.ts';

const MAX_MS = 3_600_000;
export const MAX_FAULTS = 10_000;

const milliseconds = z.number().min(0).max(MAX_MS);

const momentSchema = z.string().transform((text, context) => {
  const moment = parseMoment(text);
  if (moment !== null) return moment;
  context.addIssue(
    `found "${text}", wanted connect, setup, resume, utterance, turn or tool, alone or with a number (turn:3), or second:12.5`,
  );
  return z.NEVER;
});

const base = {
  at: momentSchema,
  /** How many occurrences in a row, from the one that `at` names. */
  times: z.union([z.int().min(1).max(1_000_000), z.literal('always')]).default(1),
  /** The chance with which each of them is struck. */
  share: z.number().min(0).max(1).default(1),
};
/** For what strikes at a moment and not a whole answer: how long after the moment. */
const soon = { ...base, afterMs: milliseconds.default(0) };

/** Codes that a close frame may carry (RFC 6455, 7.4). */
const closeCode = z
  .int()
  .refine(
    (code) =>
      (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999),
    'wanted a code that a close frame may carry; for 1006 there is the fault "cut"',
  );
const closeSchema = z.union([z.enum(CLOSE_NAMES), z.strictObject({ code: closeCode, reason: z.string() })], {
  error: (issue) =>
    `found ${JSON.stringify(issue.input) ?? 'nothing'}, wanted { code, reason } or one of ${CLOSE_NAMES.join(', ')}`,
});

const named = <N extends string, S extends z.ZodRawShape>(fault: N, shape: S) =>
  z.strictObject({ fault: z.literal(fault), ...shape });

const REJECTED = 'RESPONSE_REJECTED';
const reason = z.enum([REJECTED, 'MALFORMED_FUNCTION_CALL', 'NEED_MORE_INPUT']).optional();

const SCHEMAS = [
  // The connection. `refuse` at a second refuses everything for `forMs`.
  named('refuse', {
    ...base,
    status: z.int().min(400).max(599).default(503),
    forMs: milliseconds.default(5000),
  }),
  named('close', { ...soon, close: closeSchema }),
  named('cut', soon),
  /** Nothing more comes or is taken, and nobody is told. */
  named('half-open', soon),
  /** Nothing comes and nothing is taken for that long; then all of it at once. */
  named('freeze', { ...soon, forMs: milliseconds.default(8000) }),
  named('stop-reading', { ...soon, forMs: milliseconds.default(30_000) }),
  named('late-pongs', { ...soon, delayMs: milliseconds.default(30_000) }),
  named('go-away', { ...soon, timeLeftMs: milliseconds.default(10_000) }),
  // Setup and resumption.
  named('never-complete', base),
  named('slow-setup', { ...base, delayMs: milliseconds.default(8000) }),
  /** The resumed session transcribes, and never speaks again. */
  named('poisoned', base),
  /** The resumed session remembers nothing. */
  named('forgotten', base),
  // Messages.
  named('not-json', { ...soon, text: z.string().max(100_000).default('<!DOCTYPE html><title>502</title>') }),
  named('unknown-message', soon),
  named('phantom-interrupted', {
    ...soon,
    model: z.enum(['goes-on', 'stops', 'completes']).default('goes-on'),
    /** In one message with the next chunk of audio. Not together with `completes`. */
    withAudio: z.boolean().default(false),
  }),
  // Utterances and answers.
  named('swallow', {
    ...base,
    /** Only utterances shorter than this. */
    shorterThanMs: milliseconds.optional(),
    transcribe: z.boolean().default(false),
  }),
  named('slow-answer', { ...base, delayMs: milliseconds.default(8000) }),
  /** From `afterMs` after the answer's first audio on nothing comes for `forMs`; then all that is due, at once. */
  named('stall', { ...base, afterMs: milliseconds.default(300), forMs: milliseconds.default(4000) }),
  named('slow-audio', { ...base, pace: z.number().min(0.05).max(1).default(0.7) }),
  /** Also odd numbers, which cut samples in two. */
  named('odd-chunks', {
    ...base,
    bytes: z.array(z.int().min(1).max(1_000_000)).min(1).max(100).default([2, 1, 3, 2401, 7679]),
  }),
  named('near-silent', { ...base, reason }),
  named('empty-turn', { ...base, reason }),
  /** The audio ends there, and generationComplete and turnComplete follow as though it were all. */
  named('cut-sentence', { ...base, afterMs: milliseconds.default(800) }),
  /** It comes that much later, or never. */
  named('no-turn-complete', { ...base, lateByMs: milliseconds.optional() }),
  named('doubled-transcripts', base),
  named('merged-fields', base),
  named('unknown-fields', base),
  named('text-before-audio', base),
  named('empty-parts', base),
  // Tools.
  named('malformed-args', { ...base, args: z.json().default('no object') }),
  named('late-cancellation', base),
] as const;

export type Fault = z.output<(typeof SCHEMAS)[number]>;
/** As people write it: plain values, and every parameter that has a default may be left out. */
export type FaultFile = z.input<(typeof SCHEMAS)[number]>;
export type FaultName = Fault['fault'];
export type FaultOf<N extends FaultName> = Extract<Fault, { readonly fault: N }>;

export const FAULT_NAMES: readonly FaultName[] = SCHEMAS.map((schema) => schema.shape.fault.value);

const unionSchema = z.discriminatedUnion('fault', SCHEMAS, {
  error: (issue) => {
    if (issue.code !== 'invalid_union') return undefined;
    const { fault } = issue.input as { readonly fault?: unknown };
    return `found ${JSON.stringify(fault) ?? 'nothing'}, wanted one of ${FAULT_NAMES.join(', ')}`;
  },
});

/** What must happen for a fault to take hold; `now`: nothing, it strikes the connection at its moment. */
const STAGES = {
  refuse: 'connect',
  'never-complete': 'setup',
  'slow-setup': 'setup',
  poisoned: 'resume',
  forgotten: 'resume',
  swallow: 'utterance',
  'malformed-args': 'tool',
  'late-cancellation': 'tool',
  close: 'now',
  cut: 'now',
  'half-open': 'now',
  freeze: 'now',
  'stop-reading': 'now',
  'late-pongs': 'now',
  'go-away': 'now',
  'not-json': 'now',
  'unknown-message': 'now',
  'phantom-interrupted': 'now',
  'slow-answer': 'turn',
  stall: 'turn',
  'slow-audio': 'turn',
  'odd-chunks': 'turn',
  'near-silent': 'turn',
  'empty-turn': 'turn',
  'cut-sentence': 'turn',
  'no-turn-complete': 'turn',
  'doubled-transcripts': 'turn',
  'merged-fields': 'turn',
  'unknown-fields': 'turn',
  'text-before-audio': 'turn',
  'empty-parts': 'turn',
} as const satisfies Record<FaultName, Happening | 'now'>;

type NameAt<S extends Happening | 'now'> = {
  [N in FaultName]: (typeof STAGES)[N] extends S ? N : never;
}[FaultName];
/** Strikes the connection. */
export type SuddenFault = FaultOf<NameAt<'now'>>;
/** Changes one answer of the model. */
export type TurnFault = FaultOf<NameAt<'turn'>>;

export const stageOf = (fault: Fault): Happening | 'now' => STAGES[fault.fault];
export const isSudden = (fault: Fault): fault is SuddenFault => STAGES[fault.fault] === 'now';
export const isTurnFault = (fault: Fault): fault is TurnFault => STAGES[fault.fault] === 'turn';

/** The moments that a fault can be put at: its own kind, an answer also by the utterance that it answers, and a second. */
function momentsOf(name: FaultName): readonly MomentKind[] {
  const stage = STAGES[name];
  if (stage === 'now') return ['connect', 'setup', 'resume', 'utterance', 'turn', 'tool', 'second'];
  if (stage === 'turn') return ['turn', 'utterance', 'second'];
  if (stage === 'setup') return ['setup', 'resume', 'second'];
  return [stage, 'second'];
}

/** One entry of a scenario's `faults`. */
export const faultSchema = unionSchema.superRefine((fault, context) => {
  const allowed = momentsOf(fault.fault);
  if (!allowed.includes(fault.at.kind)) {
    context.addIssue({
      code: 'custom',
      path: ['at'],
      message: `found "${fault.at.text}", wanted for "${fault.fault}" one of ${allowed.join(', ')}`,
    });
  }
});

/**
 * Checks faults that were written in code or made by chance.
 * @throws OffhookError `ERR_SCENARIO` that lists every problem with the path of its key
 */
export function makeFaults(faults: readonly FaultFile[]): readonly Fault[] {
  const parsed = z.object({ faults: z.array(faultSchema).max(MAX_FAULTS) }).safeParse({ faults });
  if (parsed.success) return parsed.data.faults;
  const problems = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new OffhookError(
    'ERR_SCENARIO',
    `Reading ${faults.length} faults: found ${problems.length} that cannot be played, wanted none\n${problems.join('\n')}`,
  );
}
