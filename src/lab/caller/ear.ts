/** What the caller hears, sample by sample since the stream's start. */
import type { LineFormat } from './line-format.ts';
import { SampleStore } from './sample-store.ts';

export class Ear {
  readonly #heard = new SampleStore();
  readonly #format: LineFormat;

  constructor(format: LineFormat) {
    this.#format = format;
  }

  hear(payload: Uint8Array): void {
    this.#heard.append(this.#format.decode(payload));
  }

  samples(): Int16Array {
    return this.#heard.view();
  }
}
