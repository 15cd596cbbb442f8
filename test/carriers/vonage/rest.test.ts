import { verifySignature } from '@vonage/jwt';
import { afterEach, describe, expect, test } from 'vitest';
import { createVonageControl } from '../../../src/carriers/vonage/rest.ts';
import { RegionBook, type VonageSettings } from '../../../src/carriers/vonage/settings.ts';
import { type Answer, apiServer, closedOrigin, closeServers, cutOff, json, outside } from '../api-server.ts';
import { CALL, keys, links, NOW_SECONDS, settings } from './support.ts';

afterEach(closeServers);

const done = json(204);
const DIAL = {
  ref: 'ref-1',
  from: '+15551230002',
  to: '+15559990000',
  ringSeconds: 25,
  detectMachine: false,
};

function client(over: Partial<VonageSettings>, regions = new RegionBook()) {
  const world = outside(NOW_SECONDS * 1000);
  return { ...world, control: createVonageControl({ ...settings, ...over }, links, regions, world) };
}
async function api(...answers: Answer[]) {
  const { origin, seen } = await apiServer(...answers);
  return { seen, ...client({ apiBaseUrl: origin }) };
}
const bearerOf = ({ authorization }: { authorization: string }): string =>
  authorization.replace(/^Bearer /, '');

describe("Vonage's API", () => {
  test('ends a call, with a token that the application’s key signed', async () => {
    const { control, seen, problems } = await api(done);
    expect(await control.hangup(CALL)).toBe('done');
    expect(seen).toMatchObject([{ method: 'PUT', url: `/v1/calls/${CALL}`, body: '{"action":"hangup"}' }]);
    expect(verifySignature(bearerOf(seen[0] as never), keys[0]?.publicKey ?? '')).toBe(true);
    expect(problems).toEqual([]);
  });

  test('transfers to a number or a SIP address, and asks us with the result', async () => {
    const { control, seen } = await api(done);
    expect(await control.transfer(CALL, '+15559990000', '+15551230002')).toBe('done');
    expect(await control.transfer(CALL, 'sip:desk@example.com', null)).toBe('done');
    const action = {
      action: 'connect',
      timeout: 30,
      eventType: 'synchronous',
      eventMethod: 'POST',
      eventUrl: [links.after('transfer', CALL)],
    };
    const bodies = seen.map(({ body }) => JSON.parse(body));
    const ncco = (connect: object) => ({
      action: 'transfer',
      destination: { type: 'ncco', ncco: [connect] },
    });
    expect(bodies).toEqual([
      ncco({ ...action, from: '15551230002', endpoint: [{ type: 'phone', number: '15559990000' }] }),
      ncco({ ...action, endpoint: [{ type: 'sip', uri: 'sip:desk@example.com' }] }),
    ]);
  });

  test('plays digits, with its own word for a pause; and nothing else than digits', async () => {
    const { control, seen } = await api(json(200, { message: 'DTMF sent', uuid: CALL }));
    expect(await control.sendDtmf(CALL, '12w#')).toBe('done');
    expect(seen).toMatchObject([{ method: 'PUT', url: `/v1/calls/${CALL}/dtmf`, body: '{"digits":"12p#"}' }]);
    for (const digits of ['', '1p', 'x', '1'.repeat(65)])
      expect(await control.sendDtmf(CALL, digits)).toBe('failed');
    expect(seen).toHaveLength(1);
  });

  test('places a call whose answer address gives our ref back', async () => {
    const { control, seen } = await api(json(201, { uuid: CALL, status: 'started', direction: 'outbound' }));
    expect(await control.dial?.(DIAL)).toEqual({ ok: true, callId: CALL });
    expect(await control.dial?.({ ...DIAL, detectMachine: true, ringSeconds: 500 })).toEqual({
      ok: true,
      callId: CALL,
    });
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/v1/calls' });
    const [plain, detecting] = seen.map(({ body }) => JSON.parse(body));
    expect(plain).toEqual({
      to: [{ type: 'phone', number: '15559990000' }],
      from: { type: 'phone', number: '15551230002' },
      answer_url: [links.answer('ref-1')],
      answer_method: 'POST',
      event_url: ['https://gw.example.com/vonage/events'],
      event_method: 'POST',
      ringing_timer: 25,
    });
    expect(detecting).toMatchObject({
      ringing_timer: 120,
      advanced_machine_detection: { behavior: 'continue', mode: 'default' },
    });
  });

  test('is never asked twice to place a call that may have been placed', async () => {
    for (const [trouble, result] of [
      [cutOff, 'retryable'],
      [json(500), 'retryable'],
      [json(400), 'failed'],
      [json(201, { status: 'started' }), 'failed'],
    ] as const) {
      const { control, seen } = await api(trouble);
      expect(await control.dial?.(DIAL)).toMatchObject({ ok: false, result });
      expect(seen).toHaveLength(1);
    }
    const turned = await api(json(429), json(201, { uuid: CALL }));
    expect(await turned.control.dial?.(DIAL)).toEqual({ ok: true, callId: CALL });
    const away = client({ apiBaseUrl: await closedOrigin() });
    expect(await away.control.dial?.(DIAL)).toMatchObject({ ok: false, result: 'retryable' });
    expect(away.pauses).toHaveLength(2);
  });

  test.each([
    [404, 'already-ended', 1],
    [400, 'failed', 1],
    [403, 'failed', 1],
    [429, 'retryable', 3],
    [500, 'retryable', 3],
    [503, 'retryable', 3],
  ] as const)('status %i of a hang-up is %s, after %i attempts', async (code, result, attempts) => {
    const { control, seen, problems } = await api(json(code, { title: 'secret detail' }));
    expect(await control.hangup(CALL)).toBe(result);
    expect(seen).toHaveLength(attempts);
    expect(problems.join()).not.toContain('secret detail');
  });

  test('a transfer that may have happened is not asked for again, but one that was turned away is', async () => {
    const lost = await api(cutOff);
    expect(await lost.control.transfer(CALL, '+15559990000', null)).toBe('retryable');
    expect(lost.seen).toHaveLength(1);
    const busy = await api(json(429), done);
    expect(await busy.control.transfer(CALL, '+15559990000', null)).toBe('done');
  });

  test('a refused key makes way for the older one', async () => {
    const { control, seen } = await api(json(401), done);
    expect(await control.hangup(CALL)).toBe('done');
    expect(seen.map((one, n) => verifySignature(bearerOf(one), keys[n]?.publicKey ?? ''))).toEqual([
      true,
      true,
    ]);
  });

  test('is asked in the region of the call', async () => {
    const regions = new RegionBook();
    regions.note(CALL, 'https://api-eu-3.vonage.com');
    const world = outside(0);
    const asked: string[] = [];
    const control = createVonageControl(settings, links, regions, {
      ...world,
      fetch: async (url) => {
        asked.push(url);
        return new Response(null, { status: 204 });
      },
    });
    await control.hangup(CALL);
    await control.hangup('../another call?');
    expect(asked).toEqual([
      `https://api-eu-3.vonage.com/v1/calls/${CALL}`,
      'https://api.nexmo.com/v1/calls/..%2Fanother%20call%3F',
    ]);
  });

  test('says nothing of keys or tokens, whatever goes wrong', async () => {
    const { control, problems } = client({ apiBaseUrl: await closedOrigin() });
    expect(await control.hangup(CALL)).toBe('retryable');
    expect(problems).toHaveLength(3);
    expect(problems.join()).toMatch(/^ending a call at Vonage, attempt 1 of 3: found ECONNREFUSED/);
    for (const hidden of ['Bearer', 'PRIVATE', '127.0.0.1', CALL])
      expect(problems.join()).not.toContain(hidden);
  });

  test('without an API there is nothing to ask, and no call to place', async () => {
    const { control } = client({ apiBaseUrl: null });
    expect([
      await control.hangup(CALL),
      await control.transfer(CALL, '+1555', null),
      await control.sendDtmf(CALL, '1'),
    ]).toEqual(['unsupported', 'unsupported', 'unsupported']);
    expect(control.dial).toBeUndefined();
  });

  test('a key that is none is found at the start', () => {
    expect(() => client({ privateKeys: ['nonsense'] })).toThrow('wanted an RSA key as PEM text');
  });
});
