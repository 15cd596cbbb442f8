/** What was said, as lines: put together from the fragments in which a Live server sends its transcriptions. */
import type { CallRun } from '../caller/call-run.ts';
import type { HeardTurn } from './heard.ts';
import type { Measures } from './measure.ts';

export interface SpokenLine {
  readonly atMs: number;
  readonly who: 'caller' | 'bot';
  readonly text: string;
  /** What the caller did not hear any more of `text`, by the part of the recording that was played; often empty. */
  readonly unheard: string;
}

/** One thing that the model's server sent, in order of time. */
export interface ServerEvent {
  readonly atMs: number;
  readonly kind: string;
  readonly detail: string | number | null;
}

/** A line that may still grow is not complete. */
export interface TranscriptLine extends Omit<SpokenLine, 'unheard'> {
  readonly complete: boolean;
}

/** What ends the bot's line: it has said all, or was stopped. */
const ENDS_TURN: ReadonlySet<string> = new Set(['turnComplete', 'interrupted', 'generationComplete']);

/** @param originMs what the lines' times count from, on the events' clock */
export function joinTranscript(events: readonly ServerEvent[], originMs: number): readonly TranscriptLine[] {
  const lines: { atMs: number; who: 'caller' | 'bot'; text: string; complete: boolean }[] = [];
  // The two transcriptions come in no fixed order, so each speaker has an own open line.
  const open: { caller: (typeof lines)[number] | null; bot: (typeof lines)[number] | null } = {
    caller: null,
    bot: null,
  };
  const close = (who: 'caller' | 'bot'): void => {
    if (open[who] !== null) open[who].complete = true;
    open[who] = null;
  };
  for (const { atMs, kind, detail } of events) {
    if (ENDS_TURN.has(kind)) {
      close('bot');
      continue;
    }
    const who = kind === 'inputTranscription' ? 'caller' : kind === 'outputTranscription' ? 'bot' : null;
    if (who === null || typeof detail !== 'string') continue;
    if (open[who] === null) {
      // A new line of one speaker ends the other's.
      close(who === 'caller' ? 'bot' : 'caller');
      open[who] = { atMs: Math.max(0, atMs - originMs), who, text: '', complete: false };
      lines.push(open[who]);
    }
    open[who].text += detail;
  }
  return lines.map((line) => ({ ...line, text: line.text.trim() })).filter((line) => line.text !== '');
}

/** Model and caller meet: a turn's audio begins to be heard within this of its transcript. */
const TURN_WITHIN_MS = 4_000;

/**
 * The lines as the call was heard: the caller's where they were spoken (a transcription comes after the words), keys
 * among them, and the bot's with the part that was cut off set apart.
 */
export function heardTranscript(
  lines: readonly Omit<SpokenLine, 'unheard'>[],
  run: CallRun,
  measures: Measures,
): readonly SpokenLine[] {
  const keys = run.dtmf.map(
    ({ atMs, digit }): SpokenLine => ({ atMs, who: 'caller', text: `(presses ${digit})`, unheard: '' }),
  );
  const spoken = lines.map(({ atMs, who, text }): SpokenLine => {
    if (who === 'caller') {
      const utterance = measures.utterances.findLast((span) => span.fromMs < atMs);
      return { atMs: utterance?.fromMs ?? atMs, who, text, unheard: '' };
    }
    const turn = measures.turns.find(({ fromMs }) => fromMs > atMs - 500 && fromMs < atMs + TURN_WITHIN_MS);
    const cutAt = turn === undefined ? text.length : heardLength(text, turn);
    return { atMs: turn?.audibleFromMs ?? atMs, who, text: text.slice(0, cutAt), unheard: text.slice(cutAt) };
  });
  return [...keys, ...spoken].sort((a, b) => a.atMs - b.atMs);
}

/** Speech runs about evenly, so the part of the recording is taken for the part of the text, to the whole word. */
function heardLength(text: string, turn: HeardTurn): number {
  const clip = turn.clips.at(-1);
  if (!turn.cut || clip === undefined) return text.length;
  const about = Math.round((clip.clipToMs / clip.clipMs) * text.length);
  const space = text.indexOf(' ', about);
  return space < 0 ? text.length : space;
}
