import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { OffhookError } from '../errors.ts';
import type { CarrierId } from './carrier.ts';

/**
 * The token in the path of a stream's address: a MAC over call, carrier and time. It holds no state, so that a process
 * which never saw the webhook, but has the same carrier credentials, can check it. That it is used only once is the
 * gateway's affair.
 *
 * Form: `1`, call key (32 hex digits), issue time in milliseconds (12), MAC (40). Lower-case hex because Plivo allows
 * only letters and digits, and because a second spelling of the same token must not exist.
 */
const TOKEN = /^1([0-9a-f]{32})([0-9a-f]{12})([0-9a-f]{40})$/;
const MAC_BYTES = 20;

export const STREAM_TOKEN_LIFETIME_MS = 60_000;
/** Another machine's clock may be ahead of ours by this much before its tokens are refused. */
const MAX_CLOCK_LEAD_MS = 30_000;

export type StreamTokenCheck =
  | { readonly ok: true; readonly callKey: string; readonly issuedAtEpochMs: number }
  | { readonly ok: false; readonly reason: 'malformed' | 'mismatch' | 'stale' };

/** Names a call wherever the carrier's id should not be seen: 32 hex digits, the same on every machine. */
export function callKeyOf(carrier: CarrierId, callId: string): string {
  return createHash('sha256').update(`offhook call\n${carrier}\n${callId}`).digest('hex').slice(0, 32);
}

/**
 * @param secrets the carrier's credentials, newest first; the first one signs
 * @returns 85 lower-case letters and digits
 * @throws OffhookError ERR_CONFIG without a secret, since a token anybody can mint is worse than none
 */
export function mintStreamToken(request: {
  readonly carrier: CarrierId;
  readonly callId: string;
  readonly issuedAtEpochMs: number;
  readonly secrets: readonly string[];
}): string {
  const secret = request.secrets[0];
  if (secret === undefined || secret === '') {
    throw new OffhookError(
      'ERR_CONFIG',
      `Minting a stream token for "${request.carrier}": found no secret, wanted the carrier's credentials.`,
    );
  }
  const callKey = callKeyOf(request.carrier, request.callId);
  const issuedAt = Math.max(0, Math.trunc(request.issuedAtEpochMs)).toString(16).padStart(12, '0');
  return `1${callKey}${issuedAt}${macOf(secret, request.carrier, callKey, issuedAt).toString('hex')}`;
}

/** Any of the secrets may have signed, so that credentials can be rotated while calls come in. Never throws. */
export function checkStreamToken(
  token: string,
  expected: {
    readonly carrier: CarrierId;
    readonly nowEpochMs: number;
    readonly secrets: readonly string[];
  },
): StreamTokenCheck {
  const [, callKey, issuedAt, mac] = TOKEN.exec(token) ?? [];
  if (callKey === undefined || issuedAt === undefined || mac === undefined) {
    return { ok: false, reason: 'malformed' };
  }
  const found = Buffer.from(mac, 'hex');
  let matches = false;
  for (const secret of expected.secrets) {
    if (secret === '') continue;
    if (timingSafeEqual(found, macOf(secret, expected.carrier, callKey, issuedAt))) matches = true;
  }
  if (!matches) return { ok: false, reason: 'mismatch' };

  const issuedAtEpochMs = Number.parseInt(issuedAt, 16);
  const ageMs = expected.nowEpochMs - issuedAtEpochMs;
  if (!(ageMs <= STREAM_TOKEN_LIFETIME_MS && ageMs >= -MAX_CLOCK_LEAD_MS))
    return { ok: false, reason: 'stale' };
  return { ok: true, callKey, issuedAtEpochMs };
}

/** A key of its own, so that what we put into addresses says nothing about signatures made with the credential itself. */
function macOf(secret: string, carrier: CarrierId, callKey: string, issuedAt: string): Buffer {
  const key = Buffer.from(hkdfSync('sha256', secret, '', `offhook stream token 1 ${carrier}`, 32));
  return createHmac('sha256', key)
    .update(`${carrier}.${callKey}.${issuedAt}`)
    .digest()
    .subarray(0, MAC_BYTES);
}
