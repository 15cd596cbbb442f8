/**
 * Which audio of the model may still be heard. A turn opens with its first audio and is over at `turnComplete`; when it
 * was interrupted, what still comes of it is dropped while it is open, but never for longer than 1.5 s, or 2.5 s beyond the
 * caller's speech: a server that forgets `turnComplete` must not swallow the next answer.
 */
export const LONGEST_DISCARD_MS = 1_500;
/** A server that hears the caller late goes on for so much longer; while they speak it has nothing new to say. */
export const AFTER_SPEECH_MS = 2_500;
/** What is still on its way of a turn that was cut comes at once; audio after such a pause in silence is the next answer. */
export const STALE_GAP_MS = 500;
/** What is sent again on another connection comes as soon as that is there; an answer takes longer. */
const REPLAY_WITHIN_MS = 250;

export interface AudioVerdict {
  readonly play: boolean;
  /** The audio opened a turn. */
  readonly opened: boolean;
}

export class TurnGate {
  #turn = 0;
  #open = false;
  #generated = false;
  /** A clip of ours was played into the model's turn, which is not over. */
  #interposed = false;
  #discardUntilMs: number | null = null;
  /** The model itself has said that it stopped. */
  #stopped = false;
  /** The cut, or the newest audio that was dropped since. */
  #staleAtMs = 0;

  /** Number of the newest turn; 0 before the first. */
  get turn(): number {
    return this.#turn;
  }

  /** The model has not said that the turn is over. */
  get open(): boolean {
    return this.#open;
  }

  /** What comes of the open turn is being dropped. */
  get discarding(): boolean {
    return this.#discardUntilMs !== null;
  }

  /** More audio of the turn is to be expected. */
  get generating(): boolean {
    return (this.#open && !this.#generated) || this.#interposed;
  }

  /** @param callerSpeaks what is stale stays so while the caller goes on speaking: the server may hear it late */
  audio(nowMs: number, callerSpeaks = false): AudioVerdict {
    if (this.#discardUntilMs !== null) {
      if (callerSpeaks) this.#discardUntilMs = nowMs + AFTER_SPEECH_MS;
      const paused = (this.#stopped || !callerSpeaks) && nowMs - this.#staleAtMs >= STALE_GAP_MS;
      if (nowMs < this.#discardUntilMs && !paused) {
        this.#staleAtMs = nowMs;
        return { play: false, opened: false };
      }
      this.#discardUntilMs = null;
      // The end of the turn that was cut is overdue: this is taken for the next answer.
      this.#open = false;
      this.#interposed = false;
    }
    // Audio after `generationComplete` belongs to a new turn, whose predecessor's `turnComplete` is late or lost.
    if (this.#open && !this.#generated) return { play: true, opened: false };
    this.#next();
    return { play: true, opened: true };
  }

  /** A turn of our own: a recorded clip. What still comes of the model's is one of its own. @returns its number */
  clip(): number {
    const interposed = this.generating;
    this.#next();
    this.#open = false;
    this.#interposed = interposed;
    return this.#turn;
  }

  /**
   * The model stopped itself, or the caller was heard to speak over it. Of a turn that was generated to its end nothing
   * more can come that would have to be dropped.
   * @param byModel it has stopped itself: but for what is on its way, nothing more comes of the turn
   * @returns whether a turn was open
   */
  cut(nowMs: number, byModel = false): boolean {
    this.#stopped = byModel || (this.#stopped && this.discarding);
    if (this.generating) {
      this.#discardUntilMs = nowMs + LONGEST_DISCARD_MS;
      this.#staleAtMs = nowMs;
    }
    return this.#open;
  }

  /** Another connection took over from one on which a turn had been cut: what was left of that may be sent again. */
  discardReplay(nowMs: number): void {
    this.#stopped = true;
    this.#discardUntilMs = nowMs + LONGEST_DISCARD_MS;
    this.#staleAtMs = nowMs + REPLAY_WITHIN_MS - STALE_GAP_MS;
  }

  generationComplete(): void {
    if (this.#open) this.#generated = true;
    this.#interposed = false;
  }

  /** @returns the turn that is over, or null when none was open */
  turnComplete(): number | null {
    this.#discardUntilMs = null;
    this.#interposed = false;
    if (!this.#open) return null;
    this.#open = false;
    return this.#turn;
  }

  /** The connection is gone, and its turn with it. */
  lost(): number | null {
    return this.turnComplete();
  }

  #next(): void {
    this.#turn += 1;
    this.#open = true;
    this.#generated = false;
    this.#interposed = false;
  }
}
