import type { UpgradePort } from '../carrier.ts';
import type { VonageSettings } from './settings.ts';
import type { TokenGate } from './signature.ts';

/** Where the answer document asks for it, Vonage puts a token such as its webhooks have on the stream's handshake. */
export function createVonageUpgrade({ verifyStream }: VonageSettings, gate: TokenGate): UpgradePort {
  return {
    refusedStatus: 401,
    subprotocols: [],
    authorize: (request) => {
      const verdict = gate.handshake(request);
      const unsigned = !verdict.ok && verdict.reason === 'missing';
      return unsigned && verifyStream === 'when-present' ? { ok: true } : verdict;
    },
  };
}
