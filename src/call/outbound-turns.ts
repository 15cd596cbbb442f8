/** Where in the outbound stream the newest turns begin, and whether anything of them was heard. */
const KEPT = 8;

export interface OutboundTurn {
  readonly turn: number;
  readonly from: number;
  /** Something louder than silence was written. */
  audible: boolean;
}

export class OutboundTurns {
  readonly #turns: OutboundTurn[] = [];

  /** Audio of `turn` is queued at `position`. */
  queued(turn: number, position: number): void {
    if (this.#turns.at(-1)?.turn === turn) return;
    this.#turns.push({ turn, from: position, audible: false });
    if (this.#turns.length > KEPT) this.#turns.shift();
  }

  at(position: number): OutboundTurn | undefined {
    return this.#turns.findLast((turn) => turn.from <= position);
  }
}
