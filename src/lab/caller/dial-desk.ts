/** Calls that the gateway asks the carrier's API for, until somebody picks them up. */

/** A call as it was asked for. */
export interface DialledCall {
  /** The carrier's name of it. */
  readonly callId: string;
  readonly from: string;
  readonly to: string;
  /** Everything that was asked for, as the API got it. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Who answers a call that the gateway has placed; a machine says something first, and beeps. */
export type AnsweredBy = 'person' | 'machine';

const MAX_WAITING = 100;

export class DialDesk {
  readonly #calls: DialledCall[] = [];
  readonly #waiting: ((call: DialledCall) => void)[] = [];

  /** @returns false when nobody picks up calls any more */
  place(call: DialledCall): boolean {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting(call);
    else if (this.#calls.length < MAX_WAITING) this.#calls.push(call);
    else return false;
    return true;
  }

  /** The next call that is placed, or was placed and not picked up. */
  next(): Promise<DialledCall> {
    const call = this.#calls.shift();
    if (call !== undefined) return Promise.resolve(call);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
