/** Composition root: what a gateway is made of, and the only handler of signals. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openBots } from './bots/load.ts';
import { readClips } from './call/clips.ts';
import type { JournalListener } from './call/journal.ts';
import type { CallMeters } from './call/meters.ts';
import { createCallRegistry } from './call/registry.ts';
import { warmUp } from './call/warm-up.ts';
import { CARRIER_NAMES } from './carrier-settings.ts';
import { CARRIER_IDS, type CarrierAdapter } from './carriers/carrier.ts';
import { buildCarriers, type CarrierSettings } from './carriers/registry.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Config, parseConfig } from './config.ts';
import { OffhookError } from './errors.ts';
import { type Gateway, openGateway } from './gateway.ts';
import { createConnector } from './gemini/connect.ts';
import { govern } from './gemini/governor.ts';
import { CalmLog } from './observability/calm-log.ts';
import { journalLogger } from './observability/journal-log.ts';
import { createLog, type Log } from './observability/log.ts';
import { createMetrics, type Metrics, type ProcessFault } from './observability/metrics.ts';
import { forgetLabEmulator, leaveLabEmulator } from './store/lab-emulator.ts';
import { ensureAdminToken, ensureLabTwilio } from './store/lab-secrets.ts';

export type { Gateway } from './gateway.ts';

export interface GatewayOptions {
  /** Standard output when left out. */
  readonly log?: Log;
  readonly clock?: Clock;
  /** Told of every journal entry besides log and metrics. */
  readonly listeners?: readonly JournalListener[];
  /** In the place of the metrics' own: for a benchmark that wants finer steps. */
  readonly meters?: CallMeters;
}

const CLIPS_DIR = fileURLToPath(new URL('../assets/clips/en', import.meta.url));

/** The environment's settings. @throws OffhookError ERR_CONFIG that lists every problem */
export function configFrom(env: Readonly<Record<string, string | undefined>>): Config {
  const parsed = parseConfig(env);
  if (parsed.ok) return parsed.config;
  const list = parsed.problems.map((problem) => `\n  - ${problem}`).join('');
  throw new OffhookError('ERR_CONFIG', `Reading the settings from the environment found:${list}`);
}

/**
 * Node cuts small buffers from slabs of 8 kB, and a call needs seven of them a second: at hundreds of calls, making and
 * collecting slabs is a tenth of the work.
 */
const SLAB_BYTES = 64 * 1024;

/** Starts a gateway in this process; handles no signal. @throws OffhookError; nothing stays open then */
export async function startGateway(config: Config, options: GatewayOptions = {}): Promise<Gateway> {
  const clock = options.clock ?? systemClock;
  const { dataDir, botsDir } = config.data;
  const carriers = configuredOrLab(config);
  // Known when the public address is: no call is placed before.
  let adapters: ReadonlyMap<string, CarrierAdapter> = new Map();
  const adminToken =
    config.network.adminToken === 'auto' ? ensureAdminToken(dataDir) : config.network.adminToken;
  const secrets = [
    ...config.secrets,
    ...(carriers.twilio?.authTokens ?? []),
    ...(adminToken === null ? [] : [adminToken]),
  ];
  const log = options.log ?? createLog({ level: config.logLevel, secrets });
  const bots = openBots(botsDir, (detail) => log.error({ detail }, 'a changed bot cannot be used'));

  Buffer.poolSize = SLAB_BYTES;
  warmUp();
  const metrics = createMetrics({ clock, version: versionOfPackage() });
  const model = await openModel(config, clock, log, metrics).catch((caught: unknown) => {
    metrics.close();
    throw caught;
  });
  metrics.watchDoor(model.connectLive.counts);
  const gateway = await openGateway(config, {
    clock,
    log,
    metrics,
    adminToken,
    carriersFor: (publicUrl) => {
      const onProblem = (detail: string) => log.warn({ detail }, 'carrier API problem');
      const built = buildCarriers({ publicUrl, ...carriers }, { clock, onProblem });
      adapters = built;
      return built;
    },
    createDesk: () =>
      createCallRegistry({
        clock,
        connectLive: model.connectLive,
        bots,
        clips: readClips(CLIPS_DIR),
        listeners: [journalLogger(log), metrics.listener, ...(options.listeners ?? [])],
        meters: options.meters ?? metrics.meters,
        limits: { maxCalls: config.limits.maxCalls },
        outbound: {
          rules: { allow: config.limits.dialAllow, perHour: config.limits.dialPerHour },
          adapterOf: (carrier) => adapters.get(carrier) ?? null,
        },
        onTickFault: (detail) => log.error({ detail }, 'a call failed in its tick'),
      }),
    close: model.close,
  });
  for (const note of config.notes) log.warn(note);
  announce(config, gateway);
  return gateway;
}

/**
 * Runs a gateway until it is told to stop: the first SIGTERM or SIGINT drains, the second ends what is left now. An
 * error that nobody caught is logged and counted, and the other calls go on; before the ports are open it ends the
 * process, as is Node's way.
 */
export async function runGateway(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const gateway = await startGateway(configFrom(env));
  const { log, metrics } = gateway;
  const survive = (kind: ProcessFault) => (caught: unknown) => {
    metrics.processFault(kind);
    log.error({ kind, err: caught }, 'an error that nobody caught');
  };
  process.on('unhandledRejection', survive('unhandled-rejection'));
  process.on('uncaughtException', survive('uncaught-exception'));

  await new Promise<void>((resolve, reject) => {
    let asked = 0;
    const onSignal = (signal: NodeJS.Signals) => {
      asked += 1;
      const calls = gateway.desk.activeCalls;
      if (asked === 1) {
        log.info({ signal, calls }, 'draining: no new calls; a second signal ends those in progress');
        gateway.drain().then(gateway.close).then(resolve, reject);
      } else if (asked === 2) {
        log.warn({ signal, calls }, 'ending the calls in progress now');
        gateway.close().then(resolve, reject);
      }
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
  log.info('stopped');
}

/** Gemini, or the emulator in its place. The laboratory is loaded only where it is needed. */
async function openModel(config: Config, clock: Clock, log: Log, metrics: Metrics) {
  const { apiKey, baseUrl, vertex } = config.gemini;
  const { connectsPerSecond: perSecond, connectsAtOnce: atOnce } = config.limits;
  const faults = new CalmLog(log, clock, 'model connection fault');
  const connect = (endpoint: string | null) =>
    govern(
      createConnector({
        clock,
        ...(apiKey === null ? {} : { apiKey }),
        ...(endpoint === null ? {} : { baseUrl: endpoint }),
        ...(vertex === null ? {} : { vertex }),
        onFault: (kind, detail) => faults.warn(kind, { detail }),
      }),
      { clock, random: Math.random, perSecond, atOnce, meters: metrics.door },
    );
  if (config.mode === 'serve' || baseUrl !== null) {
    return { connectLive: connect(baseUrl), close: async () => {} };
  }
  const [{ startEmulator }, { defaultScenario }] = await Promise.all([
    import('./lab/emulator/server.ts'),
    import('./lab/scenario.ts'),
  ]);
  const voices = fileURLToPath(new URL('../fixtures/voices/bot', import.meta.url));
  const emulator = await startEmulator({ clock, scenario: defaultScenario(voices) });
  leaveLabEmulator(config.data.dataDir, emulator.url);
  return {
    connectLive: connect(emulator.url),
    close: async () => {
      forgetLabEmulator(config.data.dataDir);
      await emulator.close();
    },
  };
}

/** Without any carrier, one that only a simulated caller can be: random credentials, and no API to hang up with. */
function configuredOrLab({ carriers, data }: Config): CarrierSettings {
  if (Object.keys(carriers).length > 0) return carriers;
  const { accountSid, authToken } = ensureLabTwilio(data.dataDir);
  return { twilio: { accountSid, authTokens: [authToken], verifyStream: 'required', apiBaseUrl: null } };
}

function announce(config: Config, gateway: Gateway): void {
  const { publicUrl, adminUrl, log } = gateway;
  const answering = config.mode === 'lab' ? 'an emulator answers, not Gemini' : 'Gemini answers';
  const names = CARRIER_IDS.filter((id) => config.carriers[id] !== undefined).map((id) => CARRIER_NAMES[id]);
  const calling =
    names.length === 0
      ? 'only simulated callers get in (npm run call)'
      : `${new Intl.ListFormat('en-GB').format(names)} calls get in`;
  log.info({ publicUrl, adminUrl, mode: config.mode }, `listening: ${answering}; ${calling}`);
}

function versionOfPackage(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
