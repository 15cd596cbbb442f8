/** Writes the tables of the documents that are made from code: run after a change of src/settings.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describeSettings } from '../src/config.ts';

/** The README with its table of settings made anew. */
export function withSettings(readme: string): string {
  const rows = describeSettings().map(
    ({ name, default: value, meaning }) =>
      `| \`${name}\` | ${value === '' ? '' : `\`${value}\``} | ${meaning} |`,
  );
  const table = ['| Name | Default | Meaning |', '|---|---|---|', ...rows].join('\n');
  return readme.replace(/(<!-- settings -->\n)[\s\S]*?(<!-- \/settings -->)/, `$1${table}\n$2`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = fileURLToPath(new URL('../README.md', import.meta.url));
  writeFileSync(path, withSettings(readFileSync(path, 'utf8')));
}
