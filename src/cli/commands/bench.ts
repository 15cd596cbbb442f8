/** `offhook bench`: figures of this machine; only their ratios travel. What must hold anywhere is asserted. */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OffhookError } from '../../errors.ts';
import type { CliIo } from '../io.ts';

interface BenchOptions {
  readonly json?: true;
  readonly calls?: number;
  readonly seconds: number;
}

const CALLS = 200;
const ROTATION_CALLS = 50;
const DECODED_MESSAGES = 100_000;
const DECODE_SEED = 1;
/** What the model's side keeps of all calls is bounded, and the judge wants all of it. */
const MOST_CALL_SECONDS = 6_000;
const LEAST_ROTATION_SECONDS = 30;
const MOST_ROTATION_SECONDS = 180;

/** @returns the process's exit code: 1 when a rule was broken */
export async function bench(what: string, options: BenchOptions, io: CliIo): Promise<number> {
  if (what === 'audio') {
    await (await import('../../lab/bench/audio-bench.ts')).runAudioBench({ json: options.json === true });
    return 0;
  }
  if (what === 'decode') return decode(options, io);
  return what === 'rotation' ? rotation(options, io) : calls(options, io);
}

async function decode({ json }: BenchOptions, io: CliIo): Promise<number> {
  const { formatDecodeBench, runDecodeBench } = await import('../../lab/bench/decode-bench.ts');
  const result = runDecodeBench({
    traces: new URL('../../../fixtures/carriers/', import.meta.url),
    messages: DECODED_MESSAGES,
    seed: DECODE_SEED,
    onProgress: (line) => io.err(line),
  });
  io.out(json === true ? JSON.stringify(result, null, 2) : formatDecodeBench(result));
  return result.carriers.every(({ threw }) => threw === 0) ? 0 : 1;
}

async function calls(options: BenchOptions, io: CliIo): Promise<number> {
  const [{ runCallBench }, { formatCallBench }] = await Promise.all([
    import('../../lab/bench/call-bench.ts'),
    import('../../lab/bench/call-bench-text.ts'),
  ]);
  const result = await runCallBench({
    calls: options.calls ?? CALLS,
    seconds: options.seconds,
    subjectScript: beside('../bench-subject'),
    onProgress: (line) => io.err(line),
  });
  io.out(options.json === true ? JSON.stringify(result, null, 2) : formatCallBench(result));
  return 0;
}

async function rotation({ calls = ROTATION_CALLS, seconds, json }: BenchOptions, io: CliIo): Promise<number> {
  if (
    seconds < LEAST_ROTATION_SECONDS ||
    seconds > MOST_ROTATION_SECONDS ||
    calls * seconds > MOST_CALL_SECONDS
  ) {
    throw new OffhookError(
      'ERR_USAGE',
      `Cannot run the rotation bench with "${calls}" calls of "${seconds}" s: ${LEAST_ROTATION_SECONDS} to ${MOST_ROTATION_SECONDS} s and at most ${MOST_CALL_SECONDS} s of calls in all are wanted.`,
    );
  }
  const [{ runRotationBench }, { formatRotationBench }] = await Promise.all([
    import('../../lab/bench/rotation-bench.ts'),
    import('../../lab/bench/rotation-text.ts'),
  ]);
  const result = await runRotationBench({
    calls,
    seconds,
    gatewayScript: beside('../rotation-subject'),
    signal: io.stopSignal(),
    onProgress: (line) => io.err(line),
  });
  io.out(json === true ? JSON.stringify(result, null, 2) : formatRotationBench(result));
  return result.rounds.every(({ broken }) => broken.length === 0) ? 0 : 1;
}

/** As source or built. */
const beside = (path: string): string =>
  fileURLToPath(new URL(`${path}${extname(import.meta.url)}`, import.meta.url));
