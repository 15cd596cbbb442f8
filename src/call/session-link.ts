/**
 * The shell of the session machine: opens connections, hands their events on with the epoch checked, keeps the handles,
 * and closes what is left. Nothing of a connection reaches the call once a newer one has taken its place.
 */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type {
  CloseClass,
  ConnectLive,
  HeldFields,
  LiveClose,
  LiveConnection,
  LiveEvent,
} from '../gemini/live-session.ts';
import type { LiveSetup } from '../gemini/setup.ts';
import type { HandleRecord, HandleStore } from './handles.ts';
import type { Journal } from './journal.ts';
import {
  newSession,
  type SessionEffect,
  type SessionEvent,
  type SessionPolicy,
  type SessionState,
  type SessionTimer,
  stepSession,
} from './session.ts';
import type { CallTotals } from './totals.ts';

/** What a connection begins with: a handle, or the account of what was said so far. */
export interface SetupRequest {
  /** Of the connection that is to be opened. */
  readonly epoch: number;
  /** Null: a fresh session. */
  readonly from: HandleRecord | null;
  /** True until the session has been whole once: nothing was said. */
  readonly first: boolean;
  readonly reseed: boolean;
}

/** Of the attempt that came up: until it had its turn among the process's calls, and from when nothing of ours was in its way. */
export interface SetupTime {
  readonly queuedMs: number;
  readonly setupMs: number;
}

export interface SessionHost {
  setup(request: SetupRequest): LiveSetup;
  /** What a handle that comes now was given under. */
  handleContext(): Pick<HandleRecord, 'under' | 'uplinkPosition'>;
  onSessionReady(how: 'first' | 'resumed' | 'fresh', from: HandleRecord | null, took: SetupTime): void;
  onSessionInterrupted(planned: boolean): void;
  onSessionFailed(detail: string): void;
  onModelEvent(event: LiveEvent, receivedAtMs: number): void;
  arm(timer: SessionTimer, dueMs: number): void;
  cancel(timer: SessionTimer): void;
  onBug(where: string, caught: unknown): void;
}

/** An attempt to connect, until it has become the connection or failed. */
interface Attempt {
  readonly abort: AbortController;
  readonly first: boolean;
  /** Of a held one: lets its setup go. */
  readonly held: PromiseWithResolvers<HeldFields> | null;
  from: HandleRecord | null;
  /** When the way to the setup was free: what came before is not the set-up's time. */
  startedAtMs: number;
  /** Nothing of it when the setup was held: the old connection served until then. */
  queuedMs: number;
  /** It was lost before we were told that it had come up. */
  stillborn: LiveClose | null;
}

const CLOSE_CLASSES: readonly CloseClass[] = [
  'normal',
  'config',
  'auth',
  'handle-refused',
  'old-socket-open',
  'quota',
  'overload',
  'deadline',
  'aborted',
  'network',
];
/** The old connection's close handshake, when a new one waits for its end. */
const LEAVE_GRACE_MS = 300;

export class SessionLink {
  readonly #clock: Clock;
  readonly #connectLive: ConnectLive;
  readonly #random: () => number;
  readonly #journal: Journal;
  readonly #totals: CallTotals;
  readonly #handles: HandleStore;
  readonly #ref: string;
  readonly #host: SessionHost;
  readonly #attempts = new Map<number, Attempt>();
  #state: SessionState;
  #connection: LiveConnection | null = null;
  #connectionEpoch = 0;
  /** The handle with which the present session was taken up, or the last attempt was made. */
  #lastTried: HandleRecord | null = null;
  #took: SetupTime = { queuedMs: 0, setupMs: 0 };
  /** What the newest update said. */
  #resumable = false;

  constructor(
    parts: {
      readonly ref: string;
      readonly clock: Clock;
      readonly connectLive: ConnectLive;
      readonly random: () => number;
      readonly journal: Journal;
      readonly totals: CallTotals;
      readonly handles: HandleStore;
    },
    policy: SessionPolicy,
    host: SessionHost,
  ) {
    this.#ref = parts.ref;
    this.#clock = parts.clock;
    this.#connectLive = parts.connectLive;
    this.#random = parts.random;
    this.#journal = parts.journal;
    this.#totals = parts.totals;
    this.#handles = parts.handles;
    this.#host = host;
    this.#state = newSession(policy);
  }

  /** The connection that takes audio now, or null. */
  get connection(): LiveConnection | null {
    return this.#connection;
  }

  /** Of the connection that takes audio now; null when there is none. */
  get epoch(): number | null {
    return this.#connection === null ? null : this.#connectionEpoch;
  }

  get stateName(): SessionState['name'] {
    return this.#state.name;
  }

  /** A replacement waits for a quiet moment. */
  get rotationDue(): boolean {
    const state = this.#state;
    return state.name === 'rotating' || (state.name === 'ready' && state.due !== null);
  }

  /** When the newest handle came, if the newest update was one; null: what is going on now is in no handle. */
  get handleAtMs(): number | null {
    return this.#resumable ? (this.#handles.list(this.#ref)[0]?.atMs ?? null) : null;
  }

  open(): void {
    this.#step({ type: 'open' });
  }

  /** Now is a moment at which nobody would notice a rotation. */
  quiet(): void {
    this.#step({ type: 'quiet' });
  }

  onTimer(timer: SessionTimer): void {
    this.#step({ type: 'timer', timer });
  }

  /** The caller is with somebody else; `open` takes the session up again, with its handle. */
  park(): void {
    this.#step({ type: 'park' });
  }

  close(): void {
    this.#step({ type: 'close' });
    this.#handles.forget(this.#ref);
  }

  /** The connection is up by its socket's account, but of no use: it is closed, and another one opened. */
  replace(detail: string, fresh: boolean): void {
    const { name } = this.#state;
    if (name !== 'ready' && name !== 'rotating') return;
    this.#journal.write({
      type: 'session-lost',
      epoch: this.#connectionEpoch,
      code: 1006,
      class: 'network',
      detail,
    });
    this.#step({ type: 'replace', fresh, handles: this.#handlesLeft() });
  }

  #step(event: SessionEvent): void {
    const [next, effects] = stepSession(this.#state, event, this.#clock.now());
    this.#state = next;
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: SessionEffect): void {
    switch (effect.type) {
      case 'connect':
        this.#connect(effect);
        break;
      case 'release':
        this.#release(effect.epoch);
        break;
      case 'abort-connect':
        this.#attempts.get(effect.epoch)?.abort.abort();
        this.#attempts.delete(effect.epoch);
        break;
      case 'close-connection':
        this.#closeConnection(effect.epoch);
        break;
      case 'arm':
        this.#host.arm(effect.timer, effect.dueMs);
        break;
      case 'cancel':
        this.#host.cancel(effect.timer);
        break;
      case 'rotation-due':
        this.#journal.write({ ...effect, epoch: this.#connectionEpoch });
        break;
      case 'session-ready':
        this.#resumable = false;
        this.#host.onSessionReady(
          effect.first ? 'first' : this.#lastTried === null ? 'fresh' : 'resumed',
          this.#lastTried,
          this.#took,
        );
        break;
      case 'session-interrupted':
        // Not closed here: a leave closes it with its next effect, and one that broke is gone.
        this.#host.onSessionInterrupted(effect.planned);
        break;
      case 'session-failed':
        this.#host.onSessionFailed(effect.detail);
        break;
    }
  }

  #closeConnection(epoch: number): void {
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) {
      this.#later(() => this.#step({ type: 'gone', epoch }));
      return;
    }
    const ending = this.#state.name === 'closed';
    void connection
      .close(ending ? undefined : LEAVE_GRACE_MS)
      .then(() => this.#guard('the end of an old connection', () => this.#step({ type: 'gone', epoch })));
  }

  #connect(effect: Extract<SessionEffect, { type: 'connect' }>): void {
    const { epoch, attempt: number, rung, reseed, hold, need, deadlineMs, waitMs } = effect;
    const first = rung === 'first';
    const from = rung === 'first' || rung === 'fresh' ? null : this.#choose(rung);
    const attempt: Attempt = {
      abort: new AbortController(),
      first,
      held: hold ? Promise.withResolvers<HeldFields>() : null,
      from,
      startedAtMs: this.#clock.now(),
      queuedMs: 0,
      stillborn: null,
    };
    // Nobody may be waiting for it when it is rejected.
    attempt.held?.promise.catch(() => {});
    this.#attempts.set(epoch, attempt);
    this.#totals.connections += 1;
    this.#journal.write({ type: 'session-connecting', epoch, attempt: number, rung });
    this.#connectLive(
      this.#host.setup({ epoch, from, first, reseed }),
      {
        onEvents: (events, receivedAtMs) => this.#onEvents(epoch, events, receivedAtMs),
        onClose: (close) => {
          if (this.#attempts.has(epoch)) attempt.stillborn = close;
          else this.#guard('the end of a connection', () => this.#onLost(epoch, close));
        },
      },
      {
        signal: attempt.abort.signal,
        deadlineMs,
        waitMs,
        need,
        onTurn: () => {
          attempt.queuedMs = this.#clock.now() - attempt.startedAtMs;
          attempt.startedAtMs = this.#clock.now();
        },
        ...(hold ? { hold: () => this.#onHeld(epoch, attempt) } : {}),
      },
    ).then(
      (connection) => this.#guard('a connection', () => this.#onConnected(epoch, attempt, connection)),
      (caught: unknown) =>
        this.#guard('a failed connection', () => {
          if (!this.#attempts.has(epoch)) return;
          this.#onConnectFailed(epoch, attempt, closeClassOf(caught), messageOf(caught));
        }),
    );
  }

  /** The newest handle, or the newest but the one that was tried last. */
  #choose(rung: 'newest' | 'older'): HandleRecord | null {
    const handles = this.#handles.list(this.#ref);
    if (rung === 'newest') return handles[0] ?? null;
    return handles.find((each) => each.handle !== this.#lastTried?.handle) ?? null;
  }

  #onHeld(epoch: number, attempt: Attempt): Promise<HeldFields> {
    this.#guard('a held connection', () => this.#step({ type: 'held', epoch }));
    return (attempt.held as PromiseWithResolvers<HeldFields>).promise;
  }

  #release(epoch: number): void {
    const attempt = this.#attempts.get(epoch);
    if (attempt === undefined || attempt.held === null) return;
    attempt.from = this.#choose('newest');
    attempt.startedAtMs = this.#clock.now();
    attempt.queuedMs = 0;
    const { systemInstruction } = this.#host.setup({
      epoch,
      from: attempt.from,
      first: false,
      reseed: true,
    });
    attempt.held.resolve({ handle: attempt.from?.handle ?? null, systemInstruction });
  }

  #onConnected(epoch: number, attempt: Attempt, connection: LiveConnection): void {
    const state = this.#state;
    const wanted = this.#attempts.get(epoch) === attempt;
    this.#attempts.delete(epoch);
    // The call may have ended, or moved on, while the connection came up: then nobody wants it.
    if (!wanted || state.name !== 'connecting' || state.epoch !== epoch) {
      void connection.close();
      return;
    }
    const { stillborn } = attempt;
    if (stillborn !== null) {
      this.#onConnectFailed(epoch, attempt, stillborn.class, reasonOf(stillborn));
      return;
    }
    this.#connection = connection;
    this.#connectionEpoch = epoch;
    this.#lastTried = attempt.from;
    this.#took = { queuedMs: attempt.queuedMs, setupMs: this.#clock.now() - attempt.startedAtMs };
    this.#journal.write({
      type: 'session-ready',
      epoch,
      ...this.#took,
      how: attempt.first ? 'first' : attempt.from === null ? 'fresh' : 'resumed',
    });
    const dropped = connection.dropped ?? [];
    if (dropped.length > 0) this.#journal.write({ type: 'setup-reduced', dropped });
    this.#step({ type: 'connected', epoch, random: this.#random() });
  }

  #onEvents(epoch: number, events: readonly LiveEvent[], receivedAtMs: number): void {
    this.#guard('a message of the model', () => {
      for (const event of events) {
        if (this.#connection === null || epoch !== this.#connectionEpoch) return;
        if (event.type === 'resumption') this.#onResumption(event);
        else {
          if (event.type === 'go-away') this.#onGoAway(epoch, event.timeLeftMs);
          this.#host.onModelEvent(event, receivedAtMs);
        }
      }
    });
  }

  #onResumption(event: Extract<LiveEvent, { type: 'resumption' }>): void {
    const usable = event.resumable && event.handle !== null;
    this.#resumable = usable;
    if (!usable) return;
    this.#handles.keep(this.#ref, {
      handle: event.handle as string,
      atMs: this.#clock.now(),
      epochMs: this.#clock.epochMs(),
      epoch: this.#connectionEpoch,
      consumedIndex: event.lastConsumedIndex,
      ...this.#host.handleContext(),
    });
  }

  #onGoAway(epoch: number, timeLeftMs: number | null): void {
    this.#step({ type: 'go-away', epoch, timeLeftMs, random: this.#random() });
  }

  #onConnectFailed(epoch: number, attempt: Attempt, closeClass: CloseClass, detail: string): void {
    this.#attempts.delete(epoch);
    this.#journal.write({ type: 'session-failed', epoch, class: closeClass, detail });
    if (attempt.from !== null) this.#lastTried = attempt.from;
    this.#refuse(attempt.from, closeClass);
    this.#step({ type: 'connect-failed', epoch, ...this.#failure(closeClass, detail) });
  }

  #onLost(epoch: number, close: LiveClose): void {
    if (this.#connection === null || epoch !== this.#connectionEpoch) return;
    const detail = reasonOf(close);
    this.#journal.write({ type: 'session-lost', epoch, code: close.code, class: close.class, detail });
    this.#connection = null;
    // What the session was taken up with has led here; newer handles of it have not.
    this.#refuse(this.#handles.list(this.#ref)[0] ?? null, close.class);
    this.#step({ type: 'lost', epoch, ...this.#failure(close.class, detail) });
  }

  /** A handle that was refused, or refused together with its setup, is never offered again. */
  #refuse(tried: HandleRecord | null, closeClass: CloseClass): void {
    if (tried !== null && (closeClass === 'handle-refused' || closeClass === 'config'))
      this.#handles.refuse(this.#ref, tried.handle);
  }

  #failure(closeClass: CloseClass, detail: string) {
    return { class: closeClass, detail, random: this.#random(), handles: this.#handlesLeft() };
  }

  #handlesLeft(): number {
    return this.#handles.list(this.#ref).length;
  }

  #later(action: () => void): void {
    void Promise.resolve().then(() => this.#guard('the session', action));
  }

  #guard(where: string, action: () => void): void {
    try {
      action();
    } catch (caught) {
      this.#host.onBug(where, caught);
    }
  }
}

function reasonOf(close: LiveClose): string {
  return close.reason || 'no reason given';
}

function closeClassOf(caught: unknown): CloseClass {
  const found = (caught as { closeClass?: unknown } | null)?.closeClass;
  return CLOSE_CLASSES.find((each) => each === found) ?? 'network';
}
