import type { MarkOutcome } from '../carrier.ts';

/** jambonz keeps 30 and throws away what comes above. */
const MAX_OUTSTANDING = 30;
/** What clears can add up to before any of it is settled; more would be a carrier that reports anything. */
const MAX_OWED = 256;

/**
 * jambonz writes a mark into the audio as a sample of −1, in front of the next audio that comes, and keeps the names in a
 * list beside it. `killAudio` throws the samples away, reports the names as cleared, but goes on expecting as many samples
 * for which it will report nothing: so the next marks would each be reported as late as the one after. What it expects it
 * is given: a sample of −1 for every mark that was cleared. It cannot be heard. Behind them stands a mark of our own, the
 * receipt, which tells whether they were played or thrown away in their turn.
 * Source: the media module of jambonz (`mod_audio_fork`, October 2024 and later).
 */
export class InBandMarks {
  /** Sent, with no audio behind them yet. */
  #waiting: string[] = [];
  /** In the audio, as samples. */
  #inBand: string[] = [];
  /** In audio that was thrown away, and not reported yet. */
  readonly #clearing = new Set<string>();
  #owed = 0;
  /** What each receipt is for, in samples. */
  readonly #receipts = new Map<string, number>();
  #receiptNumber = 0;

  sent(name: string): void {
    if (this.#waiting.length + this.#inBand.length < MAX_OUTSTANDING) this.#waiting.push(name);
  }

  /** Audio goes out: the marks before it become samples. @returns how many samples that adds */
  audio(): number {
    const added = this.#waiting.length;
    if (added > 0) {
      this.#inBand.push(...this.#waiting);
      this.#waiting = [];
    }
    return added;
  }

  /** What has to go before the next audio: samples of −1, and the name of the mark behind them. Null: nothing. */
  settle(): { readonly samples: number; readonly receipt: string } | null {
    const samples = Math.min(this.#owed, MAX_OWED);
    if (samples === 0) return null;
    this.#owed = 0;
    this.#receiptNumber += 1;
    const receipt = `receipt.${this.#receiptNumber}`;
    this.#receipts.set(receipt, samples);
    dropOldest(this.#receipts, MAX_OUTSTANDING);
    return { samples, receipt };
  }

  clear(): void {
    for (const name of this.#inBand) this.#clearing.add(name);
    dropOldest(this.#clearing, 2 * MAX_OUTSTANDING);
    this.#inBand = [];
    this.#waiting = [];
  }

  /** @returns null for a receipt, which is nobody else's business */
  reported(name: string, event: unknown): MarkOutcome | null {
    const isCleared = event === 'cleared';
    const index = this.#inBand.indexOf(name);
    if (this.#clearing.delete(name) || index >= 0) this.#owed += isCleared ? 1 : 0;
    // Marks come back in order: an earlier one that is missing will not come any more.
    if (index >= 0) this.#inBand.splice(isCleared ? index : 0, isCleared ? 1 : index + 1);
    else this.#waiting = this.#waiting.filter((waiting) => waiting !== name);
    const receiptFor = this.#receipts.get(name);
    if (receiptFor === undefined) return isCleared ? 'cleared' : 'played';
    this.#receipts.delete(name);
    if (isCleared) this.#owed += receiptFor;
    return null;
  }
}

function dropOldest(kept: Set<string> | Map<string, unknown>, limit: number): void {
  for (const name of kept.keys()) {
    if (kept.size <= limit) return;
    kept.delete(name);
  }
}
