/** The emulated service: what its sessions share, and the records that they leave. No socket, no timer. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { Scenario } from '../scenario.ts';
import { ChunkStore } from './chunks.ts';
import type { Conversation } from './conversation.ts';
import { FaultRun } from './faults/fault-run.ts';
import { HandleStore } from './handles.ts';
import { Quota } from './quota.ts';
import { EmulatorRecord } from './record.ts';
import { LiveSession, type Play } from './session.ts';
import type { Stage } from './stage.ts';
import type { LiveAddress } from './wire.ts';

export interface ServiceOptions {
  readonly scenario: Scenario | (() => Scenario);
  /** Laid over every scenario's own. */
  readonly behaviours?: Partial<BehaviourValues>;
  /** False: no audio is kept, for load tests. */
  readonly record?: boolean;
  /** Keys that are turned down, after setup as at Google. */
  readonly refusedKeys?: readonly string[];
  /** Where several services cut the same clips. */
  readonly chunks?: ChunkStore;
  readonly stage?: Stage;
}

/** Ended sessions are forgotten, the oldest first, beyond so many or so much audio. */
const MAX_RECORDS = 500;
const MAX_KEPT_SAMPLES = 128 * 1024 * 1024;
/** After so long without any connection a scenario's faults begin anew: another call is taken to have come. */
const RUN_ENDS_AFTER_IDLE_MS = 60_000;

export class EmulatedService {
  readonly #options: ServiceOptions;
  readonly #handles = new HandleStore();
  readonly #chunks: ChunkStore;
  readonly #quota = new Quota();
  readonly #records: EmulatorRecord[] = [];
  #plays = new WeakMap<Scenario, Play>();
  #next: Scenario | null = null;
  #opened = 0;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#chunks = options.chunks ?? new ChunkStore();
  }

  /** Oldest first. */
  get sessions(): readonly EmulatorRecord[] {
    return this.#records;
  }

  /** What is remembered of a conversation, by the number in its sessions' records; null for one that is forgotten. */
  conversation(id: number): Conversation | null {
    return this.#handles.conversation(id);
  }

  /** The caller's audio as a conversation knows it: 16 kHz, cut back at each resumption, without what was forgotten. */
  heardBy(id: number): Int16Array {
    const spans = this.conversation(id)?.heard ?? [];
    const pieces = spans.map(({ session, from, to }) =>
      this.#records.find((record) => record.number === session)?.audio.slice(from, to),
    );
    const all = new Int16Array(pieces.reduce((sum, piece) => sum + (piece?.length ?? 0), 0));
    let at = 0;
    for (const piece of pieces) {
      if (piece === undefined) continue;
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  /** The scenario of the next conversation alone. Connections that resume it keep it; others get the usual one. */
  setNextScenario(scenario: Scenario): void {
    this.#next = scenario;
  }

  /** A client has connected. The address must hold a key. The session's first `tick` says whether it is let in. */
  connect(address: LiveAddress, nowMs: number): LiveSession {
    const { behaviours = {}, record: keepAudio = true, refusedKeys = ['bad-key'] } = this.#options;
    const record = new EmulatorRecord({
      number: ++this.#opened,
      apiVersion: address.apiVersion,
      openedAtMs: nowMs,
      keepAudio,
    });
    this.#forgetOld();
    if (this.#isIdle(nowMs)) this.#plays = new WeakMap();
    this.#records.push(record);
    const isNext = this.#next !== null;
    const first = this.#next ?? this.#usual();
    const choose = (handle: string | null): Scenario => {
      const resumed = handle === null ? null : this.#handles.scenarioOf(handle);
      if (resumed !== null) return resumed;
      const next = this.#next;
      this.#next = null;
      // Another connection may have got the next one meanwhile.
      return next ?? (isNext ? this.#usual() : first);
    };
    return new LiveSession(
      {
        address,
        keyAccepted: address.key !== null && !refusedKeys.includes(address.key),
        play: this.#playOf(first, nowMs),
        choosePlay: (handle, atMs) => this.#playOf(choose(handle), atMs),
        admit: ({ model }, atMs) => this.#quota.admit(model, this.#records, record, atMs),
        behaviours,
        handles: this.#handles,
        chunks: this.#chunks,
        record,
        stage: this.#options.stage,
      },
      nowMs,
    );
  }

  #usual(): Scenario {
    const { scenario } = this.#options;
    return typeof scenario === 'function' ? scenario() : scenario;
  }

  #playOf(scenario: Scenario, nowMs: number): Play {
    const known = this.#plays.get(scenario);
    if (known !== undefined) return known;
    const play = { scenario, run: new FaultRun(scenario.faults, scenario.model.seed, nowMs) };
    this.#plays.set(scenario, play);
    return play;
  }

  #isIdle(nowMs: number): boolean {
    return this.#records.every(
      ({ closed }) => closed !== null && nowMs - closed.atMs > RUN_ENDS_AFTER_IDLE_MS,
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
