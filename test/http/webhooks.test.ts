import { request } from 'node:http';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { WebhookEvent, WebhookPort } from '../../src/carriers/carrier.ts';
import {
  ACCOUNT,
  AUTH_TOKEN,
  CALL,
  type Harness,
  PUBLIC_ORIGIN,
  signature,
  startPublic,
  webhook,
} from './harness.ts';

let harness: Harness;
afterEach(() => harness.close());

describe('a call comes in', () => {
  test('a signed webhook is admitted and the answer names the stream', async () => {
    harness = await startPublic();
    const answer = await webhook(harness, '/twilio/voice');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/xml/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.body).toContain('wss://voice.example.com/twilio/media/t1');
    expect(harness.desk.admitted).toMatchObject([{ callId: CALL.CallSid, from: CALL.From, to: CALL.To }]);
  });

  test('a carrier that asks with GET is answered as well', async () => {
    harness = await startPublic();
    const path = `/twilio/voice?${new URLSearchParams(CALL)}`;
    const response = await fetch(`http://127.0.0.1:${harness.port}${path}`, {
      headers: { 'x-twilio-signature': signature(PUBLIC_ORIGIN + path) },
    });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('/twilio/media/t1');
  });

  test('a repetition gets the same bytes, and re-arms the stream while the call lives', async () => {
    harness = await startPublic();
    const first = await webhook(harness, '/twilio/voice');
    const second = await webhook(harness, '/twilio/voice');
    expect(second.body).toBe(first.body);
    expect(harness.desk.admitted).toHaveLength(2);
    expect(harness.counted).toEqual(['replay twilio']);
  });

  test('a repetition after the end gets the same bytes and starts nothing', async () => {
    harness = await startPublic();
    const first = await webhook(harness, '/twilio/voice');
    harness.desk.live = [];
    const second = await webhook(harness, '/twilio/voice');
    expect(second.body).toBe(first.body);
    expect(harness.desk.admitted).toHaveLength(1);
  });

  test('two copies at once are one call with one answer, also when writing the answer takes time', async () => {
    const gate = Promise.withResolvers<void>();
    let written = 0;
    harness = await startPublic({}, (adapter) => ({
      ...adapter,
      webhook: {
        ...(adapter.webhook as WebhookPort),
        accept: async (call, streamPath) => {
          written += 1;
          await gate.promise;
          return (adapter.webhook as WebhookPort).accept(call, streamPath);
        },
      },
    }));
    const both = Promise.all([webhook(harness, '/twilio/voice'), webhook(harness, '/twilio/voice')]);
    await expect.poll(() => harness.desk.admitted.length).toBe(2);
    gate.resolve();
    const [first, second] = await both;
    expect(first.body).toBe(second.body);
    expect(written).toBe(1);
  });

  test('a refusal is spoken, counted, and stays a refusal when it is repeated', async () => {
    harness = await startPublic();
    harness.desk.onAdmit = () => ({ kind: 'refused', reason: 'busy', detail: 'all lines taken' });
    const first = await webhook(harness, '/twilio/voice');
    expect(first.status).toBe(200);
    expect(first.body).toContain('<Say');
    harness.desk.onAdmit = () => {
      throw new Error('must not be asked again');
    };
    expect((await webhook(harness, '/twilio/voice')).body).toBe(first.body);
    expect(harness.counted).toEqual(['refused twilio busy', 'replay twilio']);
  });

  test('when the answer cannot be written the call is ended and the caller hears an apology', async () => {
    harness = await startPublic({}, (adapter) => ({
      ...adapter,
      webhook: { ...(adapter.webhook as WebhookPort), accept: () => Promise.reject(new Error('broken')) },
    }));
    const answer = await webhook(harness, '/twilio/voice');
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('<Say');
    expect(harness.desk.ended).toMatchObject([
      { ref: `ref-${CALL.CallSid}`, reason: { who: 'gateway', how: 'error' } },
    ]);
  });

  test('an answer that never comes is given up within its deadline', async () => {
    harness = await startPublic({ answerDeadlineMs: 30 }, (adapter) => ({
      ...adapter,
      webhook: { ...(adapter.webhook as WebhookPort), accept: () => new Promise(() => {}) },
    }));
    expect((await webhook(harness, '/twilio/voice')).body).toContain('<Say');
    expect(harness.desk.ended).toHaveLength(1);
  });

  test('a desk that throws is one failed request', async () => {
    harness = await startPublic();
    harness.desk.onAdmit = () => {
      throw new Error('a bug');
    };
    expect(await webhook(harness, '/twilio/voice')).toMatchObject({ status: 500, body: '' });
    expect(harness.counted).toEqual(['failed webhook']);
  });
});

describe('who is not let in', () => {
  test('a forged signature gets 403 without a word, is counted, and reaches nobody', async () => {
    harness = await startPublic();
    const answer = await webhook(harness, '/twilio/voice', CALL, { 'x-twilio-signature': 'AAAA' });
    expect(answer).toMatchObject({ status: 403, body: '' });
    expect(harness.counted).toEqual(['auth twilio webhook']);
    expect(harness.desk.admitted).toEqual([]);
  });

  test('a thousand forgeries: none is let in, and the log does not grow with them', async () => {
    harness = await startPublic();
    const forgeries = fc.sample(
      fc.record({
        'x-twilio-signature': fc.oneof(
          fc.base64String({ minLength: 28, maxLength: 28 }),
          fc.constant(''),
          fc.stringMatching(/^[!-~]{1,200}$/),
          fc.constantFrom(
            signature(`http://voice.example.com/twilio/voice`, CALL),
            signature(`${PUBLIC_ORIGIN}/twilio/events`, CALL),
            signature(`${PUBLIC_ORIGIN}/twilio/voice`),
          ),
        ),
        'x-forwarded-host': fc.constantFrom('voice.example.com', 'evil.example.com'),
        'x-forwarded-proto': fc.constantFrom('http', 'https'),
      }),
      1000,
    );
    for (let start = 0; start < forgeries.length; start += 50) {
      const answers = await Promise.all(
        forgeries.slice(start, start + 50).map((headers) => webhook(harness, '/twilio/voice', CALL, headers)),
      );
      for (const answer of answers) expect(answer).toMatchObject({ status: 403, body: '' });
    }
    expect(harness.desk.admitted).toEqual([]);
    expect(harness.counted).toHaveLength(1000);
    expect(harness.logged.length).toBeLessThan(60);
  });

  test('forwarded headers and Host change nothing for a signed one', async () => {
    harness = await startPublic();
    const headers = {
      'x-forwarded-host': 'evil.example.com',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example.com;proto=http',
    };
    expect((await webhook(harness, '/twilio/voice', CALL, headers)).status).toBe(200);
  });

  const ODD_TYPES = [
    'application/json',
    'application/json\t; charset=utf-8',
    ' application/json',
    'application/json garbage',
    'application/x-www-form-urlencoded\t',
    'text/plain; charset=utf-7',
    'multipart/form-data; boundary=x',
    'nonsense',
    '/',
    ';',
  ];
  test.each(ODD_TYPES)('whatever the Content-Type, only the signature decides: "%s"', async (type) => {
    harness = await startPublic();
    const forged = await webhook(harness, '/twilio/voice', CALL, {
      'content-type': type,
      'x-twilio-signature': 'AAAA',
    });
    expect(forged).toMatchObject({ status: 403, body: '' });
    expect(harness.desk.admitted).toEqual([]);
    expect(harness.counted).toEqual(['auth twilio webhook']);
    expect((await webhook(harness, '/twilio/voice', CALL, { 'content-type': type })).status).toBe(200);
  });

  test('a body without any Content-Type needs its signature as well', async () => {
    harness = await startPublic();
    const status = await new Promise((resolve, reject) => {
      const ask = request(
        { host: '127.0.0.1', port: harness.port, path: '/twilio/voice', method: 'POST' },
        (response) => resolve(response.resume().statusCode),
      );
      ask.on('error', reject);
      ask.end(new URLSearchParams(CALL).toString());
    });
    expect(status).toBe(403);
  });

  test('a carrier that is not configured, and one that does not exist, are not found', async () => {
    harness = await startPublic();
    for (const carrier of ['telnyx', 'nobody', '__proto__', 'constructor', 'TWILIO']) {
      expect(await webhook(harness, `/${carrier}/voice`)).toMatchObject({ status: 404, body: '' });
    }
  });

  test('a body above 64 KiB is not read', async () => {
    harness = await startPublic();
    const answer = await webhook(harness, '/twilio/voice', { ...CALL, Pad: 'x'.repeat(70_000) });
    expect(answer).toMatchObject({ status: 413, body: '' });
    expect(harness.counted).toEqual(['limit body-size']);
  });

  test('neither token nor number nor signature is ever logged', async () => {
    harness = await startPublic();
    await webhook(harness, '/twilio/voice', CALL, { 'x-twilio-signature': 'AAAAsignature' });
    await webhook(harness, '/twilio/voice');
    const text = harness.logged.join('');
    expect(text).toContain('request refused');
    for (const hidden of [AUTH_TOKEN, 'AAAAsignature', '15550100001', ACCOUNT]) {
      expect(text).not.toContain(hidden);
    }
  });
});

describe('what else a carrier says', () => {
  test('the end of a call reaches the desk', async () => {
    harness = await startPublic();
    const answer = await webhook(harness, '/twilio/events', { ...CALL, CallStatus: 'completed' });
    expect(answer).toMatchObject({ status: 204, body: '' });
    expect(harness.desk.said).toEqual([{ callId: CALL.CallSid, what: 'ended', detail: 'completed' }]);
  });

  test('a stream that failed reaches the desk with its reason', async () => {
    harness = await startPublic();
    const fields = { ...CALL, StreamEvent: 'stream-error', StreamError: 'handshake' };
    await webhook(harness, '/twilio/events', fields);
    expect(harness.desk.said).toMatchObject([{ what: 'stream-failed' }]);
  });

  test('after a stream that broke off the caller is taken back on another one', async () => {
    harness = await startPublic();
    const streamPath = '/twilio/media/token-of-the-next';
    harness.desk.back = {
      call: {
        carrier: 'twilio',
        callId: CALL.CallSid,
        accountId: CALL.AccountSid,
        from: CALL.From,
        to: CALL.To,
        direction: 'inbound',
      },
      streamPath,
    };
    const answer = await webhook(harness, '/twilio/after', { ...CALL, CallStatus: 'in-progress' });
    expect(answer.status).toBe(200);
    expect(answer.body).toContain(`${PUBLIC_ORIGIN.replace('https:', 'wss:')}${streamPath}`);
    expect(answer.body).not.toContain('<Hangup');
    expect(harness.desk.admitted).toEqual([]);
  });

  test('after the stream the call is hung up', async () => {
    harness = await startPublic();
    const answer = await webhook(harness, '/twilio/after', { ...CALL, CallStatus: 'in-progress' });
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('<Hangup');
    expect(harness.desk.said).toMatchObject([{ what: 'stream-stopped' }]);
  });
});

test('the gateway is ready until ten seconds after draining began, and alive all the time', async () => {
  harness = await startPublic();
  const statusOf = async (path: string) => (await fetch(`http://127.0.0.1:${harness.port}${path}`)).status;
  const at = async (drainingForMs: number | null) => {
    harness.desk.drainingForMs = drainingForMs;
    return [await statusOf('/readyz'), await statusOf('/healthz')];
  };
  expect(await at(null)).toEqual([200, 200]);
  expect(await at(0)).toEqual([200, 200]);
  expect(await at(9_999)).toEqual([200, 200]);
  expect(await at(10_000)).toEqual([503, 200]);
  harness.desk.drainingForMs = null;
  harness.desk.activeCalls = harness.desk.capacity;
  expect(await statusOf('/readyz')).toBe(200);
});

describe('who has answered a call that we placed', () => {
  const saying = (event: WebhookEvent) =>
    startPublic({}, (adapter) => ({
      ...adapter,
      webhook: { ...(adapter.webhook as WebhookPort), parse: () => event },
    }));

  test.each(['person', 'machine', 'unknown'] as const)('is told to the desk: %s', async (by) => {
    harness = await saying({ type: 'call-answered', callId: 'CA9', by });
    expect((await webhook(harness, '/twilio/events')).status).toBe(204);
    expect(harness.desk.answered).toEqual([{ callId: 'CA9', by }]);
  });

  test('is not told when the carrier says no more than that it was answered', async () => {
    harness = await saying({ type: 'call-answered', callId: 'CA9' });
    expect((await webhook(harness, '/twilio/events')).status).toBe(204);
    expect(harness.desk.answered).toEqual([]);
  });
});

describe('a carrier whose calls outlive their streams', () => {
  test('is asked over its API to hang up when the end of a stream was the end of the call, as no document decides that', async () => {
    const hungUp: string[] = [];
    harness = await startPublic({}, (adapter) => ({
      ...adapter,
      capabilities: { ...adapter.capabilities, outlivesStream: true },
      control: {
        ...adapter.control,
        hangup: async (callId) => {
          hungUp.push(callId);
          return 'done';
        },
      },
    }));
    const after = { ...CALL, CallStatus: 'in-progress' };
    await webhook(harness, '/twilio/after', after);
    expect(hungUp).toEqual([CALL.CallSid]);
    harness.desk.plan = { kind: 'transfer', target: '+15550109999' };
    expect((await webhook(harness, '/twilio/after', after)).body).toContain('+15550109999');
    expect(hungUp).toHaveLength(1);
  });
});
