/** What the service remembers of a session: it outlives connections, and a handle brings back the state it was given at. */
import type { Scenario } from '../scenario.ts';
import type { AudioChunk } from './chunks.ts';
import type { WaitingCalls } from './tool-calls.ts';
import { CONTEXT_WINDOW_TOKENS } from './validate-setup.ts';

/** Audio costs 25 tokens a second in both directions, text about one for four letters (guides). */
export const AUDIO_TOKENS_PER_MS = 0.025;
export const textTokens = (text: string): number => Math.ceil(text.length / 4);

const MAX_HISTORY = 10_000;

/** Everything that goes back in time when a handle is used. */
export interface Memory {
  /** Utterances answered so far. */
  answered: number;
  /** Pieces of the transcript of the utterance in hand that were sent before its answer was broken off. */
  heardFragments: number;
  /** Texts that came from the client's side. */
  texts: number;
  /** Turns that clientContent put in before the conversation began. */
  seededTurns: number;
  contextTokens: number;
  openUtterance: boolean;
  /** Calls to the client's functions that have not been answered. */
  waitingCalls: WaitingCalls;
  /** How much of the caller's audio is in it, at 16 kHz, and how many entries of the history. */
  heardSamples: number;
  historyLength: number;
}

export interface HistoryEntry {
  readonly atMs: number;
  /** Number of the connection. */
  readonly session: number;
  readonly who: 'client' | 'caller' | 'model' | 'tool';
  /** A text of the client, what the caller is said to have said, what the model said, the id of a response. */
  readonly text: string;
}

/** A stretch of one connection's audio, in samples from its beginning. */
export interface HeardSpan {
  readonly session: number;
  readonly from: number;
  to: number;
}

const nothing = (): Memory => ({
  answered: 0,
  heardFragments: 0,
  texts: 0,
  seededTurns: 0,
  contextTokens: 0,
  openUtterance: false,
  waitingCalls: new Map(),
  heardSamples: 0,
  historyLength: 0,
});

export class Conversation {
  readonly id: number;
  /** What it began with stays with it over all its connections. */
  scenario: Scenario | null = null;
  /** How long it has been connected, over all connections that have ended. */
  spentMs = 0;
  memory: Memory = nothing();
  /** Audio of the answer that the last connection was cut off from. */
  undelivered: readonly AudioChunk[] = [];
  /** Until when the service takes the last connection for open. */
  openUntilMs = Number.POSITIVE_INFINITY;
  endedAtMs: number | null = null;
  /** How often it was taken up: an old connection that ends late must not end the new one's hold. */
  epoch = 0;
  /** A fault: it listens and never speaks again. */
  poisoned = false;
  /** Where the open utterance began in what was heard. */
  #utteranceFrom = 0;
  readonly #history: HistoryEntry[] = [];
  readonly #heard: HeardSpan[] = [];

  constructor(id: number) {
    this.id = id;
  }

  /** What the service knows to have been said, cut back at every resumption to the handle's moment. */
  get history(): readonly HistoryEntry[] {
    return this.#history;
  }

  /** The caller's audio as the service knows it: cut back likewise, and what arrives then is put behind it. */
  get heard(): readonly HeardSpan[] {
    return this.#heard;
  }

  note(entry: HistoryEntry): void {
    if (this.#history.length >= MAX_HISTORY) return;
    this.#history.push(entry);
    this.memory.historyLength = this.#history.length;
  }

  /** @param before how many samples this connection had received already */
  hear(session: number, before: number, samples: number): void {
    const last = this.#heard.at(-1);
    if (last?.session === session && last.to === before) last.to += samples;
    else if (this.#heard.length < MAX_HISTORY)
      this.#heard.push({ session, from: before, to: before + samples });
    this.memory.heardSamples += samples;
  }

  /** @param agoSamples how much of what was heard belongs to the utterance that has been recognised now */
  openUtterance(agoSamples: number): void {
    this.memory.openUtterance = true;
    this.#utteranceFrom = Math.max(0, this.memory.heardSamples - agoSamples);
  }

  /** The state that a handle stands for. */
  checkpoint(holdsOpenUtterance: boolean, holdsWaitingCalls: boolean): Memory {
    const memory = { ...this.memory };
    if (!holdsWaitingCalls) memory.waitingCalls = new Map();
    if (memory.openUtterance && !holdsOpenUtterance) {
      memory.openUtterance = false;
      memory.heardSamples = this.#utteranceFrom;
    }
    return memory;
  }

  /** Goes back to a checkpoint: what came after it has never been said. */
  returnTo(memory: Memory): void {
    this.memory = { ...memory };
    this.#history.splice(memory.historyLength);
    this.memory.historyLength = this.#history.length;
    let left = memory.heardSamples;
    for (const [index, span] of this.#heard.entries()) {
      span.to = Math.min(span.to, span.from + left);
      left -= span.to - span.from;
      if (left > 0) continue;
      this.#heard.splice(index + (span.to > span.from ? 1 : 0));
      break;
    }
    this.memory.heardSamples = memory.heardSamples - left;
  }

  /** A fault: the session is there, and all that was said is gone. */
  forget(): void {
    this.returnTo(nothing());
  }

  /** Shortens the context where that was asked for. Answers what is to happen: nothing, a pause, or the end. */
  checkContext(
    compression: { readonly triggerTokens: number; readonly targetTokens: number } | null,
    works: boolean,
  ): 'fits' | 'compressed' | 'overflow' {
    if (compression !== null && works && this.memory.contextTokens > compression.triggerTokens) {
      this.memory.contextTokens = compression.targetTokens;
      return 'compressed';
    }
    return this.memory.contextTokens > CONTEXT_WINDOW_TOKENS ? 'overflow' : 'fits';
  }
}
