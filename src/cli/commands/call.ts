import { basename, dirname, extname } from 'node:path';
import { systemClock } from '../../clock.ts';
import { isLoopbackHost } from '../../config.ts';
import { OffhookError } from '../../errors.ts';
import type { CarrierName } from '../../lab/caller/call-run.ts';
import { placeCarrierCall } from '../../lab/caller/place-call.ts';
import { unmetExpectations } from '../../lab/report/expectations.ts';
import { type Measures, measureCall } from '../../lab/report/measure.ts';
import { heardTranscript, joinTranscript } from '../../lab/report/transcript.ts';
import { loadScenario } from '../../lab/scenario.ts';
import { readLabEmulator } from '../../store/lab-emulator.ts';
import { carrierAccount } from '../carrier-account.ts';
import { clipsOf } from '../clips.ts';
import { EmulatorClient, type EmulatorEvent } from '../emulator-client.ts';
import { stateOf } from '../follow.ts';
import type { CliIo } from '../io.ts';
import { createProgress } from '../progress.ts';
import { readCaller } from '../recording.ts';
import { report } from '../report.ts';

interface CallOptions {
  readonly url: string;
  readonly publicUrl?: string;
  readonly scenario?: string;
  readonly emulator?: string;
  readonly from?: string;
  readonly to?: string;
  readonly carrier: CarrierName;
  readonly delay: number;
  readonly jitter: number;
  readonly late?: { readonly share: number; readonly byMs: number };
  readonly seed: number;
  readonly maxSeconds: number;
  readonly out?: string;
  readonly json?: boolean;
}

/** @returns 1 when the call did not go as its scenario expects */
export async function call(file: string | undefined, options: CallOptions, io: CliIo): Promise<number> {
  for (const address of [options.url, options.publicUrl, options.emulator]) {
    if (address !== undefined) checkAddress(address);
  }
  const scenario = options.scenario === undefined ? null : loadScenario(options.scenario);
  const path = file ?? scenario?.caller?.wavPath;
  if (path === undefined) {
    throw new OffhookError(
      'ERR_USAGE',
      'Cannot place a call: no recording was named; a WAV file, or a scenario with a "caller", is wanted.',
    );
  }
  const caller = readCaller(path);
  const account = carrierAccount(options.carrier, io.env);
  const signal = io.stopSignal();
  const emulator = options.emulator ?? (await labEmulator(options.url, io));
  const model = emulator === null ? null : await watchModel(emulator, options.scenario);

  const lengthMs = Math.min(caller.length / 8, options.maxSeconds * 1_000);
  const progress = createProgress(options.json === true ? { ...io, isTerminal: false } : io, lengthMs);
  progress.start();
  const run = await placeCarrierCall(account, {
    clock: systemClock,
    url: options.url,
    publicUrl: options.publicUrl ?? (io.env['PUBLIC_URL'] || options.url),
    from: options.from ?? scenario?.caller?.from ?? '+15550100001',
    to: options.to ?? scenario?.caller?.to ?? '+15550100002',
    caller,
    dtmf: scenario?.caller?.dtmf ?? [],
    weather: {
      delayMs: options.delay,
      jitterMs: options.jitter,
      lateShare: options.late?.share ?? 0,
      lateByMs: options.late?.byMs ?? 0,
    },
    seed: options.seed,
    maxMs: options.maxSeconds * 1_000,
    signal,
    onEvent: (entry) => {
      const state = stateOf(entry);
      if (state !== null) progress.setState(state);
      if (options.json !== true && !io.isTerminal && entry.what !== 'status-callback') {
        io.out(`${(entry.atMs / 1_000).toFixed(1).padStart(6)} s  ${entry.what}  ${entry.detail}`.trimEnd());
      }
    },
  }).finally(() => progress.stop());

  const seen = await model?.();
  const measures = measureCall(run, {
    model: seen === undefined ? null : { audio: seen.audio },
    clips: scenario === null ? [] : clipsOf(scenario),
  });
  const said = seen === undefined ? [] : joinTranscript(seen.sent, startOf(seen.sent, measures));
  const name = file === undefined ? basename(dirname(path)) : basename(path, extname(path));
  return report(
    {
      name,
      title: `Call: ${name}`,
      description: scenario?.description ?? `A recorded caller at ${options.url}.`,
      run,
      measures,
      transcript: heardTranscript(said, run, measures),
      unmet:
        scenario === null || signal.aborted ? null : unmetExpectations(scenario.expect, measures, run.end),
    },
    { out: options.out ?? null, json: options.json === true },
    io,
  );
}

function checkAddress(address: string): void {
  if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) return;
  throw new OffhookError(
    'ERR_USAGE',
    `Cannot use "${address}" as an address: an http or https URL is wanted.`,
  );
}

/** The emulator inside a gateway in lab mode on this machine, if that is what is being called. */
async function labEmulator(gateway: string, io: CliIo): Promise<string | null> {
  const url = readLabEmulator(io.env['DATA_DIR'] || './data');
  if (url === null || !isLoopbackHost(new URL(gateway).hostname)) return null;
  try {
    await new EmulatorClient(url).sessionNumbers();
    return url;
  } catch {
    // Left behind by a gateway that was killed.
    return null;
  }
}

/** Sets the scenario; the answer collects what the emulator's new sessions saw. */
async function watchModel(url: string, scenario: string | undefined) {
  const emulator = new EmulatorClient(url);
  const before = new Set(await emulator.sessionNumbers());
  if (scenario !== undefined) await emulator.setNextScenario(scenario);
  return async (): Promise<{ audio: Int16Array; sent: readonly EmulatorEvent[] }> => {
    const numbers = (await emulator.sessionNumbers()).filter((number) => !before.has(number));
    const sessions = await Promise.all(numbers.map((number) => emulator.session(number)));
    const audio = new Int16Array(sessions.flatMap((session) => [...session.audio]));
    return { audio, sent: sessions.flatMap((session) => session.sent) };
  };
}

/** The emulator has a clock of its own: the greeting's first audio is taken for the moment it was first heard. */
function startOf(sent: readonly EmulatorEvent[], measures: Measures): number {
  const firstAudioMs = sent.find(({ kind }) => kind === 'audio')?.atMs ?? 0;
  return firstAudioMs - (measures.turns[0]?.fromMs ?? 0);
}
