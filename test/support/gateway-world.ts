/** A whole gateway on ports of its own, as `offhook serve` starts it, with an emulated model and somebody who reads along. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JournalEntry, JournalEntryOf } from '../../src/call/journal.ts';
import { systemClock } from '../../src/clock.ts';
import { type Emulator, startEmulator } from '../../src/lab/emulator/server.ts';
import type { Scenario } from '../../src/lab/scenario.ts';
import { configFrom, type Gateway, startGateway } from '../../src/main.ts';
import { createLog } from '../../src/observability/log.ts';
import { type LabTwilio, readLabTwilio } from '../../src/store/lab-secrets.ts';

const BOTS_DIR = join(import.meta.dirname, '../../bots');

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  /** Ours for the call. */
  readonly call?: string;
  readonly [field: string]: unknown;
}

export interface World {
  readonly gateway: Gateway;
  readonly emulator: Emulator;
  /** What the simulated carrier signs with. */
  readonly twilio: LabTwilio;
  readonly log: readonly LogLine[];
  /** With the carrier's name of the call. */
  readonly journal: readonly (JournalEntry & { readonly callSid: string })[];
  entriesOf<T extends JournalEntry['type']>(callSid: string, type: T): readonly JournalEntryOf<T>[];
  close(): Promise<void>;
}

export async function startWorld(scenario: Scenario): Promise<World> {
  const dataDir = mkdtempSync(join(tmpdir(), 'offhook-world-'));
  const log: LogLine[] = [];
  const journal: (JournalEntry & { readonly callSid: string })[] = [];
  const emulator = await startEmulator({ clock: systemClock, scenario });
  const config = configFrom({
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PORT: '0',
    BOTS_DIR,
    DATA_DIR: dataDir,
    GOOGLE_GEMINI_BASE_URL: emulator.url,
  });
  const gateway = await startGateway(config, {
    log: createLog({
      level: 'debug',
      secrets: [],
      destination: { write: (line) => log.push(JSON.parse(line) as LogLine) },
    }),
    listeners: [(entry, { carrierCallId }) => journal.push({ ...entry, callSid: carrierCallId })],
  });
  return {
    gateway,
    emulator,
    twilio: readLabTwilio(dataDir)!,
    log,
    journal,
    entriesOf: <T extends JournalEntry['type']>(callSid: string, type: T) =>
      journal.filter(
        (entry): entry is JournalEntryOf<T> & { callSid: string } =>
          entry.callSid === callSid && entry.type === type,
      ),
    close: async () => {
      await gateway.close();
      await emulator.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
