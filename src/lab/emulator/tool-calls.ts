/** Calls to the client's functions that wait for a response. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { PlannedCall, Reply } from '../scenario.ts';
import type { FunctionResponse } from './client-message.ts';
import { randomDigits } from './random.ts';

interface PendingCall {
  readonly blocking: boolean;
  readonly followUp: Reply | null;
  readonly cancelledLate: boolean;
}

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
  readonly #pending = new Map<string, PendingCall>();
  readonly #settled = new Set<string>();

  get blockingPending(): boolean {
    for (const call of this.#pending.values()) if (call.blocking) return true;
    return false;
  }

  /** Makes the message of one `toolCall`. Ids look like `function-call-5831923424298605773`, as in recordings. */
  open(
    calls: readonly (PlannedCall & { readonly blocking: boolean })[],
    random: () => number,
    effects: CallEffects = {},
  ): object {
    const functionCalls = calls.map((call) => {
      const id = `function-call-${randomDigits(random, 19)}`;
      const { cancelledLate = false } = effects;
      this.#pending.set(id, { blocking: call.blocking, followUp: call.followUp, cancelledLate });
      return { id, name: call.name, args: effects.args === undefined ? call.args : effects.args.value };
    });
    return { toolCall: { functionCalls } };
  }

  answer(response: FunctionResponse, behaviours: BehaviourValues): Answered {
    const call = this.#pending.get(response.id);
    if (call === undefined) return { kind: this.#settled.has(response.id) ? 'late' : 'unknown' };
    if (response.willContinue === true) return { kind: 'partial' };
    this.#settle(response.id);
    if (call.blocking) return { kind: 'blocking', followUp: call.followUp };
    return { kind: 'non-blocking', followUp: call.followUp, scheduling: schedulingOf(response, behaviours) };
  }

  /** Whether a call that waits will be cancelled once it has been answered. */
  isCancelledLate(id: string): boolean {
    return this.#pending.get(id)?.cancelledLate ?? false;
  }

  /** Gives up the blocking calls, as a turn that is broken off does; the ids for `toolCallCancellation`. */
  cancelBlocking(): string[] {
    const ids = [...this.#pending].filter(([, call]) => call.blocking).map(([id]) => id);
    for (const id of ids) this.#settle(id);
    return ids;
  }

  #settle(id: string): void {
    this.#pending.delete(id);
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
