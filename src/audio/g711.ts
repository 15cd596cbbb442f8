/**
 * G.711, both laws, by table: one look-up per sample, no arithmetic and (with `out`) no allocation.
 * The tables are read off `alawmulaw` once at start: it follows the Recommendation's decision values exactly
 * (sox and ffmpeg do not: never take a byte-exact fixture from them).
 */
import alawmulaw from 'alawmulaw';

/** One of the two companding laws of ITU-T G.711: 8 bits a sample on the wire, 16-bit linear samples inside. */
export interface G711Law {
  readonly name: 'pcmu' | 'pcma';
  /** The code of the smallest positive value, which is what a silent line carries. */
  readonly silence: number;
  /**
   * Payload to samples, one for one. With an `out` that is large enough the samples are written there and a
   * subarray of exactly the right length is returned; otherwise the result is new.
   */
  decode(payload: Uint8Array, out?: Int16Array): Int16Array;
  /** Samples to payload, one for one; `out` as in `decode`. Every sample is legal, overload clips. */
  encode(samples: Int16Array, out?: Uint8Array): Uint8Array;
}

/** The array functions, not `encodeSample`: that one answers negative numbers for mu-law. */
interface Companding {
  decode(payload: Uint8Array): Int16Array;
  encode(samples: Int16Array): Uint8Array;
}

function createLaw(name: G711Law['name'], silence: number, companding: Companding): G711Law {
  const decoded = companding.decode(Uint8Array.from({ length: 256 }, (_, code) => code));
  // Indexed by the sample's low 16 bits: 0..32767, then -32768..-1.
  const encoded = companding.encode(Int16Array.from({ length: 65_536 }, (_, bits) => (bits << 16) >> 16));
  return {
    name,
    silence,
    decode(payload, out) {
      const length = payload.length;
      const samples = out !== undefined && out.length >= length ? out : new Int16Array(length);
      for (let i = 0; i < length; i += 1) samples[i] = decoded[payload[i]!]!;
      return samples.length === length ? samples : samples.subarray(0, length);
    },
    encode(samples, out) {
      const length = samples.length;
      const payload = out !== undefined && out.length >= length ? out : new Uint8Array(length);
      for (let i = 0; i < length; i += 1) payload[i] = encoded[samples[i]! & 0xffff]!;
      return payload.length === length ? payload : payload.subarray(0, length);
    },
  };
}

/** Mu-law (North America, Japan; every carrier's media stream by default). */
export const PCMU: G711Law = createLaw('pcmu', 0xff, alawmulaw.mulaw);

/** A-law (the rest of the world; offered by Telnyx and by one's own PBX). */
export const PCMA: G711Law = createLaw('pcma', 0xd5, alawmulaw.alaw);
