/** The emulated service: what its sessions share, and the records that they leave. No socket, no timer. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { Scenario } from '../scenario.ts';
import { ChunkStore } from './chunks.ts';
import { HandleStore } from './conversation.ts';
import { EmulatorRecord } from './record.ts';
import { LiveSession } from './session.ts';
import type { LiveAddress } from './wire.ts';

export interface ServiceOptions {
  readonly scenario: Scenario | (() => Scenario);
  /** Laid over every scenario's own. */
  readonly behaviours?: Partial<BehaviourValues>;
  /** False: no audio is kept, for load tests. */
  readonly record?: boolean;
  /** Keys that are turned down, after setup as at Google. */
  readonly refusedKeys?: readonly string[];
}

/** Ended sessions are forgotten, the oldest first, beyond so many or so much audio. */
const MAX_RECORDS = 500;
const MAX_KEPT_SAMPLES = 128 * 1024 * 1024;

export class EmulatedService {
  readonly #options: ServiceOptions;
  readonly #handles = new HandleStore();
  readonly #chunks = new ChunkStore();
  readonly #records: EmulatorRecord[] = [];
  #next: Scenario | null = null;
  #opened = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  /** Oldest first. */
  get sessions(): readonly EmulatorRecord[] {
    return this.#records;
  }

  /** The scenario of the next connection alone. */
  setNextScenario(scenario: Scenario): void {
    this.#next = scenario;
  }

  /** A client has connected. The address must hold a key. */
  connect(address: LiveAddress, nowMs: number): LiveSession {
    const { scenario, behaviours = {}, record: keepAudio = true, refusedKeys = ['bad-key'] } = this.#options;
    const chosen = this.#next ?? (typeof scenario === 'function' ? scenario() : scenario);
    this.#next = null;
    const record = new EmulatorRecord({
      number: ++this.#opened,
      apiVersion: address.apiVersion,
      openedAtMs: nowMs,
      keepAudio,
    });
    this.#forgetOld();
    this.#records.push(record);
    return new LiveSession(
      {
        address,
        keyAccepted: address.key !== null && !refusedKeys.includes(address.key),
        scenario: chosen,
        behaviours,
        handles: this.#handles,
        chunks: this.#chunks,
        record,
      },
      nowMs,
    );
  }

  #forgetOld(): void {
    let samples = this.#records.reduce((sum, record) => sum + record.audio.length, 0);
    let index = 0;
    while (index < this.#records.length) {
      if (this.#records.length < MAX_RECORDS && samples < MAX_KEPT_SAMPLES) return;
      const record = this.#records[index]!;
      if (record.closed === null) {
        index++;
        continue;
      }
      samples -= record.audio.length;
      this.#records.splice(index, 1);
    }
  }
}
