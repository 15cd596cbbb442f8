/** Commands of the gateway's, as they come over the API, for a call that waits for the next one. */
import type { Clock } from '../../../clock.ts';
import type { TelnyxCommand } from './api.ts';

const MOST_WAITING = 100;

export class CommandQueue {
  readonly #clock: Clock;
  readonly #commands: TelnyxCommand[] = [];
  #waiting: ((command: TelnyxCommand | null) => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  push(command: TelnyxCommand): void {
    if (this.#waiting !== null) this.#waiting(command);
    else if (this.#commands.length < MOST_WAITING) this.#commands.push(command);
  }

  /** @returns null when none has come in time */
  next(withinMs: number): Promise<TelnyxCommand | null> {
    const command = this.#commands.shift();
    if (command !== undefined) return Promise.resolve(command);
    const { promise, resolve } = Promise.withResolvers<TelnyxCommand | null>();
    const timer = this.#clock.setTimer(withinMs, () => this.#waiting?.(null));
    this.#waiting = (value) => {
      this.#waiting = null;
      timer.cancel();
      resolve(value);
    };
    return promise;
  }
}
