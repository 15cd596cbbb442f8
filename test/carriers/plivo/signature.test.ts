import fc from 'fast-check';
import plivo from 'plivo';
import { describe, expect, test } from 'vitest';
import { parseForm } from '../../../src/carriers/form-fields.ts';
import { plivoSignature, signedText, verifySignature } from '../../../src/carriers/plivo/signature.ts';
import { encodeForm, type Form, sign } from './support.ts';

const TOKEN = 'token123';
const NONCE = '12345678901234567890';

// Plivo's package cannot tell these names from members of its own objects.
const OWN_NAMES = new Set(Object.getOwnPropertyNames(Object.prototype));
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('', 'a', 'A', 'ab', '10', '9', '?', '&=+ %', '+1', 'é', '日本', '1,2', '.'),
);
const name = text.filter((value) => value !== '' && !OWN_NAMES.has(value));
const form: fc.Arbitrary<Form> = fc
  .array(fc.tuple(name, fc.array(text, { minLength: 1, maxLength: 3 })), { maxLength: 8 })
  .map((entries) =>
    Object.fromEntries(
      entries.map(([key, values]) => [key, values.length === 1 ? (values[0] as string) : values]),
    ),
  );
const query = fc.oneof(
  fc.constant(''),
  form.map((fields) => (Object.keys(fields).length === 0 ? '' : `?${encodeForm(fields)}`)),
  fc.constantFrom(
    '?',
    '?a',
    '?a=',
    '?=1',
    '?b=2&a=1',
    '?a=1&a=0',
    '?a=%20b&c=d+e',
    '?%zz=1',
    '?a=1&&b=2',
    '?q=a%26b%3Dc',
  ),
);
const origin = fc.constantFrom(
  'https://gw.example.com',
  'https://gw.example.com:8443',
  'http://localhost:8080',
  'wss://gw.example.com',
);
const path = fc.constantFrom('/plivo/voice', '/plivo/after', '/plivo/media/1a2b3c', '/a%20b');
const token = fc.stringMatching(/^[A-Za-z0-9]{1,40}$/);
const nonce = fc.stringMatching(/^[0-9a-f-]{1,40}$/);

function ours(method: 'GET' | 'POST', base: string, target: string, fields: Form): string {
  return signedText(base, target, method === 'GET' ? new Map() : parseForm(encodeForm(fields)));
}

describe('Plivo signature', () => {
  test.each([
    [
      'POST',
      '/plivo/answer',
      { CallUUID: 'u1', From: '15551230001', To: '15551230002' },
      'QsyjuKJiAf9vUdP4m4iNKdkBzuvU0Tsm5uvOw4E6+1w=',
    ],
    [
      'POST',
      '/plivo/answer?b=2&a=1',
      { CallUUID: 'u1', To: '2' },
      'gkfUV7AHfu+ZZKtVVKVpEiQwiVZfdv/zocrqykf5+lE=',
    ],
    ['GET', '/plivo/media/abc', {}, 'iQ+3yTOQQ89WgYkSpmXFW4ssW7yS8hncRJ31x+IgU9U='],
  ] as const)('%s %s as computed with its package', (method, target, fields, wanted) => {
    const signed = ours(method, 'https://voice.example.com', target, fields);
    expect(plivoSignature(TOKEN, signed, NONCE)).toBe(wanted);
    expect(sign(method, `https://voice.example.com${target}`, fields, NONCE, TOKEN)).toBe(wanted);
  });

  test.each([
    ['http', 'OwF2O2nX5dGuzOkxS+Yv50P3dx7fdzqq5Sk5ZNeciRQ='],
    ['wss', 'DbISuGOpH40FagX3GiDVyvzOdWIVC1wDgWAQt+h3BuI='],
  ])('the handshake in its %s form', (scheme, wanted) => {
    const signed = ours('GET', `${scheme}://voice.example.com`, '/plivo/media/abc', {});
    expect(plivoSignature(TOKEN, signed, NONCE)).toBe(wanted);
  });

  test("what we sign, Plivo's package accepts, and nothing that differs in a byte", () => {
    fc.assert(
      fc.property(
        fc.constantFrom('GET', 'POST'),
        origin,
        path,
        query,
        form,
        token,
        nonce,
        (method, base, target, search, fields, authToken, once) => {
          const sent = method === 'GET' ? {} : fields;
          const url = base + target + search;
          const signature = plivoSignature(authToken, ours(method, base, target + search, sent), once);
          expect(plivo.validateV3Signature(method, url, once, authToken, signature, sent)).toBe(true);
          const changed = { ...sent, zzz: 'x' };
          const other = method === 'GET' ? `${url}${search === '' ? '?' : '&'}zzz=x` : url;
          expect(plivo.validateV3Signature(method, other, once, authToken, signature, changed)).toBe(false);
        },
      ),
      { numRuns: 2000, seed: 31 },
    );
  });

  test('both give the same verdict on what somebody else signed, right or wrong', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('GET', 'POST'),
        path,
        query,
        form,
        token,
        fc.constantFrom('none', 'query', 'field', 'nonce', 'token', 'scheme'),
        (method, target, search, fields, authToken, change) => {
          const base = 'https://gw.example.com';
          const sent = method === 'GET' ? {} : fields;
          const signature = plivoSignature(authToken, ours(method, base, target + search, sent), NONCE);
          const seen = {
            url: change === 'scheme' ? 'http://gw.example.com' : base,
            target: target + (change === 'query' ? `${search}${search === '' ? '?' : '&'}x=1` : search),
            fields: change === 'field' ? { ...sent, x: '1' } : sent,
            nonce: change === 'nonce' ? '1' : NONCE,
            token: change === 'token' ? `${authToken}x` : authToken,
          };
          const headers = { 'x-plivo-signature-v3': signature, 'x-plivo-signature-v3-nonce': seen.nonce };
          const body = ours(method, seen.url, seen.target, method === 'GET' ? {} : seen.fields);
          const verdict = verifySignature(headers, [body], [seen.token]).ok;
          const theirs = plivo.validateV3Signature(
            method,
            seen.url + seen.target,
            seen.nonce,
            seen.token,
            signature,
            method === 'GET' ? {} : seen.fields,
          );
          expect(verdict).toBe(theirs);
        },
      ),
      { numRuns: 2000, seed: 32 },
    );
  });
});

describe('the signature headers', () => {
  const signature = plivoSignature(TOKEN, 'text', NONCE);
  const check = (headers: Record<string, string | string[] | undefined>, tokens = [TOKEN]) => {
    const verdict = verifySignature({ 'x-plivo-signature-v3-nonce': NONCE, ...headers }, ['text'], tokens);
    return verdict.ok ? 'ok' : verdict.reason;
  };

  test('may both be there, and each may hold several signatures', () => {
    const other = plivoSignature('other', 'text', NONCE);
    expect(check({ 'x-plivo-signature-v3': signature })).toBe('ok');
    expect(check({ 'x-plivo-signature-ma-v3': signature })).toBe('ok');
    expect(check({ 'x-plivo-signature-v3': other, 'x-plivo-signature-ma-v3': signature })).toBe('ok');
    expect(check({ 'x-plivo-signature-v3': `${other},${signature}` })).toBe('ok');
    expect(check({ 'x-plivo-signature-v3': signature }, ['new', TOKEN])).toBe('ok');
    expect(check({ 'x-plivo-signature-v3': other })).toBe('mismatch');
  });

  test('that are missing are told from those that cannot be any', () => {
    expect(check({})).toBe('missing');
    expect(check({ 'x-plivo-signature-v3': '' })).toBe('missing');
    expect(check({ 'x-plivo-signature-v3': signature, 'x-plivo-signature-v3-nonce': undefined })).toBe(
      'missing',
    );
    expect(check({ 'x-plivo-signature-v3': 'short' })).toBe('malformed');
    expect(check({ 'x-plivo-signature-v3': [signature, signature] })).toBe('malformed');
    expect(check({ 'x-plivo-signature-v3': `${signature},` })).toBe('malformed');
    expect(check({ 'x-plivo-signature-v3': Array(9).fill(signature).join(',') })).toBe('malformed');
    expect(check({ 'x-plivo-signature-v3': signature, 'x-plivo-signature-v3-nonce': 'x'.repeat(300) })).toBe(
      'malformed',
    );
  });

  test('say nothing for an empty token, not even when they were made with it', () => {
    const empty = plivoSignature('', 'text', NONCE);
    expect(check({ 'x-plivo-signature-v3': empty }, ['', ''])).toBe('mismatch');
    expect(check({ 'x-plivo-signature-v3': empty }, [])).toBe('mismatch');
  });
});
