import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { parse as parseQuery, stringify as stringifyQuery } from 'node:querystring';
import type { RawRequest, Verification } from '../carrier.ts';
import { type FormFields, parseForm } from '../form-fields.ts';
import { originForms } from '../origin-forms.ts';

/**
 * Twilio's request signature: base64 of HMAC-SHA1, keyed with the account's auth token, over the address that Twilio
 * requested followed by the form's fields. Source: Twilio, "Webhooks security", and the `twilio` package 6.2.0, which
 * the tests hold against this file. It has no time stamp: a copy of a request verifies for ever, so whoever acts on one
 * must be idempotent.
 */
export const SIGNATURE_HEADER = 'x-twilio-signature';

export function twilioSignature(authToken: string, url: string, signedFields = ''): string {
  return createHmac('sha1', authToken)
    .update(url + signedFields, 'utf8')
    .digest('base64');
}

/** Name and value run together, names in order of their UTF-16 units; of equal values of one name only one counts. */
export function signedForm(fields: FormFields): string {
  let signed = '';
  for (const name of [...fields.keys()].sort()) {
    for (const value of [...new Set(fields.get(name))].sort()) signed += name + value;
  }
  return signed;
}

/**
 * Checks a webhook. The fields of a POST are signed with the address; a GET carries them in it. Where the query has
 * `bodySHA256` (Twilio's way for JSON) the address alone is signed and the body must have that hash.
 */
export function verifyWebhook(
  request: RawRequest,
  publicUrl: string,
  authTokens: readonly string[],
): Verification {
  if (!request.target.startsWith('/')) return { ok: false, reason: 'malformed' };
  const bodyHash = bodyHashOf(request.target);
  if (bodyHash !== null) {
    const actual = createHash('sha256').update(request.body).digest('hex');
    if (!equal(bodyHash, actual)) return { ok: false, reason: 'mismatch' };
  }
  const hasForm = bodyHash === null && request.method.toUpperCase() !== 'GET';
  const fields = hasForm ? signedForm(parseForm(request.body.toString('utf8'))) : '';
  return verifySignature(request.headers, webhookUrls(publicUrl, request.target), fields, authTokens);
}

/** Compares the header with the signature of every address and token; how long that takes says nothing about them. */
export function verifySignature(
  headers: RawRequest['headers'],
  urls: Iterable<string>,
  signedFields: string,
  authTokens: readonly string[],
): Verification {
  const header = headers[SIGNATURE_HEADER];
  if (header === undefined || header.length === 0) return { ok: false, reason: 'missing' };
  if (typeof header !== 'string' || !/^[A-Za-z0-9+/]{27}=$/.test(header))
    return { ok: false, reason: 'malformed' };
  let matches = false;
  for (const url of urls) {
    for (const token of authTokens) {
      // An empty key is one that everybody has.
      if (token !== '' && equal(header, twilioSignature(token, url, signedFields))) matches = true;
    }
  }
  return matches ? { ok: true } : { ok: false, reason: 'mismatch' };
}

/** Twilio's helper also accepts the signature of an address with its query escaped anew; some of its back ends do so. */
function webhookUrls(publicUrl: string, target: string): Set<string> {
  const origin = new URL(publicUrl);
  const targets = [target];
  const path = normalisedTarget(target);
  if (path !== null) targets.push(path, withQueryEscapedAnew(path));
  const urls = new Set<string>();
  for (const form of originForms(origin, origin.protocol === 'https:' ? '443' : '80')) {
    for (const variant of targets) urls.add(form + variant);
  }
  return urls;
}

function normalisedTarget(target: string): string | null {
  const url = URL.parse(`https://host.invalid${target}`);
  return url === null ? null : url.href.slice(url.origin.length);
}

function withQueryEscapedAnew(target: string): string {
  const start = target.indexOf('?');
  if (start === -1 || start === target.length - 1) return target;
  return `${target.slice(0, start)}?${stringifyQuery(parseQuery(target.slice(start + 1)))}`;
}

function bodyHashOf(target: string): string | null {
  const start = target.indexOf('?');
  return start === -1 ? null : new URLSearchParams(target.slice(start + 1)).get('bodySHA256');
}

function equal(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
