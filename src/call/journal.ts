/**
 * Everything that happens to a call, as typed entries in the order in which it happened. Records, metrics, logs, the
 * console and the laboratory only subscribe; the call knows none of them. What a person said, dialled or is called
 * stands under `pii` alone, so that a sink can drop it by name.
 */
import type { CarrierId, ControlResult, MediaFault, MediaFormat } from '../carriers/carrier.ts';
import type { CloseClass, Usage } from '../gemini/live-session.ts';
import type { EndReason } from './end-reason.ts';
import type { Rung } from './ladder.ts';
import type { RotationCause } from './session.ts';
import type { StallSign, StallStep } from './stall-doctor.ts';
import type { ToolFact } from './tool-desk.ts';
import type { CallTotals } from './totals.ts';

export type JournalFact =
  | {
      readonly type: 'call-admitted';
      readonly carrier: CarrierId;
      readonly direction: 'inbound' | 'outbound';
      readonly bot: string;
      readonly model: string;
      readonly pii: { readonly from: string; readonly to: string };
    }
  /** A socket was accepted for the call and waits for its `start`. */
  | { readonly type: 'stream-opened'; readonly epoch: number }
  | {
      readonly type: 'stream-started';
      readonly epoch: number;
      readonly streamId: string;
      readonly receive: MediaFormat;
      readonly send: MediaFormat;
    }
  | { readonly type: 'stream-replaced'; readonly epoch: number }
  | {
      readonly type: 'stream-ended';
      readonly epoch: number;
      readonly how: 'stop' | 'close' | 'timeout' | 'unusable';
      readonly detail: string;
    }
  | {
      readonly type: 'session-connecting';
      readonly epoch: number;
      readonly attempt: number;
      readonly rung: Rung;
    }
  /** `queuedMs`: until it had its turn among the process's calls. `setupMs`: from when nothing of ours stood in its way. */
  | {
      readonly type: 'session-ready';
      readonly epoch: number;
      readonly queuedMs: number;
      readonly setupMs: number;
      readonly how: 'first' | 'resumed' | 'fresh';
    }
  /** The connection is to be replaced, at the next quiet moment or at `forceAtMs`. */
  | {
      readonly type: 'rotation-due';
      readonly epoch: number;
      readonly cause: RotationCause;
      readonly forceAtMs: number;
    }
  /**
   * A connection took the place of another. `gapMs`: from the last of the caller's audio that the old one took to the
   * first that the new one did, of which `queuedMs` went by before its turn and `setupMs` were the set-up's; `resentMs` of
   * the caller were sent once more.
   */
  | {
      readonly type: 'rotated';
      readonly planned: boolean;
      readonly how: 'resumed' | 'fresh';
      readonly gapMs: number;
      readonly queuedMs: number;
      readonly setupMs: number;
      readonly resentMs: number;
    }
  /** What was held of the caller, or is sent once more, has gone to the new connection `afterMs` after it was there. */
  | { readonly type: 'caught-up'; readonly afterMs: number }
  /**
   * What was left to play of it was cleared: it will be made anew, nobody could have heard it, or it was a filler in the
   * place of the answer that is here.
   */
  | {
      readonly type: 'turn-given-up';
      readonly turn: number;
      readonly why: 'session-lost' | 'inaudible' | 'answered';
      readonly droppedMs: number;
    }
  /** The model was told what it cannot know: that it was cut off, what a tool has answered. */
  | { readonly type: 'model-told'; readonly what: 'go-on' | 'repeat' | 'tool-result' | 'nudge' | 'returned' }
  /** The model is not well, though its socket is: what was seen, and what is done about it. */
  | {
      readonly type: 'stall';
      readonly sign: StallSign;
      readonly step: StallStep;
      readonly detail: string;
    }
  | { readonly type: 'session-forgotten'; readonly promptTokens: number; readonly before: number }
  | {
      readonly type: 'session-failed';
      readonly epoch: number;
      readonly class: CloseClass;
      readonly detail: string;
    }
  | {
      readonly type: 'session-lost';
      readonly epoch: number;
      readonly code: number;
      readonly class: CloseClass;
      readonly detail: string;
    }
  | { readonly type: 'go-away'; readonly timeLeftMs: number | null }
  | { readonly type: 'setup-reduced'; readonly dropped: readonly string[] }
  | { readonly type: 'greeting-triggered'; readonly attempt: number }
  | { readonly type: 'greeting-clip' }
  | { readonly type: 'duplicate-greeting-dropped' }
  /** `onsetAtMs`: the clock at the first frame of this speech, some frames before it was recognised. */
  | { readonly type: 'utterance-started'; readonly onsetAtMs: number; readonly levelDbov: number }
  | { readonly type: 'utterance-ended'; readonly lastSpeechAtMs: number; readonly durationMs: number }
  | { readonly type: 'turn-started'; readonly turn: number; readonly generation: number }
  /** The first non-silent frame of the turn was written; the gap counts from the last caller frame with speech. */
  | {
      readonly type: 'turn-audible';
      readonly turn: number;
      readonly turnGapMs: number | null;
      readonly addedLatencyMs: number;
    }
  | {
      readonly type: 'turn-ended';
      readonly turn: number;
      readonly how: 'complete' | 'interrupted' | 'dropped';
      readonly generatedMs: number;
      readonly pii: { readonly text: string };
    }
  /** What the caller heard of a generation of playout that is over: played to its end, or cleared. */
  | {
      readonly type: 'generation-over';
      readonly generation: number;
      readonly how: 'played' | 'cleared';
      readonly sentMs: number;
      readonly heardMs: number;
      readonly heardBy: 'marks' | 'clock';
      readonly pii: { readonly heardText: string; readonly uncertainText: string };
    }
  /** Playout was stopped because the caller speaks. `generation` is the new one. */
  | {
      readonly type: 'barge-in';
      /** `new-answer`: the model answered somebody who had spoken over audio that was still to be played. */
      readonly by: 'model' | 'tracker' | 'new-answer';
      readonly generation: number;
      /** First caller frame of the interrupting speech to `clear` written; null when no such speech was seen. */
      readonly bargeInMs: number | null;
      /** `interrupted` read to `clear` written; null when the tracker acted first. */
      readonly gatewayMs: number | null;
      readonly droppedMs: number;
    }
  /** The tracker's barge-in was not confirmed: what the caller had not heard is played again from there. */
  | {
      readonly type: 'playout-resumed';
      readonly generation: number;
      readonly pausedMs: number;
      readonly replayedMs: number;
    }
  | { readonly type: 'interrupted-ignored'; readonly why: 'nothing-unplayed' | 'already-cleared' }
  | { readonly type: 'stale-audio-dropped'; readonly turn: number; readonly droppedMs: number }
  | {
      readonly type: 'transcript';
      readonly speaker: 'caller' | 'bot';
      readonly turn: number;
      readonly pii: { readonly text: string };
    }
  | { readonly type: 'dtmf'; readonly pii: { readonly digit: string } }
  /** The keys were given to the model, or wait for a connection that takes them. */
  | { readonly type: 'keys-given'; readonly pii: { readonly keys: string } }
  | {
      readonly type: 'clip-played';
      readonly turn: number;
      readonly isFiller: boolean;
      readonly pii: { readonly text: string };
    }
  | ToolFact
  /** The caller is handed to somebody else: asked for, refused by the carrier (its result), unanswered, back on the line. */
  | {
      readonly type: 'transfer';
      readonly what: 'asked' | 'unanswered' | 'returned' | Exclude<ControlResult, 'done'>;
    }
  | { readonly type: 'hang-up-armed'; readonly detail: string }
  | { readonly type: 'hang-up-disarmed' }
  | {
      readonly type: 'underrun';
      readonly generation: number;
      readonly gapMs: number;
      readonly seenBy: 'marks' | 'clock';
    }
  | { readonly type: 'caller-gap'; readonly gapMs: number; readonly filledMs: number }
  | { readonly type: 'caller-stalled'; readonly stalledMs: number }
  /** Written for the first of its kind in a call; every one is counted in the totals. */
  | {
      readonly type: 'carrier-fault';
      readonly kind: MediaFault | 'flood' | 'oversize' | 'socket-error';
      readonly detail: string;
    }
  | { readonly type: 'model-fault'; readonly kind: string; readonly detail: string }
  | { readonly type: 'backpressure'; readonly leg: 'carrier' | 'model'; readonly droppedMs: number }
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'carrier-event'; readonly what: string }
  | { readonly type: 'hang-up-asked'; readonly result: string }
  | { readonly type: 'bug'; readonly where: string; readonly detail: string }
  | { readonly type: 'call-ended'; readonly reason: EndReason; readonly totals: CallTotals };

/** `atMs` is the clock's monotonic time, so that two entries can be subtracted. */
export type JournalEntry = JournalFact & { readonly atMs: number };
export type JournalEntryOf<T extends JournalFact['type']> = Extract<JournalEntry, { type: T }>;

export type JournalListener = (entry: JournalEntry, call: CallIdentity) => void;

/** What every listener may know of the call without touching it. `ref` is ours and safe to log. */
export interface CallIdentity {
  readonly ref: string;
  readonly carrier: CarrierId;
  readonly carrierCallId: string;
  readonly bot: string;
  readonly model: string;
}

/** The journal keeps this many entries of a call in memory for the console; older ones have gone to the listeners. */
const KEPT_ENTRIES = 512;

export class Journal {
  readonly #listeners: readonly JournalListener[];
  readonly #now: () => number;
  readonly identity: CallIdentity;
  readonly #kept: JournalEntry[] = [];

  constructor(identity: CallIdentity, now: () => number, listeners: readonly JournalListener[]) {
    this.identity = identity;
    this.#now = now;
    this.#listeners = listeners;
  }

  /** Appends and tells every listener. A listener that throws is its own fault: neither the call nor the others notice. */
  write(fact: JournalFact): void {
    const entry: JournalEntry = { ...fact, atMs: this.#now() };
    if (this.#kept.length === KEPT_ENTRIES) this.#kept.splice(0, KEPT_ENTRIES / 4);
    this.#kept.push(entry);
    for (const listener of this.#listeners) {
      try {
        listener(entry, this.identity);
      } catch {
        // The call must go on; a sink counts its own failures.
      }
    }
  }

  /** The newest entries, oldest first. */
  entries(): readonly JournalEntry[] {
    return this.#kept;
  }
}
