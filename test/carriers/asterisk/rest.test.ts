import { afterEach, describe, expect, test } from 'vitest';
import { createAsteriskAdapter } from '../../../src/carriers/asterisk/adapter.ts';
import { createAsteriskControl } from '../../../src/carriers/asterisk/rest.ts';
import type { AriSettings } from '../../../src/carriers/asterisk/settings.ts';
import { type Answer, apiServer, closedOrigin, closeServers, cutOff, json, outside } from '../api-server.ts';
import { basic, CALL, settings } from './support.ts';

afterEach(closeServers);

const done = json(204);
const dial = { endpoint: 'PJSIP/{number}@trunk', extension: '600', context: 'outbound' };
const DIAL = { ref: 'ref-1', from: '+15551230002', to: '+15559990000', ringSeconds: 25, detectMachine: true };

function client(over: Partial<AriSettings>) {
  const world = outside(0);
  const ari: AriSettings = { url: '', username: 'ari', passwords: ['newest', 'older'], ...over };
  return { ...world, control: createAsteriskControl(ari, world) };
}
async function ari(over: Partial<AriSettings>, ...answers: Answer[]) {
  const { origin, seen } = await apiServer(...answers);
  return { seen, ...client({ url: origin, ...over }) };
}

describe("Asterisk's REST interface", () => {
  test.each(['', '/', '/ari', '/ari/'])(
    'ends the caller’s channel, with its address written as "…%s"',
    async (path) => {
      const { origin, seen } = await apiServer(done);
      const { control } = client({ url: origin + path });
      expect(await control.hangup(CALL)).toBe('done');
      expect(seen).toEqual([
        { method: 'DELETE', url: `/ari/channels/${CALL}`, authorization: basic('ari', 'newest'), body: '' },
      ]);
    },
  );

  test('a channel that is gone has ended; an id leads nowhere else', async () => {
    const { control, seen } = await ari({}, json(404, { message: 'Channel not found' }));
    expect(await control.hangup('../bridges')).toBe('already-ended');
    expect(seen[0]?.url).toBe('/ari/channels/..%2Fbridges');
  });

  test('a refused password makes way for the older one, and neither is ever shown', async () => {
    const { control, seen, problems } = await ari({}, json(401), done);
    expect(await control.hangup(CALL)).toBe('done');
    expect(seen.map(({ authorization }) => authorization)).toEqual([
      basic('ari', 'newest'),
      basic('ari', 'older'),
    ]);
    expect(problems).toEqual(['ending a call at Asterisk, attempt 1 of 3: found status 401']);
  });

  test('a hang-up is tried again after trouble that may pass', async () => {
    const { control, seen } = await ari({}, cutOff, json(500), done);
    expect(await control.hangup(CALL)).toBe('done');
    expect(seen).toHaveLength(3);
    expect(await client({ url: await closedOrigin() }).control.hangup(CALL)).toBe('retryable');
  });

  test('callers of a plain dialplan can be hung up and nothing else: nothing is asked', async () => {
    const { control, seen } = await ari({ dial }, done);
    expect(await control.transfer(CALL, '+15559990000', null)).toBe('unsupported');
    expect(await control.sendDtmf(CALL, '1')).toBe('unsupported');
    expect(seen).toEqual([]);
  });

  test('callers in an ARI application are redirected and get tones', async () => {
    const { control, seen } = await ari({ dial, callersInStasis: true }, done);
    expect(await control.transfer(CALL, '+15559990000', null)).toBe('done');
    expect(await control.transfer(CALL, 'sip:desk@example.com', null)).toBe('done');
    expect(await control.sendDtmf(CALL, '12#')).toBe('done');
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `POST /ari/channels/${CALL}/redirect?endpoint=PJSIP%2F%2B15559990000%40trunk`,
      `POST /ari/channels/${CALL}/redirect?endpoint=PJSIP%2Fsip%3Adesk%40example.com`,
      `POST /ari/channels/${CALL}/dtmf?dtmf=12%23`,
    ]);
    for (const digits of ['', '1w', 'x', '1'.repeat(65)])
      expect(await control.sendDtmf(CALL, digits)).toBe('failed');
    for (const target of [
      '',
      'Local/s@evil',
      '+1555@evil/x',
      'sip:a@b?Replaces=x',
      'sip:a b@c',
      '1&PJSIP/2',
    ]) {
      expect(await control.transfer(CALL, target, null), target).toBe('unsupported');
    }
    expect(seen).toHaveLength(3);
  });

  test('a caller who is not in an application after all is a conflict, and no failure', async () => {
    const { control, seen } = await ari({ dial, callersInStasis: true }, json(409, { message: 'x' }));
    expect(await control.transfer(CALL, '+15559990000', null)).toBe('unsupported');
    expect(seen).toHaveLength(1);
  });

  test('places a call under our own id, which comes back through the dialplan', async () => {
    const { control, seen } = await ari({ dial }, json(200, { id: 'ref-1', state: 'Down' }));
    expect(await control.dial?.(DIAL)).toEqual({ ok: true, callId: 'ref-1' });
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/ari/channels' });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      endpoint: 'PJSIP/+15559990000@trunk',
      extension: '600',
      context: 'outbound',
      priority: 1,
      callerId: '+15551230002',
      timeout: 25,
      channelId: 'ref-1',
      variables: { OFFHOOK_REF: 'ref-1', OFFHOOK_TO: '+15559990000' },
    });
  });

  test('never places a call twice, and none to what is no number', async () => {
    for (const [trouble, result] of [
      [cutOff, 'retryable'],
      [json(500), 'retryable'],
      // A channel with this id: the call was placed before.
      [json(409), 'failed'],
      [json(400), 'failed'],
    ] as const) {
      const { control, seen } = await ari({ dial }, trouble);
      expect(await control.dial?.(DIAL)).toMatchObject({ ok: false, result });
      expect(seen).toHaveLength(1);
    }
    const { control, seen } = await ari({ dial }, done);
    expect(await control.dial?.({ ...DIAL, to: 'Local/600@x' })).toMatchObject({
      ok: false,
      result: 'failed',
    });
    expect(seen).toEqual([]);
  });

  test('without it, or without a way out, there is no call to place', async () => {
    expect(client({}).control.dial).toBeUndefined();
    const none = createAsteriskControl(null, outside(0));
    expect([
      await none.hangup(CALL),
      await none.transfer(CALL, '+1', null),
      await none.sendDtmf(CALL, '1'),
    ]).toEqual(['unsupported', 'unsupported', 'unsupported']);
    expect(none.dial).toBeUndefined();
  });
});

describe('the capabilities', () => {
  const of = (ariSettings: AriSettings | null) =>
    createAsteriskAdapter({ ...settings, ari: ariSettings }, 'https://gw.example.com', outside(0));
  const some: AriSettings = { url: 'http://127.0.0.1:8088', username: 'ari', passwords: ['p'] };

  test.each([
    ['no REST interface', null, { hangup: 'media', transfer: 'none', dtmfOut: 'none' }],
    ['one', some, { hangup: 'api', transfer: 'none', dtmfOut: 'none' }],
    [
      'one with callers in it',
      { ...some, callersInStasis: true },
      { hangup: 'api', transfer: 'api', dtmfOut: 'api' },
    ],
  ] as const)('promise what can be kept with %s', (_what, given, promised) => {
    const adapter = of(given);
    expect(adapter.capabilities).toMatchObject(promised);
    const port = adapter.createMediaPort();
    const start = { event: 'MEDIA_START', channel_id: '1.1', format: 'ulaw', optimal_frame_size: 160 };
    port.decode(Buffer.from(JSON.stringify(start)), false);
    expect(port.encode({ type: 'hangup' }).length > 0).toBe(promised.hangup === 'media');
  });
});
