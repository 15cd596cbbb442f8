import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readClips } from '../../call/clips.ts';
import { messageOf, OffhookError } from '../../errors.ts';
import { type Cast, loadCast } from '../../lab/long-call/cast.ts';
import { type Findings, findingsOf } from '../../lab/long-call/findings.ts';
import { longCallPage } from '../../lab/long-call/page.ts';
import { type LongCall, playLongCall } from '../../lab/long-call/play.ts';
import { HALF_HOUR } from '../../lab/long-call/plot.ts';
import { rotationLabel } from '../../lab/long-call/rotations.ts';
import { clockTime, longCallRows } from '../../lab/long-call/rows.ts';
import type { BotClip } from '../../lab/report/clips.ts';
import { readGatewayView } from '../../lab/report/gateway-view.ts';
import { type Measures, measureCall } from '../../lab/report/measure.ts';
import { recordingOf } from '../../lab/report/recording.ts';
import type { RowGroup } from '../../lab/report/rows.ts';
import { textTable } from '../../lab/report/text.ts';
import {
  heardTranscript,
  joinTranscript,
  type SpokenLine,
  type TranscriptLine,
} from '../../lab/report/transcript.ts';
import type { CliIo } from '../io.ts';
import { CALLS_DIR } from '../paths.ts';

const CLIPS_DIR = fileURLToPath(new URL('../../../assets/clips/en', import.meta.url));
const NAME = 'long-call';
const TITLE = 'Demo: half an hour on the telephone';
const DESCRIPTION =
  'Recorded callers and a bot, on virtual time. Connections are replaced by age, after notice and because one broke; one while the caller interrupts, one while a tool is at work.';
const ERASE_LINE = '\r\u001b[2K';
const GREETING = 'greeting';

export interface DemoLongOptions {
  readonly out: string;
  readonly json?: boolean;
}

/** @returns 1 when a rule of the call was broken, or it was stopped before its end */
export async function demoLong(options: DemoLongOptions, io: CliIo): Promise<number> {
  const quiet = options.json === true;
  const say = (text: string): void => {
    if (!quiet) io.out(text);
  };
  const draw = (text: string): void => {
    if (!quiet && io.isTerminal) io.draw(`${ERASE_LINE}${text}`);
  };
  say(`${NAME}: ${DESCRIPTION}`);
  say(
    'The gateway’s own code, a simulated Twilio and an emulated Gemini Live; time passes as fast as it can.\n',
  );
  const cast = loadCast(CALLS_DIR);
  const clips = readClips(CLIPS_DIR);
  const signal = io.stopSignal();
  const call = await playLongCall({
    cast,
    clips,
    signal,
    onProgress: (elapsedMs) => draw(`${clockTime(elapsedMs)} of the call`),
  });
  draw('Laying what was heard over what was said …');
  const moment: BotClip = { name: 'moment', samples: samplesOf(clips.moment.bytes) };
  const measures = measureCall(call.run, {
    gateway: readGatewayView(call.journal),
    clips: [...botClips(cast), moment],
  });
  const findings = findingsOf(call, measures, GREETING, HALF_HOUR);
  draw('');
  const rows = longCallRows(measures, call.run.end, findings);
  const transcript = heardTranscript(linesOf(call), call.run, measures);
  const report = { title: TITLE, description: DESCRIPTION, call, measures, findings, rows, transcript };
  const files = writeFiles(report, options.out);
  if (quiet) io.out(JSON.stringify(asJson(report, files), null, 2));
  else print(findings, rows, files, io);
  return findings.broken.length === 0 && !signal.aborted ? 0 : 1;
}

/** What is sent once more is transcribed once more: the caller has said it once. */
function linesOf({ sent, run }: LongCall): readonly TranscriptLine[] {
  const lines = sent.flatMap((events) => joinTranscript(events, run.originMs));
  return lines.filter(({ who, text }, index) => {
    const before = lines[index - 1];
    return !(who === 'caller' && before?.who === 'caller' && before.text === text);
  });
}

interface Report {
  readonly title: string;
  readonly description: string;
  readonly call: LongCall;
  readonly measures: Measures;
  readonly findings: Findings;
  readonly rows: readonly RowGroup[];
  readonly transcript: readonly SpokenLine[];
}

function print(
  { rotations, broken }: Findings,
  rows: readonly RowGroup[],
  files: readonly string[],
  io: CliIo,
): void {
  for (const rotation of rotations)
    io.out(`  ${clockTime(rotation.toMs).padStart(5)}  another connection: ${rotationLabel(rotation)}`);
  io.out(`\n${textTable(rows, io.isTerminal)}\n`);
  for (const line of broken) io.out(`BROKEN: ${line}`);
  if (broken.length === 0) io.out('The call has kept every rule.');
  io.out(`Written: ${files.join(', ')}`);
}

function asJson({ call, measures, findings, transcript }: Report, files: readonly string[]): object {
  const { callSid, startedAtEpochMs, end, invalidMessages } = call.run;
  const { rotations, broken, ...rest } = findings;
  return {
    name: NAME,
    callSid,
    startedAtEpochMs,
    end,
    rotations,
    ...rest,
    measures,
    transcript,
    invalidMessages,
    unmet: broken,
    files,
  };
}

function writeFiles(report: Report, dir: string): readonly string[] {
  const { run, journal } = report.call;
  const contents: readonly (readonly [name: string, content: () => string | Buffer])[] = [
    [`${NAME}.wav`, () => recordingOf(run)],
    [`${NAME}.html`, () => longCallPage(report)],
    [`${NAME}.log`, () => journal.map((entry) => `${JSON.stringify(entry)}\n`).join('')],
  ];
  try {
    mkdirSync(dir, { recursive: true });
    return contents.map(([name, content]) => {
      const path = join(dir, name);
      writeFileSync(path, content());
      return path;
    });
  } catch (caught) {
    throw new OffhookError(
      'ERR_USAGE',
      `Cannot write the report to "${dir}": ${messageOf(caught)}; a folder that can be written to is wanted.`,
      { cause: caught },
    );
  }
}

/** What the bot can say, by the names of the recordings. */
function botClips({ greeting, lines }: Cast): readonly BotClip[] {
  const clips = [greeting, ...[...lines.values()].map(({ reply }) => reply)].flatMap(
    ({ clip }) => clip ?? [],
  );
  return clips.map(({ name, samples }) => ({ name: basename(name, '.wav'), samples }));
}

/** @param bytes L16 */
const samplesOf = (bytes: Buffer): Int16Array =>
  new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
