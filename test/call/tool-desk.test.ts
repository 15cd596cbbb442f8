import { describe, expect, test } from 'vitest';
import type { HandleRecord } from '../../src/call/handles.ts';
import type { ToolAnswer, ToolRunner } from '../../src/call/tool-answer.ts';
import { ToolDesk, type ToolFact } from '../../src/call/tool-desk.ts';
import type { ToolCall, ToolResponse } from '../../src/gemini/live-session.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';

interface Running {
  readonly call: ToolCall;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (caught: unknown) => void;
}

/** A desk on connection 1, whose tools come back when they are told to. */
class World {
  readonly clock = new VirtualClock();
  readonly running: Running[] = [];
  readonly answers: ToolResponse[] = [];
  readonly told: string[] = [];
  readonly facts: ToolFact[] = [];
  readonly bugs: unknown[] = [];
  takes = true;
  readonly desk: ToolDesk;

  constructor(runner: Partial<ToolRunner> = {}, builtIn: (call: ToolCall) => ToolAnswer | null = () => null) {
    const run: ToolRunner['run'] = (call, { signal, deadlineMs }) =>
      new Promise<ToolAnswer>((resolve, reject) => {
        this.running.push({ call, signal, deadlineMs, resolve: resolve as Running['resolve'], reject });
      });
    this.desk = new ToolDesk(
      this.clock,
      { has: (name) => name !== 'nowhere', run, ...runner },
      {
        answer: (responses) => {
          if (this.takes) this.answers.push(...responses);
          return this.takes;
        },
        tell: (text) => {
          if (this.takes) this.told.push(text);
          return this.takes;
        },
        builtIn,
        note: (fact) => this.facts.push(fact),
        onBug: (_where, caught) => this.bugs.push(caught),
      },
    );
    this.desk.connection(1, null);
  }

  call(id: string, name = 'book', args: Record<string, unknown> = { seats: 2 }, epoch = 1): void {
    this.desk.called([{ id, name, args }], epoch, this.clock.now());
  }

  async back(index: number, value: unknown = { response: { done: index } }): Promise<void> {
    this.running[index]!.resolve(value);
    await this.clock.advanceAsync(0);
  }

  handle(epoch: number, under: HandleRecord['under'] = 'tool'): HandleRecord {
    const atMs = this.clock.now();
    return { handle: 'h', atMs, epochMs: 0, under, uplinkPosition: 0, epoch, consumedIndex: null };
  }

  factsOf<T extends ToolFact['type']>(type: T): Extract<ToolFact, { type: T }>[] {
    return this.facts.filter((fact): fact is Extract<ToolFact, { type: T }> => fact.type === type);
  }
}

describe('one connection', () => {
  test('a tool is run, and its answer given to its call', async () => {
    const world = new World();
    world.call('a');
    expect(world.desk.pending).toBe(1);
    await world.clock.advanceAsync(300);
    await world.back(0, { response: { table: 7 }, scheduling: 'WHEN_IDLE' });
    expect(world.answers).toEqual([
      { id: 'a', name: 'book', response: { table: 7 }, scheduling: 'WHEN_IDLE' },
    ]);
    expect(world.desk.pending).toBe(0);
    expect(world.facts).toEqual([
      { type: 'tool-called', name: 'book', id: 'a', pii: { args: '{"seats":2}' } },
      {
        type: 'tool-answered',
        name: 'book',
        id: 'a',
        ok: true,
        tookMs: 300,
        by: 'response',
        pii: { result: '{"table":7}' },
      },
    ]);
    expect(world.clock.pendingTimers).toBe(0);
  });

  test('a tool that hangs is given up after eight seconds, and the model is told so', async () => {
    const world = new World();
    world.call('a');
    await world.clock.advanceAsync(7_999);
    expect(world.answers).toEqual([]);
    await world.clock.advanceAsync(1);
    expect(world.answers[0]!.response).toEqual({ error: expect.stringContaining('timed out') });
    expect(world.running[0]!.signal.aborted).toBe(true);
  });

  test('what comes back too late is noted with its side effect, and not sent', async () => {
    const world = new World();
    world.call('a');
    await world.clock.advanceAsync(9_000);
    await world.back(0);
    expect(world.answers).toHaveLength(1);
    expect(world.factsOf('tool-result-unused')).toMatchObject([
      { id: 'a', why: 'late', sideEffect: true, tookMs: 9_000 },
    ]);
  });

  test('a result after a cancellation is noted with its side effect, and not sent', async () => {
    const world = new World();
    world.call('a');
    world.desk.cancelled(['a', 'unknown'], world.clock.now());
    expect(world.running[0]!.signal.aborted).toBe(true);
    expect(world.desk.pending).toBe(0);
    await world.back(0);
    expect([world.answers, world.told]).toEqual([[], []]);
    expect(world.factsOf('tool-result-unused')).toMatchObject([
      { id: 'a', why: 'cancelled', sideEffect: true },
    ]);
  });

  test('a cancelled tool that failed has no side effect', async () => {
    const world = new World();
    world.call('a');
    world.desk.cancelled(['a'], world.clock.now());
    world.running[0]!.reject(new Error('aborted'));
    await world.clock.advanceAsync(20_000);
    expect(world.answers).toEqual([]);
    expect(world.factsOf('tool-result-unused')).toMatchObject([{ why: 'cancelled', sideEffect: false }]);
  });

  test('a tool has the time that its own setting gives, up to a minute', async () => {
    const asked: Record<string, number> = {
      slow: 20_000,
      endless: Number.POSITIVE_INFINITY,
      odd: Number.NaN,
    };
    const world = new World({
      timeoutMs: (name) => {
        if (name === 'throws') throw new Error('no setting');
        return asked[name] ?? 8_000;
      },
    });
    for (const name of ['slow', 'endless', 'odd', 'throws']) world.call(name, name);
    expect(world.running.map((each) => each.deadlineMs)).toEqual([20_000, 60_000, 8_000, 8_000]);
    await world.clock.advanceAsync(60_000);
    expect(world.answers.map((each) => each.id)).toEqual(['odd', 'throws', 'slow', 'endless']);
  });

  test('an unknown tool, and one whose existence cannot be told, is answered at once', () => {
    const world = new World({
      has: (name) => {
        if (name === 'broken') throw new Error('no list');
        return false;
      },
    });
    world.desk.called(
      [
        { id: 'a', name: 'nowhere\n"', args: {} },
        { id: 'b', name: 'broken', args: {} },
      ],
      1,
      0,
    );
    expect(world.answers.map((each) => each.response)).toEqual([
      { error: 'There is no tool "nowhere "".' },
      { error: 'There is no tool "broken".' },
    ]);
  });

  test.each([
    [
      'throws at once',
      () => {
        throw new Error('bad\nday');
      },
      'The tool "book" failed: bad day',
    ],
    ['rejects with something odd', () => Promise.reject(Object.create(null)), 'The tool "book" failed: '],
    ['returns nothing', () => undefined, 'The tool "book" returned nothing.'],
    ['returns no object', () => 7, 'returned something that is not JSON'],
    [
      'returns a circle',
      () => {
        const it: Record<string, unknown> = {};
        it['it'] = it;
        return { response: it };
      },
      'not JSON',
    ],
    ['returns a number that JSON does not know', () => ({ response: { n: 1n } }), 'not JSON'],
    [
      'returns what throws when it is looked at',
      () => ({
        get response() {
          throw new Error('no');
        },
      }),
      'returned nothing',
    ],
    [
      'promises to throw',
      () =>
        Object.defineProperty({}, 'then', {
          get() {
            throw new Error('then');
          },
        }),
      'failed: then',
    ],
  ])('a tool that %s harms nobody', async (_what, run, error) => {
    const world = new World({ run: run as unknown as ToolRunner['run'] });
    world.call('a');
    await world.clock.advanceAsync(0);
    expect(world.answers).toHaveLength(1);
    expect(world.answers[0]!.response['error']).toContain(error);
    expect(world.factsOf('tool-answered')).toMatchObject([{ ok: false }]);
    expect(world.bugs).toEqual([]);
    expect(world.clock.pendingTimers).toBe(0);
  });

  test.each([
    ['text', 'x'.repeat(5_000_000)],
    ['quotation marks', '"\\'.repeat(100_000)],
    ['pairs', '\ud83d\ude00'.repeat(100_000)],
  ])('five megabytes of %s are cut to 32 kB, and say so', async (_what, long) => {
    const world = new World();
    world.call('a');
    await world.back(0, { response: { begin: 1, long } });
    const json = JSON.stringify(world.answers[0]!.response);
    expect(Buffer.byteLength(json)).toBeLessThanOrEqual(32_768);
    expect(Buffer.byteLength(json)).toBeGreaterThan(16_000);
    expect(world.answers[0]!.response).toMatchObject({
      truncated: true,
      result: expect.stringMatching(/^\{"begin":1,/),
    });
    expect(JSON.stringify(world.facts).length).toBeLessThan(20_000);
  });

  test('what a tool changes later does not reach the model', async () => {
    const world = new World();
    world.takes = false;
    world.call('a');
    const response = { seats: 2 };
    await world.back(0, { response });
    response.seats = 99;
    world.takes = true;
    world.desk.flush();
    expect(world.answers[0]!.response).toEqual({ seats: 2 });
  });

  test('the same id is run once and answered once', async () => {
    const world = new World();
    world.call('a');
    world.call('a');
    await world.back(0);
    world.call('a');
    expect(world.running).toHaveLength(1);
    expect(world.answers).toHaveLength(1);
  });

  test('the same call with a new id is a new call', async () => {
    const world = new World();
    world.call('a');
    await world.back(0);
    world.call('b');
    expect(world.running).toHaveLength(2);
  });

  test('sixteen tools are at work at a time; the next one is told to wait', async () => {
    const world = new World();
    const calls = Array.from({ length: 17 }, (_, i) => ({ id: `c${i}`, name: 'book', args: { i } }));
    world.desk.called(calls, 1, 0);
    expect(world.running).toHaveLength(16);
    expect(world.answers.map((each) => each.id)).toEqual(['c16']);
    await world.back(3);
    world.call('late');
    expect(world.running).toHaveLength(17);
  });

  test('tools that never come back do not pile up', async () => {
    const world = new World();
    for (let i = 0; i < 20; i++) {
      for (let j = 0; j < 8; j++) world.call(`c${i}.${j}`, 'book', { i, j });
      await world.clock.advanceAsync(8_000);
    }
    expect(world.running).toHaveLength(64);
    expect(world.answers).toHaveLength(160);
    expect(world.desk.pending).toBe(0);
  });

  test('what the call does itself is done by the call, every time', () => {
    let done = 0;
    const world = new World({}, (call) => {
      if (call.name !== 'hang_up') return null;
      done += 1;
      return { response: { result: 'ok' }, scheduling: 'SILENT' };
    });
    world.call('a', 'hang_up', {});
    world.desk.connection(2, null);
    world.call('b', 'hang_up', {}, 2);
    expect(world.answers.map(({ id, scheduling }) => [id, scheduling])).toEqual([
      ['a', 'SILENT'],
      ['b', 'SILENT'],
    ]);
    expect(done).toBe(2);
    expect(world.running).toHaveLength(0);
  });

  test('what is not taken is kept, and sent once it is', async () => {
    const world = new World();
    world.call('a');
    world.takes = false;
    await world.back(0);
    expect(world.desk.pending).toBe(1);
    world.takes = true;
    world.desk.flush();
    world.desk.flush();
    expect(world.answers).toHaveLength(1);
    expect(world.desk.pending).toBe(0);
  });

  test('at the end of the call everything is stopped, noted, and silent', async () => {
    const world = new World();
    world.call('a');
    world.call('b', 'find');
    world.desk.cancelled(['b'], 0);
    world.desk.end();
    world.desk.end();
    expect(world.running.map((each) => each.signal.aborted)).toEqual([true, true]);
    expect(world.clock.pendingTimers).toBe(0);
    expect(world.factsOf('tool-result-unused')).toMatchObject([{ id: 'a', why: 'call-ended' }]);
    const noted = world.facts.length;
    await world.back(0);
    await world.back(1);
    world.call('c');
    world.desk.connection(2, null);
    await world.clock.advanceAsync(60_000);
    expect([world.answers, world.told, world.desk.pending]).toEqual([[], [], 0]);
    expect(world.facts).toHaveLength(noted);
    expect(world.running).toHaveLength(2);
  });
});

describe('over a rotation', () => {
  test('a connection that was resumed under the open call gets the answer', async () => {
    const world = new World();
    world.call('a');
    const handle = world.handle(1);
    world.desk.connection(null, null);
    await world.back(0);
    expect(world.answers).toEqual([]);
    world.desk.connection(2, handle);
    expect(world.answers.map((each) => each.id)).toEqual(['a']);
    expect(world.told).toEqual([]);
  });

  test.each([
    ['a new session', () => null],
    [
      'one that was resumed at a handle from before the call',
      (world: World) => ({ ...world.handle(1), atMs: 900 }),
    ],
    ['one whose handle was taken while no tool was open', (world: World) => world.handle(1, 'nothing')],
    ['one whose handle is of a connection that never knew the call', (world: World) => world.handle(9)],
  ])('%s is told the result as text, once', async (_what, handleOf) => {
    const world = new World();
    await world.clock.advanceAsync(1_000);
    world.call('a');
    await world.clock.advanceAsync(500);
    const handle = handleOf(world);
    world.desk.connection(null, null);
    world.desk.connection(2, handle);
    await world.back(0, { response: { table: 7 } });
    world.desk.connection(3, world.handle(2));
    expect(world.answers).toEqual([]);
    expect(world.told).toEqual([expect.stringContaining(`has returned: "{'table':7}"`)]);
    expect(world.factsOf('tool-answered')).toMatchObject([{ id: 'a', by: 'text' }]);
    expect(world.desk.pending).toBe(0);
  });

  test('a handle keeps what it holds over several rotations, and is good again after them', async () => {
    const world = new World();
    world.call('a');
    const first = world.handle(1);
    await world.clock.advanceAsync(100);
    world.desk.connection(2, first);
    const second = world.handle(2);
    world.desk.connection(3, second);
    world.desk.connection(4, null);
    world.desk.connection(5, first);
    await world.back(0);
    expect(world.answers.map((each) => each.id)).toEqual(['a']);
  });

  test('an answer that the handle does not hold is given again, one that it holds is not', async () => {
    const world = new World();
    world.call('a');
    const before = world.handle(1);
    await world.clock.advanceAsync(100);
    await world.back(0);
    await world.clock.advanceAsync(100);
    const after = world.handle(1, 'nothing');
    world.desk.connection(2, after);
    expect(world.answers).toHaveLength(1);
    world.desk.connection(3, before);
    expect(world.answers).toHaveLength(2);
  });

  test('a call that the model has forgotten and repeats is not run again', async () => {
    const world = new World();
    world.call('a', 'book', { seats: 2, at: { day: 1, hour: 9 } });
    world.desk.connection(2, null);
    await world.clock.advanceAsync(5_000);
    world.call('b', 'book', { at: { hour: 9, day: 1 }, seats: 2 }, 2);
    expect(world.running).toHaveLength(1);
    expect(world.desk.openTools()).toMatchObject([{ id: 'b' }]);
    await world.back(0, { response: { table: 7 } });
    expect(world.answers).toEqual([{ id: 'b', name: 'book', response: { table: 7 } }]);
    expect(world.told).toEqual([]);
    expect(world.factsOf('tool-repeated')).toEqual([
      { type: 'tool-repeated', name: 'book', id: 'b', firstId: 'a' },
    ]);
    expect(world.desk.pending).toBe(0);
  });

  test('the result of a forgotten call is given to its repetition, also when it was told as text', async () => {
    const world = new World();
    world.call('a');
    world.desk.connection(2, null);
    await world.back(0, { response: { table: 7 } });
    expect(world.told).toHaveLength(1);
    world.call('a', 'book', { seats: 2 }, 2);
    expect(world.answers).toEqual([{ id: 'a', name: 'book', response: { table: 7 } }]);
    expect(world.running).toHaveLength(1);
  });

  test('a session that goes back to the first of two calls for the same is answered there, and told nothing', async () => {
    const world = new World();
    world.call('a');
    const handle = world.handle(1);
    await world.clock.advanceAsync(100);
    world.desk.connection(2, null);
    world.call('b', 'book', { seats: 2 }, 2);
    world.desk.connection(3, handle);
    await world.back(0);
    expect(world.answers.map((each) => each.id)).toEqual(['a']);
    expect([world.told, world.desk.pending]).toEqual([[], 0]);
  });

  test('an answer that went down with its connection serves the repetition too', async () => {
    const world = new World();
    const before = world.handle(1, 'utterance');
    await world.clock.advanceAsync(1_000);
    world.call('a');
    await world.back(0);
    world.desk.connection(2, before);
    world.call('b', 'book', { seats: 2 }, 2);
    expect(world.answers.map((each) => each.id)).toEqual(['a', 'b']);
    expect(world.running).toHaveLength(1);
  });

  test.each([
    ['other arguments', async (world: World) => world.call('b', 'book', { seats: 3 }, 2)],
    ['another tool', async (world: World) => world.call('b', 'find', { seats: 2 }, 2)],
    [
      'the same half a minute later',
      async (world: World) => {
        await world.clock.advanceAsync(30_001);
        world.call('b', 'book', { seats: 2 }, 2);
      },
    ],
    [
      'the same for the second time',
      async (world: World) => {
        world.call('x', 'book', { seats: 2 }, 2);
        world.call('b', 'book', { seats: 2 }, 2);
      },
    ],
  ])('a call of %s is a new one', async (_what, act) => {
    const world = new World({ timeoutMs: () => 60_000 });
    world.call('a');
    world.desk.connection(2, null);
    await act(world);
    expect(world.running).toHaveLength(2);
  });

  test('a failed call that is repeated is tried again', async () => {
    const world = new World();
    world.call('a');
    world.desk.connection(2, null);
    world.running[0]!.reject(new Error('busy'));
    await world.clock.advanceAsync(0);
    world.call('b', 'book', { seats: 2 }, 2);
    expect(world.running).toHaveLength(2);
  });

  test('a call that was cancelled and is made again waits for the first run', async () => {
    const world = new World();
    world.call('a');
    world.desk.cancelled(['a'], 0);
    world.call('b');
    await world.back(0);
    expect(world.running).toHaveLength(1);
    expect(world.answers.map((each) => each.id)).toEqual(['b']);
    expect(world.factsOf('tool-result-unused')).toEqual([]);
  });

  test('a result that the seed has told is not told again', async () => {
    const world = new World();
    world.call('a');
    world.call('b', 'find');
    world.desk.connection(null, null);
    await world.back(0);
    const open = world.desk.openTools();
    expect(open).toMatchObject([
      { id: 'a', name: 'book', args: '{"seats":2}', result: '{"done":0}' },
      { id: 'b', result: null },
    ]);
    world.desk.connection(2, null, ['a', 'b']);
    expect(world.told).toEqual([]);
    expect(world.desk.pending).toBe(1);
    await world.back(1);
    expect(world.told).toHaveLength(1);
  });

  test('a call that was made again is told once, to a session that knows of neither', async () => {
    const world = new World();
    world.call('a');
    const handle = world.handle(1);
    await world.clock.advanceAsync(100);
    world.desk.connection(2, null);
    world.call('b', 'book', { seats: 2 }, 2);
    // Back to the first of the two, and then to nothing.
    world.desk.connection(3, handle);
    world.desk.connection(4, null);
    await world.back(0);
    expect(world.told).toHaveLength(1);
    expect(world.desk.pending).toBe(0);
  });

  test('a call that is no longer remembered leaves no timer behind', async () => {
    const world = new World();
    world.call('a');
    world.desk.cancelled(['a'], 0);
    for (let i = 0; i < 64; i++) {
      world.call(`c${i}`, 'book', { i });
      await world.back(i + 1);
    }
    expect(world.clock.pendingTimers).toBe(0);
    expect(world.running[0]!.signal.aborted).toBe(true);
  });

  test('results that nobody takes do not pile up', async () => {
    const world = new World();
    world.takes = false;
    for (let i = 0; i < 100; i++) {
      world.call(`c${i}`, 'book', { i });
      await world.back(i);
    }
    expect(world.desk.pending).toBe(64);
    expect(
      world
        .factsOf('tool-result-unused')
        .map(({ id, why }) => [id, why])
        .at(-1),
    ).toEqual(['c35', 'crowded-out']);
  });

  test('a host that throws is reported, and what waits is kept', async () => {
    const world = new World();
    world.call('a');
    const { answers } = world;
    const push = answers.push;
    answers.push = () => {
      throw new Error('socket');
    };
    await world.back(0);
    expect(world.bugs).toHaveLength(1);
    answers.push = push;
    world.desk.flush();
    expect(answers).toHaveLength(1);
  });
});
