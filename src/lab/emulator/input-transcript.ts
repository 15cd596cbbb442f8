/** The transcript of what the caller said: before the answer, amid it, or after it. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { Agenda } from './agenda.ts';
import type { Memory } from './conversation.ts';
import { seededRandom } from './random.ts';
import { fragmentsOf, inputTranscription } from './transcripts.ts';

export interface InputTranscriptContext {
  readonly wanted: boolean;
  readonly order: BehaviourValues['inputTranscriptOrder'];
  readonly seed: number;
  readonly agenda: Agenda;
  send(message: object, nowMs: number): void;
}

/** Over which time it comes when it comes amid the answer. */
const AMID_ANSWER_MS = 1500;
/** From the end of the turn to the transcript that comes after it. */
const AFTER_TURN_MS = 60;

export class InputTranscript {
  readonly #context: InputTranscriptContext;
  /** What comes only when the turn is over. */
  #late: string[] = [];

  constructor(context: InputTranscriptContext) {
    this.#context = context;
  }

  /**
   * @param nowMs end of the utterance
   * @param startMs when its answer is going to begin
   * @param doubled every piece comes twice
   */
  begin(hears: string, memory: Memory, nowMs: number, startMs: number, doubled: boolean): void {
    const { agenda, order, seed, send, wanted } = this.#context;
    if (!wanted) return;
    // The same pieces again, should the caller go on and the answer be begun anew.
    const all = fragmentsOf(hears, seededRandom(seed + memory.answered));
    const fragments = all.slice(memory.heardFragments);
    if (order === 'after-turn') {
      this.#late = doubled ? fragments.flatMap((fragment) => [fragment, fragment]) : fragments;
      return;
    }
    const fromMs = order === 'before-answer' ? nowMs : startMs + 100;
    const spreadMs = order === 'before-answer' ? (startMs - nowMs) * 0.9 : AMID_ANSWER_MS;
    for (const [index, fragment] of fragments.entries()) {
      agenda.at(fromMs + (spreadMs * index) / fragments.length, 'input-transcript', (atMs) => {
        if (order === 'before-answer') memory.heardFragments++;
        send(inputTranscription(fragment), atMs);
        if (doubled) send(inputTranscription(fragment), atMs);
      });
    }
  }

  /** The answer is broken off: what has not come does not come. */
  callOff(): void {
    this.#context.agenda.callOff('input-transcript');
  }

  turnOver(nowMs: number): void {
    for (const fragment of this.#late.splice(0)) {
      this.#context.agenda.at(nowMs + AFTER_TURN_MS, 'trailing', (atMs) =>
        this.#context.send(inputTranscription(fragment), atMs),
      );
    }
  }
}
