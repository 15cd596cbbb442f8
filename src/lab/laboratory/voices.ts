/**
 * The model's voice in counters: a clip has a number, and its samples say which clip and which sample they are. So what
 * reaches the caller's ear tells the turn that it belongs to.
 */
import { samplesToBytes } from '../../audio/pcm.ts';
import type { Clips, Clip as RecordedClip } from '../../call/clips.ts';
import { CLIP_RATE, type Clip } from '../clip.ts';
import { MAX_PLACE, writeCounted } from './counters.ts';

/** Places of one clip: 43 s at 24 kHz. */
const CLIP_PLACES = 1 << 20;
const CLIPS = MAX_PLACE / CLIP_PLACES;
/** So many turns later a clip is used again: what was said that long ago cannot be on its way any more. */
export const MODEL_CLIPS = 48;
/** What the gateway itself plays. */
const GATEWAY_CLIPS = { greeting: CLIPS - 4, apology: CLIPS - 3, goodbye: CLIPS - 2, moment: CLIPS - 1 };
const GATEWAY_MS = 900;

export const clipOf = (place: number): number => Math.floor(place / CLIP_PLACES);
export const indexIn = (place: number): number => place % CLIP_PLACES;
export const isGatewayClip = (clip: number): boolean => clip >= GATEWAY_CLIPS.greeting;
export const isGreetingClip = (clip: number): boolean => clip === GATEWAY_CLIPS.greeting;

export const isFillerClip = (clip: number): boolean => clip === GATEWAY_CLIPS.moment;

function speak(clip: number, ms: number): Int16Array {
  const samples = new Int16Array(Math.round((ms * CLIP_RATE) / 1000));
  writeCounted(samples, clip * CLIP_PLACES);
  return samples;
}

const spoken = new Map<number, Clip>();

/** The clip of a number, the same every time. From a word to half a minute long; most take a few seconds. */
export function modelClip(number: number): Clip {
  let clip = spoken.get(number);
  if (clip === undefined) {
    const ms = number % 16 === 15 ? 12_000 : 400 + ((number * 1_237) % 4_600);
    clip = { name: `turn ${number}`, samples: speak(number, ms) };
    spoken.set(number, clip);
  }
  return clip;
}

/** The gateway's own clips, told apart as the model's are. */
export function countedClips(): Clips {
  const clip = (number: number, text: string): RecordedClip => ({
    bytes: Buffer.from(samplesToBytes(speak(number, GATEWAY_MS))),
    text,
  });
  return {
    greeting: clip(GATEWAY_CLIPS.greeting, 'Hello.'),
    apology: clip(GATEWAY_CLIPS.apology, 'Sorry.'),
    goodbye: clip(GATEWAY_CLIPS.goodbye, 'Goodbye.'),
    moment: clip(GATEWAY_CLIPS.moment, 'One moment, please.'),
  };
}
