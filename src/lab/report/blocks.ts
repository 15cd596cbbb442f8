/** The parts that the pages of calls have in common, as HTML. */
import type { CallRun } from '../caller/call-run.ts';
import { escapeHtml } from './escape.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { RowGroup } from './rows.ts';
import type { SpokenLine } from './transcript.ts';

/** A page that needs nothing else: no script, no network. @param body HTML; @param style beside the pages' own */
export function page(title: string, body: string, style = ''): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)} · call report</title>
<style>${PAGE_STYLE}${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

/** @param kept what is said where nothing was broken */
export const verdict = (broken: readonly string[], kept: string): string =>
  broken.length === 0
    ? `<p class="verdict good">✓ ${escapeHtml(kept)}</p>`
    : broken.map((line) => `<p class="verdict bad">✗ ${escapeHtml(line)}</p>`).join('\n');

export const figure = (value: string, caption: string, bad = false): string =>
  `<div class="figure${bad ? ' bad' : ''}"><b>${escapeHtml(value)}</b><span>${escapeHtml(caption)}</span></div>`;

/** A line of the conversation. @param at when it was said, as people read it */
export const spoken = ({ who, text, unheard }: SpokenLine, at: string): string =>
  `<li class="${who}"><time>${at}, ${who}</time>${escapeHtml(text)}` +
  `${unheard === '' ? '' : `<s title="never heard">${escapeHtml(unheard)}</s>`}</li>`;

export function table(groups: readonly RowGroup[]): string {
  const bodies = groups.map(({ title, rows }) => {
    const lines = rows.map(({ name, value, note, good }) => {
      const mood = good === null ? '' : ` class="${good ? 'good' : 'bad'}"`;
      return `<tr><td>${escapeHtml(name)}</td><td${mood}>${escapeHtml(value)}</td><td>${escapeHtml(note)}</td></tr>`;
    });
    return `<tbody><tr><th colspan="3">${escapeHtml(title)}</th></tr>${lines.join('\n')}</tbody>`;
  });
  return `<table>${bodies.join('')}</table>`;
}

export function events(timeline: CallRun['timeline']): string {
  const lines = timeline.map(
    ({ atMs, what, detail }) =>
      `<tr><td>${(atMs / 1_000).toFixed(3)} s</td><td>${escapeHtml(what)}</td><td>${escapeHtml(detail)}</td></tr>`,
  );
  return `<table><tbody>${lines.join('\n')}</tbody></table>`;
}
