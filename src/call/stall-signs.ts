/** What one turn of the model looks like from outside, and which signs of a stall it bears. Times are the doctor's own. */
import type { StallPolicy, StallSign } from './stall-policy.ts';

/** The end of a sentence in the scripts that the models speak, behind it at most a closing quote, bracket or emphasis. */
const SENTENCE_END = /[.!?…‥。．！？؟۔।॥։።។၊။][\s"'’”»›)\]}」』）*_~]*$/u;
/** The end of the transcript that is kept: an ending and what closes it. From 13 on, V8 would keep the whole text for it. */
const TAIL = 12;
/** Nobody speaks faster (25 characters a second): a transcript that is longer than its audio has run ahead of it. */
const FASTEST_MS_PER_CHARACTER = 40;
/** A turn that has less audio has none: some begin with a chunk of one sample. */
const SHORTEST_AUDIO_MS = 100;
/** Where nobody has heard anything there is no sentence whose end might still come. */
const UNHEARD_SETTLES_MS = 300;
/** The model wants to hear more before it answers. */
const NEEDS_MORE = 'NEED_MORE_INPUT';
/** What is still on its way of a turn that was interrupted, its end included, is there by then. */
const INTERRUPTED_ENDS_MS = 1_500;

export class TurnWatch {
  readonly #policy: StallPolicy;
  #state: 'none' | 'open' | 'over' = 'none';
  #audioMs = 0;
  #loudestDbov = Number.NEGATIVE_INFINITY;
  #characters = 0;
  #tail = '';
  #generated = false;
  #calledTools = false;
  /** The last that came of it was audio or words: a turn that waits for a tool is not frozen. */
  #speaking = false;
  /** Some of its audio was not played: nothing can be said about it. */
  #dropped = false;
  #reason: string | null = null;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #overAtMs = Number.NEGATIVE_INFINITY;
  #interruptedAtMs = Number.NEGATIVE_INFINITY;
  /** Since its last audio, what is wrong with it while it is open was said. */
  #openJudged = false;
  /** Not all languages end their sentences with a mark, and not all transcripts have them. */
  #punctuates = false;

  constructor(policy: StallPolicy) {
    this.#policy = policy;
  }

  /** More is to be expected of it. */
  get generating(): boolean {
    return this.#state === 'open' && !this.#generated;
  }

  /** When anything last came of a turn. */
  get lastAtMs(): number {
    return this.#lastAtMs;
  }

  get overAtMs(): number {
    return this.#overAtMs;
  }

  /** It is over, has not been judged, and nothing more will come of it. */
  isSettled(atMs: number): boolean {
    if (this.#state !== 'over') return false;
    const { turnSettlesMs } = this.#policy;
    return (
      atMs - this.#overAtMs >= (this.isAudible ? turnSettlesMs : Math.min(turnSettlesMs, UNHEARD_SETTLES_MS))
    );
  }

  /** It has words, and no audio that could be heard. */
  get isMute(): boolean {
    return this.#state === 'open' && this.#characters > 0 && !this.isAudible;
  }

  audio(ms: number, loudestDbov: number, atMs: number): void {
    if (this.#state !== 'open' || this.#generated) this.#begin();
    this.#audioMs += ms;
    this.#loudestDbov = Math.max(this.#loudestDbov, loudestDbov);
    this.#speaking = true;
    this.#openJudged = false;
    this.#lastAtMs = atMs;
  }

  /** Audio that the conversation threw away: stale, or of a turn that nobody needs. */
  audioDropped(atMs: number): void {
    this.#lastAtMs = atMs;
    if (this.#state !== 'open' && this.#isStale(atMs)) return;
    if (this.#state !== 'open' || this.#generated) this.#begin();
    this.#dropped = true;
  }

  text(text: string, atMs: number): void {
    this.#lastAtMs = atMs;
    const trails = this.#state === 'over' && atMs - this.#overAtMs < this.#policy.turnSettlesMs;
    if (this.#state === 'none' && this.#isStale(atMs)) return;
    if (this.#state !== 'open' && !trails) this.#begin();
    this.#characters += text.trim().length;
    this.#tail = (this.#tail + text).trimEnd().slice(-TAIL);
    this.#speaking = true;
  }

  toolCalls(atMs: number): void {
    if (this.#state !== 'open') this.#begin();
    this.#calledTools = true;
    this.#speaking = false;
    this.#lastAtMs = atMs;
  }

  generationComplete(atMs: number): void {
    if (this.#state !== 'open') return;
    this.#generated = true;
    this.#lastAtMs = atMs;
  }

  complete(reason: string | null, moreTurnsFollow: boolean, atMs: number): void {
    const wasOpen = this.#state === 'open';
    // Of a turn that was judged or is about to be, this is no news.
    if (this.#state === 'over') return;
    if (!wasOpen) this.#begin();
    const ofInterrupted = !wasOpen && this.#isStale(atMs);
    this.#interruptedAtMs = Number.NEGATIVE_INFINITY;
    this.#state = ofInterrupted || moreTurnsFollow ? 'none' : 'over';
    this.#reason = reason;
    this.#lastAtMs = atMs;
    this.#overAtMs = atMs;
  }

  /** The model stopped itself, or was stopped: what was missing of the turn is not missed. */
  interrupted(atMs: number): void {
    this.#state = 'none';
    this.#interruptedAtMs = atMs;
    this.#lastAtMs = atMs;
  }

  /** The connection is gone, and its turn with it. */
  lost(): void {
    this.#state = 'none';
    this.#interruptedAtMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * What is wrong with a turn that is settled; it is judged once.
   * @param answerDue the caller waits for it
   */
  judge(answerDue: boolean): StallSign | null {
    this.#state = 'none';
    if (this.#dropped) return null;
    const ended = SENTENCE_END.test(this.#tail);
    if (this.isAudible) {
      if (ended) this.#punctuates = true;
      const cut = this.#characters > 0 && !ended && this.#punctuates && !this.#calledTools;
      return cut ? 'cut-sentence' : null;
    }
    if (this.#audioMs >= SHORTEST_AUDIO_MS) return 'near-silent-audio';
    if (this.#reason === NEEDS_MORE) return null;
    if (this.#reason !== null || this.#characters > 0) return 'silent-turn';
    return answerDue && !this.#calledTools ? 'empty-turn' : null;
  }

  /**
   * What is wrong with a turn that is still open.
   * @param dryMs nothing has been playing for so long
   */
  judgeOpen(dryMs: number, atMs: number): { readonly sign: StallSign; readonly sinceMs: number } | null {
    if (this.#state !== 'open' || !this.#speaking || this.#dropped || this.#openJudged) return null;
    const { endOverdueMs, frozenMs, turnSettlesMs } = this.#policy;
    const quietMs = atMs - this.#lastAtMs;
    if (quietMs < Math.min(endOverdueMs, frozenMs, turnSettlesMs)) return null;
    const sign = this.#openSign();
    // Of a turn that cannot be heard it does not matter that playout is playing it.
    const sinceMs = sign === 'near-silent-audio' ? quietMs : Math.min(dryMs, quietMs);
    const patienceMs =
      sign === 'freeze' ? frozenMs : sign === 'near-silent-audio' ? turnSettlesMs : endOverdueMs;
    if (sign === null || sinceMs < patienceMs) return null;
    this.#openJudged = true;
    return { sign, sinceMs };
  }

  #openSign(): StallSign | null {
    if (this.#audioMs < SHORTEST_AUDIO_MS) return null;
    if (!this.#generated) return this.#isUnfinished() ? 'freeze' : 'no-turn-complete';
    return this.isAudible ? 'no-turn-complete' : 'near-silent-audio';
  }

  /** What comes without a turn belongs to the one that was interrupted. */
  #isStale(atMs: number): boolean {
    return atMs - this.#interruptedAtMs < INTERRUPTED_ENDS_MS;
  }

  /** Some of it can be heard. */
  get isAudible(): boolean {
    return this.#audioMs > 0 && this.#loudestDbov >= this.#policy.nearSilentDbov;
  }

  /** More was to be said than was heard. Without a transcript nobody can tell. */
  #isUnfinished(): boolean {
    if (this.#audioMs < this.#characters * FASTEST_MS_PER_CHARACTER) return true;
    return !SENTENCE_END.test(this.#tail);
  }

  #begin(): void {
    this.#state = 'open';
    this.#audioMs = 0;
    this.#loudestDbov = Number.NEGATIVE_INFINITY;
    this.#characters = 0;
    this.#tail = '';
    this.#generated = false;
    this.#calledTools = false;
    this.#speaking = false;
    this.#dropped = false;
    this.#reason = null;
    this.#openJudged = false;
  }
}
