import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { SETTINGS } from '../../src/settings.ts';
import { composeServices } from './compose-file.ts';

/** What the container decides itself, whatever stands in .env. */
const FIXED: Readonly<Record<string, string>> = {
  HOST: '0.0.0.0',
  ADMIN_HOST: '0.0.0.0',
  DATA_DIR: '/data',
  BOTS_DIR: '/app/bots',
};
const SAMPLE: Readonly<Record<string, string>> = { PORT: '9000', ADMIN_PORT: '9001' };

/** Adds up "90s", "600s30000ms" and the like, as Go's durations do. */
function secondsOf(duration: string): number {
  const unit = { h: 3_600, m: 60, s: 1, ms: 0.001 } as const;
  const parts = [...duration.matchAll(/(\d+)(ms|h|m|s)/g)];
  expect(parts.map(([whole]) => whole).join('')).toBe(duration);
  return parts.reduce((sum, [, count, name]) => sum + Number(count) * unit[name as keyof typeof unit], 0);
}

/** Host address, host port and container port of what is published. */
const published = (env: Record<string, string> = {}) =>
  composeServices(env).gateway.ports.map((port) => port.split(':'));

describe('docker-compose.yml: settings', () => {
  it.each(Object.keys(SETTINGS).filter((name) => !(name in FIXED)))('%s reaches the gateway', (name) => {
    const value = SAMPLE[name] ?? 'a value of its own';
    expect(composeServices({ [name]: value }).gateway.environment[name]).toBe(value);
  });

  it('what the container decides itself cannot be changed from outside', () => {
    const elsewhere = Object.fromEntries(Object.keys(FIXED).map((name) => [name, '/elsewhere']));
    expect(composeServices(elsewhere).gateway.environment).toMatchObject(FIXED);
  });

  it('passes nothing on that the gateway does not know', () => {
    const known = new Set(Object.keys(SETTINGS));
    expect(Object.keys(composeServices().gateway.environment).filter((name) => !known.has(name))).toEqual([]);
  });

  it('up with no settings is lab mode, with an admin token that is made once', () => {
    const parsed = parseConfig(composeServices().gateway.environment);
    expect(parsed).toMatchObject({
      ok: true,
      config: {
        mode: 'lab',
        carriers: {},
        network: { host: '0.0.0.0', port: 8080, adminHost: '0.0.0.0', adminPort: 8081, adminToken: 'auto' },
        data: { dataDir: '/data', botsDir: '/app/bots' },
        limits: { drainSeconds: Number(SETTINGS.DRAIN_SECONDS.default) },
      },
    });
  });

  it('with a key, a public address and a carrier it serves the world', () => {
    const { environment } = composeServices({
      GEMINI_API_KEY: 'key',
      PUBLIC_URL: 'https://voice.example.com',
      TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
      TWILIO_AUTH_TOKEN: 'token',
    }).gateway;
    expect(parseConfig(environment)).toMatchObject({
      ok: true,
      config: { mode: 'serve', network: { publicUrl: 'https://voice.example.com' } },
    });
  });

  it('BOTS_DIR is a folder of this machine, mounted where the gateway looks', () => {
    const botsOf = (env: Record<string, string>) =>
      composeServices(env).gateway.volumes.find((volume) => typeof volume !== 'string');
    expect(botsOf({})).toMatchObject({ type: 'bind', source: './bots', target: FIXED['BOTS_DIR'] });
    expect(botsOf({ BOTS_DIR: '/srv/bots' })).toMatchObject({ source: '/srv/bots', read_only: true });
  });
});

describe('docker-compose.yml: what is reachable', () => {
  it('the admin listener only from this machine, whatever is set', () => {
    for (const env of [{}, { BIND: '0.0.0.0', ADMIN_HOST: '0.0.0.0', ADMIN_PORT: '9001', HOST: '0.0.0.0' }]) {
      const { environment } = composeServices(env).gateway;
      const adminPort = environment['ADMIN_PORT'] as string;
      expect(published(env).filter(([, , inside]) => inside === adminPort)).toEqual([
        ['127.0.0.1', adminPort, adminPort],
      ]);
    }
  });

  it('the public listener only from this machine, unless BIND says otherwise', () => {
    expect(published()[0]).toEqual(['127.0.0.1', '8080', '8080']);
    expect(published({ BIND: '0.0.0.0', PORT: '9000' })[0]).toEqual(['0.0.0.0', '9000', '9000']);
  });

  it('nothing else of the gateway', () => {
    expect(published()).toHaveLength(2);
  });
});

describe('docker-compose.yml: the end of the gateway', () => {
  it('the grace period is longer than any drain and what follows it', () => {
    // gateway.ts: 2 s for the carriers' last questions and 8 s for a teardown that hangs.
    const afterDrainSeconds = 10;
    for (const given of ['', '0', '1', '59', '61', '3600', '86400']) {
      const seconds = Number(given || SETTINGS.DRAIN_SECONDS.default);
      const grace = secondsOf(composeServices({ DRAIN_SECONDS: given }).gateway.stop_grace_period as string);
      expect(grace).toBeGreaterThan(seconds + afterDrainSeconds);
    }
  });

  it('the web server outlives the gateway, and is not needed for it', () => {
    const { gateway, caddy } = composeServices();
    expect(gateway.depends_on).toMatchObject({ caddy: { required: false } });
    expect(caddy.depends_on).toBeUndefined();
    expect(caddy.profiles).toEqual(['tls']);
  });
});

describe('docker-compose.yml: what a container may do', () => {
  it.each(['gateway', 'caddy'] as const)('%s: read-only, no capabilities, bounded logs', (name) => {
    const service = composeServices()[name];
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      tmpfs: [expect.stringMatching(/^\/tmp:size=\d+m/)],
      logging: { options: { 'max-size': expect.any(String), 'max-file': expect.any(String) } },
    });
    expect(service['privileged']).toBeUndefined();
    expect(service['network_mode']).toBeUndefined();
  });

  it('the gateway gets no capability back and keeps the image’s user; the web server may open ports 80 and 443', () => {
    const { gateway, caddy } = composeServices();
    expect(gateway).toMatchObject({ init: true, pids_limit: expect.any(Number) });
    expect([gateway['cap_add'], gateway.user]).toEqual([undefined, undefined]);
    expect(caddy['cap_add']).toEqual(['NET_BIND_SERVICE']);
  });

  it('the web server is one version of the official image', () => {
    expect(composeServices().caddy.image).toMatch(/^caddy:\d+\.\d+\.\d+-alpine$/);
  });
});
