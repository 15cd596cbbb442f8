/** What an emulated session will do later, in order of time. A group of entries can be called off at once. */

interface Entry {
  readonly dueMs: number;
  readonly group: string;
  readonly run: (nowMs: number) => void;
}

export class Agenda {
  readonly #entries: Entry[] = [];

  /** Entries of the same instant run in the order in which they were put in. */
  at(dueMs: number, group: string, run: (nowMs: number) => void): void {
    let index = this.#entries.length;
    while (index > 0 && this.#entries[index - 1]!.dueMs > dueMs) index--;
    this.#entries.splice(index, 0, { dueMs, group, run });
  }

  callOff(group: string): void {
    for (let index = this.#entries.length - 1; index >= 0; index--) {
      if (this.#entries[index]!.group === group) this.#entries.splice(index, 1);
    }
  }

  clear(): void {
    this.#entries.length = 0;
  }

  has(group: string): boolean {
    return this.#entries.some((entry) => entry.group === group);
  }

  get nextDueMs(): number | null {
    return this.#entries[0]?.dueMs ?? null;
  }

  /** Runs everything due by `nowMs`, including what the entries themselves put in for that instant. */
  run(nowMs: number): void {
    for (;;) {
      const next = this.#entries[0];
      if (next === undefined || next.dueMs > nowMs) return;
      this.#entries.shift();
      next.run(nowMs);
    }
  }
}
