import type { ApiDependencies } from '../api-client.ts';
import type { CarrierAdapter, CarrierCapabilities } from '../carrier.ts';
import { createLinks } from './links.ts';
import { createVonageMediaPort, FRAME_MS } from './media.ts';
import { createVonageControl } from './rest.ts';
import { RegionBook, type VonageSettings } from './settings.ts';
import { createTokenGate } from './signature.ts';
import { createVonageUpgrade } from './upgrade.ts';
import { createVonageWebhook } from './webhook.ts';

const CAPABILITIES: CarrierCapabilities = {
  exactFrameMs: FRAME_MS,
  packetMs: FRAME_MS,
  leadMs: 400,
  maxLeadMs: 800,
  marksAtClear: 'dropped',
  acknowledgesClear: true,
  startBufferMs: 0,
  supportsMarks: true,
  supportsClear: true,
  dtmfOut: 'api',
  hangup: 'api',
  transfer: 'api',
  transferReports: true,
  detectsMachines: true,
  // Vonage asks `/vonage/after` first, since the stream's events are synchronous.
  closeEndsCall: false,
  outlivesStream: false,
  sendsContinuously: true,
};

/**
 * @param publicUrl the origin that Vonage sees
 * @throws OffhookError ERR_CONFIG where a private key is none
 */
export function createVonageAdapter(
  settings: VonageSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): CarrierAdapter {
  const { applicationId, signatureSecrets } = settings;
  const gate = createTokenGate(applicationId, signatureSecrets, dependencies.clock);
  const links = createLinks(publicUrl, signatureSecrets);
  const regions = new RegionBook();
  return {
    id: 'vonage',
    capabilities:
      settings.apiBaseUrl === null
        ? { ...CAPABILITIES, dtmfOut: 'none', hangup: 'close', transfer: 'continuation' }
        : CAPABILITIES,
    webhook: createVonageWebhook(settings, { gate, links, regions }),
    upgrade: createVonageUpgrade(settings, gate),
    control: createVonageControl(settings, links, regions, dependencies),
    tokenSecrets: signatureSecrets,
    createMediaPort: createVonageMediaPort,
  };
}
