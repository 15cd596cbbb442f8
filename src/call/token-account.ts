/**
 * The tokens of a call, from what the server reports and, where it reports nothing, from the seconds. Reports come as
 * the total of a turn with its `turnComplete`, or as changes on every chunk of it (behaviour row `usageReports`); some
 * clients have seen running totals. So the reports of one turn are never just added up: of the ways to read them that
 * hold which is nearest to what its seconds of audio cost.
 *
 * For its owner: `audioIn` and `audioOut` with all audio that went to the model and came from it, also what nobody heard;
 * `turnComplete`, `usage`, `sessionReady` in the order of the events.
 */
import type { Usage } from '../gemini/live-session.ts';

/** Audio costs 25 tokens a second in both directions (guide). */
export const TOKENS_PER_MS = 0.025;
/** With less in it nothing can be told from a context that has become smaller. */
const LEAST_REMEMBERED = 1_000;
/** Compression was not due while the context stayed clearly below its trigger. */
const NOT_DUE_SHARE = 0.95;

export class TokenAccount {
  readonly #triggerTokens: number | null;
  /** The context as it was last reported in full; null while it never was. */
  #reported: number | null = null;
  #highest = 0;
  #highestEstimate = 0;
  /** Audio both ways since that report, or since the session began. */
  #sinceMs = 0;

  /** The response tokens of all turns that are over and closed. */
  #closed = 0;
  #shown = 0;
  /** The turn in hand: its audio, and the reports before and after its end. */
  #turnMs = 0;
  #turnOver = false;
  #reports = 0;
  #sum = 0;
  #largest = 0;
  #atEnd: number | null = null;

  /** What the context was before a resumption whose first report is awaited. */
  #before: number | null = null;
  #forgotten = false;

  /** @param triggerTokens at which the server compresses the context; null: it does not */
  constructor(triggerTokens: number | null) {
    this.#triggerTokens = triggerTokens;
  }

  /** The size of the context: as last reported, otherwise as the seconds have it. */
  get promptTokens(): number {
    return this.#reported ?? this.#estimate();
  }

  /** Whether `promptTokens` is an estimate. */
  get isEstimate(): boolean {
    return this.#reported === null;
  }

  /** The largest context that was reported; the largest estimate while nothing ever was. */
  get highestPromptTokens(): number {
    return this.#highest > 0 ? this.#highest : Math.max(this.#highestEstimate, this.#estimate());
  }

  /** All that the model said in the call. It never goes back from what was read once. */
  get responseTokens(): number {
    this.#shown = Math.max(this.#shown, Math.round(this.#closed + this.#turnTokens()));
    return this.#shown;
  }

  /** True once after a resumption that has lost what was said before it. */
  forgotten(): boolean {
    const forgotten = this.#forgotten;
    this.#forgotten = false;
    return forgotten;
  }

  sessionReady(how: { readonly resumed: boolean }): void {
    this.#closeTurn();
    if (how.resumed) {
      this.#before = this.#rememberedForSure();
      return;
    }
    this.#highestEstimate = Math.max(this.#highestEstimate, this.#estimate());
    this.#before = null;
    this.#reported = null;
    this.#sinceMs = 0;
  }

  audioIn(ms: number): void {
    this.#sinceMs += ms;
  }

  audioOut(ms: number): void {
    if (this.#turnOver) this.#closeTurn();
    this.#turnMs += ms;
    this.#sinceMs += ms;
  }

  turnComplete(): void {
    if (this.#turnOver) this.#closeTurn();
    this.#turnOver = true;
  }

  usage({ promptTokens, responseTokens }: Usage): void {
    if (this.#turnOver) {
      this.#atEnd = Math.max(this.#atEnd ?? 0, responseTokens);
    } else {
      this.#reports += 1;
      this.#sum += responseTokens;
      this.#largest = Math.max(this.#largest, responseTokens);
    }
    if (promptTokens > 0 && this.#isTotal(promptTokens)) this.#onContext(promptTokens);
  }

  /** A change looks like a context that has shrunk; only what comes alone with the end of a turn can be that. */
  #isTotal(promptTokens: number): boolean {
    const known = this.#reported ?? 0;
    if (!this.#turnOver) return this.#before === null && known > 0 && promptTokens >= known;
    return this.#reports === 0 || !this.#readsAsChanges();
  }

  #onContext(tokens: number): void {
    if (this.#before !== null) this.#forgotten = tokens < this.#before / 2;
    this.#before = null;
    this.#reported = tokens;
    this.#highest = Math.max(this.#highest, tokens);
    this.#sinceMs = 0;
  }

  /** The context before a resumption; null where a smaller one afterwards would prove nothing. */
  #rememberedForSure(): number | null {
    const tokens = this.#reported;
    if (tokens === null || tokens < LEAST_REMEMBERED) return null;
    const sinceTokens = this.#sinceMs * TOKENS_PER_MS;
    const mayBeCompressed =
      this.#triggerTokens !== null && tokens + sinceTokens >= this.#triggerTokens * NOT_DUE_SHARE;
    return mayBeCompressed ? null : tokens;
  }

  #estimate(): number {
    const tokens = Math.round(this.#sinceMs * TOKENS_PER_MS);
    return this.#triggerTokens === null ? tokens : Math.min(tokens, this.#triggerTokens);
  }

  /** What the turn in hand has cost so far. */
  #turnTokens(): number {
    if (this.#reports === 0) return this.#atEnd ?? this.#turnMs * TOKENS_PER_MS;
    const end = this.#atEnd ?? 0;
    return this.#readsAsChanges() ? this.#sum + end : Math.max(this.#largest, end);
  }

  #readsAsChanges(): boolean {
    const end = this.#atEnd ?? 0;
    const expected = this.#turnMs * TOKENS_PER_MS;
    return distance(this.#sum + end, expected) < distance(Math.max(this.#largest, end), expected);
  }

  #closeTurn(): void {
    this.#closed += this.#turnTokens();
    this.#turnMs = 0;
    this.#turnOver = false;
    this.#reports = 0;
    this.#sum = 0;
    this.#largest = 0;
    this.#atEnd = null;
  }
}

/** How many times one is the other, as a logarithm: half of it is as far off as twice. */
function distance(tokens: number, expected: number): number {
  return Math.abs(Math.log((tokens + 1) / (expected + 1)));
}
