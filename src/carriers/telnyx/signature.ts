import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { RawRequest, Verification } from '../carrier.ts';

/**
 * Telnyx's request signature: Ed25519 over `<time stamp>|<body>`, byte for byte, with the time stamp in seconds. Source:
 * Telnyx, "Receiving webhooks", and the `telnyx` package 7.24, which the tests hold against this file.
 *
 * The address is not part of it, nor is a query: so nothing may be read from either. There is no nonce. A copy of a
 * request verifies until its time stamp is too old, as it must, since Telnyx repeats webhooks; whoever acts on one must
 * be idempotent.
 */
export const SIGNATURE_HEADER = 'telnyx-signature-ed25519';
export const TIMESTAMP_HEADER = 'telnyx-timestamp';
export const TOLERANCE_SECONDS = 300;

/** What stands in front of the 32 bytes of a key in its DER form (RFC 8410, section 4). */
const DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * @param publicKeys base64 of 32 bytes each
 * @returns those that are usable: with none of them nothing verifies
 */
export function readPublicKeys(publicKeys: readonly string[]): readonly KeyObject[] {
  return publicKeys.flatMap((text) => {
    if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return [];
    const der = Buffer.concat([DER_PREFIX, Buffer.from(text, 'base64')]);
    return [createPublicKey({ key: der, format: 'der', type: 'spki' })];
  });
}

/** Never throws, whatever the headers and the body are. */
export function verifySignature(
  { headers, body }: Pick<RawRequest, 'headers' | 'body'>,
  publicKeys: readonly KeyObject[],
  nowEpochMs: number,
): Verification {
  const signature = headers[SIGNATURE_HEADER];
  const timestamp = headers[TIMESTAMP_HEADER];
  if (isMissing(signature) || isMissing(timestamp)) return { ok: false, reason: 'missing' };
  if (typeof signature !== 'string' || !/^[A-Za-z0-9+/]{86}==$/.test(signature)) {
    return { ok: false, reason: 'malformed' };
  }
  if (typeof timestamp !== 'string' || !/^[0-9]{1,15}$/.test(timestamp)) {
    return { ok: false, reason: 'malformed' };
  }
  const ageSeconds = Math.floor(nowEpochMs / 1000) - Number(timestamp);
  const isFresh = Math.abs(ageSeconds) <= TOLERANCE_SECONDS;
  const signed = Buffer.concat([Buffer.from(`${timestamp}|`, 'latin1'), body]);
  const bytes = Buffer.from(signature, 'base64');
  // Stale or not, the signature is checked: how long a refusal takes says nothing about why.
  const matches = publicKeys.some((key) => verify(null, signed, key, bytes));
  if (!matches) return { ok: false, reason: 'mismatch' };
  return isFresh ? { ok: true } : { ok: false, reason: 'stale' };
}

function isMissing(header: string | readonly string[] | undefined): boolean {
  return header === undefined || header.length === 0;
}
