/** What an emulated model says: 24 kHz samples with a name, from a file or made on the spot. */
import { readFileSync } from 'node:fs';
import { convertOffline } from '../audio/offline.ts';
import { mixToMono, parseWav } from '../audio/wav.ts';

export const CLIP_RATE = 24_000;

export interface Clip {
  readonly name: string;
  /** 24 kHz mono. Never changed: encoded chunks of it are kept and shared. */
  readonly samples: Int16Array;
}

export const clipMs = (clip: Clip): number => (clip.samples.length * 1000) / CLIP_RATE;

/** Reads a WAV file of any supported rate. Throws what the file system or the WAV reader has to say. */
export function loadClip(path: string, name: string): Clip {
  const audio = parseWav(readFileSync(path));
  const mono = mixToMono(audio);
  const samples = audio.sampleRate === CLIP_RATE ? mono : convertOffline(mono, audio.sampleRate, CLIP_RATE);
  return { name, samples };
}

const SYLLABLE_MS = 200;
const SPEAKING_MS = 150;
/** A small scale, so that a phrase has a melody and its parts can be told apart in a recording. */
const PITCHES = [220, 262, 294, 247, 330, 196, 277, 233];

/**
 * Stands in for a voice where no recording is at hand: one softly fading note per syllable, at about -20 dBov.
 * The same arguments always make the same samples.
 */
export function tonePhrase(name: string, durationMs: number): Clip {
  const samples = new Int16Array(Math.round((durationMs * CLIP_RATE) / 1000));
  let shift = 0;
  for (const character of name) shift = (shift * 31 + character.charCodeAt(0)) % PITCHES.length;
  for (let index = 0; index < samples.length; index++) {
    const timeMs = (index * 1000) / CLIP_RATE;
    const syllable = Math.floor(timeMs / SYLLABLE_MS);
    const intoMs = timeMs - syllable * SYLLABLE_MS;
    if (intoMs >= SPEAKING_MS) continue;
    const pitch = PITCHES[(syllable + shift) % PITCHES.length]!;
    const swell = Math.sin((Math.PI * intoMs) / SPEAKING_MS);
    const phase = (2 * Math.PI * pitch * index) / CLIP_RATE;
    samples[index] = Math.round(4600 * swell * (Math.sin(phase) + 0.4 * Math.sin(2 * phase)));
  }
  return { name, samples };
}

/** About as long as it would take to say the text. */
export const phraseFor = (text: string): Clip => tonePhrase(text, Math.min(20_000, 400 + 60 * text.length));
