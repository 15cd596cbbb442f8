import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/call/journal.ts';
import { ConversationMemory } from '../../src/call/memory.ts';
import { scribe } from '../../src/call/memory-scribe.ts';

/** As the journal would have them: with a time each. */
function remembered(...entries: readonly (Record<string, unknown> & { atMs: number })[]) {
  const memory = new ConversationMemory();
  for (const entry of entries) scribe(memory, entry as unknown as JournalEntry);
  return memory.entries();
}

describe('what the journal says is remembered', () => {
  test('an utterance from its onset to its last sound, with its words', () => {
    expect(
      remembered(
        { type: 'utterance-started', atMs: 1_100, onsetAtMs: 1_000, levelDbov: -30 },
        { type: 'utterance-ended', atMs: 3_600, lastSpeechAtMs: 3_000, durationMs: 2_000 },
        { type: 'transcript', atMs: 3_700, speaker: 'caller', turn: 0, pii: { text: 'Hello?' } },
      ),
    ).toMatchObject([{ kind: 'caller', fromMs: 1_000, toMs: 3_000, text: 'Hello?' }]);
  });

  test('a turn of the model, with how it ended', () => {
    for (const how of ['complete', 'interrupted', 'dropped'])
      expect(
        remembered(
          { type: 'turn-started', atMs: 100, turn: 4, generation: 1 },
          { type: 'transcript', atMs: 150, speaker: 'bot', turn: 4, pii: { text: 'Good ' } },
          { type: 'transcript', atMs: 250, speaker: 'bot', turn: 4, pii: { text: 'day.' } },
          { type: 'turn-ended', atMs: 900, turn: 4, how, generatedMs: 700, pii: { text: 'Good day.' } },
        ),
      ).toMatchObject([
        { kind: 'bot', by: 'model', turn: 4, fromMs: 100, toMs: 900, text: 'Good day.', ended: how },
      ]);
  });

  test('a clip as what it is: words of the bot, or a filler that answers nobody', () => {
    for (const isFiller of [true, false])
      expect(
        remembered(
          { type: 'turn-started', atMs: 100, turn: 2, generation: 1 },
          { type: 'clip-played', atMs: 100, turn: 2, isFiller, pii: { text: 'One moment, please.' } },
        ),
      ).toMatchObject([{ kind: 'bot', by: isFiller ? 'filler' : 'clip', text: 'One moment, please.' }]);
  });

  test('keys', () => {
    expect(remembered({ type: 'keys-given', atMs: 100, pii: { keys: '42#' } })).toMatchObject([
      { kind: 'keys', keys: '42#', fromMs: 100 },
    ]);
  });

  test('a tool with what it found, also when the model never got that', () => {
    const called = {
      type: 'tool-called',
      atMs: 100,
      name: 'lookup',
      id: 't1',
      pii: { args: '{"what":"price"}' },
    };
    const open = remembered(called);
    expect(open).toMatchObject([
      { kind: 'tool', id: 't1', name: 'lookup', args: '{"what":"price"}', result: null },
    ]);
    const result = { name: 'lookup', id: 't1', tookMs: 50, pii: { result: '{"n":1}' } };
    expect(
      remembered(called, { type: 'tool-answered', atMs: 150, ok: true, by: 'response', ...result }),
    ).toMatchObject([{ result: '{"n":1}', toMs: 150 }]);
    expect(
      remembered(called, { type: 'tool-result-unused', atMs: 150, why: 'late', sideEffect: true, ...result }),
    ).toMatchObject([{ result: '{"n":1}' }]);
    expect(
      remembered(called, {
        type: 'tool-result-unused',
        atMs: 150,
        why: 'call-ended',
        sideEffect: true,
        ...result,
      }),
    ).toMatchObject([{ result: null }]);
  });

  test('and nothing else', () => {
    expect(
      remembered(
        { type: 'dtmf', atMs: 1, pii: { digit: '1' } },
        { type: 'session-lost', atMs: 2, epoch: 1, code: 1006, class: 'network', detail: '' },
        { type: 'underrun', atMs: 3, generation: 1, gapMs: 20, seenBy: 'marks' },
      ),
    ).toEqual([]);
  });
});
