/** Which connections of a round are cut without a word, and when. Pure. */
import type { Random } from '../network/random.ts';

export interface CutPlan {
  /** Of all connections, in (0, 1]; 0: none. */
  readonly share: number;
  /** After its setup came: when a connection is up, when it is told of its end, and when it ends. */
  readonly readyAfterMs: number;
  readonly toldAfterMs: number;
  readonly endsAfterMs: number;
  /** Connections beyond these are not cut. */
  readonly connections: number;
}

export interface Cut {
  /** Counted from 1, in the order in which they are set up. */
  readonly connection: number;
  /** From its setup on. */
  readonly afterMs: number;
}

/** Parts of a time within which the cut lies: a connection's first and last moments are other matters. */
const EARLIEST = 0.1;
const LATEST = 0.9;

/**
 * Of every so many connections in a row exactly one, by chance: drawn each by itself, a short round could well do without.
 * Every other one is cut before it is told of its end, because one that was told is left, and then there is nothing to cut.
 */
export function drawCuts(plan: CutPlan, random: Random): Cut[] {
  const { share, readyAfterMs, toldAfterMs, endsAfterMs, connections } = plan;
  if (share <= 0) return [];
  const inARow = Math.max(1, Math.round(1 / share));
  return Array.from({ length: Math.floor(connections / inARow) }, (_, row) => {
    const untilMs = row % 2 === 0 ? toldAfterMs : endsAfterMs;
    const part = EARLIEST + (LATEST - EARLIEST) * random();
    return {
      connection: row * inARow + 1 + Math.floor(random() * inARow),
      afterMs: Math.round(readyAfterMs + (untilMs - readyAfterMs) * part),
    };
  });
}
