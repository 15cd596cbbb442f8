import { createHmac, timingSafeEqual } from 'node:crypto';
import type { RawRequest, Verification } from '../carrier.ts';
import { type FormFields, parseForm } from '../form-fields.ts';
import { originForms } from '../origin-forms.ts';

/**
 * SignalWire's signature of cXML requests: base64 of HMAC-SHA1, keyed with the project's signing key, over the address
 * that was requested followed by the form's fields: Twilio's, but for repeated fields, whose values count each time and
 * in the order in which they came. Source: SignalWire, "Webhook security", and `@signalwire/compatibility-api` 3.2, which
 * the tests hold against this file. (Its other schemes are of JSON requests, which cXML has none of.)
 *
 * It has no time stamp: a copy of a request verifies for ever, so whoever acts on one must be idempotent.
 */
export const SIGNATURE_HEADER = 'x-signalwire-signature';
/** Its older name. */
export const TWILIO_HEADER = 'x-twilio-signature';

export function signalwireSignature(signingKey: string, url: string, signedFields = ''): string {
  return createHmac('sha1', signingKey)
    .update(url + signedFields, 'utf8')
    .digest('base64');
}

/** Name and value run together, names in order of their UTF-16 units. */
export function signedForm(fields: FormFields): string {
  let signed = '';
  for (const name of [...fields.keys()].sort()) {
    for (const value of fields.get(name) ?? []) signed += name + value;
  }
  return signed;
}

/** The fields of a POST are signed with the address; a GET carries them in it. Never throws. */
export function verifyWebhook(
  request: RawRequest,
  publicUrl: string,
  signingKeys: readonly string[],
): Verification {
  if (!request.target.startsWith('/')) return { ok: false, reason: 'malformed' };
  const header = request.headers[SIGNATURE_HEADER] ?? request.headers[TWILIO_HEADER];
  if (header === undefined || header.length === 0) return { ok: false, reason: 'missing' };
  if (typeof header !== 'string' || !/^[A-Za-z0-9+/]{27}=$/.test(header)) {
    return { ok: false, reason: 'malformed' };
  }
  const isGet = request.method.toUpperCase() === 'GET';
  const fields = isGet ? '' : signedForm(parseForm(request.body.toString('utf8')));
  const origin = new URL(publicUrl);
  let matches = false;
  for (const form of originForms(origin, origin.protocol === 'https:' ? '443' : '80')) {
    for (const key of signingKeys) {
      // An empty key is one that everybody has.
      if (key === '') continue;
      if (equal(header, signalwireSignature(key, form + request.target, fields))) matches = true;
    }
  }
  return matches ? { ok: true } : { ok: false, reason: 'mismatch' };
}

function equal(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
