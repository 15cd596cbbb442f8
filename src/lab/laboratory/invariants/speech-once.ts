import type { Utterance } from '../caller.ts';
import type { LabCall } from '../lab-call.ts';
import { lengthOf, SpanSet } from '../spans.ts';
import type { Broken, Invariant } from './invariant.ts';

/** When an answer of which something came first covered the end of an utterance; null: never. */
function answeredAt(call: LabCall, { from, to }: Utterance): number | null {
  const { answers } = call.hearing;
  const first = answers.findIndex(({ news }) =>
    news.some((span) => span.from < to && span.to >= to && span.to > from),
  );
  if (first < 0) return null;
  return answers.slice(first).find(({ voice }) => voice?.begins !== null)?.atMs ?? null;
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
