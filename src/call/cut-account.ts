/**
 * Where a `clear` really cut. When it is written nobody knows how long it will take to the carrier; what comes back tells.
 *
 * A mark that came back as played was heard. One that is reported as cleared was not, nor, where the carrier acknowledges a
 * clear, one that is missing by then. Between these lies the cut; and where the caller's frames carry the carrier's time,
 * the frame before such news tells when the buffer was emptied, to a frame.
 */
import type { MarkOutcome } from '../carriers/carrier.ts';
import type { AudioRun } from './audio-run.ts';

/** Between a mark that is on time and one that was thrown out: the caller's frames are 20 ms apart, playing too. */
const EARLY_MS = 30;

export interface PendingMark {
  readonly number: number;
  readonly position: number;
}

/** How the carrier speaks of a clear, as its capabilities have it. */
export interface ClearManners {
  readonly marksAtClear: 'echoed' | 'reported' | 'dropped';
  readonly acknowledgesClear: boolean;
}

export class CutAccount {
  readonly generation: number;
  readonly #pending: readonly PendingMark[];
  readonly #run: AudioRun;
  /** Media time of the carrier at which the run began to be heard; null when unknown. */
  readonly #zeroMs: number | null;
  readonly #sentTo: number;
  readonly #manners: ClearManners;
  /** Behind the last mark that was played for certain, and behind the last one that came back at all. */
  #leastTo = 0;
  #returnedTo = 0;
  #heardTo: number;
  #settled: boolean;

  constructor(cut: {
    readonly generation: number;
    readonly pending: readonly PendingMark[];
    readonly run: AudioRun;
    readonly zeroMs: number | null;
    /** What the clock reckons, until more is known. */
    readonly heardTo: number;
    readonly sentTo: number;
    readonly manners: ClearManners;
  }) {
    this.generation = cut.generation;
    this.#pending = cut.pending;
    this.#run = cut.run;
    this.#zeroMs = cut.zeroMs;
    this.#heardTo = cut.heardTo;
    this.#sentTo = cut.sentTo;
    this.#manners = cut.manners;
    const { marksAtClear, acknowledgesClear } = cut.manners;
    // An echo that looks the same for played and cleared tells nothing without the carrier's time.
    const marksTell = marksAtClear === 'reported' || (marksAtClear === 'echoed' && cut.zeroMs !== null);
    this.#settled = !acknowledgesClear && !(marksTell && cut.pending.length > 0);
  }

  get heardTo(): number {
    return this.#heardTo;
  }

  /** Nothing more will be learnt. */
  get settled(): boolean {
    return this.#settled;
  }

  /**
   * A mark of the generation came back.
   * @param mediaMs the carrier's time by then, as the caller's frames have it; null where they carry none
   * @returns whether this settled it
   */
  echoed(number: number, outcome: MarkOutcome, mediaMs: number | null): boolean {
    const mark = this.#pending.find((pending) => pending.number === number);
    if (this.#settled || mark === undefined) return false;
    this.#returnedTo = mark.position;
    const playedTo = this.#positionAt(mediaMs);
    const isPlayed =
      outcome === 'played' || (outcome === 'ambiguous' && playedTo !== null && this.#isDue(mark, playedTo));
    if (isPlayed) {
      if (outcome === 'played') this.#leastTo = mark.position;
      this.#heardTo = Math.max(this.#heardTo, mark.position);
      this.#settled = mark === this.#pending.at(-1) && !this.#manners.acknowledgesClear;
      return this.#settled;
    }
    if (outcome === 'ambiguous' && playedTo === null) return false;
    return this.#settle(playedTo, mark.position);
  }

  /** The carrier says that its buffer is empty: marks that are not back by now were thrown out. @returns as `echoed` */
  acknowledged(mediaMs: number | null): boolean {
    if (this.#settled) return false;
    const thrownOut = this.#pending.find(({ position }) => position > this.#returnedTo);
    return this.#settle(this.#positionAt(mediaMs), thrownOut?.position ?? this.#sentTo);
  }

  #settle(playedTo: number | null, mostTo: number): true {
    const to = playedTo ?? this.#heardTo;
    this.#heardTo = Math.max(this.#leastTo, Math.min(to, mostTo, this.#sentTo));
    this.#settled = true;
    return true;
  }

  /** Whether the carrier was far enough for the mark to have been played. */
  #isDue({ position }: PendingMark, playedTo: number): boolean {
    return this.#run.msTo(playedTo) >= this.#run.msTo(position) - EARLY_MS;
  }

  #positionAt(mediaMs: number | null): number | null {
    if (this.#zeroMs === null || mediaMs === null) return null;
    return this.#run.positionAfter(mediaMs - this.#zeroMs);
  }
}

/** Media times at which the run would have begun, as its newest marks have it. */
const KEPT_ZEROS = 4;

/** Ties a run to the carrier's time, by the marks that come back while it plays. */
export class CarrierTime {
  #run: AudioRun | null = null;
  readonly #zeros: number[] = [];

  /** A mark at `position` was played. Of a run that is over, and what was played before, nothing is known. */
  played(run: AudioRun, position: number, mediaMs: number): void {
    if (position <= run.from || position > run.to) return;
    if (run !== this.#run) this.#zeros.length = 0;
    this.#run = run;
    this.#zeros.push(mediaMs - run.msTo(position));
    if (this.#zeros.length > KEPT_ZEROS) this.#zeros.shift();
  }

  /** The mean: each is off by where in its frame the mark happened to fall. Null before the first mark of the run. */
  zeroMs(run: AudioRun): number | null {
    if (run !== this.#run) return null;
    return this.#zeros.reduce((sum, each) => sum + each, 0) / this.#zeros.length;
  }
}
