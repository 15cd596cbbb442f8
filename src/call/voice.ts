/**
 * The model's voice on its way to playout: L16 bytes of any cut become payloads of the carrier's rate and encoding. The
 * converter holds the last 4 ms of a word; they are flushed when the generation is over or pauses.
 */
import { SampleAssembler } from '../audio/pcm.ts';
import { createResampler, type Resampler } from '../audio/resample.ts';
import type { PayloadCodec } from './codec.ts';
import type { Playout } from './playout.ts';

/** Without audio for so long, the model is between two words: the tail of the last one must not wait. */
const PAUSE_MS = 150;
/** The carrier will have nothing to play before long. */
const ABOUT_DRY_MS = 80;

/** Whether audio of this rate can be converted. The rate is the server's word: it may be any number. */
export function takesRate(sampleRate: number): boolean {
  return sampleRate === 24_000 || sampleRate === 16_000 || sampleRate === 8_000;
}

export class Voice {
  readonly #codec: PayloadCodec;
  readonly #playout: Playout;
  readonly #gainDb: number;
  readonly #assembler = new SampleAssembler();
  #resampler: Resampler;
  #inputRate: number;
  #turn = 0;
  #lastAudioMs: number | null = null;

  constructor(codec: PayloadCodec, playout: Playout, gainDb: number) {
    this.#codec = codec;
    this.#playout = playout;
    this.#gainDb = gainDb;
    this.#inputRate = 24_000;
    this.#resampler = createResampler(24_000, codec.sampleRate, { gainDb });
  }

  /** Audio of `turn`; of a rate that is not taken, none. @returns samples queued, at the carrier's rate */
  push(bytes: Uint8Array, sampleRate: number, turn: number, nowMs: number): number {
    if (!takesRate(sampleRate)) return 0;
    // Half a sample that was left over belongs to a turn that is over.
    if (turn !== this.#turn) this.#assembler.reset();
    if (sampleRate !== this.#inputRate) {
      this.#resampler = createResampler(sampleRate, this.#codec.sampleRate, { gainDb: this.#gainDb });
      this.#inputRate = sampleRate;
    }
    this.#turn = turn;
    this.#lastAudioMs = nowMs;
    return this.#queue(this.#resampler.process(this.#assembler.push(bytes)), nowMs);
  }

  /** The model has said all of the turn, or pauses in it. @returns samples queued */
  endOfGeneration(nowMs: number): number {
    const queued = this.#flush(nowMs);
    this.#playout.endTurn(nowMs);
    return queued;
  }

  tick(nowMs: number): number {
    if (this.#lastAudioMs === null || nowMs - this.#lastAudioMs < PAUSE_MS) return 0;
    // As long as there is something to play the next chunk may join without a seam.
    return this.#playout.remainingMs(nowMs) > ABOUT_DRY_MS ? 0 : this.endOfGeneration(nowMs);
  }

  /** Barge-in: what the converter holds belongs to words nobody will hear. */
  reset(): void {
    this.#assembler.reset();
    this.#resampler.reset();
    this.#lastAudioMs = null;
  }

  #flush(nowMs: number): number {
    if (this.#lastAudioMs === null) return 0;
    this.#lastAudioMs = null;
    return this.#queue(this.#resampler.flush(), nowMs);
  }

  #queue(samples: Int16Array, nowMs: number): number {
    if (samples.length === 0) return 0;
    this.#playout.append(this.#codec.encode(samples), this.#turn, nowMs);
    return samples.length;
  }
}
