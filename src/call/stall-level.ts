/** The loudest 100 ms of a turn, measured as its audio comes. Once it is loud enough nothing more is measured. */
import { SILENCE_DBOV, toDbov } from '../audio/level.ts';

const STRETCH_MS = 100;
/** A single click is loud, and no speech. */
const SHORTEST_MS = 20;

export class TurnLoudness {
  readonly #enoughDbov: number;
  #loudestDbov = SILENCE_DBOV;
  #energy = 0;
  #samples = 0;
  /** The first byte of a sample that was cut in two; -1 when none was. */
  #half = -1;

  /** @param enoughDbov above this a turn can be heard: how loud it really is does not matter */
  constructor(enoughDbov: number) {
    this.#enoughDbov = enoughDbov;
  }

  /** The loudest 100 ms of the turn so far, in dBov. */
  get dbov(): number {
    return this.#loudestDbov;
  }

  /** A turn begins. */
  reset(): void {
    this.#loudestDbov = SILENCE_DBOV;
    this.#energy = 0;
    this.#samples = 0;
    this.#half = -1;
  }

  /** L16 little-endian bytes of any length, also odd. @returns `dbov`, in which a last stretch of 20 ms and more counts too */
  push(bytes: Uint8Array, sampleRate: number): number {
    if (this.#loudestDbov >= this.#enoughDbov) return this.#loudestDbov;
    const stretch = Math.round((sampleRate * STRETCH_MS) / 1000);
    let at = 0;
    if (this.#half >= 0 && bytes.length > 0) {
      this.#count(this.#half, bytes[0] as number, stretch);
      this.#half = -1;
      at = 1;
    }
    for (; at + 1 < bytes.length; at += 2) {
      this.#count(bytes[at] as number, bytes[at + 1] as number, stretch);
    }
    if (at < bytes.length) this.#half = bytes[at] as number;
    if (this.#samples >= (sampleRate * SHORTEST_MS) / 1000) this.#measure();
    return this.#loudestDbov;
  }

  #count(low: number, high: number, stretch: number): void {
    const sample = ((low | (high << 8)) << 16) >> 16;
    this.#energy += sample * sample;
    this.#samples += 1;
    if (this.#samples < stretch) return;
    this.#measure();
    this.#energy = 0;
    this.#samples = 0;
  }

  #measure(): void {
    const dbov = toDbov(this.#energy, this.#samples);
    if (dbov > this.#loudestDbov) this.#loudestDbov = dbov;
  }
}
