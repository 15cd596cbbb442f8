/**
 * The way to the model in the laboratory: ConnectLive over the emulated service, on virtual time and without a wire. It
 * keeps every promise of ConnectOptions, with delays by chance, and refuses, cuts and freezes as the service does.
 */
import type { Clock, Timer } from '../../clock.ts';
import { classifyClose, classifyUpgradeStatus, LiveConnectError } from '../../gemini/closes.ts';
import { isSetupComplete, parseServerMessage } from '../../gemini/events.ts';
import { familyOf } from '../../gemini/families.ts';
import { withHeldFields } from '../../gemini/live-config.ts';
import type {
  CloseClass,
  ConnectLive,
  ConnectOptions,
  LiveConnection,
  LiveEvent,
  LiveHandlers,
} from '../../gemini/live-session.ts';
import { completeSetup, type LiveSetup } from '../../gemini/setup.ts';
import type { EmulatedService } from '../emulator/service.ts';
import type { LineWeather } from '../network/line.ts';
import type { Random } from '../network/random.ts';
import { ModelConnection } from './model-connection.ts';
import { ModelSocket } from './model-socket.ts';
import { type WireSetup, wireSetup } from './wire-setup.ts';

/** What is told of one call's connections. `socket` numbers them. */
export interface LinkObserver {
  onSocket?(socket: ModelSocket): void;
  onOpen?(connection: number): void;
  /** By whom a connection that had been set up was ended. */
  onEnd?(connection: number, by: 'gateway' | 'gateway-gives-up' | 'service'): void;
  /** Caller's samples as a connection takes them; `before`: how many it had taken. */
  onTaken?(connection: number, before: number, samples: Int16Array): void;
  /** Events have been handed to the call. */
  onEvents?(connection: number, events: readonly LiveEvent[]): void;
}

/** One call's way to the model. */
export interface Route {
  /** Null: nobody is there, and connecting takes until its deadline or is refused at once. */
  service(): EmulatedService | null;
  readonly weather: LineWeather;
  /** TCP, TLS and the upgrade. */
  readonly handshakeMs: number;
  readonly random: Random;
  readonly observer: LinkObserver;
}

export interface LinkOptions {
  readonly clock: Clock;
  /** Which call wants to connect, by its setup. */
  routeOf(setup: LiveSetup): Route;
  /** A promise was settled: whoever waits for it should run before time passes. */
  onStir(): void;
}

export function createEmulatorLink(link: LinkOptions): ConnectLive {
  return (setup, handlers, options) =>
    new Promise((resolve, reject) => {
      const attempt = new Attempt(link, setup, handlers, options, (outcome) => {
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
        link.onStir();
      });
      attempt.start();
    });
}

/** Whoever awaits the connection holds it before the first event is handed over. */
const RELEASE_MS = 1;

class Attempt {
  readonly #link: LinkOptions;
  readonly #setup: LiveSetup;
  readonly #handlers: LiveHandlers;
  readonly #options: ConnectOptions;
  readonly #route: Route;
  readonly #settleWith: (outcome: LiveConnection | LiveConnectError) => void;
  #settled = false;
  #socket: ModelSocket | null = null;
  #connection: ModelConnection | null = null;
  #deadline: Timer | null = null;
  #deadlineLeftMs: number;
  #deadlineSetAtMs = 0;
  #handshake: Timer | null = null;
  /** Events before the call holds its connection; null afterwards. */
  #early: (() => void)[] | null = [];
  #closing = false;
  #sent: WireSetup | null = null;

  constructor(
    link: LinkOptions,
    setup: LiveSetup,
    handlers: LiveHandlers,
    options: ConnectOptions,
    settleWith: (outcome: LiveConnection | LiveConnectError) => void,
  ) {
    this.#link = link;
    this.#setup = setup;
    this.#handlers = handlers;
    this.#options = options;
    this.#settleWith = settleWith;
    this.#route = link.routeOf(setup);
    this.#deadlineLeftMs = options.deadlineMs;
  }

  start(): void {
    const { signal } = this.#options;
    signal.addEventListener('abort', this.#onAbort);
    if (signal.aborted) {
      this.#onAbort();
      return;
    }
    this.#runDeadline();
    this.#handshake = this.#link.clock.setTimer(this.#route.handshakeMs, () => this.#connect());
  }

  readonly #onAbort = (): void => this.#fail('normal', 'the call no longer wants it');

  #runDeadline(): void {
    const { clock } = this.#link;
    this.#deadlineSetAtMs = clock.now();
    this.#deadline = clock.setTimer(this.#deadlineLeftMs, () =>
      this.#fail('network', `no answer within ${Math.round(this.#options.deadlineMs)} ms`),
    );
  }

  #stopDeadline(): void {
    this.#deadline?.cancel();
    this.#deadline = null;
    this.#deadlineLeftMs -= this.#link.clock.now() - this.#deadlineSetAtMs;
  }

  #connect(): void {
    const { clock } = this.#link;
    const { weather, random, observer } = this.#route;
    const service = this.#route.service();
    if (service === null) {
      this.#fail('network', 'nobody there');
      return;
    }
    const socket: ModelSocket = new ModelSocket({
      clock,
      service,
      weather,
      random,
      handlers: {
        onOpen: () => this.#onOpen(),
        onRefused: (status) =>
          this.#fail(classifyUpgradeStatus(status), `HTTP ${status}`, { httpStatus: status }),
        onMessage: (message) => this.#onMessage(message),
        onClose: (code, reason) => this.#onClose(code, reason),
      },
      onTaken: (number, before, samples) => observer.onTaken?.(number, before, samples),
    });
    this.#socket = socket;
    observer.onSocket?.(socket);
    socket.connect();
  }

  #onOpen(): void {
    const { hold } = this.#options;
    if (hold === undefined) {
      this.#sendSetup(this.#setup);
      return;
    }
    this.#stopDeadline();
    hold().then(
      (fields) => {
        if (this.#settled) return;
        this.#runDeadline();
        this.#sendSetup(withHeldFields(this.#setup, fields));
        this.#link.onStir();
      },
      () => {
        this.#fail('normal', 'the call gave its hold up');
        this.#link.onStir();
      },
    );
  }

  #sendSetup(setup: LiveSetup): void {
    this.#sent = wireSetup(setup, familyOf(setup.model).family);
    this.#socket?.send(this.#sent.frame);
  }

  #onMessage(message: object): void {
    if (this.#connection === null) {
      if (isSetupComplete(message)) this.#ready();
      return;
    }
    const number = this.#socket!.number;
    const events = parseServerMessage(message);
    if (events.length === 0) return;
    this.#hand(() => {
      this.#handlers.onEvents(events, this.#link.clock.now());
      this.#route.observer.onEvents?.(number, events);
    });
  }

  #hand(deliver: () => void): void {
    if (this.#closing) return;
    if (this.#early === null) deliver();
    else this.#early.push(deliver);
  }

  #ready(): void {
    const socket = this.#socket!;
    const { clock } = this.#link;
    const { observer } = this.#route;
    const { family } = familyOf(this.#setup.model);
    this.#connection = new ModelConnection({
      socket,
      family,
      manual: completeSetup(this.#setup).vad.mode === 'manual',
      clock,
      dropped: this.#sent?.dropped ?? [],
      onClosing: (graceMs) => {
        this.#closing = true;
        this.#early = null;
        if (!socket.gone) observer.onEnd?.(socket.number, graceMs > 0 ? 'gateway' : 'gateway-gives-up');
      },
    });
    const first = this.#sent?.firstContent ?? null;
    if (first !== null) this.#connection.sendContent(first);
    observer.onOpen?.(socket.number);
    this.#settle(this.#connection);
    clock.setTimer(RELEASE_MS, () => {
      const early = this.#early ?? [];
      this.#early = null;
      for (const deliver of early) if (!this.#closing) deliver();
    });
  }

  #onClose(code: number, reason: string): void {
    const resuming = this.#sent?.resumes ?? false;
    if (this.#connection === null) {
      const closeClass = classifyClose(code, reason, { beforeSetup: true, resuming });
      this.#fail(closeClass, `a close with ${code} "${reason}"`, { closeCode: code });
      return;
    }
    this.#connection.socketClosed();
    this.#link.onStir();
    if (this.#closing) return;
    this.#route.observer.onEnd?.(this.#socket!.number, 'service');
    this.#hand(() => this.#handlers.onClose({ code, reason, class: classifyClose(code, reason) }));
  }

  #fail(
    closeClass: CloseClass,
    found: string,
    details: { readonly closeCode?: number; readonly httpStatus?: number } = {},
  ): void {
    if (this.#settled) return;
    this.#socket?.terminate();
    const text = `Connecting to the emulated service: found ${found}, wanted setupComplete`;
    this.#settle(new LiveConnectError(closeClass, text, details));
  }

  #settle(outcome: LiveConnection | LiveConnectError): void {
    this.#settled = true;
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#deadline?.cancel();
    this.#handshake?.cancel();
    this.#settleWith(outcome);
  }
}
