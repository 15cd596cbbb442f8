/** A process of a bench, spoken to by messages: every wait has a deadline, and it ends with its parent. */
import { type ChildProcess, spawn } from 'node:child_process';
import { OffhookError } from '../../errors.ts';

const STEP_MS = 30_000;
const STOP_MS = 3_000;
const KEPT_ERRORS = 2_000;
const KEPT_MESSAGES = 1_000;

export interface BenchScript {
  /** For messages: "the gateway". */
  readonly what: string;
  /** Options of Node's, the script, and what the script is told. */
  readonly args: readonly string[];
  /** All of it, but for the way to the system's own programs. */
  readonly env: Readonly<Record<string, string>>;
  /** The core that it is pinned to; null or absent: none. */
  readonly core?: number | null;
  /** How long a wait may take. Default: 30 s. */
  readonly stepMs?: number;
  /** How long it may take to stop when it is asked to. Default: 3 s. */
  readonly stopMs?: number;
}

export class BenchProcess<To extends object, From extends { readonly type: string }> {
  readonly #script: BenchScript;
  readonly #process: ChildProcess;
  readonly #onMessage: (message: From) => boolean;
  readonly #waiting = new Map<string, PromiseWithResolvers<From>>();
  /** What nobody has waited for yet. */
  readonly #kept: From[] = [];
  #errors = '';
  /** Set when it can say nothing more. */
  #failed: string | null = null;

  /** @param onMessage told of every message for which nobody waits; false: it is kept for who will */
  constructor(script: BenchScript, onMessage: (message: From) => boolean = () => false) {
    const { args, env, core = null } = script;
    this.#script = script;
    this.#onMessage = onMessage;
    const [command = '', ...rest] = [
      ...(core === null ? [] : ['taskset', '-c', String(core)]),
      process.execPath,
      ...args,
    ];
    this.#process = spawn(command, rest, {
      env: { PATH: '/usr/bin:/bin', ...env },
      // Sound crosses as it is, not as text.
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process.stderr?.on('data', (data: Buffer) => {
      this.#errors = (this.#errors + data.toString()).slice(-KEPT_ERRORS);
    });
    this.#process.on('message', (message) => this.#onArrived(message as From));
    this.#process.on('error', (error) => this.#fail(`it could not be started: ${error.message}`));
    this.#process.on('exit', (code) =>
      this.#fail(`it ended with ${code}: ${this.#errors.trim() || 'no message'}`),
    );
  }

  send(message: To): void {
    // A process that is gone needs no message; without the callback its absence would be an error event.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  /** The next message of this type. @throws OffhookError ERR_USAGE when it fails, ends or takes too long */
  async wait<T extends From['type']>(type: T): Promise<Extract<From, { readonly type: T }>> {
    const index = this.#kept.findIndex((message) => message.type === type);
    if (index >= 0) return this.#kept.splice(index, 1)[0] as Extract<From, { readonly type: T }>;
    if (this.#failed !== null) throw this.#failure(this.#failed);
    const { stepMs = STEP_MS } = this.#script;
    const waiting = Promise.withResolvers<From>();
    this.#waiting.set(type, waiting);
    const timer = setTimeout(() => {
      this.#waiting.delete(type);
      waiting.reject(this.#failure(`no "${type}" came within ${stepMs / 1_000} s`));
    }, stepMs);
    try {
      return (await waiting.promise) as Extract<From, { readonly type: T }>;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks it to stop, and makes it. Resolves when it is gone. */
  stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { exitCode, signalCode, pid } = this.#process;
    if (exitCode !== null || signalCode !== null || pid === undefined) return Promise.resolve();
    const { stopMs = STOP_MS } = this.#script;
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), stopMs);
    this.#process.once('exit', () => {
      clearTimeout(kill);
      resolve();
    });
    this.send({ type: 'stop' } as unknown as To);
    return promise;
  }

  #onArrived(message: From): void {
    if (message.type === 'failed') {
      this.#fail((message as unknown as { readonly message: string }).message);
      return;
    }
    const waiting = this.#waiting.get(message.type);
    this.#waiting.delete(message.type);
    if (waiting !== undefined) waiting.resolve(message);
    else if (!this.#onMessage(message) && this.#kept.length < KEPT_MESSAGES) this.#kept.push(message);
  }

  #fail(why: string): void {
    this.#failed ??= why;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure(this.#failed));
    this.#waiting.clear();
  }

  #failure(why: string): OffhookError {
    return new OffhookError('ERR_USAGE', `Running the bench: ${this.#script.what}: ${why}`);
  }
}
