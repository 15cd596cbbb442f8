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
const expected: LegEvent = { type: 'stream-expected', returning: false };
const TRANSFERRED: EndReason = { who: 'bot', how: 'transferred', detail: 'the test' };
const letGo = (untilMs: number, close = false): LegEvent => ({
  type: 'let-go',
  reason: TRANSFERRED,
  untilMs,
  close,
});
const holdOn: LegEvent = { type: 'hold-on' };
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

describe('a caller who is handed to somebody else', () => {
  const there = [opened(1), started(1)];
  const types = (effects: readonly LegEffect[]) => effects.map(({ type }) => type);

  test('by closing the stream: it pauses, is closed, and may come back until then', () => {
    const { state, effects } = play([...there, letGo(70_000, true)], 1_000);
    expect(state).toMatchObject({ name: 'lost', open: false });
    expect(types(effects)).toEqual(['leg-paused', 'arm-deadline', 'close-socket']);
    expect(effects).toContainEqual({ type: 'arm-deadline', dueMs: 70_000 });
    // Its own close says nothing more.
    expect(stepLeg(state, closed(1), 1_100)).toEqual([state, []]);
    expect(endOf(stepLeg(state, { type: 'deadline' }, 70_000)[1])).toEqual(['bot transferred']);
  });

  test('with the stream left open: it pauses, and goes on when nothing came of it', () => {
    const { state, effects } = play([...there, letGo(70_000)], 1_000);
    expect(state).toMatchObject({ name: 'lost', open: true });
    expect([types(effects), closing(effects)]).toEqual([['leg-paused', 'arm-deadline'], []]);
    const [after, back] = stepLeg(state, holdOn, 2_000);
    expect(after).toEqual({ name: 'attached', epoch: 1, pendingEpoch: null });
    expect(back).toEqual([{ type: 'cancel-deadline' }, { type: 'leg-ready', epoch: 1, replaced: true }]);
  });

  test('a stream that was left open is closed when another one of the call takes over', () => {
    const { state, effects } = play([...there, letGo(70_000), expected, opened(2), started(2)]);
    expect(state).toEqual({ name: 'attached', epoch: 2, pendingEpoch: null });
    expect(closing(effects)).toEqual([1]);
  });

  test.each([
    ['stopped', stopped(1), 'caller completed', [1]],
    ['closed', closed(1), 'caller completed', []],
    ['broke off', broken(1), 'carrier error', []],
  ])('the stream %s meanwhile, and nothing came of it: who left is known', (_how, gone, end, closes) => {
    const before = play([...there, letGo(70_000), gone]);
    expect(closing(before.effects)).toEqual(closes);
    const { state, effects } = play([...there, letGo(70_000), gone, holdOn], 3_000);
    expect(effects).toEqual([{ type: 'arm-deadline', dueMs: 8_000 }]);
    expect(endOf(stepLeg(state, { type: 'deadline' }, 8_000)[1])).toEqual([end]);
  });

  test('a socket that was on its way is sent away, and one that comes later without a start does not end the wait', () => {
    expect(closing(play([...there, opened(2), letGo(70_000)]).effects)).toEqual([2]);
    const { state } = play([...there, letGo(70_000, true), opened(2)], 1_000);
    const [still, effects] = stepLeg(state, { type: 'deadline' }, 11_000);
    expect(still).toMatchObject({ name: 'lost', pendingEpoch: null });
    expect(closing(effects)).toEqual([2]);
    expect(effects).toContainEqual({ type: 'arm-deadline', dueMs: 70_000 });
    const [gone, later] = stepLeg(state, closed(2), 5_000);
    expect(gone).toMatchObject({ name: 'lost', pendingEpoch: null });
    expect(later).toEqual([{ type: 'arm-deadline', dueMs: 70_000 }]);
  });

  test('a socket that is on its way when nothing came of it keeps its deadline', () => {
    const { state, effects } = play([...there, letGo(70_000), opened(2), holdOn], 1_000);
    expect(state).toEqual({ name: 'attached', epoch: 1, pendingEpoch: 2 });
    expect(effects).toContainEqual({ type: 'arm-deadline', dueMs: 1_000 + START_DEADLINE_MS });
  });

  test('let go once more: another time and another end', () => {
    const { state, effects } = play([
      ...there,
      letGo(31_000, true),
      { ...letGo(90_000), reason: REASON } as LegEvent,
    ]);
    expect(effects).toEqual([{ type: 'arm-deadline', dueMs: 90_000 }]);
    expect(endOf(stepLeg(state, { type: 'deadline' }, 90_000)[1])).toEqual(['operator completed']);
  });

  test('a stream that is to bring the caller back, and does not come, is the carrier’s error', () => {
    const { state, effects } = play(
      [...there, letGo(70_000, true), { ...expected, returning: true } as LegEvent],
      5_000,
    );
    expect(effects).toEqual([{ type: 'arm-deadline', dueMs: 5_000 + START_DEADLINE_MS }]);
    expect(endOf(stepLeg(state, { type: 'deadline' }, 15_000)[1])).toEqual(['carrier error']);
  });

  test.each([
    ['none has come', []],
    ['one is opening', [opened(1)]],
    ['the call is over', [{ type: 'end' } as const]],
  ])('while of its streams %s nobody can be handed over', (_when, events) => {
    const { state } = play(events);
    expect(stepLeg(state, letGo(9_000, true), 500)).toEqual([state, []]);
    expect(stepLeg(state, holdOn, 500)).toEqual([state, []]);
  });
});

/** Small numbers, so that scripts hit epochs that exist, that existed and that never will. */
const AWAY_MS = 500_000;
const epoch = fc.integer({ min: 0, max: 6 });
const anyEvent: fc.Arbitrary<LegEvent | { readonly type: 'open' }> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ type: 'open' as const }) },
  { weight: 3, arbitrary: epoch.map(started) },
  { weight: 1, arbitrary: epoch.map(stopped) },
  { weight: 3, arbitrary: epoch.chain((each) => fc.constantFrom(closed(each), broken(each))) },
  { weight: 1, arbitrary: fc.constantFrom<LegEvent>({ type: 'deadline' }, expected, holdOn) },
  { weight: 1, arbitrary: fc.boolean().map((close) => letGo(AWAY_MS, close)) },
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
    // From now on, as its shell says it.
    if (event.type === 'let-go') return this.step({ ...event, untilMs: this.nowMs + 1 + AWAY_MS });
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
    if (state.name === 'lost')
      return [
        ...(state.open ? [state.epoch] : []),
        ...(state.pendingEpoch === null ? [] : [state.pendingEpoch]),
      ];
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

  test('a leg is ready once for each stream that starts, each time on a newer one; or again on the one that was left', () => {
    fc.assert(
      fc.property(script, (events) => {
        const shell = new Shell();
        let newest = 0;
        let away = false;
        for (const event of events) {
          const before = shell.state.name;
          const effects = shell.say(event);
          if (event.type === 'let-go' && before === 'attached') away = true;
          for (const effect of effects) {
            if (effect.type !== 'leg-ready') continue;
            if (event.type === 'hold-on') expect([effect.epoch, away]).toEqual([newest, true]);
            else expect(effect.epoch).toBeGreaterThan(newest);
            expect(effect.replaced).toBe(newest > 0);
            newest = effect.epoch;
            away = false;
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('between two times at which a caller can be heard lies one at which they cannot, and none follows itself', () => {
    fc.assert(
      fc.property(script, (events) => {
        const shell = new Shell();
        let heard = false;
        for (const event of events) {
          for (const effect of shell.say(event)) {
            if (effect.type === 'leg-paused') {
              expect(heard).toBe(true);
              heard = false;
            }
            if (effect.type === 'leg-ready') heard = true;
          }
          expect(heard).toBe(shell.state.name === 'attached' || (heard && shell.state.name === 'ended'));
        }
      }),
      { numRuns: 500 },
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
            else if (event.type === 'let-go') expect(afterMs).toBe(AWAY_MS);
            // What is left of the time that a caller may be with somebody else.
            else if (shell.state.name === 'lost' && effect.dueMs === shell.state.untilMs)
              expect(afterMs).toBeLessThanOrEqual(AWAY_MS);
            else expect([START_DEADLINE_MS, LOST_GRACE_MS]).toContain(afterMs);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
