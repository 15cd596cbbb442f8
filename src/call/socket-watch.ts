/** Notices a peer that does not read: it must not make us hold its audio for ever. One per stream in use. */
const STUCK_MS = 5_000;
const STUCK_BYTES = 262_144;

export class SocketWatch {
  #sinceMs: number | null = null;
  #before = 0;

  /** @returns whether nobody seems to be behind the socket any more */
  isStuck(bufferedBytes: number, nowMs: number): boolean {
    // Less than before: slow perhaps, but somebody is reading.
    if (bufferedBytes === 0 || bufferedBytes < this.#before) this.#sinceMs = null;
    this.#before = bufferedBytes;
    if (bufferedBytes === 0) return false;
    this.#sinceMs ??= nowMs;
    if (bufferedBytes < STUCK_BYTES && nowMs - this.#sinceMs < STUCK_MS) return false;
    this.#sinceMs = null;
    return true;
  }
}
