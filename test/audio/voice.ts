/** A voice made of nothing but arithmetic: pitch pulses through three formants, in syllables. */
import { rms, seeded } from './signals.ts';

/**
 * A vowel of constant loudness at 8 kHz.
 * @param dbov level of the whole, in dBov
 */
export function voiced(samples: number, dbov: number, pitchHertz = 120): Int16Array {
  const random = seeded(samples + pitchHertz);
  let excitation: Float64Array = Float64Array.from({ length: samples }, () => (random() - 0.5) * 0.02);
  for (let at = 0; at < samples; at += 8000 / (pitchHertz * (0.97 + 0.06 * random()))) {
    excitation[Math.floor(at)]! += 1;
  }
  for (const [hertz, width] of [
    [600, 80],
    [1200, 100],
    [2500, 150],
  ] as const) {
    excitation = resonate(excitation, hertz, width);
  }
  const gain = (32_768 * 10 ** (dbov / 20)) / rms(excitation);
  return Int16Array.from(excitation, (value) =>
    Math.max(-32_768, Math.min(32_767, Math.round(value * gain))),
  );
}

function resonate(input: Float64Array, hertz: number, width: number): Float64Array {
  const radius = Math.exp((-Math.PI * width) / 8000);
  const turn = 2 * radius * Math.cos((2 * Math.PI * hertz) / 8000);
  const output = new Float64Array(input.length);
  for (let i = 0; i < input.length; i += 1) {
    output[i] = input[i]! + turn * (output[i - 1] ?? 0) - radius * radius * (output[i - 2] ?? 0);
  }
  return output;
}
