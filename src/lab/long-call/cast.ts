/** What is said in the long call: the recorded callers, cut into what they say, each with the answer that belongs to it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { convertOffline } from '../../audio/offline.ts';
import { mixToMono, parseWav } from '../../audio/wav.ts';
import { OffhookError } from '../../errors.ts';
import { findSpeech, mergeSpans } from '../report/segments.ts';
import { loadScenario, type Reply } from '../scenario.ts';

const RATE = 8_000;
/** Pauses inside one thing that is said: a number is dictated with some of 450 ms. */
const PAUSE_MS = 600;
/** Cut in the quiet around it. */
const MARGIN_MS = 60;
/** Between two things that are said there is nothing but the line. */
const CLEAR_OF_SPEECH_MS = 400;

/** One thing that the caller says. */
export interface Line {
  readonly name: string;
  /** 8 kHz, as recorded. */
  readonly samples: Int16Array;
  readonly reply: Reply;
}

export interface Cast {
  readonly greeting: Reply;
  readonly lines: ReadonlyMap<string, Line>;
  /** The line when nobody speaks, 8 kHz; goes round. */
  readonly roomTone: Int16Array;
}

/** What the caller of each recording says, in order. */
const CALLS = {
  'plain-question': ['hours', 'goodbye'],
  'barge-in-twice': ['services', 'price', 'bring', 'thanks'],
  'long-silence': ['ready', 'moment', 'ticket'],
  'telephone-numbers': ['call-back', 'number'],
} as const;

export type LineName = (typeof CALLS)[keyof typeof CALLS][number];

/** @throws OffhookError ERR_SCENARIO when a recording does not hold what its scenario says */
export function loadCast(callsDir: string): Cast {
  const lines = new Map<string, Line>();
  let greeting: Reply | null = null;
  let roomTone = new Int16Array(0);
  for (const [call, names] of Object.entries(CALLS)) {
    const scenario = loadScenario(join(callsDir, call, 'scenario.yaml'));
    greeting ??= scenario.greeting;
    const samples = readCaller(scenario.caller?.wavPath ?? '');
    const spans = mergeSpans(findSpeech(samples), PAUSE_MS);
    if (spans.length !== names.length || scenario.replies.length !== names.length)
      throw new OffhookError(
        'ERR_SCENARIO',
        `Cutting the recording of "${call}": found "${spans.length}" utterances and "${scenario.replies.length}" replies, wanted ${names.length} of each`,
      );
    names.forEach((name, index) => {
      const { fromMs, toMs } = spans[index]!;
      const reply = scenario.replies[index]!;
      lines.set(name, {
        name,
        samples: samples.slice(at(fromMs - MARGIN_MS), at(toMs + MARGIN_MS)),
        reply: name === 'goodbye' ? reply : { ...reply, calls: [] },
      });
    });
    const quiet = longestQuiet(samples, spans);
    if (quiet.length > roomTone.length) roomTone = quiet;
  }
  if (greeting === null)
    throw new OffhookError('ERR_SCENARIO', 'Choosing a greeting: found none, wanted one in a recorded call');
  return { greeting, lines, roomTone };
}

function readCaller(path: string): Int16Array {
  const audio = parseWav(readFileSync(path));
  const mono = mixToMono(audio);
  return audio.sampleRate === RATE ? mono : convertOffline(mono, audio.sampleRate, RATE);
}

function longestQuiet(
  samples: Int16Array,
  spans: readonly { readonly fromMs: number; readonly toMs: number }[],
): Int16Array<ArrayBuffer> {
  let [fromMs, toMs] = [0, 0];
  spans.forEach((span, index) => {
    const nextMs = spans[index + 1]?.fromMs ?? (samples.length * 1_000) / RATE;
    if (nextMs - span.toMs > toMs - fromMs) [fromMs, toMs] = [span.toMs, nextMs];
  });
  return samples.slice(at(fromMs + CLEAR_OF_SPEECH_MS), at(toMs - CLEAR_OF_SPEECH_MS));
}

const at = (ms: number): number => Math.max(0, Math.round((ms * RATE) / 1_000));
