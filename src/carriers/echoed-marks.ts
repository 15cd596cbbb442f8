import type { MarkOutcome } from './carrier.ts';

/** Tells what a mark's echo means. Echoes come in the order in which the marks were sent. */
export interface MarkJudge {
  sent(name: string): void;
  /** The playback buffer was told to empty itself. */
  cleared(): void;
  echoed(name: string): MarkOutcome;
}

/**
 * Twilio returns a mark when what was queued before it has been played, and at once when `clear` throws it away: the two
 * echoes look alike. So an echo that comes after a `clear` is ambiguous for every generation that existed at that time,
 * until the first echo of a newer generation shows that the thrown-away ones have all come back. What was heard of an
 * ambiguous one only the playout's own clock can say. Marks are named `g<generation>.<n>`.
 */
export function createMarkJudge(): MarkJudge {
  let newestSent = -1;
  let newestCleared = -1;
  let clearing = false;
  return {
    sent(name) {
      newestSent = Math.max(newestSent, generationOf(name) ?? -1);
    },
    cleared() {
      newestCleared = newestSent;
      clearing = true;
    },
    echoed(name) {
      const generation = generationOf(name);
      if (generation !== null && generation <= newestCleared) return 'ambiguous';
      if (generation !== null) clearing = false;
      return clearing ? 'ambiguous' : 'played';
    },
  };
}

function generationOf(name: string): number | null {
  const digits = /^g([0-9]{1,15})\./.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}
