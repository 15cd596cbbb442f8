/** The rows of the long call: those of every call, and what the rotations have cost. */
import type { CallEnd } from '../caller/call-run.ts';
import type { Measures } from '../report/measure.ts';
import { measureRows, quantile, type Row, type RowGroup } from '../report/rows.ts';
import type { Findings } from './findings.ts';

/** Nothing takes any time here, but what it is told to take. */
const OF_REAL_TIME = 'added latency';

/** A list of every single value says nothing any more when there are hundreds. */
const fitting = ({ title, rows }: RowGroup): RowGroup => ({
  title,
  rows: rows
    .filter(({ name }) => name !== OF_REAL_TIME)
    .map((row) => ({ ...row, note: row.note.replace(/;? ?each: .*$/, '') })),
});

export function longCallRows(measures: Measures, end: CallEnd, findings: Findings): readonly RowGroup[] {
  return [{ title: 'Rotations', rows: rotationRows(findings) }, ...measureRows(measures, end).map(fitting)];
}

function rotationRows(findings: Findings): readonly Row[] {
  const { rotations, speech, deadAir, greetings, tools, tokens, sessions } = findings;
  const planned = rotations.filter(({ quiet }) => quiet);
  const forced = rotations.filter(({ quiet }) => !quiet);
  const gaps = rotations.map(({ gapMs }) => gapMs);
  const resentMs = rotations.reduce((sum, rotation) => sum + rotation.resentMs, 0);
  const saidMs = speech.saidSamples / 16;
  const again = tools.askedAgain === 0 ? '' : `; ${tools.askedAgain} asked for again, and run once`;
  return [
    row('rotations', `${planned.length} planned, ${forced.length} forced`, 'forced: without a quiet moment'),
    row('session', String(sessions), 'outlives its connections', sessions === 1),
    row('rotation gap', `${ms(quantile(gaps, 0.5) ?? 0)}`, `median; longest ${ms(Math.max(0, ...gaps))}`),
    row('resent', `${(resentMs / 1_000).toFixed(2)} s`, 'of the caller, where the session had lost it'),
    row(
      'speech lost, doubled',
      `${speech.lostSamples}, ${speech.doubledSamples}`,
      `samples of ${(saidMs / 1_000).toFixed(0)} s of speech${told(speech.toldLines)}`,
      speech.lostSamples + speech.doubledSamples + speech.damagedSamples === 0,
    ),
    row(
      'longest dead air',
      `${(deadAir.forMs / 1_000).toFixed(1)} s`,
      `while an answer was due, ${clockTime(deadAir.fromMs)} into the call`,
    ),
    row('second greetings', String(Math.max(0, greetings - 1)), '', greetings === 1),
    row(
      'tools called, answered',
      `${tools.called}, ${tools.answered}`,
      `each once${again}`,
      tools.called === tools.answered,
    ),
    row('tokens', `${tokens.prompt}, ${tokens.response}`, 'context at the end, spoken by the model'),
  ];
}

const told = (lines: number): string =>
  lines === 0 ? '' : `; ${lines === 1 ? 'one line' : `${lines} lines`} known from a note alone`;

export const clockTime = (atMs: number): string =>
  `${Math.floor(atMs / 60_000)}:${String(Math.floor((atMs / 1_000) % 60)).padStart(2, '0')}`;

const ms = (value: number): string => `${Math.round(value)} ms`;

const row = (name: string, value: string, note: string, good: boolean | null = null): Row => ({
  name,
  value,
  note,
  good,
});
