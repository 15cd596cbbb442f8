/**
 * Manual activity signals: the model hears only what lies between a start and an end, so every word has to lie in one,
 * whatever becomes of the connection meanwhile. What was said without a connection is held, and belongs to an activity
 * of the next one.
 */
import type { LiveConnection } from '../gemini/live-session.ts';
import type { Uplink } from './uplink.ts';

type Signals = Pick<LiveConnection, 'sendActivity'>;

export class ActivitySignals {
  readonly #uplink: Uplink;
  readonly #connection: () => Signals | null;
  #callerSpeaks = false;
  /** The present connection has had a start, and no end yet. */
  #open = false;

  constructor(uplink: Uplink, connection: () => Signals | null) {
    this.#uplink = uplink;
    this.#connection = connection;
    uplink.mute();
  }

  /** The caller began to speak, or stopped. */
  caller(speaks: boolean): void {
    this.#callerSpeaks = speaks;
    if (speaks) {
      this.#start();
      this.#uplink.unmute();
    } else if (this.#open) {
      this.#end();
    }
  }

  /** A connection takes audio from now on: called before what is held is sent. */
  connectionReady(): void {
    if (!this.#uplink.muted && !this.#open) this.#start();
  }

  connectionLost(): void {
    this.#open = false;
  }

  /** The end of an utterance follows once the last of its words has been taken. */
  tick(): void {
    if (this.#open && !this.#callerSpeaks) this.#end();
  }

  #start(): void {
    this.#open = this.#connection()?.sendActivity('start') ?? false;
  }

  #end(): void {
    this.#uplink.flush();
    if (this.#uplink.waiting) return;
    this.#uplink.mute();
    this.#connection()?.sendActivity('end');
    this.#open = false;
  }
}
