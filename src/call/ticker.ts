/**
 * One ticker for all calls. Twenty milliseconds are cut into ten phase slots, and each call is served in one of them,
 * so that calls do not write in bunches: with one tick for all, the last call of each bunch waits for all others.
 */
import type { Clock, Timer } from '../clock.ts';
import { messageOf } from '../errors.ts';

export const TICK_MS = 20;
const SLOTS = 10;
const SLOT_MS = TICK_MS / SLOTS;

export interface Ticked {
  /** Called every 20 ms, with the clock. When the process was stalled it is called once, not once per missed tick. */
  tick(nowMs: number): void;
}

/** One membership. */
interface Seat {
  readonly member: Ticked;
}

export class Ticker {
  readonly #clock: Clock;
  readonly #onFault: (detail: string) => void;
  /** Sets, because members leave and join while their slot is served: none may be served twice for it, or after it left. */
  readonly #slots: Set<Seat>[] = Array.from({ length: SLOTS }, () => new Set());
  #members = 0;
  #timer: Timer | null = null;
  /** While it runs, the slots' service arms the next timer itself. */
  #serving = false;
  /** Number of the next slot to serve, counted since `#originMs`. */
  #nextSlot = 0;
  #originMs = 0;

  constructor(clock: Clock, onFault: (detail: string) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  /** Serves `member` from the next tick on, in the emptiest slot, until the returned function is called. */
  add(member: Ticked): () => void {
    const slot = this.#slots.reduce((least, each) => (each.size < least.size ? each : least));
    const seat: Seat = { member };
    slot.add(seat);
    this.#members += 1;
    if (this.#timer === null && !this.#serving) this.#start();
    return () => {
      if (!slot.delete(seat)) return;
      this.#members -= 1;
      if (this.#members === 0) this.#stop();
    };
  }

  get members(): number {
    return this.#members;
  }

  #start(): void {
    this.#originMs = this.#clock.now();
    this.#nextSlot = 1;
    this.#arm();
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    // Deadlines are absolute: a late timer does not push the following ones back.
    while (this.#slots[this.#nextSlot % SLOTS]?.size === 0) this.#nextSlot += 1;
    const dueMs = this.#originMs + this.#nextSlot * SLOT_MS;
    this.#timer = this.#clock.setTimer(Math.max(0, dueMs - this.#clock.now()), this.#onTimer);
  }

  readonly #onTimer = (): void => {
    this.#serving = true;
    this.#timer = null;
    const dueSlot = Math.floor((this.#clock.now() - this.#originMs) / SLOT_MS);
    // After a stall of more than a period every slot is served once; what was missed is not made up.
    let slot = Math.max(this.#nextSlot, dueSlot - SLOTS + 1);
    for (; slot <= dueSlot; slot++) this.#serve(this.#slots[slot % SLOTS] as Set<Seat>);
    this.#nextSlot = slot;
    this.#serving = false;
    if (this.#members > 0) this.#arm();
  };

  #serve(slot: Set<Seat>): void {
    const nowMs = this.#clock.now();
    for (const { member } of slot) {
      try {
        member.tick(nowMs);
      } catch (caught) {
        this.#onFault(messageOf(caught));
      }
    }
  }
}
