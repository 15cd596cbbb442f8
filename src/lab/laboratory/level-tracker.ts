/** A speech tracker for counted audio: loud is speech. It costs a hundredth of the call's own one, and cannot err. */
import type { SpeechChange, Tracker } from '../../call/speech.ts';

const FRAME_MS = 20;
/** So many loud frames in a row begin an utterance; so many quiet ones end it, as with the call's own tracker. */
const ONSET_FRAMES = 3;
const END_FRAMES = 20;
/** Between silence and the quietest counted sample. */
const LOUD = 2_048;
const LOUD_DBOV = -10;

export class LevelTracker implements Tracker {
  readonly #samplesPerMs: number;
  readonly #frameSamples: number;
  #pushed = 0;
  /** Behind the last whole frame. */
  #judged = 0;
  #loudRun = 0;
  #quietRun = 0;
  #onsetAtMs = 0;
  #onsetSample = 0;
  #lastSpeechSample = 0;
  #lastSpeechAtMs: number | null = null;
  #speaking = false;

  constructor(sampleRate: number) {
    this.#samplesPerMs = sampleRate / 1000;
    this.#frameSamples = this.#samplesPerMs * FRAME_MS;
  }

  get speaking(): boolean {
    return this.#speaking;
  }

  get lastSpeechAtMs(): number | null {
    return this.#lastSpeechAtMs;
  }

  push(samples: Int16Array, nowMs: number, _echoDbov: number): SpeechChange | null {
    const start = this.#pushed;
    this.#pushed += samples.length;
    let change: SpeechChange | null = null;
    while (this.#judged + this.#frameSamples <= this.#pushed) {
      this.#judged += this.#frameSamples;
      // Counted audio is loud in every sample, so one tells of its frame.
      const isLoud = Math.abs(samples[this.#judged - 1 - start]!) > LOUD;
      change = (isLoud ? this.#onLoud(nowMs) : this.#onQuiet(nowMs)) ?? change;
    }
    return change;
  }

  dispose(): void {}

  #onLoud(nowMs: number): SpeechChange | null {
    this.#quietRun = 0;
    if (this.#loudRun++ === 0 && !this.#speaking) {
      this.#onsetAtMs = nowMs;
      this.#onsetSample = this.#judged - this.#frameSamples;
    }
    if (!this.#speaking && this.#loudRun < ONSET_FRAMES) return null;
    this.#lastSpeechAtMs = nowMs;
    this.#lastSpeechSample = this.#judged;
    if (this.#speaking) return null;
    this.#speaking = true;
    return {
      type: 'onset',
      onsetAtMs: this.#onsetAtMs,
      levelDbov: LOUD_DBOV,
      agoMs: this.#agoMs(this.#onsetSample),
    };
  }

  #onQuiet(nowMs: number): SpeechChange | null {
    this.#loudRun = 0;
    if (!this.#speaking || ++this.#quietRun < END_FRAMES) return null;
    this.#speaking = false;
    const lastSpeechAtMs = this.#lastSpeechAtMs ?? nowMs;
    return {
      type: 'end',
      lastSpeechAtMs,
      durationMs: (this.#lastSpeechSample - this.#onsetSample) / this.#samplesPerMs,
      agoMs: this.#agoMs(this.#lastSpeechSample),
    };
  }

  #agoMs(sample: number): number {
    return (this.#pushed - sample) / this.#samplesPerMs;
  }
}
