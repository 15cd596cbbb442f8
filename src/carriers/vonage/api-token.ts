import { createPrivateKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import { OffhookError } from '../../errors.ts';

/** How long one of our tokens is good: longer than a call of the API with its repetitions takes, and little more. */
export const TOKEN_SECONDS = 300;
const HEADER = segment({ alg: 'RS256', typ: 'JWT' });

/** @throws OffhookError ERR_CONFIG for anything but an RSA key; the message never holds a part of it */
export function readPrivateKey(pem: string): KeyObject {
  let found = 'text that is no private key';
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'rsa') return key;
    found = `a key of type "${key.asymmetricKeyType}"`;
  } catch {
    // What OpenSSL says of the text helps nobody.
  }
  throw new OffhookError(
    'ERR_CONFIG',
    `Reading the private key of the Vonage application: found ${found}, wanted an RSA key as PEM text.`,
  );
}

/** The token that an application shows the API. Source: Vonage, "Authentication", and the package `@vonage/jwt`. */
export function apiToken(applicationId: string, key: KeyObject, nowEpochMs: number): string {
  const iat = Math.floor(nowEpochMs / 1000);
  const claims = { application_id: applicationId, iat, exp: iat + TOKEN_SECONDS, jti: randomUUID() };
  const signed = `${HEADER}.${segment(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

function segment(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
