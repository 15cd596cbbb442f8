/** What the service remembers of a session: it outlives connections, and a handle brings back the state it was given at. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { AudioChunk } from './chunks.ts';
import type { Refusal } from './refusal.ts';
import { CONTEXT_WINDOW_TOKENS } from './validate-setup.ts';

/** Audio costs 25 tokens a second in both directions, text about one for four letters (guides). */
export const AUDIO_TOKENS_PER_MS = 0.025;
export const textTokens = (text: string): number => Math.ceil(text.length / 4);

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
}

export class Conversation {
  readonly id: number;
  /** How long it has been connected, over all connections that have ended. */
  spentMs = 0;
  memory: Memory = {
    answered: 0,
    heardFragments: 0,
    texts: 0,
    seededTurns: 0,
    contextTokens: 0,
    openUtterance: false,
  };
  /** Audio of the answer that the last connection was cut off from. */
  undelivered: readonly AudioChunk[] = [];
  /** Until when the service takes the last connection for open. */
  openUntilMs = Number.POSITIVE_INFINITY;
  endedAtMs: number | null = null;
  /** How often it was taken up: an old connection that ends late must not end the new one's hold. */
  epoch = 0;

  constructor(id: number) {
    this.id = id;
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

interface Handle {
  readonly conversation: Conversation;
  readonly memory: Memory;
  readonly order: number;
}

export type Resumption =
  | { readonly kind: 'resumed'; readonly conversation: Conversation }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const NOT_FOUND: Readonly<Record<BehaviourValues['notFoundCode'], readonly [number, string]>> = {
  '1008-session': [1008, 'BidiGenerateContent session not found'],
  '1008-entity': [1008, 'Requested entity was not found.'],
  '1007-handle': [1007, 'Invalid session handle'],
};

/** All handles of one service. The oldest are forgotten first when there are too many. */
export class HandleStore {
  readonly #handles = new Map<string, Handle>();
  readonly #newest = new Map<Conversation, number>();
  readonly #limit: number;
  #conversations = 0;

  constructor(limit = 20_000) {
    this.#limit = limit;
  }

  open(): Conversation {
    return new Conversation(++this.#conversations);
  }

  issue(conversation: Conversation, behaviours: BehaviourValues, name: string): string {
    const order = (this.#newest.get(conversation) ?? 0) + 1;
    this.#newest.set(conversation, order);
    const memory = { ...conversation.memory };
    if (!behaviours.handleHoldsOpenUtterance) memory.openUtterance = false;
    const handle = `offhook-emulator-${conversation.id}-${order}-${name}`;
    this.#handles.set(handle, { conversation, memory, order });
    if (this.#handles.size > this.#limit) this.#forgetOldest();
    return handle;
  }

  resume(handle: string, behaviours: BehaviourValues, nowMs: number): Resumption {
    const found = this.#handles.get(handle);
    const newest = found === undefined ? 0 : this.#newest.get(found.conversation)!;
    const reach = { all: Number.POSITIVE_INFINITY, 'last-two': 2, newest: 1 }[
      behaviours.earlierHandlesUsable
    ];
    const endedAtMs = found?.conversation.endedAtMs ?? nowMs;
    if (
      found === undefined ||
      newest - found.order >= reach ||
      nowMs - endedAtMs > behaviours.handleLifetimeMs
    ) {
      const [code, reason] = NOT_FOUND[behaviours.notFoundCode];
      return {
        kind: 'refused',
        refusal: { code, reason, detail: 'setup.sessionResumption.handle: not known' },
      };
    }
    const { conversation } = found;
    if (behaviours.oldSocketOpenRefused && nowMs < conversation.openUntilMs) {
      const detail = 'setup.sessionResumption.handle: its connection is still open';
      return { kind: 'refused', refusal: { code: 1011, reason: 'Internal error encountered.', detail } };
    }
    conversation.memory = { ...found.memory };
    if (!behaviours.resumeKeepsSeededHistory) conversation.memory.seededTurns = 0;
    if (!behaviours.resumeReplaysUndelivered) conversation.undelivered = [];
    conversation.openUntilMs = Number.POSITIVE_INFINITY;
    conversation.endedAtMs = null;
    conversation.epoch++;
    return { kind: 'resumed', conversation };
  }

  #forgetOldest(): void {
    const [name, oldest] = this.#handles.entries().next().value!;
    this.#handles.delete(name);
    if (this.#newest.get(oldest.conversation) === oldest.order) this.#newest.delete(oldest.conversation);
  }
}
