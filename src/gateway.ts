/** A gateway's life: its two listeners, the calls behind them, and how both end. What it is made of, main.ts decides. */
import type { CallDesk } from './call/desk.ts';
import type { EndReason } from './call/end-reason.ts';
import type { CarrierAdapter, CarrierId } from './carriers/carrier.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { buildAdminApp } from './http/admin-app.ts';
import { publicLimits } from './http/limits.ts';
import { loopbackUrl, openPort } from './http/listen.ts';
import { buildPublicApp } from './http/public-app.ts';
import type { Log } from './observability/log.ts';
import type { Metrics } from './observability/metrics.ts';

export interface GatewayParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** The real one: never `auto`. */
  readonly adminToken: string | null;
  /** Asked once, when PUBLIC_URL is known for certain. */
  carriersFor(publicUrl: string): ReadonlyMap<CarrierId, CarrierAdapter>;
  createDesk(): CallDesk;
  /** Closes what was opened for the gateway besides its listeners. */
  close(): Promise<void>;
}

export interface Gateway {
  /** The origin that carriers see. */
  readonly publicUrl: string;
  /** Where this machine reaches the public listener, whatever PUBLIC_URL says. */
  readonly localUrl: string;
  readonly adminUrl: string;
  readonly desk: CallDesk;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Takes no new calls, and resolves when the last one is over or DRAIN_SECONDS have passed. The listeners stay open. */
  drain(): Promise<void>;
  /** Ends what is left, at once, and closes everything. Idempotent. */
  close(): Promise<void>;
}

/** After its stream has ended a carrier asks what comes next; a closed door then is read out to the caller as an error. */
const LAST_QUESTIONS_MS = 2_000;
/** A call's own teardown has deadlines that add up to less; this one is for the case that it has a bug. */
const TEARDOWN_MS = 8_000;
const STOPPED: EndReason = { who: 'operator', how: 'drained', detail: 'the gateway was stopped' };

/** @throws OffhookError ERR_PORT, or what `createDesk` throws; nothing stays open then */
export async function openGateway(config: Config, parts: GatewayParts): Promise<Gateway> {
  const { clock, log, metrics } = parts;
  const { network, limits } = config;
  // Filled as soon as the port is known; until then every carrier is unknown.
  const carriers = new Map<CarrierId, CarrierAdapter>();
  const desk = await createDesk(parts);
  metrics.watch(desk);
  const publicApp = buildPublicApp({
    desk,
    carriers,
    clock,
    log,
    meters: metrics.http,
    limits: publicLimits(limits.maxCalls),
  });
  const adminApp = buildAdminApp({
    desk,
    access: { token: parts.adminToken, hosts: network.adminHosts },
    clock,
    log,
    meters: metrics.http,
    exposition: metrics,
  });

  let draining: Promise<void> | null = null;
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      if (draining === null) {
        await desk.drained(0);
      } else {
        // The drain that is waiting ends with the last call: end them all, and leave no second one waiting.
        for (const { ref } of desk.summaries()) desk.end(ref, STOPPED);
        await atMost(clock, TEARDOWN_MS, draining);
      }
      await Promise.all([publicApp.close(), adminApp.close()]);
      metrics.close();
      await parts.close();
    })();
    return closing;
  };

  try {
    // The public listener last: whoever it lets in finds everything ready.
    const adminPort = await openPort(adminApp, {
      what: 'admin listener',
      host: network.adminHost,
      port: network.adminPort,
      settings: 'ADMIN_HOST, ADMIN_PORT',
    });
    const port = await openPort(publicApp, {
      what: 'public listener',
      host: network.host,
      port: network.port,
      settings: 'HOST, PORT',
    });
    const localUrl = loopbackUrl(network.host, port);
    const publicUrl = network.publicUrl ?? localUrl;
    for (const [id, adapter] of parts.carriersFor(publicUrl)) carriers.set(id, adapter);
    return {
      publicUrl,
      localUrl,
      adminUrl: loopbackUrl(network.adminHost, adminPort),
      desk,
      log,
      metrics,
      close,
      drain: async () => {
        const hadCalls = desk.activeCalls > 0;
        desk.beginDrain();
        draining ??= desk.drained(limits.drainSeconds * 1000);
        await draining;
        if (hadCalls && closing === null) await atMost(clock, LAST_QUESTIONS_MS, new Promise(() => {}));
      },
    };
  } catch (caught) {
    await close();
    throw caught;
  }
}

async function createDesk({ createDesk, metrics, close }: GatewayParts): Promise<CallDesk> {
  try {
    return createDesk();
  } catch (caught) {
    metrics.close();
    await close();
    throw caught;
  }
}

/** Resolves with the work, or after the time: what is late goes on unheeded. */
async function atMost(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = clock.setTimer(ms, resolve);
  await Promise.race([work, late]);
  timer.cancel();
}
