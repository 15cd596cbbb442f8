import type { ApiDependencies } from '../api-client.ts';
import type { CarrierAdapter, CarrierCapabilities } from '../carrier.ts';
import { createTelnyxAnswering } from './answer.ts';
import { apiOrigin, createTelnyxCommands } from './commands.ts';
import { createTelnyxMediaPort } from './media.ts';
import { createTelnyxControl } from './rest.ts';
import type { TelnyxSettings } from './settings.ts';
import { createTelnyxUpgrade } from './upgrade.ts';
import { createTelnyxWebhook } from './webhook.ts';

const CAPABILITIES: CarrierCapabilities = {
  // Any size from 20 ms on is played; the media port sees to it that nothing shorter goes out.
  exactFrameMs: null,
  packetMs: 60,
  leadMs: 400,
  maxLeadMs: 800,
  marksAtClear: 'echoed',
  acknowledgesClear: false,
  startBufferMs: 0,
  supportsMarks: true,
  supportsClear: true,
  dtmfOut: 'api',
  // The stream is a fork of the call: when it closes, the call stays up and is billed.
  hangup: 'api',
  transfer: 'api',
  transferReports: true,
  detectsMachines: true,
  closeEndsCall: false,
  outlivesStream: true,
  sendsContinuously: true,
};
/** Of TeXML calls, where there is no API: a closed stream makes Telnyx ask what comes next. */
const WITHOUT_API = { dtmfOut: 'none', hangup: 'close', transfer: 'continuation' } as const;

/** @param publicUrl the origin that Telnyx sees */
export function createTelnyxAdapter(
  settings: TelnyxSettings,
  publicUrl: string,
  dependencies: ApiDependencies,
): CarrierAdapter {
  const commands = createTelnyxCommands(settings, dependencies);
  const answering = createTelnyxAnswering(settings, publicUrl, commands, dependencies);
  return {
    id: 'telnyx',
    capabilities: apiOrigin(settings) === null ? { ...CAPABILITIES, ...WITHOUT_API } : CAPABILITIES,
    webhook: createTelnyxWebhook(settings, publicUrl, answering, dependencies),
    upgrade: createTelnyxUpgrade(settings),
    control: createTelnyxControl(settings, publicUrl, commands, dependencies),
    tokenSecrets: settings.apiKeys,
    createMediaPort: () => createTelnyxMediaPort(settings),
  };
}
