/** Keys that the caller presses: collected into one text, and kept until a connection has taken it. */
import { DtmfCollector, KEY_PAUSE_MS } from './dtmf.ts';

/** Keys that wait for a connection: more than anybody dials. */
const MAX_UNSENT = 64;

export interface KeysHost {
  arm(dueMs: number): void;
  cancel(): void;
  /** False: no connection takes it now. */
  tell(text: string): boolean;
  /** The caller has said something with them. */
  onGiven(): void;
  /** A connection took them: until then no session may be told of them in another way. */
  onTold(keys: string): void;
}

export class Keys {
  readonly #collector = new DtmfCollector();
  readonly #host: KeysHost;
  #unsent = '';

  constructor(host: KeysHost) {
    this.#host = host;
  }

  press(digit: string, nowMs: number): void {
    const keys = this.#collector.press(digit);
    if (keys === null) {
      this.#host.arm(nowMs + KEY_PAUSE_MS);
    } else {
      this.#host.cancel();
      this.#give(keys);
    }
  }

  /** The pause after the last key is over. */
  due(): void {
    this.#give(this.#collector.take());
  }

  /** A connection is up. */
  connectionReady(): void {
    const keys = this.#unsent;
    this.#unsent = '';
    if (keys !== '') this.#tell(keys);
  }

  #give(keys: string): void {
    if (keys === '') return;
    this.#host.onGiven();
    this.#tell(keys);
  }

  #tell(keys: string): void {
    // Nobody presses them twice: what no connection takes is told to the next one.
    if (this.#host.tell(`The caller pressed these keys on the telephone: ${keys}`)) this.#host.onTold(keys);
    else this.#unsent = (this.#unsent + keys).slice(-MAX_UNSENT);
  }
}
