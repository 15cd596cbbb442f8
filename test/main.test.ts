import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CARRIER_IDS } from '../src/carriers/carrier.ts';
import { configFrom, startGateway } from '../src/main.ts';
import { createLog } from '../src/observability/log.ts';
import { readLabTwilio } from '../src/store/lab-secrets.ts';

const ROOT = join(import.meta.dirname, '..');
/** Ends by itself when the gateway has left nothing behind: no exit() helps it. */
const SCRIPT = `import { runGateway } from ${JSON.stringify(join(ROOT, 'src/main.ts'))}; await runGateway(process.env);`;

let dataDir: string;
let child: ChildProcess | null = null;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'offhook-main-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  child = null;
  rmSync(dataDir, { recursive: true, force: true });
});

const ALL_CARRIERS: Readonly<Record<string, string>> = {
  TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
  TWILIO_AUTH_TOKEN: 'token',
  TELNYX_API_KEY: 'key',
  TELNYX_PUBLIC_KEY: `${'A'.repeat(43)}=`,
  PLIVO_AUTH_ID: 'MA1',
  PLIVO_AUTH_TOKEN: 'token',
  VONAGE_APPLICATION_ID: 'app',
  VONAGE_SIGNATURE_SECRET: 'secret',
  SIGNALWIRE_SPACE: 'example',
  SIGNALWIRE_PROJECT_ID: 'project',
  SIGNALWIRE_API_TOKEN: 'token',
  SIGNALWIRE_SIGNING_KEY: 'key',
  JAMBONZ_API_URL: 'http://127.0.0.1:1',
  JAMBONZ_ACCOUNT_SID: 'account',
  JAMBONZ_API_KEY: 'key',
  JAMBONZ_WEBHOOK_SECRET: 'secret',
  ASTERISK_USERNAME: 'pbx',
  ASTERISK_PASSWORD: 'password',
};

type Line = Record<string, unknown> & { msg: string };

/** A gateway in a process of its own; `line` waits for a log line. */
async function run(env: Record<string, string> = {}) {
  const running = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    cwd: ROOT,
    env: { HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = running;
  const lines: Line[] = [];
  let rest = '';
  running.stdout.setEncoding('utf8').on('data', (part: string) => {
    const complete = (rest + part).split('\n');
    rest = complete.pop() ?? '';
    lines.push(...complete.map((text) => JSON.parse(text) as Line));
  });
  let errors = '';
  running.stderr.setEncoding('utf8').on('data', (part: string) => {
    errors += part;
  });
  const line = async (start: string): Promise<Line> => {
    await expect
      .poll(() => lines.find(({ msg }) => msg.startsWith(start)), { timeout: 10_000 })
      .toBeDefined();
    return lines.find(({ msg }) => msg.startsWith(start)) as Line;
  };
  const exited = once(running, 'exit').then(([code]) => code as number | null);
  return { child: running, lines, line, exited, errors: () => errors };
}

async function ring(url: string, callSid: string): Promise<string> {
  const lab = readLabTwilio(dataDir);
  if (lab === null) throw new Error('no lab credentials');
  const fields: Record<string, string> = {
    AccountSid: lab.accountSid,
    CallSid: callSid,
    CallStatus: 'ringing',
    Direction: 'inbound',
    From: '+15550100001',
    To: '+15550100002',
  };
  const text = Object.entries(fields).reduce(
    (sum, [name, value]) => sum + name + value,
    `${url}/twilio/voice`,
  );
  const response = await fetch(`${url}/twilio/voice`, {
    method: 'POST',
    headers: { 'x-twilio-signature': createHmac('sha1', lab.authToken).update(text).digest('base64') },
    body: new URLSearchParams(fields),
  });
  return response.text();
}

test('the settings of the door to Gemini reach it, and its figures the metrics', async () => {
  const env = { HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', DATA_DIR: dataDir };
  const config = configFrom({ ...env, CONNECTS_PER_SECOND: '1', CONNECTS_AT_ONCE: '1' });
  const gateway = await startGateway(config, { log: createLog({ level: 'silent', secrets: [] }) });
  const read = async (name: string): Promise<number> =>
    Number(new RegExp(`^offhook_upstream_${name} (.*)$`, 'm').exec(await gateway.metrics.expose())?.[1]);
  try {
    for (let n = 0; n < 5; n += 1) await ring(gateway.localUrl, `CA${n}`);
    // By the defaults all five would be let in before a second is over.
    await expect.poll(() => read('connect_wait_seconds_count{need="new-call"}'), { timeout: 10_000 }).toBe(2);
    expect(await read('connects_waiting')).toBe(3);
    expect(await read('connect_wait_seconds_sum{need="new-call"}')).toBeGreaterThan(0.9);
  } finally {
    await gateway.close();
  }
});

describe('a gateway in its process', () => {
  test('says in one line what it is, and leaves nothing behind when it is told to stop', async () => {
    const gateway = await run();
    const started = await gateway.line('listening');
    expect(started).toMatchObject({ mode: 'lab', level: 'info' });
    expect(started.msg).toMatch(/an emulator answers, not Gemini; only simulated callers get in/);
    gateway.child.kill('SIGTERM');
    expect(await gateway.exited).toBe(0);
    expect(gateway.lines.map(({ msg }) => msg)).toEqual([
      started.msg,
      expect.stringMatching(/^draining/),
      'stopped',
    ]);
    expect(gateway.errors()).toBe('');
  });

  test('while it drains a new caller hears why, and the second signal ends the call in progress', async () => {
    const gateway = await run();
    const { publicUrl } = await gateway.line('listening');
    expect(await ring(String(publicUrl), `CA${'1'.repeat(32)}`)).toContain('<Stream');
    gateway.child.kill('SIGTERM');
    expect(await gateway.line('draining')).toMatchObject({ calls: 1 });
    const refused = await ring(String(publicUrl), `CA${'2'.repeat(32)}`);
    expect(refused).toContain('<Say');
    expect(refused).not.toContain('<Stream');
    gateway.child.kill('SIGINT');
    await gateway.line('ending the calls');
    expect(await gateway.exited).toBe(0);
    await gateway.line('stopped');
    expect((await gateway.line('call ended'))['reason']).toMatchObject({ how: 'drained' });
    expect(JSON.stringify(gateway.lines)).not.toContain('15550100');
  });

  test('all seven carriers at once: each is known by its own credentials, and the line says who gets in', async () => {
    const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
    const keyFile = join(dataDir, 'vonage.key');
    writeFileSync(keyFile, pem);
    const all = { ...ALL_CARRIERS, VONAGE_PRIVATE_KEY: keyFile };
    const gateway = await run(all);
    const started = await gateway.line('listening');
    expect(started.msg).toMatch(
      /; Twilio, Telnyx, Plivo, Vonage, SignalWire, jambonz and Asterisk calls get in$/,
    );
    const url = String(started['publicUrl']);
    const asked = await Promise.all(
      CARRIER_IDS.map(async (id) => [id, (await fetch(`${url}/${id}/voice`, { method: 'POST' })).status]),
    );
    expect(Object.fromEntries(asked)).toEqual({
      twilio: 403,
      telnyx: 403,
      plivo: 403,
      vonage: 401,
      signalwire: 403,
      jambonz: 403,
      // It has no webhook: its stream is the call.
      asterisk: 404,
    });
    expect(readLabTwilio(dataDir)).toBeNull();
    expect(JSON.stringify(gateway.lines)).not.toContain(pem.split('\n')[1]);
    gateway.child.kill('SIGTERM');
    expect(await gateway.exited).toBe(0);
  });

  test('a carrier that is not configured is not there, while another one is', async () => {
    const gateway = await run({ PLIVO_AUTH_ID: 'MA1', PLIVO_AUTH_TOKEN: 'token' });
    const started = await gateway.line('listening');
    expect(started.msg).toMatch(/; Plivo calls get in$/);
    const url = String(started['publicUrl']);
    const statuses = CARRIER_IDS.map(
      async (id) => (await fetch(`${url}/${id}/voice`, { method: 'POST' })).status,
    );
    expect(await Promise.all(statuses)).toEqual(CARRIER_IDS.map((id) => (id === 'plivo' ? 403 : 404)));
    expect(readLabTwilio(dataDir)).toBeNull();
  });

  test('a bad environment opens no port and lists every problem', () => {
    const bad = () => configFrom({ PORT: 'x', MAX_CALLS: '0' });
    expect(bad).toThrow(/PORT is "x"[\s\S]*MAX_CALLS is "0"/);
    expect(bad).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  });
});
