import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withSettings } from '../../scripts/make-docs.ts';

const readme = readFileSync('README.md', 'utf8');

test("the README's table of settings is the one that the code reads (scripts/make-docs.ts mends it)", () => {
  expect(readme).toBe(withSettings(readme));
});

test('every file that the README points to exists', () => {
  const targets = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => target as string);
  expect(targets.length).toBeGreaterThan(5);
  expect(targets.filter((target) => !existsSync(target))).toEqual([]);
});
