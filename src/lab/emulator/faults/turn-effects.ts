/** What the faults of one answer come to, in the terms of the turn that plays it. */
import type { AudioChunk } from '../chunks.ts';
import type { TurnFault } from './catalogue.ts';

export interface TurnEffects {
  readonly delayMs: number;
  /** No audio, no transcript, no calls: only the ends of the turn. */
  readonly empty: boolean;
  readonly turnCompleteReason: string | null;
  readonly nearSilent: boolean;
  readonly chunkBytes: readonly number[] | null;
  readonly pace: number | null;
  readonly stall: { readonly afterMs: number; readonly forMs: number } | null;
  readonly cutAfterMs: number | null;
  /** How much later turnComplete comes; infinite: never. */
  readonly turnCompleteLateByMs: number;
  readonly doubledTranscripts: boolean;
  /** Transcript, generationComplete and turnComplete ride on audio. */
  readonly merged: boolean;
  readonly unknownFields: boolean;
  readonly textBeforeAudio: boolean;
  readonly emptyParts: boolean;
}

export const NO_EFFECTS: TurnEffects = {
  delayMs: 0,
  empty: false,
  turnCompleteReason: null,
  nearSilent: false,
  chunkBytes: null,
  pace: null,
  stall: null,
  cutAfterMs: null,
  turnCompleteLateByMs: 0,
  doubledTranscripts: false,
  merged: false,
  unknownFields: false,
  textBeforeAudio: false,
  emptyParts: false,
};

/** All faults of an answer together; of two of a kind the later one holds. */
export const effectsOf = (faults: readonly TurnFault[]): TurnEffects =>
  faults.length === 0 ? NO_EFFECTS : Object.assign({}, NO_EFFECTS, ...faults.map(effectOf));

function effectOf(fault: TurnFault): Partial<TurnEffects> {
  switch (fault.fault) {
    case 'slow-answer':
      return { delayMs: fault.delayMs };
    case 'stall':
      return { stall: fault };
    case 'slow-audio':
      return { pace: fault.pace };
    case 'odd-chunks':
      return { chunkBytes: fault.bytes };
    case 'near-silent':
      return { nearSilent: true, turnCompleteReason: fault.reason ?? null };
    case 'empty-turn':
      return { empty: true, turnCompleteReason: fault.reason ?? null };
    case 'cut-sentence':
      return { cutAfterMs: fault.afterMs };
    case 'no-turn-complete':
      return { turnCompleteLateByMs: fault.lateByMs ?? Number.POSITIVE_INFINITY };
    case 'doubled-transcripts':
      return { doubledTranscripts: true };
    case 'merged-fields':
      return { merged: true };
    case 'unknown-fields':
      return { unknownFields: true };
    case 'text-before-audio':
      return { textBeforeAudio: true };
    case 'empty-parts':
      return { emptyParts: true };
  }
}

/** When something that is due `offsetMs` after the turn's first audio really goes out. */
export function afterStall(offsetMs: number, { stall }: Pick<TurnEffects, 'stall'>): number {
  if (stall === null || offsetMs < stall.afterMs) return offsetMs;
  return Math.max(offsetMs, stall.afterMs + stall.forMs);
}

/** The chunks up to the one in which `cutAfterMs` lies. */
export function chunksUntil(chunks: readonly AudioChunk[], cutAfterMs: number | null): readonly AudioChunk[] {
  if (cutAfterMs === null) return chunks;
  let endMs = 0;
  const last = chunks.findIndex((chunk) => {
    endMs += chunk.durationMs;
    return endMs >= cutAfterMs;
  });
  return last < 0 ? chunks : chunks.slice(0, last + 1);
}
