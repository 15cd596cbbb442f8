import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { buildAdminApp } from '../../src/http/admin-app.ts';
import { judgeAdminRequest } from '../../src/http/admin-guard.ts';
import { silentLog } from '../../src/observability/log.ts';
import { recordMeters } from './harness.ts';
import { ScriptedDesk } from './scripted-desk.ts';

const TOKEN = 'the-admin-token-of-this-test-0123456789';
let app: FastifyInstance;
let desk: ScriptedDesk;
let counted: string[];
afterEach(() => app?.close());

async function start(token: string | null, hosts: string[] = []): Promise<void> {
  desk = new ScriptedDesk();
  counted = [];
  desk.live = [{ ref: 'r1', carrier: 'twilio', bot: 'front-desk', state: 'talking', durationMs: 61_000 }];
  app = buildAdminApp({
    desk,
    access: { token, hosts },
    clock: systemClock,
    log: silentLog(),
    meters: recordMeters(counted),
    exposition: { contentType: 'text/plain; version=0.0.4', expose: async () => 'offhook_up 1\n' },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
}

/** Node's own client, because fetch lets nobody choose the Host. */
function ask(
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<{ status: number; body: string; headers: Record<string, unknown> }> {
  const { port } = app.server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        body += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
      );
    });
    asking.on('error', reject);
    asking.end();
  });
}

describe('on loopback without a token', () => {
  test('calls, metrics and the page are there', async () => {
    await start(null);
    expect(JSON.parse((await ask('/api/calls')).body)).toEqual({
      calls: desk.live,
      capacity: 10,
      draining: false,
    });
    expect(await ask('/metrics')).toMatchObject({
      status: 200,
      body: 'offhook_up 1\n',
      headers: { 'content-type': 'text/plain; version=0.0.4' },
    });
    expect((await ask('/')).status).toBe(200);
    expect((await ask('/other')).status).toBe(404);
  });

  test('everything the page needs obeys its own content security policy', async () => {
    await start(null);
    const page = await ask('/');
    expect(page.headers['content-security-policy']).toMatch(/default-src 'none'; script-src 'self'/);
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(page.body).not.toMatch(/<script(?![^>]*src=)|style=|<style|\son\w+=/);
    for (const [, path] of page.body.matchAll(/(?:src|href)="([^"]+)"/g)) {
      expect((await ask(path as string)).status, path).toBe(200);
    }
    const script = await ask('/calls.js');
    expect(script.headers['content-type']).toMatch(/^text\/javascript/);
    expect(() => new Function(script.body)).not.toThrow();
  });

  test('an operator ends a call', async () => {
    await start(null);
    expect((await ask('/api/calls/r1/hangup', {}, 'POST')).status).toBe(202);
    expect(desk.ended).toMatchObject([{ ref: 'r1', reason: { who: 'operator', how: 'completed' } }]);
    expect((await ask('/api/calls/r2/hangup', {}, 'POST')).status).toBe(404);
    expect((await ask('/api/calls/r1/hangup')).status).toBe(404);
  });

  test.each([
    'evil.example.com',
    '127.0.0.1.evil.example.com',
    'localhost@evil.example.com',
    '10.0.0.1:8081',
  ])('a name that is not ours is refused: %s', async (host) => {
    await start(null);
    for (const path of ['/', '/api/calls', '/metrics']) {
      expect((await ask(path, { host })).status).toBe(403);
    }
    expect(desk.ended).toEqual([]);
  });

  test.each([
    [{ origin: 'https://evil.example.com' }],
    [{ origin: 'null' }],
    [{ origin: 'http://127.0.0.1:1' }],
    [{ 'sec-fetch-site': 'cross-site' }],
  ])('a page of another site is refused: %o', async (headers) => {
    await start(null);
    expect((await ask('/api/calls/r1/hangup', headers as Record<string, string>, 'POST')).status).toBe(403);
    expect(desk.ended).toEqual([]);
    expect(counted).toEqual(['auth admin origin']);
  });

  test('our own page is let in', async () => {
    await start(null);
    const { port } = app.server.address() as AddressInfo;
    const headers = { origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' };
    expect((await ask('/api/calls/r1/hangup', headers, 'POST')).status).toBe(202);
  });
});

describe('with a token', () => {
  test.each(['/api/calls', '/metrics'])('%s asks for it', async (path) => {
    await start(TOKEN);
    expect(await ask(path)).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
    for (const authorization of [
      'Bearer wrong',
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      `Basic ${TOKEN}`,
      TOKEN,
      'Bearer',
      '',
    ]) {
      expect((await ask(path, { authorization })).status, authorization).toBe(401);
    }
    expect((await ask(`${path}?token=${TOKEN}&access_token=${TOKEN}`)).status).toBe(401);
    expect((await ask(path, { authorization: `Bearer ${TOKEN}` })).status).toBe(200);
  });

  test('hanging up asks for it', async () => {
    await start(TOKEN);
    expect((await ask('/api/calls/r1/hangup', {}, 'POST')).status).toBe(401);
    expect(desk.ended).toEqual([]);
  });

  test('the page itself does not, and holds nothing of the calls', async () => {
    await start(TOKEN);
    const page = await ask('/');
    expect(page.status).toBe(200);
    expect(page.body).not.toContain('front-desk');
  });

  test('another name may be allowed, in any case and with a port', async () => {
    await start(TOKEN, ['offhook']);
    const authorization = `Bearer ${TOKEN}`;
    expect((await ask('/metrics', { host: 'Offhook:8081', authorization })).status).toBe(200);
    expect((await ask('/metrics', { host: 'offhook.evil.example.com', authorization })).status).toBe(403);
    expect((await ask('/metrics', { host: 'offhook' })).status).toBe(401);
  });
});

test('a request without Host is refused', () => {
  expect(judgeAdminRequest({}, { token: null, hosts: [] }, false)).toBe('wrong-host');
});
