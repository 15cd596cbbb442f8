/** The commands' own help, for comparison with what the documents say of them. */
import type { CliIo } from '../../src/cli/io.ts';
import { runCli } from '../../src/cli/program.ts';

/** What a command says with `--help`, and nothing else of the process. */
export async function helpOf(name: string): Promise<string> {
  let text = '';
  const take = (more: string): void => {
    text += `${more}\n`;
  };
  const io: CliIo = {
    out: take,
    err: take,
    draw: () => {},
    env: {},
    isTerminal: false,
    columns: 200,
    stopSignal: () => new AbortController().signal,
  };
  await runCli([name, '--help'], io);
  return text;
}

export const optionsIn = (text: string): string[] => [
  ...new Set([...text.matchAll(/--[a-z][a-z-]*/g)].map(([option]) => option)),
];
