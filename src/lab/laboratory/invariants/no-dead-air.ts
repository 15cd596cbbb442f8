import type { Invariant } from './invariant.ts';

/** Whatever is wrong, the caller hears something by then: an answer, a filler, an apology. */
export const LONGEST_DEAD_AIR_MS = 12_000;

export const noDeadAir: Invariant = {
  name: 'no-dead-air',
  sentence: `A caller who waits for an answer hears something within ${LONGEST_DEAD_AIR_MS / 1000} s.`,
  check: (call) =>
    call.deadAir
      .filter(({ forMs }) => forMs > LONGEST_DEAD_AIR_MS)
      .map(({ fromMs, forMs }) => ({
        atMs: fromMs - call.startedAtMs,
        detail: `nothing was heard for ${(forMs / 1000).toFixed(1)} s`,
      })),
};
