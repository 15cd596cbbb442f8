/**
 * A carrier as it behaves: what arrives is played in real time, in order, with a hole where nothing is left; a mark comes
 * back when everything before it was played, `clear` throws the rest away and returns the marks. It takes L16 at 8 kHz,
 * so that every sample carries its own number and a test can say which of them the caller heard, and when.
 */
import type { PayloadCodec } from '../../src/call/codec.ts';
import { createCodec } from '../../src/call/codec.ts';
import type { PlayoutPort } from '../../src/call/playout.ts';

export const SAMPLES_PER_MS = 8;

export const l16 = (): PayloadCodec => createCodec({ encoding: 'l16', sampleRate: 8_000 });

/** Samples numbered from..to-1, never 0 (which is silence) and never the same within 4 s. */
export const numbered = (from: number, to: number): Int16Array =>
  Int16Array.from({ length: to - from }, (_, i) => ((from + i) % 32_000) + 1);

export const bytesOf = (samples: Int16Array): Uint8Array =>
  new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);

export type Written =
  | { readonly type: 'audio'; readonly atMs: number; readonly samples: Int16Array }
  | { readonly type: 'mark'; readonly atMs: number; readonly name: string }
  | { readonly type: 'clear' | 'end-of-turn'; readonly atMs: number };

export interface Echo {
  readonly name: string;
  readonly dueMs: number;
  readonly outcome: 'played' | 'cleared';
}

interface Segment {
  samples: Int16Array;
  readonly startMs: number;
}

export class SimulatedCarrier implements PlayoutPort {
  bufferedBytes = 0;
  accepts = true;
  /** One way of the line, asked for each message; messages never overtake each other. */
  upMs: () => number = () => 0;
  downMs: () => number = () => 0;
  loseMarks = false;
  readonly written: Written[] = [];
  readonly #now: () => number;
  readonly #segments: Segment[] = [];
  #echoes: (Echo & { readonly playedAtMs: number })[] = [];
  #arrivedMs = Number.NEGATIVE_INFINITY;
  #playEndMs = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  audio(payload: Uint8Array): boolean {
    if (!this.accepts) return false;
    const samples = new Int16Array(payload.slice().buffer);
    this.written.push({ type: 'audio', atMs: this.#now(), samples });
    const startMs = Math.max(this.#arrive(), this.#playEndMs);
    this.#segments.push({ samples, startMs });
    this.#playEndMs = startMs + samples.length / SAMPLES_PER_MS;
    return true;
  }

  mark(name: string): boolean {
    if (!this.accepts) return false;
    this.written.push({ type: 'mark', atMs: this.#now(), name });
    const playedAtMs = Math.max(this.#arrive(), this.#playEndMs);
    if (!this.loseMarks)
      this.#echo({ name, playedAtMs, dueMs: playedAtMs + this.downMs(), outcome: 'played' });
    return true;
  }

  clear(): boolean {
    if (!this.accepts) return false;
    this.written.push({ type: 'clear', atMs: this.#now() });
    const atMs = this.#arrive();
    for (const segment of this.#segments) {
      const begun = Math.ceil((atMs - segment.startMs) * SAMPLES_PER_MS);
      segment.samples = segment.samples.subarray(0, Math.max(0, begun));
    }
    this.#playEndMs = Math.min(this.#playEndMs, atMs);
    this.#echoes = this.#echoes.map((echo) =>
      echo.playedAtMs > atMs ? { ...echo, dueMs: atMs + this.downMs(), outcome: 'cleared' } : echo,
    );
    return true;
  }

  endOfTurn(): boolean {
    this.written.push({ type: 'end-of-turn', atMs: this.#now() });
    return this.accepts;
  }

  /** Milliseconds of audio that lie in the carrier's buffer, or are on the way to it. */
  get aheadMs(): number {
    return Math.max(0, this.#playEndMs - this.#now());
  }

  /** The echoes that have come back by now; each is handed out once. */
  takeEchoes(): readonly Echo[] {
    const due = this.#echoes.filter((echo) => echo.dueMs <= this.#now());
    this.#echoes = this.#echoes.filter((echo) => echo.dueMs > this.#now());
    return due;
  }

  /** Everything the caller has begun to hear before `ms`, silence that was sent left out. */
  heardBefore(ms: number): number[] {
    const heard: number[] = [];
    for (const { samples, startMs } of this.#segments) {
      const begun = Math.ceil((ms - startMs) * SAMPLES_PER_MS);
      for (const sample of samples.subarray(0, Math.max(0, begun))) if (sample !== 0) heard.push(sample);
    }
    return heard;
  }

  /** How many samples the caller has begun to hear before `ms`, silence that was sent included. */
  countBefore(ms: number): number {
    let count = 0;
    for (const { samples, startMs } of this.#segments) {
      count += Math.min(samples.length, Math.max(0, Math.ceil((ms - startMs) * SAMPLES_PER_MS)));
    }
    return count;
  }

  get heard(): number[] {
    return this.heardBefore(Number.POSITIVE_INFINITY);
  }

  /** The holes in what was played: ms without audio between two pieces of it. */
  get holesMs(): number[] {
    const holes: number[] = [];
    let endMs: number | null = null;
    for (const { samples, startMs } of this.#segments) {
      if (samples.length === 0) continue;
      if (endMs !== null && startMs - endMs > 0.01) holes.push(startMs - endMs);
      endMs = startMs + samples.length / SAMPLES_PER_MS;
    }
    return holes;
  }

  writtenOf<T extends Written['type']>(type: T): Extract<Written, { type: T }>[] {
    return this.written.filter((each): each is Extract<Written, { type: T }> => each.type === type);
  }

  #arrive(): number {
    this.#arrivedMs = Math.max(this.#arrivedMs, this.#now() + this.upMs());
    return this.#arrivedMs;
  }

  #echo(echo: Echo & { readonly playedAtMs: number }): void {
    const last = this.#echoes.at(-1);
    this.#echoes.push({ ...echo, dueMs: Math.max(echo.dueMs, last?.dueMs ?? 0) });
  }
}
