import { JambonzClient } from '@jambonz/sdk/client';
import { describe, expect, test, vi } from 'vitest';
import { createJambonzControl } from '../../../src/carriers/jambonz/rest.ts';
import type { JambonzSettings } from '../../../src/carriers/jambonz/settings.ts';
import { CALL, PUBLIC_URL, settings, world } from './support.ts';

interface Seen {
  readonly method: string | undefined;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}
type Answer = readonly [status: number, body?: unknown] | Error;

/** jambonz's API as far as calls go: each request gets the next answer, the last one for ever. */
function api(answers: readonly Answer[], over: Partial<JambonzSettings> = {}) {
  const seen: Seen[] = [];
  const outside = world(async (url, init) => {
    seen.push(seenOf(url, init));
    const answer = answers[Math.min(seen.length, answers.length) - 1] as Answer;
    if (answer instanceof Error) throw answer;
    const [status, body] = answer;
    return new Response(status === 204 ? null : JSON.stringify(body ?? {}), { status });
  });
  const control = createJambonzControl({ ...settings, ...over }, PUBLIC_URL, outside.dependencies);
  return { ...outside, seen, control };
}

function seenOf(url: string, init: RequestInit): Seen {
  const { authorization } = Object.fromEntries(new Headers(init.headers).entries());
  const body = init.body === undefined ? undefined : JSON.parse(String(init.body));
  return { method: init.method, url, authorization, body };
}

const CALLS = `https://api.jambonz.example/v1/Accounts/${settings.accountSid}/Calls`;
const DIAL = {
  ref: 'dial-7',
  from: '+15551230002',
  to: '+15559990000',
  ringSeconds: 25,
  detectMachine: false,
};
const GONE = { msg: `call session is gone for call_sid ${CALL}` };

describe("jambonz's API", () => {
  test('ends a call', async () => {
    const { control, seen, problems } = api([[202]]);
    expect(await control.hangup(CALL)).toBe('done');
    expect(seen).toEqual([
      {
        method: 'PUT',
        url: `${CALLS}/${CALL}`,
        authorization: 'Bearer key-new',
        body: { call_status: 'completed' },
      },
    ]);
    expect(problems).toEqual([]);
  });

  test('ends one that still rings in its own way', async () => {
    const { control, seen } = api([[422, { msg: 'current call state is incompatible' }], [202]]);
    expect(await control.hangup(CALL)).toBe('done');
    expect(seen.map(({ body }) => body)).toEqual([
      { call_status: 'completed' },
      { call_status: 'no-answer' },
    ]);
  });

  test.each<[string, Answer, string, number]>([
    ['a call that is not there', [404], 'already-ended', 1],
    ['a call that is gone', [422, GONE], 'already-ended', 1],
    ['a bad request, twice', [400], 'failed', 2],
    ['too many requests', [429], 'retryable', 3],
    ['trouble', [500], 'retryable', 3],
    ['a cut connection', new TypeError('fetch failed'), 'retryable', 3],
  ])('answers a hang-up with %s', async (_what, answer, result, attempts) => {
    const { control, seen, problems } = api([answer]);
    expect(await control.hangup(CALL)).toBe(result);
    expect(seen).toHaveLength(attempts);
    expect(problems.join()).not.toContain('key-');
    expect(problems.join()).not.toContain(CALL);
  });

  test('is tried with the next key where one is refused', async () => {
    const { control, seen } = api([[401], [202]]);
    expect(await control.hangup(CALL)).toBe('done');
    expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer key-new', 'Bearer key-old']);
  });

  test('plays digits one after the other, none of them twice', async () => {
    const { control, seen, pauses } = api([[202]]);
    expect(await control.sendDtmf(CALL, '1w#')).toBe('done');
    expect(seen.map(({ method, body }) => [method, body])).toEqual([
      ['PUT', { dtmf: { digit: '1', duration: 250 } }],
      ['PUT', { dtmf: { digit: '#', duration: 250 } }],
    ]);
    expect(pauses).toEqual([350, 500]);
    const broken = api([[202], [500]]);
    expect(await broken.control.sendDtmf(CALL, '123')).toBe('retryable');
    expect(broken.seen).toHaveLength(2);
    for (const digits of ['', 'x', '1'.repeat(33)])
      expect(await control.sendDtmf(CALL, digits)).toBe('failed');
    expect(seen).toHaveLength(2);
  });

  test('places a call of the application, whose webhooks will know the reference', async () => {
    const { control, seen } = api([[201, { sid: 'c-1' }]]);
    expect(await control.dial?.(DIAL)).toEqual({ ok: true, callId: 'c-1' });
    expect(await control.dial?.({ ...DIAL, detectMachine: true })).toMatchObject({ ok: true });
    const body = {
      application_sid: settings.applicationSid,
      from: '+15551230002',
      to: { type: 'phone', number: '+15559990000' },
      timeout: 25,
      tag: { offhook: 'dial-7' },
    };
    expect(seen.map(({ method, url, body: sent }) => [method, url, sent])).toEqual([
      ['POST', CALLS, body],
      ['POST', CALLS, { ...body, amd: { actionHook: `${PUBLIC_URL}/jambonz/events` } }],
    ]);
  });

  test.each<[string, Answer, string]>([
    ['trouble', [500], 'retryable'],
    ['a lost answer', new TypeError('fetch failed'), 'retryable'],
    ['an answer without an id', [201, {}], 'failed'],
    ['an answer with something else', [201, null], 'failed'],
    ['a refusal', [400], 'failed'],
  ])('never places a call twice: %s', async (_what, answer, result) => {
    const { control, seen } = api([answer, [201, { sid: 'c-2' }]]);
    expect(await control.dial?.(DIAL)).toMatchObject({ ok: false, result });
    expect(seen).toHaveLength(1);
  });

  test('is left alone where there is none, and without an application no call is placed', async () => {
    const { control, seen } = api([[200]], { apiBaseUrl: null });
    expect(await control.hangup(CALL)).toBe('unsupported');
    expect(await control.sendDtmf(CALL, '1')).toBe('unsupported');
    expect(await control.transfer(CALL, '+15559990000', null)).toBe('unsupported');
    expect(control.dial).toBeUndefined();
    expect(api([], { applicationSid: null }).control.dial).toBeUndefined();
    expect(seen).toEqual([]);
  });

  test.each([
    'https://api.example/',
    'https://api.example/v1',
    'https://api.example/v1/',
    'https://api.example',
  ])('is found at %s, and an id never changes the address', async (apiBaseUrl) => {
    const { control, seen } = api([[202]], { apiBaseUrl });
    await control.hangup('../../x?y=1');
    const account = `https://api.example/v1/Accounts/${settings.accountSid}`;
    expect(seen[0]?.url).toBe(`${account}/Calls/..%2F..%2Fx%3Fy%3D1`);
  });

  test("is asked as jambonz's package asks it", async () => {
    const asked: Seen[] = [];
    const spy = vi.spyOn(globalThis, 'fetch').mockImplementation(async (url, init) => {
      asked.push(seenOf(String(url), init ?? {}));
      return Response.json({ sid: 'c-1' }, { status: 201 });
    });
    const client = new JambonzClient({
      baseUrl: settings.apiBaseUrl,
      accountSid: settings.accountSid,
      apiKey: 'key-new',
    });
    await client.calls.update(CALL, { call_status: 'completed' });
    await client.calls.update(CALL, { dtmf: { digit: '1', duration: 250 } });
    await client.calls.create({
      application_sid: settings.applicationSid,
      from: DIAL.from,
      to: { type: 'phone', number: DIAL.to },
      timeout: DIAL.ringSeconds,
      tag: { offhook: DIAL.ref },
    });
    spy.mockRestore();
    const ours = api([[201, { sid: 'c-1' }]]);
    await ours.control.hangup(CALL);
    await ours.control.sendDtmf(CALL, '1');
    await ours.control.dial?.(DIAL);
    expect(ours.seen).toEqual(asked);
  });
});
