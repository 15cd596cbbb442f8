import { createHmac, timingSafeEqual } from 'node:crypto';
import { parse as parseQuery } from 'node:querystring';
import type { RawRequest, Verification } from '../carrier.ts';
import { type FormFields, parseForm } from '../form-fields.ts';

/**
 * Plivo's request signature, version 3: base64 of HMAC-SHA256, keyed with an auth token, over the address with its query
 * in order, the form's fields and a nonce. Source: the `plivo` package 4.79 (`validateV3Signature`), which the tests hold
 * against this file. There is no time stamp.
 */
export const NONCE_HEADER = 'x-plivo-signature-v3-nonce';
/** Made with the token of the number's account, and with that of the main account. */
export const SIGNATURE_HEADERS = ['x-plivo-signature-v3', 'x-plivo-signature-ma-v3'] as const;

/** While a token is being changed a header holds two signatures; more than a handful is nobody's intention. */
const MAX_SIGNATURES = 8;
const MAX_NONCE_CHARACTERS = 256;

export function plivoSignature(authToken: string, signed: string, nonce: string): string {
  return createHmac('sha256', authToken).update(`${signed}.${nonce}`, 'utf8').digest('base64');
}

/**
 * The text that is signed, but for the nonce. The query is decoded and sorted; fields follow behind a full stop. A POST
 * with fields and no query keeps the bare question mark, as Plivo's own code does.
 */
export function signedText(origin: string, target: string, fields: FormFields): string {
  const at = target.indexOf('?');
  const path = at === -1 ? target : target.slice(0, at);
  const query = sortedQuery(at === -1 ? '' : target.slice(at + 1));
  const form = run(fields, '', '');
  if (fields.size === 0) return `${origin}${path}${query === '' ? '' : `?${query}`}`;
  return `${origin}${path}?${query}${query === '' ? '' : '.'}${form}`;
}

/** The fields that a request carries: of a GET none, its query is part of the address. */
export function fieldsSigned(request: RawRequest): FormFields {
  return request.method.toUpperCase() === 'GET' ? new Map() : parseForm(request.body.toString('utf8'));
}

/** Compares every signature in the headers with that of every text and token; how long it takes says nothing of them. */
export function verifySignature(
  headers: RawRequest['headers'],
  texts: readonly string[],
  authTokens: readonly string[],
): Verification {
  const found = SIGNATURE_HEADERS.map((name) => headers[name]).filter(
    (value) => value !== undefined && value.length > 0,
  );
  const nonce = headers[NONCE_HEADER];
  if (found.length === 0 || nonce === undefined || nonce.length === 0)
    return { ok: false, reason: 'missing' };
  if (typeof nonce !== 'string' || nonce.length > MAX_NONCE_CHARACTERS)
    return { ok: false, reason: 'malformed' };
  const signatures = found.flatMap((value) => (typeof value === 'string' ? value.split(',') : ['']));
  if (signatures.length > MAX_SIGNATURES || !signatures.every((text) => /^[A-Za-z0-9+/]{43}=$/.test(text)))
    return { ok: false, reason: 'malformed' };
  let matches = false;
  for (const token of authTokens) {
    // An empty key is one that everybody has.
    if (token === '') continue;
    for (const text of texts) {
      const wanted = plivoSignature(token, text, nonce);
      for (const signature of signatures) if (equal(signature, wanted)) matches = true;
    }
  }
  return matches ? { ok: true } : { ok: false, reason: 'mismatch' };
}

function sortedQuery(query: string): string {
  // Without a limit: what is left out of the check could be read by somebody else.
  const parsed = parseQuery(query, '&', '=', { maxKeys: 0 });
  const fields = new Map(
    Object.entries(parsed).map(([name, value]) => [
      name,
      Array.isArray(value) ? value : value === undefined ? [] : [value],
    ]),
  );
  return run(fields, '=', '&');
}

/** Names in order of their UTF-16 units, and the values of each; all values count. */
function run(fields: FormFields, between: string, behind: string): string {
  return [...fields.keys()]
    .sort()
    .flatMap((name) => [...(fields.get(name) ?? [])].sort().map((value) => name + between + value))
    .join(behind);
}

function equal(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
