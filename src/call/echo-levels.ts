/** Levels of what was written to the carrier, each with the time at which it has been played: what may come back as echo. */
import { SILENCE_DBOV } from '../audio/level.ts';

/** Our own echo comes back within a line's round trip and the telephone's own delay. */
const ECHO_WINDOW_MS = 500;
const LEVELS = 64;

export class EchoLevels {
  readonly #atMs = new Float64Array(LEVELS);
  readonly #dbov = new Float32Array(LEVELS);
  #next = 0;
  #soundEndsMs = Number.NEGATIVE_INFINITY;

  /** A packet of this level was written, and will have been played at `endMs`. */
  wrote(dbov: number, endMs: number, isSound: boolean): void {
    this.#atMs[this.#next] = endMs;
    this.#dbov[this.#next] = dbov;
    this.#next = (this.#next + 1) % LEVELS;
    if (isSound) this.#soundEndsMs = endMs;
  }

  /** The carrier was cleared: nothing of ours plays any more. */
  cleared(): void {
    this.#soundEndsMs = Number.NEGATIVE_INFINITY;
  }

  /** The level of our own audio that may be coming back now. */
  loudestAt(nowMs: number): number {
    if (nowMs - this.#soundEndsMs > ECHO_WINDOW_MS) return SILENCE_DBOV;
    let loudest = SILENCE_DBOV;
    for (let i = 0; i < LEVELS; i++) {
      const atMs = this.#atMs[i] as number;
      const level = this.#dbov[i] as number;
      if (level > loudest && atMs <= nowMs && atMs > nowMs - ECHO_WINDOW_MS) loudest = level;
    }
    return loudest;
  }
}
