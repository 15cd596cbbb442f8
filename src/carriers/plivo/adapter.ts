import type { ApiDependencies } from '../api-client.ts';
import type { CarrierAdapter, CarrierCapabilities } from '../carrier.ts';
import { createPlivoMediaPort } from './media.ts';
import { createPlivoControl } from './rest.ts';
import type { PlivoSettings } from './settings.ts';
import { createPlivoUpgrade } from './upgrade.ts';
import { createPlivoWebhook } from './webhook.ts';

const CAPABILITIES: CarrierCapabilities = {
  exactFrameMs: null,
  packetMs: 60,
  // Its buffer is deep, and a `clearAudio` behind much audio takes effect late.
  leadMs: 200,
  maxLeadMs: 600,
  marksAtClear: 'dropped',
  acknowledgesClear: true,
  startBufferMs: 0,
  supportsMarks: true,
  supportsClear: true,
  dtmfOut: 'media',
  hangup: 'api',
  // Behind the stream stands a redirect to `/plivo/after`: a transfer that needs no API, and no second try.
  transfer: 'continuation',
  transferReports: true,
  detectsMachines: true,
  // For the same reason a closed stream ends nothing until `/plivo/after` has said so.
  closeEndsCall: false,
  outlivesStream: false,
  sendsContinuously: true,
};

/** @param publicUrl the origin that Plivo sees */
export function createPlivoAdapter(
  settings: PlivoSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): CarrierAdapter {
  return {
    id: 'plivo',
    capabilities: settings.apiBaseUrl === null ? { ...CAPABILITIES, hangup: 'close' } : CAPABILITIES,
    webhook: createPlivoWebhook(settings, publicUrl, dependencies.clock),
    upgrade: createPlivoUpgrade(settings, publicUrl),
    control: createPlivoControl(settings, publicUrl, dependencies),
    tokenSecrets: settings.authTokens,
    createMediaPort: createPlivoMediaPort,
  };
}
