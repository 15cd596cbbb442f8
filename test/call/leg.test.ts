import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndReason } from '../../src/call/end-reason.ts';
import {
  type LegEffect,
  type LegEvent,
  type LegState,
  LOST_GRACE_MS,
  newLeg,
  START_DEADLINE_MS,
  STREAM_DEADLINE_MS,
  stepLeg,
} from '../../src/call/leg.ts';

const REASON: EndReason = { who: 'operator', how: 'completed', detail: 'the test' };

/** Plays events one after the other at `nowMs`, and keeps the state and the effects of the last one. */
function play(events: readonly LegEvent[], nowMs = 0): { state: LegState; effects: readonly LegEffect[] } {
  let [state, effects] = newLeg(0);
  for (const event of events) [state, effects] = stepLeg(state, event, nowMs);
  return { state, effects };
}

const opened = (epoch: number): LegEvent => ({ type: 'socket-opened', epoch });
const started = (epoch: number): LegEvent => ({ type: 'stream-started', epoch });
const stopped = (epoch: number): LegEvent => ({ type: 'stream-stopped', epoch });
const closedAs =
  (broken: boolean) =>
  (epoch: number): LegEvent => ({
    type: 'socket-closed',
    epoch,
    detail: broken ? 'code 1006' : 'code 1000',
    broken,
  });
const closed = closedAs(false);
const broken = closedAs(true);
const expected: LegEvent = { type: 'stream-expected' };
const closing = (effects: readonly LegEffect[]) =>
  effects.flatMap((effect) => (effect.type === 'close-socket' ? [effect.epoch] : []));
const endOf = (effects: readonly LegEffect[]) =>
  effects.flatMap((effect) =>
    effect.type === 'leg-ended' ? [`${effect.reason.who} ${effect.reason.how}`] : [],
  );

describe('named transitions', () => {
  test('a call waits a minute for its first socket, and ends when none comes', () => {
    expect(newLeg(500)[1]).toEqual([{ type: 'arm-deadline', dueMs: 60_500 }]);
    const { state, effects } = play([{ type: 'deadline' }]);
    expect(state).toEqual({ name: 'ended' });
    expect(endOf(effects)).toEqual(['carrier error']);
  });

  test('a socket has ten seconds for its start', () => {
    const { state, effects } = play([opened(1)], 2_000);
    expect(state).toMatchObject({ name: 'opened', epoch: 1 });
    expect(effects).toEqual([{ type: 'arm-deadline', dueMs: 12_000 }]);
  });

  test('a start makes the caller heard and stands the deadline down', () => {
    const { state, effects } = play([opened(1), started(1)]);
    expect(state).toEqual({ name: 'attached', epoch: 1, pendingEpoch: null });
    expect(effects).toEqual([{ type: 'cancel-deadline' }, { type: 'leg-ready', epoch: 1, replaced: false }]);
  });

  test('a handshake that is retried before the start replaces the pending socket', () => {
    const { state, effects } = play([opened(1), opened(2)]);
    expect(state).toMatchObject({ name: 'opened', epoch: 2 });
    expect(closing(effects)).toEqual([1]);
  });

  test('a pending socket that closes leaves the call waiting for the next one, until the same minute is over', () => {
    const { state, effects } = play([opened(1), closed(1)], 3_000);
    expect(state).toMatchObject({ name: 'awaiting' });
    expect(effects).toEqual([{ type: 'arm-deadline', dueMs: 60_000 }]);
  });

  test('a socket without a start is closed and ends the call', () => {
    const { state, effects } = play([opened(1), { type: 'deadline' }]);
    expect(state.name).toBe('ended');
    expect(closing(effects)).toEqual([1]);
    expect(endOf(effects)).toEqual(['carrier error']);
  });

  test('a stop is the caller hanging up', () => {
    const { state, effects } = play([opened(1), started(1), stopped(1)]);
    expect(state.name).toBe('ended');
    expect(endOf(effects)).toEqual(['caller completed']);
    expect(closing(effects)).toEqual([1]);
  });

  test.each([
    ['is closed without a stop', closed, 'caller completed', 'the stream closed without a stop'],
    ['breaks off', broken, 'carrier error', 'the stream broke off'],
  ])('a socket that %s is waited for, five seconds; then it is known who left', (_how, gone, end, detail) => {
    const { state, effects } = play([opened(1), started(1), gone(1)], 9_000);
    expect(state).toMatchObject({ name: 'lost', epoch: 1, pendingEpoch: null });
    expect(effects).toEqual([{ type: 'leg-paused' }, { type: 'arm-deadline', dueMs: 14_000 }]);
    const [after, ending] = stepLeg(state, { type: 'deadline' }, 14_000);
    expect(after.name).toBe('ended');
    expect(endOf(ending)).toEqual([end]);
    expect(ending).toContainEqual({ type: 'leg-ended', reason: expect.objectContaining({ detail }) });
  });

  test('a carrier that was told to open another stream has ten seconds for it, and who left is not forgotten', () => {
    const { state, effects } = play([opened(1), started(1), broken(1), expected], 9_000);
    expect(state).toMatchObject({ name: 'lost', epoch: 1, pendingEpoch: null });
    expect(effects).toEqual([{ type: 'arm-deadline', dueMs: 19_000 }]);
    expect(endOf(stepLeg(state, { type: 'deadline' }, 19_000)[1])).toEqual(['carrier error']);
    const [next, ready] = [opened(2), started(2)].reduce<ReturnType<typeof stepLeg>>(
      ([before], event) => stepLeg(before, event, 10_000),
      [state, []],
    );
    expect(next).toEqual({ name: 'attached', epoch: 2, pendingEpoch: null });
    expect(ready).toContainEqual({ type: 'leg-ready', epoch: 2, replaced: true });
  });

  test.each([
    ['none has come', []],
    ['one is opening', [opened(1)]],
    ['one is there', [opened(1), started(1)]],
    ['the call is over', [{ type: 'end' } as const]],
  ])('a stream that is expected while %s changes nothing', (_when, events) => {
    const { state } = play(events);
    expect(stepLeg(state, expected, 500)).toEqual([state, []]);
  });

  test('a second stream takes the leg over, and the first one is closed before it is said to be ready', () => {
    const { state, effects } = play([opened(1), started(1), opened(2), started(2)]);
    expect(state).toEqual({ name: 'attached', epoch: 2, pendingEpoch: null });
    expect(effects.map((effect) => effect.type)).toEqual(['cancel-deadline', 'close-socket', 'leg-ready']);
    expect(closing(effects)).toEqual([1]);
    expect(effects.at(-1)).toMatchObject({ epoch: 2, replaced: true });
  });

  test('a stream that is lost is taken over by the next one of the call', () => {
    const { state, effects } = play([opened(1), started(1), closed(1), opened(2), started(2)]);
    expect(state).toEqual({ name: 'attached', epoch: 2, pendingEpoch: null });
    expect(effects).toContainEqual({ type: 'leg-ready', epoch: 2, replaced: true });
  });

  test('a stop while a second socket is on its way moves the stream: it pauses, its socket is closed, the call goes on', () => {
    const { state, effects } = play([opened(1), started(1), opened(2), stopped(1)]);
    expect(state).toMatchObject({ name: 'lost', epoch: 1, pendingEpoch: 2 });
    expect(effects).toContainEqual({ type: 'leg-paused' });
    expect(closing(effects)).toEqual([1]);
    expect(endOf(effects)).toEqual([]);
  });

  test('a second socket that never starts is closed, and the first stream does not notice', () => {
    const { state, effects } = play([opened(1), started(1), opened(2), { type: 'deadline' }]);
    expect(state).toEqual({ name: 'attached', epoch: 1, pendingEpoch: null });
    expect(closing(effects)).toEqual([2]);
  });

  test('a socket that comes after the end is sent away', () => {
    const { effects } = play([{ type: 'end' }, opened(7)]);
    expect(closing(effects)).toEqual([7]);
  });
});

/** Small numbers, so that scripts hit epochs that exist, that existed and that never will. */
const epoch = fc.integer({ min: 0, max: 6 });
const anyEvent: fc.Arbitrary<LegEvent | { readonly type: 'open' }> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ type: 'open' as const }) },
  { weight: 3, arbitrary: epoch.map(started) },
  { weight: 1, arbitrary: epoch.map(stopped) },
  { weight: 3, arbitrary: epoch.chain((each) => fc.constantFrom(closed(each), broken(each))) },
  { weight: 1, arbitrary: fc.constantFrom<LegEvent>({ type: 'deadline' }, expected) },
);
const ending: fc.Arbitrary<LegEvent> = fc.oneof(
  fc.constant({ type: 'end' as const }),
  fc.constant({ type: 'carrier-ended' as const, reason: REASON }),
);
const script = fc.array(anyEvent, { maxLength: 40, size: 'max' });

/** A shell that owns sockets and one deadline, and checks the rules after every step. */
class Shell {
  state: LegState;
  nowMs = 0;
  dueMs: number | null = null;
  epochs = 0;
  ended = 0;
  readonly sockets = new Set<number>();

  constructor() {
    const [state, effects] = newLeg(0);
    this.state = state;
    this.#run(effects);
  }

  say(event: LegEvent | { readonly type: 'open' }): readonly LegEffect[] {
    if (event.type === 'open') {
      this.epochs += 1;
      this.sockets.add(this.epochs);
      return this.step(opened(this.epochs));
    }
    if (event.type === 'deadline') {
      // A deadline fires only when it is armed, and then it is over.
      if (this.dueMs === null) return [];
      this.nowMs = Math.max(this.nowMs, this.dueMs);
      this.dueMs = null;
    }
    if (event.type === 'socket-closed') this.sockets.delete(event.epoch);
    return this.step(event);
  }

  step(event: LegEvent): readonly LegEffect[] {
    this.nowMs += 1;
    const [next, effects] = stepLeg(this.state, event, this.nowMs);
    this.state = next;
    this.#run(effects);
    return effects;
  }

  #run(effects: readonly LegEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'arm-deadline') this.dueMs = effect.dueMs;
      if (effect.type === 'cancel-deadline') this.dueMs = null;
      if (effect.type === 'close-socket') this.sockets.delete(effect.epoch);
      if (effect.type === 'leg-ended') this.ended += 1;
    }
  }

  /** The epochs that the state still speaks of. */
  get known(): readonly number[] {
    const { state } = this;
    if (state.name === 'opened') return [state.epoch];
    if (state.name === 'attached')
      return [state.epoch, ...(state.pendingEpoch === null ? [] : [state.pendingEpoch])];
    if (state.name === 'lost') return state.pendingEpoch === null ? [] : [state.pendingEpoch];
    return [];
  }
}

describe('whatever the order of events', () => {
  test('every socket is attached, pending or closed, and what waits has a deadline', () => {
    fc.assert(
      fc.property(script, (events) => {
        const shell = new Shell();
        for (const event of events) {
          shell.say(event);
          expect([...shell.sockets].filter((each) => !shell.known.includes(each))).toEqual([]);
          const { state } = shell;
          const waits =
            state.name === 'awaiting' ||
            state.name === 'opened' ||
            state.name === 'lost' ||
            (state.name === 'attached' && state.pendingEpoch !== null);
          expect(shell.dueMs !== null).toBe(waits);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('an epoch that is neither attached nor pending changes nothing', () => {
    fc.assert(
      fc.property(script, fc.constantFrom(started, stopped, closed), epoch, (events, make, about) => {
        const shell = new Shell();
        for (const event of events) shell.say(event);
        if (shell.known.includes(about)) return;
        const before = shell.state;
        expect(stepLeg(before, make(about), shell.nowMs)).toEqual([before, []]);
      }),
      { numRuns: 500 },
    );
  });

  test('an end from anywhere ends, leaves no socket and no deadline, and nothing changes after it', () => {
    fc.assert(
      fc.property(script, ending, script, (events, last, later) => {
        const shell = new Shell();
        for (const event of events) shell.say(event);
        shell.step(last);
        expect(shell.state).toEqual({ name: 'ended' });
        expect([...shell.sockets]).toEqual([]);
        expect(shell.dueMs).toBeNull();
        const endings = shell.ended;
        for (const event of [...later, last]) {
          shell.say(event as LegEvent);
          expect(shell.state).toEqual({ name: 'ended' });
          expect([...shell.sockets]).toEqual([]);
        }
        expect(shell.ended).toBe(endings);
        expect(endings).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300 },
    );
  });

  test('a leg is ready once for each stream that starts, each time on a newer one', () => {
    fc.assert(
      fc.property(script, (events) => {
        const shell = new Shell();
        let newest = 0;
        for (const event of events) {
          for (const effect of shell.say(event)) {
            if (effect.type !== 'leg-ready') continue;
            expect(effect.epoch).toBeGreaterThan(newest);
            expect(effect.replaced).toBe(newest > 0);
            newest = effect.epoch;
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('sockets that come and go without a start do not keep a call beyond its minute', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 9_000 })), {
          minLength: 1,
          maxLength: 60,
          size: 'max',
        }),
        (visits) => {
          const shell = new Shell();
          for (const [comes, afterMs] of visits) {
            const untilMs = shell.nowMs + afterMs;
            if (shell.dueMs !== null && shell.dueMs <= untilMs) shell.say({ type: 'deadline' });
            if (shell.state.name === 'ended') break;
            shell.nowMs = untilMs;
            shell.say(comes ? { type: 'open' } : closed(shell.epochs));
            expect(shell.dueMs).toBeLessThanOrEqual(STREAM_DEADLINE_MS);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('the deadlines that are armed are the documented ones', () => {
    fc.assert(
      fc.property(script, (events) => {
        const shell = new Shell();
        for (const event of events) {
          const beforeMs = shell.nowMs;
          for (const effect of shell.say(event)) {
            if (effect.type !== 'arm-deadline') continue;
            const afterMs = effect.dueMs - Math.max(beforeMs, shell.nowMs);
            const first = shell.state.name === 'awaiting' || shell.state.name === 'opened';
            if (first) expect(effect.dueMs).toBeLessThanOrEqual(STREAM_DEADLINE_MS);
            else expect([START_DEADLINE_MS, LOST_GRACE_MS]).toContain(afterMs);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
