/** Who waits to connect, the neediest first. Pure. */
import type { ConnectNeed } from './live-session.ts';

/**
 * How much later somebody counts as having come. So an outage goes before a rotation that has not waited for this long yet,
 * and behind one that has: nobody waits for ever.
 */
const HANDICAP_MS: Readonly<Record<ConnectNeed, number>> = {
  outage: 0,
  'new-call': 4_000,
  rotation: 12_000,
};

export interface Waiting {
  readonly need: ConnectNeed;
  readonly sinceMs: number;
}

export class ConnectQueue<T extends Waiting> {
  /** Sorted, the neediest first. */
  readonly #waiting: T[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  add(entry: T): void {
    const rank = rankOf(entry);
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (rankOf(this.#waiting[middle]!) <= rank) low = middle + 1;
      else high = middle;
    }
    this.#waiting.splice(low, 0, entry);
  }

  takeNeediest(): T | undefined {
    return this.#waiting.shift();
  }

  takeLeastNeedy(): T | undefined {
    return this.#waiting.pop();
  }

  /** @returns whether it was there */
  remove(entry: T): boolean {
    const index = this.#waiting.indexOf(entry);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }
}

const rankOf = ({ need, sinceMs }: Waiting): number => sinceMs + HANDICAP_MS[need];
