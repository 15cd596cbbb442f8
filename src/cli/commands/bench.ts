/** `offhook bench`: figures of this machine; only their ratios travel. */
import { fileURLToPath } from 'node:url';
import type { CliIo } from '../io.ts';

export async function bench(
  what: string,
  options: { readonly json?: true; readonly calls: number; readonly seconds: number },
  io: CliIo,
): Promise<void> {
  if (what === 'audio') {
    await (await import('../../lab/bench/audio-bench.ts')).runAudioBench({ json: options.json === true });
    return;
  }
  const [{ runCallBench }, { formatCallBench }] = await Promise.all([
    import('../../lab/bench/call-bench.ts'),
    import('../../lab/bench/call-bench-text.ts'),
  ]);
  const result = await runCallBench({
    calls: options.calls,
    seconds: options.seconds,
    subjectScript: fileURLToPath(new URL('../bench-subject.ts', import.meta.url)),
    onProgress: (line) => io.err(line),
  });
  io.out(options.json === true ? JSON.stringify(result, null, 2) : formatCallBench(result));
}
