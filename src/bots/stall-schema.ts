/** The section `stall:` of bot.yaml: what is done when the model goes wrong although its connection stands. */
import { z } from 'zod';
import { DEFAULT_STALL_POLICY, STALL_SIGNS, STALL_STEPS, type TimedStep } from '../call/stall-policy.ts';

const defaults = DEFAULT_STALL_POLICY;
const milliseconds = z.number().min(0).max(600_000);

const step = (name: TimedStep, text: string) =>
  milliseconds.nullable().default(defaults.afterMs[name]).describe(`${text} null: never.`);

const afterMs = z
  .strictObject({
    filler: step('filler', 'Play "one moment, please" into dead air.'),
    nudge: step('nudge', 'Ask the model, in a text, to speak.'),
    rotate: step('rotate', 'Take a new connection for the same session.'),
    manual: step('manual', 'Take one on which Offhook marks where utterances begin and end.'),
    fresh: step('fresh', 'Begin a new session that is told what was said so far.'),
    end: step('end', 'Apologise and hang up.'),
  })
  .superRefine((times, context) => {
    let before: { readonly name: string; readonly ms: number } | null = null;
    for (const name of STALL_STEPS) {
      const ms = name === 'wait' || name === 'filler' ? null : times[name];
      if (ms === null) continue;
      if (before !== null && ms < before.ms) {
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `found ${ms}, wanted ${before.ms} or more, as "${before.name}" comes before it`,
        });
      }
      before = { name, ms };
    }
  })
  .prefault({})
  .describe('Milliseconds for which an answer has been due, or the model has been wrong, before each step.');

export const stallSchema = z
  .strictObject({
    signs: z
      .array(z.enum(STALL_SIGNS))
      .default([...defaults.signs])
      .describe('What is watched for. Empty: nothing is done about a model that falls silent.'),
    afterMs,
    nudgeAfterTurnMs: milliseconds
      .default(defaults.nudgeAfterTurnMs)
      .describe('The nudge, when the model has ended its turn without a word that can be heard.'),
    fillerEveryMs: milliseconds
      .min(1_000)
      .default(defaults.fillerEveryMs)
      .describe('From one "one moment, please" to the next.'),
    ignoredSteps: z
      .array(z.enum(STALL_STEPS))
      .min(1)
      .max(16)
      .default([...defaults.ignoredSteps])
      .describe(
        'How far to go when the model says nothing to an utterance, to a second one in a row, and so on: it may have decided not to answer.',
      ),
    restMs: milliseconds
      .default(defaults.restMs)
      .describe('After the last step that is allowed, silence is left alone from then on.'),
    answerDueAfterMs: milliseconds
      .default(defaults.answerDueAfterMs)
      .describe('Silence by which the model knows that the caller has finished. At least silenceDurationMs.'),
    unansweredMs: milliseconds
      .min(500)
      .default(defaults.unansweredMs)
      .describe('An answer that is due for so long without any sign of it will not come by itself.'),
    utteranceMs: milliseconds
      .default(defaults.utteranceMs)
      .describe('Speech shorter than this asks for no answer.'),
    callerQuietMs: milliseconds
      .default(defaults.callerQuietMs)
      .describe('The caller has been silent for so long before the model is nudged.'),
    frozenMs: milliseconds
      .min(500)
      .default(defaults.frozenMs)
      .describe('Silence in the middle of a turn by which it counts as frozen.'),
    endOverdueMs: milliseconds
      .min(500)
      .default(defaults.endOverdueMs)
      .describe('Silence after a whole turn by which its end counts as missing.'),
    nearSilentDbov: z
      .number()
      .min(-90)
      .max(-30)
      .default(defaults.nearSilentDbov)
      .describe('A turn whose loudest 100 ms are below this cannot be heard.'),
    turnSettlesMs: milliseconds
      .default(defaults.turnSettlesMs)
      .describe('How long after its end a turn is judged: its transcript may come late.'),
    maxConnections: z
      .int()
      .min(0)
      .max(1_000)
      .default(defaults.maxConnections)
      .describe('New connections for such reasons in one call.'),
  })
  .prefault({})
  .describe('What is done when the model goes wrong although its connection stands.');
