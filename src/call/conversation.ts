/**
 * The conversation: what the model says goes to playout, what the caller says stops it. It joins the turn gate, the
 * voice, playout and the ledger, and decides who has the word; it knows no socket and no state of the call.
 */
import type { Clock } from '../clock.ts';
import type { LiveEvent, ToolCall } from '../gemini/live-session.ts';
import type { PayloadCodec } from './codec.ts';
import type { Journal, JournalFact } from './journal.ts';
import { HeardLedger, type HeardTurn } from './ledger.ts';
import { Playout, type PlayoutLimits } from './playout.ts';
import type { SpeechChange } from './speech.ts';
import type { CallTotals } from './totals.ts';
import { TurnGate } from './turns.ts';
import { Voice } from './voice.ts';

/** What the conversation tells its call. */
export interface ConversationHost {
  onBotAudible(): void;
  onCallerOnset(): void;
  onCallerSpoke(): void;
  /** The sound that had begun was no speech, or is over before it could be told. */
  onCallerDismissed(): void;
  /** The first audio of a turn that will be played has come. */
  onTurnBegan(turn: number): void;
  /** What the caller heard of the newest turns: when a generation of playout is over, and when it is asked for. */
  onHeard(turns: readonly HeardTurn[]): void;
  /** Nothing more will come of it: made to its end, interrupted by the caller, or dropped. */
  onTurnOver(turn: number): void;
  onDrained(): void;
  onToolCalls(calls: readonly ToolCall[]): void;
  onToolsCancelled(ids: readonly string[]): void;
  /** Audio of the model was taken for playing, or dropped as stale. */
  onModelAudio(bytes: Uint8Array, sampleRate: number, isPlayed: boolean, receivedAtMs: number): void;
  /** First audio of a turn read → its first frame written. */
  onDownLatency(ms: number): void;
}

/** A turn that the model was making when its connection broke. */
export interface BrokenTurn {
  readonly turn: number;
  /** Nothing of it was heard, and what had come of it is dropped. */
  readonly unheard: boolean;
  /** The words of it that have come, all of which will be heard unless it is `unheard`. */
  readonly text: string;
}

export interface ConversationPolicy {
  readonly bargeIn: boolean;
  readonly tracker: boolean;
  readonly outputGainDb: number;
}

/** Speech that stopped playout is believed when it lasts this long; a cough is over by then. */
const VERDICT_MS = 300;
/** Speech as late as this before the verdict counts as still going on: words have gaps. */
const STILL_SPEAKING_MS = 160;
/** Frames come every 20 ms; a pause in them of this length is the line's. */
const LINE_STALL_MS = 80;
const LONGEST_DOUBT_MS = 600;
/** After a false alarm playout goes back by this, so that no syllable is lost to the reckoning's error. */
const BACK_MS = 60;
/** Less than this unplayed is over before a `clear` could arrive. */
const NEGLIGIBLE_MS = 40;
/** Transcripts may trail their turn. */
const TRAILING_TEXT_MS = 500;
/** A greeting that was asked for twice may come twice, but not later than this. */
const SURPLUS_GREETING_MS = 8_000;
/** Marks that a `clear` throws out are back by then, or will not come. */
const CUT_MARKS_MS = 1_000;
/** A model that says nothing for so long in the middle of a turn has forgotten to end it. */
const ABANDONED_TURN_MS = 3_000;

export class Conversation {
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #totals: CallTotals;
  readonly #host: ConversationHost;
  readonly #policy: ConversationPolicy;
  readonly #playout: Playout;
  readonly #voice: Voice;
  readonly #ledger: HeardLedger;
  readonly #gate = new TurnGate();
  readonly #samplesPerMs: number;

  /** Playout is stopped on suspicion since then. */
  #suspectedAtMs: number | null = null;
  /** The speech that may be interrupting the bot began then; null when none was seen. */
  #onsetAtMs: number | null = null;
  #callerSpeaking = false;
  /** When the caller was last heard to really speak; null before. */
  #spokeAtMs: number | null = null;
  #verdictAtMs: number | null = null;
  #lastSpeechAtMs: number | null = null;
  /** The speech from which the last turn gap was counted: a second turn of an answer is no second gap. */
  #gapTakenFromMs: number | null = null;
  #answeredSinceCaller = false;
  #lastAudioMs = Number.NEGATIVE_INFINITY;
  #lastModelAtMs = Number.NEGATIVE_INFINITY;
  #drainWanted = false;
  #turnReadAtMs = 0;
  #audibleTurn = 0;
  #turnOverAtMs = Number.NEGATIVE_INFINITY;
  #generationFrom = 0;
  /** A generation that was cut, whose account is still open. */
  #cut: {
    readonly heardTo: number;
    readonly generation: number;
    readonly untilMs: number;
    /** Where the next one begins: by the time the account is closed, some of that may be queued. */
    readonly nextFrom: number;
    /** What had been sent in the call by then. */
    readonly sentMs: number;
  } | null = null;
  #generationSentMs = 0;
  #staleMs = 0;
  /** Greetings that were asked for and may still come, beyond the one that was spoken. */
  #surplusGreetings = 0;
  /** A turn of the model was played, or a clip in its stead; "one moment, please" is none. */
  #hasSpoken = false;
  #surplusUntilMs = 0;
  #droppingTurn = false;
  /** The newest turn of ours that is "one moment, please"; 0 before the first. */
  #fillerTurn = 0;
  /** The connection was lost while the rest of a turn that had been cut, or that is dropped now, was still coming. */
  #cutAtLoss = false;
  #endedTurn = 0;
  /** A turn that the model has not ended and over whose silence a clip was played: what comes next of it is a new one. */
  #covered: number | null = null;

  constructor(
    parts: { readonly clock: Clock; readonly journal: Journal; readonly totals: CallTotals },
    codec: PayloadCodec,
    limits: PlayoutLimits,
    policy: ConversationPolicy,
    host: ConversationHost,
  ) {
    this.#clock = parts.clock;
    this.#journal = parts.journal;
    this.#totals = parts.totals;
    this.#host = host;
    this.#policy = policy;
    this.#samplesPerMs = codec.sampleRate / 1000;
    this.#ledger = new HeardLedger(codec.sampleRate);
    this.#playout = new Playout(codec, limits, {
      onAudible: (turn, padMs) => this.#onAudible(turn, padMs),
      onUnderrun: (gapMs, seenBy) => {
        this.#totals.underruns += 1;
        this.#totals.underrunMs += gapMs;
        this.#journal.write({ type: 'underrun', generation: this.#playout.generation, gapMs, seenBy });
      },
      onOverflow: (droppedMs) => this.#journal.write({ type: 'backpressure', leg: 'carrier', droppedMs }),
      onDrained: () => this.#host.onDrained(),
    });
    this.#voice = new Voice(codec, this.#playout, policy.outputGainDb);
  }

  get playout(): Playout {
    return this.#playout;
  }

  /** The bot has said something since the caller last spoke: the goodbye of a call that is to be hung up. */
  get botHasAnswered(): boolean {
    const speaking = this.#gate.open && !this.#gate.discarding;
    return this.#gate.turn > 0 && (speaking || this.#answeredSinceCaller);
  }

  /** A second trigger went out, or the clip was played: a greeting may come that nobody needs any more. */
  expectSurplusGreeting(nowMs: number): void {
    this.#surplusGreetings += 1;
    this.#surplusUntilMs = nowMs + SURPLUS_GREETING_MS;
  }

  /** Tells the host once everything said has been heard. */
  watchDrained(): void {
    this.#drainWanted = true;
  }

  stopWatching(): void {
    this.#drainWanted = false;
    this.#playout.stopWatching();
  }

  /** Plays a recorded clip, as a turn of our own. @returns its number */
  playClip(bytes24k: Uint8Array, text: string, nowMs: number, isFiller = false): number {
    // What was stopped on suspicion is given up, lest the clip be given up with it.
    if (this.#suspectedAtMs !== null) this.#believe(nowMs);
    this.#closeCut();
    if (this.#gate.generating && !this.#gate.discarding && !this.#droppingTurn)
      this.#covered ??= this.#gate.turn;
    const turn = this.#gate.clip();
    if (!isFiller) {
      this.#answeredSinceCaller = true;
      this.#hasSpoken = true;
    }
    if (isFiller) this.#fillerTurn = turn;
    this.#beginTurn(turn);
    this.#ledger.said(turn, text);
    this.#push(bytes24k, 24_000, turn, nowMs);
    this.#tail(turn, this.#voice.endOfGeneration(nowMs));
    return turn;
  }

  /** One message of the model's. The events come in the order in which they have to be acted upon. */
  onModel(event: LiveEvent, receivedAtMs: number): void {
    switch (event.type) {
      case 'interrupted':
        this.#onInterrupted(receivedAtMs);
        break;
      case 'audio':
        this.#onAudio(event.bytes, event.sampleRate, receivedAtMs);
        break;
      case 'output-transcript':
        this.#onWords(event.text, receivedAtMs);
        break;
      case 'input-transcript':
        this.#callerActed(receivedAtMs);
        this.#journal.write({
          type: 'transcript',
          speaker: 'caller',
          turn: this.#gate.turn,
          pii: { text: event.text },
        });
        break;
      case 'generation-complete':
        this.#gate.generationComplete();
        this.#endCovered('complete');
        if (this.#gate.open && !this.#droppingTurn) this.#host.onTurnOver(this.#gate.turn);
        this.#tail(this.#gate.turn, this.#voice.endOfGeneration(receivedAtMs));
        break;
      case 'turn-complete':
        this.#onTurnComplete(receivedAtMs);
        break;
      case 'tool-calls':
        this.#host.onToolCalls(event.calls);
        break;
      case 'tool-calls-cancelled':
        this.#host.onToolsCancelled(event.ids);
        break;
      default:
        break;
    }
  }

  /** The caller said something without a word: keys were pressed, and the model is told of them. */
  onKeys(nowMs: number): void {
    this.#callerActed(nowMs);
    this.#answeredSinceCaller = false;
  }

  /** The speech tracker noticed something. `mayInterrupt`: not while the last words of a call are played. */
  onSpeech(change: SpeechChange, nowMs: number, mayInterrupt: boolean): void {
    if (change.type === 'onset') {
      this.#totals.utterances += 1;
      this.#journal.write({
        type: 'utterance-started',
        onsetAtMs: change.onsetAtMs,
        levelDbov: change.levelDbov,
      });
      this.#onsetAtMs = change.onsetAtMs;
      this.#callerSpeaking = true;
      this.#host.onCallerOnset();
      const stops = mayInterrupt && this.#policy.bargeIn && this.#policy.tracker;
      if (stops && this.#playout.unplayedMs(nowMs) > NEGLIGIBLE_MS) this.#suspect(change.onsetAtMs, nowMs);
      this.#verdictAtMs = nowMs + VERDICT_MS;
      return;
    }
    this.#journal.write({
      type: 'utterance-ended',
      lastSpeechAtMs: change.lastSpeechAtMs,
      durationMs: change.durationMs,
    });
    this.#lastSpeechAtMs = change.lastSpeechAtMs;
    this.#callerSpeaking = false;
  }

  /** Every 20 ms, with when the last frame of the caller arrived, and the last one with speech. */
  tick(nowMs: number, lastSpeechAtMs: number | null, lastFrameAtMs: number | null): void {
    if (lastSpeechAtMs !== null) this.#lastSpeechAtMs = lastSpeechAtMs;
    if (this.#cut !== null && (this.#playout.cut?.settled || nowMs >= this.#cut.untilMs)) this.#closeCut();
    if (this.#verdictAtMs !== null && nowMs >= this.#verdictAtMs) {
      const heardUntilMs = lastFrameAtMs ?? nowMs;
      const stalled = nowMs - heardUntilMs > LINE_STALL_MS;
      const speaking = lastSpeechAtMs !== null && heardUntilMs - lastSpeechAtMs <= STILL_SPEAKING_MS;
      // Nothing was heard that could tell a word from a cough: the line stands still, and will not for ever.
      const wait = stalled && nowMs - this.#verdictAtMs < LONGEST_DOUBT_MS;
      if (!wait) this.#verdictAtMs = null;
      if (!wait && speaking) this.#believe(nowMs);
      else if (!wait) this.#dismiss(nowMs);
    }
    this.#tickPlayout(nowMs);
  }

  #tickPlayout(nowMs: number): void {
    this.#tail(this.#gate.turn, this.#voice.tick(nowMs));
    this.#playout.tick(nowMs);
    if (this.#drainWanted && !this.#stillSaying(nowMs)) {
      this.#drainWanted = false;
      this.#playout.watchDrained(nowMs);
    }
  }

  #stillSaying(nowMs: number): boolean {
    return this.#gate.generating && nowMs - this.#lastAudioMs < ABANDONED_TURN_MS;
  }

  /** Tells the host what the caller will have heard when everything that came has been played. */
  accountHeard(nowMs: number): void {
    const heardTo = this.#suspectedAtMs === null ? this.#playout.queuedTo : this.#playout.heardTo(nowMs);
    this.#host.onHeard(this.#ledger.heardUpTo(heardTo, this.#generationFrom));
  }

  /** More audio of the model's turn is to be expected. */
  get generating(): boolean {
    return this.#gate.generating;
  }

  /** The number of the turn that the model is making, or has made and not ended; null when there is none. */
  get openTurn(): number | null {
    return this.#gate.open && !this.#gate.discarding && !this.#droppingTurn ? this.#gate.turn : null;
  }

  /** The number of the newest turn, a clip of ours included; 0 before the first. */
  get newestTurn(): number {
    return this.#gate.turn;
  }

  /** When the model last said something, words or sound. */
  get lastModelAtMs(): number {
    return this.#lastModelAtMs;
  }

  /** The caller is being heard to speak, or to make a sound that may be speech. */
  get callerSpeaking(): boolean {
    return this.#callerSpeaking;
  }

  /**
   * The connection is gone with whatever the model was saying. What was received of a turn that has been heard in part is
   * still played; one of which nothing was heard is dropped, as it will be made anew.
   */
  onSessionLost(nowMs: number): BrokenTurn | null {
    const covered = this.#covered;
    if (covered !== null) {
      // All that had come of it was heard before the clip was played.
      this.#gate.lost();
      this.#endCovered('dropped');
      return { turn: covered, unheard: false, text: this.#ledger.turn(covered).text };
    }
    const broken = this.#gate.generating && !this.#gate.discarding && !this.#droppingTurn;
    this.#cutAtLoss = this.#gate.discarding;
    const turn = this.#gate.lost();
    if (turn === null) return null;
    const { text } = this.#ledger.turn(turn);
    const unheard = broken && this.#ledger.heardMs(turn, this.#playout.heardTo(nowMs)) <= NEGLIGIBLE_MS;
    // What is sent again of it on the next connection would be heard without its beginning.
    if (unheard) this.#cutAtLoss = true;
    if (unheard) this.#stop('session-lost', null, nowMs);
    else this.#tail(turn, this.#voice.endOfGeneration(nowMs));
    this.#endTurn(turn, 'dropped');
    return broken ? { turn, unheard, text } : null;
  }

  /** What is left to play of the present turn cannot be heard: it is given up, so that nothing has to wait for it. */
  dropInaudible(nowMs: number): void {
    if (this.#suspectedAtMs !== null || this.#playout.unplayedMs(nowMs) <= NEGLIGIBLE_MS) return;
    this.#stop('inaudible', null, nowMs);
  }

  /** Another connection has taken over. `answersAnew`: what may still come of an old answer is not waited for. */
  onSessionReady(nowMs: number, answersAnew: boolean): void {
    if (this.#cutAtLoss || answersAnew) this.#gate.discardReplay(nowMs);
    this.#cutAtLoss = false;
  }

  /** The call is over: the last generation's account. */
  finish(nowMs: number): void {
    this.#closeCut();
    this.#closeGeneration('played', this.#playout.heardTo(nowMs), this.#playout.generation);
    const { messages, sentMs, marksSent, marksEchoed } = this.#playout.counts;
    this.#totals.outboundMessages = messages;
    this.#totals.outboundMs = sentMs;
    this.#totals.marksSent = marksSent;
    this.#totals.marksEchoed = marksEchoed;
    this.#totals.generations = this.#playout.generation;
    this.#reportStale();
  }

  #onInterrupted(receivedAtMs: number): void {
    this.#endCovered('interrupted');
    const open = this.#gate.cut(receivedAtMs, true);
    if (this.#suspectedAtMs !== null) {
      this.#believe(receivedAtMs);
    } else if (this.#playout.unplayedMs(receivedAtMs) > 0) {
      this.#stop('model', this.#onsetAtMs, receivedAtMs);
    } else {
      this.#journal.write({
        type: 'interrupted-ignored',
        why: open ? 'already-cleared' : 'nothing-unplayed',
      });
    }
    if (open) this.#endTurn(this.#gate.turn, 'interrupted');
  }

  #onAudio(bytes: Buffer, sampleRate: number, receivedAtMs: number): void {
    const verdict = this.#gate.audio(receivedAtMs, this.#callerSpeaking);
    if (verdict.opened) {
      this.#reportStale();
      this.#droppingTurn = this.#isSurplusGreeting();
      if (this.#droppingTurn) this.#journal.write({ type: 'duplicate-greeting-dropped' });
      else this.#openTurn(receivedAtMs);
    }
    const isPlayed = verdict.play && !this.#droppingTurn;
    this.#host.onModelAudio(bytes, sampleRate, isPlayed, receivedAtMs);
    if (!isPlayed) {
      this.#staleMs += bytes.length / 2 / (sampleRate / 1000);
      return;
    }
    this.#push(bytes, sampleRate, this.#gate.turn, receivedAtMs);
  }

  #openTurn(receivedAtMs: number): void {
    this.#closeCut();
    this.#endCovered('complete');
    const spokenOver = this.#spokeAtMs !== null && this.#playout.unplayedMs(receivedAtMs) > NEGLIGIBLE_MS;
    // A new answer never queues behind an old one that the caller has spoken over.
    const overFiller = this.#fillerTurn === this.#gate.turn - 1;
    if (spokenOver && (overFiller || this.#policy.bargeIn))
      this.#stop(overFiller ? 'answered' : 'new-answer', this.#onsetAtMs, receivedAtMs);
    this.#spokeAtMs = null;
    // Speech that was over when the turn began does not interrupt it.
    if (!this.#callerSpeaking) this.#onsetAtMs = null;
    this.#hasSpoken = true;
    this.#answeredSinceCaller = true;
    this.#beginTurn(this.#gate.turn);
    this.#host.onTurnBegan(this.#gate.turn);
    this.#host.onBotAudible();
  }

  #isSurplusGreeting(): boolean {
    if (this.#surplusGreetings === 0 || !this.#hasSpoken) return false;
    if (this.#clock.now() > this.#surplusUntilMs) return false;
    this.#surplusGreetings -= 1;
    return true;
  }

  /** What comes now answers the caller: it is no surplus greeting, not even when one that is dropped was never ended. */
  #callerActed(nowMs: number): void {
    this.#surplusGreetings = 0;
    if (this.#droppingTurn && this.#gate.generating && !this.#gate.discarding) this.#gate.cut(nowMs);
  }

  #beginTurn(turn: number): void {
    this.#totals.turns += 1;
    this.#journal.write({ type: 'turn-started', turn, generation: this.#playout.generation });
  }

  #onWords(text: string, nowMs: number): void {
    this.#lastModelAtMs = nowMs;
    if (this.#droppingTurn && this.#gate.open) return;
    // Words that come when no turn is open trail the last one for a moment; later they lead the next.
    const trailing = !this.#gate.open && nowMs - this.#turnOverAtMs <= TRAILING_TEXT_MS;
    const turn = this.#gate.open || trailing ? this.#gate.turn : this.#gate.turn + 1;
    this.#ledger.said(turn, text);
    this.#journal.write({ type: 'transcript', speaker: 'bot', turn, pii: { text } });
  }

  #onTurnComplete(nowMs: number): void {
    this.#endCovered('complete');
    const turn = this.#gate.turnComplete();
    if (turn === null) return;
    this.#turnOverAtMs = nowMs;
    this.#reportStale();
    this.#tail(turn, this.#voice.endOfGeneration(nowMs));
    this.#endTurn(turn, this.#droppingTurn ? 'dropped' : 'complete');
  }

  /** Once a turn: one that was interrupted is completed as well, but that is no news. */
  #endTurn(turn: number, how: 'complete' | 'interrupted' | 'dropped'): void {
    if (turn === this.#endedTurn) return;
    this.#endedTurn = turn;
    const { generatedMs, text } = this.#ledger.turn(turn);
    this.#journal.write({ type: 'turn-ended', turn, how, generatedMs, pii: { text } });
    if (how !== 'dropped') this.#host.onTurnOver(turn);
  }

  #endCovered(how: 'complete' | 'interrupted' | 'dropped'): void {
    const turn = this.#covered;
    this.#covered = null;
    if (turn !== null) this.#endTurn(turn, how);
  }

  #push(bytes: Uint8Array, sampleRate: number, turn: number, nowMs: number): void {
    this.#lastAudioMs = nowMs;
    this.#lastModelAtMs = nowMs;
    // Until the turn is heard, what was read so far was silence.
    if (turn !== this.#audibleTurn) this.#turnReadAtMs = nowMs;
    this.#tail(turn, this.#voice.push(bytes, sampleRate, turn, nowMs));
  }

  /** Enters what was just queued into the ledger. */
  #tail(turn: number, samples: number): void {
    if (samples > 0) this.#ledger.queued(turn, this.#playout.queuedTo - samples, this.#playout.queuedTo);
  }

  #onAudible(turn: number, padMs: number): void {
    const writtenAtMs = this.#clock.now();
    this.#audibleTurn = turn;
    const addedLatencyMs = writtenAtMs - this.#turnReadAtMs;
    const speechAtMs = this.#lastSpeechAtMs;
    this.#journal.write({
      type: 'turn-audible',
      turn,
      turnGapMs:
        speechAtMs === null || this.#gapTakenFromMs === speechAtMs ? null : writtenAtMs + padMs - speechAtMs,
      addedLatencyMs,
    });
    this.#gapTakenFromMs = speechAtMs;
    this.#host.onDownLatency(addedLatencyMs);
  }

  /** Stops the sound at once, and keeps what was not heard until it is known whether that was speech. */
  #suspect(onsetAtMs: number, nowMs: number): void {
    this.#closeCut();
    this.#playout.pause(nowMs);
    this.#suspectedAtMs = nowMs;
    this.#totals.bargeIns += 1;
    this.#journal.write({
      type: 'barge-in',
      by: 'tracker',
      generation: this.#playout.generation,
      bargeInMs: this.#clock.now() - onsetAtMs,
      gatewayMs: null,
      droppedMs: this.#playout.unplayedMs(nowMs),
    });
  }

  #believe(nowMs: number): void {
    this.#verdictAtMs = null;
    this.#spokeAtMs = nowMs;
    this.#callerActed(nowMs);
    this.#endCovered('interrupted');
    if (this.#suspectedAtMs !== null) {
      this.#suspectedAtMs = null;
      const { heardTo } = this.#playout.drop(nowMs);
      this.#voice.reset();
      this.#generationCut(heardTo, nowMs);
      if (this.#gate.generating) {
        this.#gate.cut(nowMs);
        this.#endTurn(this.#gate.turn, 'interrupted');
      }
    }
    this.#answeredSinceCaller = false;
    this.#host.onCallerSpoke();
  }

  #dismiss(nowMs: number): void {
    this.#onsetAtMs = null;
    this.#host.onCallerDismissed();
    if (this.#suspectedAtMs === null) return;
    const pausedMs = nowMs - this.#suspectedAtMs;
    this.#suspectedAtMs = null;
    const replayedMs = this.#playout.resume(nowMs, BACK_MS);
    this.#totals.resumedPauses += 1;
    this.#journal.write({
      type: 'playout-resumed',
      generation: this.#playout.generation,
      pausedMs,
      replayedMs,
    });
  }

  /** A new generation: `clear` is written before anything else is done. */
  #stop(
    by: 'model' | 'new-answer' | Extract<JournalFact, { type: 'turn-given-up' }>['why'],
    onsetAtMs: number | null,
    receivedAtMs: number,
  ): void {
    this.#closeCut();
    const { heardTo, droppedMs } = this.#playout.drop(receivedAtMs);
    const clearedAtMs = this.#clock.now();
    this.#voice.reset();
    if (by !== 'model' && by !== 'new-answer') {
      const turn = by === 'answered' ? this.#fillerTurn : this.#gate.turn;
      this.#journal.write({ type: 'turn-given-up', turn, why: by, droppedMs });
    } else {
      this.#totals.bargeIns += 1;
      this.#journal.write({
        type: 'barge-in',
        by,
        generation: this.#playout.generation,
        bargeInMs: onsetAtMs === null ? null : clearedAtMs - onsetAtMs,
        gatewayMs: by === 'model' ? clearedAtMs - receivedAtMs : null,
        droppedMs,
      });
    }
    this.#generationCut(heardTo, receivedAtMs);
  }

  /** The account of a cut generation waits for the marks that the carrier throws out: they tell where it was cut. */
  #generationCut(heardTo: number, nowMs: number): void {
    this.#closeCut();
    this.#cut = {
      heardTo,
      generation: this.#playout.generation - 1,
      untilMs: nowMs + CUT_MARKS_MS,
      nextFrom: this.#playout.queuedTo,
      sentMs: this.#playout.counts.sentMs,
    };
    if (this.#playout.cut?.settled !== false) this.#closeCut();
  }

  #closeCut(): void {
    const cut = this.#cut;
    if (cut === null) return;
    this.#cut = null;
    const heardTo = this.#playout.cut?.heardTo ?? cut.heardTo;
    this.#closeGeneration('cleared', heardTo, cut.generation, cut.nextFrom, cut.sentMs);
  }

  #closeGeneration(
    how: 'played' | 'cleared',
    heardTo: number,
    generation: number,
    nextFrom = this.#playout.queuedTo,
    sentMs = this.#playout.counts.sentMs,
  ): void {
    const from = this.#generationFrom;
    const turns = this.#ledger.heardUpTo(heardTo, from);
    this.#host.onHeard(turns);
    this.#ledger.cutAt(heardTo, nextFrom);
    this.#generationFrom = nextFrom;
    const heardMs = Math.max(0, heardTo - from) / this.#samplesPerMs;
    this.#totals.heardMs += heardMs;
    const sentInItMs = sentMs - this.#generationSentMs;
    this.#generationSentMs = sentMs;
    this.#journal.write({
      type: 'generation-over',
      generation,
      how,
      sentMs: sentInItMs,
      heardMs,
      heardBy: this.#playout.heardBy,
      pii: {
        heardText: turns.map((turn) => turn.heardText).join(' '),
        uncertainText: turns.at(-1)?.uncertainText ?? '',
      },
    });
  }

  #reportStale(): void {
    if (this.#staleMs === 0) return;
    this.#totals.staleDroppedMs += this.#staleMs;
    this.#journal.write({ type: 'stale-audio-dropped', turn: this.#gate.turn, droppedMs: this.#staleMs });
    this.#staleMs = 0;
  }
}
