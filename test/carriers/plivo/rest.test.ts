import { createRequire } from 'node:module';
import plivo from 'plivo';
import { describe, expect, test } from 'vitest';
import { createPlivoControl } from '../../../src/carriers/plivo/rest.ts';
import type { PlivoSettings } from '../../../src/carriers/plivo/settings.ts';
import { CALL, PUBLIC_URL, settings, world } from './support.ts';

interface Seen {
  readonly method: string | undefined;
  readonly url: string;
  readonly credentials: string;
  readonly body: unknown;
}
type Answer = readonly [status: number, body?: object] | Error;

/** Plivo's API as far as calls go: each request gets the next answer, the last one for ever. */
function api(answers: readonly Answer[], over: Partial<PlivoSettings> = {}) {
  const seen: Seen[] = [];
  const outside = world(async (url, init) => {
    const headers = init.headers as Record<string, string>;
    const [scheme, encoded = ''] = (headers['authorization'] ?? '').split(' ');
    seen.push({
      method: init.method,
      url,
      credentials: `${scheme} ${Buffer.from(encoded, 'base64')}`,
      body: init.body === undefined ? undefined : JSON.parse(String(init.body)),
    });
    const answer = answers[Math.min(seen.length, answers.length) - 1] as Answer;
    if (answer instanceof Error) throw answer;
    const [status, body] = answer;
    return new Response(status === 204 ? null : JSON.stringify(body ?? {}), { status });
  });
  const control = createPlivoControl({ ...settings, ...over }, PUBLIC_URL, outside.dependencies);
  return { ...outside, seen, control };
}

const ACCOUNT = `https://api.plivo.com/v1/Account/${settings.authId}`;
const DIAL = {
  ref: 'dial-7',
  from: '+15551230002',
  to: '+15559990000',
  ringSeconds: 25,
  detectMachine: false,
};

describe("Plivo's API", () => {
  test('ends a call with the account’s credentials', async () => {
    const { control, seen, problems } = api([[204]]);
    expect(await control.hangup(CALL)).toBe('done');
    expect(seen).toEqual([
      {
        method: 'DELETE',
        url: `${ACCOUNT}/Call/${CALL}/`,
        credentials: `Basic ${settings.authId}:newest-token`,
        body: undefined,
      },
    ]);
    expect(problems).toEqual([]);
  });

  test('is asked to cancel what is no call yet, and a call that is neither has ended', async () => {
    const ringing = api([[404], [204]]);
    expect(await ringing.control.hangup('request-1')).toBe('done');
    expect(ringing.seen.map(({ url }) => url)).toEqual([
      `${ACCOUNT}/Call/request-1/`,
      `${ACCOUNT}/Request/request-1/`,
    ]);
    expect(await api([[404]]).control.hangup(CALL)).toBe('already-ended');
  });

  test.each<[string, Answer, string, number]>([
    ['a bad request', [400], 'failed', 1],
    ['refused credentials', [401], 'failed', 2],
    ['too many requests', [429], 'retryable', 3],
    ['trouble at Plivo', [503], 'retryable', 3],
    ['a cut connection', new TypeError('fetch failed'), 'retryable', 3],
  ])('answers a hang-up with %s', async (_what, answer, result, attempts) => {
    const { control, seen, problems } = api([answer]);
    expect(await control.hangup(CALL)).toBe(result);
    expect(seen).toHaveLength(attempts);
    expect(problems.join()).not.toContain('token');
    expect(problems.join()).not.toContain(CALL);
  });

  test('plays digits beside the stream, once', async () => {
    const { control, seen } = api([[202]]);
    expect(await control.sendDtmf(CALL, '1w2#')).toBe('done');
    expect(seen).toMatchObject([
      { method: 'POST', url: `${ACCOUNT}/Call/${CALL}/DTMF/`, body: { digits: '1w2#', leg: 'aleg' } },
    ]);
    for (const digits of ['', 'x', '1"', '1'.repeat(65)]) {
      expect(await control.sendDtmf(CALL, digits)).toBe('failed');
    }
    expect(seen).toHaveLength(1);
    const unsure = api([[503]]);
    expect(await unsure.control.sendDtmf(CALL, '1')).toBe('retryable');
    expect(unsure.seen).toHaveLength(1);
  });

  test('places a call, whose webhook will know the reference', async () => {
    const { control, seen } = api([[201, { message: 'call fired', request_uuid: 'r-1' }]]);
    expect(await control.dial?.(DIAL)).toEqual({ ok: true, callId: 'r-1' });
    expect(seen).toEqual([
      {
        method: 'POST',
        url: `${ACCOUNT}/Call/`,
        credentials: `Basic ${settings.authId}:newest-token`,
        body: {
          from: '15551230002',
          to: '15559990000',
          answer_url: `${PUBLIC_URL}/plivo/voice?ref=dial-7`,
          answer_method: 'POST',
          hangup_url: `${PUBLIC_URL}/plivo/events`,
          hangup_method: 'POST',
          ring_timeout: 25,
        },
      },
    ]);
  });

  test('is asked for its detection of machines only where that is wanted', async () => {
    const { control, seen } = api([[201, { request_uuid: 'r-1' }]]);
    await control.dial?.({ ...DIAL, detectMachine: true });
    expect(seen[0]?.body).toMatchObject({
      machine_detection: 'true',
      machine_detection_url: `${PUBLIC_URL}/plivo/events`,
      machine_detection_method: 'POST',
    });
  });

  test.each<[string, Answer, string]>([
    ['trouble', [500], 'retryable'],
    ['a lost answer', new TypeError('fetch failed'), 'retryable'],
    ['an answer without an id', [201, {}], 'failed'],
    ['a refusal', [400], 'failed'],
  ])('never places a call twice: %s', async (_what, answer, result) => {
    const { control, seen } = api([answer, [201, { request_uuid: 'r-2' }]]);
    expect(await control.dial?.(DIAL)).toMatchObject({ ok: false, result });
    expect(seen).toHaveLength(1);
  });

  test('has no message for a transfer: the stream’s continuation does that', async () => {
    const { control, seen } = api([[200]]);
    expect(await control.transfer(CALL, '+15559990000', null)).toBe('unsupported');
    expect(seen).toEqual([]);
  });

  test('is left alone where there is none', async () => {
    const { control, seen } = api([[200]], { apiBaseUrl: null });
    expect(await control.hangup(CALL)).toBe('unsupported');
    expect(await control.sendDtmf(CALL, '1')).toBe('unsupported');
    expect(control.dial).toBeUndefined();
    expect(seen).toEqual([]);
  });

  test('is somewhere else where that is said, and an id never changes the address', async () => {
    const { control, seen } = api([[204]], { apiBaseUrl: 'http://127.0.0.1:9' });
    await control.hangup('../../x?y=1');
    expect(seen[0]?.url).toBe(`http://127.0.0.1:9/v1/Account/${settings.authId}/Call/..%2F..%2Fx%3Fy%3D1/`);
  });

  test("is asked at the addresses that Plivo's package asks", async () => {
    const asked: string[] = [];
    const client = new plivo.Client(settings.authId, 'newest-token');
    // The package's own copy of its HTTP client.
    const axios = createRequire(import.meta.resolve('plivo'))('axios') as { defaults: { adapter: unknown } };
    const usual = axios.defaults.adapter;
    axios.defaults.adapter = async (config: { method?: string; url?: string }) => {
      asked.push(`${config.method?.toUpperCase()} ${config.url}`);
      return { status: 200, statusText: 'OK', data: {}, headers: {}, config };
    };
    await client.calls.hangup(CALL).catch(() => {});
    await client.calls.cancel(CALL).catch(() => {});
    await client.calls.sendDigits(CALL, '1', {}).catch(() => {});
    await client.calls.create('1', '2', 'https://x').catch(() => {});
    axios.defaults.adapter = usual;
    const ours = api([[404], [204], [201, { request_uuid: 'r' }]]);
    await ours.control.hangup(CALL);
    await ours.control.sendDtmf(CALL, '1');
    await ours.control.dial?.(DIAL);
    expect(ours.seen.map(({ method, url }) => `${method} ${url}`)).toEqual(asked);
  });
});
