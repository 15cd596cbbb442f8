import type { UpgradePort } from '../carrier.ts';
import { originForms } from '../origin-forms.ts';
import { streamOrigin, type TwilioSettings } from './settings.ts';
import { verifySignature } from './signature.ts';

/**
 * Twilio signs a stream's handshake like a webhook, over the address in its `wss://` form and without fields. Whether
 * the path is signed with a trailing slash, and the host with its port, is not documented: all four are compared.
 */
export function createTwilioUpgrade(settings: TwilioSettings, publicUrl: string): UpgradePort {
  const origin = new URL(streamOrigin(publicUrl));
  const origins = originForms(origin, origin.protocol === 'wss:' ? '443' : '80');
  return {
    refusedStatus: 403,
    subprotocols: [],
    authorize({ target, headers }) {
      if (!target.startsWith('/')) return { ok: false, reason: 'malformed' };
      const otherSlash = target.endsWith('/') ? target.slice(0, -1) : `${target}/`;
      const urls = origins.flatMap((form) => [form + target, form + otherSlash]);
      const verdict = verifySignature(headers, urls, '', settings.authTokens);
      const unsigned = !verdict.ok && verdict.reason === 'missing';
      return unsigned && settings.verifyStream === 'when-present' ? { ok: true } : verdict;
    },
  };
}
