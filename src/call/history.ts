/**
 * What is remembered, as turns of a conversation that a new session can be given. What is not somebody's words stands in
 * square brackets on the user's side, never on the model's: a model goes on as its own turns begin, and would say it aloud.
 */
import type { HistoryTurn } from '../gemini/live-session.ts';
import type { HeardWords } from './heard-words.ts';
import { type BotEntry, type MemoryEntry, SHORTEST_SPEECH_MS } from './memory-entries.ts';
import { oneLine, tailOf, withoutBrackets } from './plain-text.ts';

const LEFT_OUT = '[What was said earlier in this call is left out here.]';
/** The server's compression makes a context begin with the user, and so do we. */
const BEGINNING = '[The call was answered.]';

/**
 * @param entries in time order
 * @param forgotten something was said before the first entry
 * @param mostChars of all turns together; the oldest are left out, with a note that says so
 */
export function historyOf(
  entries: readonly MemoryEntry[],
  heardOf: (entry: BotEntry) => HeardWords,
  forgotten: boolean,
  mostChars: number,
): HistoryTurn[] {
  const pieces = entries.map((entry) => pieceOf(entry, heardOf)).filter((piece) => piece !== null);
  const kept: HistoryTurn[] = [];
  let left = mostChars - LEFT_OUT.length - 1;
  let leftOut = forgotten;
  for (const piece of pieces.reverse()) {
    // Each piece is parted from its neighbour by a line's end.
    if (piece.text.length + 1 > left) {
      leftOut = true;
      if (kept.length === 0 && left > 1) kept.push({ role: piece.role, text: tailOf(piece.text, left - 1) });
      break;
    }
    left -= piece.text.length + 1;
    kept.push(piece);
  }
  if (kept.length === 0) return [];
  if (leftOut) kept.push({ role: 'user', text: LEFT_OUT });
  else if (kept.at(-1)?.role === 'model') kept.push({ role: 'user', text: BEGINNING });
  return merged(kept.reverse());
}

function merged(pieces: readonly HistoryTurn[]): HistoryTurn[] {
  const turns: HistoryTurn[] = [];
  for (const piece of pieces) {
    const last = turns.at(-1);
    if (last?.role === piece.role) turns[turns.length - 1] = { ...last, text: `${last.text}\n${piece.text}` };
    else turns.push(piece);
  }
  return turns;
}

/** Null for what nobody heard. */
function pieceOf(entry: MemoryEntry, heardOf: (entry: BotEntry) => HeardWords): HistoryTurn | null {
  switch (entry.kind) {
    case 'caller': {
      const text = words(entry.text);
      if (text !== '') return { role: 'user', text };
      const spokeMs = entry.toMs - entry.fromMs;
      if (spokeMs < SHORTEST_SPEECH_MS || !Number.isFinite(spokeMs)) return null;
      return {
        role: 'user',
        text: `[The caller spoke for ${secondsOf(spokeMs)} s; there is no transcript.]`,
      };
    }
    case 'keys':
      return { role: 'user', text: `[The caller pressed these keys on the telephone: ${words(entry.keys)}]` };
    case 'bot': {
      if (entry.by === 'filler') return null;
      const heard = heardOf(entry);
      const text = words(heard.text);
      return text === '' ? null : { role: 'model', text: heard.cut ? `${text} …` : text };
    }
    case 'tool': {
      const result = entry.result === null ? 'has not answered yet' : `answered ${words(entry.result)}`;
      return {
        role: 'user',
        text: `[The tool ${words(entry.name)} was called with ${words(entry.args)} and ${result}]`,
      };
    }
  }
}

function words(text: string): string {
  return withoutBrackets(oneLine(text));
}

export function secondsOf(ms: number): string {
  return (ms / 1000).toFixed(1);
}
