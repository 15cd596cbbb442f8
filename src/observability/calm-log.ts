import type { Clock } from '../clock.ts';
import type { Log } from './log.ts';

const ONE_LINE_PER_MS = 1_000;

/**
 * One line per second for each kind of trouble, with the number of those it stands for: whoever hammers at the door must
 * not fill the disk. The kinds are a closed set, so the memory is bounded too.
 */
export class CalmLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #message: string;
  readonly #kinds = new Map<string, { loggedAtMs: number; unlogged: number }>();

  /** @param message constant, the same for all kinds */
  constructor(log: Log, clock: Clock, message: string) {
    this.#log = log;
    this.#clock = clock;
    this.#message = message;
  }

  /** @param kind of a closed set; @param fields nothing personal */
  warn(kind: string, fields: Readonly<Record<string, string>>): void {
    const nowMs = this.#clock.now();
    const seen = this.#kinds.get(kind);
    if (seen !== undefined && nowMs - seen.loggedAtMs < ONE_LINE_PER_MS) {
      seen.unlogged += 1;
      return;
    }
    const alike = (seen?.unlogged ?? 0) + 1;
    this.#kinds.set(kind, { loggedAtMs: nowMs, unlogged: 0 });
    this.#log.warn({ kind, ...fields, alike }, this.#message);
  }
}
