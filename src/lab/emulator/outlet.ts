/** What leaves a connection and what comes in, also while the service or the network stands still. */
import type { Ending } from './lifetime.ts';

/**
 * What a session wants done with its socket. Over a real one the shell does it; in a simulation whoever plays the network.
 * After an ending, `refuse` or a `freeze` for ever, nothing follows.
 */
export type EmulatorOutput =
  | { readonly send: object }
  /** A frame as it stands, which is no JSON. */
  | { readonly sendRaw: string }
  | Ending
  /** Answer the upgrade with this HTTP status. Only as the first output of all. */
  | { readonly refuse: number }
  /** Read no more (the peer's buffers fill), or neither read nor write; `forever`: no thaw comes, the path is gone. */
  | { readonly freeze: 'reading' | 'both'; readonly forever: boolean }
  | { readonly thaw: true }
  /** From now on pings are answered so much later. */
  | { readonly pongDelayMs: number };

/** Text or bytes as they were sent; or 16 kHz samples that a realtimeInput would bring, in a simulation that has no wire. */
export type Frame = string | Uint8Array | Int16Array;

/** What a frozen peer's network can hold; a client that sends on beyond it loses the connection. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;
const MAX_HELD_FRAMES = 100_000;

export class Outlet {
  #ready: EmulatorOutput[] = [];
  #held: EmulatorOutput[] = [];
  #frames: Frame[] = [];
  #frameBytes = 0;
  #frozen: 'reading' | 'both' | null = null;

  get pending(): boolean {
    return this.#ready.length > 0;
  }

  get frozen(): boolean {
    return this.#frozen !== null;
  }

  put(output: EmulatorOutput): void {
    (this.#frozen === 'both' ? this.#held : this.#ready).push(output);
  }

  /** Everything that may go out now. */
  take(): readonly EmulatorOutput[] {
    const out = this.#ready;
    this.#ready = [];
    return out;
  }

  /** A second freeze can make the first one worse, not better. */
  freeze(kind: 'reading' | 'both', forever = false): void {
    if (!forever && (this.#frozen === kind || this.#frozen === 'both')) return;
    this.#ready.push({ freeze: kind, forever });
    this.#frozen = kind;
  }

  /** Keeps a frame that came although nothing is read; false when there is no room for it. */
  hold(frame: Frame): boolean {
    const bytes = typeof frame === 'string' ? Buffer.byteLength(frame) : frame.byteLength;
    if (this.#frames.length >= MAX_HELD_FRAMES || this.#frameBytes + bytes > MAX_HELD_BYTES) return false;
    this.#frames.push(frame);
    this.#frameBytes += bytes;
    return true;
  }

  /** All that was held goes out; the frames that were kept are for the session to read now, in their order. */
  thaw(): readonly Frame[] {
    if (this.#frozen === null) return [];
    this.#frozen = null;
    this.#ready.push({ thaw: true }, ...this.#held);
    this.#held = [];
    const frames = this.#frames;
    this.#frames = [];
    this.#frameBytes = 0;
    return frames;
  }
}
