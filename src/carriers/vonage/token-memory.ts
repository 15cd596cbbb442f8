/** How far a token's time may be from ours, both ways. */
export const MAX_AGE_SECONDS = 300;

/** Far more than come within ten minutes; only what was signed gets in at all. */
const MAX_TOKENS = 16_384;
/** A token may be used from `MAX_AGE_SECONDS` before our clock says it was issued until as long after. */
const KEPT_SECONDS = 2 * MAX_AGE_SECONDS;

/** Remembers for what each token was used, for as long as it could be used again. Bounded: the oldest are forgotten. */
export class TokenMemory {
  readonly #seen = new Map<string, { readonly fingerprint: string; readonly untilSeconds: number }>();

  /** True the first time, and every time that the same token comes with the same request. */
  admits(id: string, fingerprint: string, nowSeconds: number): boolean {
    const seen = this.#seen.get(id);
    if (seen !== undefined && nowSeconds <= seen.untilSeconds) return seen.fingerprint === fingerprint;
    this.#seen.delete(id);
    this.#seen.set(id, { fingerprint, untilSeconds: nowSeconds + KEPT_SECONDS });
    for (const [oldest, { untilSeconds }] of this.#seen) {
      if (this.#seen.size <= MAX_TOKENS && nowSeconds <= untilSeconds) break;
      this.#seen.delete(oldest);
    }
    return true;
  }
}
