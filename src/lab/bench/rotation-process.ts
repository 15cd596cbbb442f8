/** A process of the rotation bench, spoken to by messages: every wait has a deadline, and it ends with its parent. */
import { type ChildProcess, fork } from 'node:child_process';
import { OffhookError } from '../../errors.ts';

const STEP_MS = 30_000;
const STOP_MS = 3_000;
const KEPT_ERRORS = 2_000;

export class BenchProcess<To extends object, From extends { readonly type: string }> {
  readonly #what: string;
  readonly #process: ChildProcess;
  readonly #onMessage: (message: From) => void;
  readonly #waiting = new Map<string, PromiseWithResolvers<From>>();
  #errors = '';

  /** @param onMessage told of every message for which nobody waits */
  constructor(
    what: string,
    script: { readonly path: string; readonly args: readonly string[]; readonly env: Record<string, string> },
    onMessage: (message: From) => void = () => {},
  ) {
    this.#what = what;
    this.#onMessage = onMessage;
    this.#process = fork(script.path, [...script.args], {
      env: script.env,
      execArgv: [],
      // Sound crosses as it is, not as text.
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process.stderr?.on('data', (data: Buffer) => {
      this.#errors = (this.#errors + data.toString()).slice(-KEPT_ERRORS);
    });
    this.#process.on('message', (message) => this.#onArrived(message as From));
    this.#process.on('exit', (code) => {
      for (const waiting of this.#waiting.values())
        waiting.reject(this.#failure(`it ended with ${code}: ${this.#errors.trim() || 'no message'}`));
      this.#waiting.clear();
    });
  }

  send(message: To): void {
    // A process that is gone needs no message; without the callback its absence would be an error event.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  /** The next message of this type. @throws OffhookError ERR_USAGE when it fails, ends or takes too long */
  async wait<T extends From['type']>(type: T): Promise<Extract<From, { readonly type: T }>> {
    if (this.#process.exitCode !== null) throw this.#failure(`it ended: ${this.#errors.trim()}`);
    const waiting = Promise.withResolvers<From>();
    this.#waiting.set(type, waiting);
    const timer = setTimeout(
      () => waiting.reject(this.#failure(`no "${type}" came within ${STEP_MS / 1_000} s`)),
      STEP_MS,
    );
    try {
      return (await waiting.promise) as Extract<From, { readonly type: T }>;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(type);
    }
  }

  stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return Promise.resolve();
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS);
    this.#process.once('exit', () => {
      clearTimeout(kill);
      resolve();
    });
    this.send({ type: 'stop' } as unknown as To);
    return promise;
  }

  #onArrived(message: From): void {
    if (message.type === 'failed') {
      const { message: why } = message as unknown as { readonly message: string };
      for (const waiting of this.#waiting.values()) waiting.reject(this.#failure(why));
      return;
    }
    const waiting = this.#waiting.get(message.type);
    if (waiting === undefined) this.#onMessage(message);
    else waiting.resolve(message);
  }

  #failure(why: string): OffhookError {
    return new OffhookError('ERR_USAGE', `Running the rotation bench: ${this.#what}: ${why}`);
  }
}
