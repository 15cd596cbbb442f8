/**
 * The measures of one call, from the account that the simulated caller kept, and from the other two sides where they
 * can be had: what the emulated model received, and what the gateway wrote into its journal. Pure.
 */
import type { CallRun } from '../caller/call-run.ts';
import { type BotClip, ClipRecognizer } from './clips.ts';
import type { GatewayView } from './gateway-view.ts';
import { findTurns, findUnderruns, type HeardTurn, type Underrun } from './heard.ts';
import { findSpeech, type Span } from './segments.ts';
import { compareUplink, type UplinkReport } from './uplink.ts';

export interface ModelRecord {
  /** 16 kHz: what the model received, all connections in their order. */
  readonly audio: Int16Array;
}

export interface TurnGap {
  /** The turn that it leads to, counted among the heard ones from 0. */
  readonly turn: number;
  /** Last caller frame with speech written → first audible frame arrived: the measure of the table. */
  readonly wireMs: number;
  /** Last sound spoken → first sound heard. */
  readonly earMs: number;
}

export interface BargeIn {
  /** Start of the speech that interrupted, in the caller's time. */
  readonly onsetMs: number;
  readonly clearMs: number;
  /** First frame of that speech written → `clear` arrived. */
  readonly wireMs: number;
  /** Start of the speech → nothing more to be heard. */
  readonly earMs: number;
  /** What had been sent and was thrown away. */
  readonly neverHeardMs: number;
}

export interface Measures {
  readonly durationMs: number;
  readonly utterances: readonly Span[];
  readonly turns: readonly HeardTurn[];
  readonly turnGaps: readonly TurnGap[];
  readonly bargeIns: readonly BargeIn[];
  /** Clears that no speech of the caller explains, or that had nothing to throw away. */
  readonly otherClears: number;
  readonly underruns: readonly Underrun[];
  readonly receivedMs: number;
  readonly heardMs: number;
  readonly neverHeardMs: number;
  readonly generations: number;
  readonly marks: { readonly received: number; readonly echoed: number };
  readonly uplink: UplinkReport | null;
  readonly gateway: GatewayView | null;
  readonly invalidMessages: number;
}

/** A clear this long after the caller fell silent was not made for this speech. */
const CLEAR_WITHIN_MS = 1_500;
const DTMF_NEAR_MS = 150;

export function measureCall(
  run: CallRun,
  sides: {
    readonly model?: ModelRecord | null;
    readonly gateway?: GatewayView | null;
    readonly clips?: readonly BotClip[];
  } = {},
): Measures {
  const perMs = run.sampleRate / 1_000;
  const sentRate = run.sentRate ?? run.sampleRate;
  const recognizer = (sides.clips ?? []).length === 0 ? null : new ClipRecognizer(sides.clips!);
  const utterances = findSpeech(run.sent, sentRate).filter((span) => !isDtmf(run, span));
  const turns = findTurns(run, recognizer);
  const bargeIns = findBargeIns(run, utterances);
  const droppedMs = run.clears.reduce((sum, clear) => sum + clear.neverHeard.length / perMs, 0);
  return {
    durationMs: run.durationMs,
    utterances,
    turns,
    turnGaps: findTurnGaps(run, utterances, turns),
    bargeIns,
    otherClears: run.clears.length - bargeIns.length,
    underruns: findUnderruns(run, turns),
    receivedMs: run.generations.reduce((sum, { receivedMs }) => sum + receivedMs, 0),
    heardMs: run.generations.reduce((sum, { playedMs }) => sum + playedMs, 0),
    neverHeardMs: droppedMs + run.unplayed.length / perMs,
    generations: run.generations.length,
    marks: {
      received: run.marks.length,
      echoed: run.marks.filter((mark) => mark.echoedAtMs !== null).length,
    },
    uplink: sides.model == null ? null : compareUplink(run.sent, sides.model.audio, sentRate),
    gateway: sides.gateway ?? null,
    invalidMessages: run.messagesReceived['invalid'] ?? 0,
  };
}

/** Keys that a recording also contains as tones are no speech. */
function isDtmf(run: CallRun, span: Span): boolean {
  return run.dtmf.some(({ atMs }) => atMs > span.fromMs - DTMF_NEAR_MS && atMs < span.toMs + DTMF_NEAR_MS);
}

/** When the frame that holds an instant of the caller's time was written to the socket. */
function writtenMs(run: CallRun, atMs: number): number {
  return run.frameWrittenMs[Math.floor(atMs / 20)] ?? atMs + 20;
}

/** One per pause between an utterance and the turn that answers it; a turn that follows another one has none. */
function findTurnGaps(
  run: CallRun,
  utterances: readonly Span[],
  turns: readonly HeardTurn[],
): readonly TurnGap[] {
  return turns.flatMap((turn, index) => {
    const utterance = utterances.findLast((span) => span.toMs <= turn.audibleFromMs);
    const previousFromMs = turns[index - 1]?.audibleFromMs ?? Number.NEGATIVE_INFINITY;
    const pressed = run.dtmf.some(({ atMs }) => atMs > (utterance?.toMs ?? 0) && atMs < turn.audibleFromMs);
    if (utterance === undefined || utterance.toMs < previousFromMs || pressed) return [];
    // Audio that had come before the last turn fell silent would have been played on without a pause.
    const notBeforeMs = (turns[index - 1]?.toMs ?? Number.NEGATIVE_INFINITY) - 20;
    const arrival = run.received.find(
      ({ atMs, audible, generation }) => audible && generation === turn.generation && atMs >= notBeforeMs,
    );
    const lastFrameMs = writtenMs(run, utterance.toMs - 20);
    return [
      {
        turn: index,
        wireMs: (arrival?.atMs ?? turn.audibleFromMs) - lastFrameMs,
        earMs: turn.audibleFromMs - utterance.toMs,
      },
    ];
  });
}

/** The first clear of each utterance that threw something away, or stopped what sounded. */
function findBargeIns(run: CallRun, utterances: readonly Span[]): readonly BargeIn[] {
  const taken = new Set<Span>();
  return run.clears.flatMap((clear) => {
    const speech = utterances.findLast((span) => span.fromMs < clear.atMs);
    const lastPlayed = run.runs.findLast(({ generation }) => generation === clear.generation);
    if (speech === undefined || lastPlayed === undefined || taken.has(speech)) return [];
    if (clear.atMs - speech.toMs > CLEAR_WITHIN_MS || lastPlayed.toMs < speech.fromMs) return [];
    taken.add(speech);
    return [
      {
        onsetMs: speech.fromMs,
        clearMs: clear.atMs,
        wireMs: clear.atMs - writtenMs(run, speech.fromMs),
        earMs: lastPlayed.toMs - speech.fromMs,
        neverHeardMs: (clear.neverHeard.length * 1_000) / run.sampleRate,
      },
    ];
  });
}
