import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CONNECT_DEADLINE_MS } from '../../src/call/ladder.ts';
import {
  HOLD_MS,
  newSession,
  type SessionEffect,
  type SessionEvent,
  type SessionState,
  type SessionTimer,
  stepSession,
} from '../../src/call/session.ts';
import type { CloseClass } from '../../src/gemini/live-session.ts';

const BUDGET_MS = 30_000;
const FATAL: readonly CloseClass[] = ['config', 'auth'];
const PASSING: readonly CloseClass[] = [
  'normal',
  'handle-refused',
  'old-socket-open',
  'quota',
  'overload',
  'deadline',
  'aborted',
  'network',
];

const PLAN = { earliestMs: 480_000, latestMs: 570_000, forcedMs: 582_000 };

/** Runs the machine as its shell does: one connection that talks, at most one socket that is held, one timer of a kind. */
class Shell {
  state: SessionState = newSession({ outageBudgetMs: BUDGET_MS, rotation: PLAN });
  nowMs = 0;
  readonly timers = new Map<SessionTimer, number>();
  /** Connects that were asked for and have neither succeeded, failed nor been aborted; and which of them are held back. */
  readonly outstanding = new Set<number>();
  readonly holding = new Set<number>();
  readonly live = new Set<number>();
  /** Closed by us, and not known to be gone. */
  readonly closing = new Set<number>();
  readonly connects: Extract<SessionEffect, { type: 'connect' }>[] = [];
  readonly connectsAtMs: number[] = [];
  readonly rungs: string[] = [];
  failed = 0;
  last: readonly SessionEffect[] = [];

  step(event: SessionEvent): readonly SessionEffect[] {
    const { state } = this;
    if (event.type === 'connected') {
      this.outstanding.delete(event.epoch);
      if (state.name === 'connecting' && event.epoch === state.epoch) this.live.add(event.epoch);
    }
    if (event.type === 'connect-failed') {
      this.outstanding.delete(event.epoch);
      this.holding.delete(event.epoch);
    }
    if (event.type === 'lost') {
      this.live.delete(event.epoch);
      this.closing.delete(event.epoch);
      // A connection that broke before its coming up was reported is an attempt that failed.
      this.outstanding.delete(event.epoch);
    }
    if (event.type === 'gone') this.closing.delete(event.epoch);
    if (event.type === 'timer') this.timers.delete(event.timer);
    const [next, effects] = stepSession(state, event, this.nowMs);
    this.state = next;
    this.last = effects;
    for (const effect of effects) this.#run(effect);
    return effects;
  }

  #run(effect: SessionEffect): void {
    switch (effect.type) {
      case 'connect':
        if (effect.hold) {
          expect(this.live.size).toBe(1);
          this.holding.add(effect.epoch);
        } else {
          // A setup that goes out at once must not meet the old connection.
          expect([...this.live, ...this.closing]).toEqual([]);
        }
        expect([...this.outstanding]).toEqual([]);
        expect(this.connects.map((each) => each.epoch)).not.toContain(effect.epoch);
        this.outstanding.add(effect.epoch);
        this.connects.push(effect);
        this.connectsAtMs.push(this.nowMs);
        this.rungs.push(effect.rung);
        break;
      case 'release':
        expect([...this.live, ...this.closing]).toEqual([]);
        expect(this.holding.has(effect.epoch)).toBe(true);
        this.holding.delete(effect.epoch);
        break;
      case 'abort-connect':
        this.outstanding.delete(effect.epoch);
        this.holding.delete(effect.epoch);
        break;
      case 'close-connection':
        if (this.live.delete(effect.epoch)) this.closing.add(effect.epoch);
        break;
      case 'arm':
        this.timers.set(effect.timer, effect.dueMs);
        break;
      case 'cancel':
        this.timers.delete(effect.timer);
        break;
      case 'session-failed':
        this.failed += 1;
        break;
      default:
        break;
    }
  }

  get retryMs(): number | null {
    return this.timers.get('retry') ?? null;
  }

  get epoch(): number {
    return this.connects.at(-1)?.epoch ?? 0;
  }

  /** The connection that talks. */
  get liveEpoch(): number {
    return [...this.live][0] ?? 0;
  }

  connected(random = 0.5): readonly SessionEffect[] {
    return this.step({ type: 'connected', epoch: this.epoch, random });
  }

  held(): readonly SessionEffect[] {
    return this.step({ type: 'held', epoch: this.epoch });
  }

  connectFailed(closeClass: CloseClass, random = 0.5, handles = 2): readonly SessionEffect[] {
    const epoch = this.epoch;
    return this.step({ type: 'connect-failed', epoch, class: closeClass, detail: 'x', random, handles });
  }

  lost(closeClass: CloseClass, random = 0.5, handles = 2): readonly SessionEffect[] {
    const epoch = this.liveEpoch || this.epoch;
    return this.step({ type: 'lost', epoch, class: closeClass, detail: 'x', random, handles });
  }

  gone(): readonly SessionEffect[] {
    return this.step({ type: 'gone', epoch: [...this.closing][0] ?? 0 });
  }

  goAway(timeLeftMs: number | null, random = 0): readonly SessionEffect[] {
    return this.step({ type: 'go-away', epoch: this.liveEpoch, timeLeftMs, random });
  }

  quiet(): readonly SessionEffect[] {
    return this.step({ type: 'quiet' });
  }

  /** Lets time pass to the timer, and tells the machine. */
  fire(timer: SessionTimer): readonly SessionEffect[] {
    this.nowMs = Math.max(this.nowMs, this.timers.get(timer) ?? this.nowMs);
    return this.step({ type: 'timer', timer });
  }

  retry(): void {
    this.fire('retry');
  }
}

const types = (effects: readonly SessionEffect[]) => effects.map((effect) => effect.type);

function readySession(): Shell {
  const shell = new Shell();
  shell.step({ type: 'open' });
  shell.connected();
  return shell;
}

const without = (effects: readonly SessionEffect[], ...left: string[]) =>
  types(effects).filter((type) => !left.includes(type));

describe('named transitions', () => {
  test('the first connection is a fresh one, and its readiness is the first', () => {
    const shell = new Shell();
    expect(shell.step({ type: 'open' })).toEqual([
      {
        type: 'connect',
        epoch: 1,
        attempt: 1,
        rung: 'first',
        reseed: false,
        hold: false,
        need: 'new-call',
        deadlineMs: CONNECT_DEADLINE_MS,
        waitMs: BUDGET_MS,
      },
    ]);
    expect(shell.connected()[0]).toEqual({ type: 'session-ready', epoch: 1, first: true });
  });

  test('a connection that has lived is replaced at once, with the newest handle', () => {
    const shell = readySession();
    shell.nowMs = 400_000;
    const effects = shell.lost('network');
    expect(without(effects, 'cancel')).toEqual(['session-interrupted', 'connect']);
    expect(shell.connects.at(-1)).toMatchObject({ attempt: 1, rung: 'newest', need: 'outage', hold: false });
    expect(shell.connected()[0]).toEqual({ type: 'session-ready', epoch: 2, first: false });
  });

  test('without any handle it is replaced by a session that is told what was said', () => {
    const shell = readySession();
    shell.nowMs = 400_000;
    shell.lost('network', 0.5, 0);
    expect(shell.connects.at(-1)).toMatchObject({ rung: 'fresh' });
  });

  test('a handle that was refused is followed by an older one, and that by a fresh session, without waiting', () => {
    const shell = readySession();
    shell.nowMs = 400_000;
    shell.lost('network');
    shell.connectFailed('handle-refused', 0.5, 1);
    shell.connectFailed('handle-refused', 0.5, 0);
    expect(shell.rungs).toEqual(['first', 'newest', 'older', 'fresh']);
    expect(shell.nowMs).toBe(400_000);
  });

  test('the newest handle is tried for eight seconds, an older one once, then a fresh session until the budget is spent', () => {
    const shell = readySession();
    shell.nowMs = 400_000;
    shell.lost('network');
    const at: [string, number][] = [];
    while (shell.failed === 0) {
      at.push([shell.rungs.at(-1) as string, shell.nowMs - 400_000]);
      shell.nowMs += 500;
      shell.connectFailed('overload');
      if (shell.retryMs !== null) shell.retry();
    }
    const of = (rung: string) => at.filter(([each]) => each === rung).map(([, ms]) => ms);
    expect(Math.max(...of('newest'))).toBeLessThan(8_000 + 4_500);
    expect(of('newest').length).toBeGreaterThanOrEqual(4);
    expect(of('older')).toHaveLength(1);
    expect(Math.min(...of('fresh'))).toBeGreaterThan(of('older')[0] as number);
    expect(shell.nowMs - 400_000).toBeLessThanOrEqual(BUDGET_MS + 500);
  });

  test('while the old socket is taken for open the same handle is offered again at a steady, short pace', () => {
    const shell = readySession();
    shell.nowMs = 400_000;
    shell.lost('network');
    for (let i = 0; i < 10; i++) {
      const beforeMs = shell.nowMs;
      shell.connectFailed('old-socket-open', i / 10);
      shell.retry();
      expect(shell.nowMs - beforeMs).toBeGreaterThanOrEqual(200);
      expect(shell.nowMs - beforeMs).toBeLessThanOrEqual(400);
    }
    expect(new Set(shell.rungs.slice(1))).toEqual(new Set(['newest']));
  });

  test('a connection that is lost before it was reported as connected counts as a failed attempt', () => {
    const shell = new Shell();
    shell.step({ type: 'open' });
    expect(types(shell.lost('network'))).toEqual(['arm']);
    shell.step({ type: 'connected', epoch: 1, random: 0 });
    expect(shell.state.name).toBe('waiting');
  });

  test('back-off doubles from a quarter of a second to four, spread by half each way', () => {
    const waits = [0, 0.999].map((random) => {
      const shell = new Shell();
      shell.step({ type: 'open' });
      const found: number[] = [];
      for (;;) {
        const beforeMs = shell.nowMs;
        shell.connectFailed('overload', random);
        if (shell.retryMs === null) return found;
        found.push(shell.retryMs - beforeMs);
        shell.retry();
      }
    });
    const mean = [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000];
    for (const [i, wait] of waits[0]!.slice(0, 7).entries()) expect(wait).toBeCloseTo(mean[i]! / 2, 0);
    for (const [i, wait] of waits[1]!.slice(0, 7).entries()) expect(wait).toBeCloseTo(mean[i]! * 1.499, 0);
  });

  test('an end while connecting aborts, when ready closes, while waiting cancels', () => {
    const connecting = new Shell();
    connecting.step({ type: 'open' });
    expect(connecting.step({ type: 'close' })).toEqual([{ type: 'abort-connect', epoch: 1 }]);
    expect(without(readySession().step({ type: 'close' }), 'cancel')).toEqual(['close-connection']);
    const waiting = new Shell();
    waiting.step({ type: 'open' });
    waiting.connectFailed('network');
    expect(waiting.step({ type: 'close' })).toEqual([{ type: 'cancel', timer: 'retry' }]);
  });

  test('a socket that is born after the end is closed', () => {
    const shell = new Shell();
    shell.step({ type: 'open' });
    shell.step({ type: 'close' });
    expect(shell.step({ type: 'connected', epoch: 1, random: 0 })).toEqual([
      { type: 'close-connection', epoch: 1 },
    ]);
  });

  test('a setup that served for 30 s and is then refused gets a fresh session, without the handle, and once more as instruction', () => {
    const shell = readySession();
    shell.nowMs += 30_000;
    shell.lost('config');
    expect(shell.connects.at(-1)).toMatchObject({ rung: 'fresh', reseed: false });
    shell.connectFailed('config');
    expect(shell.connects.at(-1)).toMatchObject({ rung: 'fresh', reseed: true });
    expect(types(shell.connectFailed('config'))).toEqual(['session-failed']);
  });

  test('a setup and handle that are refused together are never offered together again', () => {
    const shell = readySession();
    shell.nowMs += 20_000;
    shell.lost('network');
    shell.connectFailed('config');
    expect(shell.rungs).toEqual(['first', 'newest', 'fresh']);
  });

  test('a first setup that is refused before it has served for 30 s is wrong', () => {
    const shell = readySession();
    shell.nowMs += 29_999;
    expect(without(shell.lost('config'), 'cancel')).toEqual(['session-interrupted', 'session-failed']);
    expect(shell.state.name).toBe('given-up');
  });

  test.each(FATAL)('%s is not retried at the start, and auth never', (closeClass) => {
    const starting = new Shell();
    starting.step({ type: 'open' });
    expect(types(starting.connectFailed(closeClass))).toEqual(['session-failed']);
    const later = readySession();
    later.nowMs += closeClass === 'auth' ? 400_000 : 20_000;
    expect(without(later.lost(closeClass), 'cancel')).toEqual(['session-interrupted', 'session-failed']);
    for (const shell of [starting, later]) {
      expect(shell.state.name).toBe('given-up');
      shell.step({ type: 'timer', timer: 'retry' });
      shell.step({ type: 'open' });
      expect(shell.outstanding.size).toBe(0);
    }
  });
});

describe('rotation', () => {
  /** To the moment at which the replacement is wanted. */
  function due(): Shell {
    const shell = readySession();
    shell.fire('rotate');
    return shell;
  }

  test('is due by our own clock between minute 8 and 9.5, and forced before ten', () => {
    for (const random of [0, 0.5, 0.999]) {
      const shell = new Shell();
      shell.step({ type: 'open' });
      shell.connected(random);
      expect(shell.timers.get('rotate')).toBeCloseTo(480_000 + random * 90_000, 0);
      expect(shell.timers.get('force')).toBeLessThan(600_000);
    }
  });

  test('waits for a quiet moment; then the new socket is opened, held, the old one closed, and the setup let go', () => {
    const shell = due();
    expect(shell.connects).toHaveLength(1);
    expect(types(shell.quiet())).toEqual(['connect']);
    expect(shell.connects.at(-1)).toMatchObject({ hold: true, need: 'rotation', rung: 'newest' });
    shell.held();
    expect(shell.liveEpoch).toBe(1);
    expect(without(shell.quiet(), 'cancel')).toEqual(['session-interrupted', 'close-connection']);
    expect(shell.last).toContainEqual({ type: 'session-interrupted', planned: true });
    expect(types(shell.gone())).toEqual(['release']);
    expect(shell.connected()[0]).toEqual({ type: 'session-ready', epoch: 2, first: false });
  });

  test('a held socket is given up after some seconds of noise, and another one opened at the next quiet moment', () => {
    const shell = due();
    shell.quiet();
    shell.held();
    const heldAtMs = shell.nowMs;
    expect(types(shell.fire('hold'))).toEqual(['abort-connect']);
    expect(shell.nowMs - heldAtMs).toBe(HOLD_MS);
    expect(shell.state.name).toBe('ready');
    expect(shell.live.size).toBe(1);
    shell.quiet();
    expect(shell.connects.at(-1)).toMatchObject({ epoch: 3, hold: true });
  });

  test('at the last moment nothing is waited for any more', () => {
    const shell = due();
    shell.fire('force');
    expect(without(shell.held(), 'cancel')).toEqual(['session-interrupted', 'close-connection']);
    expect(types(shell.gone())).toEqual(['release']);
  });

  test('one that is held at the last moment leaves at once', () => {
    const shell = due();
    shell.quiet();
    shell.held();
    expect(without(shell.fire('force'), 'cancel')).toEqual(['session-interrupted', 'close-connection']);
  });

  test('the old connection breaks first: the socket that is open already takes over', () => {
    for (const held of [true, false]) {
      const shell = due();
      shell.quiet();
      if (held) shell.held();
      const effects = shell.lost('deadline');
      expect(without(effects, 'cancel')).toEqual(['session-interrupted', 'release']);
      expect(effects).toContainEqual({ type: 'session-interrupted', planned: false });
      shell.held();
      expect(shell.connected()[0]).toMatchObject({ type: 'session-ready', first: false });
      expect(shell.connects).toHaveLength(2);
    }
  });

  test('a new socket that does not come up costs nothing: the old connection goes on, and it is tried again', () => {
    const shell = due();
    shell.quiet();
    shell.connectFailed('quota', 0.5);
    expect(shell.state.name).toBe('ready');
    expect(types(shell.quiet())).toEqual([]);
    shell.nowMs += 1_001;
    expect(types(shell.quiet())).toEqual(['connect']);
  });

  test('a held socket that breaks while the old one is closed is replaced once that is gone', () => {
    const shell = due();
    shell.quiet();
    shell.held();
    shell.quiet();
    expect(types(shell.connectFailed('network'))).toEqual([]);
    expect(types(shell.gone())).toEqual(['connect']);
    expect(shell.connects.at(-1)).toMatchObject({ rung: 'newest', hold: false });
  });

  test.each([
    [50_000, 0, 45_000],
    [60_000, 0, 55_000],
    [10_000, 0, 5_000],
    [17_250, 0, 12_250],
    [2_000, 0, 1_000],
    [0, 0, 0],
    [null, 0, 45_000],
    [300_000, 240_000, 295_000],
  ])(
    'goAway with %s ms left: a quiet moment is looked for after %i ms, and not waited for after %i',
    (leftMs, dueMs, forcedMs) => {
      const shell = readySession();
      shell.nowMs = 1_000;
      shell.goAway(leftMs);
      expect((shell.timers.get('force') as number) - 1_000).toBe(forcedMs);
      if (dueMs === 0) {
        expect(types(shell.quiet())).toEqual(['connect']);
      } else {
        expect(types(shell.quiet())).toEqual([]);
        expect(shell.timers.get('rotate')).toBe(1_000 + dueMs);
      }
    },
  );

  test('a second goAway brings the end nearer, never further away', () => {
    const shell = readySession();
    shell.goAway(10_000);
    shell.goAway(50_000);
    expect(shell.timers.get('force')).toBe(5_000);
  });

  test('a connection that is of no use is closed, and the next one opened when it is gone', () => {
    for (const fresh of [false, true]) {
      const shell = readySession();
      shell.nowMs += 20_000;
      expect(without(shell.step({ type: 'replace', fresh, handles: 2 }), 'cancel')).toEqual([
        'session-interrupted',
        'close-connection',
      ]);
      shell.gone();
      expect(shell.connects.at(-1)).toMatchObject({ rung: fresh ? 'fresh' : 'newest', hold: false });
    }
  });
});

describe('an outage', () => {
  const passing = fc.constantFrom(...PASSING);
  const random = fc.double({ min: 0, max: 0.999, noNaN: true });

  test('is over within its budget, whatever the server answers and however slowly', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(passing, fc.integer({ min: 0, max: CONNECT_DEADLINE_MS }), random), {
          minLength: 100,
          maxLength: 100,
          size: 'max',
        }),
        (answers) => {
          const shell = new Shell();
          shell.step({ type: 'open' });
          for (const [closeClass, tookMs, spread] of answers) {
            shell.nowMs += Math.min(tookMs, shell.connects.at(-1)!.deadlineMs);
            shell.connectFailed(closeClass, spread);
            if (shell.failed > 0) break;
            if (shell.retryMs !== null) shell.retry();
          }
          expect(shell.failed).toBe(1);
          expect(Math.max(...shell.connectsAtMs)).toBeLessThan(BUDGET_MS);
          // The last attempt may have begun at the last moment, and gets a second.
          expect(shell.nowMs).toBeLessThanOrEqual(BUDGET_MS + 1_000);
        },
      ),
    );
  });

  test('goes on while connections come up only to break: such a server is not hammered, and given up in time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(passing, fc.integer({ min: 0, max: 500 }), random), {
          minLength: 200,
          maxLength: 200,
          size: 'max',
        }),
        (lives) => {
          const shell = new Shell();
          shell.step({ type: 'open' });
          for (const [closeClass, livedMs, spread] of lives) {
            shell.connected();
            shell.nowMs += livedMs;
            shell.lost(closeClass, spread);
            if (shell.state.name === 'given-up') break;
            if (shell.retryMs !== null) shell.retry();
          }
          expect(shell.state.name).toBe('given-up');
          expect(shell.nowMs).toBeLessThanOrEqual(BUDGET_MS + 1_000);
          // 250, 500, 1000, 2000 and then 4000 ms, at least half of each: 19 fit into half a minute; two rungs need no wait.
          // Only a socket that is taken for open is knocked at every 225 ms or more.
          const knocks = lives.filter(([each]) => each === 'old-socket-open').length;
          expect(shell.connects.length).toBeLessThanOrEqual(22 + Math.min(knocks, BUDGET_MS / 225));
        },
      ),
    );
  });

  test('that is long past does not shorten the budget of the next', () => {
    const shell = readySession();
    for (let outage = 0; outage < 5; outage++) {
      shell.nowMs += 600_000;
      shell.lost('network');
      shell.connectFailed('network');
      expect(shell.state.name).toBe('waiting');
      shell.retry();
      shell.connected();
    }
    expect(shell.connects.map((connect) => connect.attempt)).toEqual([1, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]);
  });
});

const anyEvent = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ type: 'open' as const }) },
  { weight: 4, arbitrary: fc.constant({ type: 'connected' as const }) },
  { weight: 4, arbitrary: fc.constant({ type: 'held' as const }) },
  { weight: 5, arbitrary: fc.constant({ type: 'quiet' as const }) },
  { weight: 4, arbitrary: fc.constant({ type: 'gone' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('replace' as const), fresh: fc.boolean(), handles: fc.nat(3) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('go-away' as const),
      timeLeftMs: fc.constantFrom(null, 0, 10_000, 50_000, 300_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constantFrom('connect-failed' as const, 'lost' as const),
      class: fc.constantFrom(...PASSING, ...PASSING, ...FATAL),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
      handles: fc.nat(3),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('timer' as const),
      timer: fc.constantFrom<SessionTimer[]>('retry', 'rotate', 'force', 'hold'),
    }),
  },
);
const script = fc.array(
  fc.tuple(anyEvent, fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: -2, max: 1 })),
  { maxLength: 80, size: 'max' },
);

type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

/** What a shell could really be told: of attempts that are under way, of connections that are there, of timers that are set. */
function run(shell: Shell, events: Script): void {
  for (const [event, afterMs, offset] of events) {
    shell.nowMs += afterMs;
    const old = Math.max(1, Math.min(shell.epoch, shell.epoch + offset));
    switch (event.type) {
      case 'timer':
        if (shell.timers.has(event.timer)) shell.fire(event.timer);
        break;
      case 'open':
      case 'quiet':
      case 'replace':
        shell.step(event);
        break;
      case 'connected':
        // A held socket completes its setup only after it was let go.
        if (shell.outstanding.has(old) && !shell.holding.has(old))
          shell.step({ type: 'connected', epoch: old, random: 0.5 });
        break;
      case 'held':
        if (shell.holding.has(old)) shell.step({ type: 'held', epoch: old });
        break;
      case 'gone':
        for (const epoch of [...shell.closing]) shell.step({ type: 'gone', epoch });
        break;
      case 'go-away':
        shell.step({ type: 'go-away', epoch: old, timeLeftMs: event.timeLeftMs, random: 0.5 });
        break;
      case 'connect-failed':
        if (shell.outstanding.has(old)) shell.step({ ...event, epoch: old, detail: 'x' });
        break;
      case 'lost': {
        const epoch = offset === 0 ? shell.liveEpoch : old;
        if (epoch > 0 && !shell.holding.has(epoch)) shell.step({ ...event, epoch, detail: 'x' });
        break;
      }
    }
  }
}

describe('whatever the order of events', () => {
  test('one connection talks, one socket is held, and no setup goes out before the old connection is gone', () => {
    let rotated = 0;
    fc.assert(
      fc.property(script, (events) => {
        const shell = new Shell();
        shell.step({ type: 'open' });
        run(shell, events);
        // Something is under way, or the session is whole or over.
        const { name } = shell.state;
        if (name === 'connecting') expect(shell.outstanding.size).toBe(1);
        if (name === 'ready' || name === 'rotating') expect(shell.live.size).toBe(1);
        if (name === 'rotating') expect(shell.holding.size).toBe(1);
        if (name === 'leaving') expect(shell.closing.size).toBe(1);
        if (name === 'waiting') expect(shell.retryMs).not.toBeNull();
        else expect(shell.retryMs).toBeNull();
        expect(shell.failed).toBe(name === 'given-up' ? 1 : 0);
        if (shell.connects.some((each) => each.hold)) rotated += 1;
      }),
      { numRuns: 800 },
    );
    expect(rotated).toBeGreaterThan(100);
  });

  test('what an old epoch says changes nothing', () => {
    fc.assert(
      fc.property(
        script,
        fc.constantFrom('connected', 'connect-failed', 'lost', 'held', 'gone', 'go-away'),
        (events, type) => {
          const shell = new Shell();
          shell.step({ type: 'open' });
          run(shell, events);
          const before = shell.state;
          const newest = Math.min(shell.liveEpoch || shell.epoch, ...shell.closing, ...shell.outstanding);
          const about = {
            epoch: newest - 1,
            class: 'auth',
            detail: 'x',
            random: 0,
            handles: 0,
            timeLeftMs: 0,
          };
          const event = { type, ...about } as SessionEvent;
          // A socket that is born after the end is closed, whichever it is.
          if (before.name === 'closed') return;
          expect(stepSession(before, event, shell.nowMs)).toEqual([before, []]);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('a close from anywhere is the end of it', () => {
    fc.assert(
      fc.property(script, script, (events, later) => {
        const shell = new Shell();
        run(shell, events);
        shell.step({ type: 'close' });
        expect(shell.state).toEqual({ name: 'closed' });
        expect([...shell.outstanding, ...shell.live]).toEqual([]);
        expect([...shell.timers]).toEqual([]);
        const attempts = shell.connects.length;
        run(shell, later);
        expect(shell.state).toEqual({ name: 'closed' });
        expect(shell.connects).toHaveLength(attempts);
        expect([...shell.live]).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });
});
