import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import { parseForm } from '../../../src/carriers/form-fields.ts';
import {
  signalwireSignature,
  signedForm,
  verifyWebhook,
} from '../../../src/carriers/signalwire/signature.ts';
import { encodeForm, type Form, PUBLIC_URL, sdk, signedPost } from './support.ts';

const KEY = 'PSKtest';
const fieldName = fc.oneof(
  fc.constantFrom('CallSid', 'From', 'To', 'a', 'A', 'ab', 'Z', 'é', '10', '9', '__proto__', 'constructor'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
);
const fieldValue = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.constantFrom('', '?', '&=+ %', '+1', 'same', 'same'),
);
const form: fc.Arbitrary<Form> = fc
  .array(fc.tuple(fieldName, fc.array(fieldValue, { minLength: 1, maxLength: 3 })), {
    size: 'max',
    maxLength: 20,
  })
  .map((entries) => {
    const fields: Form = Object.create(null);
    for (const [name, values] of entries) fields[name] = values.length === 1 ? (values[0] as string) : values;
    return fields;
  });
const target = fc
  .tuple(
    fc.constantFrom('/signalwire/voice', '/signalwire/after', '/signalwire/events', '/a%20b/'),
    fc.option(fc.webQueryParameters({ size: 'small' })),
  )
  .map(([path, query]) => (query === null || query === '' ? path : `${path}?${query}`));
const origin = fc.constantFrom(
  'https://gw.example.com',
  'https://gw.example.com:8443',
  'http://localhost:8080',
);
const key = fc.string({ minLength: 1, maxLength: 40 });

function post(path: string, fields: Form, signature: string): RawRequest {
  return {
    method: 'POST',
    target: path,
    headers: { 'x-signalwire-signature': signature },
    body: Buffer.from(encodeForm(fields)),
  };
}

describe("SignalWire's signature", () => {
  test('the vector computed from the documented algorithm', () => {
    const fields = signedForm(parseForm('CallSid=c1&From=%2B15551230001&To=%2B15551230002'));
    expect(signalwireSignature(KEY, 'https://voice.example.com/sw', fields)).toBe(
      'yczoHRztw3FreR7DDYo/mqjUgpE=',
    );
  });

  test('two thousand requests, honest ones and spoilt ones: the same verdict as its package', () => {
    const spoil = fc.constantFrom('nothing', 'nothing', 'field', 'path', 'signature', 'key', 'more', 'order');
    const counts = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(
        origin,
        target,
        form,
        key,
        spoil,
        fc.nat(),
        (publicUrl, path, given, signingKey, what, n) => {
          const signature = sdk.getExpectedTwilioSignature(signingKey, publicUrl + path, given);
          const fields: Form = Object.assign(Object.create(null), given);
          const names = Object.keys(fields);
          const name = names[n % Math.max(1, names.length)] ?? 'added';
          if (what === 'field') fields[name] = 'a value that is not generated';
          if (what === 'more') fields['zzzz'] = '';
          if (what === 'order') {
            const value = fields[name];
            if (Array.isArray(value)) fields[name] = [...value].reverse();
          }
          const sent = what === 'signature' ? otherCharacter(signature, n % 26) : signature;
          const asked = what === 'path' ? `${path.slice(0, 3)}x${path.slice(3)}` : path;
          const checked = what === 'key' ? `${signingKey}x` : signingKey;
          const ours = verifyWebhook(post(asked, fields, sent), publicUrl, [checked]).ok;
          const theirs = sdk.validateRequest(checked, sent, publicUrl + asked, fields, true);
          expect(ours, `${what} ${asked}`).toBe(theirs);
          counts[ours ? 'accepted' : 'refused'] += 1;
        },
      ),
      { numRuns: 2000, seed: 20262 },
    );
    expect(counts.accepted).toBeGreaterThan(400);
    expect(counts.refused).toBeGreaterThan(400);
  });

  test('what we sign, its package accepts', () => {
    fc.assert(
      fc.property(origin, target, form, key, (publicUrl, path, fields, signingKey) => {
        const signed = signedForm(parseForm(encodeForm(fields)));
        const signature = signalwireSignature(signingKey, publicUrl + path, signed);
        expect(sdk.validateRequest(signingKey, signature, publicUrl + path, fields, true)).toBe(true);
      }),
      { numRuns: 500, seed: 21 },
    );
  });

  test('of a repeated field every value counts, in the order in which it came: unlike at Twilio', () => {
    const signature = sdk.getExpectedTwilioSignature(KEY, `${PUBLIC_URL}/x`, { a: ['2', '1', '2'] });
    const verdict = (body: string) =>
      verifyWebhook({ ...post('/x', {}, signature), body: Buffer.from(body) }, PUBLIC_URL, [KEY]).ok;
    expect(['a=2&a=1&a=2', 'a=1&a=2', 'a=1&a=2&a=2', 'a=2&a=1'].map(verdict)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test.each([
    ['https://gw.example.com', 'https://gw.example.com:443', true],
    ['https://gw.example.com:8443', 'https://gw.example.com', true],
    ['https://gw.example.com', 'https://gw.example.com:8443', false],
    ['https://gw.example.com', 'http://gw.example.com', false],
    ['https://gw.example.com', 'https://gw.example.org', false],
    ['http://localhost', 'http://localhost:80', true],
  ])('PUBLIC_URL %s, signed as %s: %s', (publicUrl, signedOrigin, accepted) => {
    const signature = sdk.getExpectedTwilioSignature(KEY, `${signedOrigin}/signalwire/voice`, { a: '1' });
    const request = post('/signalwire/voice', { a: '1' }, signature);
    expect(verifyWebhook(request, publicUrl, [KEY]).ok).toBe(accepted);
  });

  test('the older header counts as well, but not when the newer one is there', () => {
    const old = signedPost('/x', { a: '1' }, { key: KEY, header: 'x-twilio-signature' });
    expect(verifyWebhook(old, PUBLIC_URL, [KEY]).ok).toBe(true);
    const both = { ...old, headers: { ...old.headers, 'x-signalwire-signature': `${'A'.repeat(27)}=` } };
    expect(verifyWebhook(both, PUBLIC_URL, [KEY]).ok).toBe(false);
  });

  test('a missing signature is told from one that cannot be one', () => {
    const request = signedPost('/x', { a: '1' }, { key: KEY });
    const verdicts = [undefined, '', [], ['a', 'b'], 'short', `${'A'.repeat(27)}=x`].map((header) => {
      const verdict = verifyWebhook(
        { ...request, headers: { 'x-signalwire-signature': header } },
        PUBLIC_URL,
        [KEY],
      );
      return verdict.ok ? 'ok' : verdict.reason;
    });
    expect(verdicts).toEqual(['missing', 'missing', 'missing', 'malformed', 'malformed', 'malformed']);
  });

  test('an empty key verifies nothing; Host and forwarded headers have no say', () => {
    expect(verifyWebhook(signedPost('/x', { a: '1' }, { key: '' }), PUBLIC_URL, ['', '']).ok).toBe(false);
    const request = signedPost('/x', { a: '1' }, { key: KEY, url: 'https://evil.example/x' });
    const headers = { ...request.headers, host: 'evil.example', 'x-forwarded-host': 'evil.example' };
    expect(verifyWebhook({ ...request, headers }, PUBLIC_URL, [KEY]).ok).toBe(false);
    const absolute = { ...request, target: 'https://evil.example/x' };
    expect(verifyWebhook(absolute, PUBLIC_URL, [KEY])).toEqual({ ok: false, reason: 'malformed' });
  });
});

function otherCharacter(text: string, at: number): string {
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}
