/**
 * What the carrier plays to the caller: messages are queued and played in real time without gaps, a mark comes back when
 * all before it was played, `clear` empties the queue and returns the pending marks. It keeps stretches, no samples.
 */

/** A stretch of what was sent: counted samples from `from`, or so many of silence or of something else. */
export type Piece =
  | { readonly kind: 'counted'; readonly from: number; readonly samples: number }
  | { readonly kind: 'quiet' | 'foreign'; readonly samples: number };

export interface PlaybackSink {
  /** Played to the caller, in order, from `atMs` on. */
  heard(piece: Piece, atMs: number): void;
  /** All before it was played, or thrown away. */
  mark(name: string): void;
}

type Queued = Piece | { readonly kind: 'mark'; readonly name: string };

export class Playback {
  readonly #sink: PlaybackSink;
  readonly #samplesPerMs: number;
  #queue: Queued[] = [];
  #queuedSamples = 0;
  #playedToMs: number;
  /** The most that ever waited, milliseconds. */
  longestMs = 0;

  constructor(startMs: number, sampleRate: number, sink: PlaybackSink) {
    this.#playedToMs = startMs;
    this.#samplesPerMs = sampleRate / 1000;
    this.#sink = sink;
  }

  get queuedMs(): number {
    return this.#queuedSamples / this.#samplesPerMs;
  }

  push(pieces: readonly Piece[]): void {
    for (const piece of pieces) {
      this.#queue.push(piece);
      this.#queuedSamples += piece.samples;
    }
    this.longestMs = Math.max(this.longestMs, this.queuedMs);
  }

  mark(name: string): void {
    this.#queue.push({ kind: 'mark', name });
  }

  clear(): void {
    const dropped = this.#queue;
    this.#queue = [];
    this.#queuedSamples = 0;
    for (const each of dropped) if (each.kind === 'mark') this.#sink.mark(each.name);
  }

  /** Plays what is due by now. */
  advance(nowMs: number): void {
    let room = Math.round((nowMs - this.#playedToMs) * this.#samplesPerMs);
    let at = 0;
    for (; at < this.#queue.length; at++) {
      const next = this.#queue[at]!;
      if (next.kind === 'mark') {
        this.#sink.mark(next.name);
        continue;
      }
      if (room <= 0) break;
      const atMs = nowMs - room / this.#samplesPerMs;
      const samples = Math.min(room, next.samples);
      room -= samples;
      this.#queuedSamples -= samples;
      this.#sink.heard(samples === next.samples ? next : { ...next, samples }, atMs);
      if (samples < next.samples) {
        this.#queue[at] = shorten(next, samples);
        break;
      }
    }
    if (at > 0) this.#queue.splice(0, at);
    this.#playedToMs = nowMs;
  }
}

const shorten = (piece: Piece, by: number): Piece =>
  piece.kind === 'counted'
    ? { kind: 'counted', from: piece.from + by, samples: piece.samples - by }
    : { kind: piece.kind, samples: piece.samples - by };
