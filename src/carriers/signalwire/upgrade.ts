import type { UpgradePort } from '../carrier.ts';
import { isStreamBearer } from '../stream-bearer.ts';
import type { SignalwireSettings } from './settings.ts';

/** SignalWire signs no handshake, but shows the `authBearerToken` of the answer document: ours of this very path. */
export function createSignalwireUpgrade({ signingKeys }: SignalwireSettings): UpgradePort {
  return {
    refusedStatus: 403,
    subprotocols: [],
    authorize({ target, headers }) {
      if (!target.startsWith('/')) return { ok: false, reason: 'malformed' };
      const { authorization } = headers;
      if (authorization === undefined || authorization.length === 0) return { ok: false, reason: 'missing' };
      const shown =
        typeof authorization === 'string' ? /^bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
      if (shown === undefined) return { ok: false, reason: 'malformed' };
      return isStreamBearer('signalwire', signingKeys, target, shown)
        ? { ok: true }
        : { ok: false, reason: 'mismatch' };
    },
  };
}
