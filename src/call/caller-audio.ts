/**
 * The caller's side of the audio path: a payload is put in its place on the time line, listened to by the speech
 * tracker, and sent up. Where the carrier falls silent without a word, silence is sent in its stead, so that the model
 * hears the pause and can take its turn; and so it is in the place of a key's tone.
 */
import { levelDbov } from '../audio/level.ts';
import type { PayloadCodec } from './codec.ts';
import { GapFiller } from './gap-filler.ts';
import { JitterMeter } from './jitter.ts';
import type { Journal } from './journal.ts';
import type { SpeechChange, Tracker } from './speech.ts';
import { TICK_MS } from './ticker.ts';
import { ToneBlanker } from './tone-blanker.ts';
import type { CallTotals } from './totals.ts';
import type { Uplink } from './uplink.ts';

/** Nothing for so long from a carrier that sends all the time: the line stands still. A bad line is late by half of it. */
const STALL_MS = 600;
/** Longer than the silence that ends an utterance (600 ms by default). */
const FALL_SILENT_MS = 1_000;
/** Frames as quiet as this are left out after a stall, until the line has caught up with the time that was filled. */
const QUIET_DBOV = -50;

export class CallerAudio {
  readonly #codec: PayloadCodec;
  readonly #uplink: Uplink;
  readonly #journal: Journal;
  readonly #totals: CallTotals;
  readonly #tracker: Tracker;
  readonly #tones: ToneBlanker;
  readonly #gaps = new GapFiller();
  readonly jitter = new JitterMeter();
  readonly #silence: Uint8Array;
  readonly #silentSamples: Int16Array;
  readonly #samplesPerMs: number;
  #lastFrameAtMs: number | null = null;
  #stalledMs = 0;
  /** Silence that stood in for frames which came after all: the model is behind by so much. */
  #surplusMs = 0;
  #mediaEndMs: number | null = null;

  constructor(codec: PayloadCodec, uplink: Uplink, tracker: Tracker, journal: Journal, totals: CallTotals) {
    this.#codec = codec;
    this.#uplink = uplink;
    this.#journal = journal;
    this.#totals = totals;
    this.#tracker = tracker;
    this.#samplesPerMs = codec.sampleRate / 1000;
    this.#tones = new ToneBlanker(codec.sampleRate);
    this.#silence = new Uint8Array(TICK_MS * this.#samplesPerMs * codec.bytesPerSample).fill(codec.silence);
    this.#silentSamples = new Int16Array(TICK_MS * this.#samplesPerMs);
  }

  /** When the newest frame arrived; null before the first. */
  get lastFrameAtMs(): number | null {
    return this.#lastFrameAtMs;
  }

  /** Where in the uplink the change lies that `push` has just returned. */
  positionOf(change: SpeechChange): number {
    return Math.max(0, this.#uplink.position - change.agoMs * this.#samplesPerMs);
  }

  get lastSpeechAtMs(): number | null {
    return this.#tracker.lastSpeechAtMs;
  }

  /** The carrier's time behind the newest frame; null before the first, or where frames carry none. */
  get mediaEndMs(): number | null {
    return this.#mediaEndMs;
  }

  /** A payload of the attached stream. `echoDbov`: the level of our own audio that may be in it. */
  push(
    payload: Uint8Array,
    mediaTimeMs: number | null,
    nowMs: number,
    echoDbov: number,
  ): SpeechChange | null {
    const ms = payload.length / this.#codec.bytesPerSample / this.#samplesPerMs;
    if (ms === 0) return null;
    this.#lastFrameAtMs = nowMs;
    this.#endStall();
    this.#totals.inboundFrames += 1;
    this.#totals.inboundMs += ms;
    if (mediaTimeMs !== null) {
      this.#mediaEndMs = mediaTimeMs + ms;
      this.jitter.arrived(mediaTimeMs, nowMs);
      const place = this.#gaps.place(mediaTimeMs, ms);
      if (place.late) {
        this.#totals.lateFrames += 1;
        return null;
      }
      if (place.fillMs > 0 || place.unfilledMs > 0) {
        this.#surplusMs = 0;
        this.#fill(place.fillMs, place.unfilledMs);
      }
    }
    const samples = this.#codec.decode(payload);
    if (this.#surplusMs > 0 && levelDbov(samples) < QUIET_DBOV) {
      this.#surplusMs = Math.max(0, this.#surplusMs - ms);
      this.#totals.lateFrames += 1;
      return null;
    }
    const blanked = this.#tones.blank(samples);
    const change = this.#tracker.push(samples, nowMs, echoDbov, blanked > 0);
    this.#uplink.push(blanked > 0 ? this.#codec.encode(samples) : payload, samples);
    this.#totals.blankedToneMs += blanked / this.#samplesPerMs;
    return change;
  }

  /** Every 20 ms while a stream that sends all the time is attached. */
  tick(nowMs: number): void {
    if (this.#lastFrameAtMs === null || nowMs - this.#lastFrameAtMs < STALL_MS) return;
    this.#stalledMs += TICK_MS;
    this.#gaps.stalled(TICK_MS);
    this.#uplink.push(this.#silence, this.#silentSamples);
  }

  /** The stream is gone: a second of silence, by which the model knows that the caller has stopped speaking. */
  fallSilent(): void {
    for (let ms = 0; ms < FALL_SILENT_MS; ms += TICK_MS)
      this.#uplink.push(this.#silence, this.#silentSamples);
  }

  /** Another stream of the call: its time stamps begin anew. */
  restart(): void {
    this.#endStall();
    this.#lastFrameAtMs = null;
    this.#surplusMs = 0;
    this.#mediaEndMs = null;
    this.#gaps.reset();
    this.jitter.reset();
  }

  dispose(): void {
    this.#tracker.dispose();
  }

  #fill(fillMs: number, unfilledMs: number): void {
    this.#totals.filledMs += fillMs;
    this.#totals.unfilledGapMs += unfilledMs;
    let left = Math.round(fillMs * this.#samplesPerMs);
    while (left > 0) {
      const take = Math.min(left, this.#silentSamples.length);
      this.#uplink.push(
        this.#silence.subarray(0, take * this.#codec.bytesPerSample),
        this.#silentSamples.subarray(0, take),
      );
      left -= take;
    }
    this.#journal.write({ type: 'caller-gap', gapMs: fillMs + unfilledMs, filledMs: fillMs });
  }

  #endStall(): void {
    if (this.#stalledMs === 0) return;
    this.#surplusMs = this.#stalledMs;
    this.#journal.write({ type: 'caller-stalled', stalledMs: this.#stalledMs + STALL_MS });
    this.#stalledMs = 0;
  }
}
