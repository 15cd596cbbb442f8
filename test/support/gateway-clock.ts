/** Real time for tests of whole gateways: what a peer needs of a clock, and whether the machine let us have it. */
import { type Clock, systemClock } from '../../src/clock.ts';

/** For peers that reckon absolute times: what is late already is due at once. */
export const peerClock: Clock = {
  ...systemClock,
  setTimer: (delayMs, onFire) => systemClock.setTimer(Math.max(0, delayMs), onFire),
};

const POLL_MS = 10;

/** Looks again every few milliseconds, for what no event tells. Rejects with `what` when it does not come in time. */
export function until(what: string, holds: () => boolean, mostMs: number): Promise<void> {
  const untilMs = systemClock.now() + mostMs;
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (holds()) resolve();
      else if (systemClock.now() > untilMs) reject(new Error(`not within ${mostMs} ms: ${what}`));
      else systemClock.setTimer(POLL_MS, look);
    };
    look();
  });
}

const WATCH_EVERY_MS = 10;

/**
 * Notices when this process stands still: a machine that others use as well stops us now and then for longer than any
 * network would. A call that this happened to proves nothing.
 */
export class StallWatch {
  readonly #stalls: { readonly endedAtMs: number; readonly ms: number }[] = [];
  readonly #timer: NodeJS.Timeout;
  #lastMs = systemClock.now();

  constructor() {
    this.#timer = setInterval(() => {
      const nowMs = systemClock.now();
      const ms = nowMs - this.#lastMs - WATCH_EVERY_MS;
      this.#lastMs = nowMs;
      if (ms > WATCH_EVERY_MS) this.#stalls.push({ endedAtMs: nowMs, ms });
    }, WATCH_EVERY_MS);
  }

  /** The longest of those that ended since then, in ms. */
  longestSince(sinceMs: number): number {
    return this.#stalls.reduce(
      (most, { endedAtMs, ms }) => (endedAtMs >= sinceMs ? Math.max(most, ms) : most),
      0,
    );
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
