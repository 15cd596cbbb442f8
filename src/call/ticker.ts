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

export class Ticker {
  readonly #clock: Clock;
  readonly #onFault: (detail: string) => void;
  readonly #slots: Ticked[][] = Array.from({ length: SLOTS }, () => []);
  #members = 0;
  #timer: Timer | null = null;
  /** Number of the next slot to serve, counted since `#originMs`. */
  #nextSlot = 0;
  #originMs = 0;

  constructor(clock: Clock, onFault: (detail: string) => void) {
    this.#clock = clock;
    this.#onFault = onFault;
  }

  /** Serves `member` from the next tick on, in the emptiest slot, until the returned function is called. */
  add(member: Ticked): () => void {
    const slot = this.#slots.reduce((least, each) => (each.length < least.length ? each : least));
    slot.push(member);
    this.#members += 1;
    if (this.#timer === null) this.#start();
    return () => {
      const index = slot.indexOf(member);
      if (index === -1) return;
      slot.splice(index, 1);
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
    while (this.#slots[this.#nextSlot % SLOTS]?.length === 0) this.#nextSlot += 1;
    const dueMs = this.#originMs + this.#nextSlot * SLOT_MS;
    this.#timer = this.#clock.setTimer(Math.max(0, dueMs - this.#clock.now()), this.#onTimer);
  }

  readonly #onTimer = (): void => {
    const nowMs = this.#clock.now();
    const dueSlot = Math.floor((nowMs - this.#originMs) / SLOT_MS);
    // After a stall of more than a period every slot is served once; what was missed is not made up.
    let slot = Math.max(this.#nextSlot, dueSlot - SLOTS + 1);
    for (; slot <= dueSlot; slot++) this.#serve(this.#slots[slot % SLOTS] as Ticked[]);
    this.#nextSlot = Math.max(slot, this.#nextSlot);
    if (this.#members > 0) this.#arm();
    else this.#timer = null;
  };

  #serve(slot: Ticked[]): void {
    const nowMs = this.#clock.now();
    // Backwards, because a member may leave while it is served.
    for (let i = slot.length - 1; i >= 0; i--) {
      const member = slot[i];
      if (member === undefined) continue;
      try {
        member.tick(nowMs);
      } catch (caught) {
        this.#onFault(messageOf(caught));
      }
    }
  }
}
