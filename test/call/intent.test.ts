import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndReason } from '../../src/call/end-reason.ts';
import {
  ANSWER_WAIT_MS,
  CLIP_DEADLINE_MS,
  DEAD_AIR_MS,
  FILLER_EVERY_MS,
  GOODBYE_WAIT_MS,
  GREETING_WAIT_MS,
  type GreetingMode,
  HANG_UP_GRACE_MS,
  type IntentEffect,
  type IntentEvent,
  type IntentPolicy,
  type IntentState,
  type IntentTimer,
  newIntent,
  PERSON_WAIT_MS,
  stepIntent,
} from '../../src/call/intent.ts';

const CALLER_LEFT: EndReason = { who: 'caller', how: 'completed', detail: 'the caller hung up' };
const OPERATOR: EndReason = { who: 'operator', how: 'drained', detail: 'the test' };
const policyOf = (greeting: GreetingMode) => ({
  greeting,
  callerWaitMs: 5_000,
  maxCallMs: 600_000,
  fallback: null as string | null,
  awaitsPerson: false,
});

const legReady: IntentEvent = { type: 'leg-ready' };
const sessionReady: IntentEvent = { type: 'session-ready' };
const sessionLost: IntentEvent = { type: 'session-lost' };
const sessionFailed: IntentEvent = { type: 'session-failed', detail: 'out of reach' };
const onset: IntentEvent = { type: 'caller-onset' };
const spoke: IntentEvent = { type: 'caller-spoke' };
const audible: IntentEvent = { type: 'bot-audible' };
const drained: IntentEvent = { type: 'playout-drained' };
const hangUp = (goodbyeSpoken: boolean): IntentEvent => ({
  type: 'hang-up-asked',
  detail: 'bye',
  goodbyeSpoken,
  transfer: null,
});
const NUMBER = '+15550109999';
const putThrough: IntentEvent = {
  type: 'hang-up-asked',
  detail: 'sales',
  goodbyeSpoken: true,
  transfer: NUMBER,
};
const returned = (sessionReady = true): IntentEvent => ({ type: 'returned', sessionReady });
const person: IntentEvent = { type: 'person-answered' };
const timer = (name: IntentTimer): IntentEvent => ({ type: 'timer', timer: name });

/** A call that keeps the timers and all effects, as its shell does. */
class Shell {
  state: IntentState;
  readonly effects: IntentEffect[] = [];
  /** When each is due; `nowMs` passes only where a test lets it. */
  readonly timers = new Map<IntentTimer, number>();
  nowMs = 0;
  watching = false;

  constructor(greeting: GreetingMode = 'at-once', change: Partial<IntentPolicy> = {}) {
    this.state = newIntent({ ...policyOf(greeting), ...change });
  }

  say(...events: readonly IntentEvent[]): readonly IntentEffect[] {
    let last: readonly IntentEffect[] = [];
    for (const event of events) {
      if (event.type === 'timer') this.timers.delete(event.timer);
      if (event.type === 'playout-drained') this.watching = false;
      const [next, effects] = stepIntent(this.state, event, this.nowMs);
      this.state = next;
      for (const effect of effects) {
        if (effect.type === 'arm') this.timers.set(effect.timer, this.nowMs + effect.delayMs);
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

/** What others than its own timers notice. */
const outward = (effects: readonly IntentEffect[]) =>
  effects.flatMap(({ type }) => (type === 'arm' || type === 'cancel' ? [] : [type]));

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
    const order = outward(shell.say(legReady, sessionReady));
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
    shell.say(legReady, sessionReady);
    expect(shell.count('trigger-greeting')).toBe(0);
    expect(shell.clips()).toEqual([]);
    expect(shell.count('open-uplink')).toBe(1);
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

  test('is over when the bot speaks', () => {
    const shell = greeting();
    shell.say(audible);
    expect(shell.state.name).toBe('talking');
    expect(shell.timers.has('greeting')).toBe(false);
  });

  test('a caller who speaks first is given time for an answer, then greeted after all: asked for, at last the clip', () => {
    const shell = greeting();
    shell.nowMs = 2_000;
    shell.say(spoke);
    expect(shell.state).toMatchObject({ name: 'greeting', attempt: 1 });
    expect(shell.timers.get('greeting')).toBe(2_000 + ANSWER_WAIT_MS);
    expect(shell.count('trigger-greeting')).toBe(1);
    shell.say(timer('greeting'));
    expect(shell.count('trigger-greeting')).toBe(2);
    shell.nowMs = 9_000;
    shell.say(spoke);
    expect(shell.timers.get('greeting')).toBe(9_000 + ANSWER_WAIT_MS);
    expect(shell.clips()).toEqual([]);
    shell.say(timer('greeting'));
    expect(shell.clips()).toEqual(['greeting']);
    expect(shell.state.name).toBe('talking');
  });

  test('a caller who speaks first and is answered is not greeted on top', () => {
    const shell = greeting();
    shell.say(spoke, audible);
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
    const order = outward(shell.say(sessionReady));
    expect(order).toEqual(['trigger-greeting', 'open-uplink']);
    expect(shell.timers.get('greeting')).toBe(GREETING_WAIT_MS);
  });

  test('sessions that come and go do not make more than two triggers, nor put the clip off', () => {
    const shell = greeting();
    shell.say(sessionReady);
    expect(shell.count('trigger-greeting')).toBe(2);
    shell.timers.set('greeting', 1);
    expect(outward(shell.say(sessionReady))).toEqual(['open-uplink']);
    expect(shell.timers.get('greeting')).toBe(1);
    shell.say(timer('greeting'));
    expect(shell.clips()).toEqual(['greeting']);
  });
});

describe('a line without a session', () => {
  const DEAD: readonly [string, GreetingMode, readonly IntentEvent[]][] = [
    ['not yet', 'at-once', [legReady]],
    ['lost while the caller is waited for', 'after-caller', [legReady, sessionReady, sessionLost]],
    ['lost in the greeting', 'at-once', [legReady, sessionReady, sessionLost]],
    ['lost in the talk', 'none', [legReady, sessionReady, sessionLost]],
  ];

  test.each(DEAD)(
    '%s: is not silent for longer than 2.5 s, nor than 6 s after that',
    (_when, mode, events) => {
      const shell = new Shell(mode);
      shell.say(...events);
      expect(shell.clips()).toEqual([]);
      for (const delayMs of [DEAD_AIR_MS, FILLER_EVERY_MS, FILLER_EVERY_MS]) {
        const dueMs = shell.timers.get('filler');
        expect(dueMs).toBe(shell.nowMs + delayMs);
        shell.nowMs = dueMs!;
        const { name } = shell.state;
        shell.say(timer('filler'));
        expect(shell.state.name).toBe(name);
      }
      expect(shell.clips()).toEqual(['moment', 'moment', 'moment']);
      shell.say(sessionReady);
      expect(shell.timers.has('filler')).toBe(false);
    },
  );

  test('is greeted when the session comes, as if "one moment" had not been said', () => {
    const shell = new Shell();
    shell.say(legReady, timer('filler'), timer('filler'));
    expect(outward(shell.say(sessionReady))).toEqual(['trigger-greeting', 'open-uplink']);
    expect(shell.state).toMatchObject({ name: 'greeting', attempt: 1 });
  });

  test('needs nothing said where there is no line yet', () => {
    const shell = new Shell();
    shell.say(sessionReady, sessionLost, timer('filler'));
    expect(shell.clips()).toEqual([]);
    shell.say(legReady);
    expect(shell.count('trigger-greeting')).toBe(0);
    expect(shell.timers.has('filler')).toBe(true);
  });

  test.each([
    ['the session is lost in the goodbye', [hangUp(true), sessionLost]],
    ['the goodbye comes into the loss', [sessionLost, hangUp(true)]],
  ])('%s: nothing is said into it, and a caller who calls it off is not left in silence', (_when, events) => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady, ...events, timer('filler'));
    expect(shell.clips()).toEqual([]);
    shell.say(spoke);
    expect(shell.timers.get('filler')).toBe(DEAD_AIR_MS);
    shell.say(timer('filler'));
    expect(shell.clips()).toEqual(['moment']);
  });

  test('has nothing to wait for once the last clip is played', () => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady, sessionLost, sessionFailed);
    expect(shell.timers.has('filler')).toBe(false);
    shell.say(timer('filler'));
    expect(shell.clips()).toEqual(['apology']);
  });
});

describe('an end that is asked for', () => {
  const politely: IntentEvent = { type: 'end-asked', reason: OPERATOR, politely: true };

  test.each([
    ['before the session is there', 'at-once', [legReady]],
    ['while the caller is waited for', 'after-caller', [legReady, sessionReady]],
    ['in the greeting', 'at-once', [legReady, sessionReady]],
    ['in the talk', 'none', [legReady, sessionReady]],
    ['in the goodbye', 'none', [legReady, sessionReady, hangUp(false)]],
  ] as const)('politely, %s: with the goodbye, and its own reason', (_when, mode, events) => {
    const shell = new Shell(mode);
    shell.say(...events, politely);
    expect(shell.clips()).toEqual(['goodbye']);
    expect(shell.end()).toBeNull();
    shell.say(spoke, drained);
    expect(shell.end()).toEqual(OPERATOR);
    expect(shell.clips()).toEqual(['goodbye']);
  });

  test('politely, where nobody is on the line, ends at once', () => {
    const shell = new Shell();
    shell.say(politely);
    expect(shell.clips()).toEqual([]);
    expect(shell.end()).toEqual(OPERATOR);
  });

  test('asked for again during the goodbye ends at once', () => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady, politely, { type: 'end-asked', reason: OPERATOR });
    expect(shell.end()).toEqual(OPERATOR);
  });

  test('without politeness ends at once', () => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady, { type: 'end-asked', reason: OPERATOR });
    expect(shell.clips()).toEqual([]);
    expect(shell.end()).toEqual(OPERATOR);
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

describe('putting the caller through', () => {
  const away = (change: Partial<IntentPolicy> = {}) => {
    const shell = new Shell('none', change);
    shell.say(legReady, sessionReady, putThrough, drained, timer('grace'));
    return shell;
  };

  test('comes after the last word, in the place of the hang-up', () => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady, putThrough, drained);
    expect(shell.count('transfer')).toBe(0);
    expect(shell.say(timer('grace')).filter(({ type }) => type !== 'cancel')).toEqual([
      { type: 'transfer', target: NUMBER, reason: expect.objectContaining({ how: 'transferred' }) },
    ]);
    expect(shell.state.name).toBe('away');
    expect(shell.end()).toBeNull();
  });

  test.each([
    ['while it is played', [putThrough, spoke]],
    ['in the moment after it', [putThrough, drained, spoke]],
  ])('is not called off by a caller who speaks %s', (_when, events) => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady, ...events, drained, timer('grace'));
    expect(shell.state.name).toBe('away');
    expect(shell.count('hang-up-disarmed')).toBe(0);
  });

  test('who comes back is talked with, not greeted; a line without a session has a filler due', () => {
    const shell = away();
    expect(outward(shell.say(returned()))).toEqual(['open-uplink']);
    expect([shell.state.name, shell.timers.has('filler')]).toEqual(['talking', false]);
    const early = away();
    early.say(returned(false));
    expect(early.timers.get('filler')).toBe(DEAD_AIR_MS);
    expect([...shell.effects, ...early.effects].some(({ type }) => type === 'trigger-greeting')).toBe(false);
  });

  test('who comes back when there is no session any more hears the apology, and is sent nowhere again', () => {
    const shell = away({ fallback: NUMBER });
    shell.say(sessionFailed, returned(false));
    expect(shell.clips()).toEqual(['apology']);
    shell.say(drained);
    expect(shell.count('transfer')).toBe(1);
    expect(shell.end()).toMatchObject({ who: 'model', how: 'error' });
  });

  test('a session that failed and came back after all is talked with', () => {
    const shell = away();
    shell.say(sessionFailed, sessionReady, returned());
    expect([shell.state.name, shell.clips()]).toEqual(['talking', []]);
  });

  test('nobody is put through who is not on the line yet', () => {
    const shell = new Shell('none', { fallback: NUMBER });
    shell.say(sessionFailed, drained, timer('clip'));
    expect([shell.count('transfer'), shell.end()]).toEqual([0, null]);
    shell.say(legReady, drained);
    expect(shell.count('transfer')).toBe(1);
  });

  test('a filler that was due before is not due behind it', () => {
    const shell = new Shell('none');
    shell.say(legReady, sessionReady, sessionLost, putThrough, drained, timer('grace'));
    expect([shell.state.name, shell.timers.has('filler')]).toEqual(['away', false]);
  });

  test('to the fallback, once: an apology first', () => {
    const shell = new Shell('none', { fallback: NUMBER });
    shell.say(legReady, sessionReady, sessionFailed);
    expect([shell.clips(), shell.count('transfer')]).toEqual([['apology'], 0]);
    shell.say(drained);
    expect(shell.count('transfer')).toBe(1);
    shell.say(returned(false), sessionFailed, drained);
    expect(shell.count('transfer')).toBe(1);
    expect(shell.end()).toMatchObject({ who: 'model', how: 'error' });
  });

  test.each([
    ['the leg has ended', { type: 'leg-ended', reason: CALLER_LEFT } as const, CALLER_LEFT],
    ['somebody ends it', { type: 'end-asked', reason: OPERATOR, politely: true } as const, OPERATOR],
    ['the longest call is over', timer('limit'), { who: 'bot', how: 'transferred' }],
  ])('is over when %s, without another word', (_when, event, reason) => {
    const shell = away();
    shell.say(event);
    expect(shell.end()).toMatchObject(reason);
    expect(shell.clips()).toEqual([]);
  });
});

describe('a call that waits for a person', () => {
  const waiting = { awaitsPerson: true };
  const orders = [
    [legReady, sessionReady, person],
    [legReady, person, sessionReady],
    [sessionReady, legReady, person],
    [sessionReady, person, legReady],
    [person, legReady, sessionReady],
    [person, sessionReady, legReady],
  ];

  test.each(orders.map((order) => [order.map(({ type }) => type).join(', '), order] as const))(
    '%s: greets with the last of them and not before',
    (_names, order) => {
      const shell = new Shell('at-once', waiting);
      shell.say(...order.slice(0, 2));
      expect([shell.state.name, outward(shell.effects)]).toEqual(['arriving', []]);
      shell.say(...order.slice(2));
      expect(outward(shell.effects)).toEqual(['trigger-greeting', 'open-uplink']);
      expect([shell.timers.has('person'), shell.timers.has('limit')]).toEqual([false, true]);
    },
  );

  test('waits no longer than 5 s from when they can hear it', () => {
    const shell = new Shell('at-once', waiting);
    shell.say(sessionReady);
    expect(shell.timers.has('person')).toBe(false);
    shell.say(legReady);
    expect(shell.timers.get('person')).toBe(PERSON_WAIT_MS);
    shell.say(timer('person'));
    expect(shell.count('trigger-greeting')).toBe(1);
  });

  test('says "one moment" to a person alone', () => {
    const shell = new Shell('at-once', waiting);
    shell.say(legReady, sessionReady, sessionLost);
    expect(shell.timers.has('filler')).toBe(false);
    shell.say(person);
    expect(shell.timers.get('filler')).toBe(DEAD_AIR_MS);
  });

  test('a session that was lost meanwhile is waited for again', () => {
    const shell = new Shell('at-once', waiting);
    shell.say(legReady, sessionReady, sessionLost, person);
    expect(shell.count('trigger-greeting')).toBe(0);
    shell.say(sessionReady);
    expect(shell.count('trigger-greeting')).toBe(1);
  });

  test.each([
    ['a person', [person], 1],
    ['nobody known', [], 0],
  ])('a session that fails sends %s to the fallback so many times', (_who, events, times) => {
    const shell = new Shell('at-once', { ...waiting, fallback: NUMBER });
    shell.say(legReady, ...events, sessionFailed, drained);
    expect(shell.count('transfer')).toBe(times);
    expect(shell.timers.has('person')).toBe(false);
  });

  test('that a person is there changes nothing later', () => {
    for (const events of [[], [audible], [audible, hangUp(true)], [sessionFailed]]) {
      const shell = new Shell('at-once', waiting);
      shell.say(legReady, sessionReady, person, ...events);
      expect(stepIntent(shell.state, person, 9_000)).toEqual([shell.state, []]);
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
const TIMERS: readonly IntentTimer[] = [
  'greeting',
  'caller',
  'goodbye',
  'grace',
  'clip',
  'limit',
  'filler',
  'person',
];
const anyEvent: fc.Arbitrary<IntentEvent> = fc.oneof(
  fc.constantFrom(legReady, sessionReady, sessionReady, sessionLost, onset, spoke, audible, drained),
  fc.constantFrom(...TIMERS).map(timer),
  fc.constantFrom(hangUp(true), hangUp(false), sessionFailed, putThrough, person),
  fc.boolean().map(returned),
);
const ending: fc.Arbitrary<IntentEvent> = fc.oneof(
  fc.constantFrom(...REASONS).map((reason): IntentEvent => ({ type: 'leg-ended', reason })),
  fc.constantFrom(...REASONS).map((reason): IntentEvent => ({ type: 'end-asked', reason })),
);
const modes = fc.constantFrom<GreetingMode>('at-once', 'after-caller', 'none');
const policies = fc.record({
  awaitsPerson: fc.boolean(),
  fallback: fc.constantFrom(null, NUMBER),
});
const script = fc.array(anyEvent, { maxLength: 40, size: 'max' });

describe('whatever the order of events', () => {
  test('a greeting is asked for at most twice, and no clip is played twice but "one moment", and the apology after a transfer', () => {
    fc.assert(
      fc.property(modes, policies, script, (mode, policy, events) => {
        const shell = new Shell(mode, policy);
        shell.say(...events);
        expect(shell.count('trigger-greeting')).toBeLessThanOrEqual(2);
        const once = shell.clips().filter((clip) => clip !== 'moment' && clip !== 'apology');
        expect(new Set(once).size).toBe(once.length);
        const apologies = shell.clips().filter((clip) => clip === 'apology').length;
        expect(apologies).toBeLessThanOrEqual(1 + Math.min(1, shell.count('transfer')));
      }),
      { numRuns: 1_000 },
    );
  });

  test('an end from anywhere ends with that reason, once, and nothing follows', () => {
    fc.assert(
      fc.property(modes, policies, script, ending, script, (mode, policy, events, last, later) => {
        const shell = new Shell(mode, policy);
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
      fc.property(modes, policies, script, (mode, policy, events) => {
        const shell = new Shell(mode, policy);
        shell.say(...events);
        const { state } = shell;
        if (state.name === 'ended' || events.some(({ type }) => type === 'session-failed')) return;
        // Who is being put through may say thank you.
        if (state.name === 'hanging-up' && state.transfer !== null) return;
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
      fc.property(modes, policies, script, (mode, policy, events) => {
        const shell = new Shell(mode, policy);
        shell.say(legReady, ...events.filter(({ type }) => type !== 'timer'));
        // "One moment" every six seconds until the longest call is over.
        for (let i = 0; i < 130 && shell.state.name !== 'ended'; i++) {
          // The earliest timer, or the playout that has a deadline of its own.
          const [next] = [...shell.timers].sort((a, b) => a[1] - b[1]);
          if (shell.watching) shell.say(drained);
          else if (next !== undefined) {
            shell.nowMs = next[1];
            shell.say(timer(next[0]));
          }
        }
        expect(shell.state.name).toBe('ended');
      }),
      { numRuns: 500 },
    );
  });

  test('a line whose session is missing has a filler due, whatever happened before; one that has it has none', () => {
    fc.assert(
      fc.property(modes, policies, script, (mode, policy, events) => {
        const shell = new Shell(mode, policy);
        let session = false;
        for (const event of [legReady, ...events]) {
          // A timer that is not armed does not fire.
          if (event.type === 'timer' && !shell.timers.has(event.timer)) continue;
          shell.say(event.type === 'returned' ? returned(session) : event);
          if (event.type === 'session-ready') session = true;
          if (event.type === 'session-lost' || event.type === 'session-failed') session = false;
          const { state } = shell;
          // Nobody is known to be there.
          if (state.name === 'arriving' && !state.person) expect(shell.timers.has('filler')).toBe(false);
          else if (['arriving', 'listening', 'greeting', 'talking'].includes(shell.state.name))
            expect(shell.timers.has('filler')).toBe(!session);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('nobody is spoken to, nor heard, before a person is known to be there', () => {
    fc.assert(
      fc.property(modes, script, (mode, events) => {
        const shell = new Shell(mode, { awaitsPerson: true });
        for (const event of events) {
          if (event.type === 'person-answered' || (event.type === 'timer' && event.timer === 'person'))
            return;
          // An apology and a farewell are last words.
          if (event.type === 'session-failed' || event.type === 'timer') continue;
          shell.say(event);
          expect(outward(shell.effects)).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a caller is with somebody else only after a transfer, and a transfer that is not over ends nothing', () => {
    fc.assert(
      fc.property(modes, policies, script, (mode, policy, events) => {
        const shell = new Shell(mode, policy);
        let away = false;
        for (const event of events) {
          const effects = shell.say(event);
          if (event.type === 'returned') away = false;
          if (effects.some(({ type }) => type === 'transfer')) {
            expect(away).toBe(false);
            away = true;
          }
          if (shell.state.name === 'ended') break;
          expect(shell.state.name === 'away').toBe(away);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('the caller is let through once the session is ready, and never before', () => {
    fc.assert(
      fc.property(modes, policies, script, (mode, policy, events) => {
        const shell = new Shell(mode, policy);
        const firstReady = events.findIndex(
          (event) => event.type === 'session-ready' || (event.type === 'returned' && event.sessionReady),
        );
        shell.say(...(firstReady === -1 ? events : events.slice(0, firstReady)));
        expect(shell.count('open-uplink')).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
