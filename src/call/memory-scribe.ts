/** Writes into a call's memory what its journal says. */
import type { JournalEntry } from './journal.ts';
import type { ConversationMemory } from './memory.ts';

export function scribe(memory: ConversationMemory, entry: JournalEntry): void {
  const { atMs } = entry;
  switch (entry.type) {
    case 'utterance-started':
      memory.utteranceStarted(entry.onsetAtMs);
      break;
    case 'utterance-ended':
      memory.utteranceEnded(entry.lastSpeechAtMs);
      break;
    case 'transcript':
      if (entry.speaker === 'caller') memory.callerSaid(entry.pii.text, atMs);
      else memory.botSaid(entry.turn, entry.pii.text, atMs);
      break;
    case 'keys-given':
      memory.keysPressed(entry.pii.keys, atMs);
      break;
    case 'turn-started':
      memory.turnStarted(entry.turn, atMs);
      break;
    case 'clip-played':
      memory.botSaid(entry.turn, entry.pii.text, atMs);
      memory.turnStarted(entry.turn, atMs, entry.isFiller ? 'filler' : 'clip');
      break;
    case 'turn-ended':
      memory.turnEnded(entry.turn, entry.how, atMs);
      break;
    case 'tool-called':
      memory.toolCalled({ id: entry.id, name: entry.name, args: entry.pii.args }, atMs);
      break;
    case 'tool-answered':
      memory.toolAnswered(entry.id, entry.pii.result, atMs);
      break;
    case 'tool-result-unused':
      // The model did not get it, but it was done.
      if (entry.why === 'cancelled' || entry.why === 'late')
        memory.toolAnswered(entry.id, entry.pii.result, atMs);
      break;
    default:
      break;
  }
}
