/**
 * What the web server needs of the calls, and nothing more: the webhook asks to admit, the socket asks to attach.
 * Implemented by the call registry; the HTTP layer never sees a call from inside.
 */
import type { CarrierAdapter, IncomingCall, RefusalReason } from '../carriers/carrier.ts';
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

export interface CallDesk {
  /** Admits a signed call, or says why not. A repeated webhook re-arms the token (a second stream may follow). */
  admit(adapter: CarrierAdapter, call: IncomingCall): Admission;
  /** Checks a stream token at the upgrade, before it is accepted. */
  claimStream(adapter: CarrierAdapter, token: string): StreamClaim;
  /**
   * The carrier asks what comes next. When the stream broke off and the call is alive, it is to open another one: what
   * to answer with; null when there is nothing to go back to.
   */
  takeBack(
    adapter: CarrierAdapter,
    callId: string,
  ): { readonly call: IncomingCall; readonly streamPath: string } | null;
  /** A carrier's status callback: the call has ended, its stream failed … Unknown calls are ignored. */
  carrierSays(
    adapter: CarrierAdapter,
    callId: string,
    what: 'ended' | 'stream-failed' | 'stream-stopped',
    detail: string,
  ): void;
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
