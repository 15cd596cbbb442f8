/** Tools at work: each has a deadline, may be stopped, and comes to one outcome that the model learns. */
import type { Clock, Timer } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { ToolCall } from '../gemini/live-session.ts';
import { failed, nameOf, type Outcome, outcomeOf, type ToolRunner } from './tool-answer.ts';

/** One execution; two calls may wait for it, when the model has forgotten that it had asked. */
export interface Run {
  readonly abort: AbortController;
  /** What the model learns; null while there is nothing to learn. */
  outcome: Outcome | null;
  /** Null from the deadline on, and when the tool has come back. */
  timer: Timer | null;
}

export interface RunHost {
  /** The tool came back: `run.outcome` has just been set. */
  onBack(run: Run, outcome: Outcome): void;
  /** It did not in time: `run.outcome` says so. */
  onTimedOut(run: Run): void;
  /** It came back after that. */
  onLate(run: Run, outcome: Outcome): void;
  onBug(where: string, caught: unknown): void;
}

const DEFAULT_TIMEOUT_MS = 8_000;
const LONGEST_TIMEOUT_MS = 60_000;
const MAX_IN_FLIGHT = 16;
/** Those at work too that nobody waits for any more: a tool that never comes back must not pile up. */
const MAX_AT_WORK = 64;

export class ToolRuns {
  readonly #clock: Clock;
  readonly #runner: ToolRunner;
  readonly #host: RunHost;
  #atWork = 0;

  constructor(clock: Clock, runner: ToolRunner, host: RunHost) {
    this.#clock = clock;
    this.#runner = runner;
    this.#host = host;
  }

  /** @param inFlight how many runs are waited for already */
  begin(call: ToolCall, inFlight: number): Run {
    const name = nameOf(call.name);
    if (!this.#has(call.name)) return doneRun(failed(`There is no tool "${name}".`));
    if (inFlight >= MAX_IN_FLIGHT || this.#atWork >= MAX_AT_WORK) {
      return doneRun(failed('Too many tools are at work already. Try again in a moment.'));
    }
    const run: Run = { abort: new AbortController(), outcome: null, timer: null };
    const deadlineMs = this.#timeoutMs(call.name);
    run.timer = this.#clock.setTimer(deadlineMs, () => this.#guard(() => this.#onDeadline(run, name)));
    this.#atWork += 1;
    this.#start(call, { signal: run.abort.signal, deadlineMs }).then(
      (value) => this.#guard(() => this.#onBack(run, outcomeOf(call.name, value))),
      (caught: unknown) =>
        this.#guard(() => this.#onBack(run, failed(`The tool "${name}" failed: ${messageOf(caught)}`))),
    );
    return run;
  }

  /** Nobody waits for it any more: it is asked to stop, and no timer is left. */
  stop(run: Run): void {
    run.timer?.cancel();
    run.timer = null;
    run.abort.abort();
  }

  async #start(call: ToolCall, options: Parameters<ToolRunner['run']>[1]): Promise<unknown> {
    return await this.#runner.run(call, options);
  }

  #onDeadline(run: Run, name: string): void {
    run.timer = null;
    run.outcome = failed(`The tool "${name}" timed out. It is not known whether it did what was asked.`);
    run.abort.abort();
    this.#host.onTimedOut(run);
  }

  #onBack(run: Run, outcome: Outcome): void {
    this.#atWork -= 1;
    run.timer?.cancel();
    run.timer = null;
    if (run.outcome !== null) {
      this.#host.onLate(run, outcome);
      return;
    }
    run.outcome = outcome;
    this.#host.onBack(run, outcome);
  }

  #has(name: string): boolean {
    try {
      return this.#runner.has(name);
    } catch {
      return false;
    }
  }

  #timeoutMs(name: string): number {
    try {
      const asked = this.#runner.timeoutMs?.(name) ?? DEFAULT_TIMEOUT_MS;
      return asked > 0 ? Math.min(asked, LONGEST_TIMEOUT_MS) : DEFAULT_TIMEOUT_MS;
    } catch {
      return DEFAULT_TIMEOUT_MS;
    }
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (caught) {
      this.#host.onBug('the result of a tool', caught);
    }
  }
}

/** A run that was over before it began: a tool that is not there, or that the call carries out itself. */
export function doneRun(outcome: Outcome): Run {
  return { abort: new AbortController(), outcome, timer: null };
}
