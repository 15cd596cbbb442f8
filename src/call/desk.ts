/**
 * What the web server needs of the calls, and nothing more: the webhook asks to admit, the socket asks to attach.
 * Implemented by the call registry; the HTTP layer never sees a call from inside.
 */
import type {
  AfterStream,
  CarrierAdapter,
  ControlResult,
  IncomingCall,
  RefusalReason,
} from '../carriers/carrier.ts';
import type { EndReason } from './end-reason.ts';

/** One accepted carrier socket as the call uses it. Nothing here throws. */
export interface StreamSocket {
  /** Strings go out as text frames, buffers as binary ones. False when the socket no longer takes anything. */
  send(message: string | Buffer): boolean;
  readonly bufferedBytes: number;
  /** Close handshake, then destroyed after a short grace. */
  close(code: number, reason: string): void;
}

/** Where the web server delivers what a socket says. Both are synchronous and never throw. */
export interface StreamSink {
  onMessage(data: Buffer, isBinary: boolean): void;
  /** Once, for every way a socket can end. `detail` names a socket error (oversize, protocol) when there was one. */
  onClose(code: number, detail: string): void;
}

export type Admission =
  /** `repeated`: the carrier asked again for a call that is known; the caller of this must give the same answer again. */
  | {
      readonly kind: 'admitted';
      readonly ref: string;
      readonly streamPath: string;
      readonly repeated: boolean;
    }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly detail: string };

export type StreamClaim =
  | { readonly ok: true; readonly ref: string; attach(socket: StreamSocket): StreamSink }
  /** `unknown-call`: the token is good but no call of this process has it (ended, or another machine's). */
  | {
      readonly ok: false;
      readonly reason: 'malformed' | 'mismatch' | 'stale' | 'used' | 'unknown-call' | 'draining';
    };

export interface CallSummary {
  readonly ref: string;
  readonly carrier: string;
  readonly bot: string;
  readonly state: string;
  readonly durationMs: number;
}

/** A call that somebody wants placed. `bot`: by its name; null: the one that answers calls to `from`. */
export interface DialAsk {
  readonly carrier: string;
  readonly from: string;
  readonly to: string;
  readonly bot: string | null;
}

/** `detail` says what was found and what was wanted; it may hold numbers, and is for whoever asked. */
export type DialOutcome =
  /** `ref`: ours, of the call as soon as it is answered. `callId`: the carrier's own name of the call, or of our asking. */
  | { readonly ok: true; readonly ref: string; readonly callId: string }
  | {
      readonly ok: false;
      readonly why: 'invalid' | 'not-allowed' | 'too-many' | 'draining' | 'full';
      readonly detail: string;
    }
  | {
      readonly ok: false;
      readonly why: 'carrier';
      readonly result: Exclude<ControlResult, 'done' | 'already-ended'>;
      readonly detail: string;
    };

export interface CallDesk {
  /** Admits a signed call, or says why not. A repeated webhook re-arms the token (a second stream may follow). */
  admit(adapter: CarrierAdapter, call: IncomingCall): Admission;
  /** Checks a stream token at the upgrade, before it is accepted. */
  claimStream(adapter: CarrierAdapter, token: string): StreamClaim;
  /**
   * The stream has ended and the carrier asks what comes next; `outcome` is that of a transfer it was told to make. When
   * the stream broke off, or nobody answered, and the call is alive, it is to open another one.
   */
  afterStream(
    adapter: CarrierAdapter,
    callId: string,
    outcome: 'answered' | 'unanswered' | null,
  ): AfterStream | { readonly kind: 'stream'; readonly call: IncomingCall; readonly streamPath: string };
  /** A carrier's status callback: the call has ended, its stream failed … Unknown calls are ignored. */
  carrierSays(
    adapter: CarrierAdapter,
    callId: string,
    what: 'ended' | 'stream-failed' | 'stream-stopped',
    detail: string,
  ): void;
  /** Who has answered a call that we placed, as far as the carrier can tell. Unknown calls are ignored. */
  answeredBy(adapter: CarrierAdapter, callId: string, by: 'person' | 'machine' | 'unknown'): void;
  /** Places a call. Never rejects; resolves when the carrier has taken it or not, not when it is answered. */
  dial(ask: DialAsk): Promise<DialOutcome>;
  readonly activeCalls: number;
  readonly pendingStreams: number;
  readonly capacity: number;
  readonly draining: boolean;
  /** Milliseconds since draining began, or null. */
  readonly drainingForMs: number | null;
  summaries(): readonly CallSummary[];
  /** Ends one call (console, API). False when there is none. */
  end(ref: string, reason: EndReason): boolean;
  beginDrain(): void;
  /** Resolves when the last call has ended, at the latest after `deadlineMs`, when the rest is ended as drained. */
  drained(deadlineMs: number): Promise<void>;
}
