/** Fourier transforms for the report: comparing recordings, never live audio. */

/** A complex signal whose length is a power of two, transformed in place. */
export interface ComplexSignal {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Radix 2, in place. The inverse is scaled, so that there and back changes nothing. */
export function fft({ re, im }: ComplexSignal, inverse = false): void {
  const length = re.length;
  for (let i = 1, j = 0; i < length; i += 1) {
    let bit = length >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j |= bit;
    if (i < j) {
      swap(re, i, j);
      swap(im, i, j);
    }
  }
  const { cos, sin } = twiddles(length);
  const sign = inverse ? 1 : -1;
  for (let size = 2; size <= length; size *= 2) {
    const half = size / 2;
    const stride = length / size;
    for (let start = 0; start < length; start += size) {
      for (let k = 0; k < half; k += 1) {
        const low = start + k;
        const high = low + half;
        const wr = cos[k * stride]!;
        const wi = sign * sin[k * stride]!;
        const tr = re[high]! * wr - im[high]! * wi;
        const ti = re[high]! * wi + im[high]! * wr;
        re[high] = re[low]! - tr;
        im[high] = im[low]! - ti;
        re[low] = re[low]! + tr;
        im[low] = im[low]! + ti;
      }
    }
  }
  if (!inverse) return;
  for (let i = 0; i < length; i += 1) {
    re[i] = re[i]! / length;
    im[i] = im[i]! / length;
  }
}

export const powerOfTwo = (atLeast: number): number => 2 ** Math.ceil(Math.log2(Math.max(2, atLeast)));

const BLOCK = 65_536;
/** The band's edges are 100 Hz wide, so the filter has died away to nothing that matters within this. */
const MARGIN = 4_096;

/**
 * The telephone band of a signal, 200 to 3300 Hz without delay: what is outside of it, the converters on the way may
 * treat as they like. `stretch` puts zeros between the samples first and raises the rate by as much; the band-pass
 * then leaves the ideal interpolation.
 */
export function telephoneBand(samples: ArrayLike<number>, sampleRate: number, stretch = 1): Float64Array {
  const rate = sampleRate * stretch;
  const output = new Float64Array(samples.length * stretch);
  const gains = bandGains(rate);
  const step = BLOCK - 2 * MARGIN;
  for (let at = 0; at < output.length; at += step) {
    const block = { re: new Float64Array(BLOCK), im: new Float64Array(BLOCK) };
    const from = at - MARGIN;
    // Only multiples of `stretch` carry a sample.
    for (let i = (stretch - (((from % stretch) + stretch) % stretch)) % stretch; i < BLOCK; i += stretch) {
      block.re[i] = (samples[(from + i) / stretch] ?? 0) * stretch;
    }
    fft(block);
    for (let i = 0; i < BLOCK; i += 1) {
      block.re[i] = block.re[i]! * gains[i]!;
      block.im[i] = block.im[i]! * gains[i]!;
    }
    fft(block, true);
    output.set(block.re.subarray(MARGIN, MARGIN + Math.min(step, output.length - at)), at);
  }
  return output;
}

function bandGains(sampleRate: number): Float64Array {
  return Float64Array.from({ length: BLOCK }, (_, bin) => {
    const hertz = (Math.min(bin, BLOCK - bin) * sampleRate) / BLOCK;
    return rise(hertz, 150, 250) * (1 - rise(hertz, 3_250, 3_350));
  });
}

/** From 0 at `low` to 1 at `high` along half a cosine. */
function rise(value: number, low: number, high: number): number {
  const at = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return (1 - Math.cos(Math.PI * at)) / 2;
}

/** Where a short signal fits into a long one. */
export interface Fit {
  /** The long signal's sample at which the short one begins; negative when it begins before it. */
  readonly lag: number;
  /** Correlation at this place, -1 to 1, over the part of the short signal that overlaps. */
  readonly score: number;
}

/** A long signal, transformed once and searched many times. */
export class Haystack {
  readonly #signal: Float64Array;
  readonly #spectrum: ComplexSignal;
  readonly #maxNeedle: number;
  /** Running sum of squares, so that the energy of any stretch is one subtraction. */
  readonly #energy: Float64Array;

  constructor(signal: Float64Array, maxNeedle: number) {
    const length = powerOfTwo(signal.length + maxNeedle);
    this.#signal = signal;
    this.#maxNeedle = maxNeedle;
    this.#spectrum = { re: new Float64Array(length), im: new Float64Array(length) };
    this.#spectrum.re.set(signal);
    fft(this.#spectrum);
    this.#energy = runningEnergy(signal);
  }

  /** The best place with at least half of the needle inside; null when there is nothing to find. */
  find(needle: Float64Array): Fit | null {
    if (needle.length > this.#maxNeedle || this.#signal.length === 0) return null;
    const length = this.#spectrum.re.length;
    const product = { re: new Float64Array(length), im: new Float64Array(length) };
    product.re.set(needle);
    fft(product);
    for (let i = 0; i < length; i += 1) {
      const nr = product.re[i]!;
      const ni = product.im[i]!;
      const hr = this.#spectrum.re[i]!;
      const hi = this.#spectrum.im[i]!;
      product.re[i] = hr * nr + hi * ni;
      product.im[i] = hi * nr - hr * ni;
    }
    fft(product, true);
    const needleEnergy = runningEnergy(needle);
    const half = needle.length >> 1;
    let best: Fit | null = null;
    for (let lag = -half; lag <= this.#signal.length - half; lag += 1) {
      const dot = product.re[lag < 0 ? lag + length : lag]!;
      const from = Math.max(0, -lag);
      const to = Math.min(needle.length, this.#signal.length - lag);
      const own = needleEnergy[to]! - needleEnergy[from]!;
      const theirs = this.#energy[lag + to]! - this.#energy[lag + from]!;
      if (own <= needleEnergy[needle.length]! / 4 || theirs <= 0) continue;
      const score = dot / Math.sqrt(own * theirs);
      if (best === null || score > best.score) best = { lag, score };
    }
    return best;
  }
}

/** Element n is the energy of the first n samples. */
export function runningEnergy(signal: Float64Array): Float64Array {
  const sums = new Float64Array(signal.length + 1);
  for (let i = 0; i < signal.length; i += 1) sums[i + 1] = sums[i]! + signal[i]! ** 2;
  return sums;
}

function swap(array: Float64Array, i: number, j: number): void {
  const kept = array[i]!;
  array[i] = array[j]!;
  array[j] = kept;
}

const tables = new Map<number, { cos: Float64Array; sin: Float64Array }>();

/** Precomputed tables: a report uses three or four sizes. */
function twiddles(length: number): { cos: Float64Array; sin: Float64Array } {
  let table = tables.get(length);
  if (table === undefined) {
    const angle = (k: number): number => (2 * Math.PI * k) / length;
    table = {
      cos: Float64Array.from({ length: length / 2 }, (_, k) => Math.cos(angle(k))),
      sin: Float64Array.from({ length: length / 2 }, (_, k) => Math.sin(angle(k))),
    };
    tables.set(length, table);
  }
  return table;
}
