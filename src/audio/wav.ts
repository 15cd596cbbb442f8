/**
 * WAV files: read in the encodings that recordings come in, written as 16-bit PCM. Reading trusts no length in the
 * file. Sources: Microsoft's RIFF and WAVEFORMATEX / WAVEFORMATEXTENSIBLE layouts.
 */
import { PCMA, PCMU } from './g711.ts';
import { samplesToBytes } from './pcm.ts';

/** A file that cannot be read as audio. The message says what was found, in quotes, and what is wanted. */
export class WavError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WavError';
  }
}

/** A decoded file. All channels are equally long; there is at least one. */
export interface WavAudio {
  /** In hertz, 8,000 to 48,000. */
  readonly sampleRate: number;
  readonly channels: readonly Int16Array[];
}

const PCM = 1;
const FLOAT = 3;
const ALAW = 6;
const MULAW = 7;
const EXTENSIBLE = 0xfffe;

const MAX_CHANNELS = 8;
const ENCODINGS = 'PCM of 8, 16 or 24 bits, 32-bit float, A-law or mu-law is wanted';

/** Reads one sample that starts at a byte offset, as a 16-bit value. */
type ReadSample = (view: DataView, at: number) => number;

interface Format {
  readonly sampleRate: number;
  readonly channels: number;
  readonly sampleBytes: number;
  readonly read: ReadSample;
}

/**
 * Reads a whole WAV file.
 * @param bytes the file; 24-bit and float samples are rounded to 16 bits and clamped
 * @throws WavError when it is not a WAV file, is cut off before its audio, or is of a kind not listed here
 */
export function parseWav(bytes: Uint8Array): WavAudio {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || tag(view, 0) !== 'RIFF' || tag(view, 8) !== 'WAVE') {
    throw new WavError(
      `Cannot read WAV: it starts with "${printable(bytes.subarray(0, 12))}"; "RIFF....WAVE" is wanted.`,
    );
  }
  let format: Format | null = null;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = tag(view, at);
    const declared = view.getUint32(at + 4, true);
    const start = at + 8;
    const end = Math.min(bytes.length, start + declared);
    if (id === 'fmt ') format = parseFormat(new DataView(view.buffer, view.byteOffset + start, end - start));
    if (id === 'data') {
      if (format === null)
        throw new WavError('Cannot read WAV: "data" comes first; "fmt " before it is wanted.');
      // Whoever writes while recording leaves 0 or 0xffffffff until the end, or for good when it crashes.
      return decode(view, start, declared === 0 ? bytes.length : end, format);
    }
    at = start + declared + (declared & 1);
  }
  throw new WavError(
    `Cannot read WAV: no "${format === null ? 'fmt ' : 'data'}" chunk in it; one is wanted.`,
  );
}

/** The mean of all channels, rounded; with one channel, that channel itself. */
export function mixToMono(audio: WavAudio): Int16Array {
  const [first, ...others] = audio.channels;
  if (first === undefined) return new Int16Array(0);
  if (others.length === 0) return first;
  return first.map((sample, i) => {
    const sum = others.reduce((total, channel) => total + channel[i]!, sample);
    return Math.round(sum / audio.channels.length);
  });
}

/**
 * A 44-byte header for 16-bit PCM. A recording that is written while it runs begins with a header of 0 data bytes
 * (readers then take all that follows) and overwrites it in place when its length is known.
 */
export function wavHeader(format: { sampleRate: number; channels: number; dataBytes: number }): Buffer {
  const { sampleRate, channels, dataBytes } = format;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(Math.min(36 + dataBytes, 0xffffffff), 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(PCM, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(sampleRate, 24);
  header.writeUInt32LE(sampleRate * channels * 2, 28);
  header.writeUInt16LE(channels * 2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(Math.min(dataBytes, 0xffffffff), 40);
  return header;
}

/** A whole file of 16-bit PCM. Channels of unequal length are filled up with silence. */
export function writeWav(sampleRate: number, channels: readonly Int16Array[]): Buffer {
  const samples = interleave(channels);
  const dataBytes = samples.byteLength;
  return Buffer.concat([
    wavHeader({ sampleRate, channels: channels.length, dataBytes }),
    samplesToBytes(samples),
  ]);
}

/** Channels side by side, as PCM in a WAV file wants them; shorter ones are filled up with silence. */
export function interleave(channels: readonly Int16Array[]): Int16Array {
  const frames = Math.max(0, ...channels.map((channel) => channel.length));
  const samples = new Int16Array(frames * channels.length);
  for (const [c, channel] of channels.entries()) {
    for (let i = 0; i < channel.length; i += 1) samples[i * channels.length + c] = channel[i]!;
  }
  return samples;
}

function parseFormat(chunk: DataView): Format {
  if (chunk.byteLength < 16) {
    throw new WavError(
      `Cannot read WAV: its "fmt " has "${chunk.byteLength}" bytes; at least 16 are wanted.`,
    );
  }
  const kind = chunk.getUint16(0, true);
  // WAVEFORMATEXTENSIBLE: the real kind is the first word of the sub-format's GUID.
  const encoding = kind === EXTENSIBLE && chunk.byteLength >= 26 ? chunk.getUint16(24, true) : kind;
  const channels = chunk.getUint16(2, true);
  const sampleRate = chunk.getUint32(4, true);
  const bits = chunk.getUint16(14, true);
  const read = READERS.get(`${encoding}/${bits}`);
  if (read === undefined) {
    throw new WavError(`Cannot read WAV: format "${encoding}" of "${bits}" bits found; ${ENCODINGS}.`);
  }
  if (channels < 1 || channels > MAX_CHANNELS) {
    throw new WavError(`Cannot read WAV: "${channels}" channels found; 1 to ${MAX_CHANNELS} are wanted.`);
  }
  if (sampleRate < 8_000 || sampleRate > 48_000) {
    throw new WavError(`Cannot read WAV: a rate of "${sampleRate}" Hz found; 8000 to 48000 is wanted.`);
  }
  return { sampleRate, channels, sampleBytes: bits / 8, read };
}

const toInt16 = (value: number): number => Math.max(-32_768, Math.min(32_767, Math.floor(value + 0.5)));

const MULAW_SAMPLES = PCMU.decode(Uint8Array.from({ length: 256 }, (_, code) => code));
const ALAW_SAMPLES = PCMA.decode(Uint8Array.from({ length: 256 }, (_, code) => code));

const READERS: ReadonlyMap<string, ReadSample> = new Map<string, ReadSample>([
  [`${PCM}/8`, (view, at) => (view.getUint8(at) - 128) * 256],
  [`${PCM}/16`, (view, at) => view.getInt16(at, true)],
  [`${PCM}/24`, (view, at) => toInt16(view.getInt16(at + 1, true) + view.getUint8(at) / 256)],
  [`${FLOAT}/32`, (view, at) => toInt16(view.getFloat32(at, true) * 32_768)],
  [`${ALAW}/8`, (view, at) => ALAW_SAMPLES[view.getUint8(at)]!],
  [`${MULAW}/8`, (view, at) => MULAW_SAMPLES[view.getUint8(at)]!],
]);

function decode(view: DataView, start: number, end: number, format: Format): WavAudio {
  const { sampleRate, sampleBytes, read } = format;
  const stride = sampleBytes * format.channels;
  const frames = Math.floor((end - start) / stride);
  const channels = Array.from({ length: format.channels }, (_, c) => {
    const samples = new Int16Array(frames);
    for (let i = 0; i < frames; i += 1) samples[i] = read(view, start + i * stride + c * sampleBytes);
    return samples;
  });
  return { sampleRate, channels };
}

function tag(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}

function printable(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replaceAll(/[^ -~]/g, '.');
}
