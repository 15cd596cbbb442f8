/**
 * What a resumed session is told. A handle holds the conversation up to the moment at which it was given out; what was
 * said after that is gone for the session, in every later resume too. Each hole is told in a note, which is appended to
 * the system instruction: that one may differ at a resume (WebSocket reference).
 */
import type { HandleRecord } from './handles.ts';
import type { HeardWords } from './heard-words.ts';
import { secondsOf } from './history.ts';
import { type BotEntry, type MemoryEntry, SHORTEST_SPEECH_MS } from './memory-entries.ts';
import { headOf, quoted, tailOf } from './plain-text.ts';
import { RECORD_RULE } from './seed.ts';

const MAX_NOTES_CHARS = 2_000;
const MAX_SAID_CHARS = 400;
const MAX_TOOL_CHARS = 200;

const HEAD =
  'The connection to you was interrupted during this call and restored. You do not remember what follows, but it was said and done:';
const LEFT_OUT = '- (What came before is left out.)';
const FOOT = `Carry on as if you remembered it. Do not greet again, do not repeat what the caller has heard, do not mention the interruption. ${RECORD_RULE}`;
const MAX_LINES_CHARS = MAX_NOTES_CHARS - HEAD.length - FOOT.length - LEFT_OUT.length - 3;

/** Handles are kept of the last few connections alone; attempts that failed have taken numbers too. */
const EPOCHS_KEPT = 32;

export interface Resume {
  readonly handle: Pick<HandleRecord, 'epoch' | 'atMs'>;
  /** The connection that is to be opened. */
  readonly epoch: number;
  /** What was remembered since the handle came: `memory.since(handle.atMs)`. */
  readonly entries: readonly MemoryEntry[];
  readonly heardOf: (entry: BotEntry) => HeardWords;
  /** The caller's sound from there on is sent again: what they said since is heard, and need not be told. */
  readonly soundFollowsFromMs: number | null;
}

/** The notes of a call, over all its connections. */
export class ResumeNotes {
  /** What each connection's conversation lacks, in lines; none for the first of a session. */
  readonly #lacks = new Map<number, readonly string[]>();

  /**
   * A setup is going to resume the session: the text to append to its system instruction, at most 2,000 characters; empty
   * when the session holds all. Once for each attempt, as each one may use another handle. A new session needs no word
   * of it here: it lacks nothing, being given the whole conversation.
   */
  resumed(resume: Resume): string {
    const before = this.#lacks.get(resume.handle.epoch) ?? [];
    const since = resume.entries.map((entry) => lineOf(entry, resume)).filter((line) => line !== null);
    const lines = newest([...before, ...since]);
    this.#keep(resume.epoch, lines);
    return lines.length === 0 ? '' : [HEAD, ...lines, FOOT].join('\n');
  }

  #keep(epoch: number, lines: readonly string[]): void {
    this.#lacks.delete(epoch);
    this.#lacks.set(epoch, lines);
    const [oldest] = this.#lacks.keys();
    if (this.#lacks.size > EPOCHS_KEPT && oldest !== undefined) this.#lacks.delete(oldest);
  }
}

/** The newest lines that find room, with a mark where older ones are left out. */
function newest(lines: readonly string[]): readonly string[] {
  let left = MAX_LINES_CHARS;
  let from = lines.length;
  while (from > 0) {
    left -= (lines[from - 1] as string).length + 1;
    if (left < 0) break;
    from -= 1;
  }
  const kept = lines.slice(from).filter((line) => line !== LEFT_OUT);
  return kept.length < lines.length ? [LEFT_OUT, ...kept] : kept;
}

/** Null for what need not be told. */
function lineOf(entry: MemoryEntry, resume: Resume): string | null {
  switch (entry.kind) {
    case 'caller': {
      if (resume.soundFollowsFromMs !== null && entry.toMs > resume.soundFollowsFromMs) return null;
      if (entry.text.trim() !== '') return `- The caller said: ${said(entry.text)}`;
      const spokeMs = entry.toMs - entry.fromMs;
      if (spokeMs < SHORTEST_SPEECH_MS || !Number.isFinite(spokeMs)) return null;
      return `- The caller spoke for ${secondsOf(spokeMs)} s. What they said is not known.`;
    }
    case 'keys':
      return `- The caller pressed these keys on the telephone: ${said(entry.keys)}`;
    case 'bot':
      return botLine(entry, resume);
    case 'tool': {
      const call = `- You called the tool ${brief(entry.name)} with ${brief(entry.args)}`;
      return entry.result === null
        ? `${call}; it has not answered yet. Do not call it again for the same thing.`
        : `${call}; it answered: ${brief(entry.result)}`;
    }
  }
}

function botLine(entry: BotEntry, resume: Resume): string | null {
  if (entry.by === 'filler') return null;
  const heard = resume.heardOf(entry);
  const nothing = heard.text.trim() === '';
  if (entry.toMs <= resume.handle.atMs) {
    // The session knows what it said, but not that the caller has not heard the rest.
    return nothing
      ? '- Of what you said last before this, the caller heard nothing, or only the beginning.'
      : `- You were interrupted in what you said last before this. The caller heard only: ${said(heard.text)}`;
  }
  if (nothing) return null;
  return heard.cut
    ? `- You said, and the caller heard up to here: ${said(heard.text)}`
    : `- You said: ${said(heard.text)}`;
}

function said(text: string): string {
  return quoted(tailOf(text.trim(), MAX_SAID_CHARS));
}

function brief(text: string): string {
  return quoted(headOf(text, MAX_TOOL_CHARS));
}
