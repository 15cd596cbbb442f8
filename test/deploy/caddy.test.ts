import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { CARRIER_IDS } from '../../src/carriers/carrier.ts';
import { SETTINGS } from '../../src/settings.ts';
import { project, readProject } from './compose-file.ts';

const CADDYFILE = readProject('deploy/caddy/Caddyfile');
const FORWARDED = new RegExp(/@public path_regexp (\S+)/.exec(CADDYFILE)![1]!);

describe('Caddyfile', () => {
  it.each(CARRIER_IDS)('forwards every route of %s', (carrier) => {
    for (const route of ['voice', 'after', 'events', 'media', `media/${'aZ09_-'.repeat(16)}`]) {
      expect(`/${carrier}/${route}`).toMatch(FORWARDED);
    }
  });

  it('forwards the health routes', () => {
    for (const path of ['/healthz', '/readyz']) expect(path).toMatch(FORWARDED);
  });

  it.each(['/', '/metrics', '/api/calls', '/calls.js', '/twilio', '/twilio/voice/x', '/twilio/media/a/b'])(
    'does not forward %s',
    (path) => {
      expect(path).not.toMatch(FORWARDED);
    },
  );

  it('knows the public port only', () => {
    expect([...CADDYFILE.matchAll(/reverse_proxy (\S+)/g)].map(([, to]) => to)).toEqual(['gateway:{$PORT}']);
    expect(CADDYFILE).not.toContain('ADMIN');
  });
});

describe('the web server’s start', () => {
  // A shell function cannot stand in for what `exec` looks up, so a folder with such a program does.
  const start = (publicUrl: string) =>
    spawnSync('sh', [fileURLToPath(project('deploy/caddy/start.sh'))], {
      env: {
        PATH: `${fileURLToPath(new URL('stub', import.meta.url))}:/usr/bin:/bin`,
        PUBLIC_URL: publicUrl,
      },
      encoding: 'utf8',
    });

  it.each(['', 'http://127.0.0.1:8080', 'voice.example.com'])(
    'refuses PUBLIC_URL "%s" and says why',
    (url) => {
      const { status, stderr } = start(url);
      expect(status).toBe(1);
      expect(stderr).toContain(`PUBLIC_URL is "${url}"; wanted an origin such as https://`);
    },
  );

  it.each(['https://voice.example.com', 'https://voice.example.com/'])('takes "%s" for the origin', (url) => {
    expect(start(url).stdout).toBe('site https://voice.example.com\n');
  });
});

describe('deploy/env.example', () => {
  it('names only settings, and what Compose reads itself', () => {
    const names = [...readProject('deploy/env.example').matchAll(/^(\w+)=/gm)].map(([, name]) => name!);
    const known = new Set([...Object.keys(SETTINGS), 'BIND', 'COMPOSE_PROFILES']);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['GEMINI_API_KEY', 'PUBLIC_URL']));
  });
});
