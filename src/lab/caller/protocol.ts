/**
 * One carrier's language on a stream, from the carrier's side. It is spoken between two things that all carriers have in
 * common: the caller with an ear (`StreamHost`), and a socket.
 */
import type { LineFormat } from './line-format.ts';
import type { MarkEcho, PlayoutPolicy } from './playout-buffer.ts';

/** 20 ms of the caller. */
export interface CallerFrame {
  /** From 0. */
  readonly number: number;
  /** Since the stream's start. */
  readonly startMs: number;
  readonly payload: Buffer;
}

/** What a protocol may do to the call that it speaks for. */
export interface StreamHost {
  /** Milliseconds since the stream's start. */
  nowMs(): number;
  /** A message to the gateway, counted under its name. `frame` is the number of the caller's frame in it, if any. */
  send(event: string, message: string | Buffer, frame?: number): void;
  /** Counts a message of the gateway that is neither audio, mark nor clear. */
  count(event: string): void;
  /** A message that the carrier would warn about, refuse or not understand. */
  invalid(why: string): void;
  /** Audio for the caller, in the format of `heard`. */
  play(payload: Buffer): void;
  /** Comes back over `marked`, in order, when all audio before it was played or cleared. */
  mark(name: string): void;
  /** The same for something that the gateway did not ask for as a mark. */
  notice(name: string): void;
  clear(): void;
  pause(paused: boolean): void;
  readonly queuedMs: number;
  readonly pendingMarks: number;
  /** Keys that the gateway presses for the other end of the line. */
  digits(digits: string): void;
  /** The gateway asks on the stream for the call's end. */
  hangUp(detail: string): void;
  /** The gateway asks for the stream's end, and the call goes on as if it had closed it. */
  leave(detail: string): void;
  /** The carrier breaks the connection off, without a word to the gateway. */
  drop(detail: string): void;
}

export interface StreamProtocol {
  /** What the caller's audio is on the wire. */
  readonly sent: LineFormat;
  readonly playout: PlayoutPolicy;
  /** What the carrier says before the first frame. */
  start(): void;
  media(frame: CallerFrame): void;
  dtmf(digit: string): void;
  /** A message of the gateway. Never throws. */
  receive(data: Buffer, isBinary: boolean): void;
  marked(name: string, how: MarkEcho): void;
  /** The queue was emptied at the gateway's word. */
  cleared(): void;
  /** Every 20 ms, when what is due has been played. */
  tick(): void;
  /** The call ends at the carrier's side; the socket is closed afterwards. */
  stop(): void;
}

export type OpenProtocol = (host: StreamHost) => StreamProtocol;
