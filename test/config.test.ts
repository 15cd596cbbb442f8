import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Config, describeSettings, isLoopbackHost, parseConfig } from '../src/config.ts';

const SID = `AC${'0123456789abcdef'.repeat(2)}`;
const TWILIO = { TWILIO_ACCOUNT_SID: SID, TWILIO_AUTH_TOKEN: 'secret-token-one' };
const PUBLIC = { PUBLIC_URL: 'https://voice.example.com' };
const KEY = { GEMINI_API_KEY: 'a-key-of-gemini' };

const pemOf = (type: 'rsa' | 'ed25519') =>
  (type === 'rsa'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ed25519')
  ).privateKey
    .export({ type: 'pkcs8', format: 'pem' })
    .toString()
    .trim();
const PEM = pemOf('rsa');
const PUBLIC_KEYS = [randomBytes(32), randomBytes(32)].map((key) => key.toString('base64'));

/** The least of each carrier. */
const CARRIERS: Readonly<Record<string, Record<string, string>>> = {
  twilio: TWILIO,
  telnyx: { TELNYX_API_KEY: 'KEY-telnyx', TELNYX_PUBLIC_KEY: PUBLIC_KEYS[0] as string },
  plivo: { PLIVO_AUTH_ID: 'MA1', PLIVO_AUTH_TOKEN: 'token-plivo' },
  vonage: {
    VONAGE_APPLICATION_ID: 'app-1',
    VONAGE_PRIVATE_KEY: PEM,
    VONAGE_SIGNATURE_SECRET: 'secret-vonage',
  },
  signalwire: {
    SIGNALWIRE_SPACE: 'example',
    SIGNALWIRE_PROJECT_ID: 'project-1',
    SIGNALWIRE_API_TOKEN: 'token-signalwire',
    SIGNALWIRE_SIGNING_KEY: 'signing-signalwire',
  },
  jambonz: {
    JAMBONZ_API_URL: 'https://jambonz.example.com/v1',
    JAMBONZ_ACCOUNT_SID: 'account-1',
    JAMBONZ_API_KEY: 'key-jambonz',
    JAMBONZ_WEBHOOK_SECRET: 'secret-jambonz',
  },
  asterisk: { ASTERISK_USERNAME: 'pbx', ASTERISK_PASSWORD: 'password-asterisk' },
};
const ARI = {
  ASTERISK_ARI_URL: 'http://127.0.0.1:8088',
  ASTERISK_ARI_USERNAME: 'ari',
  ASTERISK_ARI_PASSWORD: 'password-ari',
};

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
    expect(config.carriers).toEqual({});
    expect(config.network).toEqual({
      host: '0.0.0.0',
      port: 8080,
      adminHost: '127.0.0.1',
      adminPort: 8081,
      adminToken: null,
      adminHosts: [],
      publicUrl: null,
    });
    expect(config.limits).toEqual({
      maxCalls: 100,
      connectsPerSecond: 15,
      connectsAtOnce: 32,
      drainSeconds: 600,
      dialAllow: [],
      dialPerHour: 6,
      toolAllowHosts: [],
    });
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
    expect(config.carriers.twilio?.authTokens).toEqual(['new-token', 'old-token']);
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

  test.each(Object.entries(CARRIERS))('%s alone is configured alone', (id, env) => {
    expect(Object.keys(configOf(env).carriers)).toEqual([id]);
  });

  test('of each the least is enough, and everything else has its default', () => {
    expect(configOf(Object.assign({}, ...Object.values(CARRIERS))).carriers).toEqual({
      twilio: { accountSid: SID, authTokens: ['secret-token-one'], verifyStream: 'required' },
      telnyx: {
        apiKeys: ['KEY-telnyx'],
        publicKeys: [PUBLIC_KEYS[0]],
        audio: { encoding: 'pcmu', sampleRate: 8000 },
        l16Order: 'little',
      },
      plivo: { authId: 'MA1', authTokens: ['token-plivo'], audio: 'pcmu', verifyStream: 'required' },
      vonage: {
        applicationId: 'app-1',
        privateKeys: [PEM],
        signatureSecrets: ['secret-vonage'],
        sampleRate: 16000,
        verifyStream: 'required',
      },
      signalwire: {
        space: 'example',
        projectId: 'project-1',
        apiTokens: ['token-signalwire'],
        signingKeys: ['signing-signalwire'],
        audio: { encoding: 'pcmu', sampleRate: 8000 },
      },
      jambonz: {
        accountSid: 'account-1',
        webhookSecrets: ['secret-jambonz'],
        apiKeys: ['key-jambonz'],
        apiBaseUrl: 'https://jambonz.example.com/v1',
        audio: 'l16@8000',
      },
      asterisk: { username: 'pbx', passwords: ['password-asterisk'], ari: null },
    });
  });

  test('what may be chosen is taken over', () => {
    const { carriers } = configOf({
      ...Object.assign({}, ...Object.values(CARRIERS)),
      ...ARI,
      TELNYX_PUBLIC_KEY: PUBLIC_KEYS.join(', '),
      TELNYX_CONNECTION_ID: '123',
      TELNYX_AUDIO: 'l16@16000',
      TELNYX_L16_ORDER: 'big',
      PLIVO_AUDIO: 'l16@24000',
      PLIVO_VERIFY_STREAM: 'when-present',
      VONAGE_AUDIO: 'l16@24000',
      VONAGE_VERIFY_STREAM: 'when-present',
      SIGNALWIRE_AUDIO: 'l16@16000',
      JAMBONZ_AUDIO: 'l16@16000',
      JAMBONZ_APPLICATION_SID: 'application-1',
      ASTERISK_ARI_STASIS: '1',
      ASTERISK_DIAL_ENDPOINT: 'PJSIP/{number}@trunk',
      ASTERISK_DIAL_EXTENSION: '600@outbound',
    });
    expect(carriers).toMatchObject({
      telnyx: {
        connectionId: '123',
        publicKeys: PUBLIC_KEYS,
        audio: { encoding: 'l16', sampleRate: 16000 },
        l16Order: 'big',
      },
      plivo: { audio: 'l16@24000', verifyStream: 'when-present' },
      vonage: { sampleRate: 24000, verifyStream: 'when-present' },
      signalwire: { audio: { encoding: 'l16', sampleRate: 16000 } },
      jambonz: { audio: 'l16@16000', applicationSid: 'application-1' },
      asterisk: {
        ari: {
          url: 'http://127.0.0.1:8088',
          username: 'ari',
          passwords: ['password-ari'],
          callersInStasis: true,
          dial: { endpoint: 'PJSIP/{number}@trunk', extension: '600', context: 'outbound' },
        },
      },
    });
  });

  test('every secret of every carrier is known to the log', () => {
    const env = {
      ...Object.assign({}, ...Object.values(CARRIERS)),
      ...ARI,
      TWILIO_AUTH_TOKEN: 'new-one, old-one',
    };
    const { secrets } = configOf(env);
    for (const secret of [
      'new-one',
      'old-one',
      'KEY-telnyx',
      'token-plivo',
      PEM,
      'secret-vonage',
      'token-signalwire',
      'signing-signalwire',
      'key-jambonz',
      'secret-jambonz',
      'password-asterisk',
      'password-ari',
    ]) {
      expect(secrets).toContain(secret);
    }
  });

  test.each([
    ['TELNYX_PUBLIC_KEY', 'bm90IDMyIGJ5dGVz'],
    ['TELNYX_PUBLIC_KEY', `${PUBLIC_KEYS[0]},x`],
    ['TELNYX_AUDIO', 'opus'],
    ['TELNYX_L16_ORDER', 'middle'],
    ['PLIVO_AUDIO', 'pcma'],
    ['VONAGE_AUDIO', 'pcmu'],
    ['SIGNALWIRE_AUDIO', 'l16@8000'],
    ['JAMBONZ_AUDIO', 'pcmu'],
    ['ASTERISK_DIAL_ENDPOINT', 'PJSIP/trunk'],
    ['ASTERISK_DIAL_EXTENSION', '600'],
    ['DIAL_PER_HOUR', '0'],
  ])('%s is not "%s"', (name, value) => {
    const all = { ...Object.assign({}, ...Object.values(CARRIERS)), ...ARI };
    expect(problemsOf({ ...all, [name]: value })).toContainEqual(
      expect.stringMatching(new RegExp(`^${name} is "${value.replace(/[+/]/g, '.')}": wanted `)),
    );
  });

  test.each([
    ['without the interface', {}, ['ASTERISK_ARI_URL', 'ASTERISK_ARI_USERNAME', 'ASTERISK_ARI_PASSWORD']],
    ['without its extension', ARI, ['ASTERISK_DIAL_EXTENSION']],
  ])('Asterisk cannot place calls %s', (_how, env, missing) => {
    const [problem] = problemsOf({
      ...CARRIERS['asterisk'],
      ...env,
      ASTERISK_DIAL_ENDPOINT: 'PJSIP/{number}@trunk',
    });
    for (const name of missing) expect(problem).toMatch(new RegExp(`but .*${name}.* not`));
  });
});

describe('the private key of Vonage', () => {
  const problemsWith = (key: string, read?: (path: string) => string) => {
    const parsed = parseConfig({ ...CARRIERS['vonage'], VONAGE_PRIVATE_KEY: key }, read);
    return parsed.ok ? parsed.config : parsed.problems;
  };
  const keysOf = (key: string, read?: (path: string) => string) => {
    const found = problemsWith(key, read);
    return 'carriers' in found ? found.carriers.vonage?.privateKeys : found;
  };

  test('is text, also with its line ends written out, or a file, or both while rotating', () => {
    const other = pemOf('rsa');
    const read = (path: string) => {
      if (path === '/run/secrets/vonage.key') return `${other}\n`;
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    };
    expect(keysOf(PEM)).toEqual([PEM]);
    expect(keysOf(PEM.replaceAll('\n', '\\n'))).toEqual([PEM]);
    expect(keysOf('/run/secrets/vonage.key', read)).toEqual([other]);
    expect(keysOf(`/run/secrets/vonage.key, ${PEM}`, read)).toEqual([other, PEM]);
    const config = problemsWith('/run/secrets/vonage.key', read);
    expect('secrets' in config && config.secrets).toContain(other);
  });

  test.each([
    ['a file that is not there', '/nowhere/vonage.key', /neither PEM text nor .* \(found "ENOENT"\)/],
    ['a key without its first line', PEM.split('\n').slice(1).join('\n'), /neither PEM text/],
    ['a broken key', PEM.replace(/\n.{20}/, '\n'), /wanted an RSA key as PEM text/],
    ['a key of another kind', pemOf('ed25519'), /"ed25519", wanted an RSA key/],
  ])('%s is one clear problem, which does not repeat it', (_what, key, problem) => {
    const problems = problemsWith(key);
    expect(problems).toEqual([expect.stringMatching(problem)]);
    const [text = ''] = problems as readonly string[];
    expect(text).toContain('VONAGE_PRIVATE_KEY');
    for (const line of key.split('\n').filter((each) => each.length > 10 && !each.startsWith('--')))
      expect(text).not.toContain(line);
  });
});

describe('problems', () => {
  test('all are listed at once, with name, value and what is wanted', () => {
    const problems = problemsOf({
      PORT: 'eighty',
      ADMIN_PORT: '65536',
      MAX_CALLS: '0',
      CONNECTS_PER_SECOND: '0',
      CONNECTS_AT_ONCE: '1e3',
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
      'CONNECTS_PER_SECOND is "0"',
      'CONNECTS_AT_ONCE is "1e3"',
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
