/**
 * The tool desk: runs what the model asks for, each call once, and sees that each answer reaches the model once, on
 * whatever connection that is by then. A connection that does not know the call is told the result as text; so is one that
 * took the session up while the call waited, and then does nothing about the answer.
 *
 * The owner tells it of calls, cancellations and connections, calls `flush` at the next quiet moment after the host has
 * refused something, and ends it with the call. A tool that is slow, throws, never comes back or returns nonsense harms
 * nobody: the model learns of it within the deadline.
 */
import type { Clock, Timer } from '../clock.ts';
import type { ToolCall, ToolResponse } from '../gemini/live-session.ts';
import type { HandleRecord } from './handles.ts';
import { headOf, jsonOf } from './plain-text.ts';
import { type OpenTool, toolResultText } from './seed.ts';
import type { Outcome, ToolAnswer, ToolRunner } from './tool-answer.ts';
import { type Ask, fingerprintOf, HeldBy, isSilent, ToolAsks } from './tool-asks.ts';
import { doneRun, type Run, ToolRuns } from './tool-runs.ts';

/** For the journal. */
export type ToolFact =
  | {
      readonly type: 'tool-called';
      readonly name: string;
      readonly id: string;
      readonly pii: { readonly args: string };
    }
  /** The model has it: as the answer to its call, or told as text. */
  | (ToolResult & { readonly type: 'tool-answered'; readonly ok: boolean; readonly by: 'response' | 'text' })
  /**
   * The model never gets it. `sideEffect`: the tool has done what it was asked to, or may have, being still at work; one
   * that says it failed is believed.
   */
  | (ToolResult & {
      readonly type: 'tool-result-unused';
      readonly why: 'cancelled' | 'late' | 'crowded-out' | 'call-ended';
      readonly sideEffect: boolean;
    })
  | { readonly type: 'tools-cancelled'; readonly ids: readonly string[] }
  /** The model had forgotten the call `firstId` and asks again: it gets what comes, or came, of the first. */
  | { readonly type: 'tool-repeated'; readonly name: string; readonly id: string; readonly firstId: string };

interface ToolResult {
  readonly name: string;
  readonly id: string;
  /** Since the model asked. */
  readonly tookMs: number;
  /** JSON, shortened; empty when there is none. */
  readonly pii: { readonly result: string };
}

export interface ToolDeskHost {
  /** To the present connection; false: not taken, and kept for the next `flush` or connection. */
  answer(responses: readonly ToolResponse[]): boolean;
  /** Text to the present connection, which may make the model speak; false: not now. */
  tell(text: string): boolean;
  /** What the call carries out itself; null: this is none of that. Asked first, and every time. */
  builtIn(call: ToolCall): ToolAnswer | null;
  note(fact: ToolFact): void;
  onBug(where: string, caught: unknown): void;
}

const MAX_KEPT_ARGS = 8_192;
const MAX_KEPT_RESULT = 2_000;
const MAX_CANCELLED_IDS = 64;
/** A model that knows what was answered has begun to speak by then; before the stall doctor would ask it to. */
const UNHEARD_MS = 2_500;

export class ToolDesk {
  readonly #clock: Clock;
  readonly #host: ToolDeskHost;
  readonly #runs: ToolRuns;
  readonly #asks = new ToolAsks();
  #epoch: number | null = null;
  /** Answers went out that may have gone to a session which has forgotten the calls. */
  #doubt: Timer | null = null;
  #flushing = false;
  #ended = false;

  constructor(clock: Clock, runner: ToolRunner, host: ToolDeskHost) {
    this.#clock = clock;
    this.#host = host;
    this.#runs = new ToolRuns(clock, runner, {
      onBack: (run, outcome) => {
        if (!this.#asks.isAwaited(run)) this.#unused(this.#asks.newestOf(run), 'cancelled', outcome);
        this.flush();
      },
      onTimedOut: () => this.flush(),
      onLate: (run, outcome) => this.#unused(this.#asks.newestOf(run), 'late', outcome),
      onBug: (where, caught) => host.onBug(where, caught),
    });
  }

  /** Calls whose answer is owed. While it is not 0, a handle is taken `under: 'tool'`. */
  get pending(): number {
    return this.#asks.open().length;
  }

  /** Something is ready that the host has not taken yet. */
  get waits(): boolean {
    if (this.#epoch === null || this.#ended) return false;
    for (const ask of this.#asks.all()) if (ask.state === 'open' && ask.run.outcome !== null) return true;
    return false;
  }

  /** What is owed, oldest first, for the seed of a session that knows nothing of it. */
  openTools(): readonly OpenTool[] {
    return this.#asks.open().map(toolOf);
  }

  /** The model calls tools on the connection `epoch`. One that it has called there already is not taken again. */
  called(calls: readonly ToolCall[], epoch: number, nowMs: number): void {
    for (const call of calls) {
      if (this.#ended) return;
      if (this.#asks.newest(call.id, epoch) === undefined) this.#take(call, epoch, nowMs);
    }
    this.flush();
  }

  /** The model wants these no more. A result that comes all the same is noted, and not sent. */
  cancelled(ids: readonly string[], nowMs: number): void {
    if (this.#ended) return;
    this.#host.note({ type: 'tools-cancelled', ids: ids.slice(0, MAX_CANCELLED_IDS) });
    for (const id of ids) {
      const ask = this.#asks.newest(id);
      if (ask?.state !== 'open') continue;
      ask.state = 'cancelled';
      ask.forgottenAtMs = nowMs;
      if (ask.run.outcome !== null) this.#unused(ask, 'cancelled', ask.run.outcome);
      // Its timer stays: if the model asks again before that, it waits for this run.
      else if (!this.#asks.isAwaited(ask.run)) ask.run.abort.abort();
    }
  }

  /**
   * The connection that takes answers from now on; null while there is none. To be told before its first event.
   * @param resumedFrom the handle at which the session was taken up; null for a new session
   * @param toldInSeed ids of the results that the seed of a new session has told
   */
  connection(
    epoch: number | null,
    resumedFrom: HandleRecord | null,
    toldInSeed: readonly string[] = [],
  ): void {
    this.#epoch = epoch;
    this.#doubt?.cancel();
    this.#doubt = null;
    if (epoch === null || this.#ended) return;
    this.#asks.connected(epoch, resumedFrom, this.#clock.now());
    for (const id of toldInSeed) {
      const ask = this.#asks.newest(id);
      if (ask?.state === 'open' && ask.run.outcome !== null) this.#given(ask, epoch, 'text');
    }
    this.flush();
  }

  /** The model has begun a turn. */
  modelSpoke(): void {
    this.#asks.modelSpoke();
  }

  /** Sends what waits, as far as the host takes it. */
  flush(): void {
    if (this.#flushing || this.#ended) return;
    this.#flushing = true;
    try {
      this.#sendAnswers();
      this.#tellResults();
    } catch (caught) {
      this.#host.onBug('the answers of tools', caught);
    } finally {
      this.#flushing = false;
    }
  }

  /** The call is over: what runs is asked to stop, and nothing is sent or noted any more. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#doubt?.cancel();
    for (const ask of this.#asks.open()) this.#leave(ask, 'call-ended');
    for (const ask of this.#asks.all()) this.#runs.stop(ask.run);
  }

  #take(call: ToolCall, epoch: number, nowMs: number): void {
    const { id, name } = call;
    const args = headOf(jsonOf(call.args) ?? '', MAX_KEPT_ARGS);
    this.#host.note({ type: 'tool-called', name, id, pii: { args } });
    const fingerprint = fingerprintOf(call);
    const ask: Ask = {
      id,
      name,
      args,
      fingerprint,
      atMs: nowMs,
      run: this.#builtIn(call) ?? this.#again(id, fingerprint, epoch, nowMs) ?? this.#begin(call),
      state: 'open',
      forgottenAtMs: null,
      doubtfulOn: null,
      repeated: false,
      called: new HeldBy(),
      answered: new HeldBy(),
    };
    ask.called.add(epoch, nowMs);
    const gone = this.#asks.add(ask);
    if (gone === null) return;
    if (gone.state === 'open') this.#leave(gone, 'crowded-out');
    if (!this.#asks.isAwaited(gone.run)) this.#runs.stop(gone.run);
  }

  #builtIn(call: ToolCall): Run | null {
    const answer = this.#host.builtIn(call);
    return answer === null ? null : doneRun({ ok: true, answer });
  }

  /** What a tool does, it does once, however often a model that forgets asks for it. */
  #again(id: string, fingerprint: string, epoch: number, nowMs: number): Run | null {
    const first = this.#asks.forgotten(fingerprint, epoch, nowMs);
    if (first === undefined) return null;
    first.repeated = true;
    if (first.state === 'open') first.state = 'left';
    this.#host.note({ type: 'tool-repeated', name: first.name, id, firstId: first.id });
    return first.run;
  }

  #begin(call: ToolCall): Run {
    const inFlight = this.#asks.open().filter((ask) => ask.run.outcome === null).length;
    return this.#runs.begin(call, inFlight);
  }

  #sendAnswers(): void {
    const epoch = this.#epoch;
    if (epoch === null) return;
    const ready = this.#asks.open().filter((ask) => ask.run.outcome !== null && ask.called.has(epoch));
    if (ready.length === 0 || !this.#host.answer(ready.map(responseOf))) return;
    for (const ask of ready) this.#given(ask, epoch, 'response');
    if (!ready.some((ask) => ask.doubtfulOn === epoch && !isSilent(ask))) return;
    this.#doubt?.cancel();
    this.#doubt = this.#clock.setTimer(UNHEARD_MS, () => {
      this.#doubt = null;
      this.#asks.giveUpDoubtful(this.#clock.now());
      this.flush();
    });
  }

  #tellResults(): void {
    for (const ask of this.#asks.open()) {
      const epoch = this.#epoch;
      if (epoch === null) return;
      if (ask.run.outcome === null || ask.called.has(epoch)) continue;
      if (this.#asks.isServedElsewhere(ask, epoch)) {
        ask.state = 'left';
        continue;
      }
      if (!this.#host.tell(toolResultText(toolOf(ask)))) return;
      this.#given(ask, epoch, 'text');
    }
  }

  #given(ask: Ask, epoch: number, by: 'response' | 'text'): void {
    ask.state = 'given';
    ask.answered.add(epoch, this.#clock.now());
    const ok = ask.run.outcome?.ok ?? false;
    this.#host.note({ type: 'tool-answered', ...this.#resultOf(ask, ask.run.outcome), ok, by });
  }

  #leave(ask: Ask, why: 'crowded-out' | 'call-ended'): void {
    ask.state = 'left';
    this.#unused(ask, why, ask.run.outcome);
  }

  /** @param outcome null while the tool is at work */
  #unused(
    ask: Ask | undefined,
    why: Extract<ToolFact, { type: 'tool-result-unused' }>['why'],
    outcome: Outcome | null,
  ): void {
    if (ask === undefined || (this.#ended && why !== 'call-ended')) return;
    const sideEffect = outcome?.ok ?? true;
    this.#host.note({ type: 'tool-result-unused', ...this.#resultOf(ask, outcome), why, sideEffect });
  }

  #resultOf(ask: Ask, outcome: Outcome | null): ToolResult {
    const result = headOf(textOf(outcome) ?? '', MAX_KEPT_RESULT);
    return { name: ask.name, id: ask.id, tookMs: this.#clock.now() - ask.atMs, pii: { result } };
  }
}

function responseOf(ask: Ask): ToolResponse {
  const { response, scheduling } = ask.run.outcome?.answer ?? { response: {} };
  const { id, name } = ask;
  return scheduling === undefined ? { id, name, response } : { id, name, response, scheduling };
}

function toolOf({ id, name, args, run }: Ask): OpenTool {
  return { id, name, args, result: textOf(run.outcome) };
}

function textOf(outcome: Outcome | null): string | null {
  return outcome === null ? null : (jsonOf(outcome.answer.response) ?? '');
}
