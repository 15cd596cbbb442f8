/**
 * Vonage's tokens: HS256 with the account's signature secret on webhooks and handshakes, RS256 with the application's key
 * on its API. Source: Vonage, "Signed webhooks" and "Authentication": `payload_hash` is the hex SHA-256 of the body.
 */
import { createHash, createHmac, createVerify, type KeyObject, randomUUID } from 'node:crypto';
import { jsonFields } from '../api-server.ts';

export interface VonageSigner {
  readonly applicationId: string;
  readonly apiKey: string;
  readonly signatureSecret: string;
}

/** `Bearer …` for a webhook with this body; for a handshake, which has none, without a hash. */
export function signedBearer(signer: VonageSigner, body: string | null, epochMs: number): string {
  const claims = {
    iat: Math.floor(epochMs / 1_000),
    jti: randomUUID(),
    iss: 'Vonage',
    ...(body === null ? {} : { payload_hash: createHash('sha256').update(body).digest('hex') }),
    api_key: signer.apiKey,
    application_id: signer.applicationId,
  };
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `Bearer ${text}.${createHmac('sha256', signer.signatureSecret).update(text).digest('base64url')}`;
}

/** Why a token of the application's is not taken, or null. */
export function refusalOf(
  authorization: string | undefined,
  application: { readonly applicationId: string; readonly publicKey: KeyObject },
  epochMs: number,
): string | null {
  const [, head = '', claims = '', signature = ''] =
    /^Bearer ([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(authorization ?? '') ?? [];
  if (signature === '') return 'no token';
  if (fields(head)['alg'] !== 'RS256') return 'not RS256';
  const verifier = createVerify('RSA-SHA256').update(`${head}.${claims}`);
  if (!verifier.verify(application.publicKey, signature, 'base64url')) return 'wrong signature';
  const { application_id, iat, jti, exp } = fields(claims);
  if (application_id !== application.applicationId) return 'another application';
  if (typeof iat !== 'number' || typeof jti !== 'string') return 'no iat or jti';
  const nowSeconds = epochMs / 1_000;
  if (iat > nowSeconds + 60 || (typeof exp === 'number' && exp < nowSeconds)) return 'not valid now';
  return null;
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const fields = (text: string): Readonly<Record<string, unknown>> =>
  jsonFields(Buffer.from(text, 'base64url').toString('utf8'));
