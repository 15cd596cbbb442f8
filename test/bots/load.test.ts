import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openBots, readBot } from '../../src/bots/load.ts';
import { OffhookError } from '../../src/errors.ts';
import { ROOT } from '../fixtures/recordings.ts';

let dir = '';
/** Files that are written within one tick of the file system's clock must still differ in time. */
let editedAt = 1_000;

function write(bot: string, yaml: string, prompt = 'Be brief.'): void {
  mkdirSync(join(dir, bot), { recursive: true });
  writeFileSync(join(dir, bot, 'bot.yaml'), yaml);
  writeFileSync(join(dir, bot, 'prompt.md'), prompt);
  editedAt += 10;
  for (const file of ['bot.yaml', 'prompt.md']) utimesSync(join(dir, bot, file), editedAt, editedAt);
}

function failure(attempt: () => unknown): OffhookError {
  try {
    attempt();
  } catch (caught) {
    if (caught instanceof OffhookError) return caught;
    throw caught;
  }
  throw new Error('nothing was thrown');
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'bots-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('the sample bots of the box can be used', () => {
  const bots = openBots(join(ROOT, 'bots'));
  expect(bots.list().map(({ name }) => name)).toContain('receptionist');
  expect(bots.byName('receptionist')?.prompt).toMatch(/hang_up/);
});

describe('reading', () => {
  test('a bot is its settings, its name and its prompt without the space around it', () => {
    write('desk', 'voice: Kore\n', '\n  Answer in rhymes.\n\n');
    expect(readBot(join(dir, 'desk'), 'desk')).toMatchObject({
      name: 'desk',
      voice: 'Kore',
      prompt: 'Answer in rhymes.',
    });
    write('empty', '# nothing but defaults\n');
    expect(readBot(join(dir, 'empty'), 'empty').greeting.mode).toBe('at-once');
  });

  test('every problem is named at once, with the file and the setting', () => {
    write('desk', 'modle: x\naudio:\n  chunkMs: 30\n', '   ');
    const { code, message } = failure(() => readBot(join(dir, 'desk'), 'desk'));
    expect(code).toBe('ERR_BOT');
    expect(message).toContain('desk');
    for (const part of ['modle', 'audio.chunkMs', 'prompt.md']) expect(message).toContain(part);
  });

  test.each([
    ['no YAML', 'greeting: [unclosed'],
    ['a list', '- a\n- b\n'],
    ['a text', 'hello'],
  ])('%s is a problem of the file, not a crash', (_what, yaml) => {
    write('desk', yaml);
    expect(failure(() => readBot(join(dir, 'desk'), 'desk')).code).toBe('ERR_BOT');
  });

  test('a missing prompt is named', () => {
    write('desk', '');
    rmSync(join(dir, 'desk', 'prompt.md'));
    expect(failure(() => readBot(join(dir, 'desk'), 'desk')).message).toContain('prompt.md');
  });
});

describe('at the start', () => {
  test('a bot that cannot be used stops it', () => {
    write('good', '');
    write('bad', 'modle: x');
    expect(failure(() => openBots(dir)).message).toContain('bad');
  });

  test('so does a directory without bots, or without itself; a folder without bot.yaml is no bot', () => {
    mkdirSync(join(dir, 'notes'));
    expect(failure(() => openBots(dir)).message).toContain('bot.yaml');
    expect(failure(() => openBots(join(dir, 'nowhere'))).code).toBe('ERR_BOT');
  });
});

describe('who answers', () => {
  test('the bot that claims the number, else the one that claims none, else nobody', () => {
    write('a-sales', 'numbers: ["+15550100", "+15550101"]');
    write('b-help', 'numbers: ["+15550102"]');
    const claimed = openBots(dir);
    expect(claimed.botFor('+15550101')?.name).toBe('a-sales');
    expect(claimed.botFor('+15550102')?.name).toBe('b-help');
    expect(claimed.botFor('+15550199')).toBeNull();
    write('c-rest', '');
    expect(claimed.botFor('+15550199')?.name).toBe('c-rest');
    expect(claimed.botFor('+15550102')?.name).toBe('b-help');
    expect(claimed.byName('nobody')).toBeNull();
  });
});

describe('a change', () => {
  test('of settings or prompt is picked up by the next call; a bot that came or went as well', () => {
    write('desk', 'voice: Kore');
    const bots = openBots(dir);
    const before = bots.botFor('+1');
    expect(before?.voice).toBe('Kore');
    expect(bots.botFor('+1')).toBe(before);
    write('desk', 'voice: Puck', 'Be kind.');
    expect(bots.botFor('+1')).toMatchObject({ voice: 'Puck', prompt: 'Be kind.' });
    // A call in progress keeps the bot it has.
    expect(before?.voice).toBe('Kore');
    cpSync(join(dir, 'desk'), join(dir, 'twin'), { recursive: true });
    expect(bots.list().map(({ name }) => name)).toEqual(['desk', 'twin']);
    rmSync(join(dir, 'desk'), { recursive: true });
    expect(bots.list().map(({ name }) => name)).toEqual(['twin']);
  });

  test('that is broken keeps the last good version, and is told once, until it is mended', () => {
    const problems: string[] = [];
    write('desk', 'voice: Kore');
    const bots = openBots(dir, (problem) => problems.push(problem));
    write('desk', 'voice: [');
    for (let call = 0; call < 3; call++) expect(bots.botFor('+1')?.voice).toBe('Kore');
    expect(problems).toHaveLength(1);
    write('desk', 'voise: Puck');
    expect(bots.botFor('+1')?.voice).toBe('Kore');
    expect(problems).toHaveLength(2);
    expect(problems[1]).toContain('voise');
    write('desk', 'voice: Puck');
    expect(bots.botFor('+1')?.voice).toBe('Puck');
    expect(problems).toHaveLength(2);
  });

  test('a new bot that is broken is told once, and the others answer as before', () => {
    const problems: string[] = [];
    write('desk', '');
    const bots = openBots(dir, (problem) => problems.push(problem));
    write('new', 'numbers: 5');
    for (let call = 0; call < 3; call++) expect(bots.list().map(({ name }) => name)).toEqual(['desk']);
    expect(bots.byName('new')).toBeNull();
    expect(problems).toHaveLength(1);
    write('new', 'numbers: ["+1"]');
    expect(bots.botFor('+1')?.name).toBe('new');
  });

  test('a directory that is gone for a moment, as while it is swapped, costs no call its bot', () => {
    const problems: string[] = [];
    write('desk', '');
    const bots = openBots(dir, (problem) => problems.push(problem));
    renameSync(dir, `${dir}-away`);
    try {
      expect(bots.botFor('+1')?.name).toBe('desk');
      expect(bots.botFor('+1')?.name).toBe('desk');
      expect(problems).toHaveLength(1);
    } finally {
      renameSync(`${dir}-away`, dir);
    }
    expect(bots.botFor('+1')?.name).toBe('desk');
    expect(problems).toHaveLength(1);
  });
});
