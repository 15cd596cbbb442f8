import Telnyx from 'telnyx';
import { describe, expect, test } from 'vitest';
import type { ControlPort, IncomingCall } from '../../../src/carriers/carrier.ts';
import { REFUSAL_SENTENCES } from '../../../src/carriers/refusals.ts';
import { isStreamBearer } from '../../../src/carriers/stream-bearer.ts';
import { createTelnyxAdapter } from '../../../src/carriers/telnyx/adapter.ts';
import type { TelnyxSettings } from '../../../src/carriers/telnyx/settings.ts';
import { type Answer, CALL_ID, fakeApi, ok, PUBLIC_URL, refused, settings } from './support.ts';

const PATH = '/telnyx/media/abc';
const call: IncomingCall = {
  carrier: 'telnyx',
  callId: CALL_ID,
  accountId: null,
  from: '+15551230001',
  to: '+15551230002',
  direction: 'inbound',
};
const placed: IncomingCall = { ...call, direction: 'outbound', dialRef: 'r1' };

function telnyx(over: Partial<TelnyxSettings>, ...answers: (() => Answer)[]) {
  const api = fakeApi(...answers);
  const adapter = createTelnyxAdapter({ ...settings, ...over }, PUBLIC_URL, api.dependencies);
  if (adapter.webhook === null) throw new Error('building Telnyx: found no webhook, wanted one');
  const actions = () => api.seen.map(({ url }) => /\/actions\/(.*)$/.exec(url)?.[1] ?? url);
  return { ...api, actions, control: adapter.control, webhook: adapter.webhook, adapter };
}
const notYet = () => refused(422, '90034');
const gone = () => refused(422, '90018');
const broken = () => new TypeError('fetch failed');

describe('a Call Control call is answered', () => {
  test('with one command that opens the stream', async () => {
    const { webhook, seen, actions } = telnyx({});
    expect(await webhook.accept(call, PATH)).toEqual({
      status: 200,
      contentType: 'application/json',
      body: '',
    });
    expect(actions()).toEqual(['answer']);
    expect(seen[0]).toMatchObject({
      url: `https://api.telnyx.com/v2/calls/${CALL_ID}/actions/answer`,
      key: 'newest-key',
      body: {
        stream_url: `wss://gw.example.com${PATH}`,
        stream_track: 'inbound_track',
        stream_codec: 'PCMU',
        stream_bidirectional_mode: 'rtp',
        stream_bidirectional_codec: 'PCMU',
      },
    });
    expect(seen[0]?.body['command_id']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    // Not among the answer command's fields.
    expect(seen[0]?.body).not.toHaveProperty('stream_auth_token');
    expect(seen[0]?.body).not.toHaveProperty('stream_bidirectional_sampling_rate');
  });

  test('asked again with the same command id, another stream or call with another one', async () => {
    const { webhook, seen } = telnyx({});
    await webhook.accept(call, PATH);
    await webhook.accept(call, PATH);
    await webhook.accept(call, `${PATH}d`);
    await webhook.accept({ ...call, callId: 'v3:other' }, PATH);
    const ids = seen.map(({ body }) => body['command_id']);
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(3);
  });

  test('also where the first try got lost', async () => {
    const { webhook, seen } = telnyx(
      {},
      broken,
      () => refused(503),
      () => ok(),
    );
    expect((await webhook.accept(call, PATH)).status).toBe(200);
    expect(new Set(seen.map(({ body }) => body['command_id'])).size).toBe(1);
    expect(seen).toHaveLength(3);
  });

  test('in two steps where the answer command has no field for the sampling rate', async () => {
    const audio = { encoding: 'l16', sampleRate: 16000 } as const;
    const { webhook, seen, actions, problems } = telnyx(
      { audio },
      () => ok(),
      notYet,
      notYet,
      () => ok(),
    );
    expect((await webhook.accept(call, PATH)).status).toBe(200);
    expect(actions()).toEqual(['answer', 'streaming_start', 'streaming_start', 'streaming_start']);
    expect(seen[0]?.body).not.toHaveProperty('stream_url');
    expect(seen.at(-1)?.body).toMatchObject({
      stream_codec: 'L16',
      stream_bidirectional_codec: 'L16',
      stream_bidirectional_sampling_rate: 16000,
    });
    expect(problems).toEqual([]);
  });

  test('but not for ever: what is never answered is an error', async () => {
    const audio = { encoding: 'l16', sampleRate: 24000 } as const;
    const { webhook, seen, pauses } = telnyx({ audio }, () => ok(), notYet);
    await expect(webhook.accept(call, PATH)).rejects.toThrow('error code 90034');
    expect(seen.length).toBeLessThan(20);
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(4000);
  });

  test('with a stream alone where we placed it, and shows a token at the handshake', async () => {
    const { webhook, seen, actions } = telnyx({});
    await webhook.accept(placed, PATH);
    expect(actions()).toEqual(['streaming_start']);
    const { stream_auth_token: token, ...body } = seen[0]?.body ?? {};
    expect(body).toMatchObject({
      stream_url: `wss://gw.example.com${PATH}`,
      stream_bidirectional_mode: 'rtp',
    });
    expect(isStreamBearer('telnyx', settings.apiKeys, PATH, String(token))).toBe(true);
  });

  test('with a stream alone where it was answered before: it came back from a transfer', async () => {
    const { webhook, actions } = telnyx(
      {},
      () => refused(422, '90015'),
      () => ok(),
    );
    expect((await webhook.accept(call, PATH)).status).toBe(200);
    expect(actions()).toEqual(['answer', 'streaming_start']);
  });

  test('is no trouble when the caller has hung up meanwhile', async () => {
    const { webhook, actions } = telnyx({}, gone);
    expect((await webhook.accept(call, PATH)).status).toBe(200);
    expect(actions()).toEqual(['answer']);
  });

  test.each([
    ['a bad key', () => refused(401, '10009')],
    ['trouble at Telnyx', () => refused(503)],
    ['no network', broken],
  ])('is an error where Telnyx does not take it: %s', async (_what, answer) => {
    const { webhook, problems } = telnyx({}, answer);
    await expect(webhook.accept(call, PATH)).rejects.toMatchObject({ code: 'ERR_CARRIER_API' });
    expect(problems.join()).not.toMatch(/newest-key|older-key|5551230001/);
  });

  test('not at all without an API', async () => {
    const { webhook, seen } = telnyx({ apiBaseUrl: null });
    await expect(webhook.accept(call, PATH)).rejects.toMatchObject({ code: 'ERR_CARRIER_API' });
    expect(seen).toEqual([]);
  });
});

describe('a Call Control call is turned away', () => {
  async function settled(api: { seen: readonly unknown[] }, count: number): Promise<void> {
    for (let turn = 0; turn < 200 && api.seen.length < count; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  test('with a sentence, after which it is hung up; the webhook does not wait for it', async () => {
    const api = telnyx(
      {},
      () => ok(),
      notYet,
      () => ok(),
    );
    expect((await api.webhook.reject(call, 'busy')).status).toBe(200);
    await settled(api, 4);
    expect(api.actions()).toEqual(['answer', 'speak', 'speak', 'hangup']);
    expect(api.seen[2]?.body).toMatchObject({ payload: REFUSAL_SENTENCES.busy, language: 'en-US' });
    expect(api.seen[0]?.body).not.toHaveProperty('stream_url');
    // Long enough for the sentence, short enough for the bill.
    expect(Math.max(...api.pauses)).toBeGreaterThan(4000);
    expect(Math.max(...api.pauses)).toBeLessThan(12_000);
  });

  test('and hung up even where it cannot be spoken to', async () => {
    const api = telnyx(
      {},
      () => ok(),
      () => refused(400, '10015'),
      () => ok(),
    );
    await api.webhook.reject(call, 'error');
    await settled(api, 3);
    expect(api.actions()).toEqual(['answer', 'speak', 'hangup']);
    expect(Math.max(0, ...api.pauses)).toBe(0);
  });

  test('without being answered where we placed it', async () => {
    const api = telnyx({});
    await api.webhook.reject(placed, 'no-bot');
    await settled(api, 2);
    expect(api.actions()).toEqual(['speak', 'hangup']);
  });

  test('with a busy tone where too many are being spoken to already', async () => {
    const open: (() => void)[] = [];
    const api = fakeApi();
    const dependencies = {
      ...api.dependencies,
      fetch: async (url: string, init: RequestInit) => {
        if (url.endsWith('/speak')) await new Promise<void>((resolve) => open.push(resolve));
        return api.dependencies.fetch(url, init);
      },
    };
    const { webhook } = createTelnyxAdapter(settings, PUBLIC_URL, dependencies);
    for (let n = 0; n < 60; n += 1) await webhook?.reject({ ...call, callId: `v3:${n}` }, 'busy');
    await settled(api, 60);
    const names = api.seen.map(({ url }) => url.split('/').at(-1));
    expect(names.filter((name) => name === 'answer')).toHaveLength(50);
    expect(names.filter((name) => name === 'reject')).toHaveLength(10);
    expect(api.seen.at(-1)?.body).toMatchObject({ cause: 'USER_BUSY' });
    for (const resolve of open) resolve();
    await settled(api, 160);
    await webhook?.reject({ ...call, callId: 'v3:later' }, 'busy');
    await settled(api, 161);
    expect(api.seen.at(-1)?.url).toMatch(/\/answer$/);
  });
});

describe("Telnyx's API", () => {
  test('ends, transfers and plays digits', async () => {
    const { control, seen, actions } = telnyx({});
    expect(await control.hangup(CALL_ID)).toBe('done');
    expect(await control.transfer(CALL_ID, '+15559990000', '+15551230002')).toBe('done');
    expect(await control.transfer(CALL_ID, 'sip:desk@example.com', null)).toBe('done');
    expect(await control.sendDtmf(CALL_ID, '1w2#ad')).toBe('done');
    expect(actions()).toEqual(['hangup', 'transfer', 'transfer', 'send_dtmf']);
    const state = Buffer.from(`offhook transfer ${CALL_ID}`).toString('base64');
    expect(seen.map(({ body }) => body)).toEqual([
      {},
      { to: '+15559990000', from: '+15551230002', timeout_secs: 30, target_leg_client_state: state },
      { to: 'sip:desk@example.com', timeout_secs: 30, target_leg_client_state: state },
      { digits: '1w2#AD', duration_millis: 250 },
    ]);
    for (const digits of ['', 'x', '1'.repeat(65)])
      expect(await control.sendDtmf(CALL_ID, digits)).toBe('failed');
    expect(seen).toHaveLength(4);
  });

  test.each([
    ['the call has ended', gone, 'already-ended', 1],
    ['nobody there', () => refused(404, '10005'), 'failed', 1],
    ['a bad request', () => refused(400, '10015'), 'failed', 1],
    ['too many requests', () => refused(429, '10011'), 'retryable', 3],
    ['trouble at Telnyx', () => refused(500), 'retryable', 3],
    ['a page of a proxy', () => new Response('<html>', { status: 502 }), 'retryable', 3],
    [
      'an error that is no list',
      () => Response.json({ errors: { code: '90018' } }, { status: 422 }),
      'failed',
      1,
    ],
    ['a cut connection', broken, 'retryable', 3],
  ] as const)('answers a hang-up with %s', async (_what, answer, result, attempts) => {
    const { control, seen } = telnyx({}, answer);
    expect(await control.hangup(CALL_ID)).toBe(result);
    expect(seen).toHaveLength(attempts);
  });

  test('is not asked again for what must not happen twice', async () => {
    for (const deed of [
      (control: ControlPort) => control.transfer(CALL_ID, '+1', null),
      (control: ControlPort) => control.sendDtmf(CALL_ID, '1'),
    ]) {
      const { control, seen } = telnyx({}, broken);
      expect(await deed(control)).toBe('retryable');
      expect(seen).toHaveLength(1);
    }
  });

  test('is tried with the next key where one is refused', async () => {
    const { control, seen } = telnyx(
      {},
      () => refused(401, '10009'),
      () => ok(),
    );
    expect(await control.hangup(CALL_ID)).toBe('done');
    expect(seen.map(({ key }) => key)).toEqual(['newest-key', 'older-key']);
  });

  test('keeps an id from changing the address', async () => {
    const { control, seen } = telnyx({});
    await control.hangup('../../x?y=1');
    expect(seen[0]?.url).toBe('https://api.telnyx.com/v2/calls/..%2F..%2Fx%3Fy%3D1/actions/hangup');
  });

  test('is left alone where there is none', async () => {
    const { control, seen, adapter } = telnyx({ apiBaseUrl: null, connectionId: '14' });
    expect(await control.hangup(CALL_ID)).toBe('unsupported');
    expect(await control.transfer(CALL_ID, '+1', null)).toBe('unsupported');
    expect(await control.sendDtmf(CALL_ID, '1')).toBe('unsupported');
    expect(control.dial).toBeUndefined();
    expect(seen).toEqual([]);
    expect(adapter.capabilities).toMatchObject({
      hangup: 'close',
      dtmfOut: 'none',
      transfer: 'continuation',
    });
  });

  test('gets the same requests from its own package', async () => {
    const asked: [string | undefined, string, unknown][] = [];
    const client = new Telnyx({
      apiKey: 'newest-key',
      fetch: async (url, init) => {
        asked.push([init?.method, String(url), JSON.parse(String(init?.body ?? '{}'))]);
        return ok();
      },
    });
    const { control, webhook, seen } = telnyx({ connectionId: '14' });
    await control.hangup(CALL_ID);
    await client.calls.actions.hangup(CALL_ID, {});
    await control.transfer(CALL_ID, '+1', null);
    await client.calls.actions.transfer(CALL_ID, seen[1]?.body as { to: string });
    await control.sendDtmf(CALL_ID, '1');
    await client.calls.actions.sendDtmf(CALL_ID, seen[2]?.body as { digits: string });
    await webhook.accept(call, PATH);
    await client.calls.actions.answer(CALL_ID, seen[3]?.body ?? {});
    await webhook.accept(placed, PATH);
    await client.calls.actions.startStreaming(CALL_ID, seen[4]?.body ?? {});
    await control.dial?.({ ref: 'r', from: '+1', to: '+2', ringSeconds: 30, detectMachine: true });
    await client.calls.dial(seen[5]?.body as { connection_id: string; from: string; to: string });
    expect(seen.map(({ url, body }) => ['post', url, body])).toEqual(
      asked.map(([method, url, body]) => [method?.toLowerCase(), url, body]),
    );
  });
});

describe('a call is placed', () => {
  const request = {
    ref: 'ref-1',
    from: '+15551230002',
    to: '+15559990000',
    ringSeconds: 25,
    detectMachine: false,
  };
  const reply = () => ok({ data: { call_control_id: 'v3:new', record_type: 'call', is_alive: false } });

  test('with what brings its events back to us, and without a stream', async () => {
    const { control, seen } = telnyx({ connectionId: '14' }, reply);
    expect(await control.dial?.(request)).toEqual({ ok: true, callId: 'v3:new' });
    const { command_id: id, ...body } = seen[0]?.body ?? {};
    expect(seen[0]?.url).toBe('https://api.telnyx.com/v2/calls');
    expect(body).toEqual({
      connection_id: '14',
      from: '+15551230002',
      to: '+15559990000',
      timeout_secs: 25,
      client_state: Buffer.from('offhook dial ref-1').toString('base64'),
      webhook_url: `${PUBLIC_URL}/telnyx/voice`,
      webhook_url_method: 'POST',
    });
    await control.dial?.(request);
    await control.dial?.({ ...request, ref: 'ref-2' });
    expect(seen.map(({ body: { command_id } }) => command_id === id)).toEqual([true, true, false]);
  });

  test('with the detection of machines where it is wanted, and a ring that Telnyx allows', async () => {
    const { control, seen } = telnyx({ connectionId: '14' }, reply);
    await control.dial?.({ ...request, detectMachine: true, ringSeconds: 1 });
    await control.dial?.({ ...request, ringSeconds: 9999 });
    expect(seen[0]?.body).toMatchObject({ answering_machine_detection: 'detect', timeout_secs: 5 });
    expect(seen[1]?.body).toMatchObject({ timeout_secs: 600 });
  });

  test('never twice, whatever the reply is', async () => {
    for (const [answer, result, attempts] of [
      [broken, 'retryable', 1],
      [() => refused(503), 'retryable', 1],
      [() => refused(422, '10015'), 'failed', 1],
      [() => ok({}), 'failed', 1],
      [() => ok({ data: { call_control_id: 5 } }), 'failed', 1],
      [() => refused(429, '10011'), 'retryable', 3],
    ] as const) {
      const { control, seen } = telnyx({ connectionId: '14' }, answer);
      expect(await control.dial?.(request)).toMatchObject({ ok: false, result });
      expect(seen).toHaveLength(attempts);
    }
  });

  test('not where no application is configured for it', () => {
    expect(telnyx({}).control.dial).toBeUndefined();
  });
});
