import { readFileSync } from 'node:fs';
import { convertOffline } from '../../audio/offline.ts';
import { mixToMono, parseWav } from '../../audio/wav.ts';
import { systemClock } from '../../clock.ts';
import { messageOf, OffhookError } from '../../errors.ts';
import { createConnector } from '../../gemini/connect.ts';
import { runProbe } from '../../gemini/probe.ts';
import type { CliIo } from '../io.ts';

interface ProbeCommandOptions {
  readonly model?: string;
  readonly speech?: string;
  readonly json?: boolean;
}

/** @returns 1 when the probe could not be finished */
export async function probe(options: ProbeCommandOptions, io: CliIo): Promise<number> {
  const { GEMINI_API_KEY: apiKey, GOOGLE_GEMINI_BASE_URL: baseUrl } = io.env;
  if (apiKey === undefined || apiKey === '') {
    throw new OffhookError(
      'ERR_CONFIG',
      'Cannot probe Gemini Live: GEMINI_API_KEY is "" (not set); a key is wanted.',
    );
  }
  const connect = createConnector({ apiKey, clock: systemClock, ...(baseUrl ? { baseUrl } : {}) });
  const report = await runProbe(connect, {
    clock: systemClock,
    signal: io.stopSignal(),
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(options.speech === undefined ? {} : { speech: readSpeech(options.speech) }),
  });
  if (options.json === true) io.out(JSON.stringify(report, null, 2));
  else {
    io.out(`${report.model} (family ${report.family}), ${(report.tookMs / 1_000).toFixed(1)} s`);
    for (const { id, value, evidence } of report.findings) {
      io.out(`  ${id}: ${value === null ? 'undecided' : JSON.stringify(value)} (${evidence})`);
    }
    if (report.problem !== null) io.out(`ended early: ${report.problem}`);
  }
  return report.problem === null ? 0 : 1;
}

function readSpeech(path: string): Int16Array {
  try {
    const audio = parseWav(readFileSync(path));
    const mono = mixToMono(audio);
    return audio.sampleRate === 16_000 ? mono : convertOffline(mono, audio.sampleRate, 16_000);
  } catch (caught) {
    throw new OffhookError('ERR_WAV', `Cannot use "${path}" as speech: ${messageOf(caught)}`, {
      cause: caught,
    });
  }
}
