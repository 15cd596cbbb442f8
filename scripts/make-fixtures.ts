/**
 * Makes the recordings, scenarios and golden vectors under fixtures/ and assets/clips/ again, byte for byte.
 *
 *     node scripts/make-fixtures.ts            write them
 *     node scripts/make-fixtures.ts --check    write nothing, exit 1 when a file on the disk differs
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OffhookError } from '../src/errors.ts';
import { buildFixtures } from './fixtures/build.ts';
import { reportHeader, reportLine } from './fixtures/report.ts';
import { requireTools } from './fixtures/voices.ts';

const ROOT = join(import.meta.dirname, '..');

function write(files: ReadonlyMap<string, Buffer>): void {
  console.log(reportHeader());
  let bytes = 0;
  for (const [path, content] of files) {
    const target = join(ROOT, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    bytes += content.length;
    if (path.endsWith('.wav')) console.log(reportLine(path, content));
  }
  console.log(`${files.size} files, ${(bytes / 1e6).toFixed(2)} MB`);
}

function check(files: ReadonlyMap<string, Buffer>): boolean {
  let same = true;
  for (const [path, content] of files) {
    const target = join(ROOT, path);
    if (existsSync(target) && readFileSync(target).equals(content)) continue;
    console.log(`differs: ${path}`);
    same = false;
  }
  if (same) console.log(`${files.size} files are the same`);
  return same;
}

try {
  const args = process.argv.slice(2);
  const [option] = args;
  if (args.length > 1 || (option !== undefined && option !== '--check')) {
    throw new OffhookError(
      'ERR_USAGE',
      `reading the arguments: found "${args.join(' ')}", wanted --check or nothing`,
    );
  }
  requireTools();
  const files = buildFixtures();
  if (option === undefined) write(files);
  else if (!check(files)) process.exitCode = 1;
} catch (caught) {
  if (!(caught instanceof OffhookError)) throw caught;
  console.error(caught.message);
  process.exitCode = 1;
}
