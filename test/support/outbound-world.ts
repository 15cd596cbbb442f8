/** A gateway that may place calls, the carriers that place them for it, and a model that greets. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBots } from '../../src/bots/load.ts';
import { readClips } from '../../src/call/clips.ts';
import type { JournalEntry, JournalEntryOf } from '../../src/call/journal.ts';
import { createCallRegistry } from '../../src/call/registry.ts';
import type { CarrierAdapter, CarrierId } from '../../src/carriers/carrier.ts';
import { systemClock } from '../../src/clock.ts';
import { type Gateway, openGateway } from '../../src/gateway.ts';
import { createConnector } from '../../src/gemini/connect.ts';
import { startAsteriskApi } from '../../src/lab/caller/asterisk/api.ts';
import type { DialDesk } from '../../src/lab/caller/dial-desk.ts';
import { startJambonzApi } from '../../src/lab/caller/jambonz/api.ts';
import type { CarrierAccount } from '../../src/lab/caller/place-call.ts';
import { startPlivoApi } from '../../src/lab/caller/plivo/api.ts';
import { startSignalwireApi } from '../../src/lab/caller/signalwire/api.ts';
import { startTelnyxApi } from '../../src/lab/caller/telnyx/api.ts';
import { startVonageApi } from '../../src/lab/caller/vonage/api.ts';
import { startEmulator } from '../../src/lab/emulator/server.ts';
import type { Scenario } from '../../src/lab/scenario.ts';
import { configFrom } from '../../src/main.ts';
import { silentLog } from '../../src/observability/log.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import * as known from '../lab/caller/adapters.ts';

export const DIALLING = ['telnyx', 'plivo', 'vonage', 'signalwire', 'jambonz', 'asterisk'] as const;
export type Dialling = (typeof DIALLING)[number];

export interface OutboundWorld {
  readonly gateway: Gateway;
  readonly accounts: Readonly<Record<Dialling, CarrierAccount>>;
  /** Calls that the gateway asks each carrier for. */
  readonly dials: Readonly<Record<Dialling, DialDesk>>;
  of<T extends JournalEntry['type']>(ref: string, type: T): readonly JournalEntryOf<T>[];
  close(): Promise<void>;
}

export async function startOutboundWorld(scenario: Scenario): Promise<OutboundWorld> {
  const root = join(import.meta.dirname, '../..');
  const dataDir = mkdtempSync(join(tmpdir(), 'offhook-outbound-'));
  const journal: (JournalEntry & { readonly ref: string })[] = [];
  const emulator = await startEmulator({ clock: systemClock, scenario });
  const { applicationId } = known.VONAGE;
  const apis = {
    telnyx: await startTelnyxApi(known.TELNYX),
    plivo: await startPlivoApi(known.PLIVO),
    vonage: await startVonageApi({ clock: systemClock, applicationId, publicKey: known.VONAGE_PUBLIC_KEY }),
    signalwire: await startSignalwireApi(known.SIGNALWIRE),
    jambonz: await startJambonzApi(known.JAMBONZ),
    asterisk: await startAsteriskApi(known.ARI),
  };
  const urls = Object.fromEntries(Object.entries(apis).map(([id, { url }]) => [id, url]));
  let adapters: ReadonlyMap<string, CarrierAdapter> = new Map();
  const config = configFrom({
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PORT: '0',
    BOTS_DIR: join(root, 'bots'),
    DATA_DIR: dataDir,
    GOOGLE_GEMINI_BASE_URL: emulator.url,
    DIAL_ALLOW: '+1555*',
  });
  const metrics = createMetrics({ clock: systemClock, version: '0' });
  const gateway = await openGateway(config, {
    clock: systemClock,
    log: silentLog(),
    metrics,
    adminToken: null,
    carriersFor: (publicUrl) => {
      const outside = { clock: systemClock, random: Math.random, fetch, onProblem: () => {} };
      const built = known.buildAdapters(publicUrl, urls as Record<CarrierId, string>, outside);
      adapters = built;
      return built;
    },
    createDesk: () =>
      createCallRegistry({
        clock: systemClock,
        connectLive: createConnector({ clock: systemClock, baseUrl: emulator.url, onFault: () => {} }),
        bots: openBots(config.data.botsDir),
        clips: readClips(join(root, 'assets/clips/en')),
        listeners: [(entry, { ref }) => journal.push({ ...entry, ref })],
        meters: metrics.meters,
        limits: config.limits,
        outbound: {
          rules: { allow: config.limits.dialAllow, perHour: config.limits.dialPerHour },
          adapterOf: (carrier) => adapters.get(carrier) ?? null,
        },
        onTickFault: () => {},
      }),
    close: async () => {},
  });
  return {
    gateway,
    accounts: {
      telnyx: { carrier: 'telnyx', keys: known.TELNYX.keys, api: apis.telnyx },
      plivo: { carrier: 'plivo', ...known.PLIVO, api: apis.plivo },
      vonage: { carrier: 'vonage', ...known.VONAGE, api: apis.vonage },
      signalwire: { carrier: 'signalwire', ...known.SIGNALWIRE, api: apis.signalwire },
      jambonz: { carrier: 'jambonz', ...known.JAMBONZ, api: apis.jambonz },
      asterisk: { carrier: 'asterisk', ...known.ASTERISK, api: apis.asterisk },
    },
    dials: {
      telnyx: apis.telnyx.dials,
      plivo: apis.plivo.dials,
      vonage: apis.vonage.dials,
      signalwire: apis.signalwire.dials,
      jambonz: apis.jambonz.dials,
      asterisk: apis.asterisk.dials,
    },
    of: <T extends JournalEntry['type']>(ref: string, type: T) =>
      journal.filter(
        (entry): entry is JournalEntryOf<T> & { ref: string } => entry.ref === ref && entry.type === type,
      ),
    close: async () => {
      await gateway.close();
      await emulator.close();
      for (const api of Object.values(apis)) await api.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
