/**
 * One door for all calls of the process: however many lose their connections at once, they connect again at a rate that
 * the service bears, who needs it most first, and not at all for a while when it says that the quota is used up.
 */
import type { Clock, Timer } from '../clock.ts';
import { LiveConnectError } from './closes.ts';
import { ConnectQueue, type Waiting } from './connect-queue.ts';
import type {
  CloseClass,
  ConnectLive,
  ConnectNeed,
  ConnectOptions,
  HeldFields,
  LiveConnection,
  LiveHandlers,
} from './live-session.ts';
import { type BreakerState, QuotaBreaker } from './quota-breaker.ts';
import type { LiveSetup } from './setup.ts';
import { StartRate } from './start-rate.ts';

export interface GovernorOptions {
  readonly clock: Clock;
  /** In [0, 1): spreads the back-off. */
  readonly random: () => number;
  /** Attempts that may begin a second. */
  readonly perSecond: number;
  /** Of those, how many at the same instant after a rest. Default: a fifth. */
  readonly burst?: number;
  /**
   * Attempts under way. One that holds its setup back does not count; when it goes on it counts again without
   * waiting, so that the number may be passed.
   */
  readonly atOnce: number;
  /** Default 2,000. When more wait, the least needy is sent away. */
  readonly maxWaiting?: number;
  readonly meters?: GovernorMeters;
}

/** Told of what goes through the door, for metrics. */
export interface GovernorMeters {
  /** One was let in. */
  granted(need: ConnectNeed, waitedMs: number): void;
  /** One was sent away before it was let in. What no longer wanted a place does not count. */
  turnedAway(need: ConnectNeed): void;
  /** The service said that the quota is used up, of an attempt or of a connection. */
  quotaRefused(): void;
}

/** What is at the door now. */
export interface GovernorCounts {
  readonly waiting: number;
  readonly inFlight: number;
  readonly breaker: BreakerState;
}

export type GovernedConnect = ConnectLive & { readonly counts: GovernorCounts };

/**
 * Puts the door in front of `connectLive`. What waits at it keeps its deadline, which covers the waiting too unless it has
 * a `waitMs` for that: when it is over it rejects with the class `overload`; an abort leaves at once.
 */
export function govern(connectLive: ConnectLive, options: GovernorOptions): GovernedConnect {
  const governor = new Governor(connectLive, options);
  const connect: ConnectLive = (setup, handlers, how) => governor.connect(setup, handlers, how);
  return Object.assign(connect, { counts: governor });
}

interface Applicant extends Waiting {
  readonly setup: LiveSetup;
  readonly handlers: LiveHandlers;
  readonly options: ConnectOptions;
  readonly resolve: (connection: LiveConnection) => void;
  readonly reject: (reason: unknown) => void;
  /** Takes the deadline and the abort listener of the waiting away. */
  stopWaiting: () => void;
}

/** What an attempt under way has taken of the governor, and gives back once. */
interface Share {
  place: boolean;
  probe: boolean;
  over: boolean;
}

class Governor implements GovernorCounts {
  readonly #connectLive: ConnectLive;
  readonly #clock: Clock;
  readonly #atOnce: number;
  readonly #maxWaiting: number;
  readonly #meters: GovernorMeters | null;
  readonly #rate: StartRate;
  readonly #breaker: QuotaBreaker;
  readonly #queue = new ConnectQueue<Applicant>();
  #inFlight = 0;
  #wake: Timer | null = null;

  constructor(connectLive: ConnectLive, options: GovernorOptions) {
    this.#connectLive = connectLive;
    this.#clock = options.clock;
    this.#atOnce = options.atOnce;
    this.#maxWaiting = options.maxWaiting ?? 2_000;
    this.#meters = options.meters ?? null;
    const { perSecond, burst = Math.ceil(perSecond / 5) } = options;
    this.#rate = new StartRate(perSecond, burst);
    this.#breaker = new QuotaBreaker(options.random);
  }

  get waiting(): number {
    return this.#queue.length;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get breaker(): BreakerState {
    return this.#breaker.state;
  }

  connect(setup: LiveSetup, handlers: LiveHandlers, options: ConnectOptions): Promise<LiveConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<LiveConnection>();
    const sinceMs = this.#clock.now();
    const applicant: Applicant = {
      need: options.need,
      sinceMs,
      setup,
      handlers,
      options,
      resolve,
      reject,
      stopWaiting: () => {},
    };
    if (options.signal.aborted) {
      this.#sendAway(applicant, 'normal', UNWANTED);
      return promise;
    }
    this.#queue.add(applicant);
    const onAbort = () => this.#leave(applicant, 'normal', UNWANTED);
    const { deadlineMs, waitMs = deadlineMs } = options;
    const deadline = this.#clock.setTimer(waitMs, () =>
      this.#leave(applicant, 'overload', `found no place within ${Math.round(waitMs)} ms`),
    );
    options.signal.addEventListener('abort', onAbort);
    applicant.stopWaiting = () => {
      deadline.cancel();
      options.signal.removeEventListener('abort', onAbort);
    };
    this.#serve();
    if (this.#queue.length > this.#maxWaiting) {
      const last = this.#queue.takeLeastNeedy();
      if (last !== undefined) this.#sendAway(last, 'overload', 'found too many before it');
    }
    return promise;
  }

  /** Lets in as many as may begin now, and sets the alarm for the next; what ends an attempt calls it again. */
  #serve(): void {
    this.#wake?.cancel();
    this.#wake = null;
    while (this.#queue.length > 0 && this.#inFlight < this.#atOnce) {
      const nowMs = this.#clock.now();
      const waitMs = Math.max(this.#rate.waitMs(nowMs), this.#breaker.waitMs(nowMs));
      if (waitMs > 0) {
        if (waitMs < Number.POSITIVE_INFINITY) {
          this.#wake = this.#clock.setTimer(waitMs, () => this.#serve());
        }
        return;
      }
      const next = this.#queue.takeNeediest();
      if (next !== undefined) this.#begin(next, nowMs);
    }
  }

  #begin(applicant: Applicant, nowMs: number): void {
    applicant.stopWaiting();
    const { setup, handlers, options, resolve, reject } = applicant;
    const queuedMs = nowMs - applicant.sinceMs;
    this.#meters?.granted(options.need, queuedMs);
    this.#rate.take(nowMs);
    const share: Share = { place: true, probe: this.#breaker.begin(), over: false };
    this.#inFlight += 1;
    const deadlineMs = Math.max(0, options.deadlineMs - (options.waitMs === undefined ? queuedMs : 0));
    const { hold } = options;
    const governed: ConnectOptions = {
      ...options,
      deadlineMs,
      ...(hold === undefined ? {} : { hold: () => this.#hold(hold, share) }),
    };
    (async () => {
      options.onTurn?.();
      return this.#connectLive(setup, this.#watched(handlers), governed);
    })().then(
      (connection) => {
        this.#end(share, null);
        resolve(connection);
      },
      (caught: unknown) => {
        this.#end(share, caught);
        reject(caught);
      },
    );
  }

  async #hold(hold: () => Promise<HeldFields>, share: Share): Promise<HeldFields> {
    this.#giveBack(share);
    // It may be held for long, and what its setup will say of the quota is not waited for.
    if (share.probe) this.#breaker.probeLost();
    share.probe = false;
    this.#serve();
    const fields = await hold();
    if (!share.over) {
      share.place = true;
      this.#inFlight += 1;
    }
    return fields;
  }

  #end(share: Share, caught: unknown): void {
    share.over = true;
    this.#giveBack(share);
    if (caught !== null && isQuota(caught)) this.#quotaRefused(share.probe);
    else if (share.probe && caught === null) this.#breaker.probeSucceeded();
    else if (share.probe) this.#breaker.probeLost();
    this.#serve();
  }

  #giveBack(share: Share): void {
    if (share.place) this.#inFlight -= 1;
    share.place = false;
  }

  #quotaRefused(isProbe: boolean): void {
    this.#meters?.quotaRefused();
    this.#breaker.refused(isProbe, this.#clock.now());
  }

  /** A connection that is closed for the quota in mid call says the same as one that is refused for it. */
  #watched(handlers: LiveHandlers): LiveHandlers {
    return {
      onEvents: (events, receivedAtMs) => handlers.onEvents(events, receivedAtMs),
      onClose: (close) => {
        if (close.class === 'quota') this.#quotaRefused(false);
        handlers.onClose(close);
      },
    };
  }

  #leave(applicant: Applicant, closeClass: CloseClass, found: string): void {
    if (!this.#queue.remove(applicant)) return;
    this.#sendAway(applicant, closeClass, found);
    // The alarm may have been set for this one alone.
    this.#serve();
  }

  #sendAway(applicant: Applicant, closeClass: CloseClass, found: string): void {
    applicant.stopWaiting();
    if (closeClass !== 'normal') this.#meters?.turnedAway(applicant.need);
    const { model } = applicant.setup;
    const state = `${this.waiting} wait, ${this.inFlight} connect, quota breaker ${this.breaker}`;
    applicant.reject(
      new LiveConnectError(
        closeClass,
        `Connecting to Gemini Live (model "${model}"): ${found} (${state}), wanted a place among those who connect`,
      ),
    );
  }
}

const UNWANTED = 'found that the call no longer wants it';

const isQuota = (caught: unknown): boolean =>
  (caught as { closeClass?: unknown } | null)?.closeClass === 'quota';
