/** What a connection to Gemini Live says and takes, free of the wire: the call core knows only these types. */
import type { LiveSetup } from './setup.ts';

export interface Usage {
  readonly promptTokens: number;
  readonly responseTokens: number;
  readonly totalTokens: number;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface ToolResponse {
  readonly id: string;
  readonly name: string;
  readonly response: Readonly<Record<string, unknown>>;
  readonly scheduling?: 'INTERRUPT' | 'WHEN_IDLE' | 'SILENT';
}

/**
 * One server message becomes a list of these, in the order in which they must be acted upon: `interrupted` before the
 * audio that shares its message, the ends of a turn after it.
 */
export type LiveEvent =
  | { readonly type: 'interrupted' }
  /** L16 little-endian bytes, any length (also odd); the rate as declared, 24,000 where it is not. */
  | { readonly type: 'audio'; readonly bytes: Buffer; readonly sampleRate: number }
  | { readonly type: 'model-text'; readonly text: string }
  | { readonly type: 'input-transcript'; readonly text: string }
  | { readonly type: 'output-transcript'; readonly text: string }
  | { readonly type: 'generation-complete' }
  /** `moreTurnsFollow`: one request makes several turns (extended thinking), and this was not the last. */
  | { readonly type: 'turn-complete'; readonly reason: string | null; readonly moreTurnsFollow?: boolean }
  | { readonly type: 'waiting-for-input' }
  | { readonly type: 'tool-calls'; readonly calls: readonly ToolCall[] }
  | { readonly type: 'tool-calls-cancelled'; readonly ids: readonly string[] }
  | {
      readonly type: 'resumption';
      readonly handle: string | null;
      readonly resumable: boolean;
      readonly lastConsumedIndex: number | null;
    }
  | { readonly type: 'go-away'; readonly timeLeftMs: number | null }
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'voice-activity'; readonly kind: 'start' | 'end' }
  | { readonly type: 'unknown'; readonly field: string };

/** What the close means for the next step, derived from code and reason (gemini-live wire, close texts). */
export type CloseClass =
  | 'normal'
  | 'config'
  | 'auth'
  | 'handle-refused'
  | 'old-socket-open'
  | 'quota'
  | 'overload'
  | 'deadline'
  | 'aborted'
  | 'network';

export interface LiveClose {
  readonly code: number;
  readonly reason: string;
  readonly class: CloseClass;
}

/** One connection. Every method is synchronous, never throws, and answers false when the socket no longer takes it. */
export interface LiveConnection {
  /** 16 kHz L16 samples, any length. */
  sendAudio(samples: Int16Array): boolean;
  /** Text as the caller's side would say it: realtimeInput.text or clientContent, whichever the family takes. */
  sendText(text: string): boolean;
  /** For a stream that pauses; only under automatic detection, false otherwise. Some families ignore it. */
  sendAudioStreamEnd(): boolean;
  /** Only under manual detection, false otherwise. */
  sendActivity(kind: 'start' | 'end'): boolean;
  sendToolResponses(responses: readonly ToolResponse[]): boolean;
  /** Bytes not yet handed to the network. */
  readonly bufferedBytes: number;
  /** What the setup asked for and the model's family does not take, for one log line. Absent: nothing. */
  readonly dropped?: readonly string[];
  /** Asks to close, and destroys the socket if the peer has not agreed within `graceMs`. */
  close(graceMs?: number): void;
}

export interface LiveHandlers {
  /** Called once per server message. `receivedAtMs` is the clock at which the message was read. */
  onEvents(events: readonly LiveEvent[], receivedAtMs: number): void;
  /** Called once, after setup was complete; never after `close()` was called by us. */
  onClose(close: LiveClose): void;
}

/**
 * Opens a connection and resolves when setup is complete. Rejects with an OffhookError (`ERR_LIVE_CONNECT`, its
 * `closeClass` says why) within `deadlineMs`, whatever the server does; no socket is left behind.
 */
export type ConnectLive = (
  setup: LiveSetup,
  handlers: LiveHandlers,
  options: { readonly signal: AbortSignal; readonly deadlineMs: number },
) => Promise<LiveConnection>;
