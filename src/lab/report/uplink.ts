/**
 * Whether the model received the caller's audio whole: what it got is laid over what was said, frame by frame. A
 * frame that is missing moves all that follows earlier, a doubled one later; both show as a jump of the offset.
 */
import { convertOffline } from '../../audio/offline.ts';
import { Haystack, runningEnergy, telephoneBand } from './spectrum.ts';

const RATE = 16_000;
const FRAME = 320;
/** Frames compared at once when a new offset is looked for. */
const WINDOW_FRAMES = 6;
const FIRST_FRAMES = 32;
const REACH_FRAMES = 100;
/** At 16 bits a frame quieter than this (RMS) is noise of the conversion itself. */
const QUIET_RMS = 6;
/** Residual below this: the same audio. Two different stretches of speech are near +3 dB. */
const SAME_DB = -12;
const MAX_SEARCHES = 300;

export interface Jump {
  /** In the caller's time. */
  readonly atMs: number;
  /** Below zero: audio was lost; above: audio was put in or doubled. */
  readonly byMs: number;
}

export interface UplinkReport {
  /** The converters' and buffers' constant shift of content, ms. */
  readonly delayMs: number;
  readonly comparedFrames: number;
  readonly lostFrames: number;
  readonly doubledFrames: number;
  /** Frames at the right place that are not what was said (replaced by silence, distorted). */
  readonly damagedFrames: number;
  readonly jumps: readonly Jump[];
  /** Of all frames that fit, 200 to 3300 Hz, against what was sent, as decoded. */
  readonly residualDb: number;
  /** Said, but not received before the call's end. */
  readonly missingTailMs: number;
}

/**
 * @param said decoded from the very bytes that were sent
 * @param received 16 kHz, all connections of the session in their order
 * @param saidRate hertz: 8, 16 or 24 kHz
 * @returns null when nothing of it can be found in the other
 */
export function compareUplink(
  said: Int16Array,
  received: Int16Array,
  saidRate: 8000 | 16000 | 24000 = 8_000,
): UplinkReport | null {
  const expected =
    saidRate === 8_000
      ? telephoneBand(said, saidRate, 2)
      : telephoneBand(convertOffline(said, saidRate, RATE), RATE);
  const actual = telephoneBand(received, RATE);
  return new Comparison(expected, actual).run();
}

class Comparison {
  readonly #expected: Float64Array;
  readonly #actual: Float64Array;
  readonly #expectedEnergy: Float64Array;
  readonly #jumps: Jump[] = [];
  #searches = 0;
  #lost = 0;
  #doubled = 0;
  #damaged = 0;
  #compared = 0;
  #errorEnergy = 0;
  #fitEnergy = 0;

  constructor(expected: Float64Array, actual: Float64Array) {
    this.#expected = expected;
    this.#actual = actual;
    this.#expectedEnergy = runningEnergy(expected);
  }

  run(): UplinkReport | null {
    const frames = Math.floor(this.#expected.length / FRAME);
    const first = this.#nextActive(0, frames);
    const firstOffset = first === null ? null : this.#findOffset(first, RATE * 3);
    if (first === null || firstOffset === null) return null;
    // A start that comes earlier than said means that the beginning was lost.
    const lostAtStart = firstOffset < 0 ? Math.ceil(-firstOffset / FRAME) : 0;
    if (lostAtStart > 0) this.#book(0, -lostAtStart);
    const delay = firstOffset + lostAtStart * FRAME;

    let offset = firstOffset;
    let frame = Math.max(first, lostAtStart);
    while (frame < frames && (frame + 1) * FRAME + offset <= this.#actual.length) {
      if (!this.#isActive(frame) || this.#fits(frame, offset)) {
        frame += 1;
        continue;
      }
      const found = this.#relocate(frame, offset);
      if (found === null) {
        this.#damaged += 1;
        frame += 1;
        continue;
      }
      const jump = Math.round((found - offset) / FRAME);
      this.#book(frame, jump);
      // Behind a loss the frames in between are nowhere.
      if (jump < 0) frame -= jump;
      offset = found;
    }
    const reached = Math.min(frame, frames);
    return {
      delayMs: (delay * 1_000) / RATE,
      comparedFrames: this.#compared,
      lostFrames: this.#lost,
      doubledFrames: this.#doubled,
      damagedFrames: this.#damaged,
      jumps: this.#jumps,
      residualDb: 10 * Math.log10(this.#errorEnergy / this.#fitEnergy || 1e-12),
      missingTailMs: (frames - reached) * 20,
    };
  }

  #book(frame: number, byFrames: number): void {
    if (byFrames < 0) this.#lost -= byFrames;
    else this.#doubled += byFrames;
    this.#jumps.push({ atMs: frame * 20, byMs: byFrames * 20 });
  }

  #nextActive(from: number, frames: number): number | null {
    for (let frame = from; frame + WINDOW_FRAMES <= frames; frame += 1) {
      if (this.#rms(frame) > 200) return frame;
    }
    return null;
  }

  #rms(frame: number): number {
    return Math.sqrt(this.#expectedBetween(frame, 1) / FRAME);
  }

  #isActive(frame: number): boolean {
    return this.#rms(frame) > QUIET_RMS;
  }

  #fits(frame: number, offset: number): boolean {
    const error = this.#error(frame, 1, offset);
    const energy = this.#expectedBetween(frame, 1);
    if (10 * Math.log10(error / energy) > SAME_DB) return false;
    this.#compared += 1;
    this.#errorEnergy += error;
    this.#fitEnergy += energy;
    return true;
  }

  /** A new offset a whole number of frames away at which the following frames fit, the nearest first. */
  #relocate(frame: number, offset: number): number | null {
    if (this.#searches >= MAX_SEARCHES) return null;
    this.#searches += 1;
    for (let away = 1; away <= REACH_FRAMES; away += 1) {
      // Doubled: this frame itself comes later. Lost: the next frame that exists comes at its place or before.
      if (this.#windowFits(frame, offset + away * FRAME)) return offset + away * FRAME;
      if (this.#windowFits(frame + away, offset - away * FRAME)) return offset - away * FRAME;
    }
    return null;
  }

  #windowFits(frame: number, offset: number): boolean {
    const energy = this.#expectedBetween(frame, WINDOW_FRAMES);
    // Silence fits everywhere and proves nothing.
    if (energy / (WINDOW_FRAMES * FRAME) < QUIET_RMS ** 2 * 4) return false;
    return this.#error(frame, WINDOW_FRAMES, offset) < energy * 10 ** ((SAME_DB + 3) / 10);
  }

  /** Where the first loud stretch is, within `reach` samples of its place. */
  #findOffset(frame: number, reach: number): number | null {
    const from = frame * FRAME;
    const needle = this.#expected.subarray(from, from + FIRST_FRAMES * FRAME);
    const regionFrom = Math.max(0, from - reach);
    const region = this.#actual.subarray(regionFrom, from + needle.length + reach);
    const fit = new Haystack(region, needle.length).find(needle);
    return fit === null || fit.score < 0.5 ? null : regionFrom + fit.lag - from;
  }

  #expectedBetween(frame: number, count: number): number {
    const to = Math.min(this.#expected.length, (frame + count) * FRAME);
    return this.#expectedEnergy[to]! - this.#expectedEnergy[Math.min(frame * FRAME, to)]!;
  }

  #error(frame: number, count: number, offset: number): number {
    let error = 0;
    const to = Math.min(this.#expected.length, (frame + count) * FRAME);
    for (let i = frame * FRAME; i < to; i += 1) {
      error += (this.#expected[i]! - (this.#actual[i + offset] ?? 0)) ** 2;
    }
    return error;
  }
}
