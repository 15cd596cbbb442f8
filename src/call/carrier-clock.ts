/**
 * What the carrier is playing, reckoned from what was written to it and corrected by the marks that come back.
 *
 * All times are those of our side. A message written now arrives one line delay later, and so did the audio before it:
 * the delay cancels, and the position reckoned for now is the one the caller hears when a message written now arrives.
 * Marks add what cannot be reckoned: that the carrier started late or ran dry.
 */

import { AudioRun } from './audio-run.ts';

/** Lags that are kept; the line changes slowly against a mark every 180 ms. */
const KEPT_LAGS = 16;
/** A change of the lag below this is jitter of the line. */
const JITTER_MS = 60;
/** One late mark is the line; so many in a row are a carrier that plays later than reckoned. */
const MARKS_OF_A_SLIP = 3;

export class CarrierClock {
  readonly #samplesPerMs: number;
  #run: AudioRun;
  #runStartMs = 0;
  readonly #lags: number[] = [];
  /** How many of the newest lags are of the current run. */
  #runLags = 0;
  /** The carrier is silent because we made it so, or have not begun. */
  #silenced = true;
  #slipMs = 0;

  constructor(sampleRate: number) {
    this.#samplesPerMs = sampleRate / 1000;
    this.#run = new AudioRun(0, this.#samplesPerMs);
  }

  /** What plays now, or played last. Another one after every gap. */
  get run(): AudioRun {
    return this.#run;
  }

  /** When the carrier will have played everything written to it. */
  get endMs(): number {
    return this.#runStartMs + this.#slipMs + this.#run.ms;
  }

  /**
   * Audio of the positions [from, to) was written.
   * @returns ms that the carrier had been without audio; 0 in a run and after a clear
   */
  wrote(from: number, to: number, nowMs: number): number {
    const dryMs = nowMs - this.endMs;
    const inRun = dryMs <= 0 && from === this.#run.to && !this.#run.isEmpty;
    const ranDry = !inRun && !this.#silenced;
    if (!inRun) this.#startRun(from, nowMs);
    this.#run.extend(to);
    this.#silenced = false;
    return ranDry ? Math.max(0, dryMs) : 0;
  }

  /** So much silence was written behind everything so far. */
  fill(ms: number): void {
    this.#run.fill(ms);
  }

  /**
   * The carrier says that it has more than it wants, and a mark at `position` is overdue: it has not come further than
   * that, however long ago it should have. @returns whether that is later than reckoned until now
   */
  isBehind(position: number, to: number, nowMs: number): boolean {
    const usualMs = this.roundTripMs ?? 0;
    if (this.positionAt(nowMs - usualMs - JITTER_MS) <= position) return false;
    this.#startRun(position, nowMs - usualMs);
    this.#run.extend(to);
    return true;
  }

  /** The carrier must have played everything up to `position` by now, whatever its marks say. */
  caughtUp(position: number, nowMs: number): void {
    this.#startRun(position, nowMs);
  }

  /** The position the caller hears when a message written at `nowMs` arrives. */
  positionAt(nowMs: number): number {
    return this.#run.positionAfter(nowMs - this.#runStartMs - this.#slipMs);
  }

  /**
   * A mark that lay at `position` came back as played.
   * @returns ms by which the carrier turns out to play later than reckoned until now: it ran dry for that long
   */
  echoed(position: number, nowMs: number): number {
    if (position <= this.#run.from || position > this.#run.to) return 0;
    const lags = this.#lags;
    lags.push(this.#unslip(nowMs - this.#runStartMs - this.#run.msTo(position)));
    if (lags.length > KEPT_LAGS) lags.shift();
    this.#runLags += 1;
    const usualMs = this.roundTripMs;
    if (usualMs === null || this.#runLags < MARKS_OF_A_SLIP) return 0;
    const grownMs = Math.min(...lags.slice(-MARKS_OF_A_SLIP)) - usualMs;
    if (grownMs <= JITTER_MS) return 0;
    this.#slipMs += grownMs;
    return grownMs;
  }

  /** The buffer was emptied: the next audio starts a run. */
  cleared(nowMs: number): void {
    this.#startRun(this.positionAt(nowMs), nowMs);
    this.#silenced = true;
  }

  /**
   * Both ways of the line together, as the marks show it; null before the first of them. The lower quartile: a line
   * is only ever slower than usual.
   */
  get roundTripMs(): number | null {
    if (this.#lags.length === 0) return null;
    const sorted = [...this.#lags].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 4)] ?? null;
  }

  /**
   * No mark comes back before it was played: one that is early shows that the marks from which a slip was reckoned had
   * been late themselves. What was reckoned too much is taken back, lest the carrier be given less than the lead.
   * @param unslippedMs the lag if the carrier had not slipped at all
   */
  #unslip(unslippedMs: number): number {
    const usualMs = this.roundTripMs;
    const lagMs = unslippedMs - this.#slipMs;
    if (usualMs === null || this.#slipMs === 0) return lagMs;
    const tooMuchMs = Math.min(this.#slipMs, Math.max(0, usualMs - JITTER_MS - lagMs));
    this.#slipMs -= tooMuchMs;
    return lagMs + tooMuchMs;
  }

  #startRun(position: number, nowMs: number): void {
    this.#runStartMs = nowMs;
    this.#run = new AudioRun(position, this.#samplesPerMs);
    this.#runLags = 0;
    this.#slipMs = 0;
  }
}
