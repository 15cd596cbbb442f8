/**
 * Runs the audio path once at start, on silence and a tone: filters are designed, tables built and the hot loops compiled
 * before the first caller, whose first answer came ten milliseconds later without it.
 */

import { createResampler } from '../audio/resample.ts';
import type { MediaFormat } from '../carriers/carrier.ts';
import { createCodec } from './codec.ts';
import { SpeechTracker } from './speech.ts';

const ROUNDS = 60;
const FORMAT: MediaFormat = { encoding: 'pcmu', sampleRate: 8000 };

export function warmUp(): void {
  const codec = createCodec(FORMAT);
  const up = createResampler(8_000, 16_000);
  const down = createResampler(24_000, 8_000);
  const tracker = new SpeechTracker(8_000);
  const tone = Int16Array.from({ length: 4_800 }, (_, i) => 8_000 * Math.sin(i / 9));
  for (let round = 0; round < ROUNDS; round++) {
    const payload = codec.encode(down.process(tone)).slice();
    codec.levelDbov(payload);
    for (let at = 0; at + 160 <= payload.length; at += 160) {
      const samples = codec.decode(payload.subarray(at, at + 160));
      tracker.push(samples, round * 200 + at / 8, -127);
      Buffer.from(up.process(samples).buffer).toString('base64');
    }
  }
  tracker.dispose();
}
