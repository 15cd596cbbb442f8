/**
 * Whether the session has heard the caller's speech, all of it and once: what it holds at the end is laid over what was
 * said, line by line. Silence between two lines may be longer or shorter in there: held audio catches up by leaving some
 * of it out.
 */
import { findSpeech, type Span } from '../report/segments.ts';
import { compareUplink, type UplinkReport } from '../report/uplink.ts';
import type { Said } from './caller.ts';

const SAID_RATE = 8_000;
const HEARD_RATE = 16_000;
const SAMPLES_PER_FRAME = 320;
/** Of the quiet around a line. */
const MARGIN_MS = 200;
/**
 * By so much silence may have shifted a line against the one before it, in the order in which it is looked: usually not
 * at all, and after a long wait by what was left out of it. The same line comes again after half a minute at the soonest.
 */
const SHIFTS_MS = [0, -2_000, 2_000, -4_000, 4_000, -6_000, 6_000, -8_000, 8_000, -10_000, 10_000];
/** Around each of them. */
const REACH_MS = 1_000;
/** Where a line was found, speech belongs to it. */
const SLACK_MS = 400;

/** What one connection took, whatever became of it. */
export interface ConnectionAudio {
  /** Of the stream's time. */
  readonly firstAtMs: number;
  /** 16 kHz. */
  readonly audio: Int16Array;
}

/** Samples at 16 kHz. */
export interface SpeechAccount {
  readonly lines: number;
  readonly saidSamples: number;
  /** On no connection. */
  readonly lostSamples: number;
  /** There, and not as it was said. */
  readonly damagedSamples: number;
  /** Speech that the session holds and no line explains. */
  readonly doubledSamples: number;
  /** Lines that a connection took and the session does not hold: it went back to a handle from before, and was told. */
  readonly toldLines: number;
  /** Against what was on the line, 200 to 3300 Hz, of the worst line. */
  readonly worstResidualDb: number;
}

/**
 * @param sent 8 kHz, as it was on the line
 * @param heard 16 kHz, as the session holds it
 */
export function accountSpeech(
  said: readonly Said[],
  sent: Int16Array,
  heard: Int16Array,
  connections: readonly ConnectionAudio[],
): SpeechAccount {
  const account = {
    lines: said.length,
    saidSamples: 0,
    lostSamples: 0,
    damagedSamples: 0,
    doubledSamples: 0,
    toldLines: 0,
    worstResidualDb: Number.NEGATIVE_INFINITY,
  };
  const explained: Span[] = [];
  let shiftMs = 0;
  for (const { fromMs, toMs } of said) {
    account.saidSamples += samplesIn(toMs - fromMs);
    const startMs = Math.max(0, fromMs - MARGIN_MS);
    const slice = cut(sent, SAID_RATE, startMs, toMs + MARGIN_MS);
    const found = find(slice, heard, startMs + shiftMs);
    const taken = found ?? findTaken(slice, { fromMs: startMs, toMs }, connections);
    if (taken === null) {
      account.lostSamples += samplesIn(toMs - fromMs);
      continue;
    }
    account.lostSamples += taken.report.lostFrames * SAMPLES_PER_FRAME;
    account.damagedSamples += taken.report.damagedFrames * SAMPLES_PER_FRAME;
    account.worstResidualDb = Math.max(account.worstResidualDb, taken.report.residualDb);
    if (found === null) {
      account.toldLines += 1;
      continue;
    }
    const { delayMs, jumps, doubledFrames } = found.report;
    account.doubledSamples += doubledFrames * SAMPLES_PER_FRAME;
    const shiftBeforeMs = found.startMs + delayMs - startMs;
    // Behind what was put in between, the rest of the line lies later.
    shiftMs = shiftBeforeMs + jumps.reduce((sum, { byMs }) => sum + byMs, 0);
    explained.push({ fromMs: fromMs + shiftBeforeMs - SLACK_MS, toMs: toMs + shiftMs + SLACK_MS });
  }
  account.doubledSamples += unexplained(heard, explained);
  return account;
}

interface Found {
  /** From where in the audio the line was looked for. */
  readonly startMs: number;
  readonly report: UplinkReport;
}

function find(slice: Int16Array, heard: Int16Array, expectedMs: number): Found | null {
  const lengthMs = (slice.length * 1_000) / SAID_RATE;
  for (const byMs of SHIFTS_MS) {
    const startMs = Math.max(0, expectedMs + byMs - REACH_MS);
    const where = cut(heard, HEARD_RATE, startMs, expectedMs + byMs + lengthMs + REACH_MS);
    const report = compareUplink(slice, where);
    if (report !== null) return { startMs, report };
  }
  return null;
}

/** The connection that was open when the line was over, or the one before it. */
function findTaken(
  slice: Int16Array,
  { fromMs, toMs }: Span,
  connections: readonly ConnectionAudio[],
): Found | null {
  const open = connections.filter(({ firstAtMs }) => firstAtMs <= toMs).slice(-2);
  for (const { firstAtMs, audio } of open.reverse()) {
    const found = find(slice, audio, Math.max(0, fromMs - firstAtMs));
    if (found !== null) return found;
  }
  return null;
}

function unexplained(heard: Int16Array, explained: readonly Span[]): number {
  const extra = findSpeech(heard, HEARD_RATE).filter(
    (span) => !explained.some(({ fromMs, toMs }) => span.fromMs < toMs && span.toMs > fromMs),
  );
  return extra.reduce((sum, { fromMs, toMs }) => sum + samplesIn(toMs - fromMs), 0);
}

const samplesIn = (ms: number): number => Math.round((ms * HEARD_RATE) / 1_000);

const cut = (samples: Int16Array, rate: number, fromMs: number, toMs: number): Int16Array =>
  samples.subarray(Math.round((fromMs * rate) / 1_000), Math.round((toMs * rate) / 1_000));
