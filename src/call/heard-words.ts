/** The words of a turn that the caller has heard, as well as the ledger's account and the pace of the voice tell. */
import type { HeardTurn } from './ledger.ts';
import type { BotEntry } from './memory-entries.ts';
import { firstWords } from './plain-text.ts';

export interface HeardWords {
  readonly text: string;
  /** The caller has not heard the rest. */
  readonly cut: boolean;
}

/** Common speech, until the call has shown how fast its own voice is. */
const CHARS_PER_MS = 0.015;
/** So much of a voice shows its pace. */
const PACE_SHOWS_MS = 2_000;
/** The end of a turn that is known to have been heard may be so much short of it. */
const NEGLIGIBLE_MS = 20;

/** How many characters a voice says in a millisecond, from turns that were heard in full. */
export class VoicePace {
  #chars = 0;
  #ms = 0;

  heard(text: string, ms: number): void {
    this.#chars += text.length;
    this.#ms += ms;
  }

  get charsPerMs(): number {
    return this.#ms < PACE_SHOWS_MS ? CHARS_PER_MS : this.#chars / this.#ms;
  }
}

export function isHeardInFull(heard: HeardTurn): boolean {
  return heard.heardMs >= heard.generatedMs - NEGLIGIBLE_MS;
}

/**
 * Of a turn whose connection was lost in the middle, the text may be ahead of the audio that came: there the pace tells
 * how much of it was aloud. A few words too few are said again, which is better than a hole in what is said.
 */
export function heardWordsOf(entry: BotEntry, pace: VoicePace): HeardWords {
  const { heard, text, ended } = entry;
  if (heard === null) return { text, cut: false };
  if (heard.heardMs <= 0) return { text: '', cut: true };
  if (ended === 'dropped' || ended === 'open') {
    return { text: firstWords(text, heard.heardMs * pace.charsPerMs), cut: true };
  }
  if (isHeardInFull(heard)) return { text, cut: false };
  const accounted = heard.heardText !== '' || heard.uncertainText !== '';
  // The words came after the account: they are shared out evenly.
  const late = firstWords(text, (text.length * heard.heardMs) / heard.generatedMs);
  return { text: accounted ? heard.heardText : late, cut: true };
}
