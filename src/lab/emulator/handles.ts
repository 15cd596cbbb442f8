/** The handles of a service: which conversation and which moment each stands for, and whether it is still taken. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { Scenario } from '../scenario.ts';
import { Conversation, type Memory } from './conversation.ts';
import type { CloseName } from './faults/close-rows.ts';
import { type Refusal, refusalAs } from './refusal.ts';

interface Handle {
  readonly conversation: Conversation;
  readonly memory: Memory;
  readonly order: number;
}

export type Resumption =
  | { readonly kind: 'resumed'; readonly conversation: Conversation }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const NOT_FOUND: Readonly<Record<BehaviourValues['notFoundCode'], CloseName>> = {
  '1008-session': 'session-not-found',
  '1008-entity': 'entity-not-found',
  '1007-handle': 'handle-invalid',
};

const MAX_CONVERSATIONS = 500;

/** All handles of one service. The oldest are forgotten first when there are too many. */
export class HandleStore {
  readonly #handles = new Map<string, Handle>();
  readonly #newest = new Map<Conversation, number>();
  readonly #limit: number;
  /** The newest ones, for whoever asks what became of them. */
  readonly #conversations = new Map<number, Conversation>();
  #opened = 0;

  constructor(limit = 20_000) {
    this.#limit = limit;
  }

  open(): Conversation {
    const conversation = new Conversation(++this.#opened);
    this.#conversations.set(conversation.id, conversation);
    this.#conversations.delete(conversation.id - MAX_CONVERSATIONS);
    return conversation;
  }

  /** Null for one that is forgotten, or never was. */
  conversation(id: number): Conversation | null {
    return this.#conversations.get(id) ?? null;
  }

  /** Which scenario the handle's conversation plays; null for a handle that is not known. */
  scenarioOf(handle: string): Scenario | null {
    return this.#handles.get(handle)?.conversation.scenario ?? null;
  }

  issue(conversation: Conversation, behaviours: BehaviourValues, name: string): string {
    const order = (this.#newest.get(conversation) ?? 0) + 1;
    this.#newest.set(conversation, order);
    const memory = conversation.checkpoint(
      behaviours.handleHoldsOpenUtterance,
      behaviours.handleWhileCallWaits === 'keeps',
    );
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
      const detail = 'setup.sessionResumption.handle: not known';
      return { kind: 'refused', refusal: refusalAs(NOT_FOUND[behaviours.notFoundCode], detail) };
    }
    const { conversation } = found;
    if (behaviours.oldSocketOpenRefused && nowMs < conversation.openUntilMs) {
      const detail = 'setup.sessionResumption.handle: its connection is still open';
      // The text of this one has not been published.
      return { kind: 'refused', refusal: refusalAs('internal', detail) };
    }
    conversation.returnTo(found.memory);
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
