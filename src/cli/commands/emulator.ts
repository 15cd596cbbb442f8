import { once } from 'node:events';
import { systemClock } from '../../clock.ts';
import { startEmulator } from '../../lab/emulator/server.ts';
import { defaultScenario, loadScenario } from '../../lab/scenario.ts';
import type { CliIo } from '../io.ts';
import { VOICES_DIR } from '../paths.ts';

interface EmulatorCommandOptions {
  readonly host: string;
  readonly port: number;
  readonly scenario?: string;
}

export async function emulator(options: EmulatorCommandOptions, io: CliIo): Promise<void> {
  const stop = io.stopSignal();
  const scenario =
    options.scenario === undefined ? defaultScenario(VOICES_DIR) : loadScenario(options.scenario);
  const running = await startEmulator({
    host: options.host,
    port: options.port,
    clock: systemClock,
    scenario,
    log: (line) => io.err(line),
  });
  io.out(`Gemini Live is emulated at ${running.url}: ${scenario.description || scenario.name}`);
  io.out(
    `Use it with GOOGLE_GEMINI_BASE_URL=${running.url}; what it heard is listed at ${running.url}/lab/sessions`,
  );
  if (!stop.aborted) await once(stop, 'abort');
  await running.close();
}
