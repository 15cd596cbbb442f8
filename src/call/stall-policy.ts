/**
 * What a live model can do wrong while its socket looks fine, what is done about it, and after how long. Plain values:
 * the settings of a bot (`stall:` in bot.yaml) have the same shape.
 */

export const STALL_SIGNS = [
  /** The caller's utterance is over and the answer is not there yet: not a fault, but dead air. */
  'late-answer',
  /** Nothing at all came of the model after an utterance. */
  'unanswered',
  /** Since the session was resumed the caller is transcribed, and no sound has come. */
  'deaf-mute',
  /** `turnComplete` with nothing before it, when an answer was due. */
  'empty-turn',
  /** A turn with a transcript or a reason (`RESPONSE_REJECTED`), and no audio. */
  'silent-turn',
  /** A turn whose loudest 100 ms nobody can hear. */
  'near-silent-audio',
  /** The turn was completed in the middle of a sentence, and nobody had interrupted it. */
  'cut-sentence',
  /** `interrupted`, and the caller had said nothing. */
  'phantom-interrupted',
  /** The audio of a turn stopped before its end, and everything was played. */
  'freeze',
  /** All of the turn seems to be there, but the model has not said that it is over. */
  'no-turn-complete',
] as const;
export type StallSign = (typeof STALL_SIGNS)[number];

/**
 * In the order in which they are taken. `wait`: the sign was noticed. `filler`: play "one moment, please". `nudge`: send
 * the model the text of `nudgeFor`. `rotate`: take a new connection with the newest handle. `manual`: the same, and mark
 * the caller's utterances by activity signals from then on. `fresh`: a new session that is told the conversation so far.
 * `end`: apologise and hang up.
 */
export const STALL_STEPS = ['wait', 'filler', 'nudge', 'rotate', 'manual', 'fresh', 'end'] as const;
export type StallStep = (typeof STALL_STEPS)[number];
export type TimedStep = Exclude<StallStep, 'wait'>;

export interface StallPolicy {
  /** What is watched for. */
  readonly signs: readonly StallSign[];
  /** When each step is taken, counted over the time in which an answer is due or a sign stands; null: never. */
  readonly afterMs: Readonly<Record<TimedStep, number | null>>;
  /** The nudge, where the model has declared its turn over: waiting longer cannot help. */
  readonly nudgeAfterTurnMs: number;
  /** From one filler to the next. */
  readonly fillerEveryMs: number;
  /**
   * How far the steps may go when silence may be the model's own decision (proactive models listen to talk that is not
   * meant for them): after the first utterance in a row that was not answered, the second, and so on; the last holds for
   * all that follow. Somebody who wanted an answer asks again.
   */
  readonly ignoredSteps: readonly StallStep[];
  /** When the furthest step allowed has not helped either: silence is then left alone. */
  readonly restMs: number;
  /** From the caller's last sound until the model can know that the utterance is over: its own silence threshold. */
  readonly answerDueAfterMs: number;
  /** An answer due for so long, and no sign of life: the utterance is unanswered. */
  readonly unansweredMs: number;
  /** What is shorter is a cough or "mm". */
  readonly utteranceMs: number;
  /** A nudge does not cut a caller short: so long must they have been silent. */
  readonly callerQuietMs: number;
  /** Nothing played and nothing came in the middle of a turn: it is frozen. */
  readonly frozenMs: number;
  /** Everything was played, and the end of the turn is overdue. */
  readonly endOverdueMs: number;
  /** Below this a turn cannot be heard, in dBov. */
  readonly nearSilentDbov: number;
  /** Transcripts may trail their turn, and the next may follow at once: then it is judged. */
  readonly turnSettlesMs: number;
  /** New connections (`rotate`, `manual`, `fresh`) in one call: a model that fails again and again is not worth more. */
  readonly maxConnections: number;
}

/**
 * - A telephone line that is silent for 2 s is taken for dead: the filler comes 1.5 s after the answer was due, which is
 *   0.8 s after the last sound (the guide's usual `silenceDurationMs`).
 * - First audio comes 0.6 to 1.4 s after the utterance, in bad hours after 3 s and more, so that a nudge before 4 s would
 *   interrupt answers that are on their way.
 * - Freezes of 8 to 51 s were seen (forum 180489), and a watchdog of 8 s was found right for dead handles (voiceclaw).
 * - Utterances in a row: one may not have been meant for the model, so there is a nudge, which leaves the model its
 *   choice. Who asks a second time wants an answer: a new connection, that costs nobody anything. Of one utterance in
 *   five to ten that are swallowed (gemini-live-api-examples#38) three in a row are one in a hundred and rarer: it is the
 *   session. After a fresh one there is nothing left to try.
 */
export const DEFAULT_STALL_POLICY: StallPolicy = {
  signs: STALL_SIGNS,
  afterMs: { filler: 1_500, nudge: 4_000, rotate: 8_000, manual: 12_000, fresh: 16_000, end: 30_000 },
  nudgeAfterTurnMs: 1_500,
  fillerEveryMs: 6_000,
  ignoredSteps: ['nudge', 'rotate', 'fresh', 'end'],
  restMs: 12_000,
  answerDueAfterMs: 800,
  unansweredMs: 3_000,
  utteranceMs: 300,
  callerQuietMs: 1_000,
  frozenMs: 1_500,
  endOverdueMs: 5_000,
  nearSilentDbov: -55,
  turnSettlesMs: 1_000,
  maxConnections: 12,
};
