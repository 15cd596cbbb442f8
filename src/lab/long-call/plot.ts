/** What happens in the long call, and when: topics that the caller goes through, and what befalls the connection. */
import type { Random } from '../network/random.ts';
import type { LineName } from './cast.ts';

/** What befalls the connection, each at a moment of the conversation that is awkward for it. */
export type Blow =
  /** The service gives notice in good time; nobody is in a hurry. */
  | 'notice'
  /** Notice on the shortest, while a tool is at work: no quiet moment before the end. */
  | 'tool'
  /** Notice on the shortest in the middle of an answer, and the caller interrupts as the connection is left. */
  | 'interrupted'
  /** The connection breaks without a word while the caller speaks. */
  | 'broken';

export interface PlannedBlow {
  /** The next suitable moment after this is taken. */
  readonly afterMs: number;
  readonly blow: Blow;
}

/** One thing that the caller says, and what comes with it. */
export interface Beat {
  readonly line: LineName;
  /** From the bot's last word to the caller's first; while the bot is to be interrupted, from its first word. */
  readonly afterMs: number;
  readonly interrupts: boolean;
  readonly blow: Blow | null;
}

type Step = readonly [line: LineName, interrupts?: 'interrupts'];

const TOPICS: readonly (readonly Step[])[] = [
  [['hours']],
  [['services'], ['price', 'interrupts'], ['bring', 'interrupts']],
  [['ready'], ['moment'], ['ticket']],
  [['call-back'], ['number']],
  [['services'], ['price'], ['bring']],
];
/** The caller looks for the ticket, or for a pen. */
const LOOKS_FOR_MS = 12_000;
const INTERRUPTS_AFTER_MS = 3_000;
/** Words that a blow comes with. */
const LINE_OF: Readonly<Record<Blow, LineName>> = {
  notice: 'hours',
  tool: 'ticket',
  interrupted: 'services',
  broken: 'number',
};

/** The whole half hour: one rotation by age before the first blow, and one behind the last. */
export const HALF_HOUR: readonly PlannedBlow[] = [
  { afterMs: 12 * 60_000, blow: 'tool' },
  { afterMs: 14 * 60_000, blow: 'interrupted' },
  { afterMs: 16 * 60_000, blow: 'broken' },
  { afterMs: 20 * 60_000, blow: 'notice' },
];

/** One beat after the other, until the caller has had enough and says goodbye. */
export class Plot {
  readonly #random: Random;
  readonly #endsAfterMs: number;
  readonly #blows: PlannedBlow[];
  #topic = -1;
  #steps: readonly Step[] = [];
  #step = 0;
  #saidGoodbye = false;

  constructor(random: Random, endsAfterMs: number, blows: readonly PlannedBlow[]) {
    this.#random = random;
    this.#endsAfterMs = endsAfterMs;
    this.#blows = [...blows].sort((a, b) => a.afterMs - b.afterMs);
  }

  /** Null: everything was said. */
  next(nowMs: number): Beat | null {
    if (this.#saidGoodbye) return null;
    if (this.#step >= this.#steps.length) {
      if (nowMs >= this.#endsAfterMs) {
        this.#saidGoodbye = true;
        return { line: 'goodbye', afterMs: this.#pauseMs(), interrupts: false, blow: null };
      }
      this.#topic = (this.#topic + 1) % TOPICS.length;
      this.#steps = TOPICS[this.#topic]!;
      this.#step = 0;
    }
    const [line, how] = this.#steps[this.#step]!;
    this.#step += 1;
    const blow = this.#blowFor(line, nowMs);
    // What comes behind the blow that is struck while the bot speaks is the interruption itself.
    const interrupts = how === 'interrupts';
    const lookedFor = line === 'ticket' ? LOOKS_FOR_MS : 0;
    return {
      line,
      afterMs: interrupts ? INTERRUPTS_AFTER_MS : this.#pauseMs() + lookedFor,
      interrupts,
      blow,
    };
  }

  #blowFor(line: LineName, nowMs: number): Blow | null {
    const [due] = this.#blows;
    if (due === undefined || nowMs < due.afterMs || LINE_OF[due.blow] !== line) return null;
    this.#blows.shift();
    return due.blow;
  }

  #pauseMs(): number {
    return Math.round(700 + this.#random() * 1_800);
  }
}
