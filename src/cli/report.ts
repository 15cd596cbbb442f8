/** What a finished call leaves for people: a table on the terminal, a recording and a page in a folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, OffhookError } from '../errors.ts';
import type { CallRun } from '../lab/caller/call-run.ts';
import { htmlReport } from '../lab/report/html.ts';
import type { Measures } from '../lab/report/measure.ts';
import { recordingOf } from '../lab/report/recording.ts';
import { measureRows } from '../lab/report/rows.ts';
import { textTable } from '../lab/report/text.ts';
import type { SpokenLine } from '../lab/report/transcript.ts';
import type { CliIo } from './io.ts';

export interface CallReport {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly run: CallRun;
  readonly measures: Measures;
  readonly transcript: readonly SpokenLine[];
  readonly unmet: readonly string[] | null;
}

/** @returns the exit code: 1 when the call did not go as its scenario expects */
export function report(
  call: CallReport,
  options: { readonly out: string | null; readonly json: boolean },
  io: CliIo,
): number {
  const { run, measures, unmet } = call;
  const files = options.out === null ? [] : writeFiles(call, options.out);
  if (options.json) {
    const { callSid, startedAtEpochMs, end, invalidMessages } = run;
    const { transcript } = call;
    io.out(
      JSON.stringify(
        {
          name: call.name,
          callSid,
          startedAtEpochMs,
          end,
          measures,
          transcript,
          invalidMessages,
          unmet,
          files,
        },
        null,
        2,
      ),
    );
  } else {
    io.out(`\n${textTable(measureRows(measures, run.end), io.isTerminal)}\n`);
    for (const line of unmet ?? []) io.out(`NOT AS EXPECTED: ${line}`);
    if (unmet?.length === 0) io.out('The call went as its scenario expects.');
    if (files.length > 0) io.out(`Written: ${files.join(', ')}`);
  }
  return (unmet ?? []).length === 0 ? 0 : 1;
}

function writeFiles(call: CallReport, dir: string): readonly string[] {
  const recording = join(dir, `${call.name}.wav`);
  const page = join(dir, `${call.name}.html`);
  try {
    mkdirSync(dir, { recursive: true });
    writeFileSync(recording, recordingOf(call.run));
    writeFileSync(page, htmlReport(call));
  } catch (caught) {
    throw new OffhookError(
      'ERR_USAGE',
      `Cannot write the report to "${dir}": ${messageOf(caught)}; a folder that can be written to is wanted.`,
      { cause: caught },
    );
  }
  return [recording, page];
}
