import type { UpgradePort } from '../carrier.ts';
import type { JambonzSettings } from './settings.ts';
import { isStreamAuth } from './stream-auth.ts';

export function createJambonzUpgrade(settings: JambonzSettings): UpgradePort {
  return {
    refusedStatus: 401,
    // What its media module asks for unless told otherwise, and what older documents say.
    subprotocols: ['audio.drachtio.org', 'audio.jambonz.org'],
    authorize({ target, headers }) {
      if (!target.startsWith('/')) return { ok: false, reason: 'malformed' };
      const { authorization } = headers;
      if (authorization === undefined || authorization.length === 0) return { ok: false, reason: 'missing' };
      if (typeof authorization !== 'string' || !/^Basic [A-Za-z0-9+/]{1,256}={0,2}$/.test(authorization))
        return { ok: false, reason: 'malformed' };
      return isStreamAuth(authorization, target, settings.webhookSecrets)
        ? { ok: true }
        : { ok: false, reason: 'mismatch' };
    },
  };
}
