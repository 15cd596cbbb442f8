import type { MediaFormat } from '../carrier.ts';
import { FrameCutter } from '../frame-cutter.ts';

/** Telnyx documents chunks of 20 ms to 30 s; half a second is what others are known to send. */
const FRAME_MS = 20;
const MAX_FRAMES = 25;
const SILENCE = { pcmu: 0xff, pcma: 0xd5, l16: 0 } as const;

/**
 * Audio to Telnyx in whole frames of 20 ms, since what is shorter is not documented to be played. What is left over waits
 * for more, or for the end of the turn, which fills it up with silence; a clear throws it away.
 */
export class Outbound {
  readonly #cutter: FrameCutter;
  readonly #swapped: boolean;

  /** @param swapped samples of L16 go out with the high byte first */
  constructor({ encoding, sampleRate }: MediaFormat, swapped: boolean) {
    const frameBytes = FRAME_MS * (sampleRate / 1000) * (encoding === 'l16' ? 2 : 1);
    this.#cutter = new FrameCutter(frameBytes, SILENCE[encoding], MAX_FRAMES);
    this.#swapped = swapped && encoding === 'l16';
  }

  audio(payload: Uint8Array): readonly string[] {
    return this.#messages(this.#cutter.cut(payload));
  }

  endOfTurn(): readonly string[] {
    return this.#messages(this.#cutter.pad());
  }

  clear(): void {
    this.#cutter.drop();
  }

  /** The runs are copies of the cutter's, so their bytes may be turned round in place. */
  #messages(runs: readonly Buffer[]): readonly string[] {
    return runs.map((run) => {
      const ordered = this.#swapped ? run.swap16() : run;
      return `{"event":"media","media":{"payload":"${ordered.toString('base64')}"}}`;
    });
  }
}
