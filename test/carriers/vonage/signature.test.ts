import { createHmac, randomBytes } from 'node:crypto';
import { tokenGenerate, verifySignature } from '@vonage/jwt';
import fc from 'fast-check';
import jwt from 'jsonwebtoken';
import { describe, expect, test } from 'vitest';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import { apiToken, readPrivateKey } from '../../../src/carriers/vonage/api-token.ts';
import { createTokenGate, readToken, signedContent } from '../../../src/carriers/vonage/signature.ts';
import { TokenMemory } from '../../../src/carriers/vonage/token-memory.ts';
import {
  APPLICATION,
  answer,
  clock,
  handshake,
  keys,
  NOW_SECONDS,
  parts,
  post,
  SECRETS,
  sha256,
  token,
} from './support.ts';

const claimsOf = fc.dictionary(
  fc.oneof(
    fc.constantFrom('jti', 'iss', 'api_key', 'payload_hash', 'application_id', '__proto__', 'é', ''),
    fc.string({ unit: 'grapheme', maxLength: 8 }),
  ),
  fc.oneof(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.integer(), fc.constant(null), fc.boolean()),
  { maxKeys: 8 },
);
const secretOf = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
/** A token made from the RFC's words alone: neither by us nor by the official package. */
function sign(header: object, claims: object, secret: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

describe("a Vonage token's signature", () => {
  test('the published kind of body has the published hash', () => {
    const body = '{"to":"442079460000","from":"447700900000","uuid":"u1","conversation_uuid":"CON-1"}';
    expect(sha256(signedContent(post('/vonage/voice', body)))).toBe(
      'a6b6b61b9f8585cafa9a9c9fa795c642e3096ea44b2a437051bcc215442be25a',
    );
  });

  test('two thousand tokens: we and the official package let in the same ones', () => {
    const change = fc.constantFrom(
      'none',
      'byte',
      'secret',
      'cut',
      'none-alg',
      'other-alg',
      'padding',
      'two-parts',
    );
    let accepted = 0;
    fc.assert(
      fc.property(claimsOf, secretOf, change, fc.nat(), (claims, secret, changed, at) => {
        // The package reads the times itself; those have a test of their own.
        const { iat: _iat, exp: _exp, nbf: _nbf, ...rest } = claims;
        let text = sign({ alg: 'HS256', typ: 'JWT' }, rest, secret);
        let key = secret;
        if (changed === 'byte') {
          const place = at % text.length;
          text = `${text.slice(0, place)}${text[place] === 'A' ? 'B' : 'A'}${text.slice(place + 1)}`;
        }
        if (changed === 'secret') key = `${secret}x`;
        if (changed === 'cut') text = text.slice(0, -1 - (at % 10));
        if (changed === 'none-alg') text = `${sign({ alg: 'none' }, rest, secret).split('.', 2).join('.')}.`;
        if (changed === 'other-alg') text = sign({ alg: 'HS512', typ: 'JWT' }, rest, secret);
        if (changed === 'padding') text = `${text}=`;
        if (changed === 'two-parts') text = text.split('.', 2).join('.');
        const ours = readToken(text, [key]).ok;
        expect(ours, `${changed} ${text}`).toBe(verifySignature(text, key));
        if (ours) accepted += 1;
      }),
      { numRuns: 2000, seed: 4 },
    );
    expect(accepted).toBeGreaterThan(200);
  });

  test('two thousand tokens that the package beneath the official one signed are read as they were written', () => {
    fc.assert(
      fc.property(claimsOf, secretOf, (claims, secret) => {
        const { exp: _exp, nbf: _nbf, iss, jti, ...others } = claims;
        // Its check of the claims trips over the names that every object has.
        const rest = Object.fromEntries(Object.entries(others).filter(([name]) => !(name in {})));
        const all = { ...rest, iss: String(iss), jti: String(jti), iat: NOW_SECONDS };
        const read = readToken(jwt.sign(all, secret, { algorithm: 'HS256' }), ['another', secret]);
        expect(read).toEqual({ ok: true, claims: JSON.parse(JSON.stringify(all)) });
      }),
      { numRuns: 2000, seed: 5 },
    );
  });

  test('an RSA key’s token is no signature of the account, whatever key it claims', () => {
    const { privateKey, publicKey } = keys[0] as (typeof keys)[number];
    const rsa = tokenGenerate(APPLICATION, privateKey);
    expect(readToken(rsa, [publicKey, ...SECRETS])).toEqual({ ok: false, reason: 'malformed' });
    expect(readToken(sign({ alg: 'hs256' }, {}, 'k'), ['k']).ok).toBe(false);
    expect(readToken(sign({ alg: 'HS256', crit: ['exp'] }, {}, 'k'), ['k']).ok).toBe(false);
    expect(readToken(sign({ alg: 'HS256' }, [], 'k'), ['k']).ok).toBe(false);
    expect(readToken(sign({ alg: 'HS256' }, {}, ''), ['']).ok).toBe(false);
  });

  test('of the four spellings of its last character only the canonical one counts', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const good = sign({ alg: 'HS256' }, { a: 1 }, 'k');
    const last = alphabet.indexOf(good.at(-1) as string);
    const spellings = [0, 1, 2, 3].map((n) => good.slice(0, -1) + alphabet[(last & ~3) + n]);
    expect(spellings.filter((text) => readToken(text, ['k']).ok)).toEqual([good]);
  });
});

describe('a token of ours for the API', () => {
  test('is one that the official package accepts, with the claims that it would write', () => {
    for (const { privateKey, publicKey } of keys) {
      const ours = apiToken(APPLICATION, readPrivateKey(privateKey), clock.epochMs());
      expect(verifySignature(ours, publicKey)).toBe(true);
      const theirs = tokenGenerate(APPLICATION, privateKey, { issued_at: NOW_SECONDS, jti: 'x' });
      const read = (text: string) => jwt.decode(text, { complete: true });
      expect(read(ours).header).toEqual(read(theirs).header);
      const claims = read(ours).payload;
      expect(Object.keys(claims).toSorted()).toEqual(
        Object.keys(read(theirs).payload)
          .filter((name) => name !== 'issued_at')
          .toSorted(),
      );
      expect(claims).toMatchObject({ application_id: APPLICATION, iat: NOW_SECONDS, exp: NOW_SECONDS + 300 });
    }
  });

  test('two hundred of them are all accepted and all different', () => {
    const { privateKey, publicKey } = keys[0] as (typeof keys)[number];
    const key = readPrivateKey(privateKey);
    const made = Array.from({ length: 200 }, () => apiToken(APPLICATION, key, clock.epochMs()));
    expect(made.every((text) => verifySignature(text, publicKey))).toBe(true);
    expect(new Set(made).size).toBe(200);
  });

  test('cannot be made with anything but an RSA key, and the refusal shows none of it', () => {
    for (const text of [
      '',
      'secret-that-is-no-key',
      '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----',
    ]) {
      expect(() => readPrivateKey(text)).toThrow(
        'found text that is no private key, wanted an RSA key as PEM text',
      );
    }
    expect(() => readPrivateKey(keys[0]?.publicKey ?? '')).toThrow('wanted an RSA key');
  });
});

describe('the gate', () => {
  test('takes any of the secrets, and times within five minutes both ways', () => {
    const { gate } = parts();
    expect(gate.webhook(post('/vonage/voice', answer, { secret: SECRETS[1] }))).toEqual({ ok: true });
    for (const [seconds, ok] of [
      [-301, false],
      [-300, true],
      [300, true],
      [301, false],
    ] as const) {
      const claims = { iat: NOW_SECONDS + seconds };
      expect(gate.webhook(post('/vonage/voice', answer, { claims })).ok, String(seconds)).toBe(ok);
    }
    for (const claims of [{ exp: NOW_SECONDS - 1 }, { nbf: NOW_SECONDS + 301 }, { iat: Number.NaN }]) {
      const text = sign(
        { alg: 'HS256' },
        { ...JSON.parse(JSON.stringify({ iat: NOW_SECONDS, ...claims })), jti: 'x' },
        SECRETS[0],
      );
      const request = { ...handshake('/x'), headers: { authorization: `Bearer ${text}` } };
      expect(gate.handshake(request)).toEqual({ ok: false, reason: 'stale' });
    }
  });

  test('takes the scheme in any case, and nothing that is no bearer token', () => {
    const { gate } = parts();
    const good = post('/vonage/voice', answer);
    const bearer = good.headers['authorization'] as string;
    const withHeader = (authorization: string | string[] | undefined): RawRequest => ({
      ...good,
      headers: { authorization },
    });
    expect(gate.webhook(withHeader(bearer.replace('Bearer', 'bearer'))).ok).toBe(true);
    expect(gate.webhook(withHeader(undefined))).toEqual({ ok: false, reason: 'missing' });
    expect(gate.webhook(withHeader(''))).toEqual({ ok: false, reason: 'missing' });
    for (const odd of [
      'Bearer',
      'Bearer ',
      bearer.replace('Bearer ', 'Basic '),
      [bearer, bearer],
      `${bearer} x`,
    ]) {
      expect(gate.webhook(withHeader(odd))).toEqual({ ok: false, reason: 'malformed' });
    }
    expect(gate.webhook({ ...good, target: 'https://gw.example.com/vonage/voice' })).toEqual({
      ok: false,
      reason: 'malformed',
    });
  });

  test('a repetition to the byte verifies again; the same token with other content does not', () => {
    const { gate } = parts();
    const honest = post('/vonage/voice', answer);
    expect(gate.webhook(honest)).toEqual({ ok: true });
    expect(gate.webhook({ ...honest, body: Buffer.from(honest.body) })).toEqual({ ok: true });
    expect(gate.webhook({ ...honest, target: '/vonage/voice?x=1' })).toEqual({
      ok: false,
      reason: 'mismatch',
    });
    expect(gate.handshake({ ...handshake('/vonage/media/abc'), headers: honest.headers })).toEqual({
      ok: false,
      reason: 'mismatch',
    });
    expect(gate.webhook(honest)).toEqual({ ok: true });
  });

  test('what it refused leaves no trace: a forger cannot spoil an id', () => {
    const { gate } = parts();
    const honest = post('/vonage/voice', answer, { claims: { jti: 'known' } });
    expect(gate.webhook({ ...honest, body: Buffer.from('{}') }).ok).toBe(false);
    expect(
      gate.webhook(post('/vonage/voice', '{}', { claims: { jti: 'known' }, secret: 'guessed' })).ok,
    ).toBe(false);
    expect(gate.webhook(honest)).toEqual({ ok: true });
  });

  test('remembers a bounded number of tokens, the newest', () => {
    const memory = new TokenMemory();
    for (let n = 0; n <= 16_384; n += 1) expect(memory.admits(`token-${n}`, 'a', NOW_SECONDS)).toBe(true);
    expect(memory.admits('token-1', 'b', NOW_SECONDS)).toBe(false);
    expect(memory.admits('token-0', 'b', NOW_SECONDS)).toBe(true);
  });

  test('forgets a token when it could not be used any more', () => {
    let nowSeconds = NOW_SECONDS;
    const gate = createTokenGate(APPLICATION, SECRETS, { epochMs: () => nowSeconds * 1000 });
    const text = token({ iat: NOW_SECONDS + 300, jti: 'early' });
    const at = (target: string) =>
      gate.handshake({ ...handshake(target), headers: { authorization: `Bearer ${text}` } }).ok;
    expect(at('/a')).toBe(true);
    nowSeconds = NOW_SECONDS + 600;
    expect([at('/b'), at('/a')]).toEqual([false, true]);
    nowSeconds = NOW_SECONDS + 601;
    expect(at('/a')).toBe(false);
  });

  test('reads a GET’s content from its query, as the hash covers it', () => {
    const { gate } = parts();
    const target = '/vonage/voice?to=15551230002&from=15551230001&uuid=u1';
    const hash = sha256('{"to":"15551230002","from":"15551230001","uuid":"u1"}');
    const get = handshake(target, { payload_hash: hash });
    expect(gate.webhook(get)).toEqual({ ok: true });
    expect(gate.webhook({ ...handshake(`${target}&x=1`, { payload_hash: hash }) }).ok).toBe(false);
  });

  test('a thousand forged requests: none gets in', () => {
    const { gate } = parts();
    const honest = post('/vonage/voice', answer);
    const [head = '', payload = '', signature = ''] = (honest.headers['authorization'] as string)
      .slice(7)
      .split('.');
    const bearer = (text: string): RawRequest => ({
      ...honest,
      headers: { authorization: `Bearer ${text}` },
    });
    const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const forge = (n: number): RawRequest => {
      const other = { ...answer, uuid: `other-${n}` };
      const text = JSON.stringify(other);
      const claims = {
        iat: NOW_SECONDS,
        jti: `f${n}`,
        application_id: APPLICATION,
        payload_hash: sha256(text),
      };
      switch (n % 10) {
        case 0:
          return bearer(`${head}.${payload}.${randomBytes(32).toString('base64url')}`);
        case 1:
          return { ...honest, body: Buffer.from(text) };
        case 2:
          return post('/vonage/voice', other, { secret: `secret-${n}` });
        case 3:
          return { ...bearer(`${head}.${segment(claims)}.${signature}`), body: Buffer.from(text) };
        case 4:
          return { ...bearer(`${segment({ alg: 'none' })}.${segment(claims)}.`), body: Buffer.from(text) };
        case 5:
          return bearer(`${head}.${payload}.${signature.slice(0, n % 43)}`);
        case 6:
          return post('/vonage/voice', other, { secret: ' ' });
        case 7:
          return post('/vonage/voice', other, { claims: { iat: NOW_SECONDS - 301 - n } });
        case 8:
          return post('/vonage/voice', other, { claims: { application_id: `app-${n}` } });
        default: {
          const body = Buffer.from(honest.body);
          const place = n % body.length;
          body[place] = (body[place] ?? 0) ^ 1;
          return { ...honest, body };
        }
      }
    };
    const accepted: number[] = [];
    for (let n = 0; n < 1000; n += 1) if (gate.webhook(forge(n)).ok) accepted.push(n);
    expect(accepted).toEqual([]);
  });

  test('never throws, whatever comes', () => {
    const { gate } = parts();
    const header = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }).map((text) => `Bearer ${text}`),
      fc.array(fc.string(), { maxLength: 3 }).map((list) => `Bearer ${list.join('.')}`),
      fc.json().map((text) => `Bearer ${Buffer.from(text).toString('base64url')}.e30.${'A'.repeat(43)}`),
    );
    fc.assert(
      fc.property(
        header,
        fc.string({ unit: 'binary' }),
        fc.uint8Array(),
        fc.boolean(),
        (authorization, path, body, get) => {
          const request = {
            method: get ? 'GET' : 'POST',
            target: `/${path}`,
            headers: { authorization },
            body: Buffer.from(body),
          };
          expect(gate.webhook(request).ok).toBe(false);
          expect(gate.handshake(request).ok).toBe(false);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
