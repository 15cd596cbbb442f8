/**
 * What a call does so that nobody notices that its connection to the model was replaced: the caller's words that are not
 * safe are sent again, the model's that were cut off are asked for, and a new session is told what was said. It knows the
 * caller's utterances and what the model was in the middle of; it opens nothing and closes nothing.
 */
import { type Bot, liveSetupOf } from '../bots/bot.ts';
import type { Clock } from '../clock.ts';
import { historyAsInstruction, recentHistory } from '../gemini/history.ts';
import { type LiveSetup, PHONE_DEFAULTS } from '../gemini/setup.ts';
import type { BrokenTurn, Conversation } from './conversation.ts';
import type { HandleRecord } from './handles.ts';
import type { Journal } from './journal.ts';
import type { ConversationMemory } from './memory.ts';
import type { BotEntry } from './memory-entries.ts';
import { ResumeNotes } from './resume-note.ts';
import { continuationText, freshSeed } from './seed.ts';
import type { SessionLink, SetupRequest, SetupTime } from './session-link.ts';
import type { ToolDesk } from './tool-desk.ts';
import type { CallTotals } from './totals.ts';
import { MAX_KEPT_MS, type Uplink } from './uplink.ts';
import { Utterances } from './utterances.ts';

/** The beginning of speech is found with so much certainty. */
const BEFORE_ONSET_MS = 240;
/** The caller is between two words, or has finished. */
const QUIET_MS = 300;
/** The model may hear an utterance end before we do: a breath behind it is no word. */
const END_SLACK_MS = 100;
/** Whoever gets an answer of their own has got it by then. */
const OWN_TURN_MS = 5_000;
/** A text that was sent has been answered by then, or will not be. */
const TEXT_ANSWER_MS = 6_000;
/** A model that says nothing for so long in the middle of a turn has forgotten to end it. */
const ABANDONED_TURN_MS = 3_000;

/** The frame that has just come, and one more, are not held for anything. */
const NEWEST_FRAMES_MS = 40;

/** Handles are kept of the last few connections alone. */
const SEEDS_KEPT = 8;

const AT_ONCE: SetupTime = { queuedMs: 0, setupMs: 0 };

export interface AudioParts {
  readonly uplink: Uplink;
  readonly conversation: Conversation;
  readonly samplesPerMs: number;
}

export class Recovery {
  readonly utterances = new Utterances();
  readonly #bot: Bot;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #totals: CallTotals;
  readonly #memory: ConversationMemory;
  readonly #tools: ToolDesk;
  readonly #notes = new ResumeNotes();
  /** What the session of each connection was told at its start of what had been said before. */
  readonly #seeds = new Map<number, string>();
  #audio: AudioParts | null = null;
  #manual: boolean;
  /** What the model was saying when its connection broke. */
  #broken: BrokenTurn | null = null;
  /** The results of tools that the newest seed tells. */
  #told: readonly string[] = [];
  #planned = false;
  #lastTextAtMs = Number.NEGATIVE_INFINITY;
  #textUnanswered = false;
  /** It was a text in words of ours. */
  #textWaits = false;
  #lastTakenAtMs: number | null = null;
  /** The connection was there then, and has not heard all of the caller yet. */
  #behindSinceMs: number | null = null;
  /** Since when a gap is being measured: the last audio that the old connection took. */
  #gap: { readonly fromMs: number; took: SetupTime; how: 'resumed' | 'fresh'; resentMs: number } | null =
    null;

  constructor(parts: {
    readonly bot: Bot;
    readonly clock: Clock;
    readonly journal: Journal;
    readonly totals: CallTotals;
    readonly memory: ConversationMemory;
    readonly tools: ToolDesk;
  }) {
    this.#bot = parts.bot;
    this.#clock = parts.clock;
    this.#journal = parts.journal;
    this.#totals = parts.totals;
    this.#memory = parts.memory;
    this.#tools = parts.tools;
    this.#manual = parts.bot.listening.mode === 'manual';
  }

  /** The stream has started: there is something to lose from now on. */
  attach(audio: AudioParts): void {
    this.#audio = audio;
  }

  /** From the next connection on the ends of utterances are found here. */
  listenByHand(): void {
    this.#manual = true;
  }

  /** What the next connection is set up with. A fresh object each time. */
  setup({ epoch, from, first, reseed }: SetupRequest): LiveSetup {
    const setup = this.#plainSetup();
    if (first) return setup;
    this.#audio?.conversation.accountHeard(this.#clock.now());
    const waiting = this.utterances.notIn(from);
    if (from !== null) {
      const note = this.#notes.resumed({
        handle: from,
        epoch,
        entries: this.#memory.since(from.atMs),
        heardOf: (entry: BotEntry) => this.#memory.heardOf(entry),
        soundFollowsFromMs: waiting === null ? null : Math.max(waiting.fromMs, this.#keptFromMs()),
      });
      // What its first connection was told in the instruction is in no handle.
      const seed = this.#seeds.get(from.epoch) ?? '';
      this.#keepSeed(epoch, seed);
      return {
        ...setup,
        resumption: { handle: from.handle },
        systemInstruction: paragraphs(setup.systemInstruction, seed, note),
      };
    }
    const tools = this.#tools.openTools();
    this.#told = tools.filter(({ result }) => result !== null).map(({ id }) => id);
    const { note, history } = freshSeed(this.#memory, { tools, soundFollows: waiting !== null });
    if (this.#bot.session.seedBy === 'contents' && !reseed) {
      return {
        ...setup,
        systemInstruction: paragraphs(setup.systemInstruction, note),
        history,
        historyBy: 'contents',
      };
    }
    const seed = history.length === 0 ? '' : historyAsInstruction(recentHistory(history));
    this.#keepSeed(epoch, seed);
    return { ...setup, systemInstruction: paragraphs(setup.systemInstruction, seed, note) };
  }

  #keepSeed(epoch: number, seed: string): void {
    this.#seeds.set(epoch, seed);
    const [oldest] = this.#seeds.keys();
    if (this.#seeds.size > SEEDS_KEPT && oldest !== undefined) this.#seeds.delete(oldest);
  }

  get #samplesPerMs(): number {
    return this.#audio?.samplesPerMs ?? 0;
  }

  /** Silence by which the model can know that the caller has finished. With activity signals it is told. */
  get #knownAfterMs(): number {
    if (this.#manual) return 0;
    return (this.#bot.listening.silenceDurationMs ?? PHONE_DEFAULTS.vad.silenceDurationMs) - END_SLACK_MS;
  }

  /** What was said before is not kept any more, and cannot be sent again. */
  #keptFromMs(): number {
    return this.#clock.now() - (this.#audio?.uplink.keptMs ?? 0);
  }

  #plainSetup(): LiveSetup {
    const setup = liveSetupOf(this.#bot);
    const { vad = { mode: 'auto', interruptions: true } } = setup;
    return this.#manual ? { ...setup, vad: { ...vad, mode: 'manual' } } : setup;
  }

  /** What was going on when a handle came. */
  handleContext(): Pick<HandleRecord, 'under' | 'uplinkPosition'> {
    const audio = this.#audio;
    const under =
      this.#tools.pending > 0
        ? 'tool'
        : audio?.conversation.generating
          ? 'turn'
          : this.utterances.unanswered !== null
            ? 'utterance'
            : 'nothing';
    return { under, uplinkPosition: audio?.uplink.sentTo ?? 0 };
  }

  /** Nothing is being said, nothing is owed to anybody, and the newest handle holds it all. */
  isQuiet(link: SessionLink, lastSpeechAtMs: number | null, nowMs: number): boolean {
    const audio = this.#audio;
    const handleAtMs = link.handleAtMs;
    if (audio === null || handleAtMs === null || this.#tools.pending > 0) return false;
    const { conversation } = audio;
    if (this.utterances.unanswered !== null) this.#keepWhatIsNeeded();
    if (conversation.callerSpeaking || this.utterances.unanswered !== null) return false;
    if (lastSpeechAtMs !== null && nowMs - lastSpeechAtMs < QUIET_MS) return false;
    const { lastModelAtMs } = conversation;
    if (conversation.generating && nowMs - lastModelAtMs < ABANDONED_TURN_MS) return false;
    if (this.#textUnanswered && nowMs - this.#lastTextAtMs < TEXT_ANSWER_MS) return false;
    return handleAtMs >= Math.max(lastModelAtMs, this.#lastTextAtMs, lastSpeechAtMs ?? 0);
  }

  /** Ids of the tools' results that a fresh session has been told with its seed. */
  get toldInSeed(): readonly string[] {
    return this.#told;
  }

  /** Somebody waits for an answer, or for the rest of one. */
  get owes(): boolean {
    return this.utterances.unanswered !== null || this.#broken !== null || this.#textUnanswered;
  }

  /** A text went to the model, by whomever. */
  textSent(): void {
    this.toolAnswered();
    this.#textWaits = true;
  }

  /** The model was told what a tool found. It will speak about that; and it had heard the caller, or would not have asked. */
  toolAnswered(): void {
    this.#lastTextAtMs = this.#clock.now();
    this.#textUnanswered = true;
  }

  /** The model called a tool. */
  toolCalled(): void {
    this.utterances.actedOn(this.#clock.now());
  }

  turnBegan(turn: number): void {
    const callerSpeaks = this.#audio?.conversation.callerSpeaking ?? false;
    const textWaits = this.#textWaits && this.#clock.now() - this.#lastTextAtMs < TEXT_ANSWER_MS;
    const knownTo = (this.#audio?.uplink.sentTo ?? 0) - this.#knownAfterMs * this.#samplesPerMs;
    this.utterances.turnBegan(turn, { callerSpeaks, textWaits, knownTo });
    this.#textUnanswered = false;
    this.#textWaits = false;
    this.#keepWhatIsNeeded();
  }

  /** The model has recognised words of the caller. */
  callerRecognised(): void {
    this.utterances.recognised(this.#audio?.conversation.openTurn ?? null);
  }

  turnOver(turn: number): void {
    this.utterances.turnSafe(turn);
    this.#keepWhatIsNeeded();
  }

  callerBegan(position: number, onsetAtMs: number): void {
    this.utterances.began(position, onsetAtMs, this.#audio?.conversation.newestTurn ?? 0);
    this.#keepWhatIsNeeded();
  }

  callerEnded(position: number, durationMs: number): void {
    this.utterances.ended(position, durationMs);
    this.#keepWhatIsNeeded();
  }

  callerDismissed(): void {
    this.utterances.dismissed();
    this.#keepWhatIsNeeded();
  }

  /** A connection took audio of the caller. */
  taken(): void {
    const nowMs = this.#clock.now();
    if (this.#gap !== null) this.#closeGap(nowMs);
    this.#lastTakenAtMs = nowMs;
  }

  /** The connection is gone, or being left. */
  interrupted(planned: boolean): void {
    const nowMs = this.#clock.now();
    this.#planned = planned;
    this.#behindSinceMs = null;
    this.#audio?.uplink.close();
    const broken = this.#audio?.conversation.onSessionLost(nowMs) ?? null;
    if (broken !== null) {
      this.#broken = broken;
      if (broken.unheard) this.utterances.turnLost(broken.turn);
      else this.utterances.turnSafe(broken.turn);
    }
    if (this.#lastTakenAtMs !== null)
      this.#gap ??= { fromMs: this.#lastTakenAtMs, took: AT_ONCE, how: 'resumed', resentMs: 0 };
    if (planned) this.#totals.rotations += 1;
    else this.#totals.forcedRotations += 1;
  }

  /**
   * A connection is up, and the uplink still closed: what has to be said again is put in its place.
   * @param from the handle at which the session was taken up; null for a new session
   * @returns whether the caller's words are answered anew
   */
  rewind(how: 'first' | 'resumed' | 'fresh', took: SetupTime, from: HandleRecord | null = null): boolean {
    const audio = this.#audio;
    if (audio === null || how === 'first') return false;
    this.#behindSinceMs = this.#clock.now();
    const waiting = this.utterances.notIn(from)?.from ?? null;
    // What went to a connection after it had given out the handle is in no session. At a quiet moment it was silence, but
    // for the soft beginning of a word; from before the handle nothing is sent again then.
    const heldTo = this.#planned ? (from?.uplinkPosition ?? 0) : 0;
    const resentMs =
      waiting === null
        ? 0
        : audio.uplink.rewind(Math.max(heldTo, waiting - BEFORE_ONSET_MS * audio.samplesPerMs, 0));
    this.#totals.resentMs = audio.uplink.resentMs;
    if (this.#gap !== null) Object.assign(this.#gap, { how, took, resentMs });
    // Between two utterances of manual activity nothing is sent: the pause that follows is the caller's.
    if (audio.uplink.muted) this.#closeGap(this.#clock.now());
    return waiting !== null && !this.#planned;
  }

  /** Every 20 ms. @returns whether the connection has now heard all that was held for it */
  hasCaughtUp(nowMs: number): boolean {
    const sinceMs = this.#behindSinceMs;
    if (sinceMs === null || (this.#audio?.uplink.heldMs ?? 0) > NEWEST_FRAMES_MS) return false;
    this.#behindSinceMs = null;
    this.#journal.write({ type: 'caught-up', afterMs: nowMs - sinceMs });
    return true;
  }

  /** The uplink is open again. @returns what the model has to be told before it hears anything, or null */
  text(): { readonly what: 'go-on' | 'repeat'; readonly text: string } | null {
    const broken = this.#broken;
    this.#broken = null;
    // The caller's words, said again, are answered anew; a caller who speaks has the word.
    if (broken === null || this.utterances.unanswered !== null) return null;
    // Nothing was heard of the greeting, or nothing was said before it: it is still to come.
    const greeting = broken.unheard && this.#memory.history().length === 0;
    const entry = this.#memory.entries().findLast((each) => each.kind === 'bot' && each.turn === broken.turn);
    const heard = entry?.kind === 'bot' && !broken.unheard ? this.#memory.heardOf(entry).text : '';
    return {
      what: broken.unheard ? 'repeat' : 'go-on',
      text: greeting ? this.#bot.greeting.instruction : continuationText({ text: heard, cut: true }),
    };
  }

  #keepWhatIsNeeded(): void {
    const audio = this.#audio;
    if (audio === null) return;
    this.utterances.settleBefore(audio.uplink.sentTo - OWN_TURN_MS * audio.samplesPerMs);
    this.utterances.forgetBefore(audio.uplink.position - MAX_KEPT_MS * audio.samplesPerMs);
    const from = this.utterances.neededFrom;
    audio.uplink.needFrom(from === null ? null : from - BEFORE_ONSET_MS * audio.samplesPerMs);
  }

  #closeGap(nowMs: number): void {
    const gap = this.#gap;
    if (gap === null) return;
    this.#gap = null;
    this.#journal.write({
      type: 'rotated',
      planned: this.#planned,
      how: gap.how,
      gapMs: nowMs - gap.fromMs,
      ...gap.took,
      resentMs: gap.resentMs,
    });
  }
}

function paragraphs(...texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('\n\n');
}
