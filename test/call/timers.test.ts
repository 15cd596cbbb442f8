import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Timers } from '../../src/call/timers.ts';

const NAMES = ['leg', 'limit', 'keys', 'grace'] as const;
type Name = (typeof NAMES)[number];

test('what is due is handed out once, earliest first, as a plain list would have it', () => {
  const name = fc.constantFrom(...NAMES);
  const command = fc.oneof(
    fc.record({ type: fc.constant('arm' as const), name, inMs: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ type: fc.constant('cancel' as const), name }),
    fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ type: fc.constant('clear' as const) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60, size: 'max' }), (commands) => {
      const timers = new Timers<Name>();
      let list: { name: Name; dueMs: number }[] = [];
      let nowMs = 0;
      for (const each of commands) {
        if (each.type === 'arm') {
          timers.arm(each.name, nowMs + each.inMs);
          list = list.filter((item) => item.name !== each.name);
          list.push({ name: each.name, dueMs: nowMs + each.inMs });
        } else if (each.type === 'cancel') {
          timers.cancel(each.name);
          list = list.filter((item) => item.name !== each.name);
        } else if (each.type === 'clear') {
          timers.clear();
          list = [];
        } else {
          nowMs += each.ms;
          const found = [...timers.due(nowMs)];
          const due = list.filter((item) => item.dueMs <= nowMs);
          list = list.filter((item) => item.dueMs > nowMs);
          expect([...found].sort()).toEqual(due.map((item) => item.name).sort());
          const times = found.map((each) => due.find((item) => item.name === each)!.dueMs);
          expect(times).toEqual([...times].sort((a, b) => a - b));
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('a deadline that an earlier one of the same moment has cancelled or moved does not fire', () => {
  const timers = new Timers<Name>();
  timers.arm('leg', 10);
  timers.arm('limit', 11);
  timers.arm('keys', 12);
  timers.arm('grace', 13);
  const fired: string[] = [];
  for (const name of timers.due(20)) {
    fired.push(name);
    if (name === 'leg') {
      timers.cancel('limit');
      timers.arm('keys', 40);
    }
  }
  expect(fired).toEqual(['leg', 'grace']);
  expect([...timers.due(39)]).toEqual([]);
  expect([...timers.due(40)]).toEqual(['keys']);
});

test('a deadline that arms itself anew is due the next time, not for ever in this one', () => {
  const timers = new Timers<Name>();
  timers.arm('keys', 10);
  const fired: string[] = [];
  for (const name of timers.due(10)) {
    fired.push(name);
    timers.arm('keys', 10);
  }
  expect(fired).toEqual(['keys']);
  expect([...timers.due(10)]).toEqual(['keys']);
});
