/** What the laboratory did, counted over its calls. */
import type { LabCall } from './lab-call.ts';

export interface LabTotals {
  calls: number;
  callMs: number;
  connections: number;
  /** Connections that the gateway ended while they worked, and that were lost. */
  rotationsPlanned: number;
  rotationsForced: number;
  reconnects: number;
  utterances: number;
  turns: number;
  bargeIns: number;
  fillers: number;
  tools: number;
  greetings: number;
  streams: number;
  heardMs: number;
  longestDeadAirMs: number;
  /** By kind, also those that were let loose on all calls at once. */
  faults: Record<string, number>;
  /** How calls ended: who and how. */
  endings: Record<string, number>;
}

export const emptyLabTotals = (): LabTotals => ({
  calls: 0,
  callMs: 0,
  connections: 0,
  rotationsPlanned: 0,
  rotationsForced: 0,
  reconnects: 0,
  utterances: 0,
  turns: 0,
  bargeIns: 0,
  fillers: 0,
  tools: 0,
  greetings: 0,
  streams: 0,
  heardMs: 0,
  longestDeadAirMs: 0,
  faults: {},
  endings: {},
});

export function addTotals(totals: LabTotals, call: LabCall): void {
  const { connections, counts, outbound } = call;
  totals.calls += 1;
  totals.callMs += Math.max(0, call.endedAtMs - call.startedAtMs);
  totals.connections += connections.length;
  totals.rotationsPlanned += Math.max(0, connections.length - 1 - call.losses.length);
  totals.rotationsForced += call.losses.length;
  totals.reconnects += Math.max(0, (counts.get('session-connecting') ?? 0) - 1);
  totals.utterances += call.caller.utterances.length;
  totals.turns += counts.get('turn-started') ?? 0;
  totals.bargeIns += counts.get('barge-in') ?? 0;
  totals.fillers += outbound.fillers;
  totals.tools += counts.get('tool-called') ?? 0;
  totals.greetings += outbound.greetings;
  totals.streams += counts.get('stream-started') ?? 0;
  totals.heardMs += outbound.heardSamples / 24;
  for (const { forMs } of call.deadAir) totals.longestDeadAirMs = Math.max(totals.longestDeadAirMs, forMs);
  for (const [kind, times] of faultsOf(call)) count(totals.faults, kind, times);
  count(totals.endings, call.ended === null ? 'not at all' : `${call.ended.who} ${call.ended.how}`, 1);
}

/** What struck a call, by kind: faults of the service, and what struck all. */
export function faultsOf(call: LabCall): ReadonlyMap<string, number> {
  const kinds = new Map(call.struck);
  for (const service of call.services)
    for (const { faults } of service.sessions)
      for (const { fault } of faults) kinds.set(fault, (kinds.get(fault) ?? 0) + 1);
  return kinds;
}

function count(counts: Record<string, number>, key: string, times: number): void {
  counts[key] = (counts[key] ?? 0) + times;
}
