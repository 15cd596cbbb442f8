/**
 * Takes the tones of telephone keys out of the caller's audio. Carriers report a key in a message of its own, and most
 * leave its tone in the audio, or the first moment of it: the model would hear it, and the speech tracker might take it
 * for a word. A tone that is found here is silence from then on, and never a key.
 *
 * Nothing is held back for it. So a tone that begins within the last 10 ms of a frame is let through up to that frame's
 * end: it cannot be told from anything else before the next one comes.
 */
import { KeyToneDetector } from '../audio/key-tone.ts';
import { FRAME_MS } from '../audio/pcm.ts';

/** The end of a tone is too short to be recognised, and speech does not follow a key so soon. */
const BEHIND_MS = 20;

export class ToneBlanker {
  readonly #detector: KeyToneDetector;
  readonly #piece: number;
  readonly #behind: number;
  /** Samples that are silence after a tone, whatever they hold. */
  #behindLeft = 0;

  /** @param sampleRate in hertz, a multiple of 8000 */
  constructor(sampleRate: number) {
    this.#detector = new KeyToneDetector(sampleRate);
    this.#piece = (FRAME_MS * sampleRate) / 1000;
    this.#behind = (BEHIND_MS * sampleRate) / 1000;
  }

  /** Puts silence in the place of tones in the caller's next samples, any number. @returns how many were blanked */
  blank(samples: Int16Array): number {
    let blanked = 0;
    for (let from = 0; from < samples.length; from += this.#piece) {
      const to = Math.min(samples.length, from + this.#piece);
      // The usual payload is one piece, and needs no view of its own.
      const piece = to - from === samples.length ? samples : samples.subarray(from, to);
      const isTone = this.#detector.push(piece);
      if (!isTone && this.#behindLeft === 0) continue;
      const length = isTone ? piece.length : Math.min(this.#behindLeft, piece.length);
      this.#behindLeft = isTone ? this.#behind : this.#behindLeft - length;
      piece.fill(0, 0, length);
      blanked += length;
    }
    return blanked;
  }
}
