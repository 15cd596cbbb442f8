import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { RawRequest } from '../carrier.ts';

/** About 100 bytes each; Plivo sends some five requests for a call. */
const MAX_NONCES = 8192;
/** Plivo repeats a request that failed within seconds. */
const REPEAT_WINDOW_MS = 300_000;

interface Use {
  readonly digest: string;
  readonly atMs: number;
}

/**
 * Remembers the nonces of requests whose signature was good. Plivo repeats a request that got no answer, with its nonce
 * or with a new one, and must then get the same answer again: so the same request may come again for a while. Another
 * request with a nonce that was used, or the same one much later, is a replay. Process memory: what another process saw
 * it does not know, and there idempotence has to do.
 */
export class UsedNonces {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #uses = new Map<string, Use>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns true where the request may pass */
  admit(nonce: string, request: RawRequest): boolean {
    const digest = digestOf(request);
    const nowMs = this.#clock.now();
    const use = this.#uses.get(nonce);
    if (use !== undefined) return use.digest === digest && nowMs - use.atMs <= REPEAT_WINDOW_MS;
    if (this.#uses.size >= MAX_NONCES) {
      const [oldest] = this.#uses.keys();
      if (oldest !== undefined) this.#uses.delete(oldest);
    }
    this.#uses.set(nonce, { digest, atMs: nowMs });
    return true;
  }
}

function digestOf({ method, target, body }: RawRequest): string {
  return createHash('sha256').update(`${method}\n${target}\n`).update(body).digest('base64');
}
