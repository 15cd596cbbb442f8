/** What a command may touch of the process: handed in, so that tests need none. */
export interface CliIo {
  out(text: string): void;
  err(text: string): void;
  /** Writes to the terminal as it is, without a line end. */
  draw(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True when a person watches: then progress is drawn, and in colour. */
  readonly isTerminal: boolean;
  readonly columns: number;
  /** Aborted by the first Ctrl-C or SIGTERM from when this is called; the second one ends the process. */
  stopSignal(): AbortSignal;
}

export function processIo(): CliIo {
  const { stdout, stderr, env } = process;
  // A reader that has seen enough (`| head`) is no error.
  stdout.on('error', () => {});
  return {
    out: (text) => stdout.write(`${text}\n`),
    err: (text) => stderr.write(`${text}\n`),
    draw: (text) => stdout.write(text),
    env,
    isTerminal: stdout.isTTY === true && env['TERM'] !== 'dumb',
    columns: stdout.columns ?? 80,
    stopSignal() {
      const stop = new AbortController();
      const onSignal = (): void => {
        if (stop.signal.aborted) process.exit(130);
        stop.abort();
      };
      process.on('SIGINT', onSignal);
      process.on('SIGTERM', onSignal);
      return stop.signal;
    },
  };
}
