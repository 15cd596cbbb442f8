/**
 * What the callers of the rotation bench say: recorded sentences, each of them once in a call, with pauses in which a
 * rotation may go unnoticed, and now and then into the model's answer.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { convertOffline } from '../../audio/offline.ts';
import { mixToMono, parseWav } from '../../audio/wav.ts';
import type { Random } from '../network/random.ts';
import { findSpeech } from '../report/segments.ts';
import type { Stretch } from './rotation-speech.ts';

const RATE = 8_000;
const FRAME = 160;
/** Recordings with clean speech; the others have keys or noise in it. */
const RECORDINGS = ['barge-in-twice', 'long-silence', 'plain-question', 'telephone-numbers'];
const SHORTEST_MS = 1_300;
/** Said faster and slower it is another sentence to whoever compares samples. */
const TEMPI: readonly (readonly [number, number])[] = [
  [RATE, RATE],
  [22_050, 24_000],
  [24_000, 22_050],
];
const AROUND_MS = 100;

/** What makes the model greet. */
export const GREET = 'Greet the caller now.';

/** What the model says to the n-th utterance, over and over; the longest is interrupted. */
export const ANSWERS = ['booked', 'hours', 'services', 'order'];
const ANSWERS_MS = [3_200, 2_700, 9_700, 3_200];
const INTERRUPTED = 2;
/** Silence until the model knows that the caller has finished, and the time that it thinks. */
const ANSWERED_AFTER_MS = 1_400;
const GREETED_MS = 5_200;

export interface Voices {
  readonly sentences: readonly Int16Array[];
  /** The quiet line. */
  readonly line: Int16Array;
}

/** @param calls the folder of recorded calls */
export function readVoices(calls: string): Voices {
  const recordings = RECORDINGS.map((name) => {
    const audio = parseWav(readFileSync(join(calls, name, 'caller.wav')));
    return convertOffline(mixToMono(audio), audio.sampleRate, RATE);
  });
  const cut = recordings.flatMap((samples) =>
    findSpeech(samples, RATE)
      .filter(({ fromMs, toMs }) => toMs - fromMs >= SHORTEST_MS)
      .map(({ fromMs, toMs }) => samples.slice((fromMs - AROUND_MS) * 8, (toMs + AROUND_MS) * 8)),
  );
  const sentences = TEMPI.flatMap(([from, to]) => cut.map((samples) => convertOffline(samples, from, to)));
  return { sentences, line: recordings[0]!.slice(0, 5 * RATE) };
}

export interface CallerScript {
  readonly caller: Int16Array;
  readonly utterances: readonly Stretch[];
  /** Of them, said into an answer. */
  readonly interruptions: number;
}

/**
 * @param seconds how long the call is; in the last of them nothing is said
 * @param settleMs how long the last words may take to arrive
 */
export function scriptOf(voices: Voices, seconds: number, settleMs: number, random: Random): CallerScript {
  const caller = new Int16Array(seconds * RATE);
  for (let at = 0; at < caller.length; at += voices.line.length)
    caller.set(voices.line.subarray(0, caller.length - at), at);
  const untilMs = seconds * 1_000 - settleMs;
  const utterances: Stretch[] = [];
  const first = Math.floor(random() * voices.sentences.length);
  let interruptions = 0;
  let atMs = GREETED_MS + random() * 4_000;
  for (let n = 0; n < voices.sentences.length; n += 1) {
    const sentence = voices.sentences[(first + n) % voices.sentences.length]!;
    const from = Math.round((atMs * RATE) / 1_000 / FRAME) * FRAME;
    const endMs = atMs + sentence.length / 8;
    if (endMs > untilMs) break;
    caller.set(sentence, from);
    utterances.push({ from, to: from + Math.floor(sentence.length / FRAME) * FRAME });
    const answer = n % ANSWERS.length;
    const interrupts = answer === INTERRUPTED;
    if (interrupts) interruptions += 1;
    const pauseMs = interrupts ? 1_500 + random() * 2_000 : ANSWERS_MS[answer]! + 1_000 + random() * 2_000;
    atMs = endMs + ANSWERED_AFTER_MS + pauseMs;
  }
  return { caller, utterances, interruptions };
}
