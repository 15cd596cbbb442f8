/**
 * The session at Gemini: one connection at a time, replaced when it fails. A connection has an epoch; what an older one
 * still says is dropped by the shell.
 *
 *   idle ──open──▶ connecting ──connected──▶ ready ──lost──▶ waiting ──retry──▶ connecting …
 *                      └──failed──▶ waiting │ given-up
 */
import type { CloseClass } from '../gemini/live-session.ts';
import { type Step, stay, stepper, type Table } from './machine.ts';

export const CONNECT_DEADLINE_MS = 8_000;
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 4_000;
/** A connection that breaks sooner than this has repaired nothing: the outage it was to end goes on. */
const STEADY_MS = 5_000;

/** A setup that was wrong would have shown it before: some fields are refused only with the first audio. */
const PROVEN_SETUP_MS = 30_000;

export interface SessionPolicy {
  /** From the first failure to giving up. */
  readonly outageBudgetMs: number;
}

interface Outage {
  /** When the session was last whole, or asked for. */
  readonly sinceMs: number;
  readonly attempt: number;
  /** True until the session has been whole once: nothing to resume, the greeting is still to come. */
  readonly first: boolean;
}

export type SessionState =
  | { readonly name: 'idle'; readonly policy: SessionPolicy }
  | {
      readonly name: 'connecting';
      readonly policy: SessionPolicy;
      readonly epoch: number;
      readonly outage: Outage;
      readonly resume: boolean;
    }
  | {
      readonly name: 'ready';
      readonly policy: SessionPolicy;
      readonly epoch: number;
      readonly readyAtMs: number;
      /** What this connection came up to end. */
      readonly outage: Outage;
    }
  | {
      readonly name: 'waiting';
      readonly policy: SessionPolicy;
      readonly epoch: number;
      readonly outage: Outage;
      readonly resume: boolean;
    }
  | { readonly name: 'given-up' }
  | { readonly name: 'closed' };

export type SessionEvent =
  | { readonly type: 'open' }
  | { readonly type: 'connected'; readonly epoch: number }
  /** `random` in [0, 1) spreads the back-off; the machine has no randomness of its own. */
  | {
      readonly type: 'connect-failed';
      readonly epoch: number;
      readonly class: CloseClass;
      readonly detail: string;
      readonly random: number;
    }
  | {
      readonly type: 'lost';
      readonly epoch: number;
      readonly class: CloseClass;
      readonly detail: string;
      readonly random: number;
    }
  | { readonly type: 'retry-due' }
  | { readonly type: 'close' };

export type SessionEffect =
  | {
      readonly type: 'connect';
      readonly epoch: number;
      readonly attempt: number;
      readonly resume: boolean;
      readonly deadlineMs: number;
    }
  | { readonly type: 'abort-connect'; readonly epoch: number }
  | { readonly type: 'close-connection'; readonly epoch: number }
  | { readonly type: 'arm-retry'; readonly dueMs: number }
  | { readonly type: 'cancel-retry' }
  | { readonly type: 'session-ready'; readonly epoch: number; readonly first: boolean }
  | { readonly type: 'session-interrupted' }
  | { readonly type: 'session-failed'; readonly class: CloseClass; readonly detail: string };

/** Trying the same setup again cannot help: the key, the model or a field of the setup is wrong. */
function isFatal(closeClass: CloseClass): boolean {
  return closeClass === 'config' || closeClass === 'auth';
}

export function newSession(policy: SessionPolicy): SessionState {
  return { name: 'idle', policy };
}

function connect(
  policy: SessionPolicy,
  epoch: number,
  outage: Outage,
  resume: boolean,
  nowMs: number,
): Step<SessionState, SessionEffect> {
  const leftMs = outage.sinceMs + policy.outageBudgetMs - nowMs;
  return [
    { name: 'connecting', policy, epoch, outage, resume },
    [
      {
        type: 'connect',
        epoch,
        attempt: outage.attempt,
        resume,
        deadlineMs: Math.max(1_000, Math.min(CONNECT_DEADLINE_MS, leftMs)),
      },
    ],
  ];
}

function retryOrGiveUp(
  policy: SessionPolicy,
  epoch: number,
  outage: Outage,
  resume: boolean,
  cause: { readonly class: CloseClass; readonly detail: string; readonly random: number },
  nowMs: number,
): Step<SessionState, SessionEffect> {
  const backoffMs =
    Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (outage.attempt - 1)) * (0.5 + cause.random);
  const dueMs = nowMs + backoffMs;
  if (isFatal(cause.class) || dueMs >= outage.sinceMs + policy.outageBudgetMs) {
    return [{ name: 'given-up' }, [{ type: 'session-failed', class: cause.class, detail: cause.detail }]];
  }
  return [{ name: 'waiting', policy, epoch, outage, resume }, [{ type: 'arm-retry', dueMs }]];
}

function attemptFailed(
  state: Extract<SessionState, { name: 'connecting' }>,
  event: Extract<SessionEvent, { type: 'connect-failed' | 'lost' }>,
  nowMs: number,
): Step<SessionState, SessionEffect> {
  if (event.epoch !== state.epoch) return stay(state);
  // A handle that was refused is dead: the next attempt starts afresh.
  const resume = state.resume && event.class !== 'handle-refused';
  return retryOrGiveUp(state.policy, state.epoch, state.outage, resume, event, nowMs);
}

const CLOSED: SessionState = { name: 'closed' };

const table: Table<SessionState, SessionEvent, SessionEffect> = {
  idle: {
    open: (state, _event, nowMs) =>
      connect(state.policy, 1, { sinceMs: nowMs, attempt: 1, first: true }, false, nowMs),
    connected: stay,
    'connect-failed': stay,
    lost: stay,
    'retry-due': stay,
    close: () => [CLOSED, []],
  },
  connecting: {
    open: stay,
    connected: (state, { epoch }, nowMs) =>
      epoch === state.epoch
        ? [
            { name: 'ready', policy: state.policy, epoch, readyAtMs: nowMs, outage: state.outage },
            [{ type: 'session-ready', epoch, first: state.outage.first }],
          ]
        : stay(state),
    'connect-failed': attemptFailed,
    // Gone before the word of its being there had come: no different from one that never was.
    lost: attemptFailed,
    'retry-due': stay,
    close: (state) => [CLOSED, [{ type: 'abort-connect', epoch: state.epoch }]],
  },
  ready: {
    open: stay,
    connected: stay,
    'connect-failed': stay,
    lost: (state, event, nowMs) => {
      const { policy, epoch } = state;
      if (event.epoch !== epoch) return stay(state);
      const heldMs = nowMs - state.readyAtMs;
      // A setup that served for so long is not wrong: what it has led to is (a full context, say). Once, and afresh.
      const worn = event.class === 'config' && heldMs >= PROVEN_SETUP_MS;
      const resume = event.class !== 'handle-refused' && !worn;
      const steady = worn || (heldMs >= STEADY_MS && !isFatal(event.class));
      const [next, effects] = steady
        ? connect(policy, epoch + 1, { sinceMs: nowMs, attempt: 1, first: false }, resume, nowMs)
        : retryOrGiveUp(policy, epoch, { ...state.outage, first: false }, resume, event, nowMs);
      return [next, [{ type: 'session-interrupted' }, ...effects]];
    },
    'retry-due': stay,
    close: (state) => [CLOSED, [{ type: 'close-connection', epoch: state.epoch }]],
  },
  waiting: {
    open: stay,
    connected: stay,
    'connect-failed': stay,
    lost: stay,
    'retry-due': (state, _event, nowMs) =>
      connect(
        state.policy,
        state.epoch + 1,
        { ...state.outage, attempt: state.outage.attempt + 1 },
        state.resume,
        nowMs,
      ),
    close: () => [CLOSED, [{ type: 'cancel-retry' }]],
  },
  'given-up': {
    open: stay,
    connected: stay,
    'connect-failed': stay,
    lost: stay,
    'retry-due': stay,
    close: () => [CLOSED, []],
  },
  closed: {
    open: stay,
    // The socket was born after the call had ended.
    connected: (state, { epoch }) => [state, [{ type: 'close-connection', epoch }]],
    'connect-failed': stay,
    lost: stay,
    'retry-due': stay,
    close: stay,
  },
};

export const stepSession = stepper(table);
