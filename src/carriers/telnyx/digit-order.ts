import type { MediaEvent } from '../carrier.ts';

/** A key waits for messages that it overtook until so many frames of audio have come after it: 60 ms. */
const MAX_FRAMES = 3;
const MAX_WAITING = 16;
const NOTHING: readonly MediaEvent[] = [];

interface Waiting {
  readonly sequence: number;
  readonly key: MediaEvent;
  /** Messages with numbers between `after` and this key's were not there when it came. */
  readonly after: number;
  missing: number;
  framesLeft: number;
}

/**
 * Puts keys back in order by the number that every message of a stream has, since Telnyx does not promise any order:
 * `2 1` is another PIN than `1 2`. A key is let through at once unless it has overtaken something. None is ever lost.
 */
export class DigitOrder {
  #highest: number | null = null;
  /** In order of their numbers. */
  #waiting: Waiting[] = [];

  /** Any message but a key. @returns the keys that need not wait any longer */
  saw(sequence: number | null, isAudio: boolean): readonly MediaEvent[] {
    if (sequence !== null) this.#note(sequence);
    if (this.#waiting.length === 0) return NOTHING;
    if (isAudio) for (const waiting of this.#waiting) waiting.framesLeft -= 1;
    return this.#release();
  }

  put(sequence: number | null, key: MediaEvent): readonly MediaEvent[] {
    if (sequence === null) return [key];
    const after = this.#highest ?? sequence - 1;
    const missing = Math.max(0, sequence - after - 1);
    this.#note(sequence);
    if (missing === 0 && this.#waiting.length === 0) return [key];
    const at = this.#waiting.findIndex((waiting) => waiting.sequence > sequence);
    const entry = { sequence, key, after, missing, framesLeft: MAX_FRAMES };
    this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, entry);
    return this.#waiting.length > MAX_WAITING ? this.flush() : this.#release();
  }

  /** Everything that waits, for the end of the stream. */
  flush(): readonly MediaEvent[] {
    return this.#waiting.splice(0).map(({ key }) => key);
  }

  #note(sequence: number): void {
    for (const waiting of this.#waiting) {
      if (sequence > waiting.after && sequence < waiting.sequence) waiting.missing -= 1;
    }
    this.#highest = Math.max(this.#highest ?? sequence, sequence);
  }

  #release(): readonly MediaEvent[] {
    const keys: MediaEvent[] = [];
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined || (first.missing > 0 && first.framesLeft > 0)) return keys;
      keys.push(first.key);
      this.#waiting.shift();
    }
  }
}
