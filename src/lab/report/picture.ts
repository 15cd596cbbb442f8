/** The call as one picture on one time line: both voices, who spoke when, what was cut off and what nobody heard. */
import type { CallRun } from '../caller/call-run.ts';
import { escapeHtml } from './escape.ts';
import type { HeardTurn } from './heard.ts';
import type { Measures } from './measure.ts';

const LEAST_WIDTH = 1_180;
const PIXELS_PER_SECOND = 30;
const TOP = 34;
const LANE = 96;
const BAR = 20;
const MIDDLE = 30;
/** Longest picture: beyond it a long call gets fewer pixels a second. */
const MOST_WIDTH = 20_000;

const CALLER_BAR_Y = TOP;
const CALLER_Y = CALLER_BAR_Y + BAR + 8 + LANE / 2;
const BOT_Y = CALLER_Y + LANE / 2 + MIDDLE + LANE / 2;
const BOT_BAR_Y = BOT_Y + LANE / 2 + 8;
const HEIGHT = BOT_BAR_Y + BAR + 30;

export function drawCall(run: CallRun, measures: Measures): string {
  const durationMs = Math.max(1_000, run.durationMs, (run.heard.length * 1_000) / run.sampleRate);
  const width = Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, (durationMs / 1_000) * PIXELS_PER_SECOND));
  const x = (ms: number): number => Math.round((ms / durationMs) * width * 10) / 10;
  const parts = [
    `<svg width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="The call over time">`,
    `<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">`,
    `<line x1="0" y1="0" x2="0" y2="6" stroke="var(--ghost)" stroke-width="2" opacity="0.55"/></pattern></defs>`,
    drawAxis(durationMs, x),
    `<text class="lane" x="4" y="${CALLER_Y - LANE / 2 + 6}">caller</text>`,
    `<text class="lane" x="4" y="${BOT_Y - LANE / 2 + 6}">heard</text>`,
    wave(run.sent, run.sentRate ?? run.sampleRate, 0, CALLER_Y, 'wave-caller', x, peakOf(run.sent)),
    wave(run.heard, run.sampleRate, 0, BOT_Y, 'wave-bot', x, peakOf(run.heard)),
    ...run.clears.map((clear) => drawNeverHeard(run, clear.atMs, clear.neverHeard, x)),
    drawNeverHeard(run, run.durationMs, run.unplayed, x),
    ...measures.utterances.map((span) => bar(span.fromMs, span.toMs, CALLER_BAR_Y, 'bar-caller', '', x)),
    ...measures.turns.map((turn) => bar(turn.fromMs, turn.toMs, BOT_BAR_Y, 'bar-bot', turnLabel(turn), x)),
    ...measures.turnGaps.map((gap) => drawGap(measures.turns[gap.turn]!.audibleFromMs, gap.earMs, x)),
    ...measures.underruns.map(
      ({ atMs, gapMs }) =>
        `<rect class="dry" x="${x(atMs)}" y="${BOT_Y - LANE / 2}" width="${Math.max(1.5, x(gapMs))}" height="${LANE}" opacity="0.5"><title>underrun: ${Math.round(gapMs)} ms</title></rect>`,
    ),
    ...run.dtmf.map(({ atMs, digit }) => drawKey(atMs, digit, x)),
    ...measures.bargeIns.map((one) => drawStop(one.onsetMs, one.earMs, x)),
    '</svg>',
  ];
  return parts.join('\n');
}

type Scale = (ms: number) => number;

function drawAxis(durationMs: number, x: Scale): string {
  const stepMs = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000].find((step) => x(step) >= 44) ?? 300_000;
  const ticks: string[] = [];
  for (let atMs = 0; atMs <= durationMs; atMs += stepMs) {
    ticks.push(
      `<line class="grid" x1="${x(atMs)}" y1="${TOP - 8}" x2="${x(atMs)}" y2="${HEIGHT - 22}"/>`,
      `<text class="axis" x="${x(atMs) + 3}" y="${HEIGHT - 8}">${atMs / 1_000} s</text>`,
    );
  }
  return ticks.join('');
}

/** Highest and lowest sample of every pixel, as one filled outline. */
function wave(
  samples: Int16Array,
  sampleRate: number,
  fromMs: number,
  y: number,
  style: string,
  x: Scale,
  peak: number,
): string {
  if (samples.length === 0) return '';
  const first = Math.floor(x(fromMs));
  const last = Math.ceil(x(fromMs + (samples.length * 1_000) / sampleRate));
  const perPixel = samples.length / Math.max(1, last - first);
  const upper: string[] = [];
  const lower: string[] = [];
  for (let pixel = first; pixel < last; pixel += 1) {
    let high = 0;
    let low = 0;
    const end = Math.min(samples.length, Math.ceil((pixel - first + 1) * perPixel));
    for (let i = Math.floor((pixel - first) * perPixel); i < end; i += 1) {
      high = Math.max(high, samples[i]!);
      low = Math.min(low, samples[i]!);
    }
    // Half a pixel at least, so that a silent line is still a line.
    upper.push(`${pixel} ${(y - 0.5 - reach(high, peak)).toFixed(1)}`);
    lower.push(`${pixel} ${(y + 0.5 + reach(-low, peak)).toFixed(1)}`);
  }
  return `<path class="${style}" d="M${upper.join('L')}L${lower.reverse().join('L')}Z"/>`;
}

const reach = (value: number, peak: number): number => (Math.min(1, value / peak) * LANE) / 2;

/** Speech fills the lane; a quiet line is not blown up to look like speech. */
function peakOf(samples: Int16Array): number {
  let peak = 2_000;
  for (let i = 0; i < samples.length; i += 1) peak = Math.max(peak, Math.abs(samples[i]!));
  return peak;
}

/** Where it would have gone on, had it not been thrown away; the next thing heard hides the rest. */
function drawNeverHeard(run: CallRun, atMs: number, samples: Int16Array, x: Scale): string {
  if (samples.length === 0) return '';
  const fromMs = run.runs.findLast((played) => played.fromMs <= atMs)?.toMs ?? atMs;
  const nextMs = run.runs.find((played) => played.fromMs >= atMs)?.fromMs ?? Number.POSITIVE_INFINITY;
  const perMs = run.sampleRate / 1_000;
  const shownMs = Math.min(samples.length / perMs, Math.max(40, nextMs - fromMs));
  const shown = samples.subarray(0, Math.round(shownMs * perMs));
  const left = x(fromMs);
  const right = x(fromMs + shownMs);
  const top = BOT_Y - LANE / 2;
  return [
    `<g><title>sent, never heard: ${Math.round(samples.length / perMs)} ms</title>`,
    wave(shown, run.sampleRate, fromMs, BOT_Y, 'wave-ghost', x, peakOf(run.heard)),
    `<rect x="${left}" y="${top}" width="${Math.max(2, right - left)}" height="${LANE}" fill="url(#hatch)"/>`,
    `<line class="ghost-edge" x1="${left}" y1="${top}" x2="${left}" y2="${top + LANE}"/></g>`,
  ].join('');
}

function bar(fromMs: number, toMs: number, y: number, style: string, label: string, x: Scale): string {
  const width = Math.max(2, x(toMs) - x(fromMs));
  // About six pixels a character at this size.
  const fits = label !== '' && width > label.length * 6 + 10;
  const text = fits
    ? `<text class="bar-text" x="${x(fromMs) + 6}" y="${y + 14}">${escapeHtml(label)}</text>`
    : '';
  const title = `${label === '' ? '' : `${escapeHtml(label)}, `}${(fromMs / 1_000).toFixed(2)} to ${(toMs / 1_000).toFixed(2)} s`;
  return `<g><title>${title}</title><rect class="${style}" x="${x(fromMs)}" y="${y}" width="${width}" height="${BAR}" rx="4"/>${text}</g>`;
}

function turnLabel(turn: HeardTurn): string {
  const names = [...new Set(turn.clips.map((clip) => clip.name.replace(/^.*\//, '').replace(/\.wav$/, '')))];
  return `${names.join(', ')}${turn.cut ? ' (cut)' : ''}`.trim();
}

/** The caller waits: from the end of the speech to the first sound of the answer. */
function drawGap(toMs: number, gapMs: number, x: Scale): string {
  const y = CALLER_Y + LANE / 2 + MIDDLE / 2;
  const [left, right] = [x(toMs - gapMs), x(toMs)];
  const line = `<path class="gap" d="M${left} ${y - 4}V${y + 4}M${left} ${y}H${right}M${right} ${y - 4}V${y + 4}"/>`;
  return `${line}<text class="gap-text" x="${(left + right) / 2}" y="${y - 6}" text-anchor="middle">${Math.round(gapMs)} ms</text>`;
}

function drawStop(onsetMs: number, earMs: number, x: Scale): string {
  const label = `interrupted: ${Math.round(earMs)} ms to silence`;
  return [
    `<line class="stop" x1="${x(onsetMs)}" y1="${TOP - 12}" x2="${x(onsetMs)}" y2="${HEIGHT - 22}"/>`,
    `<line class="stop" x1="${x(onsetMs + earMs)}" y1="${BOT_Y - LANE / 2}" x2="${x(onsetMs + earMs)}" y2="${BOT_Y + LANE / 2}"/>`,
    `<text class="stop-text" x="${x(onsetMs) + 4}" y="${TOP - 16}">${label}</text>`,
  ].join('');
}

function drawKey(atMs: number, digit: string, x: Scale): string {
  const [left, y] = [x(atMs), CALLER_BAR_Y + BAR / 2];
  return `<g><title>key pressed</title><circle class="key" cx="${left}" cy="${y}" r="9"/><text class="key-text" x="${left}" y="${y + 4}" text-anchor="middle">${escapeHtml(digit)}</text></g>`;
}
