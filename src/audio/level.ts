/**
 * The level of audio in dBov: RMS relative to the overload point. By the convention of RFC 6464 and ITU-T P.56, 0 dBov
 * is a full-scale square wave, a full-scale sine is -3.01 dBov, and digital silence is put at -127. The reference
 * here is 32768 for every payload; mu-law itself ends at 32124, which is -0.17 dBov.
 */
import { type G711Law, PCMA, PCMU } from './g711.ts';

/** What silence (and an empty frame) measures: the lowest level that RFC 6464 can express. */
export const SILENCE_DBOV = -127;

const FULL_SCALE_SQUARED = 32_768 ** 2;

/** Level of samples, in dBov: from SILENCE_DBOV to 0. */
export function levelDbov(samples: Int16Array): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i += 1) {
    const sample = samples[i]!;
    sum += sample * sample;
  }
  return toDbov(sum, samples.length);
}

const SQUARES = { pcmu: squaresOf(PCMU), pcma: squaresOf(PCMA) };

/**
 * Level of a G.711 payload, in dBov, without decoding it. A-law has no zero: its silence measures -72.2 dBov.
 */
export function payloadLevelDbov(law: G711Law, payload: Uint8Array): number {
  const squares = SQUARES[law.name];
  let sum = 0;
  for (let i = 0; i < payload.length; i += 1) sum += squares[payload[i]!]!;
  return toDbov(sum, payload.length);
}

function squaresOf(law: G711Law): Float64Array {
  const everyCode = Uint8Array.from({ length: 256 }, (_, code) => code);
  return Float64Array.from(law.decode(everyCode), (sample) => sample * sample);
}

/** The level of `count` samples whose squares add up to `sumOfSquares`, in dBov. */
export function toDbov(sumOfSquares: number, count: number): number {
  if (sumOfSquares === 0) return SILENCE_DBOV;
  return 10 * Math.log10(sumOfSquares / count / FULL_SCALE_SQUARED);
}
