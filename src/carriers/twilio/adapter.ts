import type { ApiDependencies } from '../api-client.ts';
import type { CarrierAdapter, CarrierCapabilities } from '../carrier.ts';
import { createTwilioMediaPort } from './media.ts';
import { createTwilioControl } from './rest.ts';
import type { TwilioSettings } from './settings.ts';
import { createTwilioUpgrade } from './upgrade.ts';
import { createTwilioWebhook } from './webhook.ts';

const CAPABILITIES: CarrierCapabilities = {
  exactFrameMs: null,
  // Messages of 400 to 600 bytes are reported to sound smoother than single frames.
  packetMs: 60,
  leadMs: 400,
  maxLeadMs: 800,
  marksAtClear: 'echoed',
  acknowledgesClear: false,
  startBufferMs: 0,
  supportsMarks: true,
  supportsClear: true,
  dtmfOut: 'api',
  hangup: 'api',
  // Closing the stream makes Twilio ask what comes next: a transfer that needs no API, and no second try.
  transfer: 'continuation',
  transferReports: true,
  detectsMachines: true,
  // For the same reason a closed stream ends nothing until `/twilio/after` has said so.
  closeEndsCall: false,
  outlivesStream: false,
  sendsContinuously: true,
};

/** @param publicUrl the origin that Twilio sees */
export function createTwilioAdapter(
  settings: TwilioSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): CarrierAdapter {
  return {
    id: 'twilio',
    capabilities:
      settings.apiBaseUrl === null ? { ...CAPABILITIES, dtmfOut: 'none', hangup: 'close' } : CAPABILITIES,
    webhook: createTwilioWebhook(settings, publicUrl),
    upgrade: createTwilioUpgrade(settings, publicUrl),
    control: createTwilioControl(settings, publicUrl, dependencies),
    tokenSecrets: settings.authTokens,
    createMediaPort: createTwilioMediaPort,
  };
}
