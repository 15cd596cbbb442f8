import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CONNECT_DEADLINE_MS,
  newSession,
  type SessionEffect,
  type SessionEvent,
  type SessionState,
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

/** Runs the machine as its shell does: one connect at a time, one retry timer, one live connection. */
class Shell {
  state: SessionState = newSession({ outageBudgetMs: BUDGET_MS });
  nowMs = 0;
  retryMs: number | null = null;
  /** Connects that were asked for and have neither succeeded, failed nor been aborted. */
  readonly outstanding = new Set<number>();
  readonly live = new Set<number>();
  readonly connects: Extract<SessionEffect, { type: 'connect' }>[] = [];
  readonly connectsAtMs: number[] = [];
  failed = 0;
  last: readonly SessionEffect[] = [];

  step(event: SessionEvent): readonly SessionEffect[] {
    const { state } = this;
    const epoch = 'epoch' in state ? state.epoch : 0;
    if ('epoch' in event) {
      this.outstanding.delete(event.epoch);
      if (event.type === 'connected' && state.name === 'connecting' && event.epoch === epoch)
        this.live.add(event.epoch);
      if (event.type === 'lost') this.live.delete(event.epoch);
    }
    if (event.type === 'retry-due') this.retryMs = null;
    const [next, effects] = stepSession(state, event, this.nowMs);
    this.state = next;
    this.last = effects;
    for (const effect of effects) this.#run(effect);
    return effects;
  }

  #run(effect: SessionEffect): void {
    switch (effect.type) {
      case 'connect':
        expect([...this.outstanding, ...this.live]).toEqual([]);
        expect(this.connects.map((each) => each.epoch)).not.toContain(effect.epoch);
        this.outstanding.add(effect.epoch);
        this.connects.push(effect);
        this.connectsAtMs.push(this.nowMs);
        break;
      case 'abort-connect':
        this.outstanding.delete(effect.epoch);
        break;
      case 'close-connection':
        this.live.delete(effect.epoch);
        break;
      case 'arm-retry':
        expect(this.retryMs).toBeNull();
        expect(effect.dueMs).toBeGreaterThan(this.nowMs);
        this.retryMs = effect.dueMs;
        break;
      case 'cancel-retry':
        this.retryMs = null;
        break;
      case 'session-failed':
        this.failed += 1;
        break;
      default:
        break;
    }
  }

  get epoch(): number {
    return this.connects.at(-1)?.epoch ?? 0;
  }

  connected(): readonly SessionEffect[] {
    return this.step({ type: 'connected', epoch: this.epoch });
  }

  connectFailed(closeClass: CloseClass, random = 0.5): readonly SessionEffect[] {
    return this.step({ type: 'connect-failed', epoch: this.epoch, class: closeClass, detail: 'x', random });
  }

  lost(closeClass: CloseClass, random = 0.5): readonly SessionEffect[] {
    return this.step({ type: 'lost', epoch: this.epoch, class: closeClass, detail: 'x', random });
  }

  /** Lets time pass to the retry that is armed, and tells the machine. */
  retry(): void {
    this.nowMs = Math.max(this.nowMs, this.retryMs ?? this.nowMs);
    this.step({ type: 'retry-due' });
  }
}

const types = (effects: readonly SessionEffect[]) => effects.map((effect) => effect.type);

function readySession(): Shell {
  const shell = new Shell();
  shell.step({ type: 'open' });
  shell.connected();
  return shell;
}

describe('named transitions', () => {
  test('the first connection is a fresh one, and its readiness is the first', () => {
    const shell = new Shell();
    expect(shell.step({ type: 'open' })).toEqual([
      { type: 'connect', epoch: 1, attempt: 1, resume: false, deadlineMs: CONNECT_DEADLINE_MS },
    ]);
    expect(shell.connected()).toEqual([{ type: 'session-ready', epoch: 1, first: true }]);
  });

  test('a connection that has lived is replaced at once, and resumed', () => {
    const shell = readySession();
    shell.nowMs = 600_000;
    const effects = shell.lost('network');
    expect(types(effects)).toEqual(['session-interrupted', 'connect']);
    expect(effects[1]).toMatchObject({ attempt: 1, resume: true });
    expect(shell.connected()).toEqual([{ type: 'session-ready', epoch: 2, first: false }]);
  });

  test('a handle that was refused is not offered again', () => {
    const shell = readySession();
    shell.nowMs = 600_000;
    shell.lost('network');
    shell.connectFailed('handle-refused');
    shell.retry();
    expect(shell.connects.at(-1)).toMatchObject({ resume: false });
  });

  test('a connection that is lost before it was reported as connected counts as a failed attempt', () => {
    const shell = new Shell();
    shell.step({ type: 'open' });
    expect(types(shell.lost('network'))).toEqual(['arm-retry']);
    shell.step({ type: 'connected', epoch: 1 });
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
    expect(readySession().step({ type: 'close' })).toEqual([{ type: 'close-connection', epoch: 1 }]);
    const waiting = new Shell();
    waiting.step({ type: 'open' });
    waiting.connectFailed('network');
    expect(waiting.step({ type: 'close' })).toEqual([{ type: 'cancel-retry' }]);
  });

  test('a socket that is born after the end is closed', () => {
    const shell = new Shell();
    shell.step({ type: 'open' });
    shell.step({ type: 'close' });
    expect(shell.step({ type: 'connected', epoch: 1 })).toEqual([{ type: 'close-connection', epoch: 1 }]);
  });

  test('a setup that served for 30 s and is then refused gets one fresh connection, without the handle', () => {
    const shell = readySession();
    shell.nowMs += 30_000;
    expect(types(shell.lost('config'))).toEqual(['session-interrupted', 'connect']);
    expect(shell.connects.at(-1)).toMatchObject({ resume: false });
    // Refused again, at the connect or soon after it, it is wrong.
    const [, effects] = stepSession(
      shell.state,
      { type: 'connect-failed', epoch: 2, class: 'config', detail: 'x', random: 0.5 },
      shell.nowMs,
    );
    expect(types(effects)).toEqual(['session-failed']);
    shell.step({ type: 'connected', epoch: 2 });
    shell.nowMs += 29_999;
    expect(types(shell.lost('config'))).toEqual(['session-interrupted', 'session-failed']);
  });

  test('a setup that is refused before it has served for 30 s is wrong', () => {
    const shell = readySession();
    shell.nowMs += 29_999;
    expect(types(shell.lost('config'))).toEqual(['session-interrupted', 'session-failed']);
    expect(shell.state.name).toBe('given-up');
  });

  test.each(FATAL)(
    '%s is not retried: at the start never, later not unless the setup had proven itself',
    (closeClass) => {
      const starting = new Shell();
      starting.step({ type: 'open' });
      expect(types(starting.connectFailed(closeClass))).toEqual(['session-failed']);
      const later = readySession();
      later.nowMs += closeClass === 'auth' ? 600_000 : 20_000;
      expect(types(later.lost(closeClass))).toEqual(['session-interrupted', 'session-failed']);
      for (const shell of [starting, later]) {
        expect(shell.state.name).toBe('given-up');
        shell.step({ type: 'retry-due' });
        shell.step({ type: 'open' });
        expect(shell.outstanding.size).toBe(0);
      }
    },
  );
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
            shell.retry();
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
          // 250, 500, 1000, 2000 and then 4000 ms, at least half of each: 19 fit into half a minute.
          expect(shell.connects.length).toBeLessThanOrEqual(20);
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
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constantFrom('connect-failed' as const, 'lost' as const),
      class: fc.constantFrom(...PASSING, ...PASSING, ...FATAL),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ type: 'retry-due' as const }) },
);
const script = fc.array(
  fc.tuple(anyEvent, fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: -2, max: 1 })),
  {
    maxLength: 60,
    size: 'max',
  },
);

type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

function run(shell: Shell, events: Script): void {
  for (const [event, afterMs, offset] of events) {
    shell.nowMs += afterMs;
    if (event.type === 'retry-due') {
      if (shell.retryMs !== null) shell.retry();
    } else if (event.type === 'open') {
      shell.step(event);
    } else {
      // Mostly of the newest epoch, sometimes of one that is over; never of one that was not asked for.
      const epoch = Math.max(1, Math.min(shell.epoch, shell.epoch + offset));
      if (event.type === 'connected' && !shell.outstanding.has(epoch)) continue;
      if (event.type === 'connected') shell.step({ type: 'connected', epoch });
      else shell.step({ type: event.type, epoch, class: event.class, detail: 'x', random: event.random });
    }
  }
}

describe('whatever the order of events', () => {
  test('there is never a second connection, nor a second attempt beside the first (checked at every connect)', () => {
    fc.assert(
      fc.property(script, (events) => {
        const shell = new Shell();
        shell.step({ type: 'open' });
        run(shell, events);
        // Something is under way, or the session is whole or over.
        const { name } = shell.state;
        if (name === 'connecting') expect(shell.outstanding.size).toBe(1);
        if (name === 'waiting') expect(shell.retryMs).not.toBeNull();
        else expect(shell.retryMs).toBeNull();
        expect(shell.failed).toBe(name === 'given-up' ? 1 : 0);
      }),
      { numRuns: 500 },
    );
  });

  test('what an old epoch says changes nothing', () => {
    fc.assert(
      fc.property(script, fc.constantFrom('connected', 'connect-failed', 'lost'), (events, type) => {
        const shell = new Shell();
        shell.step({ type: 'open' });
        run(shell, events);
        const before = shell.state;
        const about = { epoch: shell.epoch - 1, class: 'auth', detail: 'x', random: 0 } as const;
        expect(stepSession(before, { type, ...about } as SessionEvent, shell.nowMs)).toEqual([before, []]);
      }),
      { numRuns: 300 },
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
        expect(shell.retryMs).toBeNull();
        const attempts = shell.connects.length;
        run(shell, later);
        expect(shell.state).toEqual({ name: 'closed' });
        expect(shell.connects).toHaveLength(attempts);
        expect([...shell.live]).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
