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

/** One thing that was said, for a session that has not heard it. */
export interface HistoryTurn {
  readonly role: 'user' | 'model';
  readonly text: string;
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
  /**
   * Adds to the conversation without asking for an answer; false where the family takes nothing of the kind in mid call.
   * Whatever it holds, it breaks off an answer that is being given (reference), so it is for quiet moments.
   */
  sendContext(turns: readonly HistoryTurn[]): boolean;
  /** Bytes not yet handed to the network. */
  readonly bufferedBytes: number;
  /** What the setup asked for and the model's family does not take, for one log line. Absent: nothing. */
  readonly dropped?: readonly string[];
  /**
   * Asks to close, and destroys the socket if the peer has not agreed within `graceMs`. Resolves once the socket is gone;
   * never rejects.
   */
  close(graceMs?: number): Promise<void>;
}

export interface LiveHandlers {
  /** Called once per server message. `receivedAtMs` is the clock at which the message was read. */
  onEvents(events: readonly LiveEvent[], receivedAtMs: number): void;
  /** Called once, after setup was complete; never after `close()` was called by us. */
  onClose(close: LiveClose): void;
}

/** Who is served first when not everybody can connect at once: a caller in silence, one who has just rung, one who talks. */
export type ConnectNeed = 'outage' | 'new-call' | 'rotation';

export interface ConnectOptions {
  readonly signal: AbortSignal;
  /** For the whole attempt; the time in `hold` does not count. */
  readonly deadlineMs: number;
  /** How long it may wait for its turn among the calls of the process; `deadlineMs` counts from there. Absent: in it. */
  readonly waitMs?: number;
  /** Called once when its turn has come, before anything is opened. Where nobody waits it may not be called. */
  readonly onTurn?: () => void;
  readonly need: ConnectNeed;
  /**
   * A resume is refused while the old connection of the session is open, so a rotation opens the new socket first (TCP,
   * TLS, upgrade) and holds its setup back: `hold` is called once, when the socket is open, and the setup goes out when
   * its promise resolves, with these fields in place of its own. A rejection ends the attempt, and so does the socket when
   * it closes meanwhile. Where the socket cannot be held (an SDK that does not ask for ours), it is called before anything
   * is opened.
   */
  readonly hold?: () => Promise<HeldFields>;
}

export interface HeldFields {
  /** Not sent where the setup turned resumption off. Null: the session begins anew, with the setup's history. */
  readonly handle: string | null;
  readonly systemInstruction: string;
}

/**
 * Opens a connection and resolves when setup is complete. Rejects with an OffhookError (`ERR_LIVE_CONNECT`, its
 * `closeClass` says why) within `deadlineMs`, whatever the server does; no socket is left behind.
 */
export type ConnectLive = (
  setup: LiveSetup,
  handlers: LiveHandlers,
  options: ConnectOptions,
) => Promise<LiveConnection>;
