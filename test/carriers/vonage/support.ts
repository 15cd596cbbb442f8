import { createHash, generateKeyPairSync } from 'node:crypto';
import jwt from 'jsonwebtoken';
import type { RawRequest } from '../../../src/carriers/carrier.ts';
import { createLinks } from '../../../src/carriers/vonage/links.ts';
import { RegionBook, type VonageSettings } from '../../../src/carriers/vonage/settings.ts';
import { createTokenGate } from '../../../src/carriers/vonage/signature.ts';

export const PUBLIC_URL = 'https://gw.example.com';
export const APPLICATION = '11111111-2222-4333-8444-555555555555';
export const SECRETS = ['newest-signature-secret', 'older-signature-secret'] as const;
export const CALL = 'aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab';
/** When the tests' requests are made; the official package reads the real clock, so they do too. */
export const NOW_SECONDS = Math.floor(Date.now() / 1000);
export const clock = { now: () => 0, epochMs: () => NOW_SECONDS * 1000 };

export const keys = [1, 2].map(() =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }),
);
export const settings: VonageSettings = {
  applicationId: APPLICATION,
  privateKeys: keys.map(({ privateKey }) => privateKey),
  signatureSecrets: SECRETS,
  sampleRate: 16000,
  verifyStream: 'required',
};
export const links = createLinks(PUBLIC_URL, SECRETS);

export function parts() {
  return { gate: createTokenGate(APPLICATION, SECRETS, clock), links, regions: new RegionBook() };
}

export function sha256(text: string | Buffer): string {
  return createHash('sha256').update(text).digest('hex');
}

let numbers = 0;
/** A token as Vonage's documents show it, signed by the package that Vonage's own is made with. */
export function token(claims: object = {}, secret: string = SECRETS[0]): string {
  numbers += 1;
  const all = {
    iat: NOW_SECONDS,
    jti: `jti-${numbers}`,
    iss: 'Vonage',
    api_key: 'abcd1234',
    application_id: APPLICATION,
    ...claims,
  };
  return jwt.sign(all, secret, { algorithm: 'HS256' });
}

export function post(
  target: string,
  body: object | string,
  over: { claims?: object; secret?: string } = {},
): RawRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const signed = token({ payload_hash: sha256(text), ...over.claims }, over.secret);
  return {
    method: 'POST',
    target,
    headers: { authorization: `Bearer ${signed}` },
    body: Buffer.from(text),
  };
}

export function handshake(target: string, claims: object = {}, secret: string = SECRETS[0]): RawRequest {
  return {
    method: 'GET',
    target,
    headers: { authorization: `Bearer ${token(claims, secret)}` },
    body: Buffer.alloc(0),
  };
}

export const answer = {
  from: '15551230001',
  to: '15551230002',
  uuid: CALL,
  conversation_uuid: 'CON-aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab',
};
