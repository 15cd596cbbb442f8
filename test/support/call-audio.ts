/** Sound for tests of whole calls: recorded speech, and noise of which every 6 ms can be found again. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PCMU } from '../../src/audio/g711.ts';
import { createResampler } from '../../src/audio/resample.ts';
import { mixToMono, parseWav } from '../../src/audio/wav.ts';
import { seededRandom } from '../../src/lab/network/random.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures');

export const SILENT = 0xff;
export const SILENT_FRAME = new Uint8Array(160).fill(SILENT);

/** 8 kHz samples of a recorded caller from `fromS` to `toS` of the recording. */
export function callerVoice(call: string, fromS: number, toS: number): Int16Array {
  const wav = parseWav(readFileSync(join(FIXTURES, 'calls', call, 'caller.wav')));
  return mixToMono(wav).slice(fromS * 8_000, toS * 8_000);
}

/** What the man of `barge-in-twice` says over the bot's first answer: two seconds. */
export const interruption = (): Int16Array => callerVoice('barge-in-twice', 12.5, 14.5);

/** The question of `plain-question`: 2.5 s. */
export const question = (): Int16Array => callerVoice('plain-question', 5.67, 8.12);

/** The first syllable of the interruption and nothing after it: sounds like speech, is over like a cough. */
export const cough = (): Int16Array => interruption().slice(0, 8 * 140);

/** 24 kHz samples of a sentence of the bot's voice. */
export function botVoice(clip: string): Int16Array {
  return mixToMono(parseWav(readFileSync(join(FIXTURES, 'voices/bot', `${clip}.wav`))));
}

/** 24 kHz noise without a pause: where it is missing it was not played, and no part of it sounds like another. */
export function noise(ms: number, seed: number): Int16Array {
  const random = seededRandom(seed);
  return Int16Array.from({ length: ms * 24 }, () => Math.round((random() - 0.5) * 12_000));
}

/** L16 bytes as the model sends them. */
export const bytesOf = (samples: Int16Array): Buffer =>
  Buffer.from(samples.buffer.slice(samples.byteOffset, samples.byteOffset + samples.byteLength));

/** The payload that a carrier must get for a turn of the model's, converted in one piece. */
export function payloadOf(samples24k: Int16Array): Buffer {
  const converter = createResampler(24_000, 8_000);
  const body = PCMU.encode(Int16Array.from(converter.process(samples24k)));
  const tail = PCMU.encode(Int16Array.from(converter.flush()));
  return Buffer.concat([body, tail]);
}

/** The 16 kHz samples that the model must get for the caller's payloads, converted in one piece. */
export function uplinkOf(payload: Buffer): Int16Array {
  return Int16Array.from(createResampler(8_000, 16_000).process(PCMU.decode(payload)));
}

/** Numbers the bytes of played audio by where they stand in `source`, -1 for silence or anything that is not in it. */
export function positionsIn(source: Buffer, played: Buffer): Int32Array {
  const positions = new Int32Array(played.length).fill(-1);
  let at = 0;
  while (at + KEY <= played.length) {
    let sound = at;
    while (played[sound] === SILENT) sound += 1;
    if (sound - at >= KEY) {
      at = sound - KEY + 1;
      continue;
    }
    let position = source.indexOf(played.subarray(at, at + KEY));
    if (position === -1) {
      at += 1;
      continue;
    }
    while (at < played.length && played[at] === source[position]) {
      positions[at] = position;
      at += 1;
      position += 1;
    }
  }
  return positions;
}

/** So many bytes of noise stand in one place only. */
const KEY = 24;

/** Milliseconds of silence strictly inside the sound: gaps of at least 5 ms between its first and its last sample. */
export function gapsIn(played: Buffer): number[] {
  const gaps: number[] = [];
  let run = 0;
  let sounding = false;
  for (const byte of played) {
    if (byte === SILENT || byte === 0x7f) {
      run += 1;
    } else {
      if (sounding && run >= 40) gaps.push(run / 8);
      sounding = true;
      run = 0;
    }
  }
  return gaps;
}
