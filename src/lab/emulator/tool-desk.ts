/** The client's functions in a conversation: what is called, and what comes of its responses. */
import type { Reply } from '../scenario.ts';
import type { Agenda } from './agenda.ts';
import type { FunctionResponse } from './client-message.ts';
import type { Conversation } from './conversation.ts';
import type { SessionFaults } from './faults/session-faults.ts';
import type { EmulatorRecord } from './record.ts';
import { invalid, type Refusal, refusalAs } from './refusal.ts';
import { type CallEffects, ToolCalls } from './tool-calls.ts';
import type { AcceptedSetup } from './validate-setup.ts';

export interface ToolDeskContext {
  readonly setup: AcceptedSetup;
  readonly conversation: Conversation;
  readonly agenda: Agenda;
  readonly faults: SessionFaults;
  readonly record: EmulatorRecord;
  send(message: object, nowMs: number): void;
}

export type Taken =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | {
      readonly kind: 'taken';
      /** False for an id that nobody waits for, and for a part of a response. */
      readonly settled: boolean;
      /** What the model says about it, of its own accord. */
      readonly note: Reply | null;
      readonly interrupts: boolean;
    };

/** From a response to the cancellation that comes too late for it. */
const LATE_CANCELLATION_MS = 200;

export class ToolDesk {
  readonly #context: ToolDeskContext;
  readonly calls: ToolCalls;
  #followUps: Reply[] = [];

  constructor(context: ToolDeskContext) {
    this.#context = context;
    this.calls = new ToolCalls(context.conversation.memory);
  }

  /** What the answered calls of the turn that waits make the model say; only once. */
  takeFollowUps(): readonly Reply[] {
    return this.#followUps.splice(0);
  }

  /** Functions are about to be called. */
  callEffects(nowMs: number): CallEffects {
    const { faults } = this.#context;
    const struck = faults.happens('tool', nowMs);
    for (const fault of struck) faults.note(fault, nowMs);
    const malformed = struck.find((fault) => fault.fault === 'malformed-args');
    return {
      ...(malformed === undefined ? {} : { args: { value: malformed.args } }),
      cancelledLate: struck.some((fault) => fault.fault === 'late-cancellation'),
    };
  }

  take(response: FunctionResponse, nowMs: number): Taken {
    const { record, setup } = this.#context;
    const scheduled = response.scheduling !== undefined || response.response?.['scheduling'] !== undefined;
    if (scheduled && !setup.profile.scheduling) {
      const detail = `toolResponse with scheduling for "${response.id}"`;
      return { kind: 'refused', refusal: refusalAs('scheduling', detail) };
    }
    const cancelledLate = this.calls.isCancelledLate(response.id);
    const answered = this.calls.answer(response, setup.behaviours);
    record.note(record.toolResponses, {
      atMs: nowMs,
      id: response.id,
      outcome: answered.kind,
      response: response.response ?? {},
    });
    if (answered.kind === 'unknown' && setup.behaviours.unknownToolId === 'close-1007') {
      const refusal = invalid(`toolResponse with the unknown id "${response.id}"`);
      return { kind: 'refused', refusal };
    }
    const settled = answered.kind === 'blocking' || answered.kind === 'non-blocking';
    if (settled && cancelledLate) this.#cancelLate(response.id, nowMs);
    if (answered.kind === 'blocking' && answered.followUp !== null) this.#followUps.push(answered.followUp);
    if (answered.kind !== 'non-blocking' || answered.followUp === null || answered.scheduling === 'SILENT') {
      return { kind: 'taken', settled, note: null, interrupts: false };
    }
    const interrupts = answered.scheduling === 'INTERRUPT';
    return { kind: 'taken', settled, note: answered.followUp, interrupts };
  }

  #cancelLate(id: string, nowMs: number): void {
    const { agenda, send } = this.#context;
    agenda.at(nowMs + LATE_CANCELLATION_MS, 'trailing', (atMs) =>
      send({ toolCallCancellation: { ids: [id] } }, atMs),
    );
  }
}
