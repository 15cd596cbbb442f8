/**
 * The caller's utterances until each is safe: answered by a turn of the model that was made to its end, or heard in part.
 * When a connection breaks, the oldest that is not safe tells from where the caller has to be heard again. Positions are
 * the uplink's.
 */
import type { HandleRecord } from './handles.ts';

export interface Utterance {
  readonly from: number;
  /** When its first sound arrived. */
  readonly fromMs: number;
  /** Behind its last sound; null while it goes on. */
  to: number | null;
  /** The turn that began after it; null while it waits for one. */
  answeredBy: number | null;
  /** A turn that began before the model could know that it was over, or that may answer a text; null: none did. */
  doubtfullyBy: number | null;
  /** Words of the caller were recognised since it began. */
  recognised: boolean;
  /** It may be a cough. */
  doubtful: boolean;
  /** The newest turn when it began: only later ones can answer it. */
  readonly afterTurn: number;
  /** When the model called a tool after it: it had heard it, and will answer it with what comes of that; null: it has not. */
  actedOnAtMs: number | null;
}

/** A caller who says more than this without any answer has given up on it, or talks to somebody else. */
const MOST = 16;
/** What ends sooner, and was not taken for speech while it lasted, was none. */
const SHORTEST_MS = 300;

/** What is known when the model begins a turn. */
export interface TurnBeginning {
  readonly callerSpeaks: boolean;
  /** It was also told something in text, so that only what it is known to have heard is taken for answered. */
  readonly textWaits: boolean;
  /** What ended later had not been silent for long enough to be known for over. */
  readonly knownTo: number;
}

export class Utterances {
  readonly #waiting: Utterance[] = [];
  /** The newest turn of which nothing can be lost any more. */
  #safeTurn = 0;

  /** Speech began; it may still turn out to be a cough. */
  began(from: number, fromMs: number, afterTurn: number): void {
    const last = this.#waiting.at(-1);
    // The end of the one before was never noticed.
    if (last !== undefined && last.to === null) last.to = from;
    this.#waiting.push({
      from,
      fromMs,
      to: null,
      answeredBy: null,
      doubtfullyBy: null,
      recognised: false,
      doubtful: false,
      afterTurn,
      actedOnAtMs: null,
    });
    if (this.#waiting.length > MOST) this.#waiting.shift();
  }

  ended(to: number, durationMs: number): void {
    const last = this.#waiting.at(-1);
    if (last?.to !== null) return;
    last.to = to;
    if (last.doubtful && durationMs < SHORTEST_MS) this.#waiting.pop();
  }

  /** It was no speech so far; what goes on, or goes on again after a pause in the words, may be some yet. */
  dismissed(): void {
    const last = this.#waiting.at(-1);
    if (last === undefined || last.answeredBy !== null) return;
    if (last.to === null) last.doubtful = true;
    else this.#waiting.pop();
  }

  /** Words of the caller came. `openTurn`: what the model is saying meanwhile answers them; null: nothing. */
  recognised(openTurn: number | null): void {
    for (const each of this.#waiting) {
      each.recognised = true;
      if (each.to !== null && openTurn !== null && openTurn > each.afterTurn) each.answeredBy ??= openTurn;
    }
  }

  /** The model called a tool: it has heard all that was over. */
  actedOn(nowMs: number): void {
    for (const each of this.#waiting) if (each.to !== null) each.actedOnAtMs ??= nowMs;
  }

  /** The model began a turn: it answers all that was over, as far as it could know that. */
  turnBegan(turn: number, { callerSpeaks, textWaits, knownTo }: TurnBeginning): void {
    for (const each of this.#waiting) {
      if (each.answeredBy !== null || (each.to === null && callerSpeaks)) continue;
      const early = each.to !== null && each.to > knownTo;
      if (early || (textWaits && !each.recognised)) each.doubtfullyBy ??= turn;
      else each.answeredBy = turn;
    }
  }

  /** What ended before `position` would have got a turn of its own by now: the doubtful one was the answer. */
  settleBefore(position: number): void {
    for (const each of this.#waiting) {
      if (each.to === null || each.to > position) continue;
      each.answeredBy ??= each.doubtfullyBy;
    }
    this.turnSafe(this.#safeTurn);
  }

  /** Nothing can be lost of the turn any more, or the caller has heard some of it: what it answered is safe. */
  turnSafe(turn: number): void {
    this.#safeTurn = Math.max(this.#safeTurn, turn);
    this.#drop((each) => each.answeredBy !== null && each.answeredBy <= turn);
  }

  /** The turn is gone before any of it was heard: what it answered waits again. */
  turnLost(turn: number): void {
    for (const each of this.#waiting) {
      if (each.answeredBy === turn) each.answeredBy = null;
      if (each.doubtfullyBy === turn) each.doubtfullyBy = null;
    }
  }

  /** What ended before `position` is not kept any more: there is nothing to be sent again. */
  forgetBefore(position: number): void {
    this.#drop((each) => each.to !== null && each.to < position);
  }

  /** Where the oldest begins whose words are not safe; null when all are. */
  get neededFrom(): number | null {
    return this.#waiting[0]?.from ?? null;
  }

  /** The oldest that no turn has answered, ended or not; null when none waits. */
  get unanswered(): Readonly<Utterance> | null {
    return this.#waiting.find((each) => each.answeredBy === null) ?? null;
  }

  /**
   * The oldest that a session does not hold for certain; null when it holds all.
   * @param handle at which the session is taken up; null: a new one
   */
  notIn(handle: Pick<HandleRecord, 'atMs' | 'under'> | null): Readonly<Utterance> | null {
    // It waits for the tool's answer there, and gives its own when that comes.
    const heldFromMs = handle?.under === 'tool' ? handle.atMs : Number.NEGATIVE_INFINITY;
    const isHeld = ({ actedOnAtMs }: Utterance): boolean => actedOnAtMs !== null && actedOnAtMs <= heldFromMs;
    return this.#waiting.find((each) => each.answeredBy === null && !isHeld(each)) ?? null;
  }

  get open(): boolean {
    return this.#waiting.at(-1)?.to === null;
  }

  #drop(when: (each: Utterance) => boolean): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      if (when(this.#waiting[i] as Utterance)) this.#waiting.splice(i, 1);
    }
  }
}
