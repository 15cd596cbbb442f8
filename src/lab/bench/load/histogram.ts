/** Latencies in steps of 0.1 ms up to 10 s: exact enough for a percentile, and no memory per sample. */
const STEP_MS = 0.1;
const STEPS = 100_000;

export class Histogram {
  readonly #counts = new Uint32Array(STEPS + 1);
  count = 0;

  add(ms: number): void {
    this.#counts[Math.min(STEPS, Math.max(0, Math.floor(ms / STEP_MS)))]! += 1;
    this.count += 1;
  }

  /** The latency that `share` of the samples do not exceed; NaN without samples. */
  quantile(share: number): number {
    let left = Math.ceil(this.count * share);
    for (let step = 0; step <= STEPS; step++) {
      left -= this.#counts[step] as number;
      if (left <= 0 && this.count > 0) return (step + 1) * STEP_MS;
    }
    return Number.NaN;
  }

  above(ms: number): number {
    let count = 0;
    for (let step = Math.floor(ms / STEP_MS); step <= STEPS; step++) count += this.#counts[step] as number;
    return count;
  }

  reset(): void {
    this.#counts.fill(0);
    this.count = 0;
  }
}
