/** What a call remembers, entry by entry. Times are the call's clock in milliseconds. */
import type { HeardTurn } from './ledger.ts';

/** One utterance. Without `text` there is no transcript (yet). */
export interface CallerEntry {
  readonly kind: 'caller';
  /** Its first sound. */
  readonly fromMs: number;
  /** Its last sound; infinite while it goes on. */
  readonly toMs: number;
  readonly text: string;
}

export interface KeysEntry {
  readonly kind: 'keys';
  readonly fromMs: number;
  readonly toMs: number;
  readonly keys: string;
}

/** A turn of the model, or a clip that was played in its stead. A `filler` ("one moment, please") answers nobody. */
export interface BotEntry {
  readonly kind: 'bot';
  readonly turn: number;
  readonly by: 'model' | 'clip' | 'filler';
  readonly fromMs: number;
  /** When it was made to its end, which is long before it is heard to its end; infinite until then. */
  readonly toMs: number;
  /** As generated; the transcript may be ahead of the audio, and trail it. */
  readonly text: string;
  readonly ended: 'open' | 'complete' | 'interrupted' | 'dropped';
  /** The ledger's account; null before there is one. */
  readonly heard: HeardTurn | null;
  /** When it became known that the caller did not hear all of it. */
  readonly cutAtMs: number | null;
}

export interface ToolEntry {
  readonly kind: 'tool';
  readonly id: string;
  readonly name: string;
  /** JSON, shortened. */
  readonly args: string;
  /** JSON, shortened; null while there is none. */
  readonly result: string | null;
  readonly fromMs: number;
  /** When its result came; infinite until then. */
  readonly toMs: number;
}

export type MemoryEntry = CallerEntry | KeysEntry | BotEntry | ToolEntry;

/** Speech shorter than this is taken for a cough as long as no words come of it. */
export const SHORTEST_SPEECH_MS = 300;
