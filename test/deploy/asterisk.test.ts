import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { createAsteriskUpgrade } from '../../src/carriers/asterisk/upgrade.ts';
import { type ComposeService, composeServices, project, readProject } from './compose-file.ts';

const GIVEN = { ASTERISK_USERNAME: 'offhook', ASTERISK_PASSWORD: 'newest,older' };
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const service = (env: Record<string, string> = {}): ComposeService =>
  (composeServices(env) as unknown as { asterisk: ComposeService }).asterisk;

/** What counts of a configuration: its lines without comments. */
function settingsOf(file: string): string[] {
  return readProject(`deploy/asterisk/conf/${file}`)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith(';'));
}
const files = readdirSync(project('deploy/asterisk/conf'));

function start(env: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'offhook-asterisk-'));
  folders.push(folder);
  const run = join(folder, 'run');
  const { status, stderr, stdout } = spawnSync('sh', [fileURLToPath(project('deploy/asterisk/start.sh'))], {
    env: { PATH: `${fileURLToPath(new URL('stub', import.meta.url))}:/usr/bin:/bin`, RUN_DIR: run, ...env },
    encoding: 'utf8',
  });
  return { status, stderr, stdout, run };
}

describe('docker-compose.yml: the profile "sip"', () => {
  it('starts Asterisk only when asked for, in one version, which can do no more than the others', () => {
    const asterisk = service();
    expect(asterisk).toMatchObject({
      profiles: ['sip'],
      init: true,
      read_only: true,
      user: '65534:65534',
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      pids_limit: expect.any(Number),
      tmpfs: [expect.stringMatching(/^\/tmp:size=\d+m/)],
      logging: { options: { 'max-size': expect.any(String), 'max-file': expect.any(String) } },
    });
    expect(asterisk.image).toMatch(/^andrius\/asterisk:22\.10\.\d+_debian-[a-z]+$/);
    for (const name of ['ports', 'cap_add', 'privileged', 'depends_on'])
      expect(asterisk[name]).toBeUndefined();
  });

  it('gives it the gateway’s name, password and port, and nothing else', () => {
    const env = { ...GIVEN, PORT: '9000', GEMINI_API_KEY: 'key' };
    expect(service(env).environment).toEqual({ ...GIVEN, PORT: '9000' });
    const { gateway } = composeServices(env);
    expect(gateway.environment).toMatchObject(GIVEN);
  });

  it('leaves the gateway without it', () => {
    expect(Object.keys(composeServices().gateway.depends_on ?? {})).toEqual(['caddy']);
  });
});

describe('deploy/asterisk', () => {
  it('listens on the loopback interface only, and registers nobody', () => {
    const addresses = files.flatMap((file) =>
      settingsOf(file).flatMap(
        (line) => /^(?:bind|bindaddr|media_address|match|uri)\s*=\s*(.*)$/.exec(line)?.[1] ?? [],
      ),
    );
    expect(addresses).toEqual(
      expect.arrayContaining(['127.0.0.1:15060', '127.0.0.1', 'ws://127.0.0.1:@PORT@/asterisk/media']),
    );
    expect(addresses.filter((address) => !/^(ws:\/\/)?127\.0\.0\.1(?![\d.])/.test(address))).toEqual([]);
    const types = settingsOf('pjsip.conf').filter((line) => line.startsWith('type'));
    expect(new Set(types)).toEqual(
      new Set(['type = global', 'type = transport', 'type = endpoint', 'type = identify']),
    );
    expect(settingsOf('ari.conf')).toEqual(['[general]', 'enabled = no']);
  });

  it('has one extension, and no way out', () => {
    const extensions = settingsOf('extensions.conf').filter((line) => line.startsWith('exten'));
    expect(extensions).toHaveLength(1);
    const dialled = settingsOf('extensions.conf').flatMap((line) => [
      ...line.matchAll(/Dial\(([A-Za-z0-9]+)\//g),
    ]);
    expect(dialled.map(([, technology]) => technology)).toEqual(['WebSocket']);
  });

  it('dials as the gateway reads it', () => {
    const dialplan = settingsOf('extensions.conf').join('\n');
    const [, options = '', query = ''] = /Dial\(WebSocket\/gateway\/(.*?)v\((.*)\)\)$/m.exec(dialplan) ?? [];
    expect(options).toBe('c(slin16)f(json)');
    const values: Record<string, string> = {
      '${UNIQUEID}': '1795170643.0',
      '${URIENCODE(${CALLERID(num)})}': encodeURIComponent('+15551230001'),
      '${EXTEN}': '600',
    };
    const written = Object.entries(values).reduce((text, [name, value]) => text.replace(name, value), query);
    expect(written).not.toContain('$');
    const upgrade = createAsteriskUpgrade({ username: 'offhook', passwords: ['p'], ari: null });
    // Asterisk joins what stands between the commas with "&".
    const target = `/asterisk/media?${written.replaceAll(',', '&')}`;
    expect(upgrade.incoming?.({ method: 'GET', target, headers: {}, body: Buffer.alloc(0) })).toEqual({
      carrier: 'asterisk',
      callId: '1795170643.0',
      accountId: null,
      from: '+15551230001',
      to: '600',
      direction: 'inbound',
    });
    const client = settingsOf('websocket_client.conf');
    expect(client).toEqual(expect.arrayContaining(['[gateway]', `protocols = ${upgrade.subprotocols[0]}`]));
  });

  it('says nothing but comments about trunks, and has no secret in it', () => {
    for (const file of files) {
      const text = settingsOf(file).join('\n');
      expect(text, file).not.toMatch(/trunk|203\.0\.113|secret|password = (?!@PASSWORD@)/i);
    }
  });
});

describe('Asterisk’s start', () => {
  it('writes the configuration with the newest password, for nobody else to read, and starts with it', () => {
    const { run, status, stdout } = start({ ...GIVEN, PORT: '9000' });
    expect(status).toBe(0);
    expect(stdout).toBe(`asterisk -f -C ${run}/etc/asterisk.conf\n`);
    expect(readdirSync(join(run, 'etc')).toSorted()).toEqual(files.toSorted());
    const client = readFileSync(join(run, 'etc/websocket_client.conf'), 'utf8');
    expect(client).toContain('uri = ws://127.0.0.1:9000/asterisk/media\n');
    expect(client).toContain('username = offhook\npassword = newest\n');
    expect(readFileSync(join(run, 'etc/asterisk.conf'), 'utf8')).toContain(`astetcdir => ${run}/etc\n`);
    for (const file of files) {
      expect(readFileSync(join(run, 'etc', file), 'utf8'), file).not.toMatch(/@[A-Z_]+@/);
      expect(statSync(join(run, 'etc', file)).mode & 0o077, file).toBe(0);
    }
  });

  it('can be done again', () => {
    const { run } = start(GIVEN);
    expect(start({ ...GIVEN, RUN_DIR: run }).status).toBe(0);
  });

  it.each([
    [{ ...GIVEN, ASTERISK_USERNAME: '' }, 'ASTERISK_USERNAME ""'],
    [{ ...GIVEN, ASTERISK_USERNAME: 'a|b' }, 'ASTERISK_USERNAME "a|b"'],
    [{ ...GIVEN, ASTERISK_PASSWORD: '' }, 'no ASTERISK_PASSWORD'],
    [{ ASTERISK_USERNAME: 'offhook' }, 'no ASTERISK_PASSWORD'],
    [{ ...GIVEN, ASTERISK_PASSWORD: 'semi;colon' }, 'an ASTERISK_PASSWORD with other characters'],
    [{ ...GIVEN, ASTERISK_PASSWORD: 'a&b' }, 'an ASTERISK_PASSWORD with other characters'],
    [{ ...GIVEN, PORT: '80;rm' }, 'PORT "80;rm"'],
  ] as const)('refuses %j and says why, but not the password', (env, found) => {
    const { status, stderr, stdout } = start({ ...env });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`Starting Asterisk: found ${found}; wanted `);
    expect(stderr).not.toMatch(/semi;colon|a&b|newest/);
  });
});
