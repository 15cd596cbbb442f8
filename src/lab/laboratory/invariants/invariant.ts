/** A sentence that must hold for every call, and what speaks against it. */
import type { LabCall } from '../lab-call.ts';

export interface Broken {
  /** Virtual milliseconds since the call rang; null: of the call as a whole. */
  readonly atMs: number | null;
  readonly detail: string;
}

export interface Invariant {
  readonly name: string;
  /** For people. */
  readonly sentence: string;
  /** Of a call that has ended. */
  check(call: LabCall): readonly Broken[];
}
