import type { Utterance } from '../caller.ts';
import type { LabCall } from '../lab-call.ts';
import { lengthOf } from '../spans.ts';
import type { Broken, Invariant } from './invariant.ts';

/** What was said shortly before the end, or with nobody there from then on, may still have been on its way. */
const UNDERWAY_MS = 6_000;
/** A model that has gone wrong gets so long to be put right: the ladder of the stall doctor, from the first step to a new session. */
const MENDING_MS = 30_000;
const NUDGED_MS = 12_000;

/** Until when what was said must have arrived. */
function judgedUntil(call: LabCall): number {
  const last = call.connections.at(-1);
  if (last === undefined) return 0;
  // At the end of a call the gateway itself closes the connection that is there.
  const isThere = last.toMs === null || (last.endedBy === 'gateway' && last.toMs >= call.endedAtMs);
  const untilMs = isThere ? call.endedAtMs : last.toMs!;
  const mending = call.endedAtMs - call.lastStallAtMs < MENDING_MS;
  const lastMs = call.endedAtMs - (mending ? MENDING_MS : UNDERWAY_MS);
  return Math.min(lastMs, isThere && untilMs - last.fromMs < UNDERWAY_MS ? 0 : untilMs);
}

export const speechArrives: Invariant = {
  name: 'speech-arrives',
  sentence:
    'Every utterance of the caller reaches a session that answers it or still holds it, to the last sample.',
  check(call) {
    const safe = call.hearing.safe();
    const untilMs = judgedUntil(call);
    const broken: Broken[] = [];
    // Half a minute is kept; what is older when a long outage follows another is told as a transcript, as far as there is one.
    let beyondRingMs = call.uplinkDroppedMs;
    for (const { kind, from, to, fromMs, toMs } of call.caller.utterances as Utterance[]) {
      if (kind !== 'talk' || toMs > untilMs) continue;
      // It was asked in text to answer that; what it then said was taken for the answer.
      if (call.nudges.some((atMs) => atMs > toMs && atMs < toMs + NUDGED_MS)) continue;
      const lost = lengthOf(safe.missing(from, to));
      const excusedMs = Math.min(beyondRingMs, lost / 16);
      beyondRingMs -= excusedMs;
      if (lost / 16 > excusedMs)
        broken.push({
          atMs: fromMs - call.startedAtMs,
          detail: `of ${toMs - fromMs} ms of speech ${Math.round(lost / 16)} ms were lost`,
        });
    }
    return broken;
  },
};
