import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withSettings } from '../../scripts/make-docs.ts';
import { SETTINGS } from '../../src/settings.ts';
import { codes, tableRows } from './markdown.ts';

const readme = readFileSync('README.md', 'utf8');

test("the README's table of settings is the one that the code reads (scripts/make-docs.ts mends it)", () => {
  expect(readme).toBe(withSettings(readme));
});

test('every file that the README points to exists', () => {
  const targets = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => target as string);
  expect(targets.length).toBeGreaterThan(5);
  expect(targets.filter((target) => !existsSync(target))).toEqual([]);
});

test('the map of the source leads to files that are there', () => {
  const [, map = ''] = /## Map of the source\n([\s\S]*?)\n## /.exec(readme) ?? [];
  const files = tableRows(map).flatMap(([folder = '', , start = '']) =>
    codes(start).map((file) => `${codes(folder)[0]}/${file}`),
  );
  expect(files.length).toBeGreaterThan(15);
  expect(files.filter((file) => !existsSync(file))).toEqual([]);
});

test('settings that were added are named where others look for them at an upgrade', () => {
  const [, upgrade = ''] = /## Upgrading\n([\s\S]*?)\n## /.exec(readme) ?? [];
  const named = upgrade.match(/\b[A-Z0-9]+(?:_[A-Z0-9]+)+\b/g) ?? [];
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !Object.hasOwn(SETTINGS, name))).toEqual([]);
});
