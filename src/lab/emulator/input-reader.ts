/** Audio blobs to 16 kHz samples, with everything measured that a good client should get right. */
import { decodeSamples, INPUT_RATE, LinearConverter, parseAudioMime } from './input-audio.ts';
import type { EmulatorRecord } from './record.ts';

export type ReadAudio =
  | { readonly ok: true; readonly samples: Int16Array }
  | { readonly ok: false; readonly detail: string };

export class InputReader {
  readonly #record: EmulatorRecord;
  #converter: { readonly sampleRate: number; readonly linear: LinearConverter } | null = null;
  /** The last mime type and its rate: a client sends the same one fifty times a second. */
  #mime: { readonly type: string; readonly sampleRate: number } | null = null;

  constructor(record: EmulatorRecord) {
    this.#record = record;
  }

  read(blob: { readonly data: string; readonly mimeType: string }, nowMs: number): ReadAudio {
    if (this.#mime?.type !== blob.mimeType) {
      const parsed = parseAudioMime(blob.mimeType);
      if (!parsed.ok) return { ok: false, detail: `realtimeInput.audio.mimeType: ${parsed.detail}` };
      if (!parsed.rateGiven) {
        const text = `the mime type "${blob.mimeType}" names no rate: 16000 assumed`;
        this.#record.note(this.#record.warnings, { atMs: nowMs, text });
      }
      this.#mime = { type: blob.mimeType, sampleRate: parsed.sampleRate };
    }
    const samples = decodeSamples(blob.data);
    if (samples === null) {
      return { ok: false, detail: 'realtimeInput.audio.data: wanted padded base64 of whole 16-bit samples' };
    }
    const converted = this.#toInputRate(samples, this.#mime.sampleRate);
    this.#record.takeAudio(converted, nowMs);
    return { ok: true, samples: converted };
  }

  #toInputRate(samples: Int16Array, sampleRate: number): Int16Array {
    if (sampleRate === INPUT_RATE) return samples;
    if (this.#converter?.sampleRate !== sampleRate) {
      this.#converter = { sampleRate, linear: new LinearConverter(sampleRate) };
    }
    return this.#converter.linear.process(samples);
  }
}
