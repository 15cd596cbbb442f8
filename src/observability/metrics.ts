import { Counter, Gauge, Registry } from 'prom-client';
import type { CallDesk } from '../call/desk.ts';
import type { JournalListener } from '../call/journal.ts';
import type { CallMeters } from '../call/meters.ts';
import type { Clock } from '../clock.ts';
import type { GovernorCounts, GovernorMeters } from '../gemini/governor.ts';
import type { HttpMeters } from '../http/http-meters.ts';
import { createCallMetrics } from './call-metrics.ts';
import { createDoorMeters, watchDoor } from './door-metrics.ts';
import { createFrameMeters } from './frame-metrics.ts';
import { createProcessMetrics } from './process-metrics.ts';

/** What went wrong outside of any call. */
export type ProcessFault = 'unhandled-rejection' | 'uncaught-exception';

export interface Metrics {
  /** Counts from journals; hand it to the calls. */
  readonly listener: JournalListener;
  readonly meters: CallMeters;
  readonly http: HttpMeters;
  /** Of the door that all connections to Gemini pass. */
  readonly door: GovernorMeters;
  processFault(kind: ProcessFault): void;
  /** Lets the gauges read the calls whenever somebody asks. Once. */
  watch(desk: CallDesk): void;
  /** Likewise the door. Once. */
  watchDoor(counts: GovernorCounts): void;
  readonly contentType: string;
  /** The text format, version 0.0.4. */
  expose(): Promise<string>;
  close(): void;
}

/** One registry of its own per gateway: two gateways in one process (tests, the demo) share nothing. */
export function createMetrics(options: { readonly clock: Clock; readonly version: string }): Metrics {
  const registry = new Registry();
  const processMetrics = createProcessMetrics(registry, options.clock, options.version);
  const faults = new Counter({
    name: 'offhook_process_faults_total',
    help: 'Errors that nobody caught.',
    labelNames: ['kind'],
    registers: [registry],
  });
  return {
    listener: createCallMetrics(registry),
    meters: createFrameMeters(registry),
    http: createHttpMeters(registry),
    door: createDoorMeters(registry),
    processFault: (kind) => faults.inc({ kind }),
    watch: (desk) => watchDesk(registry, desk),
    watchDoor: (counts) => watchDoor(registry, counts),
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    close: () => processMetrics.close(),
  };
}

function createHttpMeters(registry: Registry): HttpMeters {
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `offhook_${name}`, help, labelNames, registers: [registry] });
  const authFailures = counter('auth_failures_total', 'Requests turned away for who they are.', [
    'carrier',
    'kind',
  ]);
  const replays = counter('replays_total', 'Webhooks repeated and answered as before.', ['carrier']);
  const refused = counter('calls_refused_total', 'Calls turned away with a spoken refusal.', [
    'carrier',
    'reason',
  ]);
  const limits = counter('limits_hit_total', 'Times a limit of the public listener was hit.', ['kind']);
  const failed = counter('handler_errors_total', 'Errors of our own, contained by the web server.', [
    'where',
  ]);
  return {
    authFailed: (carrier, kind) => authFailures.inc({ carrier, kind }),
    replayed: (carrier) => replays.inc({ carrier }),
    callRefused: (carrier, reason) => refused.inc({ carrier, reason }),
    limitHit: (kind) => limits.inc({ kind }),
    handlerFailed: (where) => failed.inc({ where }),
  };
}

function watchDesk(registry: Registry, desk: CallDesk): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `offhook_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  gauge('calls_active', 'Calls in progress.', () => desk.activeCalls);
  gauge('calls_capacity', 'Calls that are taken at the same time.', () => desk.capacity);
  gauge('calls_pending_streams', 'Streams that have not started yet.', () => desk.pendingStreams);
  gauge('draining', '1 while no new calls are taken because of a shutdown.', () => (desk.draining ? 1 : 0));
}
