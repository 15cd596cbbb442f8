import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConversationMemory } from '../../src/call/memory.ts';
import { ResumeNotes } from '../../src/call/resume-note.ts';

/** A caller who counts: an utterance a second, from `from` to before `to`, "number 3" at 3,000 to 3,500 ms. */
function counting(memory: ConversationMemory, from: number, to: number, rest = ''): void {
  for (let i = from; i < to; i++) {
    memory.utteranceStarted(i * 1_000);
    memory.utteranceEnded(i * 1_000 + 500);
    memory.callerSaid(`number ${i}${rest}`, i * 1_000 + 800);
  }
}

/** Connection `epoch` resumes at a handle that connection `from` was given at `atMs`. */
function resume(
  notes: ResumeNotes,
  memory: ConversationMemory,
  { from = 1, atMs, epoch = 2, soundFollowsFromMs = null }: Resumed,
): string {
  return notes.resumed({
    handle: { epoch: from, atMs },
    epoch,
    entries: memory.since(atMs),
    heardOf: (entry) => memory.heardOf(entry),
    soundFollowsFromMs,
  });
}

interface Resumed {
  readonly from?: number;
  readonly atMs: number;
  readonly epoch?: number;
  readonly soundFollowsFromMs?: number | null;
}

const numbers = (note: string) => [...note.matchAll(/number (\d+)/g)].map((match) => Number(match[1]));

test('a session that holds all is told nothing', () => {
  const memory = new ConversationMemory();
  counting(memory, 0, 5);
  expect(resume(new ResumeNotes(), memory, { atMs: 5_000 })).toBe('');
});

test('a session is told what came after its handle, and who said it', () => {
  const memory = new ConversationMemory();
  counting(memory, 0, 3);
  memory.turnStarted(1, 3_000);
  memory.botSaid(1, 'I have counted to three, and I go on counting', 3_000);
  memory.turnEnded(1, 'interrupted', 4_000);
  memory.turnHeard(
    { turn: 1, generatedMs: 3_000, heardMs: 2_000, heardText: 'I have counted to', uncertainText: 'three' },
    5_000,
  );
  memory.keysPressed('9', 6_000);
  memory.toolCalled({ id: 'a', name: 'count', args: '{"to":9}' }, 6_500);
  memory.utteranceStarted(7_000);
  memory.utteranceEnded(8_250);
  const lines = resume(new ResumeNotes(), memory, { atMs: 1_600 }).split('\n');
  expect(lines.slice(1, -1)).toEqual([
    '- The caller said: "number 2"',
    '- You said, and the caller heard up to here: "I have counted to"',
    '- The caller pressed these keys on the telephone: "9"',
    '- You called the tool "count" with "{\'to\':9}"; it has not answered yet. Do not call it again for the same thing.',
    '- The caller spoke for 1.3 s. What they said is not known.',
  ]);
  expect(lines.at(-1)).toContain('Do not greet again');
});

test('a turn that the session holds whole, but that was cut later, is told as a cut', () => {
  const memory = new ConversationMemory();
  memory.turnStarted(1, 0);
  memory.botSaid(1, 'Monday, Tuesday, or Friday at nine', 0);
  memory.turnEnded(1, 'complete', 800);
  memory.turnHeard(
    { turn: 1, generatedMs: 4_000, heardMs: 1_500, heardText: 'Monday,', uncertainText: '' },
    1_500,
  );
  expect(resume(new ResumeNotes(), memory, { atMs: 1_000 })).toContain('The caller heard only: "Monday,"');
});

test('what is sent again as sound is not told', () => {
  const memory = new ConversationMemory();
  counting(memory, 0, 6);
  expect(numbers(resume(new ResumeNotes(), memory, { atMs: 1_900, soundFollowsFromMs: 3_900 }))).toEqual([
    2, 3,
  ]);
});

test('a hole stays in the note at every later resume', () => {
  const memory = new ConversationMemory();
  const notes = new ResumeNotes();
  counting(memory, 0, 4);
  resume(notes, memory, { from: 1, atMs: 1_900, epoch: 2 });
  counting(memory, 4, 9);
  // The new handle is of the resumed connection: it holds 4 to 6, but 2 and 3 never.
  expect(numbers(resume(notes, memory, { from: 2, atMs: 6_900, epoch: 3 }))).toEqual([2, 3, 7, 8]);
});

test('at a handle of an earlier connection a hole is told once, as far as it reaches now', () => {
  const memory = new ConversationMemory();
  const notes = new ResumeNotes();
  counting(memory, 0, 4);
  resume(notes, memory, { from: 1, atMs: 1_900, epoch: 2 });
  counting(memory, 4, 6);
  expect(numbers(resume(notes, memory, { from: 1, atMs: 1_900, epoch: 3 }))).toEqual([2, 3, 4, 5]);
  expect(numbers(resume(notes, memory, { from: 1, atMs: 2_900, epoch: 3 }))).toEqual([3, 4, 5]);
});

test('a new session lacks nothing', () => {
  const memory = new ConversationMemory();
  const notes = new ResumeNotes();
  counting(memory, 0, 4);
  resume(notes, memory, { from: 1, atMs: 1_900, epoch: 2 });
  expect(resume(notes, memory, { from: 3, atMs: 4_900, epoch: 4 })).toBe('');
});

test('over any line of rotations the notes tell all that is missing, in order, in at most 2,000 characters', () => {
  const step = fc.record({ said: fc.integer({ min: 1, max: 6 }), pick: fc.nat() });
  const long = ' and'.repeat(40);
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), fc.constantFrom('', long), (steps, rest) => {
      const memory = new ConversationMemory();
      const notes = new ResumeNotes();
      /** Of the last three connections: every handle, with the numbers that it holds. */
      let handles: { readonly epoch: number; readonly atMs: number; readonly holds: ReadonlySet<number> }[] =
        [];
      let now = 0;
      let session: ReadonlySet<number> = new Set();
      for (const [i, { said, pick }] of steps.entries()) {
        const epoch = i + 1;
        for (let n = 0; n < said; n++, now++) {
          counting(memory, now, now + 1, rest);
          session = new Set(session).add(now);
          handles.push({ epoch, atMs: now * 1_000 + 900, holds: session });
        }
        handles = handles.filter((handle) => handle.epoch > epoch - 3);
        const handle = handles[pick % handles.length]!;
        session = handle.holds;
        const note = resume(notes, memory, { from: handle.epoch, atMs: handle.atMs, epoch: epoch + 1 });
        const missing = Array.from({ length: now }, (_, n) => n).filter((n) => !session.has(n));
        const told = numbers(note);
        expect(note.length).toBeLessThanOrEqual(2_000);
        // Where there is no room for all, the newest are told.
        expect(told).toEqual(missing.slice(missing.length - told.length));
        if (rest === '' && missing.length < 40) expect(told).toHaveLength(missing.length);
        if (told.length < missing.length) expect(note).toContain('left out');
        if (told.length < missing.length) expect(note.length).toBeGreaterThan(1_700);
      }
    }),
    { seed: 8, numRuns: 200 },
  );
});
