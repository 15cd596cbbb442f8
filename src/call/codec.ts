/** The carrier's payloads to samples and back, whatever the stream's encoding. One per stream. */
import { PCMA, PCMU } from '../audio/g711.ts';
import { levelDbov, payloadLevelDbov } from '../audio/level.ts';
import { SampleAssembler, samplesToBytes } from '../audio/pcm.ts';
import type { MediaFormat } from '../carriers/carrier.ts';

export interface PayloadCodec {
  readonly sampleRate: number;
  readonly bytesPerSample: number;
  /** The byte that is silence in this encoding. */
  readonly silence: number;
  /** A view that is valid until the next call on this codec. */
  decode(payload: Uint8Array): Int16Array;
  /** As `decode`. */
  encode(samples: Int16Array): Uint8Array;
  levelDbov(payload: Uint8Array): number;
}

/** 200 ms at 8 kHz: longer payloads are decoded into an array of their own. */
const SCRATCH_SAMPLES = 1_600;

export function createCodec(format: MediaFormat): PayloadCodec {
  if (format.encoding === 'l16') return l16Codec(format.sampleRate);
  const law = format.encoding === 'pcmu' ? PCMU : PCMA;
  const decoded = new Int16Array(SCRATCH_SAMPLES);
  const encoded = new Uint8Array(SCRATCH_SAMPLES);
  return {
    sampleRate: format.sampleRate,
    bytesPerSample: 1,
    silence: law.silence,
    decode: (payload) =>
      payload.length <= SCRATCH_SAMPLES ? law.decode(payload, decoded) : law.decode(payload),
    encode: (samples) =>
      samples.length <= SCRATCH_SAMPLES ? law.encode(samples, encoded) : law.encode(samples),
    levelDbov: (payload) => payloadLevelDbov(law, payload),
  };
}

function l16Codec(sampleRate: number): PayloadCodec {
  const assembler = new SampleAssembler();
  const level = new SampleAssembler();
  return {
    sampleRate,
    bytesPerSample: 2,
    silence: 0,
    decode: (payload) => assembler.push(payload),
    encode: (samples) => samplesToBytes(samples),
    levelDbov: (payload) => levelDbov(level.push(payload)),
  };
}
