import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { createSignalwireAdapter } from '../../../src/carriers/signalwire/adapter.ts';
import type { SignalwireSettings } from '../../../src/carriers/signalwire/settings.ts';
import { CALL_ID, PUBLIC_URL, settings } from './support.ts';

const { RestClient } = createRequire(import.meta.url)('@signalwire/compatibility-api');
type Answer = () => Response | Error;
const ok: Answer = () => Response.json({ sid: 'new-call', status: 'queued' });
const refused = (status: number, code?: number | string) => () => Response.json({ code }, { status });
const broken: Answer = () => new TypeError('fetch failed');
const request = {
  ref: 'ref-1',
  from: '+15551230002',
  to: '+15559990000',
  ringSeconds: 25,
  detectMachine: false,
};

function signalwire(over: Partial<SignalwireSettings>, ...answers: Answer[]) {
  const seen: { url: string; user: string; form: Record<string, string> }[] = [];
  const problems: string[] = [];
  const adapter = createSignalwireAdapter({ ...settings, ...over }, PUBLIC_URL, {
    clock: {
      now: () => 0,
      epochMs: () => 0,
      setTimer: (_delayMs, onFire) => {
        setImmediate(onFire);
        return { cancel: () => {} };
      },
    },
    random: () => 0.5,
    async fetch(url, init) {
      const { authorization = '' } = init.headers as Record<string, string>;
      const user = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString();
      seen.push({ url, user, form: Object.fromEntries(new URLSearchParams(String(init.body))) });
      const answer = (answers[Math.min(seen.length, answers.length) - 1] ?? ok)();
      if (answer instanceof Error) throw answer;
      return answer;
    },
    onProblem: (message) => problems.push(message),
  });
  return { adapter, control: adapter.control, seen, problems };
}

describe("SignalWire's API", () => {
  test.each([
    ['example', 'https://example.signalwire.com'],
    ['example.signalwire.com', 'https://example.signalwire.com'],
  ])('ends a call in the space %s', async (space, origin) => {
    const { control, seen } = signalwire({ space });
    expect(await control.hangup(CALL_ID)).toBe('done');
    expect(seen).toEqual([
      {
        url: `${origin}/api/laml/2010-04-01/Accounts/${settings.projectId}/Calls/${CALL_ID}`,
        user: `${settings.projectId}:newest-token`,
        form: { Status: 'completed' },
      },
    ]);
  });

  test.each([
    ['the call is gone', refused(404, 20404), 'already-ended', 1],
    ['the call has ended', refused(400, '21220'), 'already-ended', 1],
    ['a page that is not there', refused(404), 'failed', 1],
    ['a bad request', refused(422, '21218'), 'failed', 1],
    ['too many requests', refused(429), 'retryable', 3],
    ['trouble at SignalWire', refused(503), 'retryable', 3],
    ['a page of a proxy', () => new Response('<html>', { status: 502 }), 'retryable', 3],
    ['a list', () => Response.json([], { status: 400 }), 'failed', 1],
    ['a cut connection', broken, 'retryable', 3],
  ] as const)('answers a hang-up with %s', async (_what, answer, result, attempts) => {
    const { control, seen } = signalwire({}, answer);
    expect(await control.hangup(CALL_ID)).toBe(result);
    expect(seen).toHaveLength(attempts);
  });

  test('is tried with the next token where one is refused, and tells none', async () => {
    const { control, seen, problems } = signalwire({}, refused(401), ok);
    expect(await control.hangup(CALL_ID)).toBe('done');
    expect(seen.map(({ user }) => user.split(':')[1])).toEqual(['newest-token', 'older-token']);
    expect(problems.join()).not.toMatch(/token|9f2e/);
  });

  test('takes no transfer and no keys: the end of the stream and the stream do', async () => {
    const { control, seen, adapter } = signalwire({});
    expect(await control.transfer(CALL_ID, '+1', null)).toBe('unsupported');
    expect(await control.sendDtmf(CALL_ID, '1')).toBe('unsupported');
    expect(adapter.capabilities).toMatchObject({ transfer: 'continuation', dtmfOut: 'media', hangup: 'api' });
    expect(seen).toEqual([]);
  });

  test('is left alone where there is none, and an id does not change the address', async () => {
    const { control, seen, adapter } = signalwire({ apiBaseUrl: null });
    expect(await control.hangup(CALL_ID)).toBe('unsupported');
    expect(control.dial).toBeUndefined();
    expect(adapter.capabilities.hangup).toBe('close');
    expect(seen).toEqual([]);
    const odd = signalwire({ apiBaseUrl: 'http://127.0.0.1:1' });
    await odd.control.hangup('../../x?y=1');
    expect(odd.seen[0]?.url).toMatch(
      /^http:\/\/127\.0\.0\.1:1\/api\/laml\/.*\/Calls\/\.\.%2F\.\.%2Fx%3Fy%3D1$/,
    );
  });

  test('places a call that asks us what to do, and says which one it is', async () => {
    const { control, seen } = signalwire({});
    expect(await control.dial?.(request)).toEqual({ ok: true, callId: 'new-call' });
    expect(seen[0]).toMatchObject({
      url: `https://example.signalwire.com/api/laml/2010-04-01/Accounts/${settings.projectId}/Calls`,
      form: {
        From: '+15551230002',
        To: '+15559990000',
        Url: `${PUBLIC_URL}/signalwire/voice?ref=ref-1`,
        Timeout: '25',
        StatusCallback: `${PUBLIC_URL}/signalwire/events`,
      },
    });
    expect(Object.keys(seen[0]?.form ?? {})).not.toContain('MachineDetection');
  });

  test('never places a call twice, whatever the reply is', async () => {
    for (const [answer, result, attempts] of [
      [broken, 'retryable', 1],
      [refused(503), 'retryable', 1],
      [refused(422, '21211'), 'failed', 1],
      [() => Response.json({}), 'failed', 1],
      [refused(429), 'retryable', 3],
    ] as const) {
      const { control, seen } = signalwire({}, answer);
      expect(await control.dial?.(request)).toMatchObject({ ok: false, result });
      expect(seen).toHaveLength(attempts);
    }
  });

  test('gets the same fields from its own package', async () => {
    const asked: { data: Record<string, unknown> }[] = [];
    const httpClient = {
      request: async (options: { data: Record<string, unknown> }) => {
        asked.push(options);
        return { statusCode: 200, body: { sid: 'x' } };
      },
    };
    const client = RestClient('p', 't', { signalwireSpaceUrl: 'example.signalwire.com', httpClient });
    const { control, seen } = signalwire({});
    await control.hangup(CALL_ID);
    await client.calls(CALL_ID).update({ status: 'completed' });
    await control.dial?.({ ...request, detectMachine: true });
    const events = `${PUBLIC_URL}/signalwire/events`;
    await client.calls.create({
      from: '+15551230002',
      to: '+15559990000',
      url: `${PUBLIC_URL}/signalwire/voice?ref=ref-1`,
      method: 'POST',
      timeout: 25,
      statusCallback: events,
      statusCallbackMethod: 'POST',
      machineDetection: 'Enable',
      asyncAmd: 'true',
      asyncAmdStatusCallback: events,
      asyncAmdStatusCallbackMethod: 'POST',
    });
    const theirs = asked.map(({ data }) =>
      Object.fromEntries(Object.entries(data).map(([name, value]) => [name, String(value)])),
    );
    expect(seen.map(({ form }) => form)).toEqual(theirs);
  });
});
