/** Frames of one window: 0.4 s. */
const WINDOW_FRAMES = 20;
/** Windows looked back on: two seconds hold a pause between syllables of any speech. */
const WINDOWS = 5;
/** Weight of the newest frame in the smoothed level: evens out the swing of noise from frame to frame. */
const SMOOTHING = 0.3;
/** The first frames are believed to be noise at once, up to this level, in dBov: calls do not begin inside a word. */
const BELIEVED_DBOV = -36;
/** How many frames that are: 0.1 s. */
const BELIEVED_FRAMES = 5;
/** No line is believed to be quieter than this, in dBov: digital silence would make a whisper of noise stand out. */
const LOWEST_DBOV = -66;
/** How fast the floor may rise while nobody speaks: 10 dB a second. */
const RISE_DB = 0.2;
/** The same during speech: 1 dB a second, so that a long vowel is not learnt, but steady noise is in the end. */
const RISE_SPEAKING_DB = 0.02;

/**
 * Follows the level of what lies under the speech: the quietest frame of the last two seconds. Falls at once, rises
 * slowly. One per call.
 */
export class NoiseFloor {
  /** The floor after the last frame, in dBov. */
  dbov = LOWEST_DBOV;
  readonly #minima = new Float64Array(WINDOWS).fill(Number.POSITIVE_INFINITY);
  #smoothed = LOWEST_DBOV;
  #frames = 0;

  /** Takes the level of the next frame. */
  push(levelDbov: number, speaking: boolean): void {
    const level = Math.max(LOWEST_DBOV, levelDbov);
    this.#smoothed = this.#frames === 0 ? level : this.#smoothed + SMOOTHING * (level - this.#smoothed);
    const window = Math.floor(this.#frames / WINDOW_FRAMES) % WINDOWS;
    const first = this.#frames % WINDOW_FRAMES === 0;
    this.#minima[window] = first ? this.#smoothed : Math.min(this.#minima[window]!, this.#smoothed);
    this.#frames += 1;
    let quietest = Number.POSITIVE_INFINITY;
    // A loop, as spreading the array would make objects of its numbers, fifty times a second.
    for (let i = 0; i < WINDOWS; i += 1) if (this.#minima[i]! < quietest) quietest = this.#minima[i]!;
    const risen = this.dbov + (speaking ? RISE_SPEAKING_DB : RISE_DB);
    const highest = this.#frames <= BELIEVED_FRAMES ? BELIEVED_DBOV : risen;
    this.dbov = Math.min(quietest, highest);
  }
}
