/**
 * What a carrier is to the rest of Offhook: four ports and a list of capabilities. Whatever differs between carriers
 * is absorbed here; the call core never learns a carrier's name.
 */

export const CARRIER_IDS = [
  'twilio',
  'telnyx',
  'plivo',
  'vonage',
  'signalwire',
  'jambonz',
  'asterisk',
] as const;
export type CarrierId = (typeof CARRIER_IDS)[number];

/** PCMU and PCMA run at 8 kHz; L16 is 16-bit little-endian here, adapters turn other byte orders round. Mono always. */
export type Encoding = 'pcmu' | 'pcma' | 'l16';
export interface MediaFormat {
  readonly encoding: Encoding;
  /** Hertz. */
  readonly sampleRate: 8000 | 16000 | 24000;
}

export interface CarrierCapabilities {
  /** Exact frame length the carrier demands, or null where any size is played. */
  readonly exactFrameMs: number | null;
  /** Largest run of audio put into one message. */
  readonly packetMs: number;
  /** How far ahead of real time playout may run, and how far it may grow after underruns. */
  readonly leadMs: number;
  readonly maxLeadMs: number;
  /**
   * What becomes of pending marks when the buffer is cleared: they come back looking like any other, are reported as
   * cleared, or never come back. What was heard is read off them accordingly.
   */
  readonly marksAtClear: 'echoed' | 'reported' | 'dropped';
  /** The carrier answers a clear with an event of its own (`cleared`): no mark that is not back by then was played. */
  readonly acknowledgesClear: boolean;
  /**
   * The carrier plays nothing of a stream before it holds so much, and from then on lets audio through by the packet
   * (`packetMs`); the media port fills up the last one of a turn, and the one that a clear meets. 0: it plays at once.
   */
  readonly startBufferMs: number;
  readonly supportsMarks: boolean;
  readonly supportsClear: boolean;
  readonly dtmfOut: 'media' | 'api' | 'none';
  readonly hangup: 'api' | 'media' | 'close';
  readonly transfer: 'api' | 'continuation' | 'none';
  /** The carrier says what became of a transfer, and gives the caller back when nobody answered (`stream-continuation`). */
  readonly transferReports: boolean;
  /** The carrier can be asked whether a person or a machine has answered a call that it placed (`call-answered`). */
  readonly detectsMachines: boolean;
  /** True when closing our socket ends the call without further ado. */
  readonly closeEndsCall: boolean;
  /** The call goes on, and is billed, when its stream has ended, by whomever: only the API ends it. */
  readonly outlivesStream: boolean;
  /** True when the carrier sends media all the time, so that a pause in it means trouble. */
  readonly sendsContinuously: boolean;
}

/** A webhook or upgrade request as it came, with the target rebuilt on PUBLIC_URL (never from Host). */
export interface RawRequest {
  readonly method: string;
  /** Path and query as received, starting with `/`. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

export type Verification =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'missing' | 'mismatch' | 'stale' | 'malformed' };

export interface IncomingCall {
  readonly carrier: CarrierId;
  /** The carrier's own id of the call. */
  readonly callId: string;
  readonly accountId: string | null;
  /** E.164 or whatever the carrier sends; personal data. */
  readonly from: string;
  readonly to: string;
  readonly direction: 'inbound' | 'outbound';
  /** Of a call that we placed: the `ref` of its DialRequest, where the carrier gives it back. */
  readonly dialRef?: string;
}

export type WebhookEvent =
  | { readonly type: 'call-incoming'; readonly call: IncomingCall }
  /** `by`: what the carrier's own detection of answering machines says, of a call that we placed. */
  | {
      readonly type: 'call-answered';
      readonly callId: string;
      readonly by?: 'person' | 'machine' | 'unknown';
    }
  | { readonly type: 'call-ended'; readonly callId: string; readonly status: string }
  | { readonly type: 'stream-started' | 'stream-stopped'; readonly callId: string }
  | { readonly type: 'stream-failed'; readonly callId: string; readonly detail: string }
  /** The carrier asks what comes next; `transfer` is set when what ended was a transfer and the caller is still there. */
  | {
      readonly type: 'stream-continuation';
      readonly callId: string;
      readonly transfer?: 'answered' | 'unanswered';
    }
  | { readonly type: 'ignored'; readonly what: string };

export interface HttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** Why a call is turned away at the webhook; the caller hears a sentence for it. */
export type RefusalReason = 'busy' | 'draining' | 'no-bot' | 'error';
export type AfterStream =
  | { readonly kind: 'hangup' }
  | { readonly kind: 'transfer'; readonly target: string };

export interface WebhookPort {
  /** Status of a refused signature: 403, Vonage 401. */
  readonly refusedStatus: 401 | 403;
  verify(request: RawRequest): Verification;
  /** Never throws; what is not understood is `ignored`. */
  parse(request: RawRequest, kind: 'voice' | 'after' | 'events'): WebhookEvent;
  /** The answer document that names the stream. `streamPath` starts with `/`. */
  accept(call: IncomingCall, streamPath: string): Promise<HttpReply>;
  reject(call: IncomingCall, reason: RefusalReason): Promise<HttpReply>;
  /** The answer at `/after`, once the stream has ended. */
  continueWith(plan: AfterStream): HttpReply;
  /** A 2xx without content for events. */
  acknowledge(): HttpReply;
}

export interface UpgradePort {
  /** The carrier's own signature or credentials on the handshake; the path token is checked by the gateway. */
  authorize(request: RawRequest): Verification;
  readonly refusedStatus: 401 | 403;
  /** WebSocket subprotocols that the carrier may ask for, the preferred one first; empty: none. */
  readonly subprotocols: readonly string[];
  /**
   * Of a carrier without a webhook: the call's particulars as the authorized handshake has them, or null where it has
   * none that can be used. Such a stream comes to `/<carrier>/media`, without a token.
   */
  readonly incoming?: (request: RawRequest) => IncomingCall | null;
}

export interface StreamStart {
  readonly callId: string | null;
  readonly streamId: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** What the carrier sends us, and what we send it. */
  readonly receive: MediaFormat;
  readonly send: MediaFormat;
}

/** What became of a mark: `ambiguous` where the echo looks the same for played and cleared. */
export type MarkOutcome = 'played' | 'cleared' | 'ambiguous';

export type MediaEvent =
  | { readonly type: 'started'; readonly start: StreamStart }
  | { readonly type: 'audio'; readonly payload: Buffer; readonly mediaTimeMs: number | null }
  | { readonly type: 'dtmf'; readonly digit: string }
  | { readonly type: 'mark'; readonly name: string; readonly outcome: MarkOutcome }
  | { readonly type: 'cleared' }
  /** The carrier has more audio than it wants, or takes more again. */
  | { readonly type: 'flow'; readonly paused: boolean }
  | { readonly type: 'reply'; readonly message: string | Buffer }
  | { readonly type: 'stopped' }
  /** The stream cannot go on: wrong codec, nothing like the protocol. Closes with `closeCode`. */
  | { readonly type: 'unusable'; readonly closeCode: number; readonly detail: string }
  /** Ignored and counted. `kind` is a closed set of metric labels, `detail` never holds audio or personal data. */
  | { readonly type: 'fault'; readonly kind: MediaFault; readonly detail: string };

export type MediaFault =
  | 'bad-json'
  | 'bad-payload'
  | 'before-start'
  | 'second-start'
  | 'wrong-stream'
  | 'out-of-order'
  | 'unexpected-binary'
  | 'unknown-event'
  | 'carrier-warning';

export type MediaCommand =
  | { readonly type: 'audio'; readonly payload: Uint8Array }
  /** The turn is over: pad and send what is held back. */
  | { readonly type: 'end-of-turn' }
  | { readonly type: 'mark'; readonly name: string }
  | { readonly type: 'clear' }
  | { readonly type: 'dtmf'; readonly digits: string }
  | { readonly type: 'hangup' };

/** One per stream, pure: bytes in, events out; commands in, messages out. No timer, no socket. Neither method throws. */
export interface MediaPort {
  decode(data: Buffer, isBinary: boolean): readonly MediaEvent[];
  /** Empty where the carrier has no such message. */
  encode(command: MediaCommand): readonly (string | Buffer)[];
}

export type ControlResult = 'done' | 'already-ended' | 'unsupported' | 'retryable' | 'failed';

/** A call that we place. The carrier then asks its `voice` address (or opens the stream) as if the call came in. */
export interface DialRequest {
  /** Ours, at most 64 characters of `[A-Za-z0-9_-]`. Given back as IncomingCall.dialRef where the carrier can. */
  readonly ref: string;
  /** E.164. */
  readonly from: string;
  readonly to: string;
  readonly ringSeconds: number;
  /** Ask the carrier to tell people from answering machines. */
  readonly detectMachine: boolean;
}

export type DialResult =
  | { readonly ok: true; readonly callId: string }
  | {
      readonly ok: false;
      readonly result: Exclude<ControlResult, 'done' | 'already-ended'>;
      readonly detail: string;
    };

/** The carrier's API. Every call has a deadline of its own and never rejects. */
export interface ControlPort {
  hangup(callId: string): Promise<ControlResult>;
  transfer(callId: string, target: string, callerId: string | null): Promise<ControlResult>;
  sendDtmf(callId: string, digits: string): Promise<ControlResult>;
  /** Absent where the carrier cannot place calls, or its API is not configured. Never places a call twice. */
  readonly dial?: (request: DialRequest) => Promise<DialResult>;
}

export interface CarrierAdapter {
  readonly id: CarrierId;
  readonly capabilities: CarrierCapabilities;
  /** Null where the carrier has none: it announces a call by opening its stream (UpgradePort.incoming). */
  readonly webhook: WebhookPort | null;
  readonly upgrade: UpgradePort;
  readonly control: ControlPort;
  /** Key material for the stream tokens: the same on every machine that has the carrier's credentials. */
  readonly tokenSecrets: readonly string[];
  createMediaPort(): MediaPort;
}
