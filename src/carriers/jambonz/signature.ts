import { createHmac, timingSafeEqual } from 'node:crypto';
import type { RawRequest, Verification } from '../carrier.ts';

/**
 * jambonz's webhook signature: `Jambonz-Signature: t=<seconds since 1970>,v1=<hex>`, HMAC-SHA256 of the time, a full stop
 * and the body's bytes, keyed with the account's webhook secret. Source: jambonz-feature-server (`base-requestor.js`) and
 * `@jambonz/sdk` 0.10 (`verifySignature`), which the tests hold against this file. A GET carries nothing of what was
 * signed, so only POST can be checked.
 */
export const SIGNATURE_HEADER = 'jambonz-signature';
export const MAX_AGE_SECONDS = 300;
const MAX_PARTS = 9;

export function jambonzSignature(secret: string, timestamp: string, body: Uint8Array): string {
  return createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex');
}

/** An exact copy verifies until its time is up: carriers repeat webhooks, and a repetition must get its answer again. */
export function verifyWebhook(
  request: RawRequest,
  secrets: readonly string[],
  nowEpochMs: number,
): Verification {
  const header = request.headers[SIGNATURE_HEADER];
  if (header === undefined || header.length === 0) return { ok: false, reason: 'missing' };
  const read = typeof header === 'string' ? readHeader(header) : null;
  if (read === null || request.method.toUpperCase() !== 'POST') return { ok: false, reason: 'malformed' };
  let matches = false;
  for (const secret of secrets) {
    // An empty key is one that everybody has.
    if (secret === '') continue;
    const wanted = Buffer.from(jambonzSignature(secret, read.timestamp, request.body));
    for (const signature of read.signatures) {
      if (timingSafeEqual(Buffer.from(signature), wanted)) matches = true;
    }
  }
  if (!matches) return { ok: false, reason: 'mismatch' };
  const ageSeconds = Math.abs(nowEpochMs / 1000 - Number(read.timestamp));
  return ageSeconds <= MAX_AGE_SECONDS ? { ok: true } : { ok: false, reason: 'stale' };
}

/** While the secret is being changed there may be several `v1`; what has another name is of a scheme to come. */
function readHeader(
  header: string,
): { readonly timestamp: string; readonly signatures: readonly string[] } | null {
  const parts = header.split(',');
  if (parts.length > MAX_PARTS) return null;
  const times = parts.filter((part) => part.startsWith('t='));
  const timestamp = times[0]?.slice(2) ?? '';
  const signatures = parts.filter((part) => part.startsWith('v1=')).map((part) => part.slice(3));
  const isUsable =
    times.length === 1 &&
    /^[0-9]{1,12}$/.test(timestamp) &&
    signatures.length > 0 &&
    signatures.every((signature) => /^[0-9a-f]{64}$/.test(signature));
  return isUsable ? { timestamp, signatures } : null;
}
