import { describe, expect, test } from 'vitest';
import { type Config, describeSettings, isLoopbackHost, parseConfig } from '../src/config.ts';

const SID = `AC${'0123456789abcdef'.repeat(2)}`;
const TWILIO = { TWILIO_ACCOUNT_SID: SID, TWILIO_AUTH_TOKEN: 'secret-token-one' };
const PUBLIC = { PUBLIC_URL: 'https://voice.example.com' };
const KEY = { GEMINI_API_KEY: 'a-key-of-gemini' };

function configOf(env: Record<string, string>): Config {
  const parsed = parseConfig(env);
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.config;
}

function problemsOf(env: Record<string, string>): readonly string[] {
  const parsed = parseConfig(env);
  return parsed.ok ? [] : parsed.problems;
}

describe('lab mode and serving', () => {
  test('an empty environment is lab mode with every default', () => {
    const config = configOf({});
    expect(config.mode).toBe('lab');
    expect(config.twilio).toBeNull();
    expect(config.network).toEqual({
      host: '0.0.0.0',
      port: 8080,
      adminHost: '127.0.0.1',
      adminPort: 8081,
      adminToken: null,
      adminHosts: [],
      publicUrl: null,
    });
    expect(config.limits).toEqual({ maxCalls: 100, drainSeconds: 600, dialAllow: [], toolAllowHosts: [] });
    expect(config.secrets).toEqual([]);
  });

  test.each([
    ['no key, no carrier, public', { ...PUBLIC }, 'lab'],
    ['no key, carrier, loopback', { ...TWILIO, PUBLIC_URL: 'http://localhost:8080' }, 'lab'],
    ['no key, carrier, no PUBLIC_URL', { ...TWILIO }, 'lab'],
    ['no key, carrier, public, emulator asked for', { ...TWILIO, ...PUBLIC, EMULATOR: '1' }, 'lab'],
    ['no key, another endpoint', { GOOGLE_GEMINI_BASE_URL: 'http://127.0.0.1:9090' }, 'lab'],
    ['key, no carrier', { ...KEY }, 'serve'],
    ['key, carrier, public', { ...KEY, ...TWILIO, ...PUBLIC }, 'serve'],
    ['key, carrier, loopback', { ...KEY, ...TWILIO, PUBLIC_URL: 'http://[::1]:8080' }, 'serve'],
    ['key, emulator asked for', { ...KEY, EMULATOR: '1' }, 'lab'],
    [
      'Vertex instead of a key',
      {
        GOOGLE_GENAI_USE_VERTEXAI: 'true',
        GOOGLE_CLOUD_PROJECT: 'p',
        GOOGLE_CLOUD_LOCATION: 'europe-west4',
        ...TWILIO,
        ...PUBLIC,
      },
      'serve',
    ],
  ] as const)('%s', (_case, env, mode) => {
    expect(configOf(env).mode).toBe(mode);
  });

  test.each([
    ['no emulator asked for', {}],
    ['another endpoint is no key', { GOOGLE_GEMINI_BASE_URL: 'https://proxy.example.com' }],
    ['the emulator explicitly off', { EMULATOR: '0' }],
  ])('carrier credentials, a public address and no key are refused: %s', (_case, env) => {
    expect(problemsOf({ ...TWILIO, ...PUBLIC, ...env })).toEqual([
      expect.stringContaining('GEMINI_API_KEY is not set'),
    ]);
  });

  test('a key in lab mode is not handed to anything', () => {
    expect(configOf({ ...KEY, EMULATOR: '1' }).gemini.apiKey).toBeNull();
    expect(configOf({ ...KEY }).gemini.apiKey).toBe('a-key-of-gemini');
  });

  test('serving carriers needs the address that they see', () => {
    expect(problemsOf({ ...KEY, ...TWILIO })).toEqual([expect.stringContaining('PUBLIC_URL is not set')]);
  });

  test('half of Vertex is a problem that names the other half', () => {
    expect(problemsOf({ GOOGLE_GENAI_USE_VERTEXAI: 'true', GOOGLE_CLOUD_PROJECT: 'p' })).toEqual([
      expect.stringMatching(/GOOGLE_CLOUD_LOCATION/),
    ]);
  });
});

describe('PUBLIC_URL', () => {
  test.each([
    ['https://Voice.Example.com', 'https://voice.example.com'],
    ['https://voice.example.com/', 'https://voice.example.com'],
    ['https://voice.example.com:443', 'https://voice.example.com'],
    ['https://voice.example.com:8443', 'https://voice.example.com:8443'],
    ['http://localhost:8080', 'http://localhost:8080'],
    ['http://127.9.8.7', 'http://127.9.8.7'],
    ['http://[::1]:8080', 'http://[::1]:8080'],
  ])('%s is the origin %s', (given, origin) => {
    expect(configOf({ PUBLIC_URL: given }).network.publicUrl).toBe(origin);
  });

  test.each([
    'http://voice.example.com',
    'http://10.0.0.1',
    'http://localhost.example.com',
    'https://voice.example.com/path',
    'https://voice.example.com/?a=b',
    'https://voice.example.com?',
    'https://voice.example.com/#x',
    'wss://voice.example.com',
    'voice.example.com',
  ])('%s is refused and quoted', (given) => {
    expect(problemsOf({ PUBLIC_URL: given })).toEqual([expect.stringContaining(`PUBLIC_URL is "${given}"`)]);
  });

  test('a password in it is refused without being repeated', () => {
    const [problem] = problemsOf({ PUBLIC_URL: 'https://user:hunter22@voice.example.com' });
    expect(problem).toContain('PUBLIC_URL');
    expect(problem).not.toContain('hunter22');
  });
});

describe('carriers', () => {
  test('tokens are a list while they are rotated', () => {
    const config = configOf({ ...TWILIO, TWILIO_AUTH_TOKEN: ' new-token , old-token ' });
    expect(config.twilio?.authTokens).toEqual(['new-token', 'old-token']);
    expect(config.secrets).toEqual(expect.arrayContaining(['new-token', 'old-token']));
  });

  test('a list of nothing is not a token', () => {
    expect(problemsOf({ ...TWILIO, TWILIO_AUTH_TOKEN: ' , ' })).toEqual([
      expect.stringContaining('TWILIO_AUTH_TOKEN'),
    ]);
  });

  test.each([
    [{ TWILIO_ACCOUNT_SID: SID }, ['TWILIO_AUTH_TOKEN']],
    [{ TWILIO_AUTH_TOKEN: 'secret-token-one' }, ['TWILIO_ACCOUNT_SID']],
    [{ TELNYX_API_KEY: 'k' }, ['TELNYX_PUBLIC_KEY']],
    [{ VONAGE_APPLICATION_ID: 'a' }, ['VONAGE_PRIVATE_KEY', 'VONAGE_SIGNATURE_SECRET']],
    [
      { ASTERISK_USERNAME: 'u', ASTERISK_PASSWORD: 'p', ASTERISK_ARI_URL: 'http://127.0.0.1:8088' },
      ['ASTERISK_ARI_USERNAME', 'ASTERISK_ARI_PASSWORD'],
    ],
    [{ ASTERISK_ARI_USERNAME: 'u' }, ['ASTERISK_USERNAME', 'ASTERISK_ARI_URL']],
  ])('a half configured one lists what is missing: %o', (env, missing) => {
    const all = problemsOf(env as Record<string, string>).join('\n');
    for (const name of missing) expect(all).toContain(name);
  });

  test.each([
    { TELNYX_API_KEY: 'k', TELNYX_PUBLIC_KEY: 'p' },
    { PLIVO_AUTH_ID: 'i', PLIVO_AUTH_TOKEN: 't' },
    { ASTERISK_USERNAME: 'u', ASTERISK_PASSWORD: 'p' },
  ])('a complete one that is not built yet says so: %o', (env) => {
    expect(problemsOf(env as Record<string, string>)).toEqual([expect.stringContaining('is not built yet')]);
  });
});

describe('problems', () => {
  test('all are listed at once, with name, value and what is wanted', () => {
    const problems = problemsOf({
      PORT: 'eighty',
      ADMIN_PORT: '65536',
      MAX_CALLS: '0',
      DRAIN_SECONDS: '-1',
      LOG_LEVEL: 'loud',
      TWILIO_VERIFY_STREAM: 'maybe',
      PUBLIC_URL: 'ftp://x',
      PLIVO_AUTH_ID: 'x',
      DIAL_ALLOW: '0049',
      TOOL_ALLOW_HOSTS: 'example.com',
    });
    for (const found of [
      'PORT is "eighty"',
      'ADMIN_PORT is "65536"',
      'MAX_CALLS is "0"',
      'DRAIN_SECONDS is "-1"',
      'LOG_LEVEL is "loud"',
      'TWILIO_VERIFY_STREAM is "maybe"',
      'PUBLIC_URL is "ftp://x"',
      'PLIVO_AUTH_TOKEN not',
      'DIAL_ALLOW is "0049"',
      'TOOL_ALLOW_HOSTS is "example.com"',
    ]) {
      expect(problems).toContainEqual(expect.stringContaining(found));
    }
    for (const problem of problems) expect(problem).toMatch(/wanted /);
  });

  test('a secret is never repeated', () => {
    const secret = 'short but secret';
    const problems = problemsOf({ ADMIN_TOKEN: secret, DATABASE_URL: `mysql://u:${secret}@h` });
    expect(problems).toHaveLength(2);
    expect(problems.join('\n')).not.toContain(secret);
  });

  test('what is set to nothing is not set', () => {
    expect(configOf({ PORT: '', GEMINI_API_KEY: ' ', PUBLIC_URL: '', TWILIO_ACCOUNT_SID: '' })).toEqual(
      configOf({}),
    );
  });
});

describe('the admin listener', () => {
  test.each(['0.0.0.0', '::', '10.1.2.3', 'admin.example.com'])('on %s needs a token', (host) => {
    expect(problemsOf({ ADMIN_HOST: host })).toEqual([expect.stringContaining('ADMIN_TOKEN is not set')]);
    expect(configOf({ ADMIN_HOST: host, ADMIN_TOKEN: 'x'.repeat(32) }).network.adminToken).toHaveLength(32);
    expect(configOf({ ADMIN_HOST: host, ADMIN_TOKEN: 'auto' }).network.adminToken).toBe('auto');
  });

  test('a short token is no token', () => {
    expect(problemsOf({ ADMIN_TOKEN: 'x'.repeat(31) })).toHaveLength(1);
  });

  test.each([
    ['localhost', true],
    ['LOCALHOST', true],
    ['a.localhost', true],
    ['127.0.0.1', true],
    ['127.255.0.3', true],
    ['::1', true],
    ['[::1]', true],
    ['127.0.0.1.example.com', false],
    ['localhost.example.com', false],
    ['128.0.0.1', false],
    ['0.0.0.0', false],
    ['::', false],
    ['', false],
  ])('%s is loopback: %s', (host, loopback) => {
    expect(isLoopbackHost(host)).toBe(loopback);
  });
});

test('the table has each name once, with a meaning, and its defaults are an environment that is accepted', () => {
  const table = describeSettings();
  const names = table.map((row) => row.name);
  expect(new Set(names).size).toBe(names.length);
  for (const row of table) expect(row.meaning.length, row.name).toBeGreaterThan(5);
  expect(configOf(Object.fromEntries(table.map((row) => [row.name, row.default])))).toEqual(configOf({}));
});
