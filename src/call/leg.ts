/**
 * The carrier leg: at most one stream at a time, which may be replaced by a new one of the same call. Every stream has
 * an epoch, and what an older one still says is dropped by the shell.
 *
 *   awaiting ──opened──▶ opened ──started──▶ attached ──stopped──▶ ended
 *      │  ▲                │ ▲                  │  ▲
 *      │  └────closed──────┘ └─opened (armed)───┤  └──started
 *      └──deadline──▶ ended                     └──closed──▶ lost ──deadline──▶ ended
 */
import type { EndReason } from './end-reason.ts';
import { type Step, stay, stepper, type Table } from './machine.ts';

/** The carrier must open its socket and say `start` this soon after the call was answered; Telnyx may be early. */
export const START_DEADLINE_MS = 10_000;
/** A token is good for 60 s; a call whose carrier never comes is given up then. */
export const STREAM_DEADLINE_MS = 60_000;
/** A socket that ends without `stop` may be followed by another one of the same call. */
export const LOST_GRACE_MS = 5_000;

export type LegState =
  /** Admitted; no socket yet, or the pending one has gone. `deadlineMs`: until when one may come. */
  | { readonly name: 'awaiting'; readonly epoch: number; readonly deadlineMs: number }
  /** A socket is there and has not said `start`. */
  | { readonly name: 'opened'; readonly epoch: number; readonly deadlineMs: number }
  /** `pendingEpoch`: a second socket of the call that has not said `start` yet. */
  | { readonly name: 'attached'; readonly epoch: number; readonly pendingEpoch: number | null }
  /**
   * Another stream may come until `untilMs`, and one that has come by then has a deadline of its own. `reason`: how the
   * call has ended when nothing comes of it any more. `open`: its socket is still there; `left`: who has gone when it
   * is not, and nothing else is known.
   */
  | {
      readonly name: 'lost';
      readonly epoch: number;
      readonly pendingEpoch: number | null;
      readonly untilMs: number;
      readonly reason: EndReason;
      readonly open: boolean;
      readonly left: EndReason;
    }
  | { readonly name: 'ended' };

export type LegEvent =
  | { readonly type: 'socket-opened'; readonly epoch: number }
  | { readonly type: 'stream-started'; readonly epoch: number }
  | { readonly type: 'stream-stopped'; readonly epoch: number }
  /** `broken`: without a close handshake, so it was not the caller who left. */
  | {
      readonly type: 'socket-closed';
      readonly epoch: number;
      readonly detail: string;
      readonly broken: boolean;
    }
  /** The carrier was told to open another stream. `returning`: for a caller who was with somebody else. */
  | { readonly type: 'stream-expected'; readonly returning: boolean }
  /**
   * The caller is handed to somebody else; the stream may come back, until `untilMs`. `close`: by closing it. Said again
   * when more is known of how long that may take, and how it ends.
   */
  | {
      readonly type: 'let-go';
      readonly reason: EndReason;
      readonly untilMs: number;
      readonly close: boolean;
    }
  /** Nothing came of that, and the stream was never given up. */
  | { readonly type: 'hold-on' }
  | { readonly type: 'deadline' }
  | { readonly type: 'carrier-ended'; readonly reason: EndReason }
  | { readonly type: 'end' };

export type LegEffect =
  | { readonly type: 'arm-deadline'; readonly dueMs: number }
  | { readonly type: 'cancel-deadline' }
  | { readonly type: 'close-socket'; readonly epoch: number; readonly code: number; readonly why: string }
  /** The caller can be heard from now on, on this epoch's stream. */
  | { readonly type: 'leg-ready'; readonly epoch: number; readonly replaced: boolean }
  | { readonly type: 'leg-paused' }
  | { readonly type: 'leg-ended'; readonly reason: EndReason };

const CALLER_HUNG_UP: EndReason = { who: 'caller', how: 'completed', detail: 'the caller hung up' };
const NO_STREAM: EndReason = { who: 'carrier', how: 'error', detail: 'the carrier opened no stream in time' };
const NO_START: EndReason = { who: 'carrier', how: 'error', detail: 'the stream sent no start in time' };
const CLOSED: EndReason = { who: 'caller', how: 'completed', detail: 'the stream closed without a stop' };
const BROKEN: EndReason = { who: 'carrier', how: 'error', detail: 'the stream broke off' };

const ENDED: LegState = { name: 'ended' };
const end = (reason: EndReason, ...closing: LegEffect[]): Step<LegState, LegEffect> => [
  ENDED,
  [{ type: 'cancel-deadline' }, ...closing, { type: 'leg-ended', reason }],
];
const close = (epoch: number, code: number, why: string): LegEffect => ({
  type: 'close-socket',
  epoch,
  code,
  why,
});

export function newLeg(nowMs: number): Step<LegState, LegEffect> {
  const deadlineMs = nowMs + STREAM_DEADLINE_MS;
  return [{ name: 'awaiting', epoch: 0, deadlineMs }, [{ type: 'arm-deadline', dueMs: deadlineMs }]];
}

const table: Table<LegState, LegEvent, LegEffect> = {
  awaiting: {
    'socket-opened': (state, { epoch }, nowMs) => {
      const dueMs = Math.min(state.deadlineMs, nowMs + START_DEADLINE_MS);
      return [{ name: 'opened', epoch, deadlineMs: state.deadlineMs }, [{ type: 'arm-deadline', dueMs }]];
    },
    'stream-started': stay,
    'stream-stopped': stay,
    'socket-closed': stay,
    'stream-expected': stay,
    'let-go': stay,
    'hold-on': stay,
    deadline: () => end(NO_STREAM),
    'carrier-ended': (_state, { reason }) => end(reason),
    end: () => [ENDED, [{ type: 'cancel-deadline' }]],
  },
  opened: {
    // Carriers retry their handshake: the newest pending socket is the one that counts.
    'socket-opened': (state, { epoch }, nowMs) => [
      { ...state, epoch },
      [
        close(state.epoch, 1000, 'replaced by a newer socket of the call'),
        { type: 'arm-deadline', dueMs: Math.min(state.deadlineMs, nowMs + START_DEADLINE_MS) },
      ],
    ],
    'stream-started': (state, { epoch }) =>
      epoch === state.epoch
        ? [
            { name: 'attached', epoch, pendingEpoch: null },
            [{ type: 'cancel-deadline' }, { type: 'leg-ready', epoch, replaced: false }],
          ]
        : stay(state),
    'stream-stopped': (state, { epoch }) =>
      epoch === state.epoch ? end(CALLER_HUNG_UP, close(epoch, 1000, 'stopped')) : stay(state),
    'socket-closed': (state, { epoch }) =>
      epoch === state.epoch
        ? [
            { name: 'awaiting', epoch, deadlineMs: state.deadlineMs },
            [{ type: 'arm-deadline', dueMs: state.deadlineMs }],
          ]
        : stay(state),
    'stream-expected': stay,
    'let-go': stay,
    'hold-on': stay,
    deadline: (state) => end(NO_START, close(state.epoch, 1008, 'no start in time')),
    'carrier-ended': (state, { reason }) => end(reason, close(state.epoch, 1000, 'the call has ended')),
    end: (state) => [ENDED, [{ type: 'cancel-deadline' }, close(state.epoch, 1000, 'the call has ended')]],
  },
  attached: {
    'socket-opened': (state, { epoch }, nowMs) => [
      { ...state, pendingEpoch: epoch },
      [
        ...(state.pendingEpoch === null
          ? []
          : [close(state.pendingEpoch, 1000, 'replaced by a newer socket of the call')]),
        { type: 'arm-deadline', dueMs: nowMs + START_DEADLINE_MS },
      ],
    ],
    'stream-started': (state, { epoch }) =>
      epoch === state.pendingEpoch
        ? [
            { name: 'attached', epoch, pendingEpoch: null },
            [
              { type: 'cancel-deadline' },
              close(state.epoch, 1000, 'replaced by a newer stream of the call'),
              { type: 'leg-ready', epoch, replaced: true },
            ],
          ]
        : stay(state),
    'stream-stopped': (state, { epoch }, nowMs) => {
      if (epoch !== state.epoch) return stay(state);
      // A second socket is on its way: the carrier moved the stream rather than ending the call.
      if (state.pendingEpoch !== null)
        return [
          lost(state, CLOSED, nowMs + LOST_GRACE_MS),
          [{ type: 'leg-paused' }, close(epoch, 1000, 'stopped')],
        ];
      return end(CALLER_HUNG_UP, close(epoch, 1000, 'stopped'));
    },
    'socket-closed': (state, { epoch, broken }, nowMs) => {
      if (epoch === state.pendingEpoch)
        return [{ ...state, pendingEpoch: null }, [{ type: 'cancel-deadline' }]];
      if (epoch !== state.epoch) return stay(state);
      const pause: LegEffect[] = [{ type: 'leg-paused' }];
      const untilMs = nowMs + LOST_GRACE_MS;
      if (state.pendingEpoch === null) pause.push({ type: 'arm-deadline', dueMs: untilMs });
      return [lost(state, broken ? BROKEN : CLOSED, untilMs), pause];
    },
    'stream-expected': stay,
    'let-go': (state, event) => {
      const { reason, untilMs } = event;
      return letGo({ ...lost(state, CLOSED, untilMs), reason, open: true }, event, [{ type: 'leg-paused' }]);
    },
    'hold-on': stay,
    deadline: (state) =>
      state.pendingEpoch === null
        ? stay(state)
        : [{ ...state, pendingEpoch: null }, [close(state.pendingEpoch, 1008, 'no start in time')]],
    'carrier-ended': (state, { reason }) => end(reason, ...closeAll(state)),
    end: (state) => [ENDED, [{ type: 'cancel-deadline' }, ...closeAll(state)]],
  },
  lost: {
    'socket-opened': (state, { epoch }, nowMs) => [
      { ...state, pendingEpoch: epoch },
      [
        ...(state.pendingEpoch === null
          ? []
          : [close(state.pendingEpoch, 1000, 'replaced by a newer socket of the call')]),
        { type: 'arm-deadline', dueMs: nowMs + START_DEADLINE_MS },
      ],
    ],
    'stream-started': (state, { epoch }) =>
      epoch === state.pendingEpoch
        ? [
            { name: 'attached', epoch, pendingEpoch: null },
            [
              { type: 'cancel-deadline' },
              ...(state.open ? [close(state.epoch, 1000, 'replaced by a newer stream of the call')] : []),
              { type: 'leg-ready', epoch, replaced: true },
            ],
          ]
        : stay(state),
    // The carrier may end the stream of a caller who is put through, and so does a caller who hangs up.
    'stream-stopped': (state, { epoch }) =>
      epoch === state.epoch && state.open
        ? [{ ...state, open: false, left: CALLER_HUNG_UP }, [close(epoch, 1000, 'stopped')]]
        : stay(state),
    'socket-closed': (state, { epoch, broken }, nowMs) => {
      if (epoch === state.epoch && state.open)
        return [{ ...state, open: false, left: broken ? BROKEN : CLOSED }, []];
      if (epoch !== state.pendingEpoch) return stay(state);
      const untilMs = Math.max(state.untilMs, nowMs + LOST_GRACE_MS);
      return [{ ...state, pendingEpoch: null, untilMs }, [{ type: 'arm-deadline', dueMs: untilMs }]];
    },
    'let-go': (state, event) => letGo({ ...state, reason: event.reason, untilMs: event.untilMs }, event, []),
    'hold-on': (state, _event, nowMs) => {
      const { epoch, pendingEpoch, left } = state;
      const startMs = nowMs + START_DEADLINE_MS;
      if (state.open) {
        const deadline: LegEffect =
          pendingEpoch === null ? { type: 'cancel-deadline' } : { type: 'arm-deadline', dueMs: startMs };
        return [
          { name: 'attached', epoch, pendingEpoch },
          [deadline, { type: 'leg-ready', epoch, replaced: true }],
        ];
      }
      const untilMs = nowMs + LOST_GRACE_MS;
      const dueMs = pendingEpoch === null ? untilMs : startMs;
      return [{ ...state, untilMs, reason: left }, [{ type: 'arm-deadline', dueMs }]];
    },
    'stream-expected': (state, { returning }, nowMs) => {
      const untilMs = nowMs + START_DEADLINE_MS;
      return [
        { ...state, untilMs, ...(returning && { reason: NO_STREAM }) },
        [{ type: 'arm-deadline', dueMs: untilMs }],
      ];
    },
    deadline: (state, _event, nowMs) => {
      // A socket without a start does not end the wait for one that has it.
      if (state.pendingEpoch !== null && nowMs < state.untilMs)
        return [
          { ...state, pendingEpoch: null },
          [
            close(state.pendingEpoch, 1008, 'no start in time'),
            { type: 'arm-deadline', dueMs: state.untilMs },
          ],
        ];
      return end(
        state.reason,
        ...(state.open ? [close(state.epoch, 1000, 'the call has ended')] : []),
        ...(state.pendingEpoch === null ? [] : [close(state.pendingEpoch, 1008, 'no start in time')]),
      );
    },
    'carrier-ended': (state, { reason }) =>
      end(reason, ...closeAll(state.open ? state : { ...state, epoch: -1 })),
    end: (state) => [
      ENDED,
      [{ type: 'cancel-deadline' }, ...closeAll(state.open ? state : { ...state, epoch: -1 })],
    ],
  },
  ended: {
    // A socket that arrives for a call that is over is sent away.
    'socket-opened': (state, { epoch }) => [state, [close(epoch, 1000, 'the call has ended')]],
    'stream-started': stay,
    'stream-stopped': stay,
    'socket-closed': stay,
    'stream-expected': stay,
    'let-go': stay,
    'hold-on': stay,
    deadline: stay,
    'carrier-ended': stay,
    end: stay,
  },
};

type Attached = Extract<LegState, { name: 'attached' }>;
type Lost = Extract<LegState, { name: 'lost' }>;

/** The stream is gone, and `left` with it as far as anybody knows. */
function lost({ epoch, pendingEpoch }: Attached, left: EndReason, untilMs: number): Lost {
  return { name: 'lost', epoch, pendingEpoch, untilMs, reason: left, open: false, left };
}

/** A socket that was on its way would take the caller back from whom they are put through to. */
function letGo(
  state: Lost,
  event: Extract<LegEvent, { type: 'let-go' }>,
  before: readonly LegEffect[],
): Step<LegState, LegEffect> {
  const { epoch, pendingEpoch } = state;
  const why = 'the caller is put through';
  return [
    { ...state, pendingEpoch: null, open: state.open && !event.close },
    [
      ...before,
      { type: 'arm-deadline', dueMs: event.untilMs },
      ...(pendingEpoch === null ? [] : [close(pendingEpoch, 1000, why)]),
      ...(state.open && event.close ? [close(epoch, 1000, why)] : []),
    ],
  ];
}

function closeAll(state: { readonly epoch: number; readonly pendingEpoch: number | null }): LegEffect[] {
  const effects: LegEffect[] = [];
  if (state.epoch >= 0) effects.push(close(state.epoch, 1000, 'the call has ended'));
  if (state.pendingEpoch !== null) effects.push(close(state.pendingEpoch, 1000, 'the call has ended'));
  return effects;
}

export const stepLeg = stepper(table);
