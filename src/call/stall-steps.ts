/** The steps against one stall: which of them fit its sign, and when the next one is due. Pure, its time is handed in. */
import { STALL_STEPS, type StallPolicy, type StallSign, type StallStep } from './stall-policy.ts';

interface Course {
  /** `by-ignored`: silence may be the model's decision, so it depends on how often it was silent. */
  readonly furthest: StallStep | 'by-ignored';
  /** The model has declared its turn over, so that a nudge need not wait. */
  readonly turnIsOver: boolean;
  /** On the connection on which it began. A nudge interrupts what may only be late. */
  readonly nudge: boolean;
  /** Marking the ends of utterances can help: the model may not have heard any. */
  readonly manual: boolean;
  /** Another connection of the same session can help; otherwise a new session comes in its place, and at its time. */
  readonly sameSession: boolean;
  /** It is the model's word that is missing; when the caller takes the word, it is not missed any more. */
  readonly endsWithSpeech: boolean;
}

const COURSES: Readonly<Record<StallSign, Course>> = {
  'late-answer': course('filler', {}),
  unanswered: course('by-ignored', { manual: true }),
  // The server transcribes, and hears: the handle leads to a session that does not speak, on whichever connection.
  'deaf-mute': course('by-ignored', { sameSession: false }),
  'empty-turn': course('by-ignored', { turnIsOver: true }),
  'silent-turn': course('end', { turnIsOver: true }),
  'near-silent-audio': course('end', { turnIsOver: true }),
  // The caller has heard most of it, and has the word: no reason for more than a hint.
  'cut-sentence': course('nudge', { turnIsOver: true, endsWithSpeech: true }),
  'phantom-interrupted': course('nudge', { turnIsOver: true, endsWithSpeech: true }),
  freeze: course('end', { nudge: false }),
  // Everything was said; the caller's next words open a new turn.
  'no-turn-complete': course('wait', { nudge: false, endsWithSpeech: true }),
};

function course(furthest: Course['furthest'], more: Partial<Course>): Course {
  return {
    furthest,
    turnIsOver: false,
    nudge: true,
    manual: false,
    sameSession: true,
    endsWithSpeech: false,
    ...more,
  };
}

export const endsWithSpeech = (sign: StallSign): boolean => COURSES[sign].endsWithSpeech;

/** Whether the model may have meant to be silent. */
export const mayBeMeant = (sign: StallSign): boolean => COURSES[sign].furthest === 'by-ignored';

/** Whether something has gone wrong that is not over when the caller speaks. */
export const isFault = (sign: StallSign): boolean => !mayBeMeant(sign) && !COURSES[sign].endsWithSpeech;

/** @param ignored utterances in a row that were not answered, this one included */
export function furthestStep(policy: StallPolicy, sign: StallSign, ignored: number): StallStep {
  const { furthest } = COURSES[sign];
  if (furthest !== 'by-ignored') return furthest;
  const { ignoredSteps } = policy;
  const step = ignoredSteps[Math.min(Math.max(ignored, 1), ignoredSteps.length) - 1] ?? 'wait';
  // A handle that leads to a mute session is known, and only a fresh session was seen to help (voiceclaw).
  if (sign !== 'deaf-mute' || step === 'end') return step;
  return 'fresh';
}

export const within = (step: StallStep, furthest: StallStep): boolean =>
  STALL_STEPS.indexOf(step) <= STALL_STEPS.indexOf(furthest);

const GO_ON = 'Go on where you stopped, without repeating what you have said.';
const SAY_AGAIN = 'The caller could not hear your last answer. Say it again now.';
const ANSWER =
  'The caller has spoken and has heard nothing from you. If they were speaking to you, answer them now. If a noise interrupted you, go on where you stopped.';

const NUDGES: Readonly<Record<StallSign, string>> = {
  'late-answer': ANSWER,
  unanswered: ANSWER,
  'deaf-mute': ANSWER,
  'empty-turn': ANSWER,
  'silent-turn': SAY_AGAIN,
  'near-silent-audio': SAY_AGAIN,
  'cut-sentence': `You stopped in the middle of a sentence. ${GO_ON}`,
  'phantom-interrupted': `You were interrupted by mistake: the caller has said nothing. ${GO_ON}`,
  freeze: `The line broke off while you were speaking. ${GO_ON}`,
  'no-turn-complete': GO_ON,
};

/** What the model is told at the step `nudge`: so that it is not taken for the caller's words. */
export const nudgeFor = (sign: StallSign): string => `[Note from the telephone system] ${NUDGES[sign]}`;

/** New connections, and the end: each is taken once, in this order, at the least so far apart as their times are. */
const CONNECTION_STEPS = ['rotate', 'manual', 'fresh', 'end'] as const;

/** On a new connection the caller's words are heard again first, and mostly answered. */
const NUDGE_AFTER_CONNECTION_MS = 2_500;

export class StallSteps {
  readonly #policy: StallPolicy;
  #elapsedMs = 0;
  /** Since the last step but fillers. */
  #idleMs = 0;
  /** How many of the steps of CONNECTION_STEPS are behind us, taken or left out. */
  #behind = 0;
  /** When the step before was planned: the next one keeps its distance from when it was really taken. */
  #lastAfterMs: number | null = null;
  #nudged = false;
  /** Since the stall began a new connection was made: on it the model may be nudged again. */
  #connectedAtMs: number | null = null;

  constructor(policy: StallPolicy) {
    this.#policy = policy;
  }

  /** Time in which an answer was due, or the sign stood. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  reset(): void {
    this.#elapsedMs = 0;
    this.#idleMs = 0;
    this.#behind = 0;
    this.#lastAfterMs = null;
    this.#nudged = false;
    this.#connectedAtMs = null;
  }

  pass(ms: number): void {
    this.#elapsedMs += ms;
    this.#idleMs += ms;
  }

  /** The sign has stood for so long before it could be known. */
  backdate(ms: number): void {
    this.#elapsedMs = Math.max(this.#elapsedMs, ms);
    this.#idleMs = 0;
  }

  reconnected(): void {
    if (this.#elapsedMs === 0) return;
    this.#connectedAtMs = this.#elapsedMs;
    this.#nudged = false;
  }

  /**
   * The step that is due now, which is thereby taken; null: none. New connections come before a nudge that had to wait.
   * @param connectionsLeft whether the call may have another one
   */
  take(sign: StallSign, furthest: StallStep, mayNudge: boolean, connectionsLeft: boolean): StallStep | null {
    const next = this.#next(sign, furthest, connectionsLeft);
    if (next >= 0 && this.#isDue(next, sign)) {
      const step = CONNECTION_STEPS[next] as (typeof CONNECTION_STEPS)[number];
      this.#behind = next + 1;
      this.#lastAfterMs = this.#policy.afterMs[step];
      this.#idleMs = 0;
      return step;
    }
    if (!mayNudge || this.#nudged || this.#elapsedMs < this.#nudgeAtMs(sign, furthest)) return null;
    this.#nudged = true;
    this.#idleMs = 0;
    // It has its time before the first new connection, however late it was.
    this.#lastAfterMs ??= this.#policy.afterMs.nudge;
    return 'nudge';
  }

  /** Whether nothing is left to be tried, and what was tried has had its time. */
  isSpent(sign: StallSign, furthest: StallStep, connectionsLeft: boolean): boolean {
    if (this.#idleMs < this.#policy.restMs || this.#next(sign, furthest, connectionsLeft) >= 0) return false;
    return this.#nudged || this.#nudgeAtMs(sign, furthest) === Number.POSITIVE_INFINITY;
  }

  /** Index of the next step with a connection, or -1. */
  #next(sign: StallSign, furthest: StallStep, connectionsLeft: boolean): number {
    for (let i = this.#behind; i < CONNECTION_STEPS.length; i++) {
      const step = CONNECTION_STEPS[i] as (typeof CONNECTION_STEPS)[number];
      if (!within(step, furthest)) return -1;
      if (this.#policy.afterMs[step] === null) continue;
      if (step === 'end' || (connectionsLeft && fits(step, COURSES[sign]))) return i;
    }
    return -1;
  }

  #isDue(index: number, sign: StallSign): boolean {
    const step = CONNECTION_STEPS[index] as (typeof CONNECTION_STEPS)[number];
    const { afterMs: times } = this.#policy;
    const early = step === 'fresh' && !COURSES[sign].sameSession ? times.rotate : null;
    const afterMs = early ?? times[step] ?? Number.POSITIVE_INFINITY;
    const apartMs = this.#lastAfterMs === null ? 0 : afterMs - this.#lastAfterMs;
    return this.#elapsedMs >= afterMs && this.#idleMs >= apartMs;
  }

  #nudgeAtMs(sign: StallSign, furthest: StallStep): number {
    const { afterMs, nudgeAfterTurnMs } = this.#policy;
    const { nudge, turnIsOver } = COURSES[sign];
    if (afterMs.nudge === null || !within('nudge', furthest)) return Number.POSITIVE_INFINITY;
    const usualMs = turnIsOver ? nudgeAfterTurnMs : afterMs.nudge;
    if (this.#connectedAtMs === null) return nudge ? usualMs : Number.POSITIVE_INFINITY;
    return Math.max(nudge ? usualMs : 0, this.#connectedAtMs + NUDGE_AFTER_CONNECTION_MS);
  }
}

function fits(step: (typeof CONNECTION_STEPS)[number], { manual, sameSession }: Course): boolean {
  if (step === 'manual') return manual && sameSession;
  return step !== 'rotate' || sameSession;
}
