import type { JournalEntryOf, JournalFact, JournalListener } from '../call/journal.ts';
import type { Log } from './log.ts';

type Line = readonly [level: 'debug' | 'info' | 'warn' | 'error', message: string];

/**
 * The line for each kind of entry, or null where a line would say nothing that another does not. Messages are constant,
 * so that they can be counted and searched; what differs from call to call stands in the fields.
 */
const LINES: { readonly [T in JournalFact['type']]: Line | null } = {
  'call-admitted': ['info', 'call admitted'],
  'stream-opened': ['debug', 'stream opened'],
  'stream-started': ['info', 'stream started'],
  'stream-replaced': ['info', 'stream replaced'],
  'stream-ended': ['info', 'stream ended'],
  'session-connecting': ['debug', 'session connecting'],
  'session-ready': ['info', 'session ready'],
  'session-failed': ['warn', 'session failed'],
  'session-lost': ['warn', 'session lost'],
  'session-forgotten': ['warn', 'resumed session has forgotten the call'],
  'rotation-due': ['info', 'connection is to be replaced'],
  rotated: ['info', 'connection replaced'],
  'caught-up': ['debug', 'connection has heard what was held for it'],
  'turn-given-up': ['info', 'rest of a turn given up'],
  'model-told': ['info', 'model told what it cannot know'],
  stall: ['warn', 'model stalls'],
  'go-away': ['info', 'connection is about to end'],
  'setup-reduced': ['warn', 'setup reduced to what the model takes'],
  'greeting-triggered': ['debug', 'greeting asked for'],
  'greeting-clip': ['warn', 'greeting played from the recorded clip'],
  'duplicate-greeting-dropped': ['info', 'second greeting dropped'],
  'utterance-started': ['debug', 'utterance started'],
  'utterance-ended': ['debug', 'utterance ended'],
  'turn-started': ['debug', 'turn started'],
  'turn-audible': ['debug', 'turn audible'],
  'turn-ended': ['debug', 'turn ended'],
  'generation-over': ['debug', 'generation over'],
  'barge-in': ['info', 'barge-in'],
  'playout-resumed': ['info', 'playout resumed'],
  'interrupted-ignored': ['debug', 'interruption without effect'],
  'stale-audio-dropped': ['debug', 'stale audio dropped'],
  transcript: null,
  dtmf: ['debug', 'digit pressed'],
  'tool-called': ['info', 'tool called'],
  'tool-answered': ['info', 'tool answered'],
  'tools-cancelled': ['info', 'tools cancelled'],
  'tool-result-unused': ['warn', 'result of a tool that nobody waits for'],
  'tool-repeated': ['info', 'tool asked for again'],
  'keys-given': ['debug', 'keys given to the model'],
  'clip-played': ['info', 'clip played'],
  transfer: ['info', 'transfer'],
  'hang-up-armed': ['info', 'hang-up armed'],
  'hang-up-disarmed': ['info', 'hang-up disarmed'],
  underrun: ['warn', 'underrun'],
  'caller-gap': ['debug', 'gap in the caller’s audio'],
  'caller-stalled': ['warn', 'caller’s audio stalled'],
  'carrier-fault': ['warn', 'carrier fault'],
  'model-fault': ['warn', 'model fault'],
  backpressure: ['warn', 'audio dropped for a slow peer'],
  usage: null,
  'carrier-event': ['debug', 'carrier event'],
  'hang-up-asked': ['info', 'hang-up asked for'],
  bug: ['error', 'bug'],
  'call-ended': ['info', 'call ended'],
};

/** Writes a call's journal to the log: what happened, never what was said. */
export function journalLogger(log: Log): JournalListener {
  return (entry, call) => {
    // A journal of a newer build may know more kinds of entries than this table.
    const line: Line | null | undefined = LINES[entry.type];
    if (line === null || line === undefined) return;
    const [level, message] = line;
    if (!log.isLevelEnabled(level)) return;
    const { atMs: _, type: __, pii: ___, ...facts } = entry as JournalEntryOf<'call-admitted'>;
    const origin =
      entry.type === 'call-admitted' ? { carrier: call.carrier, carrierCall: call.carrierCallId } : {};
    log[level]({ call: call.ref, ...origin, ...facts }, message);
  };
}
