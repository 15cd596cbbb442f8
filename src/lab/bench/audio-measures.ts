/** What the audio bench reads off a converter: a converter is a function from frames to samples. */
import { PCMU } from '../../audio/g711.ts';

/** Takes a piece of the signal, returns what comes out for it (may be a view that the next call overwrites). */
export type Convert = (input: Int16Array) => Int16Array;

export interface Path {
  readonly inputRate: number;
  readonly outputRate: number;
}

/** A tone through the converter in 20 ms frames, settled. */
function through(convert: Convert, path: Path, input: Int16Array): Int16Array {
  const frame = path.inputRate / 50;
  const output: number[] = [];
  for (let at = 0; at + frame <= input.length; at += frame) {
    for (const sample of convert(input.subarray(at, at + frame))) output.push(sample);
  }
  return Int16Array.from(output.slice(path.outputRate / 10));
}

function tone(hertz: number, sampleRate: number, dbfs: number): Int16Array {
  const peak = 32_767 * 10 ** (dbfs / 20);
  return Int16Array.from({ length: sampleRate }, (_, i) =>
    Math.round(peak * Math.sin((2 * Math.PI * hertz * i) / sampleRate)),
  );
}

/** Least-squares fit of a tone: its amplitude, its RMS against the RMS of everything else, and that rest. */
function fitTone(signal: ArrayLike<number>, hertz: number, sampleRate: number) {
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

function rms(signal: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < signal.length; i += 1) sum += signal[i]! ** 2;
  return Math.sqrt(sum / signal.length);
}

const db = (ratio: number): number => 20 * Math.log10(ratio);

/** SINAD of 1,004 Hz at -10 dBFS, in dB; with mu-law before an up-sampler or behind a down-sampler if asked for. */
export function measureSinad(create: () => Convert, path: Path, withMuLaw: boolean): number {
  const line = (samples: Int16Array): Int16Array => (withMuLaw ? PCMU.decode(PCMU.encode(samples)) : samples);
  const input = tone(1_004, path.inputRate, -10);
  const fromCaller = path.inputRate === 8_000;
  const output = fromCaller ? through(create(), path, line(input)) : line(through(create(), path, input));
  const { amplitude, rest } = fitTone(output, 1_004, path.outputRate);
  return db(amplitude / Math.SQRT2 / rms(rest));
}

/** The largest deviation from unity gain of tones in 200..3,400 Hz, in dB. */
export function measureRipple(create: () => Convert, path: Path): number {
  const gains = [203, 401, 1_004, 2_003, 2_999, 3_397].map((hertz) => {
    const output = through(create(), path, tone(hertz, path.inputRate, -1));
    return db(fitTone(output, hertz, path.outputRate).amplitude / (32_767 * 10 ** (-1 / 20)));
  });
  return Math.max(...gains.map(Math.abs));
}

/**
 * The worst of what should not be there, in dB against the tone that causes it: images of tones up to 3.4 kHz when
 * the rate goes up, aliases of tones from 4.4 kHz on when it goes down.
 */
export function measureRejection(create: () => Convert, path: Path): number {
  if (path.outputRate > path.inputRate) {
    const images = [1_004, 2_003, 2_999, 3_397].map((hertz) => {
      const output = through(create(), path, tone(hertz, path.inputRate, -1));
      const { amplitude, rest } = fitTone(output, hertz, path.outputRate);
      return db(fitTone(rest, path.inputRate - hertz, path.outputRate).amplitude / amplitude);
    });
    return Math.max(...images);
  }
  const aliases = [4_400, 4_601, 5_003, 6_007, 7_001, 10_007, 11_003].map((hertz) => {
    const output = through(create(), path, tone(hertz, path.inputRate, -1));
    return db((rms(output) * Math.SQRT2) / 32_767);
  });
  return Math.max(-120, ...aliases);
}

/** Where an impulse comes out, in milliseconds after it went in: the peak of a parabola through the three highest. */
export function measureDelay(create: () => Convert, path: Path): number {
  const convert = create();
  const frame = path.inputRate / 50;
  const output: number[] = [];
  const at = 10 * frame + frame / 2;
  for (let from = 0; from < 20 * frame; from += frame) {
    const input = new Int16Array(frame);
    if (at >= from && at < from + frame) input[at - from] = 30_000;
    for (const sample of convert(input)) output.push(sample);
  }
  const peak = output.reduce((best, value, i) => (value > output[best]! ? i : best), 0);
  const [before, top, behind] = [output[peak - 1] ?? 0, output[peak]!, output[peak + 1] ?? 0];
  const offset = (0.5 * (before - behind)) / (before - 2 * top + behind);
  return ((peak + offset) / path.outputRate - at / path.inputRate) * 1_000;
}

/** Output samples too many (or too few) after ten minutes in chunks of many lengths, from a run of one minute. */
export function measureDrift(create: () => Convert, path: Path): number {
  const convert = create();
  const total = 60 * path.inputRate;
  let fed = 0;
  let received = 0;
  for (let length = 1; fed < total; length = ((length * 7 + 13) % 1_009) + 1) {
    const chunk = new Int16Array(Math.min(length, total - fed));
    fed += chunk.length;
    received += convert(chunk).length;
  }
  return (received - 60 * path.outputRate) * 10;
}
