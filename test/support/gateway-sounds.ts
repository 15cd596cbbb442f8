/** What is said in the acceptance calls: every clip of the bot's is noise of its own, so that each 3 ms can be told. */
import type { Clip } from '../../src/lab/clip.ts';
import { voiced } from '../audio/voice.ts';
import { noise, payloadOf, positionsIn } from './call-audio.ts';

export type ClipId = 'greeting' | 'answer' | 'last' | 'note';

/** The answer is long enough to be interrupted, whoever is slow. */
const LENGTHS_MS: Readonly<Record<ClipId, number>> = { greeting: 300, answer: 3_000, last: 300, note: 300 };

export const CLIP_IDS = Object.keys(LENGTHS_MS) as readonly ClipId[];
const SAMPLES = new Map(CLIP_IDS.map((id, index) => [id, noise(LENGTHS_MS[id], index + 11)]));

/** As the emulated model says it. */
export const modelClip = (id: ClipId): Clip => ({ name: id, samples: SAMPLES.get(id)! });

/** The caller: a vowel, loud and long enough for every ear. */
export const SPEECH: Int16Array = voiced(8 * 500, -20);

const PAYLOADS = CLIP_IDS.map((id) => ({ id, payload: payloadOf(SAMPLES.get(id)!) }));
const ALL = Buffer.concat(PAYLOADS.map(({ payload }) => payload));
/** A frame may be cut, and noise is silent now and then. */
const SHORTEST_BYTES = 24;
/** A model that stalls makes the converter flush: 5 ms beside the seam differ. A frame that is missing is 160 bytes. */
export const SEAM_BYTES = 64;

const KEY_BYTES = 8;
const FRAME_BYTES = 160;

/** Every place in every clip by the bytes that stand there, so that a frame is known at once. */
const CLIP_AT = new Map(
  PAYLOADS.flatMap(({ id, payload }) =>
    Array.from({ length: payload.length - KEY_BYTES }, (_, at) => [keyAt(payload, at), id] as const),
  ),
);

function keyAt(payload: Buffer, at: number): string {
  return payload.toString('latin1', at, at + KEY_BYTES);
}

/** Which clip a played frame is from; null for silence, and for what is none of these. */
export const clipOf = (frame: Buffer): ClipId | null =>
  isSilent(frame) ? null : (CLIP_AT.get(keyAt(frame, FRAME_BYTES / 2)) ?? null);

/** Both zeros of mu-law; a clip rings out in them, too. */
const isSilent = (frame: Buffer): boolean =>
  frame.subarray(FRAME_BYTES / 2, FRAME_BYTES / 2 + KEY_BYTES).every((code) => (code & 0x7f) === 0x7f);

export interface HeardStretch {
  readonly clip: ClipId;
  readonly fromMs: number;
  readonly toMs: number;
  readonly whole: boolean;
}

/** Which parts of which clips were heard, in the order in which they were heard; a pause within one breaks nothing. */
export function stretchesIn(played: Buffer): readonly HeardStretch[] {
  const positions = positionsIn(ALL, played);
  const found: { from: number; to: number }[] = [];
  for (const position of positions) {
    const last = found.at(-1);
    if (position < 0) continue;
    const goesOn = last !== undefined && position >= last.to && position - last.to <= SEAM_BYTES;
    if (goesOn && !isBoundary(position)) last.to = position + 1;
    else found.push({ from: position, to: position + 1 });
  }
  return found.filter(({ from, to }) => to - from >= SHORTEST_BYTES).map(({ from, to }) => stretch(from, to));
}

function isBoundary(position: number): boolean {
  let at = 0;
  return PAYLOADS.some(({ payload }) => {
    const begins = at === position;
    at += payload.length;
    return begins;
  });
}

function stretch(from: number, to: number): HeardStretch {
  let at = 0;
  for (const { id, payload } of PAYLOADS) {
    if (from < at + payload.length) {
      const whole = from - at <= SHORTEST_BYTES && at + payload.length - to <= SHORTEST_BYTES;
      return { clip: id, fromMs: (from - at) / 8, toMs: (to - at) / 8, whole };
    }
    at += payload.length;
  }
  throw new Error(`no clip has byte ${from}`);
}

/** `greeting` for one that was heard whole, `answer~` for one that broke off, from where to where for all else. */
export const wordOf = ({ clip, fromMs, toMs, whole }: HeardStretch): string => {
  if (whole) return clip;
  return fromMs * 8 <= SHORTEST_BYTES ? `${clip}~` : `${clip} ${fromMs} to ${toMs} ms`;
};
