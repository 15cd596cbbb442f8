/** What an emulated session saw and did, for tests and for people: bounded, whatever the client sends. */
import { INPUT_RATE } from './input-audio.ts';
import type { Refusal } from './refusal.ts';
import type { SetupMessage } from './setup-schema.ts';

const BLOCK_SAMPLES = INPUT_RATE;
/** Half an hour of audio, 58 MB; what comes later is counted and not kept. */
const MAX_BLOCKS = 30 * 60;
const MAX_ARRIVALS = 120_000;
const MAX_ENTRIES = 20_000;

/** Samples that grow by the second, so that a short session costs little. */
export class SampleStore {
  readonly #blocks: Int16Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(samples: Int16Array): void {
    let from = 0;
    while (from < samples.length) {
      const inBlock = this.#length % BLOCK_SAMPLES;
      if (inBlock === 0) {
        if (this.#blocks.length >= MAX_BLOCKS) return;
        this.#blocks.push(new Int16Array(BLOCK_SAMPLES));
      }
      const piece = samples.subarray(from, from + BLOCK_SAMPLES - inBlock);
      this.#blocks.at(-1)!.set(piece, inBlock);
      this.#length += piece.length;
      from += piece.length;
    }
  }

  /** All samples, in a new array. */
  toSamples(): Int16Array {
    return this.slice(0, this.#length);
  }

  /** A stretch of them, as much of it as there is, in a new array. */
  slice(from: number, to: number): Int16Array {
    const end = Math.min(to, this.#length);
    const piece = new Int16Array(Math.max(0, end - from));
    for (let at = from; at < end; ) {
      const inBlock = at % BLOCK_SAMPLES;
      const count = Math.min(BLOCK_SAMPLES - inBlock, end - at);
      piece.set(this.#blocks[Math.floor(at / BLOCK_SAMPLES)]!.subarray(inBlock, inBlock + count), at - from);
      at += count;
    }
    return piece;
  }
}

/** How the client's audio came in, measured at the server. */
export interface PaceMeasure {
  messages: number;
  audioMs: number;
  firstAtMs: number | null;
  lastAtMs: number | null;
  /** Longest time between two messages with audio. */
  maxGapMs: number;
  /** How far the audio ran ahead of the clock, and fell behind it, counted from its first message. */
  maxAheadMs: number;
  maxBehindMs: number;
}

export interface SentEvent {
  readonly atMs: number;
  readonly kind: string;
  /** Bytes of a chunk, text of a fragment, ids of calls … whatever tells events of a kind apart. */
  readonly detail: string | number | null;
}

/** A fault that was let loose: when it took hold, where it stood in the list, and what else was said of it. */
export interface StruckFault {
  readonly atMs: number;
  readonly at: string;
  readonly fault: string;
  readonly params: object;
}

export interface ReceivedText {
  readonly atMs: number;
  readonly via: 'realtimeInput' | 'clientContent';
  readonly text: string;
}

export interface ReceivedToolResponse {
  readonly atMs: number;
  readonly id: string;
  readonly outcome: 'unknown' | 'late' | 'partial' | 'blocking' | 'non-blocking';
  readonly response: Readonly<Record<string, unknown>>;
}

export class EmulatorRecord {
  readonly number: number;
  readonly apiVersion: string;
  readonly openedAtMs: number;
  readonly keepAudio: boolean;
  setup: SetupMessage | null = null;
  model: string | null = null;
  /** The session that this connection is part of, and whether a handle brought it here. */
  conversation: number | null = null;
  resumed = false;
  /** 16 kHz, everything that came in. Empty when not kept. */
  readonly audio = new SampleStore();
  /** At 16 kHz, kept or not. */
  receivedSamples = 0;
  /** Per message: when it came, and how many samples at 16 kHz it held. */
  readonly arrivals: { readonly atMs: number; readonly samples: number }[] = [];
  readonly pace: PaceMeasure = {
    messages: 0,
    audioMs: 0,
    firstAtMs: null,
    lastAtMs: null,
    maxGapMs: 0,
    maxAheadMs: 0,
    maxBehindMs: 0,
  };
  readonly texts: ReceivedText[] = [];
  readonly toolResponses: ReceivedToolResponse[] = [];
  /** Start and end of what was taken for the caller's speech, in the server's time. */
  readonly speech: { readonly atMs: number; readonly kind: 'start' | 'end' }[] = [];
  readonly sent: SentEvent[] = [];
  readonly refusals: (Refusal & { readonly atMs: number })[] = [];
  readonly faults: StruckFault[] = [];
  /** Things that Google might let pass, but a careful client would not do. */
  readonly warnings: { readonly atMs: number; readonly text: string }[] = [];
  closed: { readonly atMs: number; readonly by: 'server' | 'client'; readonly code: number } | null = null;

  constructor(options: { number: number; apiVersion: string; openedAtMs: number; keepAudio: boolean }) {
    this.number = options.number;
    this.apiVersion = options.apiVersion;
    this.openedAtMs = options.openedAtMs;
    this.keepAudio = options.keepAudio;
  }

  /** Adds to one of the lists unless that is full. */
  note<T>(list: T[], entry: T): void {
    if (list.length < MAX_ENTRIES) list.push(entry);
  }

  takeAudio(samples: Int16Array, nowMs: number): void {
    const { pace } = this;
    this.receivedSamples += samples.length;
    pace.firstAtMs ??= nowMs;
    const aheadMs = pace.audioMs - (nowMs - pace.firstAtMs);
    if (pace.lastAtMs !== null) pace.maxGapMs = Math.max(pace.maxGapMs, nowMs - pace.lastAtMs);
    pace.maxAheadMs = Math.max(pace.maxAheadMs, aheadMs);
    pace.maxBehindMs = Math.max(pace.maxBehindMs, -aheadMs);
    pace.lastAtMs = nowMs;
    pace.messages++;
    pace.audioMs += (samples.length * 1000) / INPUT_RATE;
    if (!this.keepAudio) return;
    this.audio.push(samples);
    if (this.arrivals.length < MAX_ARRIVALS) this.arrivals.push({ atMs: nowMs, samples: samples.length });
  }

  /** Everything but the samples and their arrivals, for `GET /lab/sessions/<n>`. */
  toJson(): object {
    const { audio, arrivals: _, keepAudio, ...rest } = this;
    return { ...rest, audioSamples: keepAudio ? audio.length : null };
  }
}
