import { MAX_KEPT_MS } from '../../../call/uplink.ts';
import type { Utterance } from '../caller.ts';
import type { LabCall } from '../lab-call.ts';
import { lengthOf } from '../spans.ts';
import { faultsOf } from '../totals.ts';
import type { Broken, Invariant } from './invariant.ts';

/** What was said shortly before the end, or with nobody there from then on, may still have been on its way. */
const UNDERWAY_MS = 6_000;
/** A model that has gone wrong gets so long to be put right: the ladder of the stall doctor, from the first step to a new session. */
const MENDING_MS = 30_000;
/** A text is answered by then; what is said meanwhile and after it may be, in the same breath. */
const TEXT_ANSWER_MS = 6_000;
/** Keys that were pressed in the middle of it are told as text as soon as no more follow. */
const KEYS_MS = 3_000;

/**
 * So much is kept to be said again. Where the model was mute for longer and another connection came then, with a session
 * that had forgotten the words or a new one, what was older is gone; of what was transcribed the new one is told.
 */
function isBeyondTheRing(call: LabCall, { fromMs, toMs }: Utterance): boolean {
  const keptUntilMs = fromMs + MAX_KEPT_MS - BEFORE_ONSET_MS;
  const wasMute = !call.hearing.answers.some(({ atMs }) => atMs > toMs && atMs < keptUntilMs);
  return wasMute && call.connections.some((connection) => connection.fromMs > keptUntilMs);
}

/** It is said again from a little before its beginning. */
const BEFORE_ONSET_MS = 500;

/** Until when what was said must have arrived. */
function judgedUntil(call: LabCall): number {
  const last = call.connections.at(-1);
  if (last === undefined) return 0;
  // At the end of a call the gateway itself closes the connection that is there.
  const isThere = last.toMs === null || (last.endedBy === 'gateway' && last.toMs >= call.endedAtMs);
  const untilMs = isThere ? call.endedAtMs : last.toMs!;
  const mending = call.endedAtMs - call.lastStallAtMs < MENDING_MS;
  const lastMs = call.endedAtMs - (mending ? MENDING_MS : UNDERWAY_MS);
  if (untilMs - last.fromMs < UNDERWAY_MS) return 0;
  // A connection breaks for some time before anybody can know.
  return Math.min(lastMs, isThere ? untilMs : untilMs - UNDERWAY_MS);
}

/**
 * A server that has stopped reading answers what it had read: of the end of what was said so much may still be with the
 * network, and nobody can know.
 */
const UNREAD_MS = 1_000;

function isUnreadTail(call: LabCall, { from, to, toMs }: Utterance, lost: number): boolean {
  if (lost / 16 > UNREAD_MS || !faultsOf(call).has('stop-reading')) return false;
  const answer = call.hearing.answers.find(({ news }) =>
    news.some((span) => span.from < to && span.to > from),
  );
  return answer !== undefined && answer.atMs >= toMs;
}

/** What a frozen connection hands over when it thaws cannot be told from the answer to what was said meanwhile. */
function wasFrozen(call: LabCall, { toMs }: Utterance): boolean {
  const faults = call.services.flatMap(({ sessions }) => sessions.flatMap((session) => session.faults));
  return faults.some(
    ({ fault, atMs, params }) =>
      fault === 'freeze' && toMs > atMs && toMs < atMs + (params as { readonly forMs: number }).forMs,
  );
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
    for (const utterance of call.caller.utterances) {
      const { kind, from, to, fromMs, toMs } = utterance;
      if (kind !== 'talk' || toMs > untilMs) continue;
      const lost = lengthOf(safe.missing(from, to));
      if (lost === 0) continue;
      // It was asked in text to answer that, or told of keys; what it then said was taken for the answer.
      if (call.nudges.some((atMs) => atMs > fromMs - TEXT_ANSWER_MS && atMs < toMs + MENDING_MS)) continue;
      if (call.keysGiven.some((atMs) => atMs > fromMs && atMs < toMs + KEYS_MS)) continue;
      if (wasFrozen(call, utterance)) continue;
      if (isBeyondTheRing(call, utterance) || isUnreadTail(call, utterance, lost)) continue;
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
