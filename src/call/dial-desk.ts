/**
 * The rules of calls that we place, and the memory of those that have not been answered yet. Pure: time and names are
 * handed in, and nobody is called from here.
 */
import type { CarrierId } from '../carriers/carrier.ts';

/** How long it rings. */
export const RING_SECONDS = 45;
/** An answered call is announced by then: ringing, and what the carrier's API and its webhook take. */
export const PENDING_MS = (RING_SECONDS + 30) * 1000;
/** All destinations together get so many times what one of them may get. */
export const DESTINATIONS_PER_HOUR = 60;
const HOUR_MS = 3_600_000;
/** A country code, and seven to fifteen digits in all. */
const E164 = /^\+[1-9]\d{6,14}$/;

export interface DialRules {
  /** E.164 numbers, and prefixes that end in `*`. Empty: nobody may be called. */
  readonly allow: readonly string[];
  /** Calls to one destination in any hour, answered or not. */
  readonly perHour: number;
}

export interface DialOrder {
  readonly carrier: CarrierId;
  readonly bot: string;
  readonly from: string;
  readonly to: string;
  readonly detectMachine: boolean;
}

/** Who has answered, as far as the carrier can tell. */
export type Answerer = 'person' | 'machine' | 'unknown';

export type DialRefusal = {
  readonly why: 'invalid' | 'not-allowed' | 'too-many';
  /** What was found and what was wanted. Holds numbers: for whoever asked, not for the log. */
  readonly detail: string;
};

interface Pending {
  readonly order: DialOrder;
  readonly untilMs: number;
  /** The carrier's name of the call, once it has one. */
  callId: string | null;
  /** False when the carrier would not say that it has placed the call. It may have, all the same. */
  isPlaced: boolean;
  answerer: Answerer | null;
}

/** A call that may be answered now. */
export interface Awaited extends DialOrder {
  /** A place among the calls is kept for it. */
  readonly hasPlace: boolean;
  /** Null: nothing is known yet. */
  readonly answerer: Answerer | null;
}

export class DialDesk {
  readonly #rules: DialRules;
  readonly #pending = new Map<string, Pending>();
  /** Of the last hour, oldest first; the rule for all destinations bounds it. */
  readonly #placed: { readonly to: string; readonly atMs: number }[] = [];

  constructor(rules: DialRules) {
    this.#rules = rules;
  }

  /** Checks an order, counts it and remembers it under `ref`. Null: it may be placed. */
  order(ref: string, order: DialOrder, nowMs: number): DialRefusal | null {
    const refusal = this.#judge(order, nowMs);
    if (refusal !== null) return refusal;
    this.#placed.push({ to: order.to, atMs: nowMs });
    const untilMs = nowMs + PENDING_MS;
    this.#pending.set(ref, { order, untilMs, callId: null, isPlaced: true, answerer: null });
    return null;
  }

  /** The carrier has placed it. */
  placed(ref: string, callId: string): void {
    const pending = this.#pending.get(ref);
    if (pending !== undefined) pending.callId = callId;
  }

  /** The carrier has not placed it, or its answer was lost: no place is kept for it, but who answers is not turned away. */
  failed(ref: string): void {
    const pending = this.#pending.get(ref);
    if (pending !== undefined) pending.isPlaced = false;
  }

  /** The call that was placed as `ref` and has not been answered yet, or null. */
  find(ref: string, carrier: CarrierId, nowMs: number): Awaited | null {
    const pending = this.#pending.get(ref);
    if (pending === undefined || pending.untilMs <= nowMs || pending.order.carrier !== carrier) return null;
    return { ...pending.order, hasPlace: pending.isPlaced, answerer: pending.answerer };
  }

  /** It was answered: its ref is good for nothing more. */
  consume(ref: string): void {
    this.#pending.delete(ref);
  }

  /** The carrier says that a call of its own has ended; nobody will answer it any more. */
  ended(carrier: CarrierId, callId: string): void {
    for (const [ref, pending] of this.#pending) if (isOf(pending, carrier, callId)) this.#pending.delete(ref);
  }

  /** The carrier has found out who answered before it has announced the answered call. */
  answeredBy(carrier: CarrierId, callId: string, by: Answerer): void {
    for (const pending of this.#pending.values()) if (isOf(pending, carrier, callId)) pending.answerer ??= by;
  }

  /** Calls that ring, each of which will need a place when it is answered. */
  ringing(nowMs: number): number {
    this.#forgetOld(nowMs);
    let ringing = 0;
    for (const { isPlaced } of this.#pending.values()) if (isPlaced) ringing += 1;
    return ringing;
  }

  #judge({ from, to }: DialOrder, nowMs: number): DialRefusal | null {
    for (const [name, number] of Object.entries({ from, to }))
      if (!E164.test(number))
        return { why: 'invalid', detail: `${name} is "${number}": wanted E.164, such as +15551230001.` };
    if (!this.#rules.allow.some((allowed) => covers(allowed, to))) {
      const found = this.#rules.allow.length === 0 ? 'is empty' : 'does not name it';
      return {
        why: 'not-allowed',
        detail: `to is "${to}", and DIAL_ALLOW ${found}: wanted a number that it names.`,
      };
    }
    this.#forgetOld(nowMs);
    const { perHour } = this.#rules;
    if (this.#placed.length >= perHour * DESTINATIONS_PER_HOUR) {
      const detail = `${this.#placed.length} calls were placed within the last hour: wanted at most ${DESTINATIONS_PER_HOUR} times DIAL_PER_HOUR, "${perHour}".`;
      return { why: 'too-many', detail };
    }
    const before = this.#placed.filter((placed) => placed.to === to).length;
    if (before < perHour) return null;
    const detail = `to is "${to}", which was called "${before}" times within the last hour: wanted at most DIAL_PER_HOUR, "${perHour}".`;
    return { why: 'too-many', detail };
  }

  #forgetOld(nowMs: number): void {
    const young = this.#placed.findIndex(({ atMs }) => nowMs - atMs < HOUR_MS);
    this.#placed.splice(0, young === -1 ? this.#placed.length : young);
    for (const [ref, { untilMs }] of this.#pending) if (untilMs <= nowMs) this.#pending.delete(ref);
  }
}

function isOf(pending: Pending, carrier: CarrierId, callId: string): boolean {
  return pending.callId === callId && pending.order.carrier === carrier;
}

function covers(allowed: string, to: string): boolean {
  return allowed.endsWith('*') ? to.startsWith(allowed.slice(0, -1)) : to === allowed;
}
