/** The faults of utterances and of the answers to them: which are swallowed, and how an answer goes wrong. */
import { type FaultOf, isTurnFault, type TurnFault } from './catalogue.ts';
import type { SessionFaults } from './session-faults.ts';
import { effectsOf, type TurnEffects } from './turn-effects.ts';

export class AnswerFaults {
  readonly #faults: SessionFaults;
  #swallow: FaultOf<'swallow'> | null = null;
  /** What waits for the answer to the utterance, also when that is begun anew because the caller went on. */
  #waiting: TurnFault[] = [];

  constructor(faults: SessionFaults) {
    this.#faults = faults;
  }

  /** The caller has begun to speak. */
  utterance(nowMs: number): void {
    const struck = this.#faults.happens('utterance', nowMs);
    this.#swallow = struck.find((fault) => fault.fault === 'swallow') ?? null;
    for (const fault of struck) {
      if (isTurnFault(fault) && !this.#waiting.includes(fault)) this.#waiting.push(fault);
    }
  }

  /** The caller has ended; the fault, when the utterance is to be lost. */
  swallows(lengthMs: number, nowMs: number): FaultOf<'swallow'> | null {
    const swallow = this.#swallow;
    this.#swallow = null;
    if (swallow === null || lengthMs >= (swallow.shorterThanMs ?? Number.POSITIVE_INFINITY)) return null;
    this.#faults.note(swallow, nowMs);
    return swallow;
  }

  /** Known before the turn begins only where the fault was put at the utterance. */
  get doublesTranscript(): boolean {
    return this.#waiting.some((fault) => fault.fault === 'doubled-transcripts');
  }

  /** A turn begins: what its own faults, and those of the utterance that it answers, come to. */
  turn(nowMs: number): TurnEffects {
    const struck = [...this.#waiting.splice(0), ...this.#faults.happens('turn', nowMs).filter(isTurnFault)];
    for (const fault of struck) this.#faults.note(fault, nowMs);
    return effectsOf(struck);
  }
}
