import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { buildCarriers } from '../src/carriers/registry.ts';
import { systemClock } from '../src/clock.ts';
import { type Config, parseConfig } from '../src/config.ts';
import { type Gateway, type GatewayParts, openGateway } from '../src/gateway.ts';
import { loopbackUrl } from '../src/http/listen.ts';
import { silentLog } from '../src/observability/log.ts';
import { createMetrics } from '../src/observability/metrics.ts';
import { ScriptedDesk } from './http/scripted-desk.ts';

const ACCOUNT = `AC${'0'.repeat(32)}`;
let gateway: Gateway | null = null;
let desk: ScriptedDesk;
let closed: number;
afterEach(async () => {
  await gateway?.close();
  gateway = null;
});

function configOf(env: Record<string, string>): Config {
  const parsed = parseConfig({ HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', ...env });
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.config;
}

function parts(): GatewayParts {
  desk = new ScriptedDesk();
  closed = 0;
  const twilio = {
    accountSid: ACCOUNT,
    authTokens: ['token'],
    verifyStream: 'required',
    apiBaseUrl: null,
  } as const;
  return {
    clock: systemClock,
    log: silentLog(),
    metrics: createMetrics({ clock: systemClock, version: '0' }),
    adminToken: null,
    carriersFor: (publicUrl) => buildCarriers({ publicUrl, twilio }),
    createDesk: () => desk,
    close: async () => {
      closed += 1;
    },
  };
}

async function occupiedPort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, free: () => server.close() };
}

const statusOf = async (url: string) => (await fetch(url)).status;

describe('opening', () => {
  test('both listeners answer, each with its own routes only', async () => {
    gateway = await openGateway(configOf({}), parts());
    expect(await statusOf(`${gateway.localUrl}/healthz`)).toBe(200);
    expect(await statusOf(`${gateway.adminUrl}/metrics`)).toBe(200);
    for (const path of ['/metrics', '/api/calls', '/']) {
      expect(await statusOf(gateway.localUrl + path)).toBe(404);
    }
    expect(await statusOf(`${gateway.adminUrl}/twilio/voice`)).toBe(404);
    expect(gateway.publicUrl).toBe(gateway.localUrl);
  });

  test('PUBLIC_URL is what carriers are told, whatever port was opened', async () => {
    gateway = await openGateway(configOf({ PUBLIC_URL: 'https://voice.example.com' }), parts());
    expect(gateway.publicUrl).toBe('https://voice.example.com');
    expect(await statusOf(`${gateway.localUrl}/twilio/voice`)).toBe(403);
  });

  test.each([
    ['PORT', 'public listener'],
    ['ADMIN_PORT', 'admin listener'],
  ])('a taken %s is one sentence, and nothing stays open', async (name, listener) => {
    const taken = await occupiedPort();
    const others = await occupiedPort();
    others.free();
    const other = name === 'PORT' ? 'ADMIN_PORT' : 'PORT';
    const config = configOf({ [name]: String(taken.port), [other]: String(others.port) });
    const opening = openGateway(config, parts());
    await expect(opening).rejects.toMatchObject({
      code: 'ERR_PORT',
      message: expect.stringMatching(
        new RegExp(`${listener}.*"127\\.0\\.0\\.1:${taken.port}".*in use.*${name}`),
      ),
    });
    expect(closed).toBe(1);
    await expect(fetch(`http://127.0.0.1:${others.port}/`)).rejects.toThrow();
    taken.free();
  });

  test('when the calls cannot be set up nothing stays open', async () => {
    const broken: GatewayParts = {
      ...parts(),
      createDesk: () => {
        throw new Error('no clips');
      },
    };
    await expect(openGateway(configOf({}), broken)).rejects.toThrow('no clips');
    expect(closed).toBe(1);
  });

  test.each([
    ['0.0.0.0', 'http://127.0.0.1:80'],
    ['::', 'http://127.0.0.1:80'],
    ['::1', 'http://[::1]:80'],
    ['10.1.2.3', 'http://10.1.2.3:80'],
    ['localhost', 'http://localhost:80'],
  ])('a listener on %s is reached at %s', (host, url) => {
    expect(loopbackUrl(host, 80)).toBe(url);
  });
});

describe('ending', () => {
  test('draining takes no new calls, waits as long as configured, and leaves the listeners open', async () => {
    gateway = await openGateway(configOf({ DRAIN_SECONDS: '42' }), parts());
    await gateway.drain();
    expect(desk.draining).toBe(true);
    expect(desk.drainDeadlines).toEqual([42_000]);
    expect(await statusOf(`${gateway.localUrl}/readyz`)).toBe(200);
    desk.drainingForMs = 10_000;
    expect(await statusOf(`${gateway.localUrl}/readyz`)).toBe(503);
  });

  test('closing during a drain ends the calls that it waits for', async () => {
    gateway = await openGateway(configOf({}), parts());
    const { promise, resolve } = Promise.withResolvers<void>();
    desk.drained = () => promise;
    desk.live = [{ ref: 'r1', carrier: 'twilio', bot: 'b', state: 'talking', durationMs: 1 }];
    desk.onEnd = resolve;
    const draining = gateway.drain();
    await gateway.close();
    await draining;
    expect(desk.ended).toMatchObject([{ ref: 'r1', reason: { who: 'operator', how: 'drained' } }]);
  });

  test('closing ends what is left at once, closes both listeners, and may be asked twice', async () => {
    gateway = await openGateway(configOf({}), parts());
    const { localUrl, adminUrl } = gateway;
    await Promise.all([gateway.close(), gateway.close()]);
    expect(desk.drainDeadlines).toEqual([0]);
    expect(closed).toBe(1);
    await expect(fetch(`${localUrl}/healthz`)).rejects.toThrow();
    await expect(fetch(`${adminUrl}/`)).rejects.toThrow();
  });
});
