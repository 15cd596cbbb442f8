/**
 * The conversation so far, as the two on the line have heard it: for a session that has to take it up in the middle. It
 * is told facts as they come, in any order that Gemini Live allows (a transcript may come before, amid or after the
 * answer), and is bounded however long the call lasts. Nothing that it is told can make it throw.
 */

import type { HistoryTurn } from '../gemini/live-session.ts';
import { type HeardWords, heardWordsOf, isHeardInFull, VoicePace } from './heard-words.ts';
import { historyOf } from './history.ts';
import type { HeardTurn } from './ledger.ts';
import {
  type BotEntry,
  type CallerEntry,
  type KeysEntry,
  type MemoryEntry,
  SHORTEST_SPEECH_MS,
  type ToolEntry,
} from './memory-entries.ts';
import { headOf } from './plain-text.ts';
import { entriesSince } from './recall.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
/** `begun`: it is more than words that came ahead. `paced`: it has shown the pace of the voice. */
type Turn = Writable<BotEntry> & { begun: boolean; paced: boolean };
type Kept = Writable<CallerEntry> | Writable<KeysEntry> | Turn | Writable<ToolEntry>;

const MAX_ENTRIES = 400;
const MAX_CHARS = 24_000;
const MAX_HISTORY_CHARS = 16_000;
const MAX_CALLER_CHARS = 4_000;
const MAX_BOT_CHARS = 8_000;
const MAX_KEYS = 64;
const MAX_TOOL_CHARS = 600;
/** Words are not recognised sooner than this after an utterance began: they belong to the one before. */
const WORDS_TAKE_MS = 700;
/**
 * Words that come so long after an utterance are of one which the tracker did not notice: those of one that has some
 * already come soon, the first ones perhaps only after the answer.
 */
const TRAILING_WORDS_MS = 8_000;
const FIRST_WORDS_MS = 60_000;

export class ConversationMemory {
  readonly #entries: Kept[] = [];
  readonly #pace = new VoicePace();
  #forgotten = false;

  /** The speech tracker's onset. */
  utteranceStarted(onsetAtMs: number): void {
    const open = this.#newestCaller();
    if (open?.toMs === Number.POSITIVE_INFINITY) open.toMs = onsetAtMs;
    this.#insert({ kind: 'caller', fromMs: onsetAtMs, toMs: Number.POSITIVE_INFINITY, text: '' });
  }

  /** The tracker's end. What was too short for a word, and has none, is forgotten. */
  utteranceEnded(lastSpeechAtMs: number): void {
    const open = this.#newestCaller();
    if (open === null || open.toMs !== Number.POSITIVE_INFINITY) return;
    open.toMs = Math.max(open.fromMs, lastSpeechAtMs);
    if (open.text === '' && open.toMs - open.fromMs < SHORTEST_SPEECH_MS) {
      this.#remove(open);
    }
  }

  /** A fragment of the caller's transcript, to be joined to those before as it is. */
  callerSaid(text: string, nowMs: number): void {
    const entry = this.#utteranceOf(nowMs);
    entry.text += text.slice(0, MAX_CALLER_CHARS - entry.text.length);
    this.#trim();
  }

  keysPressed(keys: string, nowMs: number): void {
    const taken = keys.slice(0, MAX_KEYS);
    const last = this.#entries.at(-1);
    if (last?.kind === 'keys' && last.keys.length + taken.length <= MAX_KEYS) {
      last.keys += taken;
      last.toMs = nowMs;
    } else this.#insert({ kind: 'keys', fromMs: nowMs, toMs: nowMs, keys: taken });
    this.#trim();
  }

  /** A turn is going to be played; its words may have come before. */
  turnStarted(turn: number, nowMs: number, by: BotEntry['by'] = 'model'): void {
    const entry = this.#turn(turn) ?? this.#newTurn(turn, nowMs);
    entry.by = by;
    entry.begun = true;
    if (by !== 'model') {
      entry.ended = 'complete';
      entry.toMs = nowMs;
    }
    // Its words came earlier, perhaps before the caller had spoken.
    this.#remove(entry);
    entry.fromMs = nowMs;
    this.#insert(entry);
  }

  /** Words of a turn, before, amid or after its audio. */
  botSaid(turn: number, text: string, nowMs: number): void {
    const entry = this.#turn(turn) ?? this.#newTurn(turn, nowMs);
    entry.text += text.slice(0, MAX_BOT_CHARS - entry.text.length);
    this.#trim();
  }

  /** The model has made the turn to its end, was interrupted in it, or its connection was lost. */
  turnEnded(turn: number, how: 'complete' | 'interrupted' | 'dropped', nowMs: number): void {
    const entry = this.#turn(turn);
    if (entry === null || entry.ended !== 'open') return;
    entry.ended = how;
    entry.toMs = nowMs;
  }

  /**
   * The ledger's account of a turn, which may be given again and again: when a generation of playout is over, and, for a
   * turn that is being played, before history or notes are asked for. What is queued and will be played counts as heard
   * then, for it will be when the new session comes to speak.
   */
  turnHeard(heard: HeardTurn, nowMs: number): void {
    const entry = this.#turn(heard.turn);
    if (entry === null) return;
    entry.heard = heard;
    if (!isHeardInFull(heard)) {
      entry.cutAtMs ??= nowMs;
      return;
    }
    entry.cutAtMs = null;
    if (entry.paced || entry.ended !== 'complete' || entry.text === '') return;
    entry.paced = true;
    this.#pace.heard(entry.text, heard.generatedMs);
  }

  toolCalled(
    call: { readonly id: string; readonly name: string; readonly args: string },
    nowMs: number,
  ): void {
    const args = headOf(call.args, MAX_TOOL_CHARS);
    this.#insert({
      kind: 'tool',
      id: call.id,
      name: call.name,
      args,
      result: null,
      fromMs: nowMs,
      toMs: Number.POSITIVE_INFINITY,
    });
    this.#trim();
  }

  /** `result`: JSON, or in words why there is none. */
  toolAnswered(id: string, result: string, nowMs: number): void {
    const entry = this.#entries.findLast((each) => each.kind === 'tool' && each.id === id);
    if (entry?.kind !== 'tool' || entry.result !== null) return;
    entry.result = headOf(result, MAX_TOOL_CHARS);
    entry.toMs = nowMs;
    this.#trim();
  }

  /** Everything remembered, in the order in which it began. Words that no turn was ever made of are left out. */
  entries(): readonly MemoryEntry[] {
    return this.#entries.filter((each) => each.kind !== 'bot' || each.begun);
  }

  /** What a session cannot hold that is taken up at a handle of that time. */
  since(ms: number): readonly MemoryEntry[] {
    return entriesSince(this.entries(), ms);
  }

  /** What the caller heard of a turn. */
  heardOf(entry: BotEntry): HeardWords {
    return heardWordsOf(entry, this.#pace);
  }

  /** User and model turns in time order, each speaker's merged; the newest `mostChars`. */
  history(mostChars = MAX_HISTORY_CHARS): HistoryTurn[] {
    return historyOf(this.entries(), (entry) => this.heardOf(entry), this.#forgotten, mostChars);
  }

  #utteranceOf(nowMs: number): Writable<CallerEntry> {
    const newest = this.#newestCaller();
    if (newest !== null) {
      const tooYoung = newest.text === '' && nowMs - newest.fromMs < WORDS_TAKE_MS;
      const before = tooYoung ? this.#newestCaller(newest) : null;
      if (before !== null && nowMs - before.toMs < TRAILING_WORDS_MS) return before;
      if (nowMs - newest.toMs < (newest.text === '' ? FIRST_WORDS_MS : TRAILING_WORDS_MS)) return newest;
    }
    const unnoticed: Writable<CallerEntry> = { kind: 'caller', fromMs: nowMs, toMs: nowMs, text: '' };
    this.#insert(unnoticed);
    return unnoticed;
  }

  #newestCaller(before?: Kept): Writable<CallerEntry> | null {
    const end = before === undefined ? this.#entries.length : this.#entries.indexOf(before);
    for (let i = end - 1; i >= 0; i--) {
      const entry = this.#entries[i];
      if (entry?.kind === 'caller') return entry;
    }
    return null;
  }

  #turn(turn: number): Turn | null {
    const entry = this.#entries.findLast((each) => each.kind === 'bot' && each.turn === turn);
    return entry?.kind === 'bot' ? entry : null;
  }

  #newTurn(turn: number, nowMs: number): Turn {
    const entry: Turn = {
      kind: 'bot',
      turn,
      by: 'model',
      fromMs: nowMs,
      toMs: Number.POSITIVE_INFINITY,
      text: '',
      ended: 'open',
      heard: null,
      cutAtMs: null,
      begun: false,
      paced: false,
    };
    this.#insert(entry);
    return entry;
  }

  /** Keeps the order of beginnings: an onset is recognised some frames after it. */
  #insert(entry: Kept): void {
    let at = this.#entries.length;
    while (at > 0 && (this.#entries[at - 1] as Kept).fromMs > entry.fromMs) at -= 1;
    this.#entries.splice(at, 0, entry);
    if (this.#entries.length > MAX_ENTRIES) this.#forgetOldest();
  }

  #remove(entry: Kept): void {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
  }

  #trim(): void {
    let chars = this.#entries.reduce((sum, entry) => sum + charsOf(entry), 0);
    while (chars > MAX_CHARS) chars -= this.#forgetOldest();
  }

  #forgetOldest(): number {
    const oldest = this.#entries.shift();
    this.#forgotten = true;
    return oldest === undefined ? Number.POSITIVE_INFINITY : charsOf(oldest);
  }
}

function charsOf(entry: MemoryEntry): number {
  if (entry.kind === 'tool') return entry.args.length + (entry.result?.length ?? 0);
  return entry.kind === 'keys' ? entry.keys.length : entry.text.length;
}
