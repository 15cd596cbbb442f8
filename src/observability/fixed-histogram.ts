/**
 * A histogram that costs a few comparisons per value and allocates nothing: for figures that come with every frame. The
 * unit is the values' own.
 */
export class FixedHistogram {
  readonly #bounds: Float64Array;
  /** One more than there are bounds: the last counts what is above all of them. */
  readonly #counts: Float64Array;
  #sum = 0;

  /** @param bounds ascending upper bounds, inclusive */
  constructor(bounds: readonly number[]) {
    this.#bounds = Float64Array.from(bounds);
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    if (!Number.isFinite(value)) return;
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  get sum(): number {
    return this.#sum;
  }

  /** How many values were at most each bound, in their order; the last entry, `Infinity`, counts all of them. */
  cumulative(): readonly { readonly bound: number; readonly count: number }[] {
    let count = 0;
    return Array.from(this.#counts, (here, bucket) => {
      count += here;
      return { bound: this.#bounds[bucket] ?? Infinity, count };
    });
  }
}
