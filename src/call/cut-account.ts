/**
 * Where a `clear` really cut. When it is written nobody knows how long it will take to the carrier; but the marks that it
 * throws out come back between the caller's own frames, and those carry the carrier's time. A mark that came back in its
 * time was played; the first one that came too early tells, in that time, when the buffer was emptied.
 */

/** Between a mark that is on time and one that was thrown out: the caller's frames are 20 ms apart, playing too. */
const EARLY_MS = 30;

export interface PendingMark {
  readonly number: number;
  readonly position: number;
}

export class CutAccount {
  readonly generation: number;
  readonly #pending: readonly PendingMark[];
  readonly #samplesPerMs: number;
  /** Media time of the carrier at which position 0 would have been heard, had it all been one run; null when unknown. */
  readonly #zeroMs: number | null;
  readonly #sentTo: number;
  #heardTo: number;
  #settled: boolean;

  constructor(cut: {
    readonly generation: number;
    readonly pending: readonly PendingMark[];
    readonly zeroMs: number | null;
    readonly samplesPerMs: number;
    /** What the clock reckons, until the marks know better. */
    readonly heardTo: number;
    readonly sentTo: number;
  }) {
    this.generation = cut.generation;
    this.#pending = cut.pending;
    this.#zeroMs = cut.zeroMs;
    this.#samplesPerMs = cut.samplesPerMs;
    this.#heardTo = cut.heardTo;
    this.#sentTo = cut.sentTo;
    this.#settled = cut.zeroMs === null || cut.pending.length === 0;
  }

  get heardTo(): number {
    return this.#heardTo;
  }

  /** Nothing more will be learnt. */
  get settled(): boolean {
    return this.#settled;
  }

  /** A mark of the generation came back when the carrier's frames had come to `mediaMs`. @returns whether this settled it */
  echoed(number: number, mediaMs: number): boolean {
    const mark = this.#pending.find((pending) => pending.number === number);
    if (this.#settled || mark === undefined || this.#zeroMs === null) return false;
    const playedTo = Math.round((mediaMs - this.#zeroMs) * this.#samplesPerMs);
    if (playedTo >= mark.position - EARLY_MS * this.#samplesPerMs) {
      this.#heardTo = Math.max(this.#heardTo, mark.position);
      this.#settled = mark === this.#pending.at(-1);
      return this.#settled;
    }
    this.#heardTo = Math.max(0, Math.min(playedTo, this.#sentTo));
    this.#settled = true;
    return true;
  }
}

/** Media times at which position 0 would have been heard, as the newest marks of a run have it. */
const KEPT_ZEROS = 4;

/** Ties the positions of outbound audio to the carrier's time, by the marks that come back while it plays. */
export class CarrierTime {
  readonly #samplesPerMs: number;
  #runFrom = 0;
  readonly #zeros: number[] = [];

  constructor(samplesPerMs: number) {
    this.#samplesPerMs = samplesPerMs;
  }

  /** Audio from `position` on plays after a gap: what was known is over. */
  runBegins(position: number): void {
    this.#runFrom = position;
    this.#zeros.length = 0;
  }

  played(position: number, mediaMs: number): void {
    if (position <= this.#runFrom) return;
    this.#zeros.push(mediaMs - position / this.#samplesPerMs);
    if (this.#zeros.length > KEPT_ZEROS) this.#zeros.shift();
  }

  /** The mean: each is off by where in its frame the mark happened to fall. Null before the first mark of the run. */
  get zeroMs(): number | null {
    if (this.#zeros.length === 0) return null;
    return this.#zeros.reduce((sum, each) => sum + each, 0) / this.#zeros.length;
  }
}
