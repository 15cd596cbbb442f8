/** What waits to be played, in bytes. Most carriers keep it like this; one has its own way. */

export interface PlayoutQueue {
  readonly queuedBytes: number;
  /** Arrived, and not let into the queue yet. */
  readonly heldBytes: number;
  push(payload: Uint8Array): void;
  /** Fills the beginning of a frame. @returns for how many bytes there was something to play */
  take(frame: Uint8Array): number;
  /** Empties the queue, not what is held. @returns what was in it */
  clear(): readonly Uint8Array[];
  /** Empties everything. */
  takeAll(): readonly Uint8Array[];
  /** Only where marks travel in the audio itself: then the queue tells of them. */
  readonly marks?: MarkQueue;
}

export interface MarkQueue {
  put(name: string): void;
  /** Not told of yet. */
  readonly pending: number;
}

export class ByteQueue implements PlayoutQueue {
  readonly heldBytes = 0;
  readonly #payloads: Uint8Array[] = [];
  /** Bytes of the first payload that were played already. */
  #offset = 0;
  #queuedBytes = 0;

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  push(payload: Uint8Array): void {
    this.#payloads.push(payload);
    this.#queuedBytes += payload.length;
  }

  take(frame: Uint8Array): number {
    let filled = 0;
    while (filled < frame.length && this.#payloads[0] !== undefined) {
      const head = this.#payloads[0];
      const take = Math.min(frame.length - filled, head.length - this.#offset);
      frame.set(head.subarray(this.#offset, this.#offset + take), filled);
      filled += take;
      this.#offset += take;
      if (this.#offset === head.length) {
        this.#payloads.shift();
        this.#offset = 0;
      }
    }
    this.#queuedBytes -= filled;
    return filled;
  }

  clear(): readonly Uint8Array[] {
    const queued = this.#payloads.splice(0);
    if (queued[0] !== undefined) queued[0] = queued[0].subarray(this.#offset);
    this.#offset = 0;
    this.#queuedBytes = 0;
    return queued;
  }

  takeAll(): readonly Uint8Array[] {
    return this.clear();
  }
}
