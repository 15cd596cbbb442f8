/**
 * How jambonz plays raw audio. Source: its media module (`mod_audio_fork`, 2024). Audio waits until 1280 samples are there,
 * and from then on until 640 are; then all of it is queued, which `killAudio` empties. A mark becomes a sample of -1 in
 * front of the next audio; played, it is taken out, and the oldest name is reported. Cleared names are reported at once,
 * and yet as many samples of -1 are expected for which nothing is reported. Marks behind all audio are reported one a
 * frame when nothing is left to play, if no other mark is under way.
 */

import type { MarkEcho } from '../playout-buffer.ts';
import type { MarkQueue, PlayoutQueue } from '../playout-queue.ts';

const FIRST_SAMPLES = 1_280;
const NEXT_SAMPLES = 640;
const MARK = Buffer.from([0xff, 0xff]);

export class JambonzQueue implements PlayoutQueue, MarkQueue {
  readonly #onMark: (name: string, how: MarkEcho) => void;
  #held: Buffer = Buffer.alloc(0);
  #queued: Buffer = Buffer.alloc(0);
  #wantedBytes = FIRST_SAMPLES * 2;
  /** Waiting for audio to stand in front of. */
  #waiting: string[] = [];
  /** In the audio. */
  #inBand: string[] = [];
  /** Samples of -1 that are swallowed. */
  #owed = 0;

  constructor(onMark: (name: string, how: MarkEcho) => void) {
    this.#onMark = onMark;
  }

  get queuedBytes(): number {
    return this.#queued.length;
  }

  get heldBytes(): number {
    return this.#held.length;
  }

  get marks(): MarkQueue {
    return this;
  }

  get pending(): number {
    return this.#waiting.length + this.#inBand.length;
  }

  put(name: string): void {
    this.#waiting.push(name);
  }

  push(payload: Uint8Array): void {
    const markers = this.#waiting.map(() => MARK);
    this.#inBand.push(...this.#waiting.splice(0));
    this.#held = Buffer.concat([this.#held, ...markers, payload]);
    if (this.#held.length < this.#wantedBytes) return;
    this.#wantedBytes = NEXT_SAMPLES * 2;
    this.#queued = Buffer.concat([this.#queued, this.#held]);
    this.#held = Buffer.alloc(0);
  }

  take(frame: Uint8Array): number {
    const taken = this.#queued.subarray(0, frame.length);
    this.#queued = this.#queued.subarray(taken.length);
    // Without marks under way a sample of -1 is a sample like any other.
    if (this.#inBand.length + this.#owed > 0) this.#copyWithoutMarks(taken, frame);
    else {
      frame.set(taken);
      const [last] = taken.length === 0 ? this.#waiting.splice(0, 1) : [];
      if (last !== undefined) this.#onMark(last, 'played');
    }
    return taken.length;
  }

  clear(): readonly Uint8Array[] {
    const dropped = this.#queued;
    this.#queued = Buffer.alloc(0);
    this.#owed += this.#inBand.length;
    for (const name of [...this.#inBand.splice(0), ...this.#waiting.splice(0)]) this.#onMark(name, 'cleared');
    return [dropped];
  }

  takeAll(): readonly Uint8Array[] {
    const rest = [this.#queued, this.#held];
    this.#queued = Buffer.alloc(0);
    this.#held = Buffer.alloc(0);
    return rest;
  }

  #copyWithoutMarks(taken: Buffer, frame: Uint8Array): void {
    let at = 0;
    for (let from = 0; from + 1 < taken.length; from += 2) {
      if (taken[from] === 0xff && taken[from + 1] === 0xff) {
        this.#meetMark();
        continue;
      }
      frame[at] = taken[from]!;
      frame[at + 1] = taken[from + 1]!;
      at += 2;
    }
    frame.fill(0, at, taken.length);
  }

  #meetMark(): void {
    if (this.#owed > 0) this.#owed -= 1;
    else {
      const name = this.#inBand.shift();
      if (name !== undefined) this.#onMark(name, 'played');
    }
  }
}
