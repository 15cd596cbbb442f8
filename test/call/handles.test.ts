import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMemoryHandleStore, type HandleRecord } from '../../src/call/handles.ts';

const UNDER = ['nothing', 'utterance', 'turn', 'tool'] as const;

function record(handle: string, atMs: number, under: HandleRecord['under'] = 'turn'): HandleRecord {
  return {
    handle,
    atMs,
    epochMs: 1e12 + atMs,
    under,
    uplinkPosition: atMs * 8,
    epoch: 1,
    consumedIndex: null,
  };
}

const handles = (records: readonly HandleRecord[]) => records.map(({ handle }) => handle);

test('the newest four are kept, newest first', () => {
  const store = createMemoryHandleStore();
  for (let i = 1; i <= 9; i++) store.keep('call', record(`h${i}`, i));
  expect(handles(store.list('call'))).toEqual(['h9', 'h8', 'h7', 'h6']);
});

test('the newest handle that was taken while nothing was open outlives four others', () => {
  const store = createMemoryHandleStore();
  store.keep('call', record('older', 0, 'nothing'));
  store.keep('call', record('calm', 1, 'nothing'));
  for (let i = 2; i <= 99; i++) store.keep('call', record(`h${i}`, i, UNDER[1 + (i % 3)]));
  expect(handles(store.list('call'))).toEqual(['h99', 'h98', 'h97', 'h96', 'calm']);
});

test('a handle that comes again is the same handle, as new as it last came', () => {
  const store = createMemoryHandleStore();
  for (const [handle, atMs] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
  ] as const)
    store.keep('call', record(handle, atMs));
  expect(store.list('call')).toEqual([record('a', 3), record('b', 2)]);
});

test('a handle that was refused never comes back', () => {
  const store = createMemoryHandleStore();
  store.refuse('call', 'early');
  for (const handle of ['a', 'early', 'b']) store.keep('call', record(handle, 1));
  store.refuse('call', 'b');
  store.keep('call', record('b', 2));
  expect(handles(store.list('call'))).toEqual(['a']);
});

test('calls do not touch each other, and one that is forgotten leaves nothing', () => {
  const store = createMemoryHandleStore();
  store.keep('one', record('a', 1));
  store.keep('two', record('a', 2));
  store.refuse('one', 'a');
  expect(handles(store.list('two'))).toEqual(['a']);
  store.forget('two');
  expect(store.list('two')).toEqual([]);
});

test('a list that was taken does not change', () => {
  const store = createMemoryHandleStore();
  store.keep('call', record('a', 1));
  const before = store.list('call');
  store.refuse('call', 'a');
  expect(handles(before)).toEqual(['a']);
});

test('of too many calls the one without news for the longest is forgotten', () => {
  const store = createMemoryHandleStore(3);
  for (const ref of ['a', 'b', 'c']) store.keep(ref, record(`of ${ref}`, 1));
  store.keep('a', record('again', 2));
  store.keep('d', record('of d', 3));
  expect(['a', 'b', 'c', 'd'].map((ref) => store.list(ref).length)).toEqual([2, 0, 1, 1]);
});

test('what cannot be a handle is not kept', () => {
  const store = createMemoryHandleStore();
  store.keep('call', record('', 1));
  store.keep('call', record('x'.repeat(100_000), 2));
  expect(store.list('call')).toEqual([]);
});

test('whatever comes: at most five, none refused, newest first, and the newest of all unless it was refused', () => {
  const step = fc.record({
    refuse: fc.boolean(),
    name: fc.integer({ min: 1, max: 12 }),
    under: fc.constantFrom(...UNDER),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const store = createMemoryHandleStore();
      const refused = new Set<string>();
      /** Every usable handle that ever came, with when it last came. */
      const all = new Map<string, HandleRecord>();
      for (const [atMs, { refuse, name, under }] of steps.entries()) {
        const handle = `h${name}`;
        if (refuse) {
          refused.add(handle);
          all.delete(handle);
          store.refuse('call', handle);
        } else {
          store.keep('call', record(handle, atMs, under));
          if (!refused.has(handle)) all.set(handle, record(handle, atMs, under));
          const newest = [...all.values()].reduce<HandleRecord | null>(
            (best, each) => (best === null || each.atMs > best.atMs ? each : best),
            null,
          );
          if (!refused.has(handle)) expect(store.list('call')[0]).toEqual(newest);
        }
        const list = store.list('call');
        expect(list.length).toBeLessThanOrEqual(5);
        expect(list.every((each) => !refused.has(each.handle))).toBe(true);
        expect(list.map((each) => each.atMs)).toEqual(
          list.map((each) => each.atMs).toSorted((a, b) => b - a),
        );
        expect(new Set(handles(list)).size).toBe(list.length);
        for (const each of list) expect(all.get(each.handle)).toEqual(each);
      }
    }),
    { seed: 5, numRuns: 300 },
  );
});
