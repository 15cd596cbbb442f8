import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { CliIo } from '../../src/cli/io.ts';
import { runCli } from '../../src/cli/program.ts';
import { invariantsFor, NOTHING_LEFT } from '../../src/lab/laboratory/invariants/all.ts';
import { LAB_FAULTS } from '../../src/lab/laboratory/plan.ts';
import { anchors, codes, readDocument, section, tableRows } from './markdown.ts';

const document = readDocument('docs/lab.md');

/** What a command says of itself. */
async function helpOf(command: string): Promise<string> {
  let text = '';
  const take = (more: string): void => {
    text += `${more}\n`;
  };
  const io: CliIo = {
    out: take,
    err: take,
    draw: () => {},
    env: {},
    isTerminal: false,
    columns: 200,
    stopSignal: () => new AbortController().signal,
  };
  await runCli([command, '--help'], io);
  return text.split('Options:')[1]?.split('Examples:')[0] ?? '';
}

test('the table of options has every option of "lab" with its default, and no other', async () => {
  const help = await helpOf('lab');
  const listed = [...help.matchAll(/^ {2}(--[a-z-]+)([\s\S]*?)(?=^ {2}(?:--|-h)|$(?![\s\S]))/gm)].map(
    ([, name, rest = '']) => [name, /\(default:\s+"?([^")]+)"?\)/.exec(rest)?.[1] ?? null] as const,
  );
  const shown = tableRows(section(document, 'lab-options')).map(
    ([names = '', value = '']) => [codes(names)[0], value] as const,
  );
  expect(shown.map(([name]) => name).sort()).toEqual(listed.map(([name]) => name).sort());
  for (const [name, value] of listed)
    if (value !== null) expect(shown.find(([each]) => each === name)).toEqual([name, value]);
});

test('every sentence that must hold is in the table, as it stands in the code', () => {
  const shown = tableRows(section(document, 'invariants')).map(([name = '', sentence]) => [
    codes(name)[0],
    sentence,
  ]);
  const known = [...invariantsFor('counters'), NOTHING_LEFT].map(({ name, sentence }) => [name, sentence]);
  expect(shown).toEqual(known);
});

test('the faults beside those of the service are named', () => {
  const [row = ''] = section(document, 'lab-options')
    .split('\n')
    .filter((line) => line.includes('`--faults`'));
  for (const fault of LAB_FAULTS) expect(codes(row)).toContain(fault);
  expect(anchors(readDocument('fixtures/README.md'))).toContain('faults');
});

test('the rows of the long call are those that are explained', () => {
  const source = readFileSync('src/lab/long-call/rows.ts', 'utf8');
  const named = [...source.matchAll(/\brow\(\s*'([^']+)'/g)].map(([, name]) => name as string);
  const explained = tableRows(section(document, 'long-report')).map(([name = '']) => codes(name)[0]);
  expect(explained).toEqual(named);
});

test('what it points to in other documents exists', () => {
  expect(anchors(readDocument('docs/long-calls.md'))).toContain('a-planned-rotation');
});
