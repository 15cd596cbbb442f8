import fc from 'fast-check';
import { expect, test } from 'vitest';
import { redactor } from '../../src/gemini/redact.ts';

test('a secret is gone, wherever it stands and however it is encoded', () => {
  fc.assert(
    fc.property(
      fc.string({ size: 'max', minLength: 8, maxLength: 60, unit: 'grapheme-ascii' }),
      fc.string(),
      fc.string(),
      (secret, before, after) => {
        fc.pre(!'[redacted]'.includes(secret));
        const clean = redactor([secret])(`${before}${secret}${after}${encodeURIComponent(secret)}`);
        return !clean.includes(secret) || `${before}${after}`.includes(secret);
      },
    ),
  );
});

test('a secret that an address would encode is found in its encoded form too', () => {
  expect(redactor(['se cret/+key'])('at /x?k=se%20cret%2F%2Bkey&y')).toBe('at /x?k=[redacted]&y');
});

test('where a key would stand, nothing stays, also when it is not ours', () => {
  const redact = redactor([]);
  expect(redact('wss://host/ws?alt=x&key=abc123&z=1')).toBe('wss://host/ws?alt=x&key=[redacted]&z=1');
  expect(redact('"wss://host/ws?access_token=auth_tokens/a.b"')).toBe(
    '"wss://host/ws?access_token=[redacted]"',
  );
  expect(redact('authorization: Bearer ya29.a-b_c/d+e=')).toBe('authorization: Bearer [redacted]');
  expect(redact('AIzaSyA0123456789012345678901234567890')).toBe('AIza[redacted]');
});

test('a placeholder that could be any word does not tear holes into messages', () => {
  expect(redactor(['a'])('a cat sat')).toBe('a cat sat');
});
