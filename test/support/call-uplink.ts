/** What each connection of a whole call must have heard of the caller, reckoned from the frames that were sent. */
import { expect } from 'vitest';
import { uplinkOf } from './call-audio.ts';
import type { CallBench } from './call-bench.ts';
import type { SimulatedCarrier } from './call-carrier.ts';
import type { ScriptedConnection } from './call-live.ts';

/** From so long before the onset that the tracker found. */
const BEFORE_ONSET_MS = 240;
/** Of a pause in what is caught up on, so much stays before anything is cut. */
const SILENCE_KEPT_MS = 300;
/** The ringing of the filter behind the last sound; G.711 has nothing between 0 and this. */
const LOUD = 64;

/** Everything that went to the model, connection after connection. */
export const joined = (bench: CallBench): Int16Array =>
  Int16Array.from(bench.live.connections.flatMap((connection) => [...connection.audio]));

/** All that the caller sent, in one piece, as the model must hear it. */
export const spokenBy = (carrier: SimulatedCarrier): Int16Array => uplinkOf(Buffer.concat(carrier.spoken));

/** Number of the frame with which an utterance began: frames are sent every 20 ms from the start of the stream. */
export function onsetFrame(bench: CallBench, utterance: number): number {
  const started = bench.of('stream-started')[0];
  const found = bench.of('utterance-started').at(utterance);
  if (started === undefined || found === undefined) throw new Error(`no utterance ${utterance} was noticed`);
  return (found.onsetAtMs - started.atMs) / 20;
}

/** The caller's payload from shortly before the onset of an utterance on. */
export function payloadFromOnset(bench: CallBench, carrier: SimulatedCarrier, utterance: number): Buffer {
  const from = Math.max(0, onsetFrame(bench, utterance) - BEFORE_ONSET_MS / 20);
  return Buffer.concat(carrier.spoken.slice(from));
}

/**
 * A connection that knew nothing of the utterance was given it from its onset on, in order and without a gap, up to now;
 * of what was caught up on only silence is shorter than it was.
 */
export function expectHeardFromOnset(
  bench: CallBench,
  carrier: SimulatedCarrier,
  connection: ScriptedConnection,
  utterance = 0,
): void {
  const wanted = uplinkOf(payloadFromOnset(bench, carrier, utterance));
  const given = connection.audio;
  const lastLoud = wanted.findLastIndex((sample) => Math.abs(sample) > LOUD);
  const needed = Math.min(wanted.length - 16 * 60, lastLoud + 16 * (SILENCE_KEPT_MS - 40));
  expect(given.length).toBeGreaterThanOrEqual(needed);
  expect(given.subarray(0, needed)).toEqual(wanted.subarray(0, needed));
  // Nothing of it comes twice behind that.
  expect(given.subarray(needed).findIndex((sample) => Math.abs(sample) > LOUD)).toBe(-1);
}

/** Nothing was lost and nothing sent twice, whatever number of connections it went over. */
export function expectNothingLostOrDoubled(bench: CallBench, carrier: SimulatedCarrier): void {
  const wanted = spokenBy(carrier);
  const given = joined(bench);
  expect(wanted.length - given.length).toBeLessThan(16 * 40);
  expect(given.findIndex((sample, at) => sample !== wanted[at])).toBe(-1);
}

/** What the session holds in the end: one that is taken up at a handle has forgotten what came after it. */
export function recordOf(bench: CallBench): Int16Array {
  let record: readonly number[] = [];
  const heldAt = new Map<string, readonly number[]>();
  for (const { setup, audio, heardAtHandle } of bench.live.connections) {
    const taken = heldAt.get(setup.resumption?.handle ?? '') ?? [];
    for (const [handle, heard] of heardAtHandle) heldAt.set(handle, [...taken, ...audio.subarray(0, heard)]);
    record = [...taken, ...audio];
  }
  return Int16Array.from(record);
}

/** The session that was left at quiet moments holds every word once, however often silence was sent. */
export function expectEveryWordOnce(bench: CallBench, carrier: SimulatedCarrier): void {
  expect(wordsOf(recordOf(bench))).toEqual(wordsOf(spokenBy(carrier)));
}

/** What was said, the pauses left out: stretches of more than 100 ms in which there is no sound at all. */
export function wordsOf(samples16k: Int16Array): Int16Array {
  const words: number[] = [];
  let silent = 0;
  for (const sample of samples16k) {
    silent = sample === 0 ? silent + 1 : 0;
    if (silent <= 1_600) words.push(sample);
  }
  return Int16Array.from(words);
}
