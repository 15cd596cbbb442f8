/** The answer that the caller waits for: since when it is missed, and how many in a row never came. */

/** Whoever goes on within this time had not finished; who speaks later had waited for an answer. */
export const WAITED_MS = 1_500;

export class AwaitedAnswer {
  /** Due from then on; null: none is. */
  #fromMs: number | null = null;
  /** It begins to be missed once it is due and nothing is played any more. */
  #missing = false;
  #missingMs = 0;
  /** The present utterance is among the ignored. */
  #counted = false;
  #ignored = 0;

  get isDue(): boolean {
    return this.#fromMs !== null;
  }

  get isMissing(): boolean {
    return this.#missing;
  }

  /** For how long the present utterance has been without its answer. */
  get missingMs(): number {
    return this.#missingMs;
  }

  /** It is known that the present utterance will not be answered by itself. */
  get isIgnored(): boolean {
    return this.#counted;
  }

  /** Utterances in a row that got no answer. */
  get ignored(): number {
    return this.#ignored;
  }

  /**
   * The caller has said something.
   * @returns whether they had waited in vain for the answer to what they said before
   */
  expect(fromMs: number): boolean {
    if (this.#missing && this.#missingMs >= WAITED_MS) this.ignore();
    const inVain = this.#counted;
    this.#counted = false;
    this.#begin(fromMs);
    return inVain;
  }

  /** What was said is heard only now (another connection), or is being acted upon (a tool). */
  delay(fromMs: number): void {
    if (this.#fromMs !== null) this.#begin(fromMs);
  }

  /** @param quiet nothing is being played */
  pass(atMs: number, ms: number, quiet: boolean): void {
    if (this.#fromMs === null) return;
    if (this.#missing) this.#missingMs += ms;
    else this.#missing = quiet && atMs >= this.#fromMs;
  }

  ignore(): void {
    if (this.#counted) return;
    this.#counted = true;
    this.#ignored += 1;
  }

  came(): void {
    this.#ignored = 0;
    this.giveUp();
  }

  /** It is not expected any more. */
  giveUp(): void {
    this.#fromMs = null;
    this.#missing = false;
    this.#missingMs = 0;
    this.#counted = false;
  }

  #begin(fromMs: number): void {
    this.#fromMs = fromMs;
    this.#missing = false;
    this.#missingMs = 0;
  }
}
