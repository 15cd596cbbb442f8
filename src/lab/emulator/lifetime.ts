/** The clock of a connection: when goAway is said, what it says, and how the end comes. Pure. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { ModelPlan } from '../scenario.ts';
import { CLOSE_ROWS, type CloseRow } from './faults/close-rows.ts';

export type Ending = { readonly close: number; readonly reason: string } | { readonly cut: true };

export interface Lifetime {
  /** All counted from the connection's start; null: never. */
  readonly goAwayAtMs: number | null;
  /** The message's `timeLeft`, a protobuf duration; null: the field is missing. */
  readonly timeLeft: string | null;
  readonly silentFromMs: number | null;
  readonly endsAtMs: number;
}

const SHORTEST_NOTICE_MS = 1000;
/** A server that says goAway minutes ahead does not fall silent for minutes. */
const LONGEST_SILENCE_MS = 60_000;

/** protobuf's Duration in JSON. */
export const duration = (ms: number): string => `${Number((ms / 1000).toFixed(3))}s`;

export const closeWith = ({ code, reason }: CloseRow): Ending => ({ close: code, reason });

/** A connection too short for the usual notice is told what is really left. */
export function planLifetime(connectionMs: number, behaviours: BehaviourValues): Lifetime {
  const lead = behaviours.goAwayLead;
  if (lead === 'none') {
    return { goAwayAtMs: null, timeLeft: null, silentFromMs: null, endsAtMs: connectionMs };
  }
  const atStart = lead === '300s-at-start';
  const leadMs = atStart ? 300_000 : lead === 'no-time-left' ? 50_000 : Number.parseFloat(lead) * 1000;
  const goAwayAtMs = atStart ? SHORTEST_NOTICE_MS : Math.max(SHORTEST_NOTICE_MS, connectionMs - leadMs);
  const endsAtMs = atStart ? Math.min(connectionMs, goAwayAtMs + leadMs) : connectionMs;
  return {
    goAwayAtMs,
    timeLeft: lead === 'no-time-left' ? null : duration(Math.max(0, endsAtMs - goAwayAtMs)),
    silentFromMs: behaviours.silentAfterGoAway ? Math.max(goAwayAtMs, endsAtMs - LONGEST_SILENCE_MS) : null,
    endsAtMs,
  };
}

export function connectionEnding(behaviours: BehaviourValues): Ending {
  switch (behaviours.connectionEndClose) {
    case '1011-deadline':
      return closeWith(CLOSE_ROWS.deadline);
    case '1008-aborted':
      return closeWith(CLOSE_ROWS.aborted);
    case '1006-cut':
      return { cut: true };
  }
}

/** When a session without compression has had its fifteen minutes; the code is not documented. */
export function capEnding(behaviours: BehaviourValues): Ending {
  switch (behaviours.fifteenMinuteCapCode) {
    case 1007:
      return closeWith(CLOSE_ROWS['invalid-argument']);
    case 1008:
      return closeWith(CLOSE_ROWS.aborted);
    case 1011:
      return closeWith(CLOSE_ROWS.deadline);
  }
}

/** Milliseconds that a session has left of its cap; null when compression lifts it. `spentMs`: connected so far. */
export function untilCap(
  spentMs: number,
  plan: Pick<ModelPlan, 'sessionCapMs'>,
  compressed: boolean,
): number | null {
  return compressed ? null : Math.max(0, plan.sessionCapMs - spentMs);
}
