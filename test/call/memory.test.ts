import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConversationMemory } from '../../src/call/memory.ts';
import { cutTurnOf, unansweredOf } from '../../src/call/recall.ts';

/** An utterance that the tracker noticed, with its transcript `lateMs` after its end. */
function caller(memory: ConversationMemory, fromMs: number, toMs: number, text = '', lateMs = 200): void {
  memory.utteranceStarted(fromMs);
  memory.utteranceEnded(toMs);
  if (text !== '') memory.callerSaid(text, toMs + lateMs);
}

interface Spoken {
  readonly heardMs?: number;
  readonly how?: 'complete' | 'interrupted' | 'dropped';
  readonly heardText?: string;
}

/** A turn of five seconds, generated within one; `heardMs` of it heard. */
function bot(
  memory: ConversationMemory,
  turn: number,
  fromMs: number,
  text: string,
  spoken: Spoken = {},
): void {
  const { heardMs = 5_000, how = 'complete', heardText = '' } = spoken;
  memory.turnStarted(turn, fromMs);
  memory.botSaid(turn, text, fromMs + 100);
  memory.turnEnded(turn, how, fromMs + 1_000);
  memory.turnHeard({ turn, generatedMs: 5_000, heardMs, heardText, uncertainText: '' }, fromMs + heardMs);
}

const texts = (memory: ConversationMemory) => memory.history().map(({ role, text }) => `${role}: ${text}`);

describe('history', () => {
  test('the two sides stand in the order in which they spoke, each one merged', () => {
    const memory = new ConversationMemory();
    bot(memory, 1, 0, 'Hello, how can I help?');
    caller(memory, 6_000, 7_000, ' I want');
    caller(memory, 7_500, 9_000, ' to book a table.');
    bot(memory, 2, 10_000, 'For how many?');
    expect(texts(memory)).toEqual([
      'user: [The call was answered.]',
      'model: Hello, how can I help?',
      'user: I want\nto book a table.',
      'model: For how many?',
    ]);
  });

  test.each([
    ['before the answer', 2_100],
    ['amid the answer', 3_500],
    ['after the answer was played', 9_000],
  ])('words that come %s stand where they were spoken', (_when, atMs) => {
    const memory = new ConversationMemory();
    memory.utteranceStarted(1_000);
    memory.utteranceEnded(2_000);
    if (atMs < 3_000) memory.callerSaid('Two, please.', atMs);
    bot(memory, 1, 3_000, 'For two.');
    if (atMs > 3_000) memory.callerSaid('Two, please.', atMs);
    expect(texts(memory)).toEqual(['user: Two, please.', 'model: For two.']);
  });

  test('words that come just as the caller begins anew are those of the utterance before', () => {
    const memory = new ConversationMemory();
    caller(memory, 1_000, 2_000);
    bot(memory, 1, 3_000, 'For two.', { heardMs: 2_500, how: 'interrupted', heardText: 'For' });
    memory.utteranceStarted(5_400);
    memory.callerSaid('Two, please.', 5_700);
    memory.callerSaid('No, three!', 6_600);
    memory.utteranceEnded(6_500);
    expect(texts(memory)).toEqual(['user: Two, please.', 'model: For …', 'user: No, three!']);
  });

  test('a transcript that comes in pieces is joined as it is', () => {
    const memory = new ConversationMemory();
    memory.utteranceStarted(1_000);
    for (const [i, piece] of ['Wun', 'der', 'bar,', ' danke'].entries())
      memory.callerSaid(piece, 1_800 + i * 200);
    memory.utteranceEnded(2_600);
    expect(texts(memory)).toEqual(['user: Wunderbar, danke']);
  });

  test('speech without a transcript is told by its length, a cough is not told', () => {
    const memory = new ConversationMemory();
    caller(memory, 1_000, 2_400);
    caller(memory, 5_000, 5_200);
    expect(texts(memory)).toEqual(['user: [The caller spoke for 1.4 s; there is no transcript.]']);
    expect(memory.entries()).toHaveLength(1);
  });

  test('speech that the tracker missed is remembered when its words came', () => {
    const memory = new ConversationMemory();
    caller(memory, 0, 1_000, 'Hello?');
    bot(memory, 1, 2_000, 'Good evening.');
    memory.callerSaid('a table', 20_000);
    memory.callerSaid(' for two', 20_500);
    expect(texts(memory)).toEqual(['user: Hello?', 'model: Good evening.', 'user: a table for two']);
  });

  test('a turn that was cut is remembered as heard, not as generated', () => {
    const memory = new ConversationMemory();
    caller(memory, 0, 1_000, 'When?');
    bot(memory, 1, 2_000, 'On Monday, Tuesday or Friday', {
      heardMs: 2_000,
      how: 'interrupted',
      heardText: 'On Monday,',
    });
    expect(texts(memory)).toEqual(['user: When?', 'model: On Monday, …']);
  });

  test('a turn of which nothing was heard was not said, nor one that never had a sound', () => {
    const memory = new ConversationMemory();
    caller(memory, 0, 1_000, 'When?');
    bot(memory, 1, 2_000, 'On Monday', { heardMs: 0, how: 'interrupted' });
    bot(memory, 2, 3_000, 'On Tuesday', { heardMs: 0 });
    memory.turnHeard({ turn: 2, generatedMs: 0, heardMs: 0, heardText: '', uncertainText: '' }, 4_000);
    expect(texts(memory)).toEqual(['user: When?']);
  });

  test('when the words of a cut turn come after its account, they are shared out evenly', () => {
    const memory = new ConversationMemory();
    memory.turnStarted(1, 0);
    memory.turnEnded(1, 'interrupted', 900);
    memory.turnHeard(
      { turn: 1, generatedMs: 4_000, heardMs: 2_000, heardText: '', uncertainText: '' },
      2_000,
    );
    memory.botSaid(1, 'one two three four', 2_100);
    expect(texts(memory).at(-1)).toBe('model: one two …');
  });

  test('of a turn that was lost with its connection, only as much was said as fits into what was heard', () => {
    const memory = new ConversationMemory();
    // 50 characters in 5 s: this voice says ten a second.
    bot(memory, 1, 0, 'ten chars '.repeat(5).trim().padEnd(50, '.'));
    bot(memory, 2, 10_000, 'abc def ghi jkl mno pqr stu vwx yz', { heardMs: 1_200, how: 'dropped' });
    // Twelve characters: "abc def ghi ".
    expect(texts(memory).at(-1)).toBe('model: '.concat('ten chars '.repeat(5).trim(), '.\nabc def ghi …'));
  });

  test('words that no turn came of were not said', () => {
    const memory = new ConversationMemory();
    caller(memory, 0, 1_000, 'When?');
    memory.botSaid(1, 'On Monday', 1_500);
    expect(texts(memory)).toEqual(['user: When?']);
    expect(unansweredOf(memory.entries())).toHaveLength(1);
  });

  test('words that ran ahead of the caller stand where their turn was played', () => {
    const memory = new ConversationMemory();
    memory.botSaid(1, 'Good evening.', 100);
    caller(memory, 200, 900, 'Hello?', 50);
    memory.turnStarted(1, 1_000);
    expect(texts(memory)).toEqual(['user: Hello?', 'model: Good evening.']);
  });

  test('keys, tools and clips stand among the words, and fillers do not', () => {
    const memory = new ConversationMemory();
    memory.turnStarted(1, 0, 'clip');
    memory.botSaid(1, 'Welcome.', 0);
    memory.keysPressed('1', 2_000);
    memory.keysPressed('2#', 2_500);
    memory.turnStarted(2, 3_000, 'filler');
    memory.botSaid(2, 'One moment, please.', 3_000);
    memory.toolCalled({ id: 'a', name: 'find', args: '{"id":12}' }, 3_500);
    memory.toolAnswered('a', '{"name":"[Ann]"}', 4_000);
    expect(texts(memory)).toEqual([
      'user: [The call was answered.]',
      'model: Welcome.',
      'user: [The caller pressed these keys on the telephone: 12#]\n[The tool find was called with {"id":12} and answered {"name":"(Ann)"}]',
    ]);
  });

  test('nobody can speak in the square brackets of our notes, nor over several lines', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (said) => {
        const memory = new ConversationMemory();
        caller(memory, 0, 1_000, `[Note: ${said}]\n`);
        const [turn] = memory.history();
        expect(turn!.text).not.toMatch(/[[\]\p{Cc}]/u);
        expect(turn!.text.isWellFormed()).toBe(true);
      }),
      { seed: 4, numRuns: 200 },
    );
  });
});

describe('bounds', () => {
  test('a two-hour call leaves its newest 16,000 characters, and says that more was said', () => {
    const memory = new ConversationMemory();
    for (let i = 0; i < 900; i++) {
      caller(memory, i * 8_000, i * 8_000 + 2_000, `question ${i} ${'x'.repeat(i % 70)}`);
      bot(memory, i + 1, i * 8_000 + 2_500, `answer ${i} ${'y'.repeat(i % 90)}`);
      memory.toolCalled({ id: `t${i}`, name: 'log', args: 'z'.repeat(5_000) }, i * 8_000 + 3_000);
    }
    const history = memory.history();
    expect(history[0]).toEqual({ role: 'user', text: expect.stringContaining('[What was said earlier') });
    expect(history.at(-1)!.text).toContain('log');
    expect(texts(memory).at(-2)).toContain('answer 899');
    const chars = history.reduce((sum, turn) => sum + turn.text.length, 0);
    expect(chars).toBeLessThanOrEqual(16_000);
    expect(chars).toBeGreaterThan(14_000);
    expect(memory.entries().length).toBeLessThanOrEqual(400);
  });

  test('what is kept has a bound, however much of it is asked for, and says that more was said', () => {
    const memory = new ConversationMemory();
    for (let i = 0; i < 2_000; i++) caller(memory, i * 2_000, i * 2_000 + 1_000);
    expect(memory.entries()).toHaveLength(400);
    for (let i = 0; i < 30; i++) caller(memory, 5e6 + i * 9_000, 5e6 + i * 9_000 + 1_000, 'x'.repeat(4_000));
    const chars = memory.entries().reduce((sum, each) => sum + ('text' in each ? each.text.length : 0), 0);
    expect(chars).toBe(24_000);
    expect(memory.history(1e6)[0]!.text).toMatch(/^\[What was said earlier/);
  });

  test('something older than everything that is kept does not push the newest out', () => {
    const memory = new ConversationMemory();
    for (let i = 0; i < 400; i++) caller(memory, 9_000 + i * 2_000, 10_000 + i * 2_000, `u${i}`);
    memory.turnStarted(1, 0);
    expect(memory.entries().at(-1)).toMatchObject({ text: 'u399' });
  });

  test('nothing that comes, in any order and of any length, breaks it or makes it grow', () => {
    const at = fc.integer({ min: 0, max: 60_000 });
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.constant('long '.repeat(3_000)));
    const turn = fc.integer({ min: 1, max: 6 });
    type Do = (memory: ConversationMemory) => void;
    const step: fc.Arbitrary<Do> = fc.oneof(
      at.map(
        (ms): Do =>
          (memory) =>
            memory.utteranceStarted(ms),
      ),
      at.map(
        (ms): Do =>
          (memory) =>
            memory.utteranceEnded(ms),
      ),
      fc.tuple(text, at).map(
        ([said, ms]): Do =>
          (memory) =>
            memory.callerSaid(said, ms),
      ),
      fc.tuple(text, at).map(
        ([keys, ms]): Do =>
          (memory) =>
            memory.keysPressed(keys, ms),
      ),
      fc.tuple(turn, at, fc.constantFrom('model' as const, 'clip' as const, 'filler' as const)).map(
        ([n, ms, by]): Do =>
          (memory) =>
            memory.turnStarted(n, ms, by),
      ),
      fc.tuple(turn, text, at).map(
        ([n, said, ms]): Do =>
          (memory) =>
            memory.botSaid(n, said, ms),
      ),
      fc.tuple(turn, at).map(
        ([n, ms]): Do =>
          (memory) =>
            memory.turnEnded(n, 'dropped', ms),
      ),
      fc.tuple(turn, at, text).map(([n, heardMs, heardText]): Do => {
        return (memory) =>
          memory.turnHeard({ turn: n, generatedMs: 4_000, heardMs, heardText, uncertainText: '' }, heardMs);
      }),
      fc.tuple(text, text, at).map(
        ([id, args, ms]): Do =>
          (memory) =>
            memory.toolCalled({ id, name: id, args }, ms),
      ),
      fc.tuple(text, text, at).map(
        ([id, result, ms]): Do =>
          (memory) =>
            memory.toolAnswered(id, result, ms),
      ),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), fc.nat({ max: 3_000 }), (steps, most) => {
        const memory = new ConversationMemory();
        for (const each of steps) each(memory);
        const history = memory.history(most);
        expect(history.reduce((sum, each) => sum + each.text.length, 0)).toBeLessThanOrEqual(
          Math.max(most, 60),
        );
        for (const [i, each] of history.entries()) expect(each.role).not.toBe(history[i - 1]?.role);
        expect(history[0]?.role ?? 'user').toBe('user');
        const begun = memory.entries().map((each) => each.fromMs);
        expect(begun).toEqual(begun.toSorted((a, b) => a - b));
        unansweredOf(memory.entries());
        cutTurnOf(memory.entries());
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});

describe('what is recalled', () => {
  test('the caller is unanswered until the bot was heard', () => {
    const memory = new ConversationMemory();
    caller(memory, 0, 1_000, 'Hello?');
    bot(memory, 1, 2_000, 'Hi.');
    expect(unansweredOf(memory.entries())).toEqual([]);
    caller(memory, 8_000, 9_000, 'When?');
    memory.keysPressed('5', 9_500);
    memory.turnStarted(2, 10_000, 'filler');
    bot(memory, 3, 11_000, 'On Mon', { heardMs: 0, how: 'dropped' });
    expect(unansweredOf(memory.entries())).toMatchObject([{ text: 'When?' }, { keys: '5' }]);
    memory.turnHeard(
      { turn: 3, generatedMs: 5_000, heardMs: 400, heardText: 'On', uncertainText: '' },
      12_000,
    );
    expect(unansweredOf(memory.entries())).toEqual([]);
  });

  test('who still speaks when the bot begins has not been answered', () => {
    const memory = new ConversationMemory();
    memory.utteranceStarted(1_000);
    bot(memory, 1, 2_000, 'Yes?');
    memory.utteranceEnded(4_000);
    memory.callerSaid('As I was saying', 4_100);
    expect(unansweredOf(memory.entries())).toMatchObject([{ text: 'As I was saying' }]);
  });

  test('since a moment: what was not over by then, and cuts that became known later', () => {
    const memory = new ConversationMemory();
    caller(memory, 0, 1_000, 'first');
    bot(memory, 1, 2_000, 'whole', { heardMs: 5_000 });
    caller(memory, 8_000, 9_000, 'second');
    bot(memory, 2, 10_000, 'cut off', { heardMs: 3_000, how: 'interrupted', heardText: 'cut' });
    const words = (ms: number) => memory.since(ms).map((each) => ('text' in each ? each.text : ''));
    expect(words(0)).toEqual(['first', 'whole', 'second', 'cut off']);
    expect(words(1_000)).toEqual(['whole', 'second', 'cut off']);
    expect(words(8_500)).toEqual(['second', 'cut off']);
    // It was made by 11,000 and cut at 13,000.
    expect(words(12_000)).toEqual(['cut off']);
    expect(words(13_000)).toEqual([]);
  });

  test('a turn is to be carried on only if it was lost half heard, and nobody has spoken since', () => {
    const lost = (spoken: Spoken): ConversationMemory => {
      const memory = new ConversationMemory();
      caller(memory, 0, 1_000, 'Tell me.');
      bot(memory, 1, 2_000, 'Once upon a time there was', spoken);
      return memory;
    };
    const half = lost({ how: 'dropped', heardMs: 1_000 });
    half.turnStarted(2, 5_000, 'filler');
    expect(cutTurnOf(half.entries())).toMatchObject({ turn: 1 });
    expect(half.heardOf(cutTurnOf(half.entries())!)).toEqual({ text: 'Once upon a', cut: true });
    expect(cutTurnOf(lost({ how: 'complete' }).entries())).toBeNull();
    expect(cutTurnOf(lost({ how: 'interrupted', heardMs: 1_000 }).entries())).toBeNull();
    expect(cutTurnOf(lost({ how: 'dropped', heardMs: 0 }).entries())).toBeNull();
    caller(half, 6_000, 7_000, 'Stop.');
    expect(cutTurnOf(half.entries())).toBeNull();
  });
});
