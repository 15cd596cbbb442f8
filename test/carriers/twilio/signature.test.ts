import { createHash } from 'node:crypto';
import fc from 'fast-check';
import {
  getExpectedTwilioSignature,
  validateRequest,
  validateRequestWithBody,
} from 'twilio/lib/webhooks/webhooks.js';
import { describe, expect, test } from 'vitest';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import { parseForm } from '../../../src/carriers/form-fields.ts';
import { signedForm, twilioSignature, verifyWebhook } from '../../../src/carriers/twilio/signature.ts';
import { encodeForm, type Form, PUBLIC_URL, signedPost } from './support.ts';

const TOKEN = '12345';
const PUBLISHED_FORM = {
  CallSid: 'CA1234567890ABCDE',
  Caller: '+14158675309',
  Digits: '1234',
  From: '+14158675309',
  To: '+18005551212',
};

const fieldName = fc.oneof(
  fc.constantFrom('CallSid', 'From', 'To', 'a', 'A', 'ab', 'Z', 'é', '10', '9', '__proto__', 'constructor'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
);
const fieldValue = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.constantFrom('', '?', '&=+ %', '+1'),
);
const form: fc.Arbitrary<Form> = fc
  .array(fc.tuple(fieldName, fc.array(fieldValue, { minLength: 1, maxLength: 3 })), {
    size: 'max',
    maxLength: 30,
  })
  .map((entries) => {
    const fields: Form = Object.create(null);
    for (const [name, values] of entries) fields[name] = values.length === 1 ? (values[0] as string) : values;
    return fields;
  });
const target = fc
  .tuple(
    fc.constantFrom('/twilio/voice', '/twilio/after', '/twilio/events', '/a%20b/', "/o'brien"),
    fc.option(fc.webQueryParameters({ size: 'small' }).map((query) => query.replaceAll('bodySHA256', 'b'))),
  )
  .map(([path, query]) => (query === null ? path : `${path}?${query}`));
const origin = fc.constantFrom(
  'https://gw.example.com',
  'https://gw.example.com:8443',
  'http://localhost:8080',
  'http://[::1]:8080',
);
const token = fc.string({ minLength: 1, maxLength: 40 });

function post(
  targetText: string,
  body: string,
  signature: string,
  headers: RawRequest['headers'] = {},
): RawRequest {
  return {
    method: 'POST',
    target: targetText,
    headers: { 'x-twilio-signature': signature, ...headers },
    body: Buffer.from(body),
  };
}

describe('Twilio signature', () => {
  test("Twilio's published example and the vectors computed with its package", () => {
    const url = 'https://mycompany.com/myapp.php?foo=1&bar=2';
    const fields = signedForm(parseForm(encodeForm(PUBLISHED_FORM)));
    expect(twilioSignature(TOKEN, url, fields)).toBe('RSOYDt4T1cUTdK1PDd93/VVr8B8=');
    expect(twilioSignature(TOKEN, 'wss://voice.example.com/media/abc')).toBe('p7ZIQKz1Sb1l+te52jRySZHpOfo=');
    expect(twilioSignature(TOKEN, 'https://voice.example.com/media/abc')).toBe(
      'QMghGvLy8TeScA7HBfKNlpRKnhU=',
    );
    expect(twilioSignature(TOKEN, 'wss://voice.example.com/media/abc/')).toBe('pPXdEQsw3BQVbqIzHvDGDx1NQcw=');
  });

  test("what Twilio's package signs, we accept", () => {
    fc.assert(
      fc.property(origin, target, form, token, (publicUrl, path, fields, authToken) => {
        const signature = getExpectedTwilioSignature(authToken, publicUrl + path, fields);
        const request = post(path, encodeForm(fields), signature);
        expect(verifyWebhook(request, publicUrl, ['other', authToken])).toEqual({ ok: true });
      }),
      { numRuns: 400 },
    );
  });

  test("what we sign, Twilio's package accepts", () => {
    fc.assert(
      fc.property(origin, target, form, token, (publicUrl, path, fields, authToken) => {
        const signature = twilioSignature(
          authToken,
          publicUrl + path,
          signedForm(parseForm(encodeForm(fields))),
        );
        expect(validateRequest(authToken, signature, publicUrl + path, fields)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test('one changed byte of body, address, signature or token is refused by both', () => {
    fc.assert(
      fc.property(
        target,
        form,
        token,
        fc.nat(),
        fc.constantFrom('value', 'path', 'signature', 'token', 'more'),
        (...given) => {
          const [path, fields, authToken, at, what] = given;
          const signature = getExpectedTwilioSignature(authToken, PUBLIC_URL + path, fields);
          const changed = {
            path: what === 'path' ? `${path.slice(0, 3)}x${path.slice(3)}` : path,
            fields: Object.assign(Object.create(null), fields) as Form,
            token: what === 'token' ? `${authToken}x` : authToken,
            signature: what === 'signature' ? otherCharacter(signature, at % 26) : signature,
          };
          if (what === 'more') changed.fields['zzzz'] = 'x';
          if (what === 'value') {
            const name = Object.keys(fields)[at % Math.max(1, Object.keys(fields).length)] ?? 'added';
            changed.fields[name] = 'a value that is not generated';
          }
          const ours = verifyWebhook(
            post(changed.path, encodeForm(changed.fields), changed.signature),
            PUBLIC_URL,
            [changed.token],
          );
          expect(ours.ok).toBe(false);
          expect(
            validateRequest(changed.token, changed.signature, PUBLIC_URL + changed.path, changed.fields),
          ).toBe(false);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('both give the same verdict on addresses whose query was escaped another way before it was signed', () => {
    const paths = [
      "/twilio/voice?bot=o'brien",
      '/twilio/voice?bot=a+b',
      '/twilio/voice?bot=é',
      '/twilio/voice?b=(x)!',
    ];
    for (const path of paths) {
      const escaped = new URL(PUBLIC_URL + path).href;
      const rewritten = `${PUBLIC_URL}/twilio/voice?${new URLSearchParams(path.slice(path.indexOf('?')))}`;
      for (const signed of [
        escaped,
        rewritten,
        `${PUBLIC_URL}/twilio/voice`,
        `${PUBLIC_URL}/twilio/voice?bot=x`,
      ]) {
        const signature = getExpectedTwilioSignature(TOKEN, signed, { CallSid: 'CA1' });
        const ours = verifyWebhook(post(path, 'CallSid=CA1', signature), PUBLIC_URL, [TOKEN]);
        expect(ours.ok, `${path} signed as ${signed}`).toBe(
          validateRequest(TOKEN, signature, PUBLIC_URL + path, { CallSid: 'CA1' }),
        );
      }
    }
  });

  test.each([
    ['https://gw.example.com', 'https://gw.example.com:443', true],
    ['https://gw.example.com:443', 'https://gw.example.com', true],
    ['https://gw.example.com:8443', 'https://gw.example.com', true],
    ['https://gw.example.com:8443', 'https://gw.example.com:443', false],
    ['https://gw.example.com', 'https://gw.example.com:8443', false],
    ['https://gw.example.com', 'http://gw.example.com', false],
    ['https://gw.example.com', 'https://gw.example.org', false],
    ['http://localhost', 'http://localhost:80', true],
  ])('PUBLIC_URL %s, signed as %s: %s', (publicUrl, signedOrigin, accepted) => {
    const signature = getExpectedTwilioSignature(TOKEN, `${signedOrigin}/twilio/voice`, { CallSid: 'CA1' });
    expect(verifyWebhook(post('/twilio/voice', 'CallSid=CA1', signature), publicUrl, [TOKEN]).ok).toBe(
      accepted,
    );
  });

  test('of a repeated field equal values count once, and their order does not matter', () => {
    const signature = getExpectedTwilioSignature(TOKEN, `${PUBLIC_URL}/x`, { a: ['2', '1', '2'], b: '' });
    expect(verifyWebhook(post('/x', 'a=1&b=&a=2', signature), PUBLIC_URL, [TOKEN]).ok).toBe(true);
    expect(verifyWebhook(post('/x', 'a=1&b=&a=3', signature), PUBLIC_URL, [TOKEN]).ok).toBe(false);
  });

  test('a GET carries its fields in the address, so its body proves nothing and changes nothing', () => {
    const path = '/twilio/voice?CallSid=CA1&From=%2B1555';
    const signature = getExpectedTwilioSignature(TOKEN, PUBLIC_URL + path, {});
    const request = { ...post(path, 'CallSid=CA2', signature), method: 'GET' };
    expect(verifyWebhook(request, PUBLIC_URL, [TOKEN]).ok).toBe(true);
    expect(verifyWebhook({ ...request, target: `${path}0` }, PUBLIC_URL, [TOKEN]).ok).toBe(false);
  });

  test('a body is part of what is signed whatever content type it claims', () => {
    const bare = getExpectedTwilioSignature(TOKEN, `${PUBLIC_URL}/twilio/voice`, {});
    const types = [
      'application/json',
      'text/plain',
      'multipart/form-data; boundary=x',
      '',
      'APPLICATION/X-WWW-FORM-URLENCODED',
    ];
    for (const type of types) {
      const request = post('/twilio/voice', 'CallSid=CA1', bare, { 'content-type': type });
      expect(verifyWebhook(request, PUBLIC_URL, [TOKEN]), type).toEqual({ ok: false, reason: 'mismatch' });
      const honest = signedPost('/twilio/voice', { CallSid: 'CA1' }, { token: TOKEN });
      const relabelled = { ...honest, headers: { ...honest.headers, 'content-type': type } };
      expect(verifyWebhook(relabelled, PUBLIC_URL, [TOKEN]).ok).toBe(true);
    }
  });

  test('JSON is signed by its hash in the query, and both opinions agree on every change to it', () => {
    const body = '{"a":1}';
    const hash = createHash('sha256').update(body).digest('hex');
    expect(hash).toBe('015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862');
    const path = `/twilio/events?bodySHA256=${hash}`;
    const signature = getExpectedTwilioSignature(TOKEN, PUBLIC_URL + path, {});
    const cases: [string, string, string, boolean][] = [
      [path, body, signature, true],
      [path, '{"a":2}', signature, false],
      [path, '', signature, false],
      [path.replace('015a', '015b'), body, signature, false],
      ['/twilio/events', body, signature, false],
      ['/twilio/events?bodySHA256=', '', signature, false],
    ];
    for (const [path, text, sent, accepted] of cases) {
      const request = post(path, text, sent, { 'content-type': 'application/json' });
      expect(verifyWebhook(request, PUBLIC_URL, [TOKEN]).ok).toBe(accepted);
      expect(validateRequestWithBody(TOKEN, sent, PUBLIC_URL + path, text)).toBe(accepted);
    }
  });

  test('a missing signature is told from one that cannot be one', () => {
    const request = signedPost('/twilio/voice', { CallSid: 'CA1' });
    const verdicts = [undefined, '', [], ['a', 'b'], 'short', `${'A'.repeat(27)}=x`].map((header) => {
      const verdict = verifyWebhook({ ...request, headers: { 'x-twilio-signature': header } }, PUBLIC_URL, [
        TOKEN,
      ]);
      return verdict.ok ? 'ok' : verdict.reason;
    });
    expect(verdicts).toEqual(['missing', 'missing', 'missing', 'malformed', 'malformed', 'malformed']);
  });

  test('an empty auth token verifies nothing, not even what was signed with it', () => {
    const request = signedPost('/twilio/voice', { CallSid: 'CA1' }, { token: '' });
    expect(verifyWebhook(request, PUBLIC_URL, ['', '']).ok).toBe(false);
    expect(verifyWebhook(request, PUBLIC_URL, []).ok).toBe(false);
  });

  test('Host and forwarded headers have no say', () => {
    const request = signedPost(
      '/twilio/voice',
      { CallSid: 'CA1' },
      { token: TOKEN, url: 'https://evil.example/twilio/voice' },
    );
    const headers = {
      ...request.headers,
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
    };
    expect(verifyWebhook({ ...request, headers }, PUBLIC_URL, [TOKEN]).ok).toBe(false);
    const absolute = { ...request, target: 'https://evil.example/twilio/voice' };
    expect(verifyWebhook(absolute, PUBLIC_URL, [TOKEN])).toEqual({ ok: false, reason: 'malformed' });
  });

  test('a body that starts with a question mark loses none of it', () => {
    expect([...parseForm('?a=1').keys()]).toEqual(['?a']);
  });
});

function otherCharacter(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}
