/** The long call as rows of a few minutes, one below the other: both voices, interruptions, and every rotation by name. */
import type { CallRun } from '../caller/call-run.ts';
import { escapeHtml } from '../report/escape.ts';
import type { Measures } from '../report/measure.ts';
import { type Rotation, rotationLabel } from './rotations.ts';
import { clockTime } from './rows.ts';

const ROW_MS = 3 * 60_000;
const LEFT = 46;
const WIDTH = 1_216;
/** The last tick stands under the end of the row. */
const RIGHT = 22;
const LABEL = 30;
const LANE = 30;
const BETWEEN = 6;
const AXIS = 16;
const ROW = LABEL + 2 * LANE + BETWEEN + AXIS;
/** About so many pixels a character at this size. */
const CHARACTER = 6.6;

const SPAN = WIDTH - LEFT - RIGHT;
const x = (ms: number): number => LEFT + (ms / ROW_MS) * SPAN;
const fixed = (value: number): string => value.toFixed(1);

export function drawLongCall(run: CallRun, measures: Measures, rotations: readonly Rotation[]): string {
  const rows = Math.max(1, Math.ceil(run.durationMs / ROW_MS));
  const peaks = { caller: peakOf(run.sent), bot: peakOf(run.heard) };
  const parts = Array.from({ length: rows }, (_, row) => drawRow(row, run, measures, rotations, peaks));
  return `<svg width="${WIDTH}" height="${rows * ROW}" viewBox="0 0 ${WIDTH} ${rows * ROW}" role="img" aria-label="The call over time, ${ROW_MS / 60_000} minutes a row">${parts.join('\n')}</svg>`;
}

function drawRow(
  row: number,
  run: CallRun,
  measures: Measures,
  rotations: readonly Rotation[],
  peaks: { readonly caller: number; readonly bot: number },
): string {
  const fromMs = row * ROW_MS;
  const toMs = Math.min(run.durationMs, fromMs + ROW_MS);
  const callerY = LABEL + LANE / 2;
  const botY = LABEL + LANE + BETWEEN + LANE / 2;
  const here = rotations.filter((rotation) => rotation.toMs >= fromMs && rotation.toMs < fromMs + ROW_MS);
  const labels = placeLabels(here, fromMs);
  const bargeIns = measures.bargeIns.filter(({ onsetMs }) => onsetMs >= fromMs && onsetMs < toMs);
  return [
    `<g transform="translate(0 ${row * ROW})">`,
    `<text class="lane" x="0" y="${LABEL + LANE + 6}">${clockTime(fromMs)}</text>`,
    drawTicks(fromMs, toMs),
    drawWave(run.sent, run.sentRate ?? run.sampleRate, fromMs, toMs, callerY, 'wave-caller', peaks.caller),
    drawWave(run.heard, run.sampleRate, fromMs, toMs, botY, 'wave-bot', peaks.bot),
    ...bargeIns.map(({ onsetMs, earMs }) => {
      const at = fixed(x(onsetMs - fromMs));
      return `<g><title>interrupted, ${Math.round(earMs)} ms to silence</title><line class="stop" x1="${at}" y1="${LABEL}" x2="${at}" y2="${LABEL + 2 * LANE + BETWEEN}"/></g>`;
    }),
    ...labels.map(drawRotation),
    ...labels.map(drawLabel),
    '</g>',
  ].join('');
}

function drawTicks(fromMs: number, toMs: number): string {
  const ticks: string[] = [];
  for (let atMs = fromMs; atMs <= toMs; atMs += 15_000) {
    const at = fixed(x(atMs - fromMs));
    ticks.push(
      `<line class="grid" x1="${at}" y1="${LABEL}" x2="${at}" y2="${LABEL + 2 * LANE + BETWEEN + 3}"/>`,
    );
    if (atMs % 30_000 === 0)
      ticks.push(
        `<text class="axis" x="${at}" y="${ROW - 3}" text-anchor="middle">${clockTime(atMs)}</text>`,
      );
  }
  return ticks.join('');
}

/** Highest and lowest sample of every pixel, as one filled outline. */
function drawWave(
  samples: Int16Array,
  rate: number,
  fromMs: number,
  toMs: number,
  y: number,
  style: string,
  peak: number,
): string {
  const first = Math.ceil(x(0));
  const last = Math.floor(x(toMs - fromMs));
  const perPixel = (ROW_MS * rate) / 1_000 / SPAN;
  const start = (fromMs * rate) / 1_000;
  const upper: string[] = [];
  const lower: string[] = [];
  for (let pixel = first; pixel <= last; pixel++) {
    const from = Math.floor(start + (pixel - first) * perPixel);
    const to = Math.min(samples.length, Math.ceil(from + perPixel));
    let [high, low] = [0, 0];
    for (let index = from; index < to; index++) {
      high = Math.max(high, samples[index]!);
      low = Math.min(low, samples[index]!);
    }
    upper.push(`${pixel} ${fixed(y - 0.5 - reach(high, peak))}`);
    lower.push(`${pixel} ${fixed(y + 0.5 + reach(-low, peak))}`);
  }
  if (upper.length === 0) return '';
  return `<path class="${style}" d="M${upper.join('L')}L${lower.reverse().join('L')}Z"/>`;
}

interface Placed {
  readonly rotation: Rotation;
  readonly at: number;
  readonly label: string;
  /** Left end of the label, and its line: two labels never lie over each other. */
  readonly labelAt: number;
  readonly line: number;
}

function placeLabels(rotations: readonly Rotation[], fromMs: number): readonly Placed[] {
  const endsAt = [0, 0];
  return rotations.map((rotation) => {
    const label = rotationLabel(rotation);
    const at = x(rotation.toMs - fromMs);
    const length = label.length * CHARACTER + 8;
    const labelAt = Math.min(at, WIDTH - length);
    const line = endsAt[1]! <= labelAt ? 1 : 0;
    endsAt[line] = labelAt + length;
    return { rotation, at, label, labelAt, line };
  });
}

const yOf = ({ line }: Placed): number => (line === 1 ? LABEL - 7 : LABEL - 20);
const styleOf = ({ rotation }: Placed): string => (rotation.quiet ? 'rotation' : 'rotation forced');

function drawRotation(placed: Placed): string {
  const { rotation, at, label } = placed;
  const bottom = LABEL + 2 * LANE + BETWEEN;
  return [
    `<g class="${styleOf(placed)}"><title>${escapeHtml(`${clockTime(rotation.toMs)}: ${label}`)}</title>`,
    `<line x1="${fixed(at)}" y1="${yOf(placed) + 3}" x2="${fixed(at)}" y2="${bottom}"/>`,
    `<path d="M${fixed(at - 4)} ${bottom + 4}L${fixed(at + 4)} ${bottom + 4}L${fixed(at)} ${bottom - 3}Z"/></g>`,
  ].join('');
}

/** Over all lines, so that none runs through it. */
const drawLabel = (placed: Placed): string =>
  `<g class="${styleOf(placed)}"><text x="${fixed(placed.labelAt + 3)}" y="${yOf(placed)}">${escapeHtml(placed.label)}</text></g>`;

const reach = (value: number, peak: number): number => (Math.min(1, value / peak) * LANE) / 2;

function peakOf(samples: Int16Array): number {
  let peak = 2_000;
  for (let index = 0; index < samples.length; index++) peak = Math.max(peak, Math.abs(samples[index]!));
  return peak;
}
