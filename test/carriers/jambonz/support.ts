import { createHmac, hkdfSync } from 'node:crypto';
import type { ApiDependencies } from '../../../src/carriers/api-client.ts';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import type { JambonzSettings } from '../../../src/carriers/jambonz/settings.ts';

export const PUBLIC_URL = 'https://gw.example.com';
export const CALL = '3f5b9f2e-61a4-4f0e-9c51-2f0c4a6f6a10';
export const NOW_SECONDS = 1_750_000_000;
export const settings = {
  accountSid: '9351f46a-678c-43f5-b8a6-d4eb58d131af',
  webhookSecrets: ['wh_secret_new', 'wh_secret_old'],
  apiKeys: ['key-new', 'key-old'],
  apiBaseUrl: 'https://api.jambonz.example',
  applicationSid: '0dddaabf-0a30-43e3-84e8-426873b1a78b',
} as const satisfies JambonzSettings;

export function signedPost(
  target: string,
  body: object | string,
  over: Partial<{ secret: string; seconds: number }> = {},
): RawRequest {
  const { secret = settings.webhookSecrets[0], seconds = NOW_SECONDS } = over;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const signature = createHmac('sha256', secret).update(`${seconds}.${text}`).digest('hex');
  return {
    method: 'POST',
    target,
    headers: { 'content-type': 'application/json', 'jambonz-signature': `t=${seconds},v1=${signature}` },
    body: Buffer.from(text),
  };
}

export function callBody(more: object = {}): Record<string, unknown> {
  return {
    call_sid: CALL,
    account_sid: settings.accountSid,
    application_sid: settings.applicationSid,
    direction: 'inbound',
    from: '15551230001',
    to: '15551230002',
    call_id: 'sip-1',
    call_status: 'trying',
    sip_status: 100,
    ...more,
  };
}

/** The credentials that the answer document must give for a path. */
export function passwordOf(path: string, secret: string = settings.webhookSecrets[0]): string {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'offhook jambonz stream 1', 32));
  return createHmac('sha256', key).update(path).digest('hex').slice(0, 48);
}

export function handshake(target: string, password = passwordOf(target), username = 'offhook'): RawRequest {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return { method: 'GET', target, headers: { authorization }, body: Buffer.alloc(0) };
}

/** An outside world whose time is told and whose timers fire at once. */
export function world(fetch: ApiDependencies['fetch'] = () => Promise.reject(new Error('no network here'))) {
  const time = { epochMs: NOW_SECONDS * 1000 };
  const problems: string[] = [];
  const pauses: number[] = [];
  const dependencies: ApiDependencies = {
    clock: {
      now: () => 0,
      epochMs: () => time.epochMs,
      setTimer(delayMs, onFire) {
        pauses.push(delayMs);
        setImmediate(onFire);
        return { cancel: () => {} };
      },
    },
    random: () => 0.5,
    fetch,
    onProblem: (message) => problems.push(message),
  };
  return { time, problems, pauses, dependencies };
}
