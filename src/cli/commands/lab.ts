import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { OffhookError } from '../../errors.ts';
import { FAMILY_IDS, type FamilyId } from '../../gemini/families.ts';
import { ALL_FAULTS, type FaultKind } from '../../lab/laboratory/plan.ts';
import { labReportText } from '../../lab/laboratory/report-text.ts';
import { type LabProgress, runLab } from '../../lab/laboratory/run-lab.ts';
import type { CliIo } from '../io.ts';
import { LAB_DEFAULTS } from '../lab-defaults.ts';

interface LabCommandOptions {
  readonly calls: number;
  readonly minutes: number;
  readonly seed: number;
  readonly only?: number;
  readonly together: number;
  readonly faults: string;
  readonly mean: number;
  readonly model?: string;
  readonly behaviours: boolean;
  readonly audio: 'counters' | 'real';
  readonly hours?: number;
  readonly seconds?: number;
  readonly trace?: string;
  readonly json?: boolean;
}

/** As many as can be named. */
const MOST_CALLS = 2_000;

const ERASE_LINE = '\r\u001b[2K';
/** Where nobody watches a bar, a line every so often. */
const LINE_EVERY_MS = 10_000;

/** @returns 1 when a sentence that must hold was found to be broken */
export async function lab(options: LabCommandOptions, io: CliIo): Promise<number> {
  const { only, trace } = options;
  if (trace !== undefined && only === undefined)
    throw new OffhookError('ERR_CONFIG', 'Writing a trace: found no call to write it of, wanted --only CALL');
  const file = trace === undefined ? null : createWriteStream(trace);
  const report = await runLab({
    seed: options.seed,
    // Whoever names hours or seconds alone wants them filled.
    calls:
      options.hours === undefined && options.seconds === undefined ? options.calls : Number.POSITIVE_INFINITY,
    minutes: options.minutes,
    faults: faultsOf(options.faults),
    meanMinutes: options.mean,
    families: familiesOf(options.model),
    behaviours: options.behaviours,
    sound: options.audio,
    together: options.together,
    signal: io.stopSignal(),
    onProgress: progress(io, options.json === true),
    ...(only === undefined ? {} : { only }),
    ...(options.hours === undefined ? {} : { hours: options.hours }),
    ...(options.seconds === undefined ? {} : { budgetMs: options.seconds * 1000 }),
    ...(file === null
      ? {}
      : {
          onEntry: (call, entry) => {
            if (call === only) file.write(`${JSON.stringify(entry)}\n`);
          },
        }),
  });
  if (file !== null) {
    file.end();
    await once(file, 'close');
  }
  if (io.isTerminal && options.json !== true) io.draw(ERASE_LINE);
  io.out(options.json === true ? JSON.stringify(report, null, 2) : labReportText(report, replayOf(options)));
  return report.broken.length === 0 ? 0 : 1;
}

/** What decides of which calls there are, and is not as it is by itself: with it and the seed a call comes out the same. */
function replayOf(options: LabCommandOptions): string {
  const { calls, minutes, together, faults, mean, model, behaviours, audio } = options;
  const endless = options.hours !== undefined || options.seconds !== undefined;
  // How many there were decides of the company in the last group alone, and only where groups do not come out even.
  const mostCalls = endless ? MOST_CALLS - (MOST_CALLS % together) : calls;
  return [
    ...(mostCalls % together === 0 && LAB_DEFAULTS.calls % together === 0 ? [] : [`--calls ${mostCalls}`]),
    ...(minutes === LAB_DEFAULTS.minutes ? [] : [`--minutes ${minutes}`]),
    ...(mean === LAB_DEFAULTS.mean ? [] : [`--mean ${mean}`]),
    ...(together === LAB_DEFAULTS.together ? [] : [`--together ${together}`]),
    ...(faults === LAB_DEFAULTS.faults ? [] : [`--faults ${faults}`]),
    ...(model === undefined ? [] : [`--model ${model}`]),
    ...(behaviours ? [] : ['--no-behaviours']),
    ...(audio === LAB_DEFAULTS.audio ? [] : [`--audio ${audio}`]),
  ]
    .map((option) => ` ${option}`)
    .join('');
}

function progress(io: CliIo, quiet: boolean): (progress: LabProgress) => void {
  let saidAtMs = 0;
  return ({ callsDone, callMs, wallMs, broken }) => {
    if (quiet || (!io.isTerminal && wallMs - saidAtMs < LINE_EVERY_MS)) return;
    saidAtMs = wallMs;
    const hours = (callMs / 3_600_000).toFixed(2);
    const found = broken === 0 ? 'nothing broken' : `${broken} found broken`;
    const line = `${callsDone} calls done, ${hours} call-hours, ${Math.round(callMs / Math.max(1, wallMs))} times real time, ${found}`;
    if (io.isTerminal) io.draw(`${ERASE_LINE}${line.slice(0, Math.max(20, io.columns - 1))}`);
    else io.out(line);
  };
}

function faultsOf(text: string): readonly FaultKind[] {
  if (text === 'all') return ALL_FAULTS;
  if (text === 'none') return [];
  return namesOf(text, ALL_FAULTS, 'faults');
}

function familiesOf(text: string | undefined): readonly FamilyId[] {
  return text === undefined ? FAMILY_IDS : namesOf(text, FAMILY_IDS, 'families of models');
}

function namesOf<T extends string>(text: string, known: readonly T[], what: string): readonly T[] {
  const names = text.split(',').map((name) => name.trim());
  const wrong = names.filter((name) => !known.some((each) => each === name));
  if (wrong.length > 0)
    throw new OffhookError(
      'ERR_CONFIG',
      `Choosing ${what}: found "${wrong.join(', ')}", wanted of ${known.join(', ')}`,
    );
  return names as T[];
}
