/**
 * Our sample rate converters beside the two that could have been used instead: `wave-resampler` on every frame with
 * its defaults, and `speex-resampler` (a development dependency) at quality 5. CPU is process CPU time in repeats
 * that take turns in one run: compare the ratios, the microseconds are this machine's.
 */
import waveResampler from 'wave-resampler';
import { samplesToBytes } from '../../audio/pcm.ts';
import { createResampler } from '../../audio/resample.ts';
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

export interface AudioBenchResult {
  readonly rows: readonly AudioBenchRow[];
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
const FRAMES_PER_SECOND = 50;

/**
 * Runs the bench (some seconds) and prints its result: a table, or with `json` the result itself.
 * Never fails for want of the development dependency: it says so in `notes`.
 */
export async function runAudioBench(options: { json: boolean }): Promise<AudioBenchResult> {
  const notes: string[] = [];
  const converters: Converter[] = [ownConverter, waveConverter];
  const speex = await loadSpeex();
  if (speex === null)
    notes.push('speex-resampler is not installed (npm ci without --omit=dev brings it): not measured.');
  else converters.push(speex);
  const rows = PATHS.flatMap((path) => measurePath(path, converters));
  const result = { rows, notes };
  console.log(options.json ? JSON.stringify(result, null, 2) : formatAudioBench(result));
  return result;
}

/** The result as a table for people. */
export function formatAudioBench(result: AudioBenchResult): string {
  const head = [
    'path',
    'converter',
    'SINAD',
    'mu-law',
    'ripple',
    'image/alias',
    'delay',
    'drift',
    'CPU',
    'x own',
    'state',
  ];
  const units = ['kHz', '', 'dB', 'dB', 'dB', 'dB', 'ms', '/10 min', 'us/s', '', 'bytes'];
  const lines = result.rows.map((row) => [
    `${row.inputRate / 1000} to ${row.outputRate / 1000}`,
    row.converter,
    row.sinadDb.toFixed(1),
    row.sinadMuLawDb.toFixed(2),
    row.rippleDb.toFixed(3),
    row.rejectionDb.toFixed(0),
    row.delayMs.toFixed(2),
    String(row.driftSamples),
    row.cpuMicros.toFixed(0),
    row.cpuRatio.toFixed(1),
    row.stateBytes === null ? '?' : String(row.stateBytes),
  ]);
  const table = [head, units, ...lines];
  const widths = head.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  const print = (line: readonly string[]): string =>
    line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  return [...table.map(print), ...result.notes].join('\n');
}

function measurePath(path: Path, converters: readonly Converter[]): AudioBenchRow[] {
  const cpu = measureCpu(path, converters);
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

/** Microseconds per call-second, by round and converter. The first round warms up and does not count. */
function measureCpu(path: Path, converters: readonly Converter[]): number[][] {
  const frames = speechLike(path.inputRate);
  const instances = converters.map((converter) => converter.create(path));
  const rounds = Array.from({ length: ROUNDS + 1 }, () =>
    instances.map((convert) => {
      const before = process.cpuUsage();
      for (let second = 0; second < SECONDS_PER_ROUND; second += 1) {
        for (const frame of frames) convert(frame);
      }
      const used = process.cpuUsage(before);
      return (used.user + used.system) / SECONDS_PER_ROUND;
    }),
  );
  return rounds.slice(1);
}

/** A second of frames whose samples are neither silent nor periodic. */
function speechLike(sampleRate: number): Int16Array[] {
  let state = 1;
  const samples = Int16Array.from({ length: sampleRate }, (_, i) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return ((state >> 16) - 16_384) * Math.abs(Math.sin((9 * i) / sampleRate));
  });
  const frame = sampleRate / FRAMES_PER_SECOND;
  return Array.from({ length: FRAMES_PER_SECOND }, (_, i) => samples.subarray(i * frame, (i + 1) * frame));
}

const ownConverter: Converter = {
  name: 'own',
  create(path) {
    const resampler = createResampler(path.inputRate, path.outputRate);
    return (input) => resampler.process(input);
  },
  stateBytes(path) {
    const resampler = createResampler(path.inputRate, path.outputRate);
    resampler.process(new Int16Array(path.inputRate / FRAMES_PER_SECOND));
    return resampler.stateBytes;
  },
};

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
