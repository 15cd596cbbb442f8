/** A real gateway with the adapters of all carriers, each with the simulated carrier that it meets, and an emulated model. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBots } from '../../../src/bots/load.ts';
import { readClips } from '../../../src/call/clips.ts';
import type { JournalEntry, JournalEntryOf } from '../../../src/call/journal.ts';
import { createCallRegistry } from '../../../src/call/registry.ts';
import type { CarrierAdapter, CarrierId } from '../../../src/carriers/carrier.ts';
import { type Clock, systemClock } from '../../../src/clock.ts';
import { type Gateway, openGateway } from '../../../src/gateway.ts';
import { createConnector } from '../../../src/gemini/connect.ts';
import { startAsteriskApi } from '../../../src/lab/caller/asterisk/api.ts';
import type { DialDesk } from '../../../src/lab/caller/dial-desk.ts';
import { startJambonzApi } from '../../../src/lab/caller/jambonz/api.ts';
import type { CarrierAccount } from '../../../src/lab/caller/place-call.ts';
import { startPlivoApi } from '../../../src/lab/caller/plivo/api.ts';
import { startSignalwireApi } from '../../../src/lab/caller/signalwire/api.ts';
import { startTelnyxApi } from '../../../src/lab/caller/telnyx/api.ts';
import { startTwilioApi } from '../../../src/lab/caller/twilio/api.ts';
import { startVonageApi } from '../../../src/lab/caller/vonage/api.ts';
import { type Emulator, startEmulator } from '../../../src/lab/emulator/server.ts';
import type { Scenario } from '../../../src/lab/scenario.ts';
import { configFrom } from '../../../src/main.ts';
import { createLog } from '../../../src/observability/log.ts';
import { createMetrics } from '../../../src/observability/metrics.ts';
import {
  ARI,
  ASTERISK,
  buildAdapters,
  JAMBONZ,
  PLIVO,
  SIGNALWIRE,
  TELNYX,
  TWILIO,
  VONAGE,
  VONAGE_PUBLIC_KEY,
} from './adapters.ts';

const ROOT = join(import.meta.dirname, '../../..');

export interface CarrierWorld {
  readonly gateway: Gateway;
  readonly emulator: Emulator;
  /** The gateway's. */
  readonly clock: Clock;
  /** Every entry of every call, with the carrier's name of the call. */
  readonly journal: readonly (JournalEntry & { readonly callId: string })[];
  readonly accounts: Readonly<Record<CarrierId | 'texml', CarrierAccount>>;
  readonly adapters: ReadonlyMap<CarrierId, CarrierAdapter>;
  /** Calls that the gateway asks each carrier for. */
  readonly dials: Readonly<Record<CarrierId, DialDesk>>;
  /** What the gateway's adapters and log complained of. */
  readonly problems: readonly string[];
  entriesOf<T extends JournalEntry['type']>(callId: string, type: T): readonly JournalEntryOf<T>[];
  close(): Promise<void>;
}

export async function startCarrierWorld(
  scenario: Scenario,
  { clock = systemClock, maxCalls = 100 }: { readonly clock?: Clock; readonly maxCalls?: number } = {},
): Promise<CarrierWorld> {
  const dataDir = mkdtempSync(join(tmpdir(), 'offhook-carriers-'));
  const problems: string[] = [];
  const journal: (JournalEntry & { readonly callId: string })[] = [];
  const emulator = await startEmulator({ clock: systemClock, scenario });
  const apis = {
    twilio: await startTwilioApi(TWILIO),
    telnyx: await startTelnyxApi(TELNYX),
    plivo: await startPlivoApi(PLIVO),
    vonage: await startVonageApi({
      clock,
      applicationId: VONAGE.applicationId,
      publicKey: VONAGE_PUBLIC_KEY,
    }),
    signalwire: await startSignalwireApi(SIGNALWIRE),
    jambonz: await startJambonzApi(JAMBONZ),
    asterisk: await startAsteriskApi(ARI),
  };
  const apiUrls = {
    twilio: apis.twilio.url,
    telnyx: apis.telnyx.url,
    plivo: apis.plivo.url,
    vonage: apis.vonage.url,
    signalwire: apis.signalwire.url,
    jambonz: apis.jambonz.url,
    asterisk: apis.asterisk.url,
  };
  let adapters: ReadonlyMap<CarrierId, CarrierAdapter> = new Map();

  const config = configFrom({
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PORT: '0',
    BOTS_DIR: join(ROOT, 'bots'),
    DATA_DIR: dataDir,
    GOOGLE_GEMINI_BASE_URL: emulator.url,
    MAX_CALLS: String(maxCalls),
  });
  const metrics = createMetrics({ clock, version: '0.0.0' });
  const log = createLog({
    level: 'warn',
    secrets: [],
    destination: { write: (line) => problems.push(line) },
  });
  const gateway = await openGateway(config, {
    clock,
    log,
    metrics,
    adminToken: null,
    carriersFor: (publicUrl) => {
      adapters = buildAdapters(publicUrl, apiUrls, {
        clock,
        random: Math.random,
        fetch: (url, init) => fetch(url, init),
        onProblem: (message) => problems.push(message),
      });
      return adapters;
    },
    createDesk: () =>
      createCallRegistry({
        clock,
        connectLive: createConnector({ clock, baseUrl: emulator.url, onFault: () => {} }),
        bots: openBots(config.data.botsDir, () => {}),
        clips: readClips(join(ROOT, 'assets/clips/en')),
        listeners: [(entry, { carrierCallId }) => journal.push({ ...entry, callId: carrierCallId })],
        meters: metrics.meters,
        limits: { maxCalls },
        outbound: {
          rules: { allow: ['+1555*'], perHour: 100 },
          adapterOf: (id) => adapters.get(id as CarrierId) ?? null,
        },
        onTickFault: (detail) => problems.push(`tick: ${detail}`),
      }),
    close: async () => {},
  });

  return {
    gateway,
    emulator,
    clock,
    journal,
    problems,
    dials: {
      twilio: apis.twilio.dials,
      telnyx: apis.telnyx.dials,
      plivo: apis.plivo.dials,
      vonage: apis.vonage.dials,
      signalwire: apis.signalwire.dials,
      jambonz: apis.jambonz.dials,
      asterisk: apis.asterisk.dials,
    },
    get adapters() {
      return adapters;
    },
    accounts: {
      twilio: { carrier: 'twilio', ...TWILIO, api: apis.twilio },
      telnyx: { carrier: 'telnyx', keys: TELNYX.keys, api: apis.telnyx },
      texml: { carrier: 'telnyx', keys: TELNYX.keys },
      plivo: { carrier: 'plivo', ...PLIVO, api: apis.plivo },
      vonage: { carrier: 'vonage', ...VONAGE, api: apis.vonage },
      signalwire: { carrier: 'signalwire', ...SIGNALWIRE, api: apis.signalwire },
      jambonz: { carrier: 'jambonz', ...JAMBONZ, api: apis.jambonz },
      asterisk: { carrier: 'asterisk', ...ASTERISK, api: apis.asterisk },
    },
    entriesOf: <T extends JournalEntry['type']>(callId: string, type: T) =>
      journal.filter(
        (entry): entry is JournalEntryOf<T> & { callId: string } =>
          entry.callId === callId && entry.type === type,
      ),
    close: async () => {
      await gateway.close();
      await emulator.close();
      for (const api of Object.values(apis)) await api.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
