/**
 * The session at Gemini: one connection at a time. It is replaced when it breaks, and before its time is over, at a moment
 * at which the caller does not notice. A connection has an epoch; what an older one still says is dropped by the shell.
 *
 *   idle ─▶ connecting ──────────▶ ready ──(due, quiet)──▶ rotating ──(held, quiet)──▶ leaving ─▶ connecting …
 *               │  ▲                 │                        └─(the old one breaks)─────────────────▲
 *               ▼  │ (retry)         └──(lost)──▶ connecting …
 *            waiting ─▶ given-up              (parked: while the caller is with somebody else)
 *
 * A resume is refused while the old connection of the session is open. So a rotation opens the new socket first and holds
 * its setup back (rotating), then closes the old one (leaving), and lets the setup go when that one is gone.
 */
import type { CloseClass, ConnectNeed } from '../gemini/live-session.ts';
import {
  afterFailure,
  CONNECT_DEADLINE_MS,
  type Failure,
  type Outage,
  type Rung,
  rungAfterLoss,
  startOutage,
} from './ladder.ts';
import { type Step, stay, stepper, type Table } from './machine.ts';
import { forcedAtMs, type RotationPlan, rotationDueMs } from './rotation-plan.ts';

/** A connection that breaks sooner than this has repaired nothing: the outage it was to end goes on. */
const STEADY_MS = 5_000;
/** A setup that was wrong would have shown it before: some fields are refused only with the first audio. */
const PROVEN_SETUP_MS = 30_000;
/** How long a socket without a setup is kept; how long Google leaves one open is not known. */
export const HOLD_MS = 5_000;
const NEXT_ROTATION_TRY_MS = 1_000;

export interface SessionPolicy {
  /** From the first failure to giving up. */
  readonly outageBudgetMs: number;
  /** The seed of a fresh session stands in the instruction anyway: where that is refused, nothing is left to change. */
  readonly seedInInstruction?: boolean;
  readonly rotation: RotationPlan;
}

export type SessionTimer = 'retry' | 'rotate' | 'force' | 'hold';
export type RotationCause = 'age' | 'go-away';

export interface Ready {
  readonly name: 'ready';
  readonly policy: SessionPolicy;
  readonly epoch: number;
  /** The highest epoch ever given out. */
  readonly used: number;
  readonly readyAtMs: number;
  /** What this connection came up to end. */
  readonly outage: Outage;
  /** Its replacement is due at the next quiet moment. */
  readonly due: RotationCause | null;
  readonly forceAtMs: number;
  /** A rotation that could not be opened is not tried again before. */
  readonly nextTryMs: number;
}

interface Rotating extends Omit<Ready, 'name'> {
  readonly name: 'rotating';
  readonly next: number;
  /** The new socket is open and waits to send its setup. */
  readonly held: boolean;
  /** There is no time left for a quiet moment. */
  readonly forced: boolean;
}

export type SessionState =
  | { readonly name: 'idle'; readonly policy: SessionPolicy }
  | {
      readonly name: 'connecting';
      readonly policy: SessionPolicy;
      readonly epoch: number;
      readonly outage: Outage;
    }
  | Ready
  | Rotating
  /** Our own close of the old connection is on its way. `next`: the held socket that takes over, or null. */
  | {
      readonly name: 'leaving';
      readonly policy: SessionPolicy;
      readonly epoch: number;
      readonly used: number;
      readonly next: number | null;
      readonly outage: Outage;
    }
  | {
      readonly name: 'waiting';
      readonly policy: SessionPolicy;
      readonly epoch: number;
      readonly outage: Outage;
    }
  /** The caller is with somebody else: no connection is kept, but the handles are. */
  | { readonly name: 'parked'; readonly policy: SessionPolicy; readonly used: number }
  | { readonly name: 'given-up'; readonly policy: SessionPolicy; readonly used: number }
  | { readonly name: 'closed' };

export type SessionEvent =
  | { readonly type: 'open' }
  /** The socket of the next connection is open; its setup is held back. */
  | { readonly type: 'held'; readonly epoch: number }
  /** `random` in [0, 1) spreads times; the machine has no randomness of its own. */
  | { readonly type: 'connected'; readonly epoch: number; readonly random: number }
  | ({ readonly type: 'connect-failed'; readonly epoch: number } & Failure)
  | ({ readonly type: 'lost'; readonly epoch: number } & Failure)
  /** A connection that we closed is gone for certain. */
  | { readonly type: 'gone'; readonly epoch: number }
  | {
      readonly type: 'go-away';
      readonly epoch: number;
      readonly timeLeftMs: number | null;
      readonly random: number;
    }
  /** Nothing is being said, nothing is owed, and the newest handle holds it all. */
  | { readonly type: 'quiet' }
  /** The connection is up by its socket's account, but of no use: `fresh` when its session is not either. */
  | { readonly type: 'replace'; readonly fresh: boolean; readonly handles: number }
  | { readonly type: 'timer'; readonly timer: SessionTimer }
  /** The connection is not needed for a while; `open` takes the session up again. */
  | { readonly type: 'park' }
  | { readonly type: 'close' };

export type SessionEffect =
  | {
      readonly type: 'connect';
      readonly epoch: number;
      readonly attempt: number;
      readonly rung: Rung;
      /** The seed goes into the instruction: as contents it was refused. */
      readonly reseed: boolean;
      readonly hold: boolean;
      readonly need: ConnectNeed;
      readonly deadlineMs: number;
      /** For its turn among the calls of the process: what is left of the outage's budget. */
      readonly waitMs: number;
    }
  /** The setup that was held back may go: with it, what the newest handle and the call's memory say now. */
  | { readonly type: 'release'; readonly epoch: number }
  | { readonly type: 'abort-connect'; readonly epoch: number }
  /** To be followed by `gone`. */
  | { readonly type: 'close-connection'; readonly epoch: number }
  | { readonly type: 'arm'; readonly timer: SessionTimer; readonly dueMs: number }
  | { readonly type: 'cancel'; readonly timer: SessionTimer }
  | { readonly type: 'rotation-due'; readonly cause: RotationCause; readonly forceAtMs: number }
  | { readonly type: 'session-ready'; readonly epoch: number; readonly first: boolean }
  /** `planned`: we left it, at a quiet moment; else it broke, or there was no time to wait for one. */
  | { readonly type: 'session-interrupted'; readonly planned: boolean }
  | { readonly type: 'session-failed'; readonly class: CloseClass; readonly detail: string };

type SessionStep = Step<SessionState, SessionEffect>;
type StateOf<N extends SessionState['name']> = Extract<SessionState, { name: N }>;
type EventOf<T extends SessionEvent['type']> = Extract<SessionEvent, { type: T }>;

const CLOSED: SessionState = { name: 'closed' };
const NO_ROTATION: readonly SessionEffect[] = [
  { type: 'cancel', timer: 'rotate' },
  { type: 'cancel', timer: 'force' },
];

export function newSession(policy: SessionPolicy): SessionState {
  return { name: 'idle', policy };
}

function connect(policy: SessionPolicy, epoch: number, outage: Outage, nowMs: number): SessionStep {
  const leftMs = outage.sinceMs + policy.outageBudgetMs - nowMs;
  return [
    { name: 'connecting', policy, epoch, outage },
    [
      {
        type: 'connect',
        epoch,
        attempt: outage.attempt,
        rung: outage.rung,
        reseed: outage.reseed,
        hold: false,
        need: outage.first ? 'new-call' : 'outage',
        deadlineMs: Math.max(1_000, Math.min(CONNECT_DEADLINE_MS, leftMs)),
        waitMs: Math.max(1_000, leftMs),
      },
    ],
  ];
}

/** The attempt, or the connection that lived too shortly to count, has failed: on with the ladder. */
function climb(
  policy: SessionPolicy,
  used: number,
  outage: Outage,
  failure: Failure,
  nowMs: number,
): SessionStep {
  const reseed = outage.reseed || policy.seedInInstruction === true;
  const next = afterFailure({ ...outage, reseed }, failure, nowMs);
  if (next === null || nowMs + next.waitMs >= outage.sinceMs + policy.outageBudgetMs) {
    return [
      { name: 'given-up', policy, used },
      [{ type: 'session-failed', class: failure.class, detail: failure.detail }],
    ];
  }
  if (next.waitMs === 0) return connect(policy, used + 1, next.outage, nowMs);
  return [
    { name: 'waiting', policy, epoch: used, outage: next.outage },
    [{ type: 'arm', timer: 'retry', dueMs: nowMs + next.waitMs }],
  ];
}

function attemptFailed(
  state: StateOf<'connecting'>,
  event: EventOf<'connect-failed'> | EventOf<'lost'>,
  nowMs: number,
): SessionStep {
  if (event.epoch !== state.epoch) return stay(state);
  return climb(state.policy, state.epoch, state.outage, event, nowMs);
}

function connected(state: StateOf<'connecting'>, event: EventOf<'connected'>, nowMs: number): SessionStep {
  if (event.epoch !== state.epoch) return stay(state);
  const { policy, epoch, outage } = state;
  const { earliestMs, latestMs, forcedMs } = policy.rotation;
  const forceAtMs = nowMs + forcedMs;
  return [
    {
      name: 'ready',
      policy,
      epoch,
      used: epoch,
      readyAtMs: nowMs,
      outage,
      due: null,
      forceAtMs,
      nextTryMs: nowMs,
    },
    [
      { type: 'session-ready', epoch, first: outage.first },
      { type: 'arm', timer: 'rotate', dueMs: nowMs + earliestMs + event.random * (latestMs - earliestMs) },
      { type: 'arm', timer: 'force', dueMs: forceAtMs },
    ],
  ];
}

function lost(state: Ready, event: EventOf<'lost'>, nowMs: number): SessionStep {
  if (event.epoch !== state.epoch) return stay(state);
  const { policy, used, outage } = state;
  const heldMs = nowMs - state.readyAtMs;
  // A setup that served for so long is not wrong: what it has led to is (a full context, say).
  const worn = event.class === 'config' && heldMs >= PROVEN_SETUP_MS;
  const fatal = event.class === 'auth' || (event.class === 'config' && !worn);
  const steady = heldMs >= STEADY_MS && !fatal;
  // A first setup that is refused is wrong; it is not tried again from another rung.
  const rung = event.class === 'config' ? outage.rung : rungAfterShortLife(outage);
  const [next, effects] = steady
    ? connect(policy, used + 1, startOutage(rungAfterLoss(event), nowMs), nowMs)
    : climb(policy, used, { ...outage, first: false, rung }, event, nowMs);
  return [next, [...NO_ROTATION, { type: 'session-interrupted', planned: false }, ...effects]];
}

/** A first connection that broke at once has left nothing but, perhaps, a handle. */
function rungAfterShortLife({ rung }: Outage): Rung {
  return rung === 'first' ? 'newest' : rung;
}

function goAway<S extends Ready | Rotating>(state: S, event: EventOf<'go-away'>, nowMs: number): SessionStep {
  if (event.epoch !== state.epoch) return stay(state);
  const ageMs = state.outage.first ? null : nowMs - state.readyAtMs;
  const dueMs = rotationDueMs(event.timeLeftMs, { ageMs, random: event.random, nowMs });
  const forceAtMs = Math.min(state.forceAtMs, forcedAtMs(event.timeLeftMs, nowMs));
  const effects: SessionEffect[] = [{ type: 'arm', timer: 'force', dueMs: forceAtMs }];
  if (state.due !== null) return [{ ...state, forceAtMs }, effects];
  if (dueMs > nowMs) return [{ ...state, forceAtMs }, [...effects, { type: 'arm', timer: 'rotate', dueMs }]];
  effects.push({ type: 'cancel', timer: 'rotate' }, { type: 'rotation-due', cause: 'go-away', forceAtMs });
  return [{ ...state, forceAtMs, due: 'go-away' }, effects];
}

/** The next socket is opened; its setup waits for the moment at which the old connection is left. */
function openNext(state: Ready, forced: boolean): SessionStep {
  const next = state.used + 1;
  return [
    { ...state, name: 'rotating', due: state.due ?? 'age', used: next, next, held: false, forced },
    [
      {
        type: 'connect',
        epoch: next,
        attempt: 1,
        rung: 'newest',
        reseed: false,
        hold: true,
        need: 'rotation',
        deadlineMs: CONNECT_DEADLINE_MS,
        waitMs: CONNECT_DEADLINE_MS,
      },
    ],
  ];
}

/** `quiet`: nobody will notice; otherwise there was no time left to wait for that. */
function leave(state: Rotating, quiet: boolean, nowMs: number): SessionStep {
  const { policy, epoch, used, next } = state;
  return [
    { name: 'leaving', policy, epoch, used, next, outage: startOutage('newest', nowMs) },
    [
      { type: 'cancel', timer: 'hold' },
      ...NO_ROTATION,
      { type: 'session-interrupted', planned: quiet },
      { type: 'close-connection', epoch },
    ],
  ];
}

/** Back to the old connection, which is still good: the new one did not come up, or had to wait too long. */
function giveNextUp(state: Rotating, nextTryMs: number): SessionState {
  const { next: _next, held: _held, forced: _forced, ...rest } = state;
  return { ...rest, name: 'ready', nextTryMs };
}

function replace(state: Ready | Rotating, event: EventOf<'replace'>, nowMs: number): SessionStep {
  const { policy, epoch, used } = state;
  // One that was replaced a moment ago has repaired nothing: the outage goes on, and its budget with it.
  const steady = nowMs - state.readyAtMs >= STEADY_MS;
  const again = steady ? 'newest' : rungAfterShortLife(state.outage);
  const rung: Rung = event.fresh || event.handles === 0 ? 'fresh' : again;
  const outage = steady ? startOutage(rung, nowMs) : { ...state.outage, first: false, rung };
  const effects: SessionEffect[] = [...NO_ROTATION, { type: 'cancel', timer: 'hold' }];
  if (state.name === 'rotating') effects.push({ type: 'abort-connect', epoch: state.next });
  effects.push({ type: 'session-interrupted', planned: false }, { type: 'close-connection', epoch });
  return [{ name: 'leaving', policy, epoch, used, next: null, outage }, effects];
}

function oldIsGone(state: StateOf<'leaving'>, nowMs: number): SessionStep {
  const { policy, used, next, outage } = state;
  if (next === null) return connect(policy, used + 1, outage, nowMs);
  return [{ name: 'connecting', policy, epoch: next, outage }, [{ type: 'release', epoch: next }]];
}

const table: Table<SessionState, SessionEvent, SessionEffect> = {
  idle: {
    open: (state, _event, nowMs) =>
      connect(state.policy, 1, { ...startOutage('first', nowMs), first: true }, nowMs),
    held: stay,
    connected: stay,
    'connect-failed': stay,
    lost: stay,
    gone: stay,
    'go-away': stay,
    quiet: stay,
    replace: stay,
    timer: stay,
    park: stay,
    close: () => [CLOSED, []],
  },
  connecting: {
    open: stay,
    // The shell lets go by itself what was released before it was held.
    held: stay,
    connected,
    'connect-failed': attemptFailed,
    // Gone before the word of its being there had come: no different from one that never was.
    lost: attemptFailed,
    gone: stay,
    'go-away': stay,
    quiet: stay,
    replace: stay,
    timer: stay,
    park: (state) => [
      { name: 'parked', policy: state.policy, used: state.epoch },
      [{ type: 'abort-connect', epoch: state.epoch }],
    ],
    close: (state) => [CLOSED, [{ type: 'abort-connect', epoch: state.epoch }]],
  },
  ready: {
    open: stay,
    held: stay,
    connected: stay,
    'connect-failed': stay,
    lost,
    gone: stay,
    'go-away': goAway,
    quiet: (state, _event, nowMs) =>
      state.due === null || nowMs < state.nextTryMs ? stay(state) : openNext(state, false),
    replace,
    timer: (state, { timer }) => {
      if (timer === 'rotate') {
        const { forceAtMs } = state;
        const effects: SessionEffect[] =
          state.due === null ? [{ type: 'rotation-due', cause: 'age', forceAtMs }] : [];
        return [{ ...state, due: state.due ?? 'age' }, effects];
      }
      return timer === 'force' ? openNext(state, true) : stay(state);
    },
    park: (state) => [
      { name: 'parked', policy: state.policy, used: state.used },
      [...NO_ROTATION, { type: 'close-connection', epoch: state.epoch }],
    ],
    close: (state) => [CLOSED, [...NO_ROTATION, { type: 'close-connection', epoch: state.epoch }]],
  },
  rotating: {
    open: stay,
    held: (state, { epoch }, nowMs) => {
      if (epoch !== state.next) return stay(state);
      if (state.forced) return leave(state, false, nowMs);
      return [{ ...state, held: true }, [{ type: 'arm', timer: 'hold', dueMs: nowMs + HOLD_MS }]];
    },
    connected: stay,
    'connect-failed': (state, { epoch, random }, nowMs) =>
      epoch === state.next
        ? [
            giveNextUp(state, nowMs + NEXT_ROTATION_TRY_MS * (0.5 + random)),
            [
              { type: 'cancel', timer: 'hold' },
              // Where there is no time left, it is tried again until the old one breaks.
              ...(state.forced
                ? [
                    {
                      type: 'arm',
                      timer: 'force',
                      dueMs: nowMs + NEXT_ROTATION_TRY_MS * (0.5 + random),
                    } as const,
                  ]
                : []),
            ],
          ]
        : stay(state),
    lost: (state, event, nowMs) => {
      if (event.epoch !== state.epoch) return stay(state);
      const rung = rungAfterLoss(event);
      const outage = startOutage(rung, nowMs);
      const interrupted: SessionEffect[] = [
        { type: 'cancel', timer: 'hold' },
        ...NO_ROTATION,
        { type: 'session-interrupted', planned: false },
      ];
      // What is open already saves the time of opening it, but its setup is one for a resumption.
      if (rung === 'newest') {
        const { policy, next } = state;
        return [
          { name: 'connecting', policy, epoch: next, outage },
          [...interrupted, { type: 'release', epoch: next }],
        ];
      }
      const [after, effects] = connect(state.policy, state.used + 1, outage, nowMs);
      return [after, [...interrupted, { type: 'abort-connect', epoch: state.next }, ...effects]];
    },
    gone: stay,
    'go-away': goAway,
    quiet: (state, _event, nowMs) => (state.held ? leave(state, true, nowMs) : stay(state)),
    replace,
    timer: (state, { timer }, nowMs) => {
      if (timer === 'hold' && !state.forced)
        return [giveNextUp(state, nowMs), [{ type: 'abort-connect', epoch: state.next }]];
      if (timer === 'force')
        return state.held ? leave(state, false, nowMs) : [{ ...state, forced: true }, []];
      return stay(state);
    },
    park: (state) => [
      { name: 'parked', policy: state.policy, used: state.used },
      [
        ...NO_ROTATION,
        { type: 'cancel', timer: 'hold' },
        { type: 'abort-connect', epoch: state.next },
        { type: 'close-connection', epoch: state.epoch },
      ],
    ],
    close: (state) => [
      CLOSED,
      [
        ...NO_ROTATION,
        { type: 'cancel', timer: 'hold' },
        { type: 'abort-connect', epoch: state.next },
        { type: 'close-connection', epoch: state.epoch },
      ],
    ],
  },
  leaving: {
    open: stay,
    held: stay,
    connected: stay,
    // The held socket broke while the old one was being closed: another one, as soon as that is gone.
    'connect-failed': (state, { epoch }) => [epoch === state.next ? { ...state, next: null } : state, []],
    lost: (state, { epoch }, nowMs) => (epoch === state.epoch ? oldIsGone(state, nowMs) : stay(state)),
    gone: (state, { epoch }, nowMs) => (epoch === state.epoch ? oldIsGone(state, nowMs) : stay(state)),
    'go-away': stay,
    quiet: stay,
    replace: stay,
    timer: stay,
    park: (state) => [
      { name: 'parked', policy: state.policy, used: state.used },
      state.next === null ? [] : [{ type: 'abort-connect', epoch: state.next }],
    ],
    close: (state) => [CLOSED, state.next === null ? [] : [{ type: 'abort-connect', epoch: state.next }]],
  },
  waiting: {
    open: stay,
    held: stay,
    connected: stay,
    'connect-failed': stay,
    lost: stay,
    gone: stay,
    'go-away': stay,
    quiet: stay,
    replace: stay,
    timer: (state, { timer }, nowMs) =>
      timer === 'retry' ? connect(state.policy, state.epoch + 1, state.outage, nowMs) : stay(state),
    park: (state) => [
      { name: 'parked', policy: state.policy, used: state.epoch },
      [{ type: 'cancel', timer: 'retry' }],
    ],
    close: () => [CLOSED, [{ type: 'cancel', timer: 'retry' }]],
  },
  parked: {
    open: (state, _event, nowMs) =>
      connect(state.policy, state.used + 1, startOutage('newest', nowMs), nowMs),
    held: stay,
    // It came up while it was being parked.
    connected: (state, { epoch }) => [state, [{ type: 'close-connection', epoch }]],
    'connect-failed': stay,
    lost: stay,
    gone: stay,
    'go-away': stay,
    quiet: stay,
    replace: stay,
    timer: stay,
    park: stay,
    close: () => [CLOSED, []],
  },
  'given-up': {
    open: stay,
    held: stay,
    connected: stay,
    'connect-failed': stay,
    lost: stay,
    gone: stay,
    'go-away': stay,
    quiet: stay,
    replace: stay,
    timer: stay,
    // When the caller comes back from somebody else, it is worth another try.
    park: (state) => [{ name: 'parked', policy: state.policy, used: state.used }, []],
    close: () => [CLOSED, []],
  },
  closed: {
    open: stay,
    held: stay,
    // The socket was born after the call had ended.
    connected: (state, { epoch }) => [state, [{ type: 'close-connection', epoch }]],
    'connect-failed': stay,
    lost: stay,
    gone: stay,
    'go-away': stay,
    quiet: stay,
    replace: stay,
    timer: stay,
    park: stay,
    close: stay,
  },
};

export const stepSession = stepper(table);
