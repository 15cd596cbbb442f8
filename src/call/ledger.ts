/**
 * The heard ledger: for each turn of the model what was made, what was sent, and what the caller really heard; the words
 * are an estimate with its uncertainty. Positions are samples of the outbound stream.
 */
export interface HeardTurn {
  readonly turn: number;
  readonly generatedMs: number;
  readonly heardMs: number;
  readonly heardText: string;
  /** The words around the cut: they may or may not have been heard. */
  readonly uncertainText: string;
}

interface Entry {
  turn: number;
  from: number;
  to: number;
  /** Set when playout went past the turn or was cut in it. */
  heardTo: number | null;
  text: string;
}

const KEPT_TURNS = 32;
const KEPT_TEXT = 8_000;
/** Text and sound of a model do not run evenly; measured speech rates vary by about a third around their mean. */
const UNCERTAIN_MS = 400;

export class HeardLedger {
  readonly #samplesPerMs: number;
  readonly #turns: Entry[] = [];

  constructor(sampleRate: number) {
    this.#samplesPerMs = sampleRate / 1000;
  }

  /** Audio of `turn` was queued at [from, to). */
  queued(turn: number, from: number, to: number): void {
    const entry = this.#entry(turn);
    if (entry.to === entry.from) entry.from = from;
    entry.to = to;
  }

  /** Words of `turn`, which may come before, with or after its audio. */
  said(turn: number, text: string): void {
    const entry = this.#entry(turn);
    entry.text = (entry.text + text).slice(0, KEPT_TEXT);
  }

  /** Playout was cut when the caller had heard up to `position`; what was queued before `queuedTo` will not be played. */
  cutAt(position: number, queuedTo: number): void {
    for (const entry of this.#turns) {
      if (entry.heardTo === null && entry.to > entry.from && entry.from < queuedTo)
        entry.heardTo = Math.min(entry.to, Math.max(entry.from, position));
    }
  }

  /** The turns that reach beyond `fromPosition` as the caller has heard them up to `position`, oldest first. */
  heardUpTo(position: number, fromPosition: number): readonly HeardTurn[] {
    return this.#turns
      .filter((entry) => entry.to > fromPosition)
      .map((entry) => this.#heard(entry, position));
  }

  /** How much of a turn was heard, when everything up to `position` was. */
  heardMs(turn: number, position: number): number {
    const entry = this.#turns.find((each) => each.turn === turn);
    if (entry === undefined) return 0;
    const heardTo = entry.heardTo ?? Math.min(entry.to, Math.max(entry.from, position));
    return (heardTo - entry.from) / this.#samplesPerMs;
  }

  /** What has been made of a turn so far. */
  turn(turn: number): { readonly generatedMs: number; readonly text: string } {
    const entry = this.#turns.find((each) => each.turn === turn);
    return entry === undefined
      ? { generatedMs: 0, text: '' }
      : { generatedMs: (entry.to - entry.from) / this.#samplesPerMs, text: entry.text };
  }

  #heard(entry: Entry, position: number): HeardTurn {
    const heardTo = entry.heardTo ?? Math.min(entry.to, Math.max(entry.from, position));
    const generatedMs = (entry.to - entry.from) / this.#samplesPerMs;
    const heardMs = (heardTo - entry.from) / this.#samplesPerMs;
    if (heardMs >= generatedMs) {
      return { turn: entry.turn, generatedMs, heardMs, heardText: entry.text, uncertainText: '' };
    }
    const sure = wordsUpTo(entry.text, Math.max(0, heardMs - UNCERTAIN_MS) / generatedMs);
    const perhaps = wordsUpTo(entry.text, Math.min(1, (heardMs + UNCERTAIN_MS) / generatedMs));
    return {
      turn: entry.turn,
      generatedMs,
      heardMs,
      heardText: heardMs === 0 ? '' : sure,
      uncertainText: heardMs === 0 ? '' : perhaps.slice(sure.length).trim(),
    };
  }

  #entry(turn: number): Entry {
    const last = this.#turns.at(-1);
    if (last?.turn === turn) return last;
    const known = this.#turns.find((each) => each.turn === turn);
    if (known !== undefined) return known;
    const entry: Entry = { turn, from: 0, to: 0, heardTo: null, text: '' };
    this.#turns.push(entry);
    if (this.#turns.length > KEPT_TURNS) this.#turns.shift();
    return entry;
  }
}

/** The whole words of the first `share` of a text. */
function wordsUpTo(text: string, share: number): string {
  const cut = Math.floor(text.length * share);
  if (cut >= text.length) return text;
  const space = text.lastIndexOf(' ', cut);
  return space <= 0 ? '' : text.slice(0, space);
}
