import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SETTINGS } from '../../src/settings.ts';
import { anchors, fenced, readDocument } from './markdown.ts';

const DOCUMENTS = ['docs/bots.md', 'docs/carriers/twilio.md', 'docs/metrics.md', 'docs/lab.md'];

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
    const names = [...document.matchAll(/\b[A-Z]+(?:_[A-Z]+)+\b/g)].map(([name]) => name);
    expect(names.filter((name) => !Object.hasOwn(SETTINGS, name))).toEqual([]);
  });

  test('names only npm scripts that exist, and recordings that are there', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      scripts: Record<string, string>;
    };
    const commands = fenced(document, 'sh').join('\n');
    for (const [, name = ''] of commands.matchAll(/\bnpm (?:run )?(?!run|install)([a-z]+)/g)) {
      expect(Object.keys(scripts)).toContain(name);
    }
    for (const [file] of commands.matchAll(/\bfixtures\/[\w/.-]+/g)) {
      expect([file, existsSync(file)]).toEqual([file, true]);
    }
  });
});
