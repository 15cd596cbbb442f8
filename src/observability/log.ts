import { type DestinationStream, type Logger, pino } from 'pino';
import { createScrubber } from './scrub.ts';

export type Log = Logger;

export interface LogOptions {
  readonly level: string;
  /** Blotted out of every line by their value, wherever they stand. */
  readonly secrets: readonly string[];
  /** Standard output when left out. */
  readonly destination?: DestinationStream;
}

/** What may wait for a reader of standard output that has stopped reading; then lines are dropped, not calls. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/**
 * JSON lines. Personal data under `pii` never comes out, at any depth a line of ours has; secrets do not either, not
 * even inside an address or a stack trace.
 */
export function createLog({ level, secrets, destination }: LogOptions): Log {
  const scrub = createScrubber(secrets);
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['pii', '*.pii', '*.*.pii', '*.*.*.pii'], remove: true },
      hooks: { streamWrite: scrub },
    },
    destination ?? pino.destination({ dest: 1, sync: false, maxLength: MAX_WAITING_BYTES }),
  );
}

/** For tests and tools that have no use for a log. */
export function silentLog(): Log {
  return pino({ level: 'silent' });
}
