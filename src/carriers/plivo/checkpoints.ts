import type { MarkOutcome } from '../carrier.ts';

/**
 * Plivo reports a checkpoint when everything before it has been played, and says by `clearedAudio` that its buffer is
 * empty. By its documents a checkpoint that was thrown away with the audio is not reported. Should one be reported
 * nevertheless, it comes behind `clearedAudio`: then nobody knows, and it is ambiguous. Marks are named
 * `g<generation>.<n>`.
 */
export class Checkpoints {
  #newestSent = -1;
  #newestClearing = -1;
  #newestCleared = -1;

  sent(name: string): void {
    this.#newestSent = Math.max(this.#newestSent, generationOf(name));
  }

  /** `clearAudio` is on its way. */
  clearing(): void {
    this.#newestClearing = this.#newestSent;
  }

  /** `clearedAudio` is here. */
  cleared(): void {
    this.#newestCleared = this.#newestClearing;
  }

  played(name: string): MarkOutcome {
    const generation = generationOf(name);
    return generation >= 0 && generation <= this.#newestCleared ? 'ambiguous' : 'played';
  }
}

function generationOf(name: string): number {
  const digits = /^g([0-9]{1,15})\./.exec(name)?.[1];
  return digits === undefined ? -1 : Number(digits);
}
