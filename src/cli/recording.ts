/** A caller's recording, from any WAV file that the audio reader takes, as the telephone carries it. */
import { readFileSync } from 'node:fs';
import { convertOffline } from '../audio/offline.ts';
import { mixToMono, parseWav, WavError } from '../audio/wav.ts';
import { messageOf, OffhookError } from '../errors.ts';

const RATE = 8_000;
const MAX_SECONDS = 3_600;

/** 8 kHz mono. @throws OffhookError ERR_WAV */
export function readCaller(path: string): Int16Array {
  try {
    const audio = parseWav(readFileSync(path));
    const mono = mixToMono(audio);
    if (mono.length === 0 || mono.length > audio.sampleRate * MAX_SECONDS) {
      throw new WavError(`found "${mono.length / audio.sampleRate}" seconds; up to an hour is wanted.`);
    }
    return audio.sampleRate === RATE ? mono : convertOffline(mono, audio.sampleRate, RATE);
  } catch (caught) {
    const why = caught instanceof RangeError ? 'of an unusual sample rate' : messageOf(caught);
    throw new OffhookError('ERR_WAV', `Cannot use "${path}" as the caller: ${why}`, { cause: caught });
  }
}
