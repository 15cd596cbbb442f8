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

  /** The names that are due, earliest first; each is disarmed before it is handed out. */
  due(nowMs: number): readonly Name[] {
    if (nowMs < this.#nextMs) return NONE as readonly Name[];
    const names = [...this.#dueMs]
      .filter(([, dueMs]) => dueMs <= nowMs)
      .sort((a, b) => a[1] - b[1])
      .map(([name]) => name);
    for (const name of names) this.#dueMs.delete(name);
    this.#findNext();
    return names;
  }

  #findNext(): void {
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const dueMs of this.#dueMs.values()) if (dueMs < this.#nextMs) this.#nextMs = dueMs;
  }
}

const NONE: readonly string[] = [];
