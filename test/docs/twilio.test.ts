import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { RefusalReason } from '../../src/carriers/carrier.ts';
import { apiOrigin } from '../../src/carriers/twilio/rest.ts';
import { refusalDocument } from '../../src/carriers/voice-markup.ts';
import { codes, readDocument, section, tableRows } from './markdown.ts';

const document = readDocument('docs/carriers/twilio.md');

test('the sentences are those that a refused caller hears', () => {
  const rows = tableRows(section(document, 'refusals'));
  const reasons = rows.map(([reason]) => reason?.replaceAll('`', ''));
  expect(reasons.sort()).toEqual(['busy', 'draining', 'error', 'no-bot']);
  for (const [reason = '', sentence = ''] of rows) {
    expect(refusalDocument(reason.replaceAll('`', '') as RefusalReason)).toContain(`>${sentence}</Say>`);
  }
});

test('region and edge lead to the addresses in the table', () => {
  const rows = tableRows(section(document, 'regions'));
  expect(rows.length).toBe(5);
  for (const [region = '', edge = '', address = ''] of rows) {
    const plain = (cell: string) => cell.replaceAll('`', '');
    expect(apiOrigin({ region: plain(region), edge: plain(edge) })).toBe(plain(address));
  }
});

test('every log line and kind that it names stands in the source', () => {
  const source = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(`src/${path}`, 'utf8'))
    .join('\n');
  const lines = tableRows(section(document, 'codes')).flatMap(([, , line = '']) => codes(line));
  const prose = ['call admitted', 'stream started', 'session ready', 'call ended', 'session failed'];
  const heard = [
    'greeting played from the recorded clip',
    'barge-in',
    'playout resumed',
    'underrun',
    'call refused',
  ];
  expect(lines.length).toBeGreaterThan(15);
  for (const line of [...lines, ...prose, ...heard]) {
    expect(document).toContain(line);
    // Kinds of refused streams are put together from these two.
    const [, place, reason] = /^stream (handshake|token) ([a-z-]+)$/.exec(line) ?? [];
    const text = (part: string): boolean => new RegExp(`['\`]${part}['\`:]`).test(source);
    const found =
      place === undefined
        ? text(line.replace(/^stream (?=too )/, ''))
        : source.includes(`\`${place} $`) && text(reason ?? '');
    expect([line, found]).toEqual([line, true]);
  }
});
