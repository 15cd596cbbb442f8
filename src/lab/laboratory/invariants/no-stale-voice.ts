import { faultsOf } from '../totals.ts';
import type { Invariant } from './invariant.ts';

export const noStaleVoice: Invariant = {
  name: 'no-stale-voice',
  sentence: 'What was cleared is never played, nor what still comes of a turn that was stopped.',
  check(call) {
    const { stale, wentOn } = call.outbound;
    // A model that says it was interrupted, and talks on: that is not the turn that the caller spoke over. And what a frozen
    // one says after seconds of nothing cannot be told from its next answer.
    const faults = faultsOf(call);
    const excused = faults.has('phantom-interrupted') || faults.has('freeze') || faults.has('stall');
    const findings = excused ? stale : [...stale, ...wentOn];
    return findings.map(({ atMs, what }) => ({ atMs: atMs - call.startedAtMs, detail: what }));
  },
};
