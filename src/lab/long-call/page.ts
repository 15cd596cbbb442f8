/** The long call as a page that needs nothing else: no script, no network, everything inline. */
import { events, figure, page, spoken, table, verdict } from '../report/blocks.ts';
import { escapeHtml } from '../report/escape.ts';
import type { Measures } from '../report/measure.ts';
import { quantile, type RowGroup } from '../report/rows.ts';
import type { SpokenLine } from '../report/transcript.ts';
import type { Findings } from './findings.ts';
import { drawLongCall } from './picture.ts';
import type { LongCall } from './play.ts';
import { type Rotation, rotationLabel } from './rotations.ts';
import { clockTime } from './rows.ts';

const STYLE = `
.rotation line { stroke: var(--good); stroke-width: 2; } .rotation path, .rotation text { fill: var(--good); font-weight: 600; }
.rotation text { paint-order: stroke; stroke: var(--card); stroke-width: 4; }
.rotation.forced line { stroke: #a86a00; } .rotation.forced path, .rotation.forced text { fill: #a86a00; }
@media (prefers-color-scheme: dark) { .rotation text { paint-order: stroke; stroke: var(--card); stroke-width: 4; }
.rotation.forced line { stroke: #e8b04a; } .rotation.forced path, .rotation.forced text { fill: #e8b04a; } }
.long { max-height: 1200px; overflow-y: auto; padding-right: 8px; }
.talk .turned { max-width: none; padding: 4px 0; text-align: center; color: var(--soft); border-top: 1px solid var(--line);
  border-bottom: 1px solid var(--line); border-radius: 0; font-size: 13px; }
`;

export interface LongPageOptions {
  readonly title: string;
  readonly description: string;
  readonly call: LongCall;
  readonly measures: Measures;
  readonly findings: Findings;
  readonly rows: readonly RowGroup[];
  readonly transcript: readonly SpokenLine[];
}

export function longCallPage(options: LongPageOptions): string {
  const { title, description, call, measures, findings, rows, transcript } = options;
  const { run } = call;
  const body = `<h1>${escapeHtml(title)}</h1>
<p class="lead">${escapeHtml(description)}</p>
${verdict(findings.broken, 'The call has kept every rule.')}
${figures(measures, findings)}
<section class="panel">
<h2>The call, three minutes a row</h2>
<div class="scroll">${drawLongCall(run, measures, findings.rotations)}</div>
<div class="legend">
<span><i style="background:var(--caller)"></i>what the caller said</span>
<span><i style="background:var(--bot)"></i>what the caller heard</span>
<span><i style="background:var(--stop)"></i>interruption</span>
<span><i style="background:var(--good)"></i>rotation at a quiet moment</span>
<span><i style="background:#a86a00"></i>forced rotation</span>
</div>
</section>
<div class="columns">
<section class="panel"><h2>What was said</h2><div class="long">${talk(transcript, findings.rotations)}</div></section>
<section class="panel"><h2>Measures</h2>${table(rows)}</section>
</div>
<section class="panel"><details><summary>Everything that happened at the carrier, ${run.timeline.length} entries</summary>${events(run.timeline)}</details></section>`;
  return page(title, body, STYLE);
}

function figures({ turnGaps }: Measures, { rotations, speech, deadAir, greetings }: Findings): string {
  const forced = rotations.filter(({ quiet }) => !quiet).length;
  const gaps = rotations.map(({ gapMs }) => gapMs);
  const ear = quantile(
    turnGaps.map(({ earMs }) => earMs),
    0.5,
  );
  const cards = [
    figure(String(rotations.length), `connections replaced, ${forced} of them without a quiet moment`),
    figure(`${Math.round(quantile(gaps, 0.5) ?? 0)} ms`, 'from one connection to the next, median'),
    figure(
      `${speech.lostSamples} / ${speech.doubledSamples}`,
      'samples of the caller’s speech lost / doubled',
      speech.lostSamples + speech.doubledSamples > 0,
    ),
    figure(ear === null ? '–' : `${Math.round(ear)} ms`, 'from the caller’s last word to the answer, median'),
    figure(`${(deadAir.forMs / 1_000).toFixed(1)} s`, 'the longest silence while an answer was due'),
    figure(String(greetings), 'greeting', greetings !== 1),
  ];
  return `<div class="figures">${cards.join('')}</div>`;
}

/** The rotations stand in it where they were: nobody should be able to tell from what was said. */
function talk(transcript: readonly SpokenLine[], rotations: readonly Rotation[]): string {
  const said = transcript.map((line) => ({ atMs: line.atMs, html: spoken(line, clockTime(line.atMs)) }));
  const turned = rotations.map((rotation) => ({
    atMs: rotation.toMs,
    html: `<li class="turned">${clockTime(rotation.toMs)}, another connection: ${escapeHtml(rotationLabel(rotation))}</li>`,
  }));
  const lines = [...said, ...turned].sort((a, b) => a.atMs - b.atMs);
  return `<ul class="talk">${lines.map(({ html }) => html).join('\n')}</ul>`;
}
