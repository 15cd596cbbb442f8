import type { UpgradePort } from '../carrier.ts';
import type { PlivoSettings } from './settings.ts';
import { signedText, verifySignature } from './signature.ts';

const SCHEMES = ['https', 'http', 'wss', 'ws'] as const;

/**
 * Plivo signs a stream's handshake like a GET. Which scheme the signed address has is told in contradictory ways by its
 * documents, its packages and reports of live calls, so all are compared: host and path are the same in each, and a
 * signature of any of them can only be Plivo's. The nonce is not remembered: the token in the path works only once.
 */
export function createPlivoUpgrade(settings: PlivoSettings, publicUrl: string): UpgradePort {
  const { host } = new URL(publicUrl);
  const origins = SCHEMES.map((scheme) => `${scheme}://${host}`);
  return {
    refusedStatus: 403,
    subprotocols: [],
    authorize({ target, headers }) {
      if (!target.startsWith('/')) return { ok: false, reason: 'malformed' };
      const texts = origins.map((origin) => signedText(origin, target, new Map()));
      const verdict = verifySignature(headers, texts, settings.authTokens);
      const unsigned = !verdict.ok && verdict.reason === 'missing';
      return unsigned && settings.verifyStream === 'when-present' ? { ok: true } : verdict;
    },
  };
}
