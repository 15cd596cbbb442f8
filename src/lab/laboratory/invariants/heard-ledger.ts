import { lineMsOf } from '../lab-call.ts';
import { faultsOf } from '../totals.ts';
import type { Invariant } from './invariant.ts';

/** Between two marks nobody knows better than the clock. */
const MARK_MS = 200;

export const heardLedger: Invariant = {
  name: 'heard-ledger',
  sentence: 'What the gateway says was heard is what was heard, to the distance of two marks a stop.',
  check(call) {
    // Audio that nobody hears is audio to the ledger, and silence to the ear.
    if (faultsOf(call).has('near-silent')) return [];
    const heardMs = call.outbound.heardSamples / 24;
    const saidMs = call.totals?.heardMs ?? 0;
    const mayBeOffMs = (call.outbound.breaks + 1) * (MARK_MS + lineMsOf(call.plan.carrierWeather) / 2);
    const offMs = Math.abs(heardMs - saidMs);
    return offMs > mayBeOffMs
      ? [
          {
            atMs: null,
            detail: `${Math.round(saidMs)} ms by the ledger, ${Math.round(heardMs)} ms by the ear`,
          },
        ]
      : [];
  },
};
