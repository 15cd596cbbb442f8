/**
 * Finds where the caller starts and stops to speak, frame by frame, on the telephone's side of the gateway. It is
 * quick rather than clever: it may pause our playout, but nothing at this level survives somebody else's talk in the
 * background, so the last word stays with the model's own detector.
 */
import { SILENCE_DBOV, toDbov } from './level.ts';
import { NoiseFloor } from './noise-floor.ts';
import { FRAME_MS } from './pcm.ts';
import type { VoiceDetector } from './vad.ts';

export interface SpeechDetectorOptions {
  /** Judges single frames; belongs to the caller of this, who disposes of it. */
  readonly voice: Pick<VoiceDetector, 'isSpeech'>;
  /** Silence after which an utterance has ended, in milliseconds. Default 400. */
  readonly endMs?: number;
  /** By how much our own audio is weaker when it comes back from the caller's telephone, in dB. Default 26. */
  readonly echoLossDb?: number;
}

/** What a frame brought about: an utterance began or ended with it, or neither. */
export type SpeechChange = 'onset' | 'end' | null;

/** Below this nothing is taken for speech, in dBov: the detector fires on echo of -46 and never on -56. */
const LOWEST_SPEECH_DBOV = -48;
/** Speech stands this far above the noise, in dB. */
const ABOVE_FLOOR_DB = 6;
/** The quick way to an onset is for sound that stands this far above it ... */
const STRONG_ABOVE_FLOOR_DB = 15;
/** ... in blocks of 5 ms ... */
const BLOCK_SAMPLES = 40;
/** ... without a gap for 30 ms: a click of up to 20 ms falls on two frames, but never on so many blocks. */
const STRONG_BLOCKS = 6;
/** How far above the expected echo a caller has to be, in dB. */
const ABOVE_ECHO_DB = 6;
/** Echo comes back late, by what the networks need: the loudest of so many frames (0.4 s) counts. */
const ECHO_FRAMES = 20;
/** Below this a frame goes by the voice detector. It would only say no, and learn nothing from it. */
const UNHEARD_DBOV = -66;
/** How far back the beginning of an utterance is looked for: 200 ms. */
const LOOK_BACK_FRAMES = 10;

/** Tracks one call. Frames are numbered from 0, in the order they were pushed. */
export class SpeechDetector {
  readonly #voice: Pick<VoiceDetector, 'isSpeech'>;
  readonly #endFrames: number;
  readonly #echoLossDb: number;
  readonly #floor = new NoiseFloor();
  /** One bit per frame, the newest lowest: judged speech; louder than noise and echo. */
  #speech = 0;
  #audible = 0;
  /** Strong blocks in a row, up to now. */
  #strongBlocks = 0;
  readonly #echo = new Float64Array(ECHO_FRAMES).fill(SILENCE_DBOV);
  #frames = 0;
  #speaking = false;
  #levelDbov = SILENCE_DBOV;
  #lastSpeechFrame = -1;
  #onsetFrame = -1;

  constructor(options: SpeechDetectorOptions) {
    this.#voice = options.voice;
    this.#endFrames = Math.max(1, Math.round((options.endMs ?? 400) / FRAME_MS));
    this.#echoLossDb = options.echoLossDb ?? 26;
  }

  /** Frames pushed so far. */
  get frames(): number {
    return this.#frames;
  }

  /** Whether an utterance has begun and not ended. */
  get speaking(): boolean {
    return this.#speaking;
  }

  /** Level of the last frame, in dBov. */
  get levelDbov(): number {
    return this.#levelDbov;
  }

  /** Level of the noise under the speech, in dBov. */
  get noiseFloorDbov(): number {
    return this.#floor.dbov;
  }

  /** Number of the last frame that was judged speech; -1 before the first. */
  get lastSpeechFrame(): number {
    return this.#lastSpeechFrame;
  }

  /** Number of the frame with which the present or last utterance began; -1 before the first. */
  get onsetFrame(): number {
    return this.#onsetFrame;
  }

  /**
   * Takes the next frame of the caller.
   * @param frame 160 samples at 8 kHz
   * @param echoDbov level at which our own audio is being played to the caller now; SILENCE_DBOV when none is
   * @param isBlanked sound was taken out of it: its silence is not the line's, and nothing is learnt of the noise
   * @throws RangeError for a frame of another length: carriers' audio goes through a Framer first
   */
  push(frame: Int16Array, echoDbov: number, isBlanked = false): SpeechChange {
    const index = this.#frames;
    this.#frames += 1;
    this.#echo[index % ECHO_FRAMES] = echoDbov;
    this.#judge(frame);
    if ((this.#speech & 1) === 1) this.#lastSpeechFrame = index;
    if (!isBlanked) this.#floor.push(this.#levelDbov, this.#speaking);
    return this.#decide(index);
  }

  #judge(frame: Int16Array): void {
    const floor = this.#floor.dbov;
    const audibleDbov = Math.max(
      floor + ABOVE_FLOOR_DB,
      largest(this.#echo) - this.#echoLossDb + ABOVE_ECHO_DB,
    );
    const gateDbov = Math.max(LOWEST_SPEECH_DBOV, audibleDbov);
    const level = this.#measure(frame, Math.max(gateDbov, floor + STRONG_ABOVE_FLOOR_DB));
    const voice = level > UNHEARD_DBOV && this.#voice.isSpeech(frame);
    this.#levelDbov = level;
    this.#speech = (this.#speech << 1) | Number(voice && level > gateDbov);
    this.#audible = (this.#audible << 1) | Number(level > audibleDbov);
  }

  /** The frame's level; on the way, counts on the row of strong blocks. */
  #measure(frame: Int16Array, strongDbov: number): number {
    const strongEnergy = BLOCK_SAMPLES * 32_768 ** 2 * 10 ** (strongDbov / 10);
    let energy = 0;
    for (let from = 0; from < frame.length; from += BLOCK_SAMPLES) {
      const to = Math.min(frame.length, from + BLOCK_SAMPLES);
      let blockEnergy = 0;
      for (let i = from; i < to; i += 1) blockEnergy += frame[i]! * frame[i]!;
      this.#strongBlocks = blockEnergy >= strongEnergy ? this.#strongBlocks + 1 : 0;
      energy += blockEnergy;
    }
    return toDbov(energy, frame.length);
  }

  #decide(index: number): SpeechChange {
    if (this.#speaking) {
      if (index - this.#lastSpeechFrame < this.#endFrames) return null;
      this.#speaking = false;
      return 'end';
    }
    const quick = this.#strongBlocks >= STRONG_BLOCKS && bits(this.#speech & 0b111) >= 2;
    if (!quick && bits(this.#speech & 0b1111) < 3) return null;
    this.#speaking = true;
    this.#onsetFrame = index - this.#lookBack();
    return 'onset';
  }

  /** How many frames ago the sound began that turned out to be speech: also its weak first consonant. */
  #lookBack(): number {
    let back = 31 - Math.clz32(this.#speech & 0b1111);
    while (back < LOOK_BACK_FRAMES && ((this.#audible >> (back + 1)) & 1) === 1) back += 1;
    return back;
  }
}

/** A loop, as spreading the array would make objects of its numbers, fifty times a second. */
function largest(values: Float64Array): number {
  let found = values[0]!;
  for (let i = 1; i < values.length; i += 1) if (values[i]! > found) found = values[i]!;
  return found;
}

function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest > 0; rest &= rest - 1) count += 1;
  return count;
}
