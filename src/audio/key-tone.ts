/**
 * Finds the tones of telephone keys (DTMF, ITU-T Q.23) in the caller's audio: two frequencies at once, one of a low group
 * and one of a high group, and hardly anything else. It judges what it is given by the newest 12.75 ms of it: long enough
 * to tell the frequencies apart, short enough that most of a packet which a tone begins in is recognised at once.
 *
 * Nearly all audio is turned away before any frequency is looked for, by its level and by how alike samples 125 µs
 * apart are: that lies in a narrow range for a low and a high tone together, above it for vowels and below it for hiss.
 */
/** The fourth column of the standard, A to D at 1633 Hz, is on no telephone; musicians play it. */
const LOW_HZ = [697, 770, 852, 941];
const HIGH_HZ = [1209, 1336, 1477];

const WINDOW_MS = 12.75;
/** ITU-T Q.24 asks for keys down to about this, both frequencies together; below it they disturb nobody. */
const LOWEST_DBOV = -45;
/** Of cos(2π · f · 125 µs), as a low and a high tone have it together within the twist that is allowed. */
const ALIKE_LEAST = 0.34;
const ALIKE_MOST = 0.84;
/**
 * How much of all the sound the two frequencies have to be. A tone off by 1.5 % has 0.7 at least, and so has one that
 * stands 10 dB above the noise; one off by 3.5 % has 0.58 at most, and speech hardly ever 0.6.
 */
const PURITY = 0.67;
/** How much louder one of the two may be than the other, in power: the 8 dB of Q.24, and what so short a look is off by. */
const MOST_TWIST = 16;

export class KeyToneDetector {
  readonly #window: number;
  readonly #lag: number;
  readonly #low: Float64Array;
  readonly #high: Float64Array;
  readonly #least: number;
  /** The newest samples: what was pushed last may be shorter than the window. */
  readonly #recent: Int16Array;

  /** @param sampleRate in hertz, a multiple of 8000 */
  constructor(sampleRate: number) {
    this.#window = Math.round((WINDOW_MS * sampleRate) / 1000);
    this.#lag = sampleRate / 8_000;
    this.#low = Float64Array.from(LOW_HZ, (hz) => 2 * Math.cos((2 * Math.PI * hz) / sampleRate));
    this.#high = Float64Array.from(HIGH_HZ, (hz) => 2 * Math.cos((2 * Math.PI * hz) / sampleRate));
    this.#least = this.#window * 32_768 ** 2 * 10 ** (LOWEST_DBOV / 10);
    this.#recent = new Int16Array(this.#window);
  }

  /** Whether what ends with these samples, of any length, is the tone of a key. */
  push(samples: Int16Array): boolean {
    const size = this.#window;
    const recent = this.#recent;
    if (samples.length >= size) recent.set(samples.subarray(samples.length - size));
    else {
      recent.copyWithin(0, samples.length);
      recent.set(samples, size - samples.length);
    }
    return this.#judge(recent);
  }

  #judge(window: Int16Array): boolean {
    const size = window.length;
    const lag = this.#lag;
    let energy = 0;
    let alike = 0;
    for (let i = 0; i < lag; i += 1) energy += window[i]! * window[i]!;
    for (let i = lag; i < size; i += 1) {
      const sample = window[i]!;
      energy += sample * sample;
      alike += sample * window[i - lag]!;
    }
    if (energy < this.#least || alike < ALIKE_LEAST * energy || alike > ALIKE_MOST * energy) return false;
    const low = loudest(window, this.#low);
    // A sine that fills the window would have all of it.
    const all = (size / 2) * energy;
    if (low < (all * PURITY) / (1 + MOST_TWIST)) return false;
    const high = loudest(window, this.#high);
    if (low > high * MOST_TWIST || high > low * MOST_TWIST) return false;
    return low + high >= PURITY * all;
  }
}

/** The power of the loudest of a group's frequencies (Goertzel's way). */
function loudest(window: Int16Array, coefficients: Float64Array): number {
  let most = 0;
  for (let k = 0; k < coefficients.length; k += 1) {
    const coefficient = coefficients[k]!;
    let last = 0;
    let before = 0;
    for (let i = 0; i < window.length; i += 1) {
      const next = window[i]! + coefficient * last - before;
      before = last;
      last = next;
    }
    const power = last * last + before * before - coefficient * last * before;
    if (power > most) most = power;
  }
  return most;
}
