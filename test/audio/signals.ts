/** Signals and measures for the tests of the audio path: least-squares fits, nothing borrowed from the code. */

/** A seeded stream of numbers in 0..1 (mulberry32): a failing test fails again. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A sine, rounded to 16 bits; `dbfs` 0 is a peak of 32767. */
export function sine(options: {
  hertz: number;
  sampleRate: number;
  samples: number;
  dbfs: number;
}): Int16Array {
  const peak = 32_767 * 10 ** (options.dbfs / 20);
  const step = (2 * Math.PI * options.hertz) / options.sampleRate;
  return Int16Array.from({ length: options.samples }, (_, i) => Math.round(peak * Math.sin(step * i + 0.3)));
}

/** White noise of uniform distribution, peak in samples. */
export function noise(samples: number, peak: number, seed = 1): Int16Array {
  const random = seeded(seed);
  return Int16Array.from({ length: samples }, () => Math.round((2 * random() - 1) * peak));
}

/** Sixty tones of random phase in 200..3,300 Hz: speech's band, without its gaps. */
export function multitone(sampleRate: number, samples: number): Int16Array {
  const random = seeded(7);
  const tones = Array.from({ length: 60 }, (_, k) => ({
    hertz: 200 + k * 52.3,
    phase: random() * 2 * Math.PI,
  }));
  return Int16Array.from({ length: samples }, (_, i) =>
    Math.round(
      tones.reduce((sum, t) => sum + 500 * Math.sin((2 * Math.PI * t.hertz * i) / sampleRate + t.phase), 0),
    ),
  );
}

/** Fits a sine of known frequency: its amplitude, and everything else. */
export function fitTone(
  signal: ArrayLike<number>,
  hertz: number,
  sampleRate: number,
): { amplitude: number; rest: Float64Array } {
  const step = (2 * Math.PI * hertz) / sampleRate;
  let [cc, ss, cs, xc, xs] = [0, 0, 0, 0, 0];
  for (let i = 0; i < signal.length; i += 1) {
    const c = Math.cos(step * i);
    const s = Math.sin(step * i);
    cc += c * c;
    ss += s * s;
    cs += c * s;
    xc += signal[i]! * c;
    xs += signal[i]! * s;
  }
  const determinant = cc * ss - cs * cs;
  const a = (xc * ss - xs * cs) / determinant;
  const b = (xs * cc - xc * cs) / determinant;
  const rest = Float64Array.from(signal, (x, i) => x - a * Math.cos(step * i) - b * Math.sin(step * i));
  return { amplitude: Math.hypot(a, b), rest };
}

export function rms(signal: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < signal.length; i += 1) sum += signal[i]! ** 2;
  return Math.sqrt(sum / signal.length);
}

export const db = (ratio: number): number => 20 * Math.log10(ratio);

/** Signal to noise and distortion of a tone, in dB. */
export function sinad(signal: Int16Array, hertz: number, sampleRate: number): number {
  const { amplitude, rest } = fitTone(signal, hertz, sampleRate);
  return db(amplitude / Math.SQRT2 / rms(rest));
}

/** The ratio of `expected` to its difference from `actual`, in dB. */
export function snr(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const difference = Float64Array.from({ length: expected.length }, (_, i) => actual[i]! - expected[i]!);
  return db(rms(expected) / rms(difference));
}

/** Copies what views say before their owner writes over them. */
export function join(parts: Iterable<Int16Array>): Int16Array {
  const copies = Array.from(parts, (part) => part.slice());
  const all = new Int16Array(copies.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of copies) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
