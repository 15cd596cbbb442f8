/** How many sessions a project may have at once, and how many it may begin in a minute and, where that is said, in a second. */
import type { ModelPlan } from '../scenario.ts';
import type { EmulatorRecord } from './record.ts';
import { type Refusal, refusalAs } from './refusal.ts';

const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;

type QuotaPlan = Pick<ModelPlan, 'maxSessions' | 'connectsPerMinute'> & {
  readonly connectsPerSecond?: number;
};

export class Quota {
  /** When the sessions of the last minute were let in. */
  #admitted: number[] = [];

  /**
   * Lets one more session in, or says how it is turned down. What is turned down does not count.
   * @param records of all connections; those that have come through setup and have not ended count
   */
  admit(
    plan: QuotaPlan,
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
    const { connectsPerSecond = Number.POSITIVE_INFINITY } = plan;
    const ofLastSecond = this.#admitted.filter((atMs) => nowMs - atMs < SECOND_MS);
    if (ofLastSecond.length >= connectsPerSecond) {
      return refusalAs('quota', `one more connect than "${connectsPerSecond}" within a second`);
    }
    if (Math.min(plan.connectsPerMinute, connectsPerSecond) < Number.POSITIVE_INFINITY)
      this.#admitted.push(nowMs);
    return null;
  }
}
