import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndReason } from '../../src/call/end-reason.ts';
import {
  CLIP_DEADLINE_MS,
  GOODBYE_WAIT_MS,
  GREETING_WAIT_MS,
  type GreetingMode,
  HANG_UP_GRACE_MS,
  type IntentEffect,
  type IntentEvent,
  type IntentState,
  type IntentTimer,
  newIntent,
  stepIntent,
} from '../../src/call/intent.ts';

const CALLER_LEFT: EndReason = { who: 'caller', how: 'completed', detail: 'the caller hung up' };
const OPERATOR: EndReason = { who: 'operator', how: 'drained', detail: 'the test' };
const policyOf = (greeting: GreetingMode) => ({ greeting, callerWaitMs: 5_000, maxCallMs: 600_000 });

const legReady: IntentEvent = { type: 'leg-ready' };
const sessionReady: IntentEvent = { type: 'session-ready' };
const sessionFailed: IntentEvent = { type: 'session-failed', detail: 'out of reach' };
const onset: IntentEvent = { type: 'caller-onset' };
const spoke: IntentEvent = { type: 'caller-spoke' };
const audible: IntentEvent = { type: 'bot-audible' };
const drained: IntentEvent = { type: 'playout-drained' };
const hangUp = (goodbyeSpoken: boolean): IntentEvent => ({
  type: 'hang-up-asked',
  detail: 'bye',
  goodbyeSpoken,
});
const timer = (name: IntentTimer): IntentEvent => ({ type: 'timer', timer: name });

/** A call that keeps the timers and all effects, as its shell does. */
class Shell {
  state: IntentState;
  readonly effects: IntentEffect[] = [];
  readonly timers = new Map<IntentTimer, number>();
  watching = false;

  constructor(greeting: GreetingMode = 'at-once') {
    this.state = newIntent(policyOf(greeting));
  }

  say(...events: readonly IntentEvent[]): readonly IntentEffect[] {
    let last: readonly IntentEffect[] = [];
    for (const event of events) {
      if (event.type === 'timer') this.timers.delete(event.timer);
      if (event.type === 'playout-drained') this.watching = false;
      const [next, effects] = stepIntent(this.state, event, 0);
      this.state = next;
      for (const effect of effects) {
        if (effect.type === 'arm') this.timers.set(effect.timer, effect.delayMs);
        if (effect.type === 'cancel') this.timers.delete(effect.timer);
        if (effect.type === 'watch-playout') this.watching = true;
        if (effect.type === 'hang-up-disarmed') this.watching = false;
      }
      this.effects.push(...effects);
      last = effects;
    }
    return last;
  }

  count(type: IntentEffect['type']): number {
    return this.effects.filter((effect) => effect.type === type).length;
  }

  clips(): readonly string[] {
    return this.effects.flatMap((effect) => (effect.type === 'play-clip' ? [effect.clip] : []));
  }

  end(): EndReason | null {
    const found = this.effects.find((effect) => effect.type === 'end');
    return found === undefined ? null : (found as { reason: EndReason }).reason;
  }
}

const types = (effects: readonly IntentEffect[]) => effects.map((effect) => effect.type);

describe('arriving', () => {
  test.each([[[legReady, sessionReady]], [[sessionReady, legReady]]])(
    'the greeting is asked for when line and session are both there, whichever comes last',
    (events) => {
      const shell = new Shell();
      shell.say(events[0]!);
      expect(shell.count('trigger-greeting')).toBe(0);
      shell.say(events[1]!);
      expect(shell.state).toMatchObject({ name: 'greeting', attempt: 1 });
      expect(shell.timers.get('greeting')).toBe(GREETING_WAIT_MS);
      expect(shell.timers.get('limit')).toBe(600_000);
    },
  );

  test('the trigger goes out before what the caller has said already', () => {
    const shell = new Shell();
    const order = types(shell.say(legReady, sessionReady)).filter((type) => type !== 'arm');
    expect(order).toEqual(['trigger-greeting', 'open-uplink']);
  });

  test('after-caller listens first, and greets a caller who says nothing', () => {
    const shell = new Shell('after-caller');
    shell.say(legReady, sessionReady);
    expect(shell.state.name).toBe('listening');
    expect(shell.count('trigger-greeting')).toBe(0);
    expect(shell.timers.get('caller')).toBe(5_000);
    shell.say(timer('caller'));
    expect(shell.count('trigger-greeting')).toBe(1);
  });

  test('after-caller does not greet a caller who speaks', () => {
    const shell = new Shell('after-caller');
    shell.say(legReady, sessionReady, spoke);
    expect(shell.state.name).toBe('talking');
    expect(shell.timers.has('caller')).toBe(false);
  });

  test('a sound early in the wait leaves the greeting when it was due; one at its end puts it off for a moment', () => {
    const shell = new Shell('after-caller');
    shell.say(legReady, sessionReady);
    const delayAt = (nowMs: number) => {
      const [, effects] = stepIntent(shell.state, onset, nowMs);
      return effects.map((effect) => (effect.type === 'arm' ? [effect.timer, effect.delayMs] : effect.type));
    };
    expect(delayAt(1_000)).toEqual([['caller', 4_000]]);
    expect(delayAt(4_900)).toEqual([['caller', 500]]);
  });

  test('none says nothing at all', () => {
    const shell = new Shell('none');
    expect(types(shell.say(legReady, sessionReady))).toEqual(['open-uplink']);
    expect(shell.state.name).toBe('talking');
  });

  test('a session that never comes is apologised for as soon as the caller can hear it', () => {
    const shell = new Shell();
    shell.say(sessionFailed);
    expect(shell.clips()).toEqual([]);
    shell.say(legReady);
    expect(shell.clips()).toEqual(['apology']);
    expect(shell.timers.get('clip')).toBe(CLIP_DEADLINE_MS);
    shell.say(drained);
    expect(shell.end()).toMatchObject({ who: 'model', how: 'error' });
  });

  test('a hang-up that nobody can have heard of is not armed: it would never be played out', () => {
    const shell = new Shell();
    shell.say(hangUp(false));
    expect(shell.state.name).toBe('arriving');
  });
});

describe('greeting', () => {
  const greeting = () => {
    const shell = new Shell();
    shell.say(legReady, sessionReady);
    return shell;
  };

  test('silence brings a second trigger, then the clip, and then no more', () => {
    const shell = greeting();
    shell.say(timer('greeting'));
    expect(shell.state).toMatchObject({ name: 'greeting', attempt: 2 });
    expect(shell.timers.get('greeting')).toBe(GREETING_WAIT_MS);
    shell.say(timer('greeting'));
    expect(shell.clips()).toEqual(['greeting']);
    expect(shell.state.name).toBe('talking');
    shell.say(timer('greeting'));
    expect(shell.count('trigger-greeting')).toBe(2);
    expect(shell.clips()).toEqual(['greeting']);
  });

  test.each([spoke, audible])('is over when somebody speaks (%j)', (event) => {
    const shell = greeting();
    shell.say(event);
    expect(shell.state.name).toBe('talking');
    expect(shell.timers.has('greeting')).toBe(false);
  });

  test('a cough does not end it', () => {
    const shell = greeting();
    shell.say(onset);
    expect(shell.state.name).toBe('greeting');
  });

  test('a new session is asked in the place of the old one, before it hears the caller', () => {
    const shell = greeting();
    const order = types(shell.say(sessionReady)).filter((type) => type !== 'arm');
    expect(order).toEqual(['trigger-greeting', 'open-uplink']);
    expect(shell.timers.get('greeting')).toBe(GREETING_WAIT_MS);
  });

  test('sessions that come and go do not make more than two triggers, nor put the clip off', () => {
    const shell = greeting();
    shell.say(sessionReady);
    expect(shell.count('trigger-greeting')).toBe(2);
    shell.timers.set('greeting', 1);
    expect(types(shell.say(sessionReady))).toEqual(['open-uplink']);
    expect(shell.timers.get('greeting')).toBe(1);
    shell.say(timer('greeting'));
    expect(shell.clips()).toEqual(['greeting']);
  });
});

describe('hanging up', () => {
  const talking = () => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady);
    return shell;
  };

  test('after a goodbye: played out, a moment of grace, the end', () => {
    const shell = talking();
    shell.say(audible, hangUp(true));
    expect(shell.watching).toBe(true);
    shell.say(drained);
    expect(shell.timers.get('grace')).toBe(HANG_UP_GRACE_MS);
    expect(shell.end()).toBeNull();
    shell.say(timer('grace'));
    expect(shell.end()).toMatchObject({ who: 'bot', how: 'completed' });
  });

  test('without a goodbye it is waited for, then played out', () => {
    const shell = talking();
    shell.say(hangUp(false));
    expect(shell.timers.get('goodbye')).toBe(GOODBYE_WAIT_MS);
    expect(shell.watching).toBe(false);
    shell.say(audible);
    expect(shell.timers.has('goodbye')).toBe(false);
    expect(shell.watching).toBe(true);
    shell.say(drained, timer('grace'));
    expect(shell.end()).toMatchObject({ who: 'bot' });
  });

  test('a goodbye that does not come is not waited for any longer', () => {
    const shell = talking();
    shell.say(hangUp(false), timer('goodbye'), drained, timer('grace'));
    expect(shell.end()).toMatchObject({ who: 'bot', how: 'completed' });
  });

  test.each([
    ['while the goodbye is awaited', [hangUp(false)]],
    ['while it is played', [hangUp(true)]],
    ['in the moment after it', [hangUp(true), drained]],
  ])('a caller who speaks %s disarms it', (_when, events) => {
    const shell = talking();
    shell.say(...events, spoke);
    expect(shell.state.name).toBe('talking');
    expect([...shell.timers.keys()]).toEqual(['limit']);
    expect(shell.watching).toBe(false);
    shell.say(timer('goodbye'), timer('grace'), drained);
    expect(shell.end()).toBeNull();
  });

  test('a sound in the moment after it gives the caller another moment to become words', () => {
    const shell = talking();
    shell.say(hangUp(true), drained);
    shell.timers.set('grace', 1);
    shell.say(onset);
    expect(shell.timers.get('grace')).toBe(HANG_UP_GRACE_MS);
  });

  test('a bot that goes on speaking in the moment after it is heard out', () => {
    const shell = talking();
    shell.say(hangUp(true), drained, audible);
    expect(shell.timers.has('grace')).toBe(false);
    expect(shell.watching).toBe(true);
  });

  test('when the session is gone for good a caller who speaks no longer disarms it: nobody would answer', () => {
    const phases = [[hangUp(false)], [hangUp(true)], [hangUp(true), drained]];
    for (const events of phases) {
      const shell = talking();
      shell.say(...events, sessionFailed, spoke);
      expect(shell.clips()).toEqual([]);
      expect(shell.watching).toBe(true);
      shell.say(drained);
      expect(shell.end()).toMatchObject({ who: 'bot', how: 'completed' });
    }
  });
});

describe('the last clip', () => {
  test('a session that fails in the middle of a call is apologised for, and the caller cannot talk to nobody', () => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady, sessionFailed, spoke, audible);
    expect(shell.clips()).toEqual(['apology']);
    expect(shell.end()).toBeNull();
    shell.say(timer('clip'));
    expect(shell.end()).toMatchObject({ who: 'model', how: 'error' });
  });

  test('the longest call ends with a goodbye', () => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady, timer('limit'));
    expect(shell.clips()).toEqual(['goodbye']);
    shell.say(drained);
    expect(shell.end()).toMatchObject({ who: 'gateway', how: 'limit' });
  });
});

const REASONS: readonly EndReason[] = [CALLER_LEFT, OPERATOR];
const TIMERS: readonly IntentTimer[] = ['greeting', 'caller', 'goodbye', 'grace', 'clip', 'limit'];
const anyEvent: fc.Arbitrary<IntentEvent> = fc.oneof(
  fc.constantFrom(legReady, sessionReady, sessionReady, onset, spoke, audible, drained),
  fc.constantFrom(...TIMERS).map(timer),
  fc.constantFrom(hangUp(true), hangUp(false), sessionFailed),
);
const ending: fc.Arbitrary<IntentEvent> = fc.oneof(
  fc.constantFrom(...REASONS).map((reason): IntentEvent => ({ type: 'leg-ended', reason })),
  fc.constantFrom(...REASONS).map((reason): IntentEvent => ({ type: 'end-asked', reason })),
);
const modes = fc.constantFrom<GreetingMode>('at-once', 'after-caller', 'none');
const script = fc.array(anyEvent, { maxLength: 40, size: 'max' });

describe('whatever the order of events', () => {
  test('a greeting is asked for at most twice, and no clip is played twice', () => {
    fc.assert(
      fc.property(modes, script, (mode, events) => {
        const shell = new Shell(mode);
        shell.say(...events);
        expect(shell.count('trigger-greeting')).toBeLessThanOrEqual(2);
        expect(new Set(shell.clips()).size).toBe(shell.clips().length);
      }),
      { numRuns: 1_000 },
    );
  });

  test('an end from anywhere ends with that reason, once, and nothing follows', () => {
    fc.assert(
      fc.property(modes, script, ending, script, (mode, events, last, later) => {
        const shell = new Shell(mode);
        shell.say(...events);
        const before = shell.end();
        shell.say(last);
        expect(shell.state).toEqual({ name: 'ended' });
        expect(shell.end()).toEqual(before ?? (last as { reason: EndReason }).reason);
        const effects = shell.effects.length;
        shell.say(...later, last);
        expect(shell.state).toEqual({ name: 'ended' });
        expect(shell.effects).toHaveLength(effects);
        expect(shell.count('end')).toBe(1);
      }),
      { numRuns: 500 },
    );
  });

  test('a caller who really speaks leaves no hang-up armed, unless the session is gone', () => {
    fc.assert(
      fc.property(modes, script, (mode, events) => {
        const shell = new Shell(mode);
        shell.say(...events);
        if (shell.state.name === 'ended' || events.some(({ type }) => type === 'session-failed')) return;
        shell.say(spoke);
        expect(shell.state.name).not.toBe('hanging-up');
        expect(shell.timers.has('goodbye') || shell.timers.has('grace')).toBe(false);
        expect(shell.count('hang-up-disarmed')).toBeLessThanOrEqual(shell.count('hang-up-armed'));
      }),
      { numRuns: 500 },
    );
  });

  test('a call that had its stream ends by its own timers when nothing more happens', () => {
    fc.assert(
      fc.property(modes, script, (mode, events) => {
        const shell = new Shell(mode);
        shell.say(legReady, ...events.filter(({ type }) => type !== 'timer'));
        for (let i = 0; i < 20 && shell.state.name !== 'ended'; i++) {
          // The earliest timer, or the playout that has a deadline of its own.
          const [next] = [...shell.timers].sort((a, b) => a[1] - b[1]);
          if (shell.watching) shell.say(drained);
          else if (next !== undefined) shell.say(timer(next[0]));
        }
        expect(shell.state.name).toBe('ended');
      }),
      { numRuns: 500 },
    );
  });

  test('the caller is let through once the session is ready, and never before', () => {
    fc.assert(
      fc.property(modes, script, (mode, events) => {
        const shell = new Shell(mode);
        const firstReady = events.findIndex(({ type }) => type === 'session-ready');
        shell.say(...(firstReady === -1 ? events : events.slice(0, firstReady)));
        expect(shell.count('open-uplink')).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
