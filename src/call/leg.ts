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
  | {
      readonly name: 'lost';
      readonly epoch: number;
      readonly pendingEpoch: number | null;
      readonly broken: boolean;
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
  /** The carrier was told to open another stream. */
  | { readonly type: 'stream-expected' }
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
    'stream-stopped': (state, { epoch }) => {
      if (epoch !== state.epoch) return stay(state);
      // A second socket is on its way: the carrier moved the stream rather than ending the call.
      if (state.pendingEpoch !== null)
        return [
          { ...state, name: 'lost', broken: false },
          [{ type: 'leg-paused' }, close(epoch, 1000, 'stopped')],
        ];
      return end(CALLER_HUNG_UP, close(epoch, 1000, 'stopped'));
    },
    'socket-closed': (state, { epoch, broken }, nowMs) => {
      if (epoch === state.pendingEpoch)
        return [{ ...state, pendingEpoch: null }, [{ type: 'cancel-deadline' }]];
      if (epoch !== state.epoch) return stay(state);
      const pause: LegEffect[] = [{ type: 'leg-paused' }];
      if (state.pendingEpoch === null) pause.push({ type: 'arm-deadline', dueMs: nowMs + LOST_GRACE_MS });
      return [{ name: 'lost', epoch, pendingEpoch: state.pendingEpoch, broken }, pause];
    },
    'stream-expected': stay,
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
            [{ type: 'cancel-deadline' }, { type: 'leg-ready', epoch, replaced: true }],
          ]
        : stay(state),
    'stream-stopped': stay,
    'socket-closed': (state, { epoch }, nowMs) =>
      epoch === state.pendingEpoch
        ? [{ ...state, pendingEpoch: null }, [{ type: 'arm-deadline', dueMs: nowMs + LOST_GRACE_MS }]]
        : stay(state),
    'stream-expected': (state, _event, nowMs) => [
      state,
      [{ type: 'arm-deadline', dueMs: nowMs + START_DEADLINE_MS }],
    ],
    deadline: (state) =>
      end(
        state.broken ? BROKEN : CLOSED,
        ...(state.pendingEpoch === null ? [] : [close(state.pendingEpoch, 1008, 'no start in time')]),
      ),
    'carrier-ended': (state, { reason }) => end(reason, ...closeAll({ ...state, epoch: -1 })),
    end: (state) => [ENDED, [{ type: 'cancel-deadline' }, ...closeAll({ ...state, epoch: -1 })]],
  },
  ended: {
    // A socket that arrives for a call that is over is sent away.
    'socket-opened': (state, { epoch }) => [state, [close(epoch, 1000, 'the call has ended')]],
    'stream-started': stay,
    'stream-stopped': stay,
    'socket-closed': stay,
    'stream-expected': stay,
    deadline: stay,
    'carrier-ended': stay,
    end: stay,
  },
};

function closeAll(state: { readonly epoch: number; readonly pendingEpoch: number | null }): LegEffect[] {
  const effects: LegEffect[] = [];
  if (state.epoch >= 0) effects.push(close(state.epoch, 1000, 'the call has ended'));
  if (state.pendingEpoch !== null) effects.push(close(state.pendingEpoch, 1000, 'the call has ended'));
  return effects;
}

export const stepLeg = stepper(table);
