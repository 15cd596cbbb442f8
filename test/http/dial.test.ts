import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { buildAdminApp } from '../../src/http/admin-app.ts';
import { silentLog } from '../../src/observability/log.ts';
import { recordMeters } from './harness.ts';
import { ScriptedDesk } from './scripted-desk.ts';

const TOKEN = 'the-admin-token-of-this-test-0123456789';
const ASK = { carrier: 'telnyx', from: '+15550100002', to: '+15550100001', bot: 'reminder' };
let app: FastifyInstance;
let desk: ScriptedDesk;
afterEach(() => app.close());

function start(token: string | null = null): void {
  desk = new ScriptedDesk();
  app = buildAdminApp({
    desk,
    access: { token, hosts: [] },
    clock: systemClock,
    log: silentLog(),
    meters: recordMeters([]),
    exposition: { contentType: 'text/plain', expose: async () => '' },
  });
}

async function post(body: unknown, headers: Record<string, string> = {}) {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const reply = await app.inject({
    method: 'POST',
    url: '/api/calls',
    headers: { host: 'localhost', 'content-type': 'application/json', ...headers },
    payload,
  });
  return { status: reply.statusCode, body: reply.json() as unknown };
}

describe('POST /api/calls', () => {
  test('hands the order to the desk, and says 201 with both names of the call', async () => {
    start();
    expect(await post(ASK)).toEqual({ status: 201, body: { ref: 'ref-of-dial', callId: 'CA-dialled' } });
    expect(desk.asked).toEqual([ASK]);
  });

  test('without a bot the desk chooses', async () => {
    start();
    const { bot: _bot, ...rest } = ASK;
    await post(rest);
    await post({ ...rest, bot: null });
    expect(desk.asked).toEqual([
      { ...rest, bot: null },
      { ...rest, bot: null },
    ]);
  });

  test.each([
    ['invalid', 400],
    ['not-allowed', 403],
    ['too-many', 429],
    ['draining', 503],
    ['full', 503],
  ] as const)('%s is %d, with what was found and wanted', async (why, status) => {
    start();
    desk.outcome = { ok: false, why, detail: 'found this: wanted that.' };
    expect(await post(ASK)).toEqual({ status, body: { error: why, detail: 'found this: wanted that.' } });
  });

  test('what the carrier says is 502 with its result', async () => {
    start();
    desk.outcome = { ok: false, why: 'carrier', result: 'retryable', detail: 'status 503' };
    expect(await post(ASK)).toEqual({
      status: 502,
      body: { error: 'carrier', result: 'retryable', detail: 'status 503' },
    });
  });

  test.each([
    ['nothing', {}],
    ['a list', [ASK]],
    ['no text', { ...ASK, to: 15550100001 }],
    ['an empty number', { ...ASK, from: '' }],
    ['an endless number', { ...ASK, to: `+${'1'.repeat(200)}` }],
    ['a field too many', { ...ASK, url: 'https://example.com' }],
    ['null', 'null'],
  ])('%s is 400, and nobody is asked', async (_what, body) => {
    start();
    expect(await post(body)).toEqual({
      status: 400,
      body: { error: 'invalid', detail: expect.stringContaining('wanted JSON with "carrier"') },
    });
    expect(desk.asked).toEqual([]);
  });

  test.each([
    ['a form', 'to=1', 'application/x-www-form-urlencoded', 415],
    ['broken JSON', '{', 'application/json', 400],
    ['a body without end', JSON.stringify({ ...ASK, bot: 'x'.repeat(20_000) }), 'application/json', 413],
  ])('%s is refused', async (_what, body, type, status) => {
    start();
    expect((await post(body, { 'content-type': type })).status).toBe(status);
    expect(desk.asked).toEqual([]);
  });

  test('is for the owner alone: the token, the name and the page of the listener', async () => {
    start(TOKEN);
    expect((await post(ASK)).status).toBe(401);
    expect((await post(ASK, { host: 'evil.example.com' })).status).toBe(403);
    const authorization = `Bearer ${TOKEN}`;
    expect((await post(ASK, { authorization, origin: 'https://evil.example.com' })).status).toBe(403);
    expect(desk.asked).toEqual([]);
    expect((await post(ASK, { authorization })).status).toBe(201);
  });
});
