/** Everything that one simulated call left behind. Times are milliseconds since the stream's start, unless named epoch. */
import type { SampleRate } from './line-format.ts';
import type { GenerationAccount, MarkEcho, PlayedRun } from './playout-buffer.ts';

/** The seven that can be played. Telnyx is one carrier, whether it is asked over Call Control or TeXML. */
export const CARRIERS = ['twilio', 'telnyx', 'plivo', 'vonage', 'signalwire', 'jambonz', 'asterisk'] as const;
export type CarrierName = (typeof CARRIERS)[number];

export interface ReceivedAudio {
  readonly atMs: number;
  readonly generation: number;
  readonly bytes: number;
  /** False for a payload that is silence from its first byte to its last. */
  readonly audible: boolean;
}

export interface ClearAccount {
  readonly atMs: number;
  /** The generation that it ended. */
  readonly generation: number;
  /** What was queued and is never heard, decoded. Empty when the queue was. */
  readonly neverHeard: Int16Array;
}

export interface MarkAccount {
  readonly name: string;
  readonly receivedAtMs: number;
  /** When it was played to its end or cleared, whether or not the gateway was told; null when the call ended before. */
  echoedAtMs: number | null;
  how: MarkEcho | null;
}

/**
 * `caller` and `limit`: we hung up. `gateway`: it closed the stream, asked for the end over the API or on the stream, or
 * refused. `carrier`: it dropped the stream for what the gateway had sent.
 */
export interface CallEnd {
  readonly by: 'caller' | 'gateway' | 'limit' | 'carrier';
  readonly how: 'hung-up' | 'stream-closed' | 'api' | 'refused' | 'transferred';
  readonly detail: string;
}

export interface TimelineEntry {
  /** Negative before the stream began. */
  readonly atMs: number;
  readonly what: string;
  readonly detail: string;
}

/** Messages by their event, as they crossed the socket. */
export type MessageCounts = Readonly<Record<string, number>>;

export interface CallRun {
  readonly carrier: CarrierName;
  /** The carrier's own name of the call, whatever it calls it. */
  readonly callSid: string;
  /** Of the last stream; empty where the carrier has none. */
  readonly streamSid: string;
  readonly from: string;
  readonly to: string;
  readonly startedAtEpochMs: number;
  /** The clock's reading that all other times count from. */
  readonly originMs: number;
  /** From the stream's start to its end. */
  readonly durationMs: number;
  /** Hertz, of what was heard and of what never was. */
  readonly sampleRate: SampleRate;
  /** Hertz, of `sent`, where that is another. */
  readonly sentRate?: SampleRate;
  /** What was put on the line, as the far end decodes it (after G.711, where that is on it). */
  readonly sent: Int16Array;
  /** When each 20 ms frame was written to the socket, that is after the simulated network. */
  readonly frameWrittenMs: readonly number[];
  /** What the caller heard, from the stream's start, silence included. */
  readonly heard: Int16Array;
  readonly received: readonly ReceivedAudio[];
  readonly runs: readonly PlayedRun[];
  readonly generations: readonly GenerationAccount[];
  readonly clears: readonly ClearAccount[];
  /** What was still queued when the call ended, decoded. */
  readonly unplayed: Int16Array;
  readonly marks: readonly MarkAccount[];
  readonly dtmf: readonly { readonly atMs: number; readonly digit: string }[];
  readonly messagesSent: MessageCounts;
  readonly messagesReceived: MessageCounts;
  /** Messages that the carrier would have warned about, refused or not understood, with the reason of the first few. */
  readonly invalidMessages: readonly string[];
  readonly timeline: readonly TimelineEntry[];
  readonly end: CallEnd;
}
