import type { MediaEvent } from '../carrier.ts';
import { fault } from '../json-messages.ts';

/** Frames that may wait for one that is missing, and for how long, as the frames' own time stamps have it. */
const WINDOW = 3;
const MAX_HELD_MS = 60;

type Audio = Extract<MediaEvent, { type: 'audio' }>;
interface Held {
  readonly chunk: number;
  readonly audio: Audio;
}

/**
 * Puts audio back in order by its number, since Telnyx does not promise any. A frame waits for an earlier one until that
 * is there, or until three later ones are: there is no timer, later frames are the clock. What comes after its place
 * has been passed over is dropped, and so is a copy. One per stream.
 */
export class ReorderWindow {
  #next: number | null = null;
  /** In order of their numbers; the first one is not the next one, or it would not be here. */
  #held: Held[] = [];
  #lateInARow = 0;
  /** False once the numbers have shown that they are none: audio is then taken as it comes. */
  #numbered = true;

  put(chunk: number | null, audio: Audio): readonly MediaEvent[] {
    if (!this.#numbered || chunk === null) return [audio];
    // Numbers begin with 1: what comes first and is a little above that may have overtaken it.
    this.#next ??= chunk <= WINDOW ? Math.min(chunk, 1) : chunk;
    if (chunk < this.#next) return this.#late(chunk, audio);
    this.#lateInARow = 0;
    if (chunk === this.#next && this.#held.length === 0) {
      this.#next += 1;
      return [audio];
    }
    if (!this.#hold(chunk, audio)) return fault('out-of-order', 'audio that is here already');
    const heard = this.#drain();
    while (this.#isStuck(audio)) heard.push(...this.#skip());
    return heard;
  }

  /** Everything that waits, for the end of the stream. */
  flush(): MediaEvent[] {
    return this.#held.splice(0).map(({ audio }) => audio);
  }

  #late(chunk: number, audio: Audio): readonly MediaEvent[] {
    this.#lateInARow += 1;
    if (this.#lateInARow <= WINDOW) {
      return fault('out-of-order', `audio number ${chunk}, which was given up already`);
    }
    // So many in a row are no stragglers: a numbering that starts anew or stands still must not silence the caller.
    this.#numbered = false;
    return [...this.flush(), audio];
  }

  #hold(chunk: number, audio: Audio): boolean {
    const at = this.#held.findIndex((held) => held.chunk >= chunk);
    if (at === -1) this.#held.push({ chunk, audio });
    else if (this.#held[at]?.chunk === chunk) return false;
    else this.#held.splice(at, 0, { chunk, audio });
    return true;
  }

  #drain(): MediaEvent[] {
    const heard: MediaEvent[] = [];
    while (this.#held[0]?.chunk === this.#next) {
      heard.push((this.#held.shift() as Held).audio);
      this.#next = (this.#next as number) + 1;
    }
    return heard;
  }

  #isStuck(newest: Audio): boolean {
    const first = this.#held[0]?.audio.mediaTimeMs ?? null;
    const spanMs = first === null || newest.mediaTimeMs === null ? 0 : newest.mediaTimeMs - first;
    return this.#held.length > WINDOW || (this.#held.length > 0 && spanMs > MAX_HELD_MS);
  }

  /** Gives up what is missing before the first frame that waits. */
  #skip(): MediaEvent[] {
    this.#next = this.#held[0]?.chunk ?? this.#next;
    return this.#drain();
  }
}
