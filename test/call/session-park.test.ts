import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROTATION_PLAN } from '../../src/call/rotation-plan.ts';
import { newSession, type SessionEvent, type SessionState, stepSession } from '../../src/call/session.ts';

const FAILURE = { class: 'network', detail: 'the test', random: 0.5, handles: 1 } as const;
const policy = { outageBudgetMs: 20_000, rotation: ROTATION_PLAN };

/** A shell that knows which connections are open, or being opened, and answers for the newest of them. */
class Shell {
  state: SessionState = newSession(policy);
  nowMs = 0;
  readonly open = new Set<number>();
  readonly epochs: number[] = [];
  lastRung = '';

  step(event: SessionEvent): void {
    this.nowMs += 700;
    const [next, effects] = stepSession(this.state, event, this.nowMs);
    this.state = next;
    for (const effect of effects) {
      if (effect.type === 'connect') {
        this.open.add(effect.epoch);
        this.epochs.push(effect.epoch);
        this.lastRung = effect.rung;
      }
      if (effect.type === 'abort-connect' || effect.type === 'close-connection')
        this.open.delete(effect.epoch);
    }
  }

  say(kind: string): void {
    const epoch = this.epochs.at(-1) ?? 0;
    if (kind === 'connected') this.step({ type: 'connected', epoch, random: 0.5 });
    else if (kind === 'failed') this.fail({ type: 'connect-failed', epoch, ...FAILURE });
    else if (kind === 'lost') this.fail({ type: 'lost', epoch, ...FAILURE });
    else if (kind === 'wrong') this.fail({ type: 'connect-failed', epoch, ...FAILURE, class: 'auth' });
    else if (kind === 'gone') this.step({ type: 'gone', epoch: this.epochs.at(-2) ?? epoch });
    else if (kind === 'held') this.step({ type: 'held', epoch });
    else if (kind === 'rotate') this.step({ type: 'timer', timer: 'rotate' });
    else if (kind === 'quiet') this.step({ type: 'quiet' });
    else if (kind === 'retry') this.step({ type: 'timer', timer: 'retry' });
    else this.step({ type: 'replace', fresh: false, handles: 1 });
  }

  fail(event: Extract<SessionEvent, { epoch: number }>): void {
    this.open.delete(event.epoch);
    this.step(event);
  }
}

const script = fc.array(
  fc.constantFrom(
    'connected',
    'connected',
    'failed',
    'wrong',
    'lost',
    'gone',
    'held',
    'rotate',
    'quiet',
    'retry',
    'replace',
  ),
  { maxLength: 25, size: 'max' },
);

test('a session that is parked, whatever it was doing, leaves no connection open; opened again it goes on with its newest handle, on a connection that there never was', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(script, (events) => {
      const shell = new Shell();
      shell.step({ type: 'open' });
      for (const event of events) shell.say(event);
      seen.add(shell.state.name);
      shell.step({ type: 'park' });
      expect(shell.state.name).toBe('parked');
      expect([...shell.open]).toEqual([]);
      const before = [...shell.epochs];
      shell.step({ type: 'open' });
      expect(shell.state.name).toBe('connecting');
      expect(shell.lastRung).toBe('newest');
      expect(shell.epochs).toHaveLength(before.length + 1);
      expect(shell.epochs.at(-1)).toBeGreaterThan(Math.max(...before));
    }),
    { numRuns: 1_000, seed: 11 },
  );
  expect([...seen].sort()).toEqual(['connecting', 'given-up', 'leaving', 'ready', 'rotating', 'waiting']);
});

test('what comes late to a session that is parked changes nothing', () => {
  fc.assert(
    fc.property(script, script, (events, late) => {
      const shell = new Shell();
      shell.step({ type: 'open' });
      for (const event of events) shell.say(event);
      shell.step({ type: 'park' });
      for (const event of late) {
        shell.say(event);
        expect([shell.state.name, shell.open.size]).toEqual(['parked', 0]);
      }
    }),
    { numRuns: 500, seed: 12 },
  );
});
