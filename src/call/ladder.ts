/**
 * The ladder of an outage: the newest handle, an older one, a fresh session that is told what was said so far. Pure: how
 * the next attempt is made, and after how long.
 */
import type { CloseClass } from '../gemini/live-session.ts';

export const CONNECT_DEADLINE_MS = 8_000;
/** The newest handle is tried for so long: what refuses it (the old socket taken for open, a fault behind it) passes. */
const NEWEST_RUNG_MS = 8_000;
/** Longer, while the server says plainly that it only waits for the old socket. */
const OLD_SOCKET_RUNG_MS = 12_000;
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 4_000;
/** The server has not noticed yet that the old socket is gone; it will within seconds, and we want to be there then. */
const OLD_SOCKET_WAIT_MS = 300;

/** Nobody has seen the handle: the failure says nothing about it, and a lower rung would be no nearer. */
const OUT_OF_REACH: ReadonlySet<CloseClass> = new Set(['network', 'quota']);

export type Rung = 'first' | 'newest' | 'older' | 'fresh';

export interface Failure {
  readonly class: CloseClass;
  readonly detail: string;
  /** In [0, 1): spreads the back-off. */
  readonly random: number;
  /** Handles that are left to try, the refused ones taken off. */
  readonly handles: number;
}

export interface Outage {
  /** When the session was last whole, or asked for. */
  readonly sinceMs: number;
  readonly attempt: number;
  /** True until the session has been whole once: nothing to resume, the greeting is still to come. */
  readonly first: boolean;
  readonly rung: Rung;
  readonly rungSinceMs: number;
  /** The seed goes into the instruction: as contents it was refused. */
  readonly reseed: boolean;
}

export function startOutage(rung: Rung, nowMs: number): Outage {
  return { sinceMs: nowMs, attempt: 1, first: false, rung, rungSinceMs: nowMs, reseed: false };
}

/** Where the ladder begins after a connection that had served. */
export function rungAfterLoss({ class: found, handles }: Failure): Rung {
  // Refused in mid call: what the handle leads to is what was refused.
  if (found === 'config') return 'fresh';
  return handles > 0 ? 'newest' : 'fresh';
}

/** The next attempt; null where no attempt can help. What counts is how long a rung was tried when that is made. */
export function afterFailure(
  outage: Outage,
  failure: Failure,
  nowMs: number,
): { readonly outage: Outage; readonly waitMs: number } | null {
  const rung = nextRung(outage, failure, nowMs + waitMs(outage, failure));
  if (rung === null) return null;
  const refused = failure.class === 'config';
  const climbed = rung !== outage.rung;
  return {
    outage: {
      ...outage,
      attempt: outage.attempt + 1,
      rung,
      rungSinceMs: climbed || OUT_OF_REACH.has(failure.class) ? nowMs : outage.rungSinceMs,
      reseed: outage.reseed || (refused && outage.rung === 'fresh'),
    },
    // Another rung needs no patience when it was the handle or the setup that was refused: the next one is another.
    waitMs: refused || (climbed && failure.class === 'handle-refused') ? 0 : waitMs(outage, failure),
  };
}

function nextRung(outage: Outage, { class: found, handles }: Failure, atMs: number): Rung | null {
  if (found === 'auth') return null;
  const { rung } = outage;
  if (rung === 'first') return found === 'config' ? null : 'first';
  if (found === 'config') return rung === 'fresh' && outage.reseed ? null : 'fresh';
  if (rung === 'fresh' || handles === 0) return 'fresh';
  if (OUT_OF_REACH.has(found)) return rung;
  if (found === 'handle-refused') return rung === 'newest' ? 'older' : 'fresh';
  if (rung === 'older') return 'fresh';
  const patienceMs = found === 'old-socket-open' ? OLD_SOCKET_RUNG_MS : NEWEST_RUNG_MS;
  if (atMs - outage.rungSinceMs < patienceMs) return 'newest';
  return handles > 1 ? 'older' : 'fresh';
}

function waitMs(outage: Outage, { class: found, random }: Failure): number {
  if (found === 'old-socket-open') return OLD_SOCKET_WAIT_MS * (0.75 + random / 2);
  return Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (outage.attempt - 1)) * (0.5 + random);
}
