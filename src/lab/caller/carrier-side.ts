/** What one carrier does around its stream: how it rings, what it asks and tells, and what its API may do to the call. */
import type { Clock } from '../../clock.ts';
import type { CarrierName } from './call-run.ts';
import type { GatewayHttp } from './gateway-http.ts';
import type { SampleRate } from './line-format.ts';
import type { OpenProtocol } from './protocol.ts';

/** A stream as the gateway has asked for it. */
export interface StreamPlan {
  /** As the gateway named it. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly protocols: readonly string[];
  readonly streamId: string;
  /** Of the caller's audio. */
  readonly sentRate: SampleRate;
  readonly open: OpenProtocol;
  /** Between the socket's opening and the first message. */
  readonly beforeStart?: () => Promise<void>;
}

/** How a call goes on. */
export type Next =
  | { readonly do: 'stream'; readonly plan: StreamPlan }
  | { readonly do: 'transfer'; readonly target: string; readonly detail: string }
  /** `detail`: what was said last, or what the document holds. */
  | { readonly do: 'hang-up'; readonly detail: string }
  /** The line stays open and nothing is on it. */
  | { readonly do: 'stay'; readonly detail: string };

export type CalleeOutcome = 'answered' | 'busy' | 'no-answer';

export interface CarrierSide {
  readonly carrier: CarrierName;
  /** The carrier's own name of the call. */
  readonly callId: string;
  /** From ringing to what the gateway wants. @throws OffhookError ERR_CALL when there is no call */
  ring(): Promise<Next>;
  /** The gateway has closed the stream. */
  afterStream(): Promise<Next>;
  /** A transfer is over, and the caller is still there. */
  afterTransfer(outcome: CalleeOutcome): Promise<Next>;
  /** Status callbacks: best effort, as the carrier's are. Each resolves with what was answered. */
  tell(what: 'stream-started' | 'stream-stopped' | 'ended'): readonly Promise<{ readonly status: number }>[];
  /** Makes the call known to the carrier's API; the answer forgets it again. */
  register?(control: CallControl): () => void;
}

/** What the API may do to a running call. */
export interface CallControl {
  hangUp(detail: string): void;
  /** The call leaves its stream for something else. */
  proceed(next: Next): void;
  /** Keys pressed for the other end of the line. */
  digits(digits: string): void;
  /** Something about the API's use that the carrier would not take. */
  invalid(why: string): void;
}

/** What a carrier's side is made with. */
export interface CallContext {
  readonly clock: Clock;
  readonly http: GatewayHttp;
  readonly from: string;
  readonly to: string;
  readonly direction: 'inbound' | 'outbound';
  note(what: string, detail: string): void;
}
