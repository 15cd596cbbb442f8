import type { Utterance } from '../caller.ts';
import type { LabCall } from '../lab-call.ts';
import { lengthOf, SpanSet } from '../spans.ts';
import type { Broken, Invariant } from './invariant.ts';

/** No model answers sooner after the caller's last sound: what begins before is the answer to what they said before. */
const SOONEST_ANSWER_MS = 500;
/** An answer that comes so soon after a text of ours may be the answer to that: the words are not taken for answered. */
const TEXT_ANSWER_MS = 6_000;

/** When the gateway had an answer of which something came, the first that covered the end of an utterance; null: never for certain. */
function answeredAt(call: LabCall, { from, to, toMs }: Utterance): number | null {
  const { answers } = call.hearing;
  const first = answers.findIndex(({ news }) =>
    news.some((span) => span.from < to && span.to >= to && span.to > from),
  );
  if (first < 0) return null;
  const answer = answers
    .slice(first)
    .find(({ voice, atMs }) => voice?.begins !== null && atMs >= toMs + SOONEST_ANSWER_MS);
  if (answer === undefined) return null;
  const afterText = call.nudges.some((atMs) => atMs <= answer.atMs && atMs > answer.atMs - TEXT_ANSWER_MS);
  if (afterText) return null;
  return call.turnsBegan.find((atMs) => atMs >= answer.atMs) ?? null;
}

/** A connection was lost, not given up in good order, while the utterance was open or waited for its answer. */
function wasLostMeanwhile(call: LabCall, utterance: Utterance): boolean {
  const untilMs = answeredAt(call, utterance) ?? Number.POSITIVE_INFINITY;
  return call.losses.some((atMs) => atMs >= utterance.fromMs && atMs <= untilMs + SLACK_MS);
}

/** The loss was on its way when the answer began. */
const SLACK_MS = 1_000;

export const speechOnce: Invariant = {
  name: 'speech-once',
  sentence:
    'No session hears an utterance twice, but one that was open or unanswered when its connection was lost.',
  check(call) {
    const broken: Broken[] = [];
    const once = new SpanSet();
    once.addAll(call.hearing.twice);
    for (const utterance of call.caller.utterances) {
      const { from, to, fromMs } = utterance;
      const doubled = to - from - lengthOf(once.missing(from, to));
      if (doubled > 0 && !wasLostMeanwhile(call, utterance))
        broken.push({
          atMs: fromMs - call.startedAtMs,
          detail: `${Math.round(doubled / 16)} ms of speech were heard twice`,
        });
    }
    return broken;
  },
};
