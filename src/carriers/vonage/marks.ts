import type { MarkOutcome } from '../carrier.ts';

/**
 * What becomes of notifications that a `clear` meets is not documented: integrators never saw them again. Should one come
 * back nevertheless, it was thrown out where Vonage had confirmed the `clear` already, and says nothing where it had not.
 * Marks are named `g<generation>.<n>`.
 */
export class MarkJudge {
  #newestSent = -1;
  #newestCleared = Number.NEGATIVE_INFINITY;
  #unconfirmed = 0;

  sent(name: string): void {
    this.#newestSent = Math.max(this.#newestSent, generationOf(name));
  }

  clearing(): void {
    this.#newestCleared = this.#newestSent;
    this.#unconfirmed += 1;
  }

  confirmed(): void {
    this.#unconfirmed = Math.max(0, this.#unconfirmed - 1);
  }

  echoed(name: string): MarkOutcome {
    if (generationOf(name) > this.#newestCleared) return 'played';
    return this.#unconfirmed > 0 ? 'ambiguous' : 'cleared';
  }
}

/** -1 for a name that is not ours. */
function generationOf(name: string): number {
  return Number(/^g([0-9]{1,15})\./.exec(name)?.[1] ?? -1);
}
