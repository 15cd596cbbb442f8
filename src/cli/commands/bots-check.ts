import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readBot } from '../../bots/load.ts';
import { messageOf, OffhookError } from '../../errors.ts';
import type { CliIo } from '../io.ts';

/** @returns 1 when any bot cannot be used */
export function botsCheck(options: { readonly dir?: string; readonly json?: boolean }, io: CliIo): number {
  const dir = options.dir ?? io.env['BOTS_DIR'] ?? 'bots';
  const results = botFolders(dir).map((name) => check(dir, name));
  if (options.json === true) io.out(JSON.stringify(results, null, 2));
  else for (const result of results) io.out(result.problem ?? `ok  ${result.bot} (${result.model})`);
  return results.every((result) => result.problem === null) ? 0 : 1;
}

function botFolders(dir: string): readonly string[] {
  const names = existsSync(dir)
    ? readdirSync(dir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
        .map((entry) => entry.name)
    : [];
  if (names.length === 0) {
    throw new OffhookError(
      'ERR_BOT',
      `Cannot check the bots: no bot in "${dir}"; a folder with one folder for each bot is wanted.`,
    );
  }
  return names.sort();
}

function check(dir: string, name: string): { bot: string; model: string | null; problem: string | null } {
  try {
    return { bot: name, model: readBot(join(dir, name), name).model, problem: null };
  } catch (caught) {
    return { bot: name, model: null, problem: messageOf(caught) };
  }
}
