import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  ADMIN_TOKEN_FILE,
  ensureAdminToken,
  ensureLabTwilio,
  LAB_TWILIO_FILE,
  readLabTwilio,
} from '../../src/store/lab-secrets.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'offhook-secrets-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('the credentials are made once, in a folder that need not exist, and only their owner can read them', () => {
  const dir = join(folder, 'deep', 'data');
  expect(readLabTwilio(dir)).toBeNull();
  const made = ensureLabTwilio(dir);
  expect(made.accountSid).toMatch(/^AC[0-9a-f]{32}$/);
  expect(made.authToken).toMatch(/^[0-9a-f]{64}$/);
  expect(ensureLabTwilio(dir)).toEqual(made);
  expect(readLabTwilio(dir)).toEqual(made);
  expect(statSync(join(dir, LAB_TWILIO_FILE)).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual([LAB_TWILIO_FILE]);
});

test('two folders have different secrets', () => {
  expect(ensureAdminToken(join(folder, 'a'))).not.toBe(ensureAdminToken(join(folder, 'b')));
});

test('processes that start together agree on one token', async () => {
  const source = join(import.meta.dirname, '../../src/store/lab-secrets.ts');
  // Each makes a row of them, all at the same moments, so that they do meet.
  const script = `
    import { ensureAdminToken } from ${JSON.stringify(source)};
    const [, startMs] = process.argv;
    for (let n = 0; n < 40; n += 1) {
      while (Date.now() < Number(startMs) + n * 5);
      console.log(ensureAdminToken(${JSON.stringify(folder)} + '/' + n));
    }`;
  const startMs = String(Date.now() + 600);
  const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, startMs]);
  const outputs = await Promise.all([run(), run()]);
  const kept = Array.from({ length: 40 }, (_, n) =>
    readFileSync(join(folder, String(n), ADMIN_TOKEN_FILE), 'utf8'),
  );
  for (const { stdout } of outputs) expect(stdout).toBe(kept.join(''));
  expect(readdirSync(join(folder, '0'))).toEqual([ADMIN_TOKEN_FILE]);
});

test('a damaged file is named, its content is not', () => {
  writeFileSync(join(folder, LAB_TWILIO_FILE), '{"authToken":"leaky"}');
  expect(() => ensureLabTwilio(folder)).toThrow(/lab-twilio\.json".*delete the file/);
  expect(() => ensureLabTwilio(folder)).not.toThrow(/leaky/);
});

test('a data folder that cannot be one gives one sentence that names the setting', () => {
  writeFileSync(join(folder, 'file'), '');
  const attempt = () => ensureAdminToken(join(folder, 'file', 'data'));
  expect(attempt).toThrow(/DATA_DIR|can read/);
  expect(attempt).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
});
