/**
 * The stall doctor of a call: sees from what comes of the model, and from what does not, that it has gone wrong although
 * its connection stands, and says what to do next. Silence that the model may have meant never ends a call by itself.
 *
 * For its owner: report every fact, in the order of the events, and call `tick` every 20 to 100 ms, but only while the
 * call talks and its stream is there (not while it greets, hangs up or apologises): time without ticks does not count.
 * What `tick` answers is done once: `wait` is for the journal alone, a filler for playout, and so on (StallStep). With
 * `near-silent-audio`, what playout still holds of the turn is silence, and is dropped before anything else is played.
 */
import { AwaitedAnswer, WAITED_MS } from './stall-answer.ts';
import { DEFAULT_STALL_POLICY, type StallPolicy, type StallSign, type StallStep } from './stall-policy.ts';
import { TurnWatch } from './stall-signs.ts';
import { endsWithSpeech, furthestStep, isFault, mayBeMeant, StallSteps, within } from './stall-steps.ts';

export type { StallPolicy, StallSign, StallStep } from './stall-policy.ts';
export { nudgeFor } from './stall-steps.ts';

export interface StallAction {
  readonly sign: StallSign;
  readonly step: StallStep;
  /** For the journal, free of what anybody said. */
  readonly detail: string;
}

/** A process that stood still has not seen what came meanwhile: its own pause is not the model's. */
const LONGEST_TICK_MS = 250;
/** Less than this unplayed is as good as played. */
const NEGLIGIBLE_MS = 20;
/** What was said so shortly before explains an interruption: it was heard late. */
const HEARD_LATE_MS = 1_500;
/** A text of ours interrupts the model, as speech does. */
const TEXT_INTERRUPTS_MS = 2_000;
/** Where so much was still to be played, an interruption took something from the caller. */
const WORTH_SAYING_MS = 200;
/** Words without a sound for so long will not get one. */
const MUTE_MS = 8_000;
/** A tool that has not been answered for so long is no excuse any more. */
const LONGEST_TOOL_MS = 60_000;

const LONG_AGO = Number.NEGATIVE_INFINITY;

export class StallDoctor {
  readonly #policy: StallPolicy;
  readonly #turn: TurnWatch;
  readonly #steps: StallSteps;
  readonly #answer = new AwaitedAnswer();
  /** Time as it was seen in ticks, from 0; all other times are on this clock. */
  #clockMs = 0;
  #tickedAtMs: number | null = null;
  #over = false;

  #connected = false;
  #resumed = false;
  #heardSinceReady = false;
  #transcribedSinceReady = false;
  #toolsOpen = 0;
  #toolCalledMs = LONG_AGO;

  #callerSpeaks = false;
  #interruptedBySpeech = false;
  #lastSpeechMs = LONG_AGO;
  #answeredMs = LONG_AGO;
  #ownTextMs = LONG_AGO;

  #sign: StallSign | null = null;
  #phantomMs: number | null = null;
  #connections = 0;
  #audible = false;
  #dryMs = 0;
  /** Dead air in which an answer was due. */
  #deadAirMs = 0;
  #sinceFillerMs = Number.POSITIVE_INFINITY;

  constructor(policy: StallPolicy = DEFAULT_STALL_POLICY) {
    this.#policy = policy;
    this.#turn = new TurnWatch(policy);
    this.#steps = new StallSteps(policy);
  }

  /** Utterances in a row that got no answer. */
  get ignored(): number {
    return this.#answer.ignored;
  }

  /** The sign that stands; null while all is well. */
  get sign(): StallSign | null {
    return this.#sign;
  }

  /** A connection serves the call. `resumed`: it goes on with a session that was begun on another. */
  sessionReady(how: { readonly resumed: boolean }, nowMs: number): void {
    this.#turn.lost();
    this.#phantomMs = null;
    this.#connected = true;
    this.#resumed = how.resumed;
    this.#heardSinceReady = false;
    this.#transcribedSinceReady = false;
    this.#steps.reconnected();
    // What waits for an answer has yet to be heard on it.
    if (!this.#answer.isIgnored) this.#answer.delay(this.#at(nowMs));
    // Until now the air was dead for another reason.
    this.#deadAirMs = 0;
  }

  /** It has heard all of the caller by now: the answer can be missed only from here on. The air was dead before. */
  caughtUp(nowMs: number): void {
    if (!this.#answer.isIgnored) this.#answer.delay(this.#at(nowMs));
  }

  /** No connection serves the call: what becomes of that is not the doctor's business. */
  sessionLost(): void {
    this.#turn.lost();
    this.#phantomMs = null;
    this.#connected = false;
  }

  /** The tracker heard speech begin: it may turn out to be a cough. */
  utteranceStarted(): void {
    this.#callerSpeaks = true;
    this.#interruptedBySpeech = false;
    this.#phantomMs = null;
  }

  utteranceEnded(
    utterance: { readonly durationMs: number; readonly lastSpeechAtMs: number },
    nowMs: number,
  ): void {
    const atMs = this.#at(nowMs);
    this.#callerSpeaks = false;
    this.#lastSpeechMs = atMs - Math.max(0, nowMs - utterance.lastSpeechAtMs);
    if (utterance.durationMs < this.#policy.utteranceMs && !this.#interruptedBySpeech) return;
    // A word into the bot's words, which went on: it asks for nothing. While an answer is due, what plays is a clip.
    if (this.#audible && !this.#interruptedBySpeech && !this.#answer.isDue) return;
    // The model was quicker to see that the caller had finished.
    if (this.#answeredMs > this.#lastSpeechMs) return;
    this.#expectAnswer(this.#lastSpeechMs + this.#policy.answerDueAfterMs);
  }

  /** The model transcribed something that the caller said. */
  callerTranscribed(text: string, nowMs: number): void {
    this.#transcribedSinceReady = true;
    this.#phantomMs = null;
    if (this.#answer.isDue || this.#callerSpeaks || this.#audible || text.trim() === '') return;
    // The tracker has missed it. It is believed only where the model is under suspicion anyway: it may be an echo.
    if (this.#resumed && !this.#heardSinceReady) this.#expectAnswer(this.#at(nowMs));
  }

  /** A text of ours went to the model (not the doctor's own nudge). `answerDue`: it says what the caller did, as keys. */
  textSent(answerDue: boolean, nowMs: number): void {
    this.#ownTextMs = this.#at(nowMs);
    if (answerDue) this.#expectAnswer(this.#ownTextMs + this.#policy.answerDueAfterMs);
  }

  /**
   * Audio of the model that goes to playout.
   * @param audio `loudestDbov`: of the turn so far, or of this audio (TurnLoudness); near-silent audio is no answer
   */
  modelAudio(audio: { readonly ms: number; readonly loudestDbov: number }, nowMs: number): void {
    const atMs = this.#at(nowMs);
    this.#turn.audio(audio.ms, audio.loudestDbov, atMs);
    if (audio.loudestDbov >= this.#policy.nearSilentDbov) this.#answered(atMs);
  }

  /** Audio of the model that does not: it is stale, or of a turn that nobody needs. */
  modelAudioDropped(nowMs: number): void {
    const atMs = this.#at(nowMs);
    this.#turn.audioDropped(atMs);
    // It has not stopped at all, and will be let through before long.
    if (this.#phantomMs !== null) this.#phantomMs = atMs;
  }

  /** A piece of the transcript of what the model says, or text in its place. */
  modelText(text: string, nowMs: number): void {
    this.#turn.text(text, this.#at(nowMs));
  }

  generationComplete(nowMs: number): void {
    this.#turn.generationComplete(this.#at(nowMs));
  }

  turnComplete(
    end: { readonly reason: string | null; readonly moreTurnsFollow: boolean },
    nowMs: number,
  ): void {
    this.#turn.complete(end.reason, end.moreTurnsFollow, this.#at(nowMs));
    if (this.#sign === 'freeze' || this.#sign === 'no-turn-complete') this.#letGo();
  }

  /** The model says that it will not speak before it hears more: its silence is meant. */
  waitingForInput(): void {
    if (this.#sign === null || mayBeMeant(this.#sign)) this.#standDown();
  }

  /** `unplayedMs`: what the caller had not heard of it when it was cleared. */
  interrupted(unplayedMs: number, nowMs: number): void {
    const atMs = this.#at(nowMs);
    const tookSomething = this.#turn.generating || unplayedMs > WORTH_SAYING_MS;
    this.#turn.interrupted(atMs);
    if (this.#sign === 'freeze' || this.#sign === 'no-turn-complete') this.#letGo();
    if (this.#callerSpeaks) {
      this.#interruptedBySpeech = true;
    } else if (atMs - this.#lastSpeechMs < HEARD_LATE_MS) {
      // However short it was, and whatever it spoke into: it stopped the bot, which has to say something now.
      if (!this.#answer.isDue) this.#expectAnswer(this.#lastSpeechMs + this.#policy.answerDueAfterMs);
    } else if (tookSomething && atMs - this.#ownTextMs >= TEXT_INTERRUPTS_MS) {
      this.#phantomMs = atMs;
    }
  }

  /** How many calls of tools the model waits for changed. Whoever runs them answers each in time. */
  toolsOpen(count: number, nowMs: number): void {
    const atMs = this.#at(nowMs);
    if (count > this.#toolsOpen) {
      this.#turn.toolCalls(atMs);
      this.#toolCalledMs = atMs;
    }
    this.#toolsOpen = count;
    // It has heard the caller, and acts. The answer is due anew once it has what it waits for.
    if (!this.#answer.isDue || (this.#sign !== null && !mayBeMeant(this.#sign))) return;
    this.#sign = null;
    this.#steps.reset();
    this.#answer.delay(atMs);
  }

  /** The model was told what a tool found, in a way that lets it speak (not SILENT). */
  toolAnswered(nowMs: number): void {
    if (!this.#answer.isDue) this.#expectAnswer(this.#at(nowMs));
  }

  /**
   * @param unplayedMs what playout holds and has sent that the caller has not heard, clips included
   * @returns what to do now, usually null
   */
  tick(nowMs: number, unplayedMs: number): StallAction | null {
    const passedMs = this.#advance(nowMs);
    if (this.#over) return null;
    // Of a turn that nobody can hear playout may hold much, and the caller hears nothing.
    this.#audible = unplayedMs > NEGLIGIBLE_MS && this.#sign !== 'near-silent-audio';
    this.#dryMs = this.#audible ? 0 : this.#dryMs + passedMs;
    if (this.#audible) this.#deadAirMs = 0;
    if (!this.#connected || this.#callerSpeaks) return null;
    // While a tool works the air is dead all the same, but that is not the model's fault.
    const toolWorks = this.#toolsOpen > 0 && this.#clockMs - this.#toolCalledMs < LONGEST_TOOL_MS;
    const countedMs = toolWorks ? 0 : passedMs;
    this.#answer.pass(this.#clockMs, countedMs, !this.#audible);
    if (this.#answer.isMissing || this.#sign !== null) {
      if (!this.#audible) this.#deadAirMs += passedMs;
      this.#steps.pass(countedMs);
    }
    return (toolWorks ? null : (this.#look() ?? this.#act())) ?? this.#fill();
  }

  #at(nowMs: number): number {
    if (this.#tickedAtMs === null) return this.#clockMs;
    return this.#clockMs + Math.min(LONGEST_TICK_MS, Math.max(0, nowMs - this.#tickedAtMs));
  }

  #advance(nowMs: number): number {
    const beforeMs = this.#clockMs;
    this.#clockMs = this.#at(nowMs);
    this.#tickedAtMs = nowMs;
    this.#sinceFillerMs += this.#clockMs - beforeMs;
    return this.#clockMs - beforeMs;
  }

  #expectAnswer(fromMs: number): void {
    const inVain = this.#answer.expect(fromMs);
    if (this.#sign !== null && endsWithSpeech(this.#sign)) this.#sign = null;
    // The time that was waited in vain still counts.
    if (!inVain && this.#sign === null) this.#steps.reset();
    this.#deadAirMs = 0;
  }

  /** The caller hears the model. */
  #answered(atMs: number): void {
    this.#answeredMs = atMs;
    this.#heardSinceReady = true;
    this.#phantomMs = null;
    this.#answer.came();
    this.#standDown();
  }

  /** Nothing is due and nothing is wrong; who was ignored so far stays ignored. */
  #standDown(): void {
    this.#answer.giveUp();
    this.#deadAirMs = 0;
    this.#sign = null;
    this.#steps.reset();
  }

  /** The sign is gone; an answer may be due all the same. */
  #letGo(): void {
    this.#sign = null;
    if (!this.#answer.isDue) this.#standDown();
  }

  /** Looks for a sign that does not stand yet. */
  #look(): StallAction | null {
    const atMs = this.#clockMs;
    if (this.#turn.isSettled(atMs)) {
      const found = this.#judgeTurn();
      if (found !== null) return found;
    }
    if (this.#phantomMs !== null && atMs - this.#phantomMs >= this.#policy.turnSettlesMs) {
      const sinceMs = atMs - this.#phantomMs;
      this.#phantomMs = null;
      if (this.#sign === null && !this.#answer.isDue) return this.#open('phantom-interrupted', sinceMs);
    }
    if (this.#answer.isMissing) {
      const found = this.#lookForAnswer(atMs);
      if (found !== null) return found;
    }
    if (this.#sign !== null) return null;
    const stalled = this.#turn.judgeOpen(this.#dryMs, atMs);
    if (stalled === null) return null;
    // The caller has had the word since: what is missing now is their answer.
    if (endsWithSpeech(stalled.sign) && this.#answer.isDue) return null;
    if (stalled.sign === 'near-silent-audio' && this.#answer.isDue) this.#answer.ignore();
    return this.#open(stalled.sign, stalled.sinceMs);
  }

  #judgeTurn(): StallAction | null {
    // What can be heard is judged when it was heard; silence need not be waited for.
    if (this.#audible && this.#turn.isAudible) return null;
    const sign = this.#turn.judge(this.#answer.isDue && this.#turn.overAtMs >= this.#lastSpeechMs);
    if (sign === null || (this.#sign !== null && isFault(this.#sign))) return null;
    if (sign === 'cut-sentence' && this.#answer.isDue) return null;
    if (this.#answer.isDue) this.#answer.ignore();
    const sinceMs = this.#clockMs - this.#turn.overAtMs;
    return this.#open(sign, sign === 'cut-sentence' ? Math.min(this.#dryMs, sinceMs) : sinceMs);
  }

  #lookForAnswer(atMs: number): StallAction | null {
    const { unansweredMs } = this.#policy;
    if (this.#answer.missingMs >= MUTE_MS && this.#turn.isMute && this.#sign === null) {
      this.#answer.ignore();
      return this.#open('silent-turn', 0);
    }
    // Somebody who was ignored twice asks again before long, and would never be silent for the whole of it.
    const patienceMs = this.#answer.ignored > 1 ? Math.min(WAITED_MS, unansweredMs) : unansweredMs;
    if (this.#answer.missingMs < patienceMs || atMs - this.#turn.lastAtMs < unansweredMs) return null;
    this.#answer.ignore();
    const deafMute = this.#resumed && !this.#heardSinceReady && this.#transcribedSinceReady;
    if (this.#sign === null) return this.#open(deafMute ? 'deaf-mute' : 'unanswered', 0);
    return this.#sign === 'unanswered' && deafMute ? this.#open('deaf-mute', 0) : null;
  }

  #open(sign: StallSign, sinceMs: number): StallAction | null {
    if (!this.#policy.signs.includes(sign)) return null;
    this.#sign = sign;
    this.#steps.backdate(sinceMs);
    this.#deadAirMs = Math.max(this.#deadAirMs, Math.min(this.#dryMs, sinceMs));
    return this.#action(sign, 'wait');
  }

  #act(): StallAction | null {
    const sign = this.#sign;
    const connectionsLeft = this.#connections < this.#policy.maxConnections;
    const furthest = this.#furthest();
    if (this.#steps.isSpent(sign ?? 'late-answer', furthest, connectionsLeft)) {
      this.#standDown();
      return null;
    }
    // The present utterance has not been waiting for long: its answer may be on the way.
    if (sign === null || (this.#answer.isDue && !this.#answer.isIgnored)) return null;
    const quietMs = this.#clockMs - this.#lastSpeechMs;
    const mayNudge = !this.#audible && quietMs >= this.#policy.callerQuietMs;
    const step = this.#steps.take(sign, furthest, mayNudge, connectionsLeft);
    if (step === null) return null;
    if (step === 'end') this.#over = true;
    else if (step === 'nudge') this.#ownTextMs = this.#clockMs;
    else this.#connections += 1;
    return this.#action(sign, step);
  }

  #fill(): StallAction | null {
    const { afterMs, fillerEveryMs, signs } = this.#policy;
    if (afterMs.filler === null || this.#deadAirMs < afterMs.filler) return null;
    if (this.#sinceFillerMs < fillerEveryMs || !within('filler', this.#furthest())) return null;
    if (this.#sign === null && !signs.includes('late-answer')) return null;
    this.#sinceFillerMs = 0;
    return this.#action(this.#sign ?? 'late-answer', 'filler');
  }

  #furthest(): StallStep {
    const { signs } = this.#policy;
    if (this.#sign !== null) return furthestStep(this.#policy, this.#sign, this.#answer.ignored);
    if (!signs.includes('late-answer')) return 'wait';
    return furthestStep(this.#policy, 'late-answer', this.#answer.ignored);
  }

  #action(sign: StallSign, step: StallStep): StallAction {
    const seconds = (this.#steps.elapsedMs / 1000).toFixed(1);
    const row =
      this.#answer.ignored > 1 ? `, ${this.#answer.ignored} utterances in a row without an answer` : '';
    return { sign, step, detail: `${sign} for ${seconds} s${row}` };
  }
}
