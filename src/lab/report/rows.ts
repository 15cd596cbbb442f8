/** The measures as the rows of a table: one list for the terminal and for the page, so that both say the same. */
import type { CallEnd } from '../caller/call-run.ts';
import type { Measures } from './measure.ts';

export interface Row {
  readonly name: string;
  readonly value: string;
  readonly note: string;
  /** False stands out: it is not as it should be. Null: a figure without a right value. */
  readonly good: boolean | null;
}

export interface RowGroup {
  readonly title: string;
  readonly rows: readonly Row[];
}

const ms = (value: number): string => `${Math.round(value)} ms`;
const fine = (value: number): string => (value < 10 ? `${value.toFixed(2)} ms` : ms(value));
const below = (bound: number): string => (Number.isFinite(bound) ? `< ${bound} ms` : '> 100 ms');
const seconds = (valueMs: number): string => `${(valueMs / 1000).toFixed(2)} s`;
const list = (values: readonly number[]): string => values.map((value) => Math.round(value)).join(', ');

/** The value below which a part of all values lies; null of nothing. */
export function quantile(values: readonly number[], part: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)] ?? sorted[0] ?? null;
}

const row = (name: string, value: string, note = '', good: boolean | null = null): Row => ({
  name,
  value,
  note,
  good,
});

export function describeEnd(end: CallEnd): string {
  const who = {
    caller: 'the caller',
    gateway: 'the gateway',
    limit: 'the time limit',
    carrier: 'the carrier',
  }[end.by];
  const how = {
    'hung-up': 'hung up',
    'stream-closed': end.by === 'carrier' ? 'broke the stream off' : 'closed the stream',
    api: 'hung up over the API',
    refused: 'refused the call',
    transferred: 'transferred the call',
  }[end.how];
  return `${who} ${how}`;
}

export function measureRows(measures: Measures, end: CallEnd): readonly RowGroup[] {
  return [
    { title: 'Conversation', rows: conversationRows(measures, end) },
    { title: 'Interruptions', rows: bargeInRows(measures) },
    { title: 'To the caller', rows: downRows(measures) },
    { title: 'To the model', rows: upRows(measures) },
  ].filter((group) => group.rows.length > 0);
}

function conversationRows(measures: Measures, end: CallEnd): readonly Row[] {
  const wire = measures.turnGaps.map((gap) => gap.wireMs);
  const ear = measures.turnGaps.map((gap) => gap.earMs);
  return [
    row('length', seconds(measures.durationMs), `ended: ${describeEnd(end)}`),
    row(
      'utterances, turns',
      `${measures.utterances.length}, ${measures.turns.length}`,
      'of the caller, of the bot',
    ),
    ...(wire.length === 0
      ? []
      : [
          row('turn gap', ms(quantile(wire, 0.5)!), `median on the wire; each: ${list(wire)}`),
          row('turn gap at the ear', ms(quantile(ear, 0.5)!), `median; each: ${list(ear)}`),
        ]),
  ];
}

function bargeInRows(measures: Measures): readonly Row[] {
  const { bargeIns, gateway } = measures;
  const share = (gateway?.bargeIns ?? []).flatMap(({ gatewayMs }) => (gatewayMs === null ? [] : [gatewayMs]));
  const trackers = (gateway?.bargeIns ?? []).filter(({ by }) => by === 'tracker').length;
  return [
    row('barge-ins', String(bargeIns.length), bargeIns.length === 0 ? 'the caller interrupted nothing' : ''),
    ...(bargeIns.length === 0
      ? []
      : [
          row(
            'speech to clear',
            ms(
              quantile(
                bargeIns.map((one) => one.wireMs),
                0.5,
              )!,
            ),
            `median on the wire; each: ${list(bargeIns.map((one) => one.wireMs))}`,
          ),
          row(
            'speech to silence',
            ms(
              quantile(
                bargeIns.map((one) => one.earMs),
                0.5,
              )!,
            ),
            `median at the ear; each: ${list(bargeIns.map((one) => one.earMs))}`,
          ),
        ]),
    ...(share.length === 0
      ? trackers > 0
        ? [row('gateway share', '-', 'cleared before "interrupted" came')]
        : []
      : [row('gateway share', fine(Math.max(...share)), '"interrupted" read to clear written, the longest')]),
    ...(gateway === null || gateway.bargeIns.length === 0
      ? []
      : [
          row(
            'noticed first by',
            `tracker ${trackers}, model ${gateway.bargeIns.length - trackers}`,
            'the gateway’s own speech tracker, or Gemini’s',
          ),
        ]),
    ...(measures.otherClears === 0
      ? []
      : [row('other clears', String(measures.otherClears), 'not at an interruption')]),
  ];
}

function downRows(measures: Measures): readonly Row[] {
  const { underruns, gateway } = measures;
  const gaps = underruns.map(({ gapMs }) => gapMs);
  const clips = measures.turns.flatMap((turn) => turn.clips);
  const worst = clips.length === 0 ? null : Math.max(...clips.map((clip) => clip.residualDb));
  const down = gateway?.addedDownMs ?? [];
  return [
    row('received, heard', `${seconds(measures.receivedMs)}, ${seconds(measures.heardMs)}`),
    row(
      'sent, never heard',
      seconds(measures.neverHeardMs),
      'thrown away when the caller interrupted, or at the end',
    ),
    row(
      'underruns',
      String(underruns.length),
      gaps.length === 0 ? 'no break inside a turn' : `breaks of ${list(gaps)} ms`,
      underruns.length === 0,
    ),
    row(
      'generations, marks',
      `${measures.generations}, ${measures.marks.echoed} of ${measures.marks.received} returned`,
    ),
    ...(worst === null
      ? []
      : [
          row(
            'against the bot’s voice',
            `${worst.toFixed(1)} dB`,
            'largest residual of a clip; G.711 alone leaves about -32',
          ),
        ]),
    ...(down.length === 0
      ? []
      : [row('added latency', fine(quantile(down, 0.5)!), `median; longest ${fine(Math.max(...down))}`)]),
    ...(measures.invalidMessages === 0
      ? []
      : [
          row(
            'invalid messages',
            String(measures.invalidMessages),
            'the carrier would warn, or worse',
            false,
          ),
        ]),
  ];
}

function upRows(measures: Measures): readonly Row[] {
  const { uplink, gateway } = measures;
  const up = gateway?.addedUp;
  const latency =
    up == null
      ? []
      : [
          row(
            'added latency',
            `${below(up.medianBelowMs)}`,
            `median of ${up.frames} frames; 99 % ${below(up.p99BelowMs)}`,
          ),
        ];
  if (uplink === null) return latency;
  const whole = uplink.lostFrames === 0 && uplink.doubledFrames === 0 && uplink.damagedFrames === 0;
  return [
    row(
      'frames lost, doubled, damaged',
      `${uplink.lostFrames}, ${uplink.doubledFrames}, ${uplink.damagedFrames}`,
      `of ${uplink.comparedFrames} compared`,
      whole,
    ),
    row('residual', `${uplink.residualDb.toFixed(1)} dB`, '200 to 3300 Hz, against what was said'),
    row('shift', `${uplink.delayMs.toFixed(2)} ms`, 'of the converter'),
    ...latency,
  ];
}
