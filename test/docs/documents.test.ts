import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CARRIER_IDS } from '../../src/carriers/carrier.ts';
import { SETTINGS } from '../../src/settings.ts';
import { helpOf, optionsIn } from './commands.ts';
import { anchors, fenced, readDocument } from './markdown.ts';

const inFolder = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);
const DOCUMENTS = ['README.md', 'CHANGELOG.md', ...inFolder('docs'), ...inFolder('docs/carriers')];

/** Read by Docker Compose and by Google's libraries, not by Offhook. */
const OF_OTHERS = ['COMPOSE_PROFILES', 'GOOGLE_APPLICATION_CREDENTIALS'];

describe.each(DOCUMENTS)('%s', (path) => {
  const document = readDocument(path);

  test('points only to files and headings that exist', () => {
    const links = [...document.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target as string);
    for (const link of links.filter((target) => !target.includes('://'))) {
      const [file = '', heading] = link.split('#');
      const target = file === '' ? path : join(dirname(path), file);
      expect([link, existsSync(target)]).toEqual([link, true]);
      if (heading !== undefined)
        expect([link, anchors(readDocument(target)).includes(heading)]).toEqual([link, true]);
    }
  });

  test('names only settings that are read', () => {
    const names = [...document.matchAll(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g)].map(([name]) => name);
    const known = (name: string): boolean => Object.hasOwn(SETTINGS, name) || OF_OTHERS.includes(name);
    expect(names.filter((name) => !known(name))).toEqual([]);
  });

  test('names only npm scripts that exist, and recordings that are there', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };
    const commands = fenced(document, 'sh').join('\n');
    for (const [, name = ''] of commands.matchAll(/\bnpm (?:run )?(?!run|install|ci\b)([a-z]+)/g)) {
      expect(Object.keys(scripts)).toContain(name);
    }
    for (const [file] of commands.matchAll(/\bfixtures\/[\w/.-]+/g)) {
      expect([file, existsSync(file)]).toEqual([file, true]);
    }
  });

  test('gives commands only options that they have', async () => {
    const code = [
      ...fenced(document, 'sh'),
      ...[...document.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text),
    ];
    const lines = code.flatMap((text = '') => text.replaceAll('\\\n', ' ').split('\n'));
    for (const line of lines) {
      const [, script, cli] = /\bnpm run (\w+) --|\bnpx offhook ([a-z]+)/.exec(line) ?? [];
      const name = script ?? cli;
      if (name === undefined) continue;
      const known = optionsIn(await helpOf(name));
      expect([line, optionsIn(line).filter((option) => !known.includes(option))]).toEqual([line, []]);
    }
  });
});

describe.each(CARRIER_IDS)('the document of %s', (id) => {
  const document = readDocument(`docs/carriers/${id}.md`);

  test('names every setting of the carrier', () => {
    const own = Object.keys(SETTINGS).filter((name) => name.startsWith(`${id.toUpperCase()}_`));
    expect(own.length).toBeGreaterThan(1);
    expect(own.filter((name) => !document.includes(name))).toEqual([]);
  });

  test('says what was verified, and is pointed to by the README', () => {
    expect(document).toMatch(/^## What was verified, and how$/m);
    expect(readDocument('README.md')).toContain(`](docs/carriers/${id}.md)`);
  });
});
