/** What the caller hears, sample by sample since the stream's start: sample n sounds n / 8 ms after it. */
import { PCMU } from '../../audio/g711.ts';
import { SampleStore } from './sample-store.ts';

export class Ear {
  readonly #heard = new SampleStore();
  readonly #scratch = new Int16Array(160);

  hear(payload: Uint8Array): void {
    this.#heard.append(PCMU.decode(payload, this.#scratch));
  }

  get heardMs(): number {
    return this.#heard.length / 8;
  }

  samples(): Int16Array {
    return this.#heard.view();
  }
}
