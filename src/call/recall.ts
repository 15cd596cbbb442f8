/** Questions about what is remembered. All take the entries in time order, as `ConversationMemory.entries()` gives them. */
import type { BotEntry, CallerEntry, KeysEntry, MemoryEntry } from './memory-entries.ts';

/**
 * What a session cannot hold whose handle was taken at `ms`: what was not over by then, and turns of which it became known
 * later that the caller had not heard them to the end.
 */
export function entriesSince(entries: readonly MemoryEntry[], ms: number): MemoryEntry[] {
  return entries.filter((each) => each.toMs > ms || wasCutAfter(each, ms));
}

/** What the caller said, and the keys they pressed, since the bot last said something that was heard. */
export function unansweredOf(entries: readonly MemoryEntry[]): (CallerEntry | KeysEntry)[] {
  let waiting: (CallerEntry | KeysEntry)[] = [];
  for (const entry of entries) {
    if (entry.kind === 'caller' || entry.kind === 'keys') waiting.push(entry);
    // Who still speaks when the bot begins is not answered by that.
    else if (answers(entry)) waiting = waiting.filter((each) => each.toMs > entry.fromMs);
  }
  return waiting;
}

/** The turn that was lost with its connection, if the caller heard some of it and has not spoken since; else null. */
export function cutTurnOf(entries: readonly MemoryEntry[]): BotEntry | null {
  const last = entries.findLast((each) => each.kind !== 'tool' && !(each.kind === 'bot' && isFiller(each)));
  if (last?.kind !== 'bot' || last.by !== 'model') return null;
  const lost = last.ended === 'dropped' || last.ended === 'open';
  return lost && (last.heard?.heardMs ?? 0) > 0 ? last : null;
}

/** Something of it was heard, or may yet be. */
function answers(entry: MemoryEntry): boolean {
  return entry.kind === 'bot' && !isFiller(entry) && entry.heard?.heardMs !== 0;
}

function isFiller(entry: BotEntry): boolean {
  return entry.by === 'filler';
}

function wasCutAfter(entry: MemoryEntry, ms: number): boolean {
  return entry.kind === 'bot' && entry.cutAtMs !== null && entry.cutAtMs > ms;
}
