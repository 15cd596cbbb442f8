/** The faults of one connection: told what happens, it sets off what strikes the connection and hands out the rest. */
import type { Agenda } from '../agenda.ts';
import type { EmulatorRecord } from '../record.ts';
import { type Fault, isSudden, type SuddenFault } from './catalogue.ts';
import type { FaultRun } from './fault-run.ts';
import type { Happening } from './moment.ts';

export interface SessionFaultsContext {
  readonly run: FaultRun;
  readonly record: EmulatorRecord;
  readonly agenda: Agenda;
  strike(fault: SuddenFault, nowMs: number): void;
}

export class SessionFaults {
  readonly #context: SessionFaultsContext;

  constructor(context: SessionFaultsContext, nowMs: number) {
    this.#context = context;
    const { agenda, run } = context;
    for (const { fault, dueMs } of run.ahead(nowMs)) {
      agenda.at(dueMs, 'fault', (atMs) => {
        if (run.claim(fault)) this.#strike(fault, atMs);
      });
    }
  }

  /**
   * Something has happened once more. What strikes the connection is under way; the answer is what changes the thing
   * itself, to be noted when it does.
   */
  happens(kind: Happening, nowMs: number): readonly Fault[] {
    const struck = this.#context.run.happens(kind, nowMs);
    for (const fault of struck) {
      if (!isSudden(fault)) continue;
      this.#context.agenda.at(nowMs + fault.afterMs, 'fault', (atMs) => this.#strike(fault, atMs));
    }
    return struck.filter((fault) => !isSudden(fault));
  }

  /** Puts a fault on record, for tests to compare with what the client made of it. */
  note(fault: Fault, nowMs: number): void {
    const { record } = this.#context;
    const { at, fault: name, times: _times, share: _share, ...params } = fault;
    record.note(record.faults, { atMs: nowMs, at: at.text, fault: name, params });
  }

  #strike(fault: SuddenFault, nowMs: number): void {
    this.note(fault, nowMs);
    this.#context.strike(fault, nowMs);
  }
}
