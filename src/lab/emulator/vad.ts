/**
 * The emulated server's ear: speech by energy over an adaptive noise floor, on 16 kHz samples. Its time is the time of
 * the stream: audio that arrives in a burst is heard fast, and while nothing arrives nothing ends.
 */

export const VAD_SAMPLE_RATE = 16_000;
const FRAME_MS = 10;
const FRAME_SAMPLES = (VAD_SAMPLE_RATE * FRAME_MS) / 1000;

/** Below this nothing is speech, however quiet the line: dB under the level of a full-scale square wave. */
const ABSOLUTE_GATE_DBOV = -55;
const LOWEST_FLOOR_DBOV = -70;
/** Until so much was heard, a loud beginning is taken for speech, not for the line's noise. */
const YOUNG_FRAMES = 100;
const YOUNG_FLOOR_CAP_DBOV = -42;
/** Speech has a pause within five seconds, steady noise has not: the floor is the least level of that long. */
const FLOOR_SLOTS = 10;
const FRAMES_PER_SLOT = 50;
/** Mains hum is no speech: one pole at 150 Hz. */
const HIGH_PASS = 1 - (2 * Math.PI * 150) / VAD_SAMPLE_RATE;
/** Clicks shorter than this, in the middle of silence, do not start the silence anew. */
const REVIVING_FRAMES = 3;

export interface VadOptions {
  /** Speech needed before its start is committed. */
  readonly prefixPaddingMs: number;
  /** Silence needed before the end. */
  readonly silenceDurationMs: number;
  readonly startSensitivity: 'high' | 'low';
  readonly endSensitivity: 'high' | 'low';
}

/** The documented defaults of the Gemini API: high and high, 20 ms, about 800 ms. */
export const DEFAULT_VAD: VadOptions = {
  prefixPaddingMs: 20,
  silenceDurationMs: 800,
  startSensitivity: 'high',
  endSensitivity: 'high',
};

export interface VadEvent {
  readonly kind: 'start' | 'end';
  /** Where in the stream the speech began or ended, in samples since its first. */
  readonly atSample: number;
  /** Where in the stream this became known. */
  readonly knownAtSample: number;
}

const toDbov = (power: number): number => (power < 1e-12 ? -120 : 10 * Math.log10(power));

export class EnergyVad {
  readonly #startFrames: number;
  readonly #endFrames: number;
  readonly #startMarginDb: number;
  readonly #endMarginDb: number;

  #framePower = 0;
  #filled = 0;
  #lastInput = 0;
  #lastOutput = 0;
  #previousPower = 0;
  #slowPower = 0;
  #frames = 0;

  readonly #slots: number[] = [];
  #slotMinimum = Number.POSITIVE_INFINITY;

  #speaking = false;
  #speechRun = 0;
  #missed = 0;
  #runStart = 0;
  #silenceRun = 0;
  #reviving = 0;
  #lastSpeechFrame = 0;

  constructor(options: VadOptions) {
    this.#startFrames = Math.max(2, Math.ceil(options.prefixPaddingMs / FRAME_MS));
    this.#endFrames = Math.max(1, Math.ceil(options.silenceDurationMs / FRAME_MS));
    this.#startMarginDb = options.startSensitivity === 'high' ? 9 : 13;
    this.#endMarginDb = options.endSensitivity === 'high' ? 7 : 5;
  }

  get speaking(): boolean {
    return this.#speaking;
  }

  /** Level under which everything of the last five seconds lay at least once, dBov. */
  get floorDbov(): number {
    let floor = this.#slotMinimum;
    for (const slot of this.#slots) floor = Math.min(floor, slot);
    if (this.#frames < YOUNG_FRAMES) floor = Math.min(floor, YOUNG_FLOOR_CAP_DBOV);
    return Math.max(LOWEST_FLOOR_DBOV, floor);
  }

  /** Takes 16 kHz samples, any number; reports what became known within them, in order. */
  push(samples: Int16Array): VadEvent[] {
    const events: VadEvent[] = [];
    for (let index = 0; index < samples.length; index++) {
      const input = samples[index]! / 32_768;
      const output = HIGH_PASS * (this.#lastOutput + input - this.#lastInput);
      this.#lastInput = input;
      this.#lastOutput = output;
      this.#framePower += output * output;
      if (++this.#filled === FRAME_SAMPLES) {
        const event = this.#onFrame(this.#framePower / FRAME_SAMPLES);
        if (event !== null) events.push(event);
        this.#framePower = 0;
        this.#filled = 0;
      }
    }
    return events;
  }

  /** Takes the speaker to be in mid utterance already, as after a connection was resumed within one. */
  assumeSpeech(): void {
    this.#speaking = true;
  }

  /** Ends a running utterance at once, as audioStreamEnd does; null when nobody speaks. */
  endNow(): VadEvent | null {
    if (!this.#speaking) return null;
    return this.#end();
  }

  #onFrame(power: number): VadEvent | null {
    const frame = this.#frames++;
    const levelDbov = toDbov((power + this.#previousPower) / 2);
    this.#previousPower = power;
    this.#learnFloor(power);
    const margin = this.#speaking ? this.#endMarginDb : this.#startMarginDb;
    const loud = levelDbov > ABSOLUTE_GATE_DBOV && levelDbov > this.floorDbov + margin;
    return this.#speaking ? this.#whileSpeaking(loud, frame) : this.#whileSilent(loud, frame);
  }

  #learnFloor(power: number): void {
    // Fifty milliseconds of memory: the least level of a noise should be close to its mean.
    this.#slowPower = this.#frames === 1 ? power : this.#slowPower + (power - this.#slowPower) / 5;
    this.#slotMinimum = Math.min(this.#slotMinimum, toDbov(this.#slowPower));
    if (this.#frames % FRAMES_PER_SLOT !== 0) return;
    this.#slots.push(this.#slotMinimum);
    if (this.#slots.length > FLOOR_SLOTS) this.#slots.shift();
    this.#slotMinimum = Number.POSITIVE_INFINITY;
  }

  #whileSilent(loud: boolean, frame: number): VadEvent | null {
    if (loud) {
      if (this.#speechRun === 0) this.#runStart = frame;
      this.#speechRun++;
      this.#missed = 0;
    } else if (this.#speechRun > 0 && ++this.#missed > 1) {
      this.#speechRun = 0;
      this.#missed = 0;
    }
    if (this.#speechRun < this.#startFrames) return null;
    this.#speaking = true;
    this.#speechRun = 0;
    this.#silenceRun = 0;
    this.#reviving = 0;
    this.#lastSpeechFrame = frame;
    return this.#event('start', this.#runStart);
  }

  #whileSpeaking(loud: boolean, frame: number): VadEvent | null {
    this.#reviving = loud ? this.#reviving + 1 : 0;
    if (this.#reviving >= REVIVING_FRAMES || (loud && this.#silenceRun === 0)) {
      this.#silenceRun = 0;
      this.#lastSpeechFrame = frame;
      return null;
    }
    return ++this.#silenceRun >= this.#endFrames ? this.#end() : null;
  }

  #end(): VadEvent {
    this.#speaking = false;
    this.#speechRun = 0;
    this.#missed = 0;
    return this.#event('end', this.#lastSpeechFrame + 1);
  }

  #event(kind: 'start' | 'end', frame: number): VadEvent {
    return { kind, atSample: frame * FRAME_SAMPLES, knownAtSample: this.#frames * FRAME_SAMPLES };
  }
}
