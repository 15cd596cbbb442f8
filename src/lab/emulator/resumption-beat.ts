/** `sessionResumptionUpdate`: a new handle about once a second and after each turn, none while one runs. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { Agenda } from './agenda.ts';
import { randomDigits } from './random.ts';

/** gemini-live-api-examples#38 shows one about every 0.9 s. */
const EVERY_MS = 900;
const AFTER_TURN_MS = 50;

export interface BeatContext {
  readonly wanted: boolean;
  readonly behaviours: BehaviourValues;
  readonly agenda: Agenda;
  readonly random: () => number;
  /** A turn is being generated or a tool is waited for. */
  busy(): boolean;
  /** The caller's utterance is open. */
  speaking(): boolean;
  issue(name: string): string;
  send(message: object, nowMs: number): void;
}

export class ResumptionBeat {
  readonly #context: BeatContext;

  constructor(context: BeatContext) {
    this.#context = context;
  }

  start(nowMs: number): void {
    if (!this.#context.wanted) return;
    this.#context.agenda.at(nowMs + EVERY_MS, 'resumption', (dueMs) => {
      this.#update(dueMs);
      this.start(dueMs);
    });
  }

  /** The handles given out so far still stand, but the next state is not yet one to return to. */
  turnBegins(nowMs: number): void {
    if (this.#context.wanted) this.#update(nowMs);
  }

  turnOver(nowMs: number): void {
    if (!this.#context.wanted) return;
    this.#context.agenda.at(nowMs + AFTER_TURN_MS, 'resumption', (dueMs) => this.#update(dueMs));
  }

  #update(nowMs: number): void {
    const { behaviours, send } = this.#context;
    if (this.#context.busy()) {
      const form = behaviours.updateWhileGenerating;
      if (form === 'not-resumable') send({ sessionResumptionUpdate: { resumable: false } }, nowMs);
      if (form === 'empty') send({ sessionResumptionUpdate: {} }, nowMs);
      return;
    }
    if (this.#context.speaking() && !behaviours.updatesWhileCallerSpeaks) return;
    const newHandle = this.#context.issue(randomDigits(this.#context.random, 12));
    send({ sessionResumptionUpdate: { newHandle, resumable: true } }, nowMs);
  }
}
