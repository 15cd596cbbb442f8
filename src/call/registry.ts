/** The calls of this process: admits them, finds the one a stream belongs to, drains them. */
import { randomUUID } from 'node:crypto';
import type { BotShelf } from '../bots/load.ts';
import type { CarrierAdapter, CarrierId, DialResult, IncomingCall } from '../carriers/carrier.ts';
import { callKeyOf, checkStreamToken, mintStreamToken } from '../carriers/stream-token.ts';
import type { Timer } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { Call, type CallDeps } from './call.ts';
import type { Admission, CallDesk, CallSummary, DialAsk, DialOutcome, StreamClaim } from './desk.ts';
import { DialDesk, type DialRules, RING_SECONDS } from './dial-desk.ts';
import type { EndReason } from './end-reason.ts';
import { createMemoryHandleStore, type HandleStore } from './handles.ts';
import type { JournalEntry } from './journal.ts';
import { Ticker } from './ticker.ts';

/** What placing calls takes besides the calls themselves. */
export interface Outbound {
  readonly rules: DialRules;
  /** Null for a carrier that is not configured. */
  adapterOf(carrier: string): CarrierAdapter | null;
}

export interface RegistryDeps extends CallDeps {
  readonly bots: BotShelf;
  readonly limits: { readonly maxCalls: number };
  /** Absent: no calls are placed. */
  readonly outbound?: Outbound;
}

interface Known {
  readonly call: Call;
  /** The path of its stream, given again word for word when the webhook is repeated. */
  readonly streamPath: string;
}

const NO_OUTBOUND: Outbound = {
  rules: { allow: [], perHour: 0 },
  adapterOf: () => null,
};
const DRAINED: EndReason = { who: 'operator', how: 'drained', detail: 'the gateway was shut down' };

export class CallRegistry implements CallDesk {
  readonly #deps: RegistryDeps;
  /** By the key of carrier and call id: what a stream token names. */
  readonly #calls = new Map<string, Known>();
  readonly #byRef = new Map<string, Known>();
  readonly #outbound: Outbound;
  readonly #dials: DialDesk;
  #drainingSinceMs: number | null = null;
  #onEmpty: (() => void)[] = [];

  constructor(deps: RegistryDeps) {
    this.#deps = deps;
    this.#outbound = deps.outbound ?? NO_OUTBOUND;
    this.#dials = new DialDesk(this.#outbound.rules);
  }

  get activeCalls(): number {
    return this.#calls.size;
  }

  get pendingStreams(): number {
    let pending = 0;
    for (const { call } of this.#calls.values()) if (call.awaitsStream) pending += 1;
    return pending;
  }

  get capacity(): number {
    return this.#deps.limits.maxCalls;
  }

  get draining(): boolean {
    return this.#drainingSinceMs !== null;
  }

  get drainingForMs(): number | null {
    return this.#drainingSinceMs === null ? null : this.#deps.clock.now() - this.#drainingSinceMs;
  }

  admit(adapter: CarrierAdapter, incoming: IncomingCall): Admission {
    const key = callKeyOf(adapter.id, incoming.callId);
    const known = this.#calls.get(key);
    if (known !== undefined) {
      known.call.arm();
      return { kind: 'admitted', ref: known.call.ref, streamPath: known.streamPath, repeated: true };
    }
    if (this.draining) return { kind: 'refused', reason: 'draining', detail: 'the gateway is shutting down' };
    const nowMs = this.#deps.clock.now();
    const { dialRef } = incoming;
    const order = dialRef === undefined ? null : this.#dials.find(dialRef, adapter.id, nowMs);
    if (dialRef !== undefined && order === null) {
      const detail = 'no call was placed that the carrier could mean, or it was too long ago';
      return { kind: 'refused', reason: 'error', detail };
    }
    const placesKept = this.#dials.ringing(nowMs) - (order?.hasPlace ? 1 : 0);
    if (this.#calls.size + placesKept >= this.capacity) {
      return {
        kind: 'refused',
        reason: 'busy',
        detail: `${this.#calls.size} calls are in progress, and ${placesKept} that were placed ring: the limit`,
      };
    }
    const bot = order === null ? this.#deps.bots.botFor(incoming.to) : this.#deps.bots.byName(order.bot);
    if (bot === null)
      return { kind: 'refused', reason: 'no-bot', detail: 'no bot answers the called number' };

    // Who has asked for a call knows it by the name that it has from then on.
    const ref = order === null || dialRef === undefined ? randomUUID() : dialRef;
    const call = new Call(this.#deps, {
      ref,
      adapter,
      incoming,
      bot,
      awaitsPerson: order?.detectMachine ?? false,
      onEnded: () => this.#forget(key, ref),
    });
    if (dialRef !== undefined) this.#dials.consume(dialRef);
    if (order !== null && order.answerer !== null) call.answeredBy(order.answerer);
    const entry = { call, streamPath: this.#streamPath(adapter, incoming.callId) };
    if (call.finished) return { kind: 'refused', reason: 'error', detail: 'the call could not be set up' };
    this.#calls.set(key, entry);
    this.#byRef.set(ref, entry);
    return { kind: 'admitted', ref, streamPath: entry.streamPath, repeated: false };
  }

  afterStream(
    adapter: CarrierAdapter,
    callId: string,
    outcome: 'answered' | 'unanswered' | null,
  ): ReturnType<CallDesk['afterStream']> {
    const call = this.#calls.get(callKeyOf(adapter.id, callId))?.call;
    if (call === undefined) return { kind: 'hangup' };
    const plan = call.afterStream(outcome);
    if (plan.kind !== 'stream') return plan;
    call.journal.write({ type: 'carrier-event', what: 'another stream was asked for' });
    return { kind: 'stream', call: call.incoming, streamPath: this.#streamPath(adapter, callId) };
  }

  #streamPath(adapter: CarrierAdapter, callId: string): string {
    const token = mintStreamToken({
      carrier: adapter.id,
      callId,
      issuedAtEpochMs: this.#deps.clock.epochMs(),
      secrets: adapter.tokenSecrets,
    });
    return `/${adapter.id}/media/${token}`;
  }

  claimStream(adapter: CarrierAdapter, token: string): StreamClaim {
    const check = checkStreamToken(token, {
      carrier: adapter.id,
      nowEpochMs: this.#deps.clock.epochMs(),
      secrets: adapter.tokenSecrets,
    });
    if (!check.ok) return check;
    const known = this.#calls.get(check.callKey);
    if (known === undefined) return { ok: false, reason: 'unknown-call' };
    const { call } = known;
    if (!call.takesStream) return { ok: false, reason: 'used' };
    return { ok: true, ref: call.ref, attach: (socket) => call.attach(socket) };
  }

  carrierSays(
    adapter: CarrierAdapter,
    callId: string,
    what: 'ended' | 'stream-failed' | 'stream-stopped',
    detail: string,
  ): void {
    const call = this.#calls.get(callKeyOf(adapter.id, callId))?.call;
    if (call === undefined) {
      if (what === 'ended') this.#dials.ended(adapter.id, callId);
      return;
    }
    call.journal.write({ type: 'carrier-event', what });
    // That a stream has stopped, its socket says as well, and says it of the right one. So it does of a stream that has
    // failed once it was there: a late word about one that was replaced must not end the call on the new one.
    if (what === 'stream-stopped' || (what === 'stream-failed' && !call.awaitsStream)) return;
    if (what === 'ended') {
      const reason = 'the carrier says that the call has ended';
      call.carrierEnded({ who: 'caller', how: 'completed', detail: reason });
      return;
    }
    const reason = `the carrier could not open the stream: ${detail}`.slice(0, 200);
    call.streamFailed({ who: 'carrier', how: 'error', detail: reason });
  }

  answeredBy(adapter: CarrierAdapter, callId: string, by: 'person' | 'machine' | 'unknown'): void {
    const call = this.#calls.get(callKeyOf(adapter.id, callId))?.call;
    if (call === undefined) this.#dials.answeredBy(adapter.id, callId, by);
    else call.answeredBy(by);
  }

  async dial({ carrier, from, to, bot: name }: DialAsk): Promise<DialOutcome> {
    const nowMs = this.#deps.clock.now();
    const { bots } = this.#deps;
    const adapter = this.#outbound.adapterOf(carrier);
    if (adapter === null)
      return invalid(`carrier is "${carrier}", which is not configured: wanted one that is.`);
    const { control } = adapter;
    if (control.dial === undefined)
      return invalid(
        `carrier is "${carrier}", which places no calls as it is configured: wanted one that does.`,
      );
    const bot = name === null ? bots.botFor(from) : bots.byName(name);
    if (bot === null)
      return invalid(
        name === null
          ? `bot is not given, and none answers calls to "${from}": wanted the name of a bot.`
          : `bot is "${name}", which does not exist: wanted the name of a bot.`,
      );
    if (this.draining)
      return { ok: false, why: 'draining', detail: 'The gateway is shutting down: wanted one that is not.' };
    const taken = this.#calls.size + this.#dials.ringing(nowMs);
    if (taken >= this.capacity)
      return {
        ok: false,
        why: 'full',
        detail: `"${taken}" calls are in progress or ring: wanted fewer than MAX_CALLS.`,
      };

    const ref = randomUUID();
    const detectMachine = bot.outbound.detectMachine && adapter.capabilities.detectsMachines;
    const order = { carrier: adapter.id, bot: bot.name, from, to, detectMachine };
    const refusal = this.#dials.order(ref, order, nowMs);
    if (refusal !== null) return { ok: false, ...refusal };
    const dialled = await placed(control.dial({ ref, from, to, ringSeconds: RING_SECONDS, detectMachine }));
    if (dialled.ok) {
      this.#dials.placed(ref, dialled.callId);
      return { ok: true, ref, callId: dialled.callId };
    }
    this.#dials.failed(ref);
    return { ...dialled, why: 'carrier' };
  }

  summaries(): readonly CallSummary[] {
    return [...this.#calls.values()].map(({ call }) => ({
      ref: call.ref,
      carrier: call.adapter.id satisfies CarrierId,
      bot: call.bot.name,
      state: call.state,
      durationMs: call.durationMs,
    }));
  }

  /** The newest journal entries of a call in progress, or null. */
  journalOf(ref: string): readonly JournalEntry[] | null {
    return this.#byRef.get(ref)?.call.journal.entries() ?? null;
  }

  end(ref: string, reason: EndReason): boolean {
    const known = this.#byRef.get(ref);
    known?.call.end(reason);
    return known !== undefined;
  }

  beginDrain(): void {
    this.#drainingSinceMs ??= this.#deps.clock.now();
  }

  /** The rest of the calls, ended at the deadline, have their own teardown; it is waited for, but not longer than it takes. */
  async drained(deadlineMs: number): Promise<void> {
    this.beginDrain();
    if (this.#calls.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty.push(resolve);
    });
    await this.#orLater(empty, deadlineMs);
    if (deadlineMs > 0) {
      this.#endAll(true);
      await this.#orLater(empty, FAREWELL_MS);
    }
    this.#endAll(false);
    await this.#orLater(empty, TEARDOWN_MS);
  }

  #endAll(politely: boolean): void {
    for (const { call } of [...this.#calls.values()]) call.end(DRAINED, politely);
  }

  /** Until no call is left, but no longer than this. */
  async #orLater(empty: Promise<void>, mostMs: number): Promise<void> {
    if (this.#calls.size === 0) return;
    let giveUp: Timer | null = null;
    const late = new Promise<void>((resolve) => {
      giveUp = this.#deps.clock.setTimer(mostMs, resolve);
    });
    await Promise.race([empty, late]);
    (giveUp as Timer | null)?.cancel();
  }

  #forget(key: string, ref: string): void {
    this.#calls.delete(key);
    this.#byRef.delete(ref);
    if (this.#calls.size > 0) return;
    for (const wake of this.#onEmpty.splice(0)) wake();
  }
}

const invalid = (detail: string): DialOutcome => ({ ok: false, why: 'invalid', detail });

/** A carrier's API that breaks its promise has not placed the call, as far as anybody knows. */
async function placed(dialling: Promise<DialResult>): Promise<DialResult> {
  try {
    return await dialling;
  } catch (caught) {
    return { ok: false, result: 'failed', detail: messageOf(caught) };
  }
}

/** Goodbyes that a drain has to play, behind what is being said; what takes longer is cut off. */
const FAREWELL_MS = 15_000;
/** A call's own teardown waits for the carrier's API at most this long. */
const TEARDOWN_MS = 6_000;

/** The registry with what all calls of a process share: one ticker, one source of chance. */
export function createCallRegistry(
  parts: Omit<RegistryDeps, 'ticker' | 'random' | 'handles'> & {
    readonly onTickFault: (detail: string) => void;
    readonly handles?: HandleStore;
  },
): CallRegistry {
  const { onTickFault, ...deps } = parts;
  return new CallRegistry({
    handles: createMemoryHandleStore(),
    ...deps,
    ticker: new Ticker(deps.clock, onTickFault),
    random: Math.random,
  });
}
