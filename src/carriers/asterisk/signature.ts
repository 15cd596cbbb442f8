import { createHash, timingSafeEqual } from 'node:crypto';
import type { RawRequest, Verification } from '../carrier.ts';

/**
 * Asterisk signs nothing. With `username` and `password` in its client's configuration its first request has them as
 * HTTP Basic credentials, unasked. Source: fixtures/carriers/asterisk, as a real Asterisk 22.10 wrote it.
 */
export function verifyCredentials(
  headers: RawRequest['headers'],
  username: string,
  passwords: readonly string[],
): Verification {
  const header = headers['authorization'];
  if (header === undefined || header.length === 0) return { ok: false, reason: 'missing' };
  const encoded =
    typeof header === 'string' ? /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1] : undefined;
  if (encoded === undefined) return { ok: false, reason: 'malformed' };
  const given = Buffer.from(encoded, 'base64').toString('utf8');
  let matches = false;
  for (const password of passwords) {
    // An empty password is one that everybody has.
    if (password !== '' && equal(given, `${username}:${password}`)) matches = true;
  }
  return matches ? { ok: true } : { ok: false, reason: 'mismatch' };
}

/** Digests have one length, so that the time says nothing about the password's either. */
function equal(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
