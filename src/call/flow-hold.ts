/**
 * The carrier's word that it has more audio than it wants, until it says that it takes more. It may forget to: then it is
 * over once the carrier must have played whatever it can hold.
 */

/** No carrier that says such a thing holds more: Asterisk's queue ends at 1,000 frames of 20 ms. */
const MOST_HELD_MS = 20_000;
/** For the line, both ways, and a carrier that plays a little late. */
const SLACK_MS = 1_000;

export class FlowHold {
  #untilMs: number | null = null;
  #endedAtMs = Number.NEGATIVE_INFINITY;

  get active(): boolean {
    return this.#untilMs !== null;
  }

  /** When the last one ended. */
  get endedAtMs(): number {
    return this.#endedAtMs;
  }

  /** @param heldMs as much as the carrier may still have to play */
  begin(nowMs: number, heldMs: number): void {
    this.#untilMs = nowMs + Math.min(MOST_HELD_MS, heldMs) + SLACK_MS;
  }

  end(nowMs: number): void {
    if (this.#untilMs === null) return;
    this.#untilMs = null;
    this.#endedAtMs = nowMs;
  }

  /** The carrier's word does not come any more. */
  isOverdue(nowMs: number): boolean {
    return this.#untilMs !== null && nowMs >= this.#untilMs;
  }
}
