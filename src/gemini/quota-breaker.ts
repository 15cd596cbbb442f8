/**
 * Keeps from knocking at a door that says "quota": nobody connects for a back-off, then one at a time tries, until one of
 * those gets in. Pure: times and randomness are handed in.
 *
 *   closed ──quota──▶ open ──back-off over, one begins──▶ probing ──success──▶ closed
 *                      └──◀──────quota: a longer one──────────┘
 */
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;

export type BreakerState = 'closed' | 'open' | 'probing';

export class QuotaBreaker {
  readonly #random: () => number;
  #state: BreakerState = 'closed';
  #refusals = 0;
  #retryAtMs = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** 0: one may begin now. Infinity: not before the probe has come to an end. */
  waitMs(nowMs: number): number {
    if (this.#state === 'closed') return 0;
    return this.#state === 'probing' ? Number.POSITIVE_INFINITY : Math.max(0, this.#retryAtMs - nowMs);
  }

  /** One begins. @returns whether it is the probe */
  begin(): boolean {
    if (this.#state === 'closed') return false;
    this.#state = 'probing';
    return true;
  }

  /** The probe got in. Who began before the breaker opened proves nothing by it. */
  probeSucceeded(): void {
    this.#state = 'closed';
    this.#refusals = 0;
  }

  /** The probe ended without saying anything about the quota, or will say it much later: another may try. */
  probeLost(): void {
    this.#state = 'open';
  }

  /** The quota's refusal. Those that come while it is open are of attempts that were under way: they are the same news. */
  refused(isProbe: boolean, nowMs: number): void {
    if (this.#state !== 'closed' && !isProbe) return;
    const backoffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#refusals);
    this.#refusals += 1;
    this.#retryAtMs = nowMs + backoffMs * (0.5 + 0.5 * this.#random());
    this.#state = 'open';
  }
}
