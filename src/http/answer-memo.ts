import type { HttpReply } from '../carriers/carrier.ts';
import type { Clock } from '../clock.ts';

export interface GivenAnswer {
  /** The admitted call, or null when it was turned away. */
  readonly ref: string | null;
  /** A promise, so that a repetition which comes while the first answer is being written waits for the same one. */
  readonly reply: Promise<HttpReply>;
}

/**
 * The answers that webhooks were given, so that a repeated one gets the same bytes again, also after its call has ended:
 * a late copy must not start a second call. Bounded: the oldest are forgotten first.
 */
export class AnswerMemo {
  readonly #clock: Clock;
  readonly #maxAnswers: number;
  readonly #keepMs: number;
  readonly #answers = new Map<string, GivenAnswer & { readonly givenAtMs: number }>();

  constructor(clock: Clock, maxAnswers: number, keepMs: number) {
    this.#clock = clock;
    this.#maxAnswers = maxAnswers;
    this.#keepMs = keepMs;
  }

  find(key: string): GivenAnswer | null {
    const answer = this.#answers.get(key);
    if (answer === undefined) return null;
    if (this.#clock.now() - answer.givenAtMs <= this.#keepMs) return answer;
    this.#answers.delete(key);
    return null;
  }

  keep(key: string, answer: GivenAnswer): void {
    this.#answers.delete(key);
    this.#answers.set(key, { ...answer, givenAtMs: this.#clock.now() });
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= this.#maxAnswers) break;
      this.#answers.delete(oldest);
    }
  }
}
