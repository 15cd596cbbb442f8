/**
 * Our sample rate converters, in SIMD and in JavaScript, beside the two that could have been used instead: `wave-resampler` on every frame with
 * its defaults, and `speex-resampler` (a development dependency) at quality 5. CPU is process CPU time in repeats
 * that take turns in one run: compare the ratios, the microseconds are this machine's.
 */
import waveResampler from 'wave-resampler';
import { samplesToBytes } from '../../audio/pcm.ts';
import { createResampler } from '../../audio/resample.ts';
import { formatAudioBench } from './audio-bench-text.ts';
import {
  type Convert,
  measureDelay,
  measureDrift,
  measureRejection,
  measureRipple,
  measureSinad,
  type Path,
} from './audio-measures.ts';

/** One converter on one path. */
export interface AudioBenchRow {
  readonly inputRate: number;
  readonly outputRate: number;
  readonly converter: string;
  /** 1,004 Hz at -10 dBFS, in dB. */
  readonly sinadDb: number;
  /** The same with mu-law in the path, where G.711 alone leaves 37.3. */
  readonly sinadMuLawDb: number;
  readonly rippleDb: number;
  /** Worst image (up) or alias (down). */
  readonly rejectionDb: number;
  readonly delayMs: number;
  /** In ten minutes of chunks of many lengths. */
  readonly driftSamples: number;
  /** Median, per second of a call, in 20 ms frames. */
  readonly cpuMicros: number;
  /** How many times our own converter's CPU it takes: median of the rounds' ratios. */
  readonly cpuRatio: number;
  /** Null where the package does not tell. */
  readonly stateBytes: number | null;
}

/** CPU of one converter on a path whose audio comes in chunks of one length. */
export interface AudioBenchChunkRow {
  readonly inputRate: number;
  readonly outputRate: number;
  readonly converter: string;
  readonly chunkMs: number;
  readonly cpuMicros: number;
  readonly cpuRatio: number;
}

export interface AudioBenchResult {
  readonly rows: readonly AudioBenchRow[];
  /** Down only: what a model sends comes in chunks of any length, what a carrier sends in 20 ms frames. */
  readonly chunks: readonly AudioBenchChunkRow[];
  /** What could not be measured, and why. */
  readonly notes: readonly string[];
}

interface Converter {
  readonly name: string;
  create(path: Path): Convert;
  stateBytes(path: Path): number | null;
}

const PATHS: readonly Path[] = [
  { inputRate: 8_000, outputRate: 16_000 },
  { inputRate: 24_000, outputRate: 8_000 },
];

const ROUNDS = 11;
const SECONDS_PER_ROUND = 10;
const FRAME_MS = 20;
const CHUNKS_MS = [40, 100, 200, 320];

/**
 * Runs the bench (some seconds) and prints its result: a table, or with `json` the result itself.
 * Never fails for want of the development dependency: it says so in `notes`.
 */
export async function runAudioBench(options: { json: boolean }): Promise<AudioBenchResult> {
  const notes: string[] = [];
  const streaming = [ownConverter('own', true), ownConverter('own, JavaScript', false)];
  const speex = await loadSpeex();
  if (speex === null)
    notes.push('speex-resampler is not installed (npm ci without --omit=dev brings it): not measured.');
  else streaming.push(speex);
  const rows = PATHS.flatMap((path) => measurePath(path, [...streaming, waveConverter]));
  const chunks = CHUNKS_MS.flatMap((chunkMs) => measureChunks(PATHS[1]!, streaming, chunkMs));
  const result = { rows, chunks, notes };
  console.log(options.json ? JSON.stringify(result, null, 2) : formatAudioBench(result));
  return result;
}

function measurePath(path: Path, converters: readonly Converter[]): AudioBenchRow[] {
  const cpu = measureCpu(path, converters, FRAME_MS);
  return converters.map((converter, k) => {
    const create = () => converter.create(path);
    return {
      ...path,
      converter: converter.name,
      sinadDb: measureSinad(create, path, false),
      sinadMuLawDb: measureSinad(create, path, true),
      rippleDb: measureRipple(create, path),
      rejectionDb: measureRejection(create, path),
      delayMs: measureDelay(create, path),
      driftSamples: measureDrift(create, path),
      cpuMicros: median(cpu.map((round) => round[k]!)),
      cpuRatio: median(cpu.map((round) => round[k]! / round[0]!)),
      stateBytes: converter.stateBytes(path),
    };
  });
}

function measureChunks(path: Path, converters: readonly Converter[], chunkMs: number): AudioBenchChunkRow[] {
  const cpu = measureCpu(path, converters, chunkMs);
  return converters.map((converter, k) => ({
    ...path,
    converter: converter.name,
    chunkMs,
    cpuMicros: median(cpu.map((round) => round[k]!)),
    cpuRatio: median(cpu.map((round) => round[k]! / round[0]!)),
  }));
}

/** Microseconds per call-second, by round and converter. The first round warms up and does not count. */
function measureCpu(path: Path, converters: readonly Converter[], chunkMs: number): number[][] {
  const chunks = cut(speechLike(path.inputRate), (path.inputRate * chunkMs) / 1_000);
  const instances = converters.map((converter) => converter.create(path));
  const rounds = Array.from({ length: ROUNDS + 1 }, () =>
    instances.map((convert) => {
      const before = process.cpuUsage();
      for (let second = 0; second < SECONDS_PER_ROUND; second += 1) {
        for (const chunk of chunks) convert(chunk);
      }
      const used = process.cpuUsage(before);
      return (used.user + used.system) / SECONDS_PER_ROUND;
    }),
  );
  return rounds.slice(1);
}

/** A second of samples that are neither silent nor periodic. */
function speechLike(sampleRate: number): Int16Array {
  let state = 1;
  return Int16Array.from({ length: sampleRate }, (_, i) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return ((state >> 16) - 16_384) * Math.abs(Math.sin((9 * i) / sampleRate));
  });
}

/** Cuts a second up; the last chunk takes what is left. */
function cut(samples: Int16Array, length: number): Int16Array[] {
  return Array.from({ length: Math.ceil(samples.length / length) }, (_, i) =>
    samples.subarray(i * length, (i + 1) * length),
  );
}

function ownConverter(name: string, simd: boolean): Converter {
  return {
    name,
    create(path) {
      const resampler = createResampler(path.inputRate, path.outputRate, { simd });
      return (input) => resampler.process(input);
    },
    stateBytes(path) {
      const resampler = createResampler(path.inputRate, path.outputRate, { simd });
      resampler.process(new Int16Array((path.inputRate * FRAME_MS) / 1_000));
      return resampler.stateBytes;
    },
  };
}

const waveConverter: Converter = {
  name: 'wave-resampler per frame',
  create: (path) => (input) => {
    // A copy that it may overwrite; the result overshoots, so it is clamped.
    const output = waveResampler.resample(Float64Array.from(input), path.inputRate, path.outputRate, {});
    const samples = new Int16Array(output.length);
    for (let i = 0; i < samples.length; i += 1) {
      samples[i] = Math.max(-32_768, Math.min(32_767, Math.round(output[i]!)));
    }
    return samples;
  },
  stateBytes: () => 0,
};

async function loadSpeex(): Promise<Converter | null> {
  const loaded = await import('speex-resampler').catch(() => null);
  if (loaded === null) return null;
  const Speex = loaded.default.default;
  await Speex.initPromise;
  return {
    name: 'speex-resampler q5',
    create(path) {
      const resampler = new Speex(1, path.inputRate, path.outputRate, 5);
      return (input) => {
        const bytes = resampler.processChunk(samplesToBytes(input));
        // It answers with a fresh buffer, aligned or not.
        const aligned = bytes.byteOffset % 2 === 0 ? bytes : Uint8Array.from(bytes);
        return new Int16Array(aligned.buffer, aligned.byteOffset, aligned.length >> 1);
      };
    },
    stateBytes: () => null,
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
