/** Tones of keys, and other sounds of a telephone line made of sines. */
import { seeded } from './signals.ts';

const LOW_HZ = [697, 770, 852, 941];
const HIGH_HZ = [1209, 1336, 1477];
export const KEYS = '123456789*0#';

/** The sum of sines, each given by hertz, dBov and phase. */
export function sines(
  parts: readonly (readonly [hertz: number, dbov: number, phase?: number])[],
  samples: number,
  sampleRate = 8_000,
): Int16Array {
  return Int16Array.from({ length: samples }, (_, i) => {
    let sum = 0;
    for (const [hertz, dbov, phase = 0] of parts) {
      sum += Math.SQRT2 * 10 ** (dbov / 20) * Math.sin(phase + (2 * Math.PI * hertz * i) / sampleRate);
    }
    return Math.max(-32_768, Math.min(32_767, Math.round(sum * 32_768)));
  });
}

/** The tone of a key. `twistDb`: by how much the high frequency is louder; `off`: by what share of it a frequency is wrong. */
export function keyTone(
  key: string,
  samples: number,
  options: {
    readonly dbov?: number;
    readonly twistDb?: number;
    readonly offLow?: number;
    readonly offHigh?: number;
    readonly sampleRate?: number;
    readonly seed?: number;
  } = {},
): Int16Array {
  const { dbov = -15, twistDb = 2, offLow = 0, offHigh = 0, sampleRate = 8_000, seed = 1 } = options;
  const random = seeded(seed);
  const at = KEYS.indexOf(key);
  const low = dbov - 10 * Math.log10(1 + 10 ** (twistDb / 10));
  return sines(
    [
      [LOW_HZ[Math.floor(at / 3)]! * (1 + offLow), low, 7 * random()],
      [HIGH_HZ[at % 3]! * (1 + offHigh), low + twistDb, 7 * random()],
    ],
    samples,
    sampleRate,
  );
}

/** Lays noise under a sound. */
export function withNoise(sound: Int16Array, dbov: number, seed = 5): Int16Array {
  const random = seeded(seed);
  const peak = 32_768 * Math.sqrt(3) * 10 ** (dbov / 20);
  return sound.map((sample) => Math.round(sample + (2 * random() - 1) * peak));
}
