/** How audio is written on a stream: what a payload is in samples, and what silence is in bytes. */
import { PCMA, PCMU } from '../../audio/g711.ts';

export const FRAME_MS = 20;

/** Hertz. */
export type SampleRate = 8000 | 16000 | 24000;

/** PCMU and PCMA have 8 bits a sample; L16 has 16, little-endian but for `l16-be`. Mono always. */
export type LineEncoding = 'pcmu' | 'pcma' | 'l16' | 'l16-be';

export interface LineFormat {
  readonly encoding: LineEncoding;
  readonly sampleRate: SampleRate;
  readonly bytesPerSample: 1 | 2;
  readonly bytesPerMs: number;
  /** Of 20 ms. */
  readonly frameBytes: number;
  readonly frameSamples: number;
  /** The byte that a silent line repeats. */
  readonly silence: number;
  /** An odd last byte of L16 is no sample and is left out. */
  decode(payload: Uint8Array): Int16Array;
  encode(samples: Int16Array): Buffer;
  /** False for a payload that is silence from its first byte to its last. */
  isAudible(payload: Uint8Array): boolean;
}

/** @throws RangeError for G.711 at another rate than 8 kHz */
export function lineFormat(encoding: LineEncoding, sampleRate: SampleRate): LineFormat {
  const isG711 = encoding === 'pcmu' || encoding === 'pcma';
  if (isG711 && sampleRate !== 8000) {
    throw new RangeError(`Cannot carry "${encoding}" at "${sampleRate}" Hz: 8000 is wanted.`);
  }
  const bytesPerSample = isG711 ? 1 : 2;
  const frameSamples = (sampleRate * FRAME_MS) / 1_000;
  const shape = {
    encoding,
    sampleRate,
    bytesPerSample,
    bytesPerMs: (sampleRate * bytesPerSample) / 1_000,
    frameBytes: frameSamples * bytesPerSample,
    frameSamples,
  } as const;
  return { ...shape, ...(isG711 ? g711(encoding) : l16(encoding === 'l16-be')) };
}

type Codec = Pick<LineFormat, 'silence' | 'decode' | 'encode' | 'isAudible'>;

function g711(encoding: 'pcmu' | 'pcma'): Codec {
  const law = encoding === 'pcmu' ? PCMU : PCMA;
  // The smallest steps of either law, up and down, are still nothing that is heard.
  const [least] = law.decode(Uint8Array.of(law.silence));
  const silent = new Set<number>();
  const quietest = Math.max(8, Math.abs(least!));
  for (let code = 0; code < 256; code += 1) {
    if (Math.abs(law.decode(Uint8Array.of(code))[0]!) <= quietest) silent.add(code);
  }
  return {
    silence: law.silence,
    decode: (payload) => law.decode(payload).slice(),
    encode: (samples) => Buffer.from(law.encode(samples)),
    isAudible: (payload) => payload.some((code) => !silent.has(code)),
  };
}

function l16(bigEndian: boolean): Codec {
  const read = (payload: Uint8Array): Int16Array => {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    return Int16Array.from({ length: payload.length >> 1 }, (_, n) => view.getInt16(n * 2, !bigEndian));
  };
  return {
    silence: 0,
    decode: read,
    encode(samples) {
      const payload = Buffer.alloc(samples.length * 2);
      const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
      for (let n = 0; n < samples.length; n += 1) view.setInt16(n * 2, samples[n]!, !bigEndian);
      return payload;
    },
    // As loud as G.711's smallest step.
    isAudible: (payload) => read(payload).some((sample) => Math.abs(sample) > 8),
  };
}
