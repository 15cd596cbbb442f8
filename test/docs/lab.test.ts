import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import type { CliIo } from '../../src/cli/io.ts';
import { runCli } from '../../src/cli/program.ts';
import { EmulatedService } from '../../src/lab/emulator/service.ts';
import { makeScenario, parseScenario } from '../../src/lab/scenario.ts';
import { anchors, codes, fenced, readDocument, section, tableRows } from './markdown.ts';

const document = readDocument('docs/lab.md');

/** What a command says, and nothing else of the process. */
async function printed(...args: string[]): Promise<string> {
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
  await runCli(args, io);
  return text;
}

const optionsIn = (text: string): string[] => [
  ...new Set([...text.matchAll(/--[a-z][a-z-]*/g)].map(([option]) => option)),
];

test('the table of options has every option of "call", and no other', async () => {
  const help = (await printed('call', '--help')).split('Options:')[1]?.split('Examples:')[0] ?? '';
  const listed = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option as string);
  const shown = tableRows(section(document, 'options')).flatMap(([names = '']) => codes(names));
  expect(shown.sort()).toEqual(listed.filter((option) => option !== '--help').sort());
});

test('the table of options has their defaults', async () => {
  const help = (await printed('call', '--help')).replaceAll(/\s+/g, ' ');
  const defaultOf = (option: string): string | undefined =>
    new RegExp(`${option} <[^(]*?\\(default: "?([^)"]+)"?\\)`).exec(
      help.replaceAll(/\(PUBLIC_URL\)/g, ''),
    )?.[1];
  const rows = tableRows(section(document, 'options')).map(([names = '', shown = '']) => [
    codes(names),
    shown,
  ]);
  const shownAt = (option: string) => rows.find(([names]) => names?.includes(option))?.[1];
  for (const option of ['--url', '--carrier']) expect(shownAt(option)).toBe(`\`${defaultOf(option)}\``);
  expect(shownAt('--max-seconds')).toBe(defaultOf('--max-seconds'));
  expect(shownAt('--delay')).toBe(
    `${defaultOf('--delay')}, ${defaultOf('--jitter')}, none, ${defaultOf('--seed')}`,
  );
});

test('every option in a command of the text exists', async () => {
  const known = optionsIn(
    (
      await Promise.all(['call', 'emulator', 'demo', 'lab', 'probe'].map((name) => printed(name, '--help')))
    ).join(),
  );
  expect(optionsIn(document).filter((option) => !known.includes(option))).toEqual([]);
});

test('the scenario in it can be played, as can its behaviours', () => {
  const [whole = '', behaviours = ''] = fenced(document, 'yaml');
  const scenario = parseScenario(parseYaml(whole), { name: 'lab.md', directory: '.' });
  expect(scenario.replies.map((reply) => reply.clip === null)).toEqual([false, false]);
  expect(scenario.replies[1]?.calls.map((call) => call.name)).toEqual(['hang_up']);
  const played = parseScenario(parseYaml(behaviours), { name: 'lab.md', directory: '.' }).model.behaviours;
  expect(Object.keys(played).length).toBe(2);
});

describe('what the emulator refuses', () => {
  const refusals = (name: string) =>
    tableRows(section(document, name)).map(
      ([message = '', code, reason = '']) => [codes(message)[0] as string, Number(code), reason] as const,
    );
  const connect = () =>
    new EmulatedService({ scenario: makeScenario({ model: { setupDelayMs: 0 } }) }).connect(
      { apiVersion: 'v1beta', vertex: false, key: 'any' },
      0,
    );
  const closeOf = (outputs: readonly object[]) =>
    outputs.find((output): output is { close: number; reason: string } => 'close' in output);

  test.each(refusals('refused-first'))('as the first message: %s', (message, code, reason) => {
    const close = closeOf(connect().receive(message, 0));
    expect(close?.close).toBe(code);
    expect(close?.reason.startsWith(reason)).toBe(true);
  });

  test.each(refusals('refused-later'))('after setup: %s', (message, code, reason) => {
    const session = connect();
    session.receive('{"setup":{"model":"models/gemini-3.8-live"}}', 0);
    expect(JSON.stringify(session.tick(1))).not.toContain('"close"');
    const close = closeOf(session.receive(message, 1000));
    expect(close?.close).toBe(code);
    expect(close?.reason.startsWith(reason)).toBe(true);
  });
});

test('the rows of the report are those that are explained', () => {
  const source = readFileSync('src/lab/report/rows.ts', 'utf8');
  const named = [...source.matchAll(/\brow\(\s*'([^']+)'/g)].map(([, name]) => name as string);
  const explained = tableRows(section(document, 'report')).map(([name = '']) => name.replaceAll('`', ''));
  expect(explained.sort()).toEqual([...new Set(named)].sort());
});

test('the section on scenarios that it points to exists', () => {
  expect(anchors(readDocument('fixtures/README.md'))).toContain('a-scenario-of-your-own');
});
