/** How many sessions a project may have at once, and how many it may begin in a minute. */
import type { ModelPlan } from '../scenario.ts';
import type { EmulatorRecord } from './record.ts';
import { type Refusal, refusalAs } from './refusal.ts';

const MINUTE_MS = 60_000;

export class Quota {
  /** When the sessions of the last minute were let in. */
  #admitted: number[] = [];

  /**
   * Lets one more session in, or says how it is turned down. What is turned down does not count.
   * @param records of all connections; those that have come through setup and have not ended count
   */
  admit(
    plan: Pick<ModelPlan, 'maxSessions' | 'connectsPerMinute'>,
    records: readonly EmulatorRecord[],
    own: EmulatorRecord,
    nowMs: number,
  ): Refusal | null {
    const open = records.filter(
      (record) => record.setup !== null && record.closed === null && record !== own,
    );
    if (open.length >= plan.maxSessions) {
      return refusalAs('quota', `one more session than "${plan.maxSessions}" at once`);
    }
    this.#admitted = this.#admitted.filter((atMs) => nowMs - atMs < MINUTE_MS);
    if (this.#admitted.length >= plan.connectsPerMinute) {
      return refusalAs('quota', `one more connect than "${plan.connectsPerMinute}" within a minute`);
    }
    if (Number.isFinite(plan.connectsPerMinute)) this.#admitted.push(nowMs);
    return null;
  }
}
