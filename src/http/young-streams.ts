import type { Clock } from '../clock.ts';

/** Streams younger than this count against their address; a call gives up on one without `start` after the same time. */
const YOUNG_MS = 10_000;

/** How many young streams each address has open. Holds an entry only while there is one. */
export class YoungStreams {
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(address: string): number {
    return this.#counts.get(address) ?? 0;
  }

  /** @returns to be called when the stream is closed */
  add(address: string): () => void {
    this.#counts.set(address, this.of(address) + 1);
    let counted = true;
    const settle = () => {
      if (!counted) return;
      counted = false;
      timer.cancel();
      const left = this.of(address) - 1;
      if (left > 0) this.#counts.set(address, left);
      else this.#counts.delete(address);
    };
    const timer = this.#clock.setTimer(YOUNG_MS, settle);
    return settle;
  }
}
