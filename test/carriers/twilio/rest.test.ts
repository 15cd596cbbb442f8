import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import twilio from 'twilio';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { apiOrigin, createTwilioControl } from '../../../src/carriers/twilio/rest.ts';
import type { TwilioSettings } from '../../../src/carriers/twilio/settings.ts';
import type { Clock } from '../../../src/clock.ts';
import { PUBLIC_URL, settings } from './support.ts';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly user: string;
  readonly form: Record<string, string>;
}
type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const servers: Server[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

function json(status: number, body: object): Answer {
  return (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
const done = json(200, { sid: 'CA5', status: 'completed' });
const cutOff: Answer = (response) => response.destroy();

/** Twilio's API as far as calls go: each request gets the next answer, the last one for ever. */
async function api(...answers: Answer[]) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const credentials = (request.headers.authorization ?? '').replace(/^Basic /, '');
    seen.push({
      method: request.method,
      url: request.url,
      user: Buffer.from(credentials, 'base64').toString(),
      form: Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString())),
    });
    answers[Math.min(seen.length, answers.length) - 1]?.(response, request);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, seen, ...client({ apiBaseUrl: origin }) };
}

/** Where nobody listens any more. */
async function closedOrigin(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

function client(over: Partial<TwilioSettings>, fetch: typeof globalThis.fetch = globalThis.fetch) {
  const pauses: number[] = [];
  const problems: string[] = [];
  const clock: Clock = {
    now: () => 0,
    epochMs: () => 0,
    setTimer(delayMs, onFire) {
      pauses.push(delayMs);
      setImmediate(onFire);
      return { cancel: () => {} };
    },
  };
  const control = createTwilioControl({ ...settings, ...over }, PUBLIC_URL, {
    clock,
    random: () => 0.5,
    fetch,
    onProblem: (message) => problems.push(message),
  });
  return { control, pauses, problems };
}

describe("Twilio's API", () => {
  test('ends a call with the account’s credentials', async () => {
    const { control, seen, problems } = await api(done);
    expect(await control.hangup('CA5')).toBe('done');
    expect(seen).toEqual([
      {
        method: 'POST',
        url: `/2010-04-01/Accounts/${settings.accountSid}/Calls/CA5.json`,
        user: `${settings.accountSid}:newest-token`,
        form: { Status: 'completed' },
      },
    ]);
    expect(problems).toEqual([]);
  });

  test('transfers to a number or a SIP address and comes back to us', async () => {
    const { control, seen } = await api(done);
    expect(await control.transfer('CA5', '+15559990000', '+15551230002')).toBe('done');
    expect(await control.transfer('CA5', 'sip:desk@example.com', null)).toBe('done');
    const [number, sip] = seen.map(({ form }) => {
      expect(Object.keys(form)).toEqual(['Twiml']);
      return form['Twiml'] ?? '';
    });
    const dial = `<Dial action="${PUBLIC_URL}/twilio/after" method="POST" timeout="30"`;
    expect(number).toContain(`${dial} callerId="+15551230002"><Number>+15559990000</Number></Dial>`);
    expect(sip).toContain(`${dial}><Sip>sip:desk@example.com</Sip></Dial>`);
  });

  test('plays digits and then asks us for a new stream', async () => {
    const { control, seen } = await api(done);
    expect(await control.sendDtmf('CA5', 'ww12#')).toBe('done');
    expect(seen[0]?.form['Twiml']).toContain(
      `<Play digits="ww12#"/><Redirect method="POST">${PUBLIC_URL}/twilio/after</Redirect>`,
    );
    for (const digits of ['', '12"/>', 'x', '1'.repeat(65)]) {
      expect(await control.sendDtmf('CA5', digits)).toBe('failed');
    }
    expect(seen).toHaveLength(1);
  });

  test.each([
    ['the call is gone', json(404, { code: 20404, status: 404 }), 'already-ended', 1],
    ['the call has ended', json(400, { code: 21220, status: 400 }), 'already-ended', 1],
    ['a page that is not there', json(404, {}), 'failed', 1],
    ['a bad request', json(400, { code: 21218 }), 'failed', 1],
    [
      'a redirect',
      (response: ServerResponse) => response.writeHead(307, { location: '/x' }).end(),
      'failed',
      1,
    ],
    ['too many requests', json(429, { code: 20429 }), 'retryable', 3],
    ['trouble at Twilio', json(503, {}), 'retryable', 3],
    [
      'trouble without JSON',
      (response: ServerResponse) => response.writeHead(502).end('<html>'),
      'retryable',
      3,
    ],
    ['a cut connection', cutOff, 'retryable', 3],
  ] as const)('answers a hang-up with %s', async (_what, answer, result, attempts) => {
    const { control, seen, problems } = await api(answer);
    expect(await control.hangup('CA5')).toBe(result);
    expect(seen).toHaveLength(attempts);
    expect(problems).toHaveLength(result === 'already-ended' ? 0 : attempts);
  });

  test('is asked again after a pause with jitter that doubles', async () => {
    const { control, pauses } = await api(json(503, {}), cutOff, done);
    expect(await control.hangup('CA5')).toBe('done');
    expect(pauses).toEqual([125, 250]);
  });

  test('is not asked again for what must not happen twice, unless it surely did not happen', async () => {
    const unsure = await api(cutOff);
    expect(await unsure.control.sendDtmf('CA5', '1')).toBe('retryable');
    expect(await unsure.control.transfer('CA5', '+1', null)).toBe('retryable');
    expect(unsure.seen).toHaveLength(2);
    const refused = await api(json(429, {}), done);
    expect(await refused.control.sendDtmf('CA5', '1')).toBe('done');
    expect(refused.seen).toHaveLength(2);
    const nobody = client({ apiBaseUrl: await closedOrigin() });
    expect(await nobody.control.sendDtmf('CA5', '1')).toBe('retryable');
    expect(nobody.problems).toHaveLength(3);
  });

  test('is tried with the next token where one is refused', async () => {
    const { control, seen, pauses } = await api(json(401, { code: 20003 }), done);
    expect(await control.hangup('CA5')).toBe('done');
    expect(seen.map(({ user }) => user.split(':')[1])).toEqual(['newest-token', 'older-token']);
    expect(pauses).toEqual([]);
    const refused = await api(json(401, { code: 20003 }));
    expect(await refused.control.hangup('CA5')).toBe('failed');
    expect(refused.seen).toHaveLength(2);
  });

  test('gets four seconds for an attempt, body included', async () => {
    const asked: number[] = [];
    let timeIsUp = (): void => {};
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((delayMs) => {
      const attempt = new AbortController();
      asked.push(delayMs);
      timeIsUp = () => attempt.abort(new DOMException('time is up', 'TimeoutError'));
      return attempt.signal;
    });
    const halfAnswer: Answer = (response) => response.writeHead(500, { 'content-length': '100' }).write('{');
    const { origin, seen } = await api(() => timeIsUp(), halfAnswer);
    const { control, problems } = client({ apiBaseUrl: origin }, async (...request) => {
      const response = await fetch(...request);
      // Its head is there in time, its body is not.
      setImmediate(() => timeIsUp());
      return response;
    });
    expect(await control.hangup('CA5')).toBe('retryable');
    expect(seen).toHaveLength(3);
    expect(asked).toEqual([4000, 4000, 4000]);
    expect(problems.map((problem) => problem.split('found ')[1])).toEqual([
      'TimeoutError',
      'TimeoutError',
      'TimeoutError',
    ]);
  });

  test('has done it once it says so, even if the rest of the answer is lost', async () => {
    const cut: Answer = (response) => {
      response.writeHead(200, { 'content-length': '100' }).flushHeaders();
      response.write('{', () => response.destroy());
    };
    const { control, seen } = await api(cut);
    expect(await control.transfer('CA5', '+1', null)).toBe('done');
    expect(seen).toHaveLength(1);
  });

  test('does not fill our memory with an endless answer', async () => {
    let written = 0;
    const endless: Answer = (response) => {
      response.statusCode = 400;
      const more = () => {
        while (!response.destroyed && written < 64 * 1024 * 1024) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536, 0x20))) return response.once('drain', more);
        }
        return response.end();
      };
      more();
    };
    const { control } = await api(endless);
    expect(await control.hangup('CA5')).toBe('failed');
    expect(written).toBeLessThan(32 * 1024 * 1024);
  });

  test('never rejects and never tells a credential, whatever fetch does', async () => {
    const thrown: unknown[] = [
      new TypeError('bad newest-token'),
      'newest-token',
      null,
      undefined,
      { code: 5 },
    ];
    for (const value of thrown) {
      const { control, problems } = client({ apiBaseUrl: 'http://127.0.0.1:1' }, () => Promise.reject(value));
      expect(await control.hangup('CA5')).toBe('retryable');
      expect(problems.join()).not.toContain('newest-token');
      expect(problems.join()).not.toContain(settings.accountSid);
    }
    const { control, problems } = client({ apiBaseUrl: 'http://user:newest-token@127.0.0.1:1' });
    expect(await control.hangup('CA5')).toBe('retryable');
    expect(problems[0]).toBe('ending a call at Twilio, attempt 1 of 3: found TypeError');
  });

  test('is left alone where there is none', async () => {
    const { control } = client({ apiBaseUrl: null }, () => Promise.reject(new Error('asked')));
    expect(await control.hangup('CA5')).toBe('unsupported');
    expect(await control.transfer('CA5', '+1', null)).toBe('unsupported');
    expect(await control.sendDtmf('CA5', '1')).toBe('unsupported');
  });

  test('keeps an id from changing the address', async () => {
    const { control, seen } = await api(done);
    await control.hangup('../../x?y=1');
    expect(seen[0]?.url).toBe(`/2010-04-01/Accounts/${settings.accountSid}/Calls/..%2F..%2Fx%3Fy%3D1.json`);
  });

  test.each([{}, { region: 'ie1' }, { edge: 'dublin' }, { region: 'ie1', edge: 'dublin' }])(
    "is where Twilio's package looks for it: %j",
    (where) => {
      const sdk = twilio('AC0', 'x', where) as unknown as {
        getHostname(host: string, edge?: string, region?: string): string;
        edge?: string;
        region?: string;
      };
      expect(apiOrigin(where)).toBe(`https://${sdk.getHostname('api.twilio.com', sdk.edge, sdk.region)}`);
    },
  );
});

describe('a call that is placed', () => {
  const request = {
    ref: 'ref-1',
    from: '+15551230002',
    to: '+15559990000',
    ringSeconds: 25,
    detectMachine: false,
  };

  test('asks us what to do once it is answered, and says which one it is', async () => {
    const { control, seen } = await api(json(201, { sid: 'CA9', status: 'queued' }));
    expect(await control.dial?.(request)).toEqual({ ok: true, callId: 'CA9' });
    expect(seen).toMatchObject([
      {
        method: 'POST',
        url: `/2010-04-01/Accounts/${settings.accountSid}/Calls.json`,
        form: {
          From: '+15551230002',
          To: '+15559990000',
          Url: `${PUBLIC_URL}/twilio/voice?ref=ref-1`,
          Timeout: '25',
          StatusCallback: `${PUBLIC_URL}/twilio/events`,
        },
      },
    ]);
    expect(Object.keys(seen[0]?.form ?? {})).not.toContain('MachineDetection');
  });

  test('has people told from machines while the bot is already there', async () => {
    const { control, seen } = await api(json(201, { sid: 'CA9' }));
    await control.dial?.({ ...request, detectMachine: true });
    expect(seen[0]?.form).toMatchObject({
      MachineDetection: 'Enable',
      AsyncAmd: 'true',
      AsyncAmdStatusCallback: `${PUBLIC_URL}/twilio/events`,
    });
  });

  test('is never placed twice, whatever the reply is', async () => {
    for (const [answer, result, attempts] of [
      [cutOff, 'retryable', 1],
      [json(503, {}), 'retryable', 1],
      [json(400, { code: 21211 }), 'failed', 1],
      [json(201, {}), 'failed', 1],
    ] as const) {
      const { control, seen } = await api(answer);
      expect(await control.dial?.(request)).toMatchObject({ ok: false, result });
      expect(seen).toHaveLength(attempts);
    }
  });

  test('is not offered where there is no API', () => {
    expect(client({ apiBaseUrl: null }).control.dial).toBeUndefined();
  });
});
