import type { ApiDependencies } from '../api-client.ts';
import type { CarrierAdapter, CarrierCapabilities } from '../carrier.ts';
import { createJambonzMediaPort } from './media.ts';
import { FIRST_BLOCK_MS, NEXT_BLOCK_MS } from './pre-buffer.ts';
import { createJambonzControl } from './rest.ts';
import { type JambonzSettings, jambonzFormat } from './settings.ts';
import { createJambonzUpgrade } from './upgrade.ts';
import { createJambonzWebhook } from './webhook.ts';

const CAPABILITIES: CarrierCapabilities = {
  exactFrameMs: null,
  // A block as jambonz lets it through: anything smaller would wait there for its other half.
  packetMs: NEXT_BLOCK_MS,
  leadMs: 400,
  maxLeadMs: 800,
  marksAtClear: 'reported',
  acknowledgesClear: false,
  startBufferMs: FIRST_BLOCK_MS,
  supportsMarks: true,
  supportsClear: true,
  dtmfOut: 'api',
  hangup: 'api',
  // When the stream has ended jambonz asks `/jambonz/after`: a transfer that needs no API, and no second try.
  transfer: 'continuation',
  transferReports: true,
  detectsMachines: true,
  // For the same reason a closed stream ends nothing until `/jambonz/after` has said so.
  closeEndsCall: false,
  outlivesStream: false,
  sendsContinuously: true,
};

/** @param publicUrl the origin that jambonz sees */
export function createJambonzAdapter(
  settings: JambonzSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): CarrierAdapter {
  const send = jambonzFormat(settings.audio);
  return {
    id: 'jambonz',
    capabilities:
      settings.apiBaseUrl === null ? { ...CAPABILITIES, dtmfOut: 'none', hangup: 'close' } : CAPABILITIES,
    webhook: createJambonzWebhook(settings, publicUrl, dependencies.clock),
    upgrade: createJambonzUpgrade(settings),
    control: createJambonzControl(settings, publicUrl, dependencies),
    tokenSecrets: settings.webhookSecrets,
    createMediaPort: () => createJambonzMediaPort(send),
  };
}
