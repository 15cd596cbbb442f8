/**
 * Audio that plays in one go, and the silence in it that our side knows nothing more of than its length: what a media
 * port fills up a block with at the end of a turn. It translates between positions and the time they take.
 */
/** Long past ones are put together. */
const MAX_FILLS = 8;

export class AudioRun {
  readonly from: number;
  readonly #samplesPerMs: number;
  #to: number;
  /** Silence in front of `position`, which marks at `position` lie behind. */
  #fills: { readonly position: number; readonly ms: number }[] = [];

  constructor(from: number, samplesPerMs: number) {
    this.from = from;
    this.#to = from;
    this.#samplesPerMs = samplesPerMs;
  }

  /** Position behind its last sample. */
  get to(): number {
    return this.#to;
  }

  get isEmpty(): boolean {
    return this.#to === this.from;
  }

  /** How long it plays, in ms. */
  get ms(): number {
    return this.msTo(this.#to);
  }

  extend(to: number): void {
    this.#to = to;
  }

  /** So much silence stands behind everything so far. */
  fill(ms: number): void {
    if (ms <= 0 || this.isEmpty) return;
    const [first, second, ...rest] = this.#fills;
    if (first !== undefined && second !== undefined && this.#fills.length === MAX_FILLS)
      this.#fills = [{ position: second.position, ms: first.ms + second.ms }, ...rest];
    this.#fills.push({ position: this.#to, ms });
  }

  /** When `position` has been reached, in ms from the start of the run. */
  msTo(position: number): number {
    let ms = (position - this.from) / this.#samplesPerMs;
    for (const fill of this.#fills) if (fill.position <= position) ms += fill.ms;
    return ms;
  }

  /** The position reached after so many ms, which may be any number. */
  positionAfter(ms: number): number {
    let played = ms;
    for (const fill of this.#fills) {
      const soundMs = (fill.position - this.from) / this.#samplesPerMs;
      if (played <= soundMs) break;
      played = Math.max(soundMs, played - fill.ms);
    }
    const samples = Math.floor(played * this.#samplesPerMs);
    return this.from + Math.min(this.#to - this.from, Math.max(0, samples));
  }
}
