/** Marks on their way to the carrier and back, named `g<generation>.<number>`. They come back in the order they went. */
import type { PendingMark } from './cut-account.ts';

/** Of a carrier that returns none, no more than so many are kept. */
const MAX_PENDING = 256;

export interface MarkName {
  readonly generation: number;
  readonly number: number;
}

export class PendingMarks {
  #generation = 1;
  #number = 0;
  #pending: PendingMark[] = [];

  get generation(): number {
    return this.#generation;
  }

  get isFull(): boolean {
    return this.#pending.length >= MAX_PENDING;
  }

  /** The position of the oldest that has not come back; null when all have. */
  get oldest(): number | null {
    return this.#pending[0]?.position ?? null;
  }

  nextName(): string {
    return `g${this.#generation}.${this.#number + 1}`;
  }

  /** The one that `nextName` named was sent. */
  sent(position: number): void {
    this.#number += 1;
    this.#pending.push({ number: this.#number, position });
  }

  /** @returns its position; null for one that is not waited for, as it came before, or behind a later one */
  returned(number: number): number | null {
    const index = this.#pending.findIndex((pending) => pending.number === number);
    if (index === -1) return null;
    const { position } = this.#pending[index] as PendingMark;
    // Marks come back in order: an earlier one that is missing will not come any more.
    this.#pending.splice(0, index + 1);
    return position;
  }

  /** A new generation of playout begins. @returns those of the last one that have not come back */
  nextGeneration(): readonly PendingMark[] {
    const left = this.#pending;
    this.#generation += 1;
    this.#number = 0;
    this.#pending = [];
    return left;
  }
}

/** Null for a mark that is not ours. */
export function parseMark(name: string): MarkName | null {
  const match = /^g(\d{1,9})\.(\d{1,9})$/.exec(name);
  return match === null ? null : { generation: Number(match[1]), number: Number(match[2]) };
}
