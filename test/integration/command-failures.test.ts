import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const CREDENTIALS = { TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`, TWILIO_AUTH_TOKEN: 'f'.repeat(32) };
const START_MS = 30_000;

let dir: string;
let taken: Server;
let takenPort: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'offhook-failures-'));
  taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  takenPort = String((taken.address() as AddressInfo).port);
  writeFileSync(join(dir, 'text.wav'), 'this is text, not sound');
  writeFileSync(join(dir, 'a-file'), '');
  botWith('model: gpt-4o\n', 'strange-model');
  botWith('model: gemini-3.8-live\nvoise: Kore\n', 'misspelt');
});

afterAll(() => {
  taken.close();
  rmSync(dir, { recursive: true, force: true });
});

function botWith(yaml: string, name: string): void {
  mkdirSync(join(dir, name));
  cpSync(join(ROOT, 'bots/receptionist'), join(dir, name, 'bot'), { recursive: true });
  writeFileSync(join(dir, name, 'bot', 'bot.yaml'), yaml);
}

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command as a person runs it, with nothing in its environment but this. */
async function offhook(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
  const child = spawn(process.execPath, [join(ROOT, 'bin/offhook.js'), ...args], {
    cwd: dir,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      BOTS_DIR: join(ROOT, 'bots'),
      DATA_DIR: join(dir, 'data'),
      ...env,
    },
    timeout: START_MS,
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (part) => {
    out += part;
  });
  child.stderr.on('data', (part) => {
    err += part;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

type Case = readonly [
  what: string,
  args: readonly string[],
  env: () => Readonly<Record<string, string>>,
  parts: () => readonly string[],
];

const CASES: readonly Case[] = [
  ['a port that is none', ['serve'], () => ({ PORT: 'http' }), () => ['PORT', '"http"', 'wanted']],
  [
    'half of a carrier’s credentials',
    ['serve'],
    () => ({ TWILIO_ACCOUNT_SID: CREDENTIALS.TWILIO_ACCOUNT_SID }),
    () => ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN', 'wanted'],
  ],
  [
    'real callers, and no key',
    ['serve'],
    () => ({ ...CREDENTIALS, PUBLIC_URL: 'https://voice.example.com' }),
    () => ['GEMINI_API_KEY', 'EMULATOR=1'],
  ],
  [
    'a key, and no address that the carrier could reach',
    ['serve'],
    () => ({ ...CREDENTIALS, GEMINI_API_KEY: 'a-key' }),
    () => ['PUBLIC_URL', 'wanted'],
  ],
  [
    'a model that is none',
    ['serve'],
    () => ({ BOTS_DIR: join(dir, 'strange-model') }),
    () => ['"gpt-4o"', 'wanted'],
  ],
  ['a misspelt setting of a bot', ['serve'], () => ({ BOTS_DIR: join(dir, 'misspelt') }), () => ['voise']],
  [
    'a folder without bots',
    ['serve'],
    () => ({ BOTS_DIR: join(dir, 'nowhere') }),
    () => [join(dir, 'nowhere')],
  ],
  [
    'a data folder that is a file',
    ['serve'],
    () => ({ DATA_DIR: join(dir, 'a-file') }),
    () => ['a-file', 'ENOTDIR', 'wanted'],
  ],
  ['a port in use', ['serve'], () => ({ PORT: takenPort }), () => [takenPort, 'in use', 'PORT']],
  [
    'an admin port in use',
    ['serve'],
    () => ({ ADMIN_PORT: takenPort }),
    () => [takenPort, 'in use', 'ADMIN_PORT'],
  ],
  ['a recording that is none', ['call', 'text.wav'], () => CREDENTIALS, () => ['text.wav', 'RIFF']],
  ['a recording that is a folder', ['call', '.'], () => CREDENTIALS, () => ['"."', 'EISDIR']],
];

describe('what cannot work is one clear sentence and exit code 1', () => {
  test.concurrent.each(CASES)(
    '%s',
    async (_, args, env, parts) => {
      const { code, out, err } = await offhook(args, env());
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toMatch(/^offhook: [A-Z]/);
      expect(err).not.toMatch(/\n\s+at |This is a bug|node:internal|Warning/);
      // One problem: a sentence, and at most the line that names it.
      expect(err.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
      for (const part of parts()) expect(err).toContain(part);
    },
    START_MS,
  );

  test.concurrent(
    'several problems at once are listed together, a line for each',
    async () => {
      const { code, err } = await offhook(['serve'], { PORT: 'x', MAX_CALLS: 'many', PUBLIC_URL: 'here' });
      expect(code).toBe(1);
      for (const name of ['PORT is "x"', 'MAX_CALLS is "many"', 'PUBLIC_URL is "here"'])
        expect(err).toContain(name);
      expect(err.trimEnd().split('\n')).toHaveLength(4);
    },
    START_MS,
  );
});
