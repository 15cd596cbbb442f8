/**
 * The calls that the model has made, and which connections hold them in their conversation: one that took the session up
 * at a handle holds what the handle's connection held when the handle came.
 */
import { createHash } from 'node:crypto';
import type { ToolCall } from '../gemini/live-session.ts';
import type { HandleRecord } from './handles.ts';
import { jsonOf } from './plain-text.ts';
import type { Run } from './tool-runs.ts';

/** Handles are kept of the last few connections alone. */
const EPOCHS_KEPT = 8;
const MAX_REMEMBERED = 64;
/** So long after the model has forgotten a call, the same call is that one again. */
const REPEAT_MS = 30_000;
/** Arguments nested deeper than this are compared as they stand. */
const MAX_DEPTH = 32;

/** Since when each connection holds something. */
export class HeldBy {
  readonly #sinceMs = new Map<number, number>();

  add(epoch: number, atMs: number): void {
    if (this.#sinceMs.has(epoch)) return;
    this.#sinceMs.set(epoch, atMs);
    const [oldest] = this.#sinceMs.keys();
    if (this.#sinceMs.size > EPOCHS_KEPT && oldest !== undefined) this.#sinceMs.delete(oldest);
  }

  has(epoch: number): boolean {
    return this.#sinceMs.has(epoch);
  }

  remove(epoch: number): void {
    this.#sinceMs.delete(epoch);
  }

  hadAt(handle: HandleRecord): boolean {
    const sinceMs = this.#sinceMs.get(handle.epoch);
    return sinceMs !== undefined && sinceMs <= handle.atMs;
  }
}

/** One call as the model made it. */
export interface Ask {
  readonly id: string;
  readonly name: string;
  /** JSON, shortened. */
  readonly args: string;
  readonly fingerprint: string;
  readonly atMs: number;
  readonly run: Run;
  /**
   * `open`: its answer is owed. `given`: as an answer or as text. `cancelled`: by the model, never to be answered.
   * `left`: nobody will answer it, as it was asked again, crowded out, or the call is over.
   */
  state: 'open' | 'given' | 'cancelled' | 'left';
  /** Since when the model has forgotten it: it cancelled it, or a connection came that does not hold it. */
  forgottenAtMs: number | null;
  /**
   * The connection that took the session up while this call waited: whether a handle holds such a call nobody has said.
   * Null once the model has done something about the answer.
   */
  doubtfulOn: number | null;
  /** It was asked again, and that call got its run. */
  repeated: boolean;
  readonly called: HeldBy;
  readonly answered: HeldBy;
}

export class ToolAsks {
  /** Oldest first. */
  readonly #asks: Ask[] = [];

  /** @returns the call that had to make room: one that is done with, if there is any; null while there is room */
  add(ask: Ask): Ask | null {
    this.#asks.push(ask);
    if (this.#asks.length <= MAX_REMEMBERED) return null;
    const done = this.#asks.findIndex((each) => each.state !== 'open');
    const oldest = done >= 0 ? done : this.#asks.findIndex((each) => each.run.outcome !== null);
    const [gone] = this.#asks.splice(Math.max(0, oldest), 1);
    return gone ?? null;
  }

  all(): readonly Ask[] {
    return this.#asks;
  }

  open(): readonly Ask[] {
    return this.#asks.filter((ask) => ask.state === 'open');
  }

  /** The newest call of that id; with an epoch, of those that the connection holds. */
  newest(id: string, epoch: number | null = null): Ask | undefined {
    return this.#asks.findLast((ask) => ask.id === id && (epoch === null || ask.called.has(epoch)));
  }

  newestOf(run: Run): Ask | undefined {
    return this.#asks.findLast((ask) => ask.run === run);
  }

  /** Another call gets what comes of its run: one that the connection holds, or a later one that waits too. */
  isServedElsewhere(ask: Ask, epoch: number): boolean {
    const from = this.#asks.indexOf(ask);
    return this.#asks.some(
      (other, i) =>
        other.run === ask.run &&
        other !== ask &&
        (other.called.has(epoch) || (i > from && other.state === 'open')),
    );
  }

  isAwaited(run: Run): boolean {
    return this.#asks.some((ask) => ask.run === run && ask.state === 'open');
  }

  /** A connection is up. @param resumedFrom null for a session that holds nothing of this */
  connected(epoch: number, resumedFrom: HandleRecord | null, nowMs: number): void {
    for (const ask of this.#asks) {
      if (isUnheard(ask)) forget(ask, nowMs);
      ask.doubtfulOn = null;
      if (resumedFrom !== null) inherit(ask, epoch, resumedFrom);
      const holdsCall = ask.called.has(epoch);
      const holdsAnswer = ask.answered.has(epoch);
      // The handle was given out before the call was answered or asked again: the session waits for it once more.
      if (holdsCall && !holdsAnswer && ask.state !== 'cancelled') ask.state = 'open';
      const wasOwed = ask.state === 'open' || nowMs - ask.atMs <= REPEAT_MS;
      if (ask.doubtfulOn !== null) ask.forgottenAtMs = nowMs;
      else if (!holdsCall && !holdsAnswer && wasOwed) ask.forgottenAtMs ??= nowMs;
    }
  }

  /** The model has begun to speak: about what it was answered, as far as anybody can tell. */
  modelSpoke(): void {
    for (const ask of this.#asks) {
      if (!isUnheard(ask)) continue;
      ask.doubtfulOn = null;
      ask.forgottenAtMs = null;
    }
  }

  /** The model does nothing about answers to calls that it may have forgotten: they are owed again, and not as answers. */
  giveUpDoubtful(nowMs: number): void {
    for (const ask of this.#asks) if (isUnheard(ask)) forget(ask, nowMs);
  }

  /** A call like this one that the model has forgotten having made, and whose run has not failed. */
  forgotten(fingerprint: string, epoch: number, nowMs: number): Ask | undefined {
    return this.#asks.findLast((ask) => {
      if (ask.repeated || ask.fingerprint !== fingerprint) return false;
      const usable = ask.run.outcome?.ok ?? true;
      const held = ask.state !== 'cancelled' && ask.called.has(epoch) && ask.doubtfulOn !== epoch;
      return usable && !held && nowMs - (ask.forgottenAtMs ?? ask.atMs) <= REPEAT_MS;
    });
  }
}

/** Answered where it may not be known, and nothing came of it yet. */
function isUnheard(ask: Ask): boolean {
  return ask.doubtfulOn !== null && ask.state === 'given' && !ask.repeated && !isSilent(ask);
}

/** The model was asked to say nothing about the answer. */
export function isSilent({ run }: Ask): boolean {
  return run.outcome?.answer.scheduling === 'SILENT';
}

function forget(ask: Ask, nowMs: number): void {
  const epoch = ask.doubtfulOn as number;
  ask.called.remove(epoch);
  ask.answered.remove(epoch);
  ask.doubtfulOn = null;
  ask.forgottenAtMs ??= nowMs;
  ask.state = 'open';
}

function inherit(ask: Ask, epoch: number, handle: HandleRecord): void {
  const holdsAnswer = ask.answered.hadAt(handle);
  if (holdsAnswer) ask.answered.add(epoch, Number.NEGATIVE_INFINITY);
  // A handle under which no tool was open cannot hold a call that waits.
  if (ask.called.hadAt(handle) && (holdsAnswer || handle.under === 'tool')) {
    ask.called.add(epoch, Number.NEGATIVE_INFINITY);
    if (!holdsAnswer) ask.doubtfulOn = epoch;
  }
}

/** The same for the same tool with the same arguments, in whatever order their fields stand. */
export function fingerprintOf(call: ToolCall): string {
  const args = jsonOf(sorted(call.args, 0)) ?? `id ${call.id}`;
  return createHash('sha256').update(`${call.name}\n${args}`).digest('base64');
}

function sorted(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) return value.map((each) => sorted(each, depth + 1));
  const fields = Object.entries(value).map(([key, each]) => [key, sorted(each, depth + 1)] as const);
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}
