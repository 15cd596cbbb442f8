import { formatAudioBench, runAudioBench } from '../../lab/bench/audio-bench.ts';
import type { CliIo } from '../io.ts';

export async function bench(options: { readonly json?: boolean }, io: CliIo): Promise<void> {
  const json = options.json === true;
  const result = await runAudioBench({ json });
  io.out(json ? JSON.stringify(result, null, 2) : formatAudioBench(result));
}
