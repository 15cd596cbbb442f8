/**
 * What the call is about to do: greet, talk, hang up. It knows nothing of sockets or audio; barge-in is not a state of
 * it but a new generation of playout.
 *
 *   arriving ─▶ greeting ─▶ talking ─▶ hanging-up ─▶ ended
 *       │     └ listening ┘    ▲ ▲────────┘ │ (the caller speaks)
 *       │                      │ └──────── away (handed to somebody else, who did not answer)
 *       └──────────── apologising ──────────┴─▶ ended
 */
import type { EndReason } from './end-reason.ts';
import { type Step, stay, stepper, type Table } from './machine.ts';

/** No audio this long after the greeting was asked for: ask once more, then play the recorded clip. */
export const GREETING_WAIT_MS = 2_500;
/** The caller spoke before the greeting came: the answer to that is waited for, but not for ever. */
export const ANSWER_WAIT_MS = 6_000;
/** Nobody answers because there is no session: a line that is silent this long sounds dead. */
export const DEAD_AIR_MS = 1_500;
export const FILLER_EVERY_MS = 6_000;
/** The bot asked to hang up without a word: the goodbye may still come. */
export const GOODBYE_WAIT_MS = 2_000;
/** After the last word was played out, so that its last syllable is not cut by the hang-up. */
export const HANG_UP_GRACE_MS = 400;
/** Speech that has begun is known for speech, or for a cough, by then: `after-caller` does not greet into it. */
export const ONSET_DOUBT_MS = 500;
/** A farewell or apology that is never reported as played must not keep the call. */
export const CLIP_DEADLINE_MS = 12_000;

/** The carrier has not said who has answered: most machines are known for machines by then, and a person waits. */
export const PERSON_WAIT_MS = 5_000;

export type GreetingMode = 'at-once' | 'after-caller' | 'none';
export type ClipName = 'greeting' | 'apology' | 'goodbye' | 'moment';

export interface IntentPolicy {
  /** Whom the caller is put through to when there is no model any more; null: nobody. */
  readonly fallback: string | null;
  readonly greeting: GreetingMode;
  /** `after-caller`: a caller who says nothing for so long is greeted. */
  readonly callerWaitMs: number;
  readonly maxCallMs: number;
  /** A call that we placed, and the carrier tells people from machines: nobody is spoken to before it has. */
  readonly awaitsPerson: boolean;
}

export type IntentState =
  | {
      readonly name: 'arriving';
      readonly policy: IntentPolicy;
      readonly legReady: boolean;
      readonly sessionReady: boolean;
      /** There is somebody to speak to, as far as anybody knows. */
      readonly person: boolean;
    }
  /** `greetAtMs`: when a caller who has said nothing is greeted. */
  | { readonly name: 'listening'; readonly policy: IntentPolicy; readonly greetAtMs: number }
  | { readonly name: 'greeting'; readonly policy: IntentPolicy; readonly attempt: 1 | 2 }
  | { readonly name: 'talking'; readonly policy: IntentPolicy }
  | {
      readonly name: 'hanging-up';
      readonly policy: IntentPolicy;
      readonly phase: 'awaiting-goodbye' | 'playing-out' | 'grace';
      readonly reason: EndReason;
      /** To whom the caller is put through instead of hanging up. */
      readonly transfer: string | null;
    }
  /** The caller was handed to somebody else, and may come back. `failure`: meanwhile there is no session any more. */
  | {
      readonly name: 'away';
      readonly policy: IntentPolicy;
      readonly reason: EndReason;
      readonly failure: string | null;
    }
  /** A last clip is played, then the call ends; the caller's words no longer change that. */
  | {
      readonly name: 'apologising';
      readonly legReady: boolean;
      readonly reason: EndReason;
      /** Somebody the caller is put through to afterwards. */
      readonly transfer: string | null;
      readonly policy: IntentPolicy;
    }
  | { readonly name: 'ended' };

export type IntentTimer =
  | 'greeting'
  | 'caller'
  | 'goodbye'
  | 'grace'
  | 'clip'
  | 'limit'
  | 'filler'
  | 'person';

export type IntentEvent =
  | { readonly type: 'leg-ready' }
  | { readonly type: 'session-ready' }
  /** The carrier says that a person has answered, or that it cannot tell. */
  | { readonly type: 'person-answered' }
  /** The connection is gone and another is being opened. */
  | { readonly type: 'session-lost' }
  | { readonly type: 'session-failed'; readonly detail: string }
  /** Speech of the caller began; it may still turn out to be a cough. */
  | { readonly type: 'caller-onset' }
  /** The caller really speaks. */
  | { readonly type: 'caller-spoke' }
  /** The first audio of a model's turn went into playout. */
  | { readonly type: 'bot-audible' }
  /** `transfer`: the target to put the caller through to; null: to hang up. */
  | {
      readonly type: 'hang-up-asked';
      readonly detail: string;
      readonly goodbyeSpoken: boolean;
      readonly transfer: string | null;
    }
  /** The caller was not put through, and is on the line again. */
  | { readonly type: 'returned'; readonly sessionReady: boolean }
  /** Nothing is left to play, and the caller has heard it all. */
  | { readonly type: 'playout-drained' }
  | { readonly type: 'timer'; readonly timer: IntentTimer }
  | { readonly type: 'leg-ended'; readonly reason: EndReason }
  /** `politely`: with a goodbye that the caller hears. */
  | { readonly type: 'end-asked'; readonly reason: EndReason; readonly politely?: boolean };

export type IntentEffect =
  | { readonly type: 'trigger-greeting'; readonly attempt: 1 | 2 }
  /** The caller's audio may go to the model from now on, what was held included. */
  | { readonly type: 'open-uplink' }
  | { readonly type: 'play-clip'; readonly clip: ClipName }
  /** Report `playout-drained` once everything queued has been heard. */
  | { readonly type: 'watch-playout' }
  | { readonly type: 'arm'; readonly timer: IntentTimer; readonly delayMs: number }
  | { readonly type: 'cancel'; readonly timer: IntentTimer }
  | { readonly type: 'hang-up-armed'; readonly detail: string }
  | { readonly type: 'hang-up-disarmed' }
  /** Hands the caller to the target; what comes of it is `returned` or `leg-ended`. */
  | { readonly type: 'transfer'; readonly target: string; readonly reason: EndReason }
  | { readonly type: 'end'; readonly reason: EndReason };

type IntentStep = Step<IntentState, IntentEffect>;

export function newIntent(policy: IntentPolicy): IntentState {
  return { name: 'arriving', policy, legReady: false, sessionReady: false, person: !policy.awaitsPerson };
}

const ENDED: IntentState = { name: 'ended' };
const end = (reason: EndReason): IntentStep => [ENDED, [{ type: 'end', reason }]];

/** Line and session, and somebody to speak to: what is missing is waited for. */
function arrive(
  state: Extract<IntentState, { name: 'arriving' }>,
  before: readonly IntentEffect[],
  nowMs: number,
): IntentStep {
  if (!state.legReady || !state.person) return [state, before];
  if (!state.sessionReady)
    return [state, [...before, { type: 'arm', timer: 'filler', delayMs: DEAD_AIR_MS }]];
  const [next, effects] = arrived(state.policy, nowMs);
  return [next, [...before, ...effects]];
}

function arrived(policy: IntentPolicy, nowMs: number): IntentStep {
  switch (policy.greeting) {
    case 'at-once':
      // The trigger goes out before the caller's held audio: a "Hello?" that came first would be answered, and then
      // greeted on top.
      return [
        { name: 'greeting', policy, attempt: 1 },
        [
          { type: 'trigger-greeting', attempt: 1 },
          { type: 'open-uplink' },
          { type: 'arm', timer: 'greeting', delayMs: GREETING_WAIT_MS },
        ],
      ];
    case 'after-caller':
      return [
        { name: 'listening', policy, greetAtMs: nowMs + policy.callerWaitMs },
        [{ type: 'open-uplink' }, { type: 'arm', timer: 'caller', delayMs: policy.callerWaitMs }],
      ];
    case 'none':
      return [{ name: 'talking', policy }, [{ type: 'open-uplink' }]];
  }
}

function apologise(policy: IntentPolicy, legReady: boolean, detail: string): IntentStep {
  const reason: EndReason = { who: 'model', how: 'error', detail };
  return lastWords(policy, legReady, reason, [{ type: 'play-clip', clip: 'apology' }], policy.fallback);
}

function farewell(policy: IntentPolicy, legReady: boolean, clip: ClipName, reason: EndReason): IntentStep {
  return lastWords(policy, legReady, reason, [{ type: 'play-clip', clip }]);
}

/** What is still to be heard is heard, and then the call ends, whatever the caller says. */
function lastWords(
  policy: IntentPolicy,
  legReady: boolean,
  reason: EndReason,
  clip: readonly IntentEffect[],
  transfer: string | null = null,
): IntentStep {
  const effects: IntentEffect[] = [
    { type: 'cancel', timer: 'greeting' },
    { type: 'cancel', timer: 'caller' },
    { type: 'cancel', timer: 'goodbye' },
    { type: 'cancel', timer: 'grace' },
    { type: 'cancel', timer: 'person' },
    NO_FILLER,
  ];
  if (legReady) {
    effects.push(
      ...clip,
      { type: 'watch-playout' },
      { type: 'arm', timer: 'clip', delayMs: CLIP_DEADLINE_MS },
    );
  }
  return [{ name: 'apologising', policy, legReady, reason, transfer }, effects];
}

const NO_FILLER: IntentEffect = { type: 'cancel', timer: 'filler' };

/** The silence of a missing session is broken now and then. */
function fill(state: IntentState): IntentStep {
  return [
    state,
    [
      { type: 'play-clip', clip: 'moment' },
      { type: 'arm', timer: 'filler', delayMs: FILLER_EVERY_MS },
    ],
  ];
}

/** There is no session any more: it is sought, and meanwhile the line must not sound dead. */
function sessionLost(state: IntentState): IntentStep {
  return [state, [{ type: 'arm', timer: 'filler', delayMs: DEAD_AIR_MS }]];
}

function endAsked(
  policy: IntentPolicy,
  legReady: boolean,
  { reason, politely = false }: { readonly reason: EndReason; readonly politely?: boolean },
): IntentStep {
  return politely && legReady ? farewell(policy, true, 'goodbye', reason) : end(reason);
}

const HUNG_UP: EndReason = { who: 'bot', how: 'completed', detail: 'the bot hung up' };
const TRANSFERRED: EndReason = { who: 'bot', how: 'transferred', detail: 'the caller was put through' };
const LIMIT: EndReason = { who: 'gateway', how: 'limit', detail: 'the call reached its longest length' };

function hangUp(
  policy: IntentPolicy,
  event: { readonly detail: string; readonly goodbyeSpoken: boolean; readonly transfer: string | null },
): IntentStep {
  const { transfer } = event;
  const reason: EndReason = transfer === null ? HUNG_UP : TRANSFERRED;
  const armed: IntentEffect[] = [
    { type: 'hang-up-armed', detail: event.detail },
    { type: 'cancel', timer: 'greeting' },
    { type: 'cancel', timer: 'caller' },
  ];
  return event.goodbyeSpoken
    ? [
        { name: 'hanging-up', policy, phase: 'playing-out', reason, transfer },
        [...armed, { type: 'watch-playout' }],
      ]
    : [
        { name: 'hanging-up', policy, phase: 'awaiting-goodbye', reason, transfer },
        [...armed, { type: 'arm', timer: 'goodbye', delayMs: GOODBYE_WAIT_MS }],
      ];
}

const table: Table<IntentState, IntentEvent, IntentEffect> = {
  arriving: {
    'leg-ready': (state, _event, nowMs) => {
      const timers: IntentEffect[] = [{ type: 'arm', timer: 'limit', delayMs: state.policy.maxCallMs }];
      if (!state.person) timers.push({ type: 'arm', timer: 'person', delayMs: PERSON_WAIT_MS });
      return arrive({ ...state, legReady: true }, timers, nowMs);
    },
    'session-ready': (state, _event, nowMs) =>
      arrive({ ...state, sessionReady: true }, state.legReady ? [NO_FILLER] : [], nowMs),
    'person-answered': personAnswered,
    // "One moment" is for a person.
    'session-lost': (state) =>
      state.legReady && state.person
        ? sessionLost({ ...state, sessionReady: false })
        : [{ ...state, sessionReady: false }, []],
    // An answering machine is not put through to anybody.
    'session-failed': (state, { detail }) =>
      apologise(state.person ? state.policy : { ...state.policy, fallback: null }, state.legReady, detail),
    'caller-onset': stay,
    'caller-spoke': stay,
    'bot-audible': stay,
    // Nobody has been spoken to yet; and without a line nothing would ever be reported as played out.
    'hang-up-asked': stay,
    returned: stay,
    'playout-drained': stay,
    timer: (state, event, nowMs) => {
      const { timer } = event;
      if (timer === 'person') return personAnswered(state, event, nowMs);
      if (timer === 'filler' && state.legReady) return fill(state);
      return timer === 'limit' ? farewell(state.policy, state.legReady, 'goodbye', LIMIT) : stay(state);
    },
    'leg-ended': (_state, { reason }) => end(reason),
    'end-asked': (state, event) => endAsked(state.policy, state.legReady, event),
  },
  listening: {
    'leg-ready': stay,
    'person-answered': stay,
    'session-ready': (state) => [state, [NO_FILLER]],
    'session-lost': sessionLost,
    'session-failed': (state, { detail }) => apologise(state.policy, true, detail),
    // It takes a moment to tell speech from a cough; a greeting in that moment would come on top of what the caller says.
    'caller-onset': (state, _event, nowMs) => [
      state,
      [{ type: 'arm', timer: 'caller', delayMs: Math.max(ONSET_DOUBT_MS, state.greetAtMs - nowMs) }],
    ],
    'caller-spoke': (state) => [
      { name: 'talking', policy: state.policy },
      [{ type: 'cancel', timer: 'caller' }],
    ],
    'bot-audible': (state) => [
      { name: 'talking', policy: state.policy },
      [{ type: 'cancel', timer: 'caller' }],
    ],
    'hang-up-asked': (state, event) => hangUp(state.policy, event),
    returned: stay,
    'playout-drained': stay,
    timer: (state, { timer }) => {
      if (timer === 'limit') return farewell(state.policy, true, 'goodbye', LIMIT);
      if (timer === 'filler') return fill(state);
      if (timer !== 'caller') return stay(state);
      return [
        { name: 'greeting', policy: state.policy, attempt: 1 },
        [
          { type: 'trigger-greeting', attempt: 1 },
          { type: 'arm', timer: 'greeting', delayMs: GREETING_WAIT_MS },
        ],
      ];
    },
    'leg-ended': (_state, { reason }) => end(reason),
    'end-asked': (state, event) => endAsked(state.policy, true, event),
  },
  greeting: {
    'leg-ready': stay,
    // The session was replaced while the greeting was due: the new one has not been asked yet, and nothing was heard.
    // It may know of the first asking all the same, so that this one counts as the second; after that comes the clip.
    'person-answered': stay,
    'session-ready': (state) =>
      state.attempt === 2
        ? [state, [NO_FILLER, { type: 'open-uplink' }]]
        : [
            { ...state, attempt: 2 },
            [
              NO_FILLER,
              { type: 'trigger-greeting', attempt: 2 },
              { type: 'open-uplink' },
              { type: 'arm', timer: 'greeting', delayMs: GREETING_WAIT_MS },
            ],
          ],
    'session-lost': sessionLost,
    'session-failed': (state, { detail }) => apologise(state.policy, true, detail),
    'caller-onset': stay,
    // The caller spoke first; the model answers that, and a greeting now would come on top. If it does not, the caller
    // must not be left alone with a model that has said nothing yet.
    'caller-spoke': (state) => [state, [{ type: 'arm', timer: 'greeting', delayMs: ANSWER_WAIT_MS }]],
    'bot-audible': (state) => [
      { name: 'talking', policy: state.policy },
      [{ type: 'cancel', timer: 'greeting' }],
    ],
    'hang-up-asked': (state, event) => hangUp(state.policy, event),
    returned: stay,
    'playout-drained': stay,
    timer: (state, { timer }) => {
      if (timer === 'limit') return farewell(state.policy, true, 'goodbye', LIMIT);
      if (timer === 'filler') return fill(state);
      if (timer !== 'greeting') return stay(state);
      if (state.attempt === 1) {
        return [
          { ...state, attempt: 2 },
          [
            { type: 'trigger-greeting', attempt: 2 },
            { type: 'arm', timer: 'greeting', delayMs: GREETING_WAIT_MS },
          ],
        ];
      }
      return [{ name: 'talking', policy: state.policy }, [{ type: 'play-clip', clip: 'greeting' }]];
    },
    'leg-ended': (_state, { reason }) => end(reason),
    'end-asked': (state, event) => endAsked(state.policy, true, event),
  },
  talking: {
    'leg-ready': stay,
    'person-answered': stay,
    'session-ready': (state) => [state, [NO_FILLER, { type: 'open-uplink' }]],
    'session-lost': sessionLost,
    'session-failed': (state, { detail }) => apologise(state.policy, true, detail),
    'caller-onset': stay,
    'caller-spoke': stay,
    'bot-audible': stay,
    'hang-up-asked': (state, event) => hangUp(state.policy, event),
    returned: stay,
    'playout-drained': stay,
    timer: (state, { timer }) => {
      if (timer === 'filler') return fill(state);
      return timer === 'limit' ? farewell(state.policy, true, 'goodbye', LIMIT) : stay(state);
    },
    'leg-ended': (_state, { reason }) => end(reason),
    'end-asked': (state, event) => endAsked(state.policy, true, event),
  },
  'hanging-up': {
    'leg-ready': stay,
    'person-answered': stay,
    'session-ready': (state) => [state, [NO_FILLER, { type: 'open-uplink' }]],
    'session-lost': sessionLost,
    // The goodbye was said or will not be: nothing is left to apologise for. But nobody would answer the caller either.
    'session-failed': (state) => lastWords(state.policy, true, state.reason, [], state.transfer),
    'caller-onset': (state) =>
      state.phase === 'grace'
        ? [state, [{ type: 'arm', timer: 'grace', delayMs: HANG_UP_GRACE_MS }]]
        : stay(state),
    // Who is being put through may well say thank you.
    'caller-spoke': (state) =>
      state.transfer !== null
        ? stay(state)
        : [
            { name: 'talking', policy: state.policy },
            [
              { type: 'cancel', timer: 'goodbye' },
              { type: 'cancel', timer: 'grace' },
              { type: 'hang-up-disarmed' },
            ],
          ],
    'bot-audible': (state) => (state.phase === 'playing-out' ? stay(state) : playOut(state)),
    'hang-up-asked': stay,
    returned: stay,
    'playout-drained': (state) =>
      state.phase === 'playing-out'
        ? [{ ...state, phase: 'grace' }, [{ type: 'arm', timer: 'grace', delayMs: HANG_UP_GRACE_MS }]]
        : stay(state),
    timer: (state, { timer }) => {
      if (timer === 'goodbye' && state.phase === 'awaiting-goodbye') return playOut(state);
      if (timer === 'grace' && state.phase === 'grace') return leave(state);
      if (timer === 'limit') return end(LIMIT);
      // Nothing is said into a goodbye. But a caller who calls the hang-up off must not be left in silence.
      if (timer === 'filler') return [state, [{ type: 'arm', timer: 'filler', delayMs: DEAD_AIR_MS }]];
      return stay(state);
    },
    'leg-ended': (_state, { reason }) => end(reason),
    'end-asked': (state, event) => endAsked(state.policy, true, event),
  },
  apologising: {
    'leg-ready': (state) => {
      if (state.legReady) return stay(state);
      const clip: ClipName = state.reason.how === 'limit' ? 'goodbye' : 'apology';
      return lastWords(state.policy, true, state.reason, [{ type: 'play-clip', clip }], state.transfer);
    },
    'person-answered': stay,
    'session-ready': stay,
    'session-lost': stay,
    'session-failed': stay,
    'caller-onset': stay,
    'caller-spoke': stay,
    'bot-audible': stay,
    'hang-up-asked': stay,
    returned: stay,
    'playout-drained': (state) => (state.legReady ? leave(state) : stay(state)),
    timer: (state, { timer }) => {
      if (timer === 'limit') return end(state.reason);
      return timer === 'clip' && state.legReady ? leave(state) : stay(state);
    },
    'leg-ended': (_state, { reason }) => end(reason),
    'end-asked': (_state, { reason }) => end(reason),
  },
  away: {
    'leg-ready': stay,
    'person-answered': stay,
    'session-ready': (state) => [{ ...state, failure: null }, []],
    'session-lost': stay,
    'session-failed': (state, { detail }) => [{ ...state, failure: detail }, []],
    'caller-onset': stay,
    'caller-spoke': stay,
    'bot-audible': stay,
    'hang-up-asked': stay,
    returned: (state, { sessionReady }) => {
      const { policy, failure } = state;
      // Nobody is there who could go on: neither the model nor, as it has turned out, whom the caller was sent to.
      if (failure !== null) return apologise({ ...policy, fallback: null }, true, failure);
      const next: IntentEffect = sessionReady
        ? { type: 'open-uplink' }
        : { type: 'arm', timer: 'filler', delayMs: DEAD_AIR_MS };
      return [{ name: 'talking', policy }, [next]];
    },
    'playout-drained': stay,
    timer: (state, { timer }) => (timer === 'limit' ? end(state.reason) : stay(state)),
    'leg-ended': (_state, { reason }) => end(reason),
    'end-asked': (_state, { reason }) => end(reason),
  },
  ended: {
    'leg-ready': stay,
    'person-answered': stay,
    'session-ready': stay,
    'session-lost': stay,
    'session-failed': stay,
    'caller-onset': stay,
    'caller-spoke': stay,
    'bot-audible': stay,
    'hang-up-asked': stay,
    returned: stay,
    'playout-drained': stay,
    timer: stay,
    'leg-ended': stay,
    'end-asked': stay,
  },
};

function personAnswered(
  state: Extract<IntentState, { name: 'arriving' }>,
  _event: IntentEvent,
  nowMs: number,
): IntentStep {
  if (state.person) return stay(state);
  const stop: IntentEffect[] = state.legReady ? [{ type: 'cancel', timer: 'person' }] : [];
  return arrive({ ...state, person: true }, stop, nowMs);
}

/** The last word was heard: the caller is put through, or the call is over. */
function leave(state: Extract<IntentState, { name: 'hanging-up' | 'apologising' }>): IntentStep {
  const { reason, transfer } = state;
  if (transfer === null) return end(reason);
  // Who comes back from the fallback and finds no model again is not sent there a second time.
  const policy = state.name === 'apologising' ? { ...state.policy, fallback: null } : state.policy;
  return [
    { name: 'away', policy, reason: TRANSFERRED, failure: null },
    [NO_FILLER, { type: 'transfer', target: transfer, reason: TRANSFERRED }],
  ];
}

function playOut(state: Extract<IntentState, { name: 'hanging-up' }>): IntentStep {
  return [
    { ...state, phase: 'playing-out' },
    [{ type: 'cancel', timer: 'goodbye' }, { type: 'cancel', timer: 'grace' }, { type: 'watch-playout' }],
  ];
}

export const stepIntent = stepper(table);
