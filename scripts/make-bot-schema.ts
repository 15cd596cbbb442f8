/**
 * Writes `bots/bot.schema.json`, with which an editor completes and checks a `bot.yaml`: the JSON Schema of what the
 * loader accepts, made from the one zod schema. `--check` only says whether the file is current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { botSchema } from '../src/bots/bot.ts';

export const BOT_SCHEMA_PATH = join(import.meta.dirname, '..', 'bots', 'bot.schema.json');

/** The file's content: what a person may write, so every setting that has a default is optional. */
export function botSchemaText(): string {
  const schema = z.toJSONSchema(botSchema, { io: 'input', target: 'draft-7' });
  return `${JSON.stringify({ ...schema, title: 'Offhook bot' }, null, 2)}\n`;
}

function main(args: readonly string[]): number {
  const [option] = args;
  if (args.length > 1 || (option !== undefined && option !== '--check')) {
    console.error(`Reading the arguments: found "${args.join(' ')}", wanted --check or nothing.`);
    return 2;
  }
  if (option === undefined) {
    writeFileSync(BOT_SCHEMA_PATH, botSchemaText());
    return 0;
  }
  if (readFileSync(BOT_SCHEMA_PATH, 'utf8') === botSchemaText()) return 0;
  console.error(
    'bots/bot.schema.json differs from the schema in src/bots/bot.ts: run scripts/make-bot-schema.ts.',
  );
  return 1;
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
