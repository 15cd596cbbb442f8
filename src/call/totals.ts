import type { MediaFault } from '../carriers/carrier.ts';
import type { StallSign } from './stall-doctor.ts';

/** What is counted over a whole call, handed out with its last journal entry. Times in ms of audio. */
export interface CallTotals {
  durationMs: number;
  inboundFrames: number;
  inboundMs: number;
  /** Silence put in for frames that the carrier lost, and gaps too long to fill. */
  filledMs: number;
  unfilledGapMs: number;
  lateFrames: number;
  /** Tones of keys that silence was put in place of. */
  blankedToneMs: number;
  outboundMessages: number;
  outboundMs: number;
  heardMs: number;
  uplinkMs: number;
  uplinkDroppedMs: number;
  turns: number;
  utterances: number;
  bargeIns: number;
  resumedPauses: number;
  generations: number;
  underruns: number;
  underrunMs: number;
  staleDroppedMs: number;
  marksSent: number;
  marksEchoed: number;
  toolCalls: number;
  connections: number;
  /** Planned ones, and those that a connection's end forced. */
  rotations: number;
  forcedRotations: number;
  /** Of the caller, sent a second time; and silence left out while catching up. */
  resentMs: number;
  skippedSilenceMs: number;
  /** "One moment, please", played into dead air. */
  fillers: number;
  stalls: Partial<Record<StallSign, number>>;
  promptTokens: number;
  responseTokens: number;
  faults: Partial<Record<MediaFault | 'flood' | 'oversize' | 'socket-error', number>>;
  unknownModelFields: number;
}

export function emptyTotals(): CallTotals {
  return {
    durationMs: 0,
    inboundFrames: 0,
    inboundMs: 0,
    filledMs: 0,
    unfilledGapMs: 0,
    lateFrames: 0,
    blankedToneMs: 0,
    outboundMessages: 0,
    outboundMs: 0,
    heardMs: 0,
    uplinkMs: 0,
    uplinkDroppedMs: 0,
    turns: 0,
    utterances: 0,
    bargeIns: 0,
    resumedPauses: 0,
    generations: 0,
    underruns: 0,
    underrunMs: 0,
    staleDroppedMs: 0,
    marksSent: 0,
    marksEchoed: 0,
    toolCalls: 0,
    connections: 0,
    rotations: 0,
    forcedRotations: 0,
    resentMs: 0,
    skippedSilenceMs: 0,
    fillers: 0,
    stalls: {},
    promptTokens: 0,
    responseTokens: 0,
    faults: {},
    unknownModelFields: 0,
  };
}
