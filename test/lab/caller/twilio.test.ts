import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { OffhookError } from '../../../src/errors.ts';
import { startTwilioApi, type TwilioApi } from '../../../src/lab/caller/twilio/api.ts';
import { type PlaceCallOptions, placeCall } from '../../../src/lab/caller/twilio/place-call.ts';
import {
  connectDocument,
  type Script,
  type ScriptedGateway,
  startScriptedGateway,
} from '../../support/scripted-gateway.ts';

const accountSid = `AC${'0'.repeat(32)}`;
const authToken = 'f'.repeat(32);

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function gatewayWith(script: Partial<Script>): Promise<ScriptedGateway> {
  const gateway = await startScriptedGateway({ authToken, voice: connectDocument, ...script });
  opened.push(gateway);
  return gateway;
}

async function openApi(): Promise<TwilioApi> {
  const api = await startTwilioApi({ accountSid, authToken });
  opened.push(api);
  return api;
}

const call = (gateway: { url: string }, options: Partial<PlaceCallOptions> = {}) =>
  placeCall({
    clock: systemClock,
    url: gateway.url,
    accountSid,
    authToken,
    from: '+15550100001',
    to: '+15550100002',
    caller: Int16Array.from({ length: 1_600 }, (_, n) => Math.round(6_000 * Math.sin(n / 3))),
    lingerMs: 60,
    maxMs: 5_000,
    ...options,
  });

const audio = (ms: number, code = 0x20) => ({
  event: 'media',
  media: { payload: Buffer.alloc(ms * 8, code).toString('base64') },
});

describe('a simulated call', () => {
  it('rings, streams, is hung up by the caller, and signs everything as Twilio’s own library checks it', async () => {
    const gateway = await gatewayWith({});
    const run = await call(gateway);
    expect(run.end).toEqual({ by: 'caller', how: 'hung-up', detail: 'the recording is over' });
    expect(gateway.handshake).toEqual({ signed: true });
    expect(gateway.requests.every(({ signed }) => signed)).toBe(true);
    expect(gateway.requests[0]).toMatchObject({
      path: '/twilio/voice',
      form: {
        CallSid: run.callSid,
        AccountSid: accountSid,
        From: '+15550100001',
        To: '+15550100002',
        CallStatus: 'ringing',
        Direction: 'inbound',
      },
    });
    const told = gateway.requests.slice(1).map(({ form }) => form['StreamEvent'] ?? form['CallStatus']);
    expect(told.sort()).toEqual(['completed', 'stream-started', 'stream-stopped']);
    const events = gateway.messages.map((message) => message['event']);
    expect(events.slice(0, 3)).toEqual(['connected', 'start', 'media']);
    expect(events.at(-1)).toBe('stop');
    expect(run.sent.length).toBeGreaterThanOrEqual(1_600);
    expect(run.frameWrittenMs.length).toBe(run.messagesSent['media']);
  });

  it('is signed for the public address, and dialled where the gateway really is', async () => {
    const gateway = await gatewayWith({ publicUrl: 'https://voice.example.com' });
    const run = await call(gateway, { publicUrl: 'https://voice.example.com' });
    expect(run.end.by).toBe('caller');
    expect(gateway.handshake).toEqual({ signed: true });
    expect(gateway.requests.every(({ signed }) => signed)).toBe(true);
  });

  it('hears the gateway, and obeys its hang-up at the action address', async () => {
    const gateway = await gatewayWith({
      onMessage: (message, stream) => {
        if (message['event'] === 'start') {
          stream.send(audio(100));
          stream.send({ event: 'mark', mark: { name: 'end' } });
        }
        if (message['event'] === 'mark') stream.close();
      },
    });
    const run = await call(gateway, { caller: new Int16Array(80_000) });
    expect(run.end).toMatchObject({ by: 'gateway', how: 'stream-closed' });
    expect(run.end.detail).toContain('hangup');
    expect(run.generations[0]).toMatchObject({ receivedMs: 100, playedMs: 100 });
    expect(run.marks).toMatchObject([{ name: 'end', how: 'played' }]);
    // The gateway's mark came back when 100 ms had really been played.
    expect(run.marks[0]!.echoedAtMs).toBeGreaterThanOrEqual(100);
    const after = gateway.requests.filter(({ path }) => path === '/twilio/after');
    expect(after).toMatchObject([{ signed: true, form: { CallSid: run.callSid } }]);
  });

  it('is handed over when the action address says so', async () => {
    const gateway = await gatewayWith({
      after: '<Response><Dial><Number>+15550100009</Number></Dial></Response>',
      onMessage: (message, stream) => {
        if (message['event'] === 'start') stream.close();
      },
    });
    expect((await call(gateway, { caller: new Int16Array(80_000) })).end.how).toBe('transferred');
  });

  it.each([
    ['busy', 'busy'],
    ['no-answer', 'no-answer'],
    ['answered', 'completed'],
  ] as const)(
    'is put through to a callee (%s), and tells the action address of the dial what became of it',
    async (outcome, status) => {
      const gateway = await gatewayWith({
        after: '<Response><Dial action="/twilio/dialled"><Number>+15550100009</Number></Dial></Response>',
        onMessage: (message, stream) => {
          if (message['event'] === 'start') stream.close();
        },
      });
      const run = await call(gateway, {
        caller: new Int16Array(80_000),
        callee: { outcome, afterMs: 20, talkMs: 20 },
      });
      const told = gateway.requests.find(({ path }) => path === '/twilio/dialled');
      expect(told).toMatchObject({ signed: true, form: { DialCallStatus: status, CallSid: run.callSid } });
      expect(run.end).toMatchObject(
        outcome === 'answered'
          ? { by: 'gateway', how: 'transferred' }
          : { by: 'gateway', how: 'hung-up', detail: expect.stringContaining(outcome) },
      );
    },
  );

  it('is not sent round in circles for ever', async () => {
    const gateway = await gatewayWith({
      after: connectDocument('ws://127.0.0.1:1/nobody', 'http://127.0.0.1:1').body,
      onMessage: (message, stream) => {
        if (message['event'] === 'start') stream.close();
      },
    });
    const run = await call(gateway, { caller: new Int16Array(80_000) });
    expect(run.end).toMatchObject({ by: 'gateway', how: 'stream-closed' });
    expect(run.end.detail).toContain('Cannot open');
  });

  it('is ended over the REST API, with stop as the last message', async () => {
    const api = await openApi();
    const gateway = await gatewayWith({
      onMessage: (message) => {
        if (message['event'] !== 'start') return;
        const { callSid } = message['start'] as { callSid: string };
        void fetch(`${api.url}/2010-04-01/Accounts/${accountSid}/Calls/${callSid}.json`, {
          method: 'POST',
          headers: {
            authorization: `Basic ${btoa(`${accountSid}:${authToken}`)}`,
            'content-type': 'application/x-www-form-urlencoded',
          },
          body: 'Status=completed',
        });
      },
    });
    const run = await call(gateway, { caller: new Int16Array(80_000), api });
    expect(run.end).toMatchObject({ by: 'gateway', how: 'api' });
    expect(run.messagesSent['stop']).toBe(1);
    expect(gateway.requests.some(({ path }) => path === '/twilio/after')).toBe(false);
  });

  it('hears a spoken refusal, and opens no stream', async () => {
    const gateway = await gatewayWith({
      voice: () => ({ body: '<Response><Say>All lines are busy.</Say><Hangup/></Response>' }),
    });
    const run = await call(gateway);
    expect(run.end).toEqual({ by: 'gateway', how: 'refused', detail: 'All lines are busy.' });
    expect(gateway.handshake).toBeNull();
  });

  it('is over after its longest time, whatever the gateway does', async () => {
    const gateway = await gatewayWith({});
    const run = await call(gateway, { caller: new Int16Array(800_000), maxMs: 120 });
    expect(run.end.by).toBe('limit');
  });

  it('is over when it is told to stop, and still accounts for itself', async () => {
    const gateway = await gatewayWith({});
    const stop = new AbortController();
    const run = await call(gateway, {
      caller: new Int16Array(800_000),
      signal: stop.signal,
      onEvent: ({ what }) => {
        if (what === 'status-callback') stop.abort();
      },
    });
    expect(run.end).toEqual({ by: 'caller', how: 'hung-up', detail: 'told to stop' });
    expect(run.timeline.at(-1)).toBeDefined();
  });

  it('has its network both ways: frames leave late, and audio comes late', async () => {
    const gateway = await gatewayWith({
      onMessage: (message, stream) => {
        if (message['event'] === 'start') stream.send(audio(20));
      },
    });
    const run = await call(gateway, {
      weather: { delayMs: 40, jitterMs: 0, lateShare: 0, lateByMs: 0 },
      lingerMs: 200,
    });
    // Frame n is spoken to its end at 20 (n + 1) ms.
    expect(run.frameWrittenMs[0]).toBeGreaterThanOrEqual(60);
    expect(run.received[0]!.atMs).toBeGreaterThanOrEqual(80);
  });
});

describe('there is no call, and one sentence says why,', () => {
  const failure = async (promise: Promise<unknown>): Promise<OffhookError> => {
    const caught = await promise.catch((error: unknown) => error);
    expect(caught).toBeInstanceOf(OffhookError);
    return caught as OffhookError;
  };

  it('when the webhook refuses the signature', async () => {
    const gateway = await gatewayWith({ voice: () => ({ status: 403, body: '' }) });
    const error = await failure(call(gateway));
    expect(error.code).toBe('ERR_CALL');
    expect(error.message).toContain('"403"');
  });

  it('when the answer is not TwiML', async () => {
    const gateway = await gatewayWith({ voice: () => ({ body: '<html>hello</html>' }) });
    expect((await failure(call(gateway))).message).toContain('a TwiML document is wanted');
  });

  it('when the upgrade is refused', async () => {
    const gateway = await gatewayWith({ refuseUpgrade: true });
    expect((await failure(call(gateway))).message).toContain('403');
  });

  it('when nobody listens', async () => {
    const gateway = await startScriptedGateway({ authToken, voice: connectDocument });
    await gateway.close();
    expect((await failure(call(gateway))).message).toContain(`Cannot reach the gateway at "${gateway.url}"`);
  });
});

it('the REST API knows only its account and running calls', async () => {
  const api = await openApi();
  const post = async (account: string, sid: string, token = authToken): Promise<[number, unknown]> => {
    const response = await fetch(`${api.url}/2010-04-01/Accounts/${account}/Calls/${sid}.json`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${account}:${token}`)}` },
      body: new URLSearchParams({ Status: 'completed' }),
    });
    return [response.status, ((await response.json()) as { code?: number }).code];
  };
  let hungUp = 0;
  const forget = api.register('CA1', { hangUp: () => hungUp++, replaceTwiml: () => {} });
  expect(await post(accountSid, 'CA1', 'wrong')).toEqual([401, 20003]);
  expect(await post(`AC${'1'.repeat(32)}`, 'CA1')).toEqual([401, 20003]);
  expect(await post(accountSid, 'CA2')).toEqual([404, 20404]);
  expect(await post(accountSid, 'CA1')).toEqual([200, undefined]);
  forget();
  expect(await post(accountSid, 'CA1')).toEqual([404, 20404]);
  expect(hungUp).toBe(1);
});
