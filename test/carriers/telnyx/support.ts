import { createPrivateKey, sign } from 'node:crypto';
import type { ApiDependencies } from '../../../src/carriers/api-client.ts';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import type { TelnyxSettings } from '../../../src/carriers/telnyx/settings.ts';
import type { Clock } from '../../../src/clock.ts';

export const PUBLIC_URL = 'https://gw.example.com';
export const NOW_SECONDS = 1_750_000_000;
export const CALL_ID = 'v3:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ';

export interface KeyPair {
  readonly publicKey: string;
  sign(message: Buffer): string;
}

/** A key pair of 32 equal bytes; its private key in DER form (RFC 8410, section 7). */
export function keyPair(seed: number): KeyPair {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, seed)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = Buffer.from(key.export({ format: 'jwk' }).x as string, 'base64url').toString('base64');
  return { publicKey, sign: (message) => sign(null, message, key).toString('base64') };
}

export const newest = keyPair(7);
export const older = keyPair(8);

export const settings = {
  apiKeys: ['newest-key', 'older-key'],
  publicKeys: [newest.publicKey, older.publicKey],
  audio: { encoding: 'pcmu', sampleRate: 8000 },
  l16Order: 'little',
} as const satisfies TelnyxSettings;

/** A POST as Telnyx signs it. */
export function signedPost(
  target: string,
  body: string | Buffer,
  over: Partial<{ pair: KeyPair; seconds: number | string }> = {},
): RawRequest {
  const { pair = newest, seconds = NOW_SECONDS } = over;
  const bytes = Buffer.from(body);
  return {
    method: 'POST',
    target,
    headers: {
      'telnyx-timestamp': String(seconds),
      'telnyx-signature-ed25519': pair.sign(Buffer.concat([Buffer.from(`${seconds}|`), bytes])),
    },
    body: bytes,
  };
}

/** A Call Control event. */
export function callEvent(type: string, payload: object = {}): string {
  return JSON.stringify({
    data: {
      record_type: 'event',
      event_type: type,
      id: '0ccc7b54-4df3-4bca-a65a-3da1ecc777f0',
      occurred_at: '2026-01-02T03:04:05.678Z',
      payload: {
        call_control_id: CALL_ID,
        call_leg_id: 'l1',
        call_session_id: 's1',
        connection_id: '14',
        client_state: null,
        from: '+15551230001',
        to: '+15551230002',
        ...payload,
      },
    },
    meta: { attempt: 1, delivered_to: `${PUBLIC_URL}/telnyx/voice` },
  });
}

/** A TeXML request. */
export function texmlForm(more: Record<string, string> = {}): string {
  return new URLSearchParams({
    CallSid: CALL_ID,
    AccountSid: '19a75cea-02c6-4b9a-84fa-c9bc8341feb8',
    From: '+15551230001',
    To: '+15551230002',
    CallStatus: 'ringing',
    Direction: 'inbound',
    ...more,
  }).toString();
}

export interface SeenCommand {
  readonly url: string;
  readonly key: string;
  readonly body: Record<string, unknown>;
}
export type Answer = Response | Error;

export function ok(body: object = { data: { result: 'ok' } }): Response {
  return Response.json(body);
}
export function refused(status: number, code?: string): Response {
  return Response.json({ errors: code === undefined ? [] : [{ code, title: 'x', detail: 'y' }] }, { status });
}

/** Telnyx's API in memory: each request gets the next answer, the last one for ever. Timers fire at once. */
export function fakeApi(...answers: (() => Answer)[]) {
  const seen: SeenCommand[] = [];
  const pauses: number[] = [];
  const problems: string[] = [];
  const clock: Clock = {
    now: () => 0,
    epochMs: () => NOW_SECONDS * 1000,
    setTimer(delayMs, onFire) {
      pauses.push(delayMs);
      setImmediate(onFire);
      return { cancel: () => {} };
    },
  };
  const dependencies: ApiDependencies = {
    clock,
    random: () => 0.5,
    async fetch(url, init) {
      const { authorization = '' } = init.headers as Record<string, string>;
      const body = JSON.parse(String(init.body)) as Record<string, unknown>;
      seen.push({ url, key: authorization.replace(/^Bearer /, ''), body });
      const answer = (answers[Math.min(seen.length, answers.length) - 1] ?? (() => ok()))();
      if (answer instanceof Error) throw answer;
      return answer;
    },
    onProblem: (message) => problems.push(message),
  };
  return { seen, pauses, problems, dependencies };
}
