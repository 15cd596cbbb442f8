/** The calls of this process: admits them, finds the one a stream belongs to, drains them. */
import { randomUUID } from 'node:crypto';
import type { BotShelf } from '../bots/load.ts';
import type { CarrierAdapter, CarrierId, IncomingCall } from '../carriers/carrier.ts';
import { callKeyOf, checkStreamToken, mintStreamToken } from '../carriers/stream-token.ts';
import type { Timer } from '../clock.ts';
import { Call, type CallDeps } from './call.ts';
import type { Admission, CallDesk, CallSummary, StreamClaim } from './desk.ts';
import type { EndReason } from './end-reason.ts';
import type { JournalEntry } from './journal.ts';
import { Ticker } from './ticker.ts';

export interface RegistryDeps extends CallDeps {
  readonly bots: BotShelf;
  readonly limits: { readonly maxCalls: number };
}

interface Known {
  readonly call: Call;
  /** The path of its stream, given again word for word when the webhook is repeated. */
  readonly streamPath: string;
}

const DRAINED: EndReason = { who: 'operator', how: 'drained', detail: 'the gateway was shut down' };

export class CallRegistry implements CallDesk {
  readonly #deps: RegistryDeps;
  /** By the key of carrier and call id: what a stream token names. */
  readonly #calls = new Map<string, Known>();
  readonly #byRef = new Map<string, Known>();
  #drainingSinceMs: number | null = null;
  #onEmpty: (() => void)[] = [];

  constructor(deps: RegistryDeps) {
    this.#deps = deps;
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
    if (this.#calls.size >= this.capacity) {
      return {
        kind: 'refused',
        reason: 'busy',
        detail: `${this.#calls.size} calls are in progress, the limit`,
      };
    }
    const bot = this.#deps.bots.botFor(incoming.to);
    if (bot === null)
      return { kind: 'refused', reason: 'no-bot', detail: 'no bot answers the called number' };

    const ref = randomUUID();
    const call = new Call(this.#deps, { ref, adapter, incoming, bot, onEnded: () => this.#forget(key, ref) });
    const entry = { call, streamPath: this.#streamPath(adapter, incoming.callId) };
    if (call.finished) return { kind: 'refused', reason: 'error', detail: 'the call could not be set up' };
    this.#calls.set(key, entry);
    this.#byRef.set(ref, entry);
    return { kind: 'admitted', ref, streamPath: entry.streamPath, repeated: false };
  }

  takeBack(adapter: CarrierAdapter, callId: string): { call: IncomingCall; streamPath: string } | null {
    const call = this.#calls.get(callKeyOf(adapter.id, callId))?.call;
    if (call === undefined || !call.takeBack()) return null;
    call.journal.write({ type: 'carrier-event', what: 'another stream was asked for' });
    return { call: call.incoming, streamPath: this.#streamPath(adapter, callId) };
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
    if (call === undefined) return;
    call.journal.write({ type: 'carrier-event', what });
    // That a stream has stopped, its socket says as well, and says it of the right one. So it does of a stream that has
    // failed once it was there: a late word about one that was replaced must not end the call on the new one.
    if (what === 'stream-stopped' || (what === 'stream-failed' && !call.awaitsStream)) return;
    call.carrierEnded(
      what === 'ended'
        ? { who: 'caller', how: 'completed', detail: 'the carrier says that the call has ended' }
        : {
            who: 'carrier',
            how: 'error',
            detail: `the carrier could not open the stream: ${detail}`.slice(0, 200),
          },
    );
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

/** Goodbyes that a drain has to play, behind what is being said; what takes longer is cut off. */
const FAREWELL_MS = 15_000;
/** A call's own teardown waits for the carrier's API at most this long. */
const TEARDOWN_MS = 6_000;

/** The registry with what all calls of a process share: one ticker, one source of chance. */
export function createCallRegistry(
  parts: Omit<RegistryDeps, 'ticker' | 'random'> & { readonly onTickFault: (detail: string) => void },
): CallRegistry {
  const { onTickFault, ...deps } = parts;
  return new CallRegistry({ ...deps, ticker: new Ticker(deps.clock, onTickFault), random: Math.random });
}
