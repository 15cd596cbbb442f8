/**
 * The speech tracker of a call: feeds the detector with 20 ms of the caller at 8 kHz, whatever the stream's rate, and
 * turns its frame numbers into times of our clock.
 */

import { createResampler, type Resampler } from '../audio/resample.ts';
import { SpeechDetector } from '../audio/speech-detector.ts';
import { createVoiceDetector, type VoiceDetector } from '../audio/vad.ts';

/** `agoMs`: from the first (of an end: behind the last) sample of the speech to the newest one pushed. */
export type SpeechChange =
  | {
      readonly type: 'onset';
      readonly onsetAtMs: number;
      readonly levelDbov: number;
      readonly agoMs: number;
    }
  | {
      readonly type: 'end';
      readonly lastSpeechAtMs: number;
      readonly durationMs: number;
      readonly agoMs: number;
    };

/** What listens to the caller of one call. */
export interface Tracker {
  readonly speaking: boolean;
  /** When the last frame with speech arrived; null before the first. */
  readonly lastSpeechAtMs: number | null;
  /**
   * Takes what the caller sent, any length; at most a change a frame, so usually null. `isBlanked`: sound was taken out
   * of it, so that its silence says nothing of the line.
   */
  push(samples: Int16Array, nowMs: number, echoDbov: number, isBlanked?: boolean): SpeechChange | null;
  dispose(): void;
}

const FRAME_SAMPLES = 160;
const FRAME_MS = 20;
/** Arrival times of the last frames: longer than any onset or end takes to be recognised. */
const KEPT = 64;

export class SpeechTracker implements Tracker {
  readonly #voice: VoiceDetector;
  readonly #detector: SpeechDetector;
  readonly #resampler: Resampler | null;
  readonly #frame = new Int16Array(FRAME_SAMPLES);
  #fill = 0;
  /** Of the frame that is being filled. */
  #isBlanked = false;
  readonly #arrivedAtMs = new Float64Array(KEPT);
  #onsetFrame = 0;

  constructor(sampleRate: number) {
    this.#voice = createVoiceDetector();
    this.#detector = new SpeechDetector({ voice: this.#voice });
    this.#resampler = sampleRate === 8_000 ? null : createResampler(sampleRate, 8_000);
  }

  get speaking(): boolean {
    return this.#detector.speaking;
  }

  /** When the last frame with speech arrived; null before the first. */
  get lastSpeechAtMs(): number | null {
    const frame = this.#detector.lastSpeechFrame;
    return frame < 0 ? null : this.#timeOf(frame);
  }

  /** Takes what the caller sent; at most a change a frame, so usually null. `echoDbov` is asked for once a frame. */
  push(samples: Int16Array, nowMs: number, echoDbov: number, isBlanked = false): SpeechChange | null {
    const narrow = this.#resampler === null ? samples : this.#resampler.process(samples);
    let change: SpeechChange | null = null;
    let at = 0;
    while (at < narrow.length) {
      const take = Math.min(narrow.length - at, FRAME_SAMPLES - this.#fill);
      this.#frame.set(narrow.subarray(at, at + take), this.#fill);
      this.#fill += take;
      at += take;
      this.#isBlanked ||= isBlanked;
      if (this.#fill < FRAME_SAMPLES) break;
      this.#fill = 0;
      change = this.#judge(nowMs, echoDbov) ?? change;
      this.#isBlanked = false;
    }
    return change;
  }

  /** The detector's memory lies outside the garbage collector's reach. */
  dispose(): void {
    this.#voice.dispose();
  }

  #judge(nowMs: number, echoDbov: number): SpeechChange | null {
    const detector = this.#detector;
    this.#arrivedAtMs[detector.frames % KEPT] = nowMs;
    const change = detector.push(this.#frame, echoDbov, this.#isBlanked);
    if (change === 'onset') {
      this.#onsetFrame = detector.onsetFrame;
      const onsetAtMs = this.#timeOf(this.#onsetFrame);
      const agoMs = (detector.frames - detector.onsetFrame) * FRAME_MS;
      return { type: 'onset', onsetAtMs, levelDbov: detector.levelDbov, agoMs };
    }
    if (change !== 'end') return null;
    const lastSpeechAtMs = this.#timeOf(detector.lastSpeechFrame);
    const agoMs = (detector.frames - detector.lastSpeechFrame - 1) * FRAME_MS;
    // By what was said and not by when it came: words that the line held back come all at once.
    const durationMs = (detector.lastSpeechFrame - this.#onsetFrame + 1) * FRAME_MS;
    return { type: 'end', lastSpeechAtMs, durationMs, agoMs };
  }

  /** Arrival of a frame; for one long gone, reckoned back from the newest. */
  #timeOf(frame: number): number {
    const newest = this.#detector.frames - 1;
    if (newest - frame < KEPT) return this.#arrivedAtMs[frame % KEPT] as number;
    return (this.#arrivedAtMs[newest % KEPT] as number) - (newest - frame) * FRAME_MS;
  }
}
