import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CARRIER_IDS } from '../../src/carriers/carrier.ts';
import { callKeyOf, checkStreamToken, mintStreamToken } from '../../src/carriers/stream-token.ts';
import { OffhookError } from '../../src/errors.ts';

const ISSUED = 1_763_640_000_123;
const secrets = ['newest-token', 'older-token'];
const request = { carrier: 'twilio', callId: 'CA1234567890ABCDE', issuedAtEpochMs: ISSUED, secrets } as const;
const expected = { carrier: 'twilio', nowEpochMs: ISSUED + 1, secrets } as const;

describe('stream token', () => {
  test('what was minted is accepted by anybody with the same credentials, and names call and time', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CARRIER_IDS),
        fc.string({ size: 'max', maxLength: 300 }),
        fc.array(fc.string({ minLength: 1, maxLength: 80 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: 60_000 }),
        (carrier, callId, list, ageMs) => {
          const token = mintStreamToken({ carrier, callId, issuedAtEpochMs: ISSUED, secrets: list });
          const check = checkStreamToken(token, {
            carrier,
            nowEpochMs: ISSUED + ageMs,
            secrets: [...list].reverse(),
          });
          expect(check).toEqual({ ok: true, callKey: callKeyOf(carrier, callId), issuedAtEpochMs: ISSUED });
        },
      ),
    );
  });

  test('it is at most 96 letters and digits and does not show the id', () => {
    const token = mintStreamToken(request);
    expect(token).toMatch(/^[A-Za-z0-9]{1,96}$/);
    expect(token).not.toContain(request.callId);
    expect(mintStreamToken(request)).toBe(token);
  });

  test('it lives for sixty seconds, and a clock ahead of ours is allowed thirty', () => {
    const token = mintStreamToken(request);
    const verdicts = [60_000, 60_001, -30_000, -30_001, Number.NaN].map((ageMs) =>
      checkStreamToken(token, { ...expected, nowEpochMs: ISSUED + ageMs }),
    );
    expect(verdicts.map((verdict) => (verdict.ok ? 'ok' : verdict.reason))).toEqual([
      'ok',
      'stale',
      'ok',
      'stale',
      'stale',
    ]);
  });

  test('a token of another carrier or of other credentials does not match', () => {
    const token = mintStreamToken(request);
    const refused = { ok: false, reason: 'mismatch' };
    expect(checkStreamToken(token, { ...expected, carrier: 'telnyx' })).toEqual(refused);
    expect(checkStreamToken(token, { ...expected, secrets: ['other'] })).toEqual(refused);
    expect(checkStreamToken(token, { ...expected, secrets: [] })).toEqual(refused);
  });

  test('only the newest credential mints; the older one still verifies', () => {
    const fromOld = mintStreamToken({ ...request, secrets: ['older-token'] });
    expect(checkStreamToken(fromOld, expected).ok).toBe(true);
    expect(checkStreamToken(mintStreamToken(request), { ...expected, secrets: ['older-token'] }).ok).toBe(
      false,
    );
  });

  test('changing any one character ends its validity', () => {
    const token = mintStreamToken(request);
    for (let at = 0; at < token.length; at += 1) {
      for (const digit of '0123456789abcdefA') {
        if (token[at] === digit) continue;
        const changed = token.slice(0, at) + digit + token.slice(at + 1);
        expect(checkStreamToken(changed, expected).ok, changed).toBe(false);
      }
    }
  });

  test('what has not the form of a token is malformed, whatever it is', () => {
    const token = mintStreamToken(request);
    const shapes = ['', token.slice(1), `${token}0`, token.toUpperCase(), `${token}\n`, 'x'.repeat(10_000)];
    for (const shape of shapes) {
      expect(checkStreamToken(shape, expected)).toEqual({ ok: false, reason: 'malformed' });
    }
  });

  test('an empty credential neither mints nor verifies', () => {
    for (const list of [[], [''], ['', 'second']]) {
      expect(() => mintStreamToken({ ...request, secrets: list })).toThrow(OffhookError);
    }
    const token = mintStreamToken({ ...request, secrets: ['a'] });
    expect(checkStreamToken(token, { ...expected, secrets: ['', 'a'] }).ok).toBe(true);
    expect(checkStreamToken(token, { ...expected, secrets: [''] })).toEqual({
      ok: false,
      reason: 'mismatch',
    });
  });

  test('the form is fixed: a token made by hand from the same rules is accepted, unless its key is empty', async () => {
    async function byHand(secret: string): Promise<string> {
      const text = new TextEncoder();
      const callKey = callKeyOf('twilio', request.callId);
      const issuedAt = ISSUED.toString(16).padStart(12, '0');
      const source = await crypto.subtle.importKey('raw', text.encode(secret), 'HKDF', false, ['deriveKey']);
      const info = text.encode('offhook stream token 1 twilio');
      const derivation = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info };
      const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 };
      const key = await crypto.subtle.deriveKey(derivation, source, hmac, false, ['sign']);
      const mac = await crypto.subtle.sign('HMAC', key, text.encode(`twilio.${callKey}.${issuedAt}`));
      return `1${callKey}${issuedAt}${Buffer.from(mac).toString('hex').slice(0, 40)}`;
    }
    expect(await byHand('newest-token')).toBe(mintStreamToken(request));
    const withoutKey = await byHand('');
    expect(checkStreamToken(withoutKey, { ...expected, secrets: ['', 'a'] })).toEqual({
      ok: false,
      reason: 'mismatch',
    });
  });

  test('calls and carriers have call keys of their own, always the same', () => {
    const keys = CARRIER_IDS.flatMap((carrier) =>
      ['a', 'b', 'a\n'].map((callId) => callKeyOf(carrier, callId)),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.every((key) => /^[0-9a-f]{32}$/.test(key))).toBe(true);
    // Machines of different releases meet in one fleet: the key is part of what they agree on.
    expect(callKeyOf('twilio', 'CA1')).toBe('86aa6894ef543e6530c3d4a4f19aa0c6');
  });
});
