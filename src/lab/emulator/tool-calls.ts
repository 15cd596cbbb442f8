/** Calls to the client's functions that wait for a response: they are a part of what the session remembers. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { PlannedCall, Reply } from '../scenario.ts';
import type { FunctionResponse } from './client-message.ts';
import { randomDigits } from './random.ts';

interface WaitingCall {
  readonly blocking: boolean;
  readonly followUp: Reply | null;
  readonly cancelledLate: boolean;
}

/** By id. Never changed, so that a handle can stand for it. */
export type WaitingCalls = ReadonlyMap<string, WaitingCall>;

/** What faults do to the calls of one message. */
export interface CallEffects {
  /** What stands in the place of every call's arguments. */
  readonly args?: { readonly value: unknown };
  /** They are cancelled when they have been answered. */
  readonly cancelledLate?: boolean;
}

export type Answered =
  | { readonly kind: 'unknown' | 'late' | 'partial' }
  | { readonly kind: 'blocking'; readonly followUp: Reply | null }
  | {
      readonly kind: 'non-blocking';
      readonly followUp: Reply | null;
      readonly scheduling: 'INTERRUPT' | 'WHEN_IDLE' | 'SILENT';
    };

/** A client that answers late must not be taken for one that makes ids up; so many of them are remembered. */
const REMEMBERED_IDS = 256;

export class ToolCalls {
  readonly #memory: { waitingCalls: WaitingCalls };
  readonly #settled = new Set<string>();

  constructor(memory: { waitingCalls: WaitingCalls }) {
    this.#memory = memory;
  }

  get pending(): boolean {
    return this.#memory.waitingCalls.size > 0;
  }

  get blockingPending(): boolean {
    for (const call of this.#memory.waitingCalls.values()) if (call.blocking) return true;
    return false;
  }

  /** Makes the message of one `toolCall`. Ids look like `function-call-5831923424298605773`, as in recordings. */
  open(
    calls: readonly (PlannedCall & { readonly blocking: boolean })[],
    random: () => number,
    effects: CallEffects = {},
  ): object {
    const waiting = new Map(this.#memory.waitingCalls);
    const functionCalls = calls.map((call) => {
      const id = `function-call-${randomDigits(random, 19)}`;
      const { cancelledLate = false } = effects;
      waiting.set(id, { blocking: call.blocking, followUp: call.followUp, cancelledLate });
      return { id, name: call.name, args: effects.args === undefined ? call.args : effects.args.value };
    });
    this.#memory.waitingCalls = waiting;
    return { toolCall: { functionCalls } };
  }

  answer(response: FunctionResponse, behaviours: BehaviourValues): Answered {
    const call = this.#memory.waitingCalls.get(response.id);
    if (call === undefined) return { kind: this.#settled.has(response.id) ? 'late' : 'unknown' };
    if (response.willContinue === true) return { kind: 'partial' };
    this.#settle(response.id);
    if (call.blocking) return { kind: 'blocking', followUp: call.followUp };
    return { kind: 'non-blocking', followUp: call.followUp, scheduling: schedulingOf(response, behaviours) };
  }

  /** Whether a call that waits will be cancelled once it has been answered. */
  isCancelledLate(id: string): boolean {
    return this.#memory.waitingCalls.get(id)?.cancelledLate ?? false;
  }

  /** Gives up the blocking calls, as a turn that is broken off does; the ids for `toolCallCancellation`. */
  cancelBlocking(): string[] {
    const ids = [...this.#memory.waitingCalls].filter(([, call]) => call.blocking).map(([id]) => id);
    for (const id of ids) this.#settle(id);
    return ids;
  }

  #settle(id: string): void {
    const waiting = new Map(this.#memory.waitingCalls);
    waiting.delete(id);
    this.#memory.waitingCalls = waiting;
    this.#settled.add(id);
    if (this.#settled.size > REMEMBERED_IDS) this.#settled.delete(this.#settled.values().next().value!);
  }
}

/** Beside `response` in the SDK's type, inside it in the guides. */
export function schedulingOf(
  response: FunctionResponse,
  behaviours: Pick<BehaviourValues, 'schedulingPlace'>,
): 'INTERRUPT' | 'WHEN_IDLE' | 'SILENT' {
  const place = behaviours.schedulingPlace;
  const beside = place === 'inside' ? undefined : response.scheduling;
  const inside = place === 'beside' ? undefined : response.response?.['scheduling'];
  const given = beside ?? inside;
  return given === 'INTERRUPT' || given === 'SILENT' ? given : 'WHEN_IDLE';
}
