import type { UpgradePort } from '../carrier.ts';
import { isStreamBearer } from '../stream-bearer.ts';
import type { TelnyxSettings } from './settings.ts';

/** Where Telnyx shows the `stream_auth_token` of a dial or streaming_start. */
export const AUTH_TOKEN_HEADER = 'x-telnyx-streaming-auth-token';

/**
 * Telnyx signs no handshake. Where a command took a `stream_auth_token`, it comes back and must be ours of this very
 * path; the answer command and TeXML take none, so without one the path token has to do alone.
 */
export function createTelnyxUpgrade({ apiKeys }: TelnyxSettings): UpgradePort {
  return {
    refusedStatus: 403,
    subprotocols: [],
    authorize({ target, headers }) {
      if (!target.startsWith('/')) return { ok: false, reason: 'malformed' };
      const shown = headers[AUTH_TOKEN_HEADER];
      if (shown === undefined) return { ok: true };
      if (typeof shown !== 'string') return { ok: false, reason: 'malformed' };
      return isStreamBearer('telnyx', apiKeys, target, shown)
        ? { ok: true }
        : { ok: false, reason: 'mismatch' };
    },
  };
}
