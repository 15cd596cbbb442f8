/** Time is handed in everywhere, so that a two-hour call runs in a second and a failure replays from its seed. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds with a fraction; only differences mean anything. */
  now(): number;
  /** Wall clock, milliseconds since 1970. For records and signatures, never for measuring. */
  epochMs(): number;
  /** Calls `onFire` once, not before `delayMs` have passed. What `onFire` throws is the caller's to catch. */
  setTimer(delayMs: number, onFire: () => void): Timer;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  epochMs: () => Date.now(),
  setTimer(delayMs, onFire) {
    const handle = setTimeout(onFire, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
