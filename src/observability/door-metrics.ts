import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { GovernorCounts, GovernorMeters } from '../gemini/governor.ts';

/** The first bucket holds those who did not have to wait; the others wait for what is left of an outage. */
const WAIT_SECONDS = [0.01, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30];

/** The door that all connections to Gemini pass: who waited for it, and what it was told. */
export function createDoorMeters(registry: Registry): GovernorMeters {
  const registers = [registry];
  const wait = new Histogram({
    name: 'offhook_upstream_connect_wait_seconds',
    help: 'Asked for a connection to let in among those who connect.',
    labelNames: ['need'],
    buckets: WAIT_SECONDS,
    registers,
  });
  const turnedAway = new Counter({
    name: 'offhook_upstream_connects_turned_away_total',
    help: 'Attempts to connect that were never let in.',
    labelNames: ['need'],
    registers,
  });
  const quota = new Counter({
    name: 'offhook_upstream_quota_refusals_total',
    help: 'Times Gemini said that the quota is used up.',
    registers,
  });
  return {
    granted: (need, waitedMs) => wait.observe({ need }, waitedMs / 1000),
    turnedAway: (need) => turnedAway.inc({ need }),
    quotaRefused: () => quota.inc(),
  };
}

/** Lets the gauges read the door whenever somebody asks. */
export function watchDoor(registry: Registry, counts: GovernorCounts): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name: `offhook_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  gauge('upstream_connects_waiting', 'Attempts to connect that wait to be let in.', () => counts.waiting);
  gauge('upstream_connects_in_flight', 'Attempts to connect under way.', () => counts.inFlight);
  gauge(
    'upstream_quota_breaker_open',
    '1 while nobody, or only one at a time, may connect for the quota.',
    () => (counts.breaker === 'closed' ? 0 : 1),
  );
}
