/** Starts a gateway in a child process and listens to its journal. */
import { type ChildProcess, fork } from 'node:child_process';
import { openSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OffhookError } from '../errors.ts';
import type { FromGateway, ToGateway } from './demo-messages.ts';

const START_MS = 20_000;
const METRICS_MS = 2_000;
const STOP_MS = 3_000;

export interface ChildGateway {
  readonly localUrl: string;
  readonly publicUrl: string;
  /** Journal entries so far. */
  readonly entries: readonly unknown[];
  /** Resolves with the first entry of this type, or after the deadline with false. */
  waitFor(type: string, deadlineMs: number): Promise<boolean>;
  /** Prometheus text; empty when the gateway does not answer in time. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

/**
 * @param env the gateway's whole environment
 * @param logPath where its log goes
 * @throws OffhookError ERR_CONFIG with what the gateway had to say
 */
export async function startChildGateway(
  env: Readonly<Record<string, string>>,
  logPath: string,
): Promise<ChildGateway> {
  // Beside this file, as source or built.
  const entry = fileURLToPath(new URL(`./demo-gateway${extname(import.meta.url)}`, import.meta.url));
  const log = openSync(logPath, 'w');
  const child = fork(entry, [], { env, execArgv: [], stdio: ['ignore', log, log, 'ipc'] });
  const entries: unknown[] = [];
  const listeners = new Set<(message: FromGateway) => void>();
  child.on('message', (message: FromGateway) => {
    if (message.type === 'entry') entries.push(message.entry);
    for (const listener of [...listeners]) listener(message);
  });

  /** The first message that `pick` takes; null after the deadline, or when the child is gone. */
  const next = <T>(pick: (message: FromGateway) => T | null, deadlineMs: number): Promise<T | null> =>
    new Promise((resolve) => {
      const done = (value: T | null): void => {
        clearTimeout(timer);
        listeners.delete(listener);
        child.off('exit', onExit);
        resolve(value);
      };
      const listener = (message: FromGateway): void => {
        const value = pick(message);
        if (value !== null) done(value);
      };
      const onExit = (): void => done(null);
      const timer = setTimeout(() => done(null), deadlineMs);
      listeners.add(listener);
      child.once('exit', onExit);
      if (child.exitCode !== null) done(null);
    });

  const first = await next((message) => (message.type === 'entry' ? null : message), START_MS);
  if (first?.type !== 'ready') {
    await stop(child);
    const why = first?.type === 'failed' ? first.message : `it did not start; its log is "${logPath}"`;
    throw new OffhookError('ERR_CONFIG', `Cannot start the gateway: ${why}`);
  }
  return {
    localUrl: first.localUrl,
    publicUrl: first.publicUrl,
    entries,
    async waitFor(type, deadlineMs) {
      const isIt = (entry: unknown): boolean => (entry as { type?: unknown }).type === type;
      if (entries.some(isIt)) return true;
      const found = await next(
        (message) => (message.type === 'entry' && isIt(message.entry) ? true : null),
        deadlineMs,
      );
      return found !== null;
    },
    async metrics() {
      const answer = next((message) => (message.type === 'metrics' ? message.text : null), METRICS_MS);
      send(child, { type: 'metrics' });
      return (await answer) ?? '';
    },
    stop: () => stop(child),
  };
}

function send(child: ChildProcess, message: ToGateway): void {
  // A child that is gone needs no message; without the callback its absence would be an error event.
  if (child.connected) child.send(message, () => {});
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.once('exit', () => {
      clearTimeout(kill);
      resolve();
    });
    send(child, { type: 'stop' });
  });
}
