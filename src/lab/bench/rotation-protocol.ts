/**
 * What the rotation bench's processes tell each other: the gateway on its own, Gemini's side on its own, and the callers
 * with whoever judges them.
 */

/** Of the gateway's journal, what the bench reads. Times are the gateway's own. */
export type GatewayEntry = { readonly atMs: number } & (
  | {
      readonly type: 'rotated';
      /** At a quiet moment; else it broke, or there was no time to wait for one. */
      readonly planned: boolean;
      readonly how: 'resumed' | 'fresh';
      readonly gapMs: number;
      readonly queuedMs: number;
      readonly setupMs: number;
      readonly resentMs: number;
    }
  | { readonly type: 'caught-up' }
  | { readonly type: 'session-lost'; readonly class: string; readonly detail: string }
  | { readonly type: 'session-failed'; readonly class: string; readonly detail: string }
  | { readonly type: 'turn-audible'; readonly turn: number; readonly turnGapMs: number | null }
  /** The turn was a recording of the gateway's own. */
  | { readonly type: 'clip-played'; readonly turn: number }
  | { readonly type: 'stall'; readonly sign: string; readonly step: string }
  | { readonly type: 'barge-in' }
  | { readonly type: 'bug'; readonly where: string; readonly detail: string }
  | { readonly type: 'call-ended'; readonly reason: { readonly who: string; readonly how: string } }
);

export const ENTRIES_READ: readonly GatewayEntry['type'][] = [
  'rotated',
  'caught-up',
  'session-lost',
  'session-failed',
  'turn-audible',
  'clip-played',
  'stall',
  'barge-in',
  'bug',
  'call-ended',
];

export type FromRotationGateway =
  | {
      readonly type: 'ready';
      readonly url: string;
      readonly accountSid: string;
      readonly authToken: string;
    }
  /** `bot`: every caller has one of its own. */
  | {
      readonly type: 'entry';
      readonly bot: string;
      readonly entry: GatewayEntry;
      /** When it was written, by a clock that both processes have. */
      readonly epochMs: number;
    }
  /** How late the process's timers were since the last report, in ms: what no gateway can make good. */
  | { readonly type: 'report'; readonly lateP99Ms: number; readonly lateMostMs: number }
  | { readonly type: 'failed'; readonly message: string };
export type ToRotationGateway = { readonly type: 'report' } | { readonly type: 'stop' };

/** A stretch of one connection's audio, in samples at 16 kHz. */
export interface HeardSpan {
  readonly connection: number;
  readonly from: number;
  readonly to: number;
}

/** What a session held of the caller's audio, cut back at each resumption to its handle's moment. */
export interface HeardState {
  /** When it began to answer an utterance with this in mind; null: what is held at last. */
  readonly answersAtEpochMs: number | null;
  readonly spans: readonly HeardSpan[];
}

/** What the model's side knows of one caller. */
export interface HeardOfCaller {
  /** 16 kHz, by the number of the connection. */
  readonly audio: ReadonlyMap<number, Int16Array>;
  readonly states: readonly HeardState[];
  readonly connections: number;
  /** Connections that were cut without a word. */
  readonly cut: number;
  readonly refusals: readonly string[];
}

export type FromRotationModel =
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'heard'; readonly heard: HeardOfCaller }
  | { readonly type: 'failed'; readonly message: string };
/** `caller`: the first line of its bot's prompt. */
export type ToRotationModel = { readonly type: 'heard'; readonly caller: string } | { readonly type: 'stop' };
