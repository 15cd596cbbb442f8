/** Which faults strike when: counts what happens over all connections that play the same scenario. */
import { seededRandom } from '../random.ts';
import { type Fault, isSudden, type SuddenFault, stageOf } from './catalogue.ts';
import type { Happening } from './moment.ts';

export class FaultRun {
  readonly #faults: readonly Fault[];
  readonly #random: () => number;
  readonly #startedAtMs: number;
  readonly #counts = new Map<Happening, number>();
  /** How often a fault that waits for a second has had its chance. */
  readonly #chances = new Map<Fault, number>();

  constructor(faults: readonly Fault[], seed: number, startedAtMs: number) {
    this.#faults = faults;
    this.#random = seededRandom(seed * 104_729 + 17);
    this.#startedAtMs = startedAtMs;
  }

  /** Something has happened once more; the faults that strike it. */
  happens(kind: Happening, nowMs: number): readonly Fault[] {
    if (this.#faults.length === 0) return this.#faults;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    return this.#faults.filter((fault) => {
      const { at } = fault;
      const due =
        at.kind === 'second'
          ? stageOf(fault) === kind && this.#isDue(fault, nowMs)
          : at.kind === kind && count >= at.n && count < at.n + timesOf(fault);
      return due && this.#chance(fault);
    });
  }

  /** Faults that strike whichever connection is open at their second, from now on. */
  ahead(nowMs: number): readonly { readonly fault: SuddenFault; readonly dueMs: number }[] {
    return this.#faults.filter(isSudden).flatMap((fault) => {
      if (fault.at.kind !== 'second') return [];
      const dueMs = this.#startedAtMs + fault.at.offsetMs + fault.afterMs;
      return dueMs < nowMs || this.#chances.has(fault) ? [] : [{ fault, dueMs }];
    });
  }

  /** Its second has come on one connection; false when another one has had it, or chance spares it. */
  claim(fault: SuddenFault): boolean {
    if (this.#chances.has(fault)) return false;
    this.#chances.set(fault, 1);
    return this.#chance(fault);
  }

  #isDue(fault: Fault, nowMs: number): boolean {
    if (fault.at.kind !== 'second') return false;
    const sinceMs = nowMs - this.#startedAtMs - fault.at.offsetMs;
    if (sinceMs < 0) return false;
    if (fault.fault === 'refuse') return sinceMs < fault.forMs;
    const had = this.#chances.get(fault) ?? 0;
    this.#chances.set(fault, had + 1);
    return had < timesOf(fault);
  }

  #chance(fault: Fault): boolean {
    return fault.share >= 1 || this.#random() < fault.share;
  }
}

const timesOf = (fault: Fault): number => (fault.times === 'always' ? Number.POSITIVE_INFINITY : fault.times);
