import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startChildGateway } from '../../src/cli/child-gateway.ts';
import { SAMPLE_BOTS_DIR } from '../../src/cli/paths.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'offhook-process-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** The command as a person runs it. */
function offhook(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(
    process.execPath,
    [new URL('../../bin/offhook.js', import.meta.url).pathname, ...args],
    {
      env: { PATH: process.env['PATH'] ?? '', DATA_DIR: dir },
    },
  );
  let out = '';
  let err = '';
  child.stdout.on('data', (part) => {
    out += part;
  });
  child.stderr.on('data', (part) => {
    err += part;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}

const childEnv = (more: Record<string, string> = {}) => ({
  PATH: process.env['PATH'] ?? '',
  HOST: '127.0.0.1',
  PORT: '0',
  ADMIN_PORT: '0',
  DATA_DIR: dir,
  BOTS_DIR: SAMPLE_BOTS_DIR,
  ...more,
});

it('a failure is exit code 1, one line on standard error, and nothing on standard output', async () => {
  const { code, out, err } = await offhook('call', join(dir, 'none.wav'));
  expect(code).toBe(1);
  expect(out).toBe('');
  expect(err.trimEnd().split('\n').length).toBe(1);
  expect(err).toMatch(/^offhook: Cannot use ".*none\.wav"/);
});

it('help is no failure', async () => {
  const { code, out, err } = await offhook('--help');
  expect(code).toBe(0);
  expect(out).toContain('Usage: offhook');
  expect(err).toBe('');
});

it('a demo’s gateway starts in a process of its own, tells its address and metrics, and stops', async () => {
  const gateway = await startChildGateway(childEnv(), join(dir, 'gateway.log'));
  try {
    expect((await fetch(`${gateway.localUrl}/healthz`)).status).toBe(200);
    expect(await gateway.metrics()).toContain('offhook_');
    expect(await gateway.waitFor('call-ended', 10)).toBe(false);
  } finally {
    await gateway.stop();
  }
  await expect(fetch(`${gateway.localUrl}/healthz`)).rejects.toThrow();
});

it('a demo’s gateway that cannot start says why', async () => {
  const starting = startChildGateway(childEnv({ MAX_CALLS: 'many' }), join(dir, 'gateway.log'));
  await expect(starting).rejects.toThrow(/Cannot start the gateway: .*MAX_CALLS/s);
});
