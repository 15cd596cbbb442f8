/** Reads bots from their folders. A change is picked up by the next call; a broken one keeps the last good version. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { messageOf, OffhookError } from '../errors.ts';
import { validateSetup } from '../gemini/validate-setup.ts';
import { type Bot, botSchema, liveSetupOf } from './bot.ts';

export interface BotShelf {
  /** The bot that answers `to`, read afresh where its files have changed; null when none does. */
  botFor(to: string): Bot | null;
  byName(name: string): Bot | null;
  list(): readonly Bot[];
}

/** @throws OffhookError ERR_BOT with every problem of the folder's files */
export function readBot(folder: string, name: string): Bot {
  const yamlPath = join(folder, 'bot.yaml');
  const promptPath = join(folder, 'prompt.md');
  let raw: unknown;
  try {
    raw = parseYaml(readFileSync(yamlPath, 'utf8')) ?? {};
  } catch (caught) {
    throw new OffhookError(
      'ERR_BOT',
      `Cannot read the bot "${name}" from ${yamlPath}: ${messageOf(caught)}`,
      {
        cause: caught,
      },
    );
  }
  const parsed = botSchema.safeParse(raw);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`);
  let prompt = '';
  try {
    prompt = readFileSync(promptPath, 'utf8').trim();
    if (prompt === '') problems.push('prompt.md: it is empty, but the model needs an instruction');
  } catch (caught) {
    problems.push(`prompt.md: ${messageOf(caught)}`);
  }
  if (parsed.success) problems.push(...validateSetup(liveSetupOf({ ...parsed.data, name, prompt })));
  if (problems.length > 0 || !parsed.success) {
    throw new OffhookError(
      'ERR_BOT',
      `Cannot use the bot "${name}" in ${folder}:\n  - ${problems.join('\n  - ')}`,
    );
  }
  return { ...parsed.data, name, prompt };
}

/**
 * @param onProblem told once for each change that cannot be used
 * @throws OffhookError ERR_BOT when there is no bot, or one of them cannot be used at the start
 */
export function openBots(dir: string, onProblem: (message: string) => void = () => {}): BotShelf {
  /** A folder that has never held a usable bot is known as well, so that its problem is told once. */
  const known = new Map<string, { bot: Bot | null; stamp: string }>();
  let dirProblem = '';

  const refresh = (mustWork: boolean): void => {
    const names = folderNames(dir);
    dirProblem = '';
    for (const name of known.keys()) if (!names.includes(name)) known.delete(name);
    for (const name of names) {
      const stamp = stampOf(join(dir, name));
      const before = known.get(name);
      if (before?.stamp === stamp) continue;
      try {
        known.set(name, { bot: readBot(join(dir, name), name), stamp });
      } catch (caught) {
        if (mustWork) throw caught;
        known.set(name, { bot: before?.bot ?? null, stamp });
        onProblem(messageOf(caught));
      }
    }
  };

  refresh(true);
  if (known.size === 0) {
    throw new OffhookError(
      'ERR_BOT',
      `Cannot start without a bot: found none in "${dir}", wanted a folder with bot.yaml and prompt.md in it.`,
    );
  }

  const all = (): Bot[] => {
    try {
      refresh(false);
    } catch (caught) {
      // The directory itself is out of reach, as it is for a moment when it is swapped: calls are answered as before.
      const problem = messageOf(caught);
      if (problem !== dirProblem) onProblem(problem);
      dirProblem = problem;
    }
    return [...known.values()].flatMap(({ bot }) => bot ?? []);
  };
  return {
    botFor(to) {
      const bots = all();
      return (
        bots.find((bot) => bot.numbers.includes(to)) ?? bots.find((bot) => bot.numbers.length === 0) ?? null
      );
    },
    byName: (name) => all().find((bot) => bot.name === name) ?? null,
    list: all,
  };
}

function folderNames(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(join(dir, entry.name, 'bot.yaml')))
      .map((entry) => entry.name)
      .sort();
  } catch (caught) {
    throw new OffhookError('ERR_BOT', `Cannot look for bots in "${dir}": ${messageOf(caught)}`, {
      cause: caught,
    });
  }
}

function stampOf(folder: string): string {
  return ['bot.yaml', 'prompt.md']
    .map((file) => statSync(join(folder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0)
    .join(' ');
}
