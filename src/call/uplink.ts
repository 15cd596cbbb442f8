/**
 * The caller's audio on its way to Gemini: 8 to 16 kHz, in chunks of a set length, in order, nothing lost. What arrives
 * while no connection takes it is held (encoded, so half a minute costs 240 kB at most) and follows at twice real time.
 */
import { createResampler, type Resampler } from '../audio/resample.ts';
import type { PayloadCodec } from './codec.ts';

/** The connection's end of the uplink. False: not taken, keep it. */
export type SendAudio = (samples16k: Int16Array) => boolean;

const MAX_HELD_MS = 30_000;
/** Manual activity: what goes before the onset, as the server keeps nothing of what lies outside an activity. */
const PRE_ROLL_MS = 500;
/** What was held while the connection came up may go in one burst; "heard fast" by the model's detector, so kept short. */
const BURST_MS = 1_000;
/** Beyond the burst, so many frames for each that arrives: twice real time. */
const CATCH_UP = 2;

export class Uplink {
  readonly #codec: PayloadCodec;
  readonly #resampler: Resampler;
  readonly #chunk: Int16Array;
  #chunkFill = 0;
  /** The filter holds something of the caller's. */
  #filled = false;
  /** Converted samples behind a full chunk that nobody has taken: less than a payload's. */
  #rest: Int16Array | null = null;
  #open = false;
  /** Manual activity signals: nothing is sent between two utterances. */
  #muted = false;
  readonly #held: Uint8Array[] = [];
  #heldMs = 0;
  #burstLeftMs = 0;
  sentMs = 0;
  droppedMs = 0;
  readonly #send: SendAudio;

  constructor(codec: PayloadCodec, chunkMs: number, send: SendAudio) {
    this.#codec = codec;
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
    return this.#held.length > 0 || this.#chunkFill > 0 || this.#rest !== null;
  }

  get heldMs(): number {
    return this.#heldMs;
  }

  /** The connection takes audio from now on; what was held follows in order. */
  open(): void {
    if (this.#open) return;
    this.#open = true;
    this.#burstLeftMs = BURST_MS;
    if (!this.#muted) this.#drain(0);
  }

  /** No connection takes audio: what comes is held. */
  close(): void {
    this.#open = false;
  }

  /** A payload of the carrier's, whole samples, with what it decodes to. The bytes are copied if they have to wait. */
  push(payload: Uint8Array, samples: Int16Array): void {
    if (this.#open && !this.#muted && this.#held.length === 0 && this.#takes()) {
      this.#convert(samples);
      return;
    }
    this.#hold(Uint8Array.prototype.slice.call(payload));
    if (this.#open && !this.#muted) this.#drain(CATCH_UP);
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

  #hold(payload: Uint8Array): void {
    this.#held.push(payload);
    this.#heldMs += this.#msOf(payload);
    const mostMs = this.#muted ? PRE_ROLL_MS : MAX_HELD_MS;
    while (this.#heldMs > mostMs) {
      const oldest = this.#held.shift() as Uint8Array;
      this.#heldMs -= this.#msOf(oldest);
      if (!this.#muted) this.droppedMs += this.#msOf(oldest);
    }
  }

  #drain(frames: number): void {
    let sent = 0;
    while (this.#held.length > 0 && (sent < frames || this.#burstLeftMs > 0) && this.#takes()) {
      const payload = this.#held.shift() as Uint8Array;
      const ms = this.#msOf(payload);
      this.#heldMs -= ms;
      this.#burstLeftMs -= ms;
      this.#convert(this.#codec.decode(payload));
      sent += 1;
    }
    if (this.#held.length === 0) this.#burstLeftMs = 0;
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
    return payload.length / this.#codec.bytesPerSample / (this.#codec.sampleRate / 1000);
  }
}
