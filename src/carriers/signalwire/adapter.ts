import type { ApiDependencies } from '../api-client.ts';
import type { CarrierAdapter, CarrierCapabilities } from '../carrier.ts';
import { createSignalwireMediaPort } from './media.ts';
import { createSignalwireControl } from './rest.ts';
import { apiOrigin, type SignalwireSettings } from './settings.ts';
import { createSignalwireUpgrade } from './upgrade.ts';
import { createSignalwireWebhook } from './webhook.ts';

const CAPABILITIES: CarrierCapabilities = {
  exactFrameMs: null,
  packetMs: 60,
  leadMs: 400,
  maxLeadMs: 800,
  marksAtClear: 'echoed',
  acknowledgesClear: false,
  startBufferMs: 0,
  supportsMarks: true,
  supportsClear: true,
  dtmfOut: 'media',
  hangup: 'api',
  // Closing the stream makes SignalWire ask what comes next; its API takes no document.
  transfer: 'continuation',
  transferReports: true,
  detectsMachines: true,
  // For the same reason a closed stream ends nothing until `/signalwire/after` has said so.
  closeEndsCall: false,
  outlivesStream: false,
  sendsContinuously: true,
};

/** @param publicUrl the origin that SignalWire sees */
export function createSignalwireAdapter(
  settings: SignalwireSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): CarrierAdapter {
  return {
    id: 'signalwire',
    capabilities: apiOrigin(settings) === null ? { ...CAPABILITIES, hangup: 'close' } : CAPABILITIES,
    webhook: createSignalwireWebhook(settings, publicUrl),
    upgrade: createSignalwireUpgrade(settings),
    control: createSignalwireControl(settings, publicUrl, dependencies),
    tokenSecrets: settings.signingKeys,
    createMediaPort: createSignalwireMediaPort,
  };
}
