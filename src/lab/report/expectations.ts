/** Whether a call showed what its scenario says it must. */
import type { CallEnd } from '../caller/call-run.ts';
import type { Measures } from './measure.ts';
import { describeEnd } from './rows.ts';

export interface Expectations {
  readonly bargeIns?: number | undefined;
  readonly endedBy?: string | undefined;
}

/** One sentence for each expectation that was not met; empty when all is well. */
export function unmetExpectations(expect: Expectations, measures: Measures, end: CallEnd): readonly string[] {
  const unmet: string[] = [];
  if (expect.bargeIns !== undefined && measures.bargeIns.length !== expect.bargeIns) {
    unmet.push(`${measures.bargeIns.length} barge-ins were seen; the scenario expects ${expect.bargeIns}.`);
  }
  if (expect.endedBy !== undefined && !endedBy(measures, end).includes(expect.endedBy)) {
    unmet.push(`The call ended because ${describeEnd(end)}; the scenario expects "${expect.endedBy}".`);
  }
  return unmet;
}

/**
 * The gateway knows who ended it; from outside, its bot and the gateway itself look the same, but for a call that was
 * turned away and met no bot.
 */
function endedBy(measures: Measures, end: CallEnd): readonly string[] {
  const told = measures.gateway?.ended;
  if (told != null) return [told.who];
  if (end.how === 'refused') return ['gateway'];
  return end.by === 'gateway' ? ['bot', 'gateway'] : [end.by];
}
