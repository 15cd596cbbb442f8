/** The recorded clips that the gateway plays itself, read once: a greeting, an apology, a goodbye, a filler. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { convertOffline } from '../audio/offline.ts';
import { samplesToBytes } from '../audio/pcm.ts';
import { mixToMono, parseWav } from '../audio/wav.ts';
import { messageOf, OffhookError } from '../errors.ts';

export interface Clip {
  /** L16 at 24 kHz. */
  readonly bytes: Buffer;
  readonly text: string;
}

const TEXTS = {
  greeting: 'Hello, and thank you for calling. How can I help you?',
  apology: "I'm sorry, we have a technical problem. Please call again later.",
  goodbye: 'Thank you for calling. Goodbye.',
  moment: 'One moment, please.',
} as const;

export type ClipName = keyof typeof TEXTS;
export type Clips = Readonly<Record<ClipName, Clip>>;

/** @throws OffhookError ERR_WAV when a clip is missing or is no WAV */
export function readClips(dir: string): Clips {
  const read = (name: ClipName): Clip => {
    const path = join(dir, `${name}.wav`);
    try {
      const audio = parseWav(readFileSync(path));
      const samples = convertOffline(mixToMono(audio), audio.sampleRate, 24_000);
      return { bytes: Buffer.from(samplesToBytes(samples)), text: TEXTS[name] };
    } catch (caught) {
      throw new OffhookError('ERR_WAV', `Cannot read the clip ${path}: ${messageOf(caught)}`, {
        cause: caught,
      });
    }
  };
  return {
    greeting: read('greeting'),
    apology: read('apology'),
    goodbye: read('goodbye'),
    moment: read('moment'),
  };
}
