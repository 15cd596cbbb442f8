/**
 * The caller's audio on its way to Gemini: 8 to 16 kHz, in chunks of a set length, in order, nothing lost. What arrives
 * while no connection takes it is held, and follows at twice real time; what was sent is kept for a while, so that the
 * words of a connection that broke can be said again to the next one. Both lie in one ring of half a minute at most.
 *
 * Positions count samples of the caller as they came, since the call began.
 */
import { createResampler, type Resampler } from '../audio/resample.ts';
import type { PayloadCodec } from './codec.ts';
import { KeptAudio } from './kept-audio.ts';

/** The connection's end of the uplink. False: not taken, keep it. */
export type SendAudio = (samples16k: Int16Array) => boolean;

export const MAX_KEPT_MS = 30_000;
/** Speech is recognised after it has begun; and with manual activity the server keeps nothing of what came before it. */
export const PRE_ROLL_MS = 500;
/** What was held while the first connection came up may go in one burst; "heard fast" by the model's detector, so kept short. */
const BURST_MS = 1_000;
/** Beyond that, for each payload that arrives: twice real time. */
const CATCH_UP = 2;
const PIECE_MS = 20;
/** Silence that is caught up on is cut to half a second: the pause stays, the waiting does not. */
const SILENCE_AFTER_MS = 300;
/** A word may begin more softly than what counts as silence. */
const SILENCE_BEFORE_MS = 200;
/** Nobody notices that the model hears them so much later: not a sample of theirs is left out for it. */
const WORTH_CUTTING_MS = 500;
const SILENT_DBOV = -50;

export class Uplink {
  readonly #codec: PayloadCodec;
  readonly #resampler: Resampler;
  readonly #chunk: Int16Array;
  readonly #kept: KeptAudio;
  readonly #samplesPerMs: number;
  #chunkFill = 0;
  /** The filter holds something of the caller's. */
  #filled = false;
  /** Converted samples behind a full chunk that nobody has taken: less than a payload's. */
  #rest: Int16Array | null = null;
  #open = false;
  /** Manual activity signals: nothing is sent between two utterances. */
  #muted = false;
  /** Position of the first sample that was not converted yet. */
  #next = 0;
  /** From here on the caller's words may be needed once more; null: nothing but the pre-roll is. */
  #neededFrom: number | null = null;
  /** What lies before has been counted as dropped. */
  #givenUpTo = 0;
  #burstLeftMs = 0;
  #quietMs = 0;
  sentMs = 0;
  droppedMs = 0;
  /** Sent a second time, to another connection. */
  resentMs = 0;
  /** Silence that was left out while catching up. */
  skippedMs = 0;
  readonly #send: SendAudio;

  constructor(codec: PayloadCodec, chunkMs: number, send: SendAudio) {
    this.#codec = codec;
    this.#samplesPerMs = codec.sampleRate / 1000;
    this.#kept = new KeptAudio(codec.bytesPerSample, MAX_KEPT_MS * this.#samplesPerMs);
    this.#resampler = createResampler(codec.sampleRate, 16_000);
    this.#chunk = new Int16Array(16 * chunkMs);
    this.#send = send;
  }

  /** Between two utterances, with manual activity signals. */
  get muted(): boolean {
    return this.#muted;
  }

  /** Something has been refused, or waits for its turn. After `flush`: not everything could be sent. */
  get waiting(): boolean {
    return this.#next < this.#kept.end || this.#chunkFill > 0 || this.#rest !== null;
  }

  get heldMs(): number {
    return (this.#kept.end - this.#next) / this.#samplesPerMs;
  }

  /** Position behind the newest sample of the caller. */
  get position(): number {
    return this.#kept.end;
  }

  /** Position behind the last sample that went to a connection, or is in its open chunk. */
  get sentTo(): number {
    return this.#next;
  }

  /** What is kept, in ms: bounded, for those who watch memory. */
  get keptMs(): number {
    return (this.#kept.end - this.#kept.start) / this.#samplesPerMs;
  }

  /** The caller's words from `position` on are not known to be safe with the model; null: all are. */
  needFrom(position: number | null): void {
    this.#neededFrom = position;
  }

  /**
   * The connection takes audio from now on; what was held follows in order. `burst`: up to a second of it at once; else a
   * first piece, so that the connection need not wait for the caller's next frame, and the rest at twice real time.
   */
  open(burst = true): void {
    if (this.#open) return;
    this.#open = true;
    this.#burstLeftMs = burst ? BURST_MS : 0;
    this.#quietMs = 0;
    if (!this.#muted) this.#drain(burst ? 0 : PIECE_MS);
  }

  /** No connection takes audio: what comes is held. */
  close(): void {
    this.#open = false;
  }

  /**
   * What follows goes to a connection that has not heard what came before: the words from `position` on are sent again,
   * as far as they are still kept. To be called while closed. @returns ms that will be sent once more
   */
  rewind(position: number): number {
    this.#giveUpBefore(position);
    const from = Math.max(this.#kept.start, Math.min(position, this.#next));
    const againMs = (this.#next - from) / this.#samplesPerMs;
    if (againMs === 0) return 0;
    this.#next = from;
    this.#chunkFill = 0;
    this.#rest = null;
    this.#resampler.reset();
    this.#filled = false;
    this.#muted = false;
    this.resentMs += againMs;
    return againMs;
  }

  /** A payload of the carrier's, whole samples, with what it decodes to. The bytes are copied. */
  push(payload: Uint8Array, samples: Int16Array): void {
    const upToDate = this.#next === this.#kept.end;
    this.#kept.append(payload);
    if (upToDate && this.#open && !this.#muted && this.#takes()) {
      this.#next = this.#kept.end;
      this.#convert(samples);
    } else {
      this.#countDropped();
      if (this.#open && !this.#muted) this.#drain(CATCH_UP * this.#msOf(payload));
    }
    this.#forget();
  }

  /** Between two utterances: only the pre-roll of the next one is kept. */
  mute(): void {
    this.flush();
    this.#muted = true;
  }

  /** An utterance begins: its pre-roll goes first. */
  unmute(): void {
    this.#muted = false;
    this.#burstLeftMs = BURST_MS;
    this.#quietMs = 0;
    if (this.#open) this.#drain(0);
  }

  /** The stream ended or pauses: nothing may stay in the filter or the open chunk, nor wait for frames to follow it. */
  flush(): void {
    // Between two utterances nothing may be sent, not even what is left of the last one.
    if (this.#muted) return;
    if (this.#open) this.#drain(Number.POSITIVE_INFINITY);
    if (!this.#filled || !this.#takes()) return;
    this.#filled = false;
    this.#collect(this.#resampler.flush());
    if (this.#chunkFill > 0) this.#ship(this.#chunkFill);
  }

  /** What is neither waiting nor needed again goes, but for the pre-roll of the next utterance. */
  #forget(): void {
    const preRollFrom = this.#kept.end - PRE_ROLL_MS * this.#samplesPerMs;
    // Between two utterances of manual activity what waits is silence.
    if (this.#muted && this.#next < preRollFrom) this.#next = preRollFrom;
    const needed = this.#neededFrom ?? preRollFrom;
    const from = Math.min(needed, preRollFrom, this.#next);
    if (from > this.#kept.start) this.#kept.forgetBefore(from);
  }

  /** The ring was full, and what it let go had not been sent. */
  #countDropped(): void {
    if (this.#kept.start <= this.#next) return;
    this.#giveUpBefore(this.#next);
    this.#next = this.#kept.start;
  }

  /** Words from `position` on were needed, and are not kept any more: counted once. */
  #giveUpBefore(position: number): void {
    const lost = this.#kept.start - Math.max(position, this.#givenUpTo);
    if (lost <= 0) return;
    this.#givenUpTo = this.#kept.start;
    this.droppedMs += lost / this.#samplesPerMs;
  }

  /** @param ms beyond the burst, how much may go now */
  #drain(ms: number): void {
    let leftMs = ms;
    let cutMs = 0;
    const piece = PIECE_MS * this.#samplesPerMs;
    while (this.#next < this.#kept.end && (leftMs > 0 || this.#burstLeftMs > 0) && this.#takes()) {
      const payload = this.#kept.view(this.#next, this.#next + piece);
      const pieceMs = this.#msOf(payload);
      const isSilent = this.#codec.levelDbov(payload) < SILENT_DBOV;
      if (isSilent && this.#quietMs >= SILENCE_AFTER_MS && !this.#muted && this.heldMs >= WORTH_CUTTING_MS) {
        this.#next += pieceMs * this.#samplesPerMs;
        this.skippedMs += pieceMs;
        cutMs += pieceMs;
        continue;
      }
      this.#quietMs = isSilent ? this.#quietMs + pieceMs : 0;
      if (cutMs > 0) {
        // The end of the silence stays as well: back to it, if it was sound that ended it.
        const backMs = isSilent ? 0 : Math.min(cutMs, SILENCE_BEFORE_MS);
        this.#next -= backMs * this.#samplesPerMs;
        this.skippedMs -= backMs;
        cutMs = 0;
        if (backMs > 0) continue;
      }
      this.#next += pieceMs * this.#samplesPerMs;
      if (this.#burstLeftMs > 0) this.#burstLeftMs -= pieceMs;
      else leftMs -= pieceMs;
      this.#convert(this.#codec.decode(payload));
    }
    if (this.#next === this.#kept.end) this.#burstLeftMs = 0;
  }

  #convert(samples: Int16Array): void {
    this.#filled = true;
    this.#collect(this.#resampler.process(samples));
  }

  #collect(samples: Int16Array): void {
    // The usual case: a frame is a chunk. One that is not taken is kept like any other, and offered again.
    if (this.#chunkFill === 0 && samples.length === this.#chunk.length) {
      if (!this.#send(samples)) {
        this.#chunk.set(samples);
        this.#chunkFill = samples.length;
        return;
      }
      this.sentMs += samples.length / 16;
      return;
    }
    let at = 0;
    while (at < samples.length) {
      if (this.#chunkFill === this.#chunk.length) {
        this.#rest = samples.slice(at);
        return;
      }
      const take = Math.min(samples.length - at, this.#chunk.length - this.#chunkFill);
      this.#chunk.set(samples.subarray(at, at + take), this.#chunkFill);
      this.#chunkFill += take;
      at += take;
      if (this.#chunkFill === this.#chunk.length) this.#ship(this.#chunkFill);
    }
  }

  /** Whether what comes next can go: a chunk that was not taken is offered once more, and stays first in the row. */
  #takes(): boolean {
    if (this.#chunkFill === this.#chunk.length) this.#ship(this.#chunkFill);
    const rest = this.#rest;
    if (rest !== null && this.#chunkFill < this.#chunk.length) {
      this.#rest = null;
      this.#collect(rest);
    }
    return this.#chunkFill < this.#chunk.length;
  }

  #ship(length: number): void {
    if (!this.#send(length === this.#chunk.length ? this.#chunk : this.#chunk.subarray(0, length))) return;
    this.sentMs += length / 16;
    this.#chunkFill = 0;
  }

  #msOf(payload: Uint8Array): number {
    return payload.length / this.#codec.bytesPerSample / this.#samplesPerMs;
  }
}
