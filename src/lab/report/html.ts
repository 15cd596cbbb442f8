/** One call as a page that needs nothing else: no script, no network, everything inline. */
import type { CallRun } from '../caller/call-run.ts';
import { events, figure, page, spoken, table, verdict } from './blocks.ts';
import { escapeHtml } from './escape.ts';
import type { Measures } from './measure.ts';
import { drawCall } from './picture.ts';
import { measureRows, quantile } from './rows.ts';
import type { SpokenLine } from './transcript.ts';

export interface PageOptions {
  readonly title: string;
  readonly description: string;
  readonly run: CallRun;
  readonly measures: Measures;
  readonly transcript: readonly SpokenLine[];
  /** What the run did not show although the scenario expects it; null when nothing was expected. */
  readonly unmet: readonly string[] | null;
}

export function htmlReport(options: PageOptions): string {
  const { title, description, run, measures, transcript, unmet } = options;
  const when = new Date(run.startedAtEpochMs).toISOString().replace('T', ' ').slice(0, 16);
  const body = `<h1>${escapeHtml(title)}</h1>
<p class="lead">${escapeHtml(description)}</p>
<p class="lead">${escapeHtml(run.from)} to ${escapeHtml(run.to)} by ${escapeHtml(run.carrier)}, ${when} UTC</p>
${unmet === null ? '' : verdict(unmet, 'The call went as its scenario expects.')}
${figures(measures)}
<section class="panel">
<h2>The call</h2>
<div class="scroll">${drawCall(run, measures)}</div>
<div class="legend">
<span><i style="background:var(--caller)"></i>what the caller said</span>
<span><i style="background:var(--bot)"></i>what the caller heard</span>
<span><i style="background:repeating-linear-gradient(45deg,var(--ghost) 0 2px,transparent 2px 5px)"></i>sent, never heard</span>
<span><i style="background:var(--stop)"></i>interruption: speech began, then silence</span>
</div>
</section>
<div class="columns">
<section class="panel"><h2>What was said</h2>${talk(transcript)}</section>
<section class="panel"><h2>Measures</h2>${table(measureRows(measures, run.end))}</section>
</div>
<section class="panel"><details><summary>Everything that happened, ${run.timeline.length} entries</summary>${events(run.timeline)}</details></section>`;
  return page(title, body);
}

function figures(measures: Measures): string {
  const gap = quantile(
    measures.turnGaps.map(({ earMs }) => earMs),
    0.5,
  );
  const bargeIn = quantile(
    measures.bargeIns.map(({ earMs }) => earMs),
    0.5,
  );
  const { uplink } = measures;
  const cards = [
    figure(gap === null ? '–' : `${Math.round(gap)} ms`, 'from the caller’s last word to the answer, median'),
    figure(bargeIn === null ? '–' : `${Math.round(bargeIn)} ms`, 'from interrupting to silence, median'),
    figure(
      String(measures.underruns.length),
      'breaks in what the caller heard',
      measures.underruns.length > 0,
    ),
    uplink === null
      ? ''
      : figure(
          `${uplink.lostFrames} / ${uplink.doubledFrames}`,
          'caller frames lost / doubled on the way to the model',
          uplink.lostFrames + uplink.doubledFrames > 0,
        ),
    figure(`${(measures.neverHeardMs / 1_000).toFixed(2)} s`, 'sent, but never heard'),
  ];
  return `<div class="figures">${cards.join('')}</div>`;
}

function talk(transcript: readonly SpokenLine[]): string {
  if (transcript.length === 0) return '<p class="lead">No transcript: it comes from the model’s side.</p>';
  const lines = transcript.map((line) => spoken(line, `${(line.atMs / 1_000).toFixed(1)} s`));
  const wasCut = transcript.some(({ unheard }) => unheard !== '');
  const note = wasCut
    ? '<p class="talk-note">Struck through: said by the model, never heard by the caller.</p>'
    : '';
  return `<ul class="talk">${lines.join('\n')}</ul>${note}`;
}
