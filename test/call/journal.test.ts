import { expect, test } from 'vitest';
import { Journal, type JournalEntry } from '../../src/call/journal.ts';

const IDENTITY = { ref: 'r', carrier: 'twilio', carrierCallId: 'c', bot: 'b', model: 'm' } as const;

test('every listener is told every entry, in order, with its time and the call it belongs to', () => {
  let nowMs = 100;
  const heard: [number, JournalEntry][] = [];
  const listeners = [0, 1].map((i) => (entry: JournalEntry) => heard.push([i, entry]));
  const journal = new Journal(IDENTITY, () => nowMs, listeners);
  journal.write({ type: 'hang-up-disarmed' });
  nowMs = 250;
  journal.write({ type: 'greeting-clip' });
  expect(heard).toEqual([
    [0, { type: 'hang-up-disarmed', atMs: 100 }],
    [1, { type: 'hang-up-disarmed', atMs: 100 }],
    [0, { type: 'greeting-clip', atMs: 250 }],
    [1, { type: 'greeting-clip', atMs: 250 }],
  ]);
});

test('a listener that throws is noticed neither by the call nor by the other listeners', () => {
  const heard: string[] = [];
  const journal = new Journal(IDENTITY, () => 0, [
    () => {
      throw new Error('a sink is full');
    },
    (entry, call) => heard.push(`${call.ref} ${entry.type}`),
  ]);
  expect(() => journal.write({ type: 'greeting-clip' })).not.toThrow();
  expect(heard).toEqual(['r greeting-clip']);
  expect(journal.entries()).toHaveLength(1);
});

test('the newest entries are kept, a few hundred of them however long the call', () => {
  const journal = new Journal(IDENTITY, () => 0, []);
  for (let i = 0; i < 10_000; i++) journal.write({ type: 'stream-opened', epoch: i });
  const epochs = journal.entries().map((entry) => (entry as { epoch: number }).epoch);
  expect(epochs.length).toBeLessThanOrEqual(512);
  expect(epochs.length).toBeGreaterThanOrEqual(384);
  expect(epochs).toEqual(Array.from({ length: epochs.length }, (_, i) => 10_000 - epochs.length + i));
});
