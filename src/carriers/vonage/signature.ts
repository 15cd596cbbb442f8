import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { RawRequest, Verification } from '../carrier.ts';
import { MAX_AGE_SECONDS, TokenMemory } from './token-memory.ts';

/**
 * Vonage signs its requests with a JSON Web Token in the `Authorization` header: HS256 with the account's signature
 * secret. Its `payload_hash` is the SHA-256 of the body, of a GET that of its query as a JSON object; the address is
 * not signed. Source: Vonage, "Decoding signed webhooks" and its support article on payload hashes.
 */
export type Claims = Readonly<Record<string, unknown>>;
export type ReadToken =
  | { readonly ok: true; readonly claims: Claims }
  | { readonly ok: false; readonly reason: 'mismatch' | 'malformed' };

const TOKEN = /^[A-Za-z0-9_-]{1,2048}\.[A-Za-z0-9_-]{1,8192}\.[A-Za-z0-9_-]{43}$/;
const MAX_ID_CHARACTERS = 256;

/**
 * Checks a token's signature and reads its claims; their meaning is not looked at. The algorithm is ours to choose, not
 * the token's: with any other name in its header it is refused unread.
 */
export function readToken(token: string, secrets: readonly string[]): ReadToken {
  if (!TOKEN.test(token)) return { ok: false, reason: 'malformed' };
  const [head = '', payload = '', signature = ''] = token.split('.');
  const header = parseSegment(head);
  if (header?.['alg'] !== 'HS256' || header['crit'] !== undefined) return { ok: false, reason: 'malformed' };
  let matches = false;
  for (const secret of secrets) {
    // An empty key is one that everybody has.
    if (secret === '') continue;
    const expected = createHmac('sha256', secret).update(`${head}.${payload}`).digest('base64url');
    if (timingSafeEqual(Buffer.from(signature), Buffer.from(expected))) matches = true;
  }
  if (!matches) return { ok: false, reason: 'mismatch' };
  const claims = parseSegment(payload);
  return claims === null ? { ok: false, reason: 'malformed' } : { ok: true, claims };
}

/** What a request says, as its payload hash covers it: the body's bytes, of a GET its query written as JSON. */
export function signedContent(request: RawRequest): Buffer {
  return request.method.toUpperCase() === 'GET'
    ? Buffer.from(JSON.stringify(Object.fromEntries(queryOf(request.target))))
    : request.body;
}

export function queryOf(target: string): URLSearchParams {
  const start = target.indexOf('?');
  // The constructor would swallow a second "?", and with it part of the first field's name.
  return new URLSearchParams(start === -1 ? '' : target.slice(start).replace(/^\?\?/, '?&?'));
}

export interface TokenGate {
  webhook(request: RawRequest): Verification;
  handshake(request: RawRequest): Verification;
}

/**
 * Lets in what Vonage signed for our application, once for one content: the id of a token that was seen with another
 * request is refused. A request that is repeated to the byte verifies again, because Vonage repeats webhooks that it got
 * no answer to, and must be given the same answer.
 */
export function createTokenGate(
  applicationId: string,
  secrets: readonly string[],
  clock: Pick<Clock, 'epochMs'>,
): TokenGate {
  const memory = new TokenMemory();

  function check(request: RawRequest, content: Buffer, isWebhook: boolean): Verification {
    const { headers, method, target } = request;
    if (!target.startsWith('/')) return { ok: false, reason: 'malformed' };
    const header = headers['authorization'];
    if (header === undefined || header.length === 0) return { ok: false, reason: 'missing' };
    const token = typeof header === 'string' ? /^Bearer ([!-~]+)$/i.exec(header)?.[1] : undefined;
    if (token === undefined) return { ok: false, reason: 'malformed' };
    const read = readToken(token, secrets);
    if (!read.ok) return read;

    const { application_id, payload_hash, jti } = read.claims;
    const nowSeconds = clock.epochMs() / 1000;
    if (!isTimely(read.claims, nowSeconds)) return { ok: false, reason: 'stale' };
    // The secret is the account's, and an account may have more applications than the one whose calls we can control.
    const ofAnApplication = isWebhook || application_id !== undefined;
    if (ofAnApplication && application_id !== applicationId) return { ok: false, reason: 'mismatch' };
    const hash = createHash('sha256').update(content).digest('hex');
    if (isWebhook && !equal(payload_hash, hash)) return { ok: false, reason: 'mismatch' };
    if (jti === undefined && !isWebhook) return { ok: true };
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID_CHARACTERS) {
      return { ok: false, reason: 'malformed' };
    }
    const fingerprint = createHash('sha256').update(`${method}\n${target}\n${hash}`).digest('base64');
    return memory.admits(jti, fingerprint, nowSeconds) ? { ok: true } : { ok: false, reason: 'mismatch' };
  }

  return {
    webhook: (request) => check(request, signedContent(request), true),
    // What a handshake's token holds is not documented, and it has no body to hash: its path says which call it is for.
    handshake: (request) => check(request, Buffer.alloc(0), false),
  };
}

/** Whether Vonage sets `exp` and `nbf` is not documented; where they are, they count. */
function isTimely(claims: Claims, nowSeconds: number): boolean {
  const { iat, exp, nbf } = claims;
  if (typeof iat !== 'number' || !(Math.abs(nowSeconds - iat) <= MAX_AGE_SECONDS)) return false;
  if (exp !== undefined && !(typeof exp === 'number' && nowSeconds < exp)) return false;
  return nbf === undefined || (typeof nbf === 'number' && nbf <= nowSeconds + MAX_AGE_SECONDS);
}

function parseSegment(segment: string): Claims | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : null;
  } catch {
    return null;
  }
}

function equal(claim: unknown, expected: string): boolean {
  if (typeof claim !== 'string') return false;
  const left = Buffer.from(claim.toLowerCase());
  const right = Buffer.from(expected);
  return left.length === right.length && timingSafeEqual(left, right);
}
