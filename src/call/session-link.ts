/**
 * The shell of the session machine: opens connections, hands their events on with the epoch checked, and closes what is
 * left. Nothing of a connection reaches the call once a newer one was asked for.
 */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type {
  CloseClass,
  ConnectLive,
  LiveClose,
  LiveConnection,
  LiveEvent,
} from '../gemini/live-session.ts';
import type { LiveSetup } from '../gemini/setup.ts';
import type { Journal } from './journal.ts';
import {
  newSession,
  type SessionEffect,
  type SessionEvent,
  type SessionPolicy,
  type SessionState,
  stepSession,
} from './session.ts';
import type { CallTotals } from './totals.ts';

export interface SessionHost {
  onSessionReady(first: boolean): void;
  onSessionInterrupted(): void;
  onSessionFailed(detail: string): void;
  onModelEvent(event: LiveEvent, receivedAtMs: number): void;
  armRetry(dueMs: number): void;
  cancelRetry(): void;
  onBug(where: string, caught: unknown): void;
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

export class SessionLink {
  readonly #clock: Clock;
  readonly #connectLive: ConnectLive;
  readonly #setup: () => LiveSetup;
  readonly #random: () => number;
  readonly #journal: Journal;
  readonly #totals: CallTotals;
  readonly #host: SessionHost;
  #state: SessionState;
  #connection: LiveConnection | null = null;
  #connecting: AbortController | null = null;
  /** The newest handle with which the session can be taken up again. */
  #handle: string | null = null;

  constructor(
    parts: {
      readonly clock: Clock;
      readonly connectLive: ConnectLive;
      readonly random: () => number;
      readonly journal: Journal;
      readonly totals: CallTotals;
    },
    setup: () => LiveSetup,
    policy: SessionPolicy,
    host: SessionHost,
  ) {
    this.#clock = parts.clock;
    this.#connectLive = parts.connectLive;
    this.#random = parts.random;
    this.#journal = parts.journal;
    this.#totals = parts.totals;
    this.#setup = setup;
    this.#host = host;
    this.#state = newSession(policy);
  }

  /** The connection that takes audio now, or null. */
  get connection(): LiveConnection | null {
    return this.#connection;
  }

  get stateName(): SessionState['name'] {
    return this.#state.name;
  }

  open(): void {
    this.#step({ type: 'open' });
  }

  retry(): void {
    this.#step({ type: 'retry-due' });
  }

  close(): void {
    this.#step({ type: 'close' });
  }

  /** The connection is up by its socket's account, but nobody is there: it is closed, and another one opened. */
  giveUpConnection(detail: string): void {
    const state = this.#state;
    if (state.name !== 'ready') return;
    this.#connection?.close(0);
    this.#journal.write({ type: 'session-lost', epoch: state.epoch, code: 1006, class: 'network', detail });
    this.#step({ type: 'lost', epoch: state.epoch, class: 'network', detail, random: this.#random() });
  }

  #step(event: SessionEvent): void {
    const [next, effects] = stepSession(this.#state, event, this.#clock.now());
    this.#state = next;
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: SessionEffect): void {
    switch (effect.type) {
      case 'connect':
        this.#connect(effect.epoch, effect.attempt, effect.resume, effect.deadlineMs);
        break;
      case 'abort-connect':
        this.#connecting?.abort();
        break;
      case 'close-connection':
        this.#connection?.close();
        this.#connection = null;
        break;
      case 'arm-retry':
        this.#host.armRetry(effect.dueMs);
        break;
      case 'cancel-retry':
        this.#host.cancelRetry();
        break;
      case 'session-ready':
        this.#host.onSessionReady(effect.first);
        break;
      case 'session-interrupted':
        this.#connection = null;
        this.#host.onSessionInterrupted();
        break;
      case 'session-failed':
        this.#host.onSessionFailed(effect.detail);
        break;
    }
  }

  #connect(epoch: number, attempt: number, resume: boolean, deadlineMs: number): void {
    const startedAtMs = this.#clock.now();
    const abort = new AbortController();
    this.#connecting = abort;
    this.#totals.connections += 1;
    this.#journal.write({ type: 'session-connecting', epoch, attempt });
    const setup = this.#setup();
    const handle = resume ? this.#handle : null;
    /** It was lost before we were told that it had come up. */
    let stillborn: LiveClose | null = null;
    this.#connectLive(
      setup.resumption === null ? setup : { ...setup, resumption: { handle } },
      {
        onEvents: (events, receivedAtMs) => this.#onEvents(epoch, events, receivedAtMs),
        onClose: (close) => {
          if (this.#state.name === 'connecting' && this.#state.epoch === epoch) stillborn = close;
          else this.#guard('the end of a connection', () => this.#onLost(epoch, close));
        },
      },
      { signal: abort.signal, deadlineMs },
    ).then(
      (connection) =>
        this.#guard('a connection', () => {
          // The call may have ended, or moved on, while the connection came up: then nobody wants it.
          if (this.#state.name !== 'connecting' || this.#state.epoch !== epoch) {
            connection.close();
            return;
          }
          if (stillborn !== null) {
            this.#onConnectFailed(epoch, stillborn.class, reasonOf(stillborn));
            return;
          }
          this.#connection = connection;
          this.#journal.write({ type: 'session-ready', epoch, setupMs: this.#clock.now() - startedAtMs });
          const dropped = connection.dropped ?? [];
          if (dropped.length > 0) this.#journal.write({ type: 'setup-reduced', dropped });
          this.#step({ type: 'connected', epoch });
        }),
      (caught: unknown) =>
        this.#guard('a failed connection', () => {
          if (this.#state.name !== 'connecting' || this.#state.epoch !== epoch) return;
          this.#onConnectFailed(epoch, closeClassOf(caught), messageOf(caught));
        }),
    );
  }

  #onEvents(epoch: number, events: readonly LiveEvent[], receivedAtMs: number): void {
    this.#guard('a message of the model', () => {
      for (const event of events) {
        if (!this.#isCurrent(epoch)) return;
        if (event.type === 'resumption') {
          if (event.resumable && event.handle !== null) this.#handle = event.handle;
        } else {
          this.#host.onModelEvent(event, receivedAtMs);
        }
      }
    });
  }

  #onConnectFailed(epoch: number, closeClass: CloseClass, detail: string): void {
    this.#journal.write({ type: 'session-failed', epoch, class: closeClass, detail });
    if (closeClass === 'handle-refused') this.#handle = null;
    this.#step({ type: 'connect-failed', epoch, class: closeClass, detail, random: this.#random() });
  }

  #onLost(epoch: number, close: LiveClose): void {
    if (!this.#isCurrent(epoch)) return;
    const detail = reasonOf(close);
    this.#journal.write({ type: 'session-lost', epoch, code: close.code, class: close.class, detail });
    if (close.class === 'handle-refused') this.#handle = null;
    this.#step({ type: 'lost', epoch, class: close.class, detail, random: this.#random() });
  }

  #isCurrent(epoch: number): boolean {
    return (this.#state.name === 'ready' || this.#state.name === 'connecting') && this.#state.epoch === epoch;
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
