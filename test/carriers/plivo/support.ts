import { createHmac } from 'node:crypto';
import type { ApiDependencies } from '../../../src/carriers/api-client.ts';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import type { PlivoSettings } from '../../../src/carriers/plivo/settings.ts';

export const PUBLIC_URL = 'https://gw.example.com';
export const CALL = '12345678-1234-1234-1234-123456789abc';
export const settings = {
  authId: 'MAXXXXXXXXXXXXXXXXXX',
  authTokens: ['newest-token', 'older-token'],
} as const satisfies PlivoSettings;

export type Form = Record<string, string | string[]>;

/** The form as a carrier writes it: repeated names one after the other. */
export function encodeForm(form: Form): string {
  const pairs = Object.entries(form).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [name, one] as [string, string]),
  );
  return new URLSearchParams(pairs).toString();
}

/** Written from Plivo's description of the scheme; what it gives is held against Plivo's package in signature.test.ts. */
export function sign(method: 'GET' | 'POST', url: string, form: Form, nonce: string, token: string): string {
  const [address = '', query = ''] = url.split('?', 2);
  const pairs = [...new URLSearchParams(query)].map(([name, value]) => [name, value] as const);
  const sorted = (list: (readonly [string, string])[], between: string) =>
    list
      .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
      .map((pair) => pair.join(between));
  const fields = Object.entries(form).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, one] as const),
  );
  let text = address;
  if (pairs.length > 0 || (method === 'POST' && fields.length > 0))
    text += `?${sorted(pairs, '=').join('&')}`;
  if (method === 'POST' && fields.length > 0)
    text += (pairs.length > 0 ? '.' : '') + sorted(fields, '').join('');
  return createHmac('sha256', token).update(`${text}.${nonce}`).digest('base64');
}

let nonces = 0;
export function freshNonce(): string {
  nonces += 1;
  return `9999${String(nonces).padStart(12, '0')}`;
}

export function signedPost(
  target: string,
  form: Form,
  over: Partial<{ token: string; url: string; nonce: string; header: string }> = {},
): RawRequest {
  const { token = settings.authTokens[0], url = PUBLIC_URL + target, nonce = freshNonce() } = over;
  return {
    method: 'POST',
    target,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      [over.header ?? 'x-plivo-signature-v3']: sign('POST', url, form, nonce, token),
      'x-plivo-signature-v3-nonce': nonce,
    },
    body: Buffer.from(encodeForm(form)),
  };
}

export function handshake(
  target: string,
  url = `https://gw.example.com${target}`,
  token: string = settings.authTokens[0],
): RawRequest {
  const nonce = freshNonce();
  const headers = {
    'x-plivo-signature-v3': sign('GET', url, {}, nonce, token),
    'x-plivo-signature-v3-nonce': nonce,
  };
  return { method: 'GET', target, headers, body: Buffer.alloc(0) };
}

export function callForm(more: Form = {}): Form {
  return {
    CallUUID: CALL,
    From: '15551230001',
    To: '15551230002',
    CallStatus: 'ringing',
    Direction: 'inbound',
    Event: 'StartApp',
    ParentAuthID: settings.authId,
    ...more,
  };
}

/** An outside world whose time is told and whose timers fire at once. */
export function world(fetch: ApiDependencies['fetch'] = () => Promise.reject(new Error('no network here'))) {
  const time = { nowMs: 0, epochMs: 1_750_000_000_000 };
  const problems: string[] = [];
  const pauses: number[] = [];
  const dependencies: ApiDependencies = {
    clock: {
      now: () => time.nowMs,
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
