import type { ApiDependencies } from '../api-client.ts';
import type { CarrierAdapter, CarrierCapabilities } from '../carrier.ts';
import { createAsteriskMediaPort } from './media.ts';
import { createAsteriskControl } from './rest.ts';
import type { AriSettings, AsteriskSettings } from './settings.ts';
import { createAsteriskUpgrade } from './upgrade.ts';

const WITHOUT_ARI: CarrierCapabilities = {
  // Any run of whole frames is played; the media port cuts them.
  exactFrameMs: null,
  packetMs: 60,
  leadMs: 400,
  maxLeadMs: 800,
  marksAtClear: 'dropped',
  acknowledgesClear: true,
  startBufferMs: 0,
  supportsMarks: true,
  supportsClear: true,
  dtmfOut: 'none',
  hangup: 'media',
  transfer: 'none',
  transferReports: false,
  detectsMachines: false,
  // The stream's channel ends with its socket, and the dialplan that we give hangs up the caller's behind it.
  closeEndsCall: true,
  outlivesStream: false,
  // A phone that suppresses silence sends nothing while its user listens.
  sendsContinuously: false,
};

/** `_publicUrl` is not needed: where we are, Asterisk's own configuration says. */
export function createAsteriskAdapter(
  settings: AsteriskSettings,
  _publicUrl: string,
  dependencies: ApiDependencies,
): CarrierAdapter {
  const { ari } = settings;
  const capabilities = ari === null ? WITHOUT_ARI : withAri(ari);
  return {
    id: 'asterisk',
    capabilities,
    webhook: null,
    upgrade: createAsteriskUpgrade(settings),
    control: createAsteriskControl(ari, dependencies),
    tokenSecrets: settings.passwords,
    createMediaPort: () => createAsteriskMediaPort(capabilities.hangup === 'media'),
  };
}

/** ARI hangs up the caller's channel whatever the dialplan would do next. */
function withAri({ callersInStasis = false }: AriSettings): CarrierCapabilities {
  const stasis = callersInStasis ? 'api' : 'none';
  return { ...WITHOUT_ARI, hangup: 'api', dtmfOut: stasis, transfer: stasis };
}
