/** The named deadlines of one call, served by its tick: no timer of their own, so nothing can be left behind. */
export class Timers<Name extends string> {
  readonly #dueMs = new Map<Name, number>();
  #nextMs = Number.POSITIVE_INFINITY;

  /** Arms or re-arms. */
  arm(name: Name, dueMs: number): void {
    this.#dueMs.set(name, dueMs);
    this.#findNext();
  }

  cancel(name: Name): void {
    if (this.#dueMs.delete(name)) this.#findNext();
  }

  clear(): void {
    this.#dueMs.clear();
    this.#nextMs = Number.POSITIVE_INFINITY;
  }

  /**
   * The names that are due, earliest first; each is disarmed before it is handed out. What the one before has cancelled
   * or armed anew is not handed out any more.
   */
  due(nowMs: number): Iterable<Name> {
    return nowMs < this.#nextMs ? (NONE as readonly Name[]) : this.#takeDue(nowMs);
  }

  *#takeDue(nowMs: number): Generator<Name> {
    const due = [...this.#dueMs].filter(([, dueMs]) => dueMs <= nowMs).sort((a, b) => a[1] - b[1]);
    for (const [name, dueMs] of due) {
      if (this.#dueMs.get(name) !== dueMs) continue;
      this.cancel(name);
      yield name;
    }
  }

  #findNext(): void {
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const dueMs of this.#dueMs.values()) if (dueMs < this.#nextMs) this.#nextMs = dueMs;
  }
}

const NONE: readonly string[] = [];
