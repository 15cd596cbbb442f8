/**
 * Plivo's V3 signatures as the caller's side makes them. Source: Plivo's Node SDK: HMAC-SHA256 over the address (with the
 * query sorted, and of a POST its fields), a dot and a nonce; base64. The question mark stands there as soon as there are
 * fields, with or without a query.
 */
import { createHmac } from 'node:crypto';

export interface PlivoRequest {
  readonly method: 'GET' | 'POST';
  /** In full. */
  readonly url: string;
  readonly form: Readonly<Record<string, string>>;
}

export function plivoSignature(authToken: string, request: PlivoRequest, nonce: string): string {
  const text = `${request.method === 'GET' ? textOfGet(request) : textOfPost(request)}.${nonce}`;
  return createHmac('sha256', authToken).update(text, 'utf8').digest('base64');
}

export function plivoHeaders(authToken: string, request: PlivoRequest, nonce: string) {
  const signature = plivoSignature(authToken, request, nonce);
  return {
    'x-plivo-signature-v3': signature,
    'x-plivo-signature-ma-v3': signature,
    'x-plivo-signature-v3-nonce': nonce,
  };
}

function textOfGet({ url, form }: PlivoRequest): string {
  const { base, query } = partsOf(url);
  const joined = joinQuery({ ...query, ...form });
  return joined === '' ? base : `${base}?${joined}`;
}

function textOfPost({ url, form }: PlivoRequest): string {
  const { base, query } = partsOf(url);
  const names = Object.keys(form).sort();
  const fields = names.map((name) => name + form[name]).join('');
  const joined = joinQuery(query);
  if (joined === '' && names.length === 0) return base;
  return `${base}?${joined}${joined !== '' && names.length > 0 ? '.' : ''}${fields}`;
}

function partsOf(url: string): { base: string; query: Record<string, string> } {
  const [base = '', query = ''] = url.split('?');
  return { base, query: Object.fromEntries(new URLSearchParams(query)) };
}

const joinQuery = (query: Readonly<Record<string, string>>): string =>
  Object.keys(query)
    .sort()
    .map((name) => `${name}=${query[name]}`)
    .join('&');
