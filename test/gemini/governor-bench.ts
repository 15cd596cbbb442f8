/** The governor on virtual time, in front of a service that lets a test decide how each attempt ends. */
import { LiveConnectError } from '../../src/gemini/closes.ts';
import { type GovernorOptions, govern } from '../../src/gemini/governor.ts';
import type {
  CloseClass,
  ConnectLive,
  ConnectNeed,
  ConnectOptions,
  HeldFields,
  LiveConnection,
  LiveHandlers,
} from '../../src/gemini/live-session.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';

export const SETUP = { model: 'gemini-3.8-live', systemInstruction: '', voice: null, language: null };
export const HELD: HeldFields = { handle: 'h', systemInstruction: '' };
export const SILENT: LiveHandlers = { onEvents: () => {}, onClose: () => {} };

export interface Begun {
  readonly name: string;
  readonly atMs: number;
  readonly options: ConnectOptions;
  readonly handlers: LiveHandlers;
  readonly succeed: () => void;
  readonly fail: (closeClass: CloseClass) => void;
}

export class GovernorBench {
  readonly clock = new VirtualClock();
  /** In the order in which the service saw them. */
  readonly begun: Begun[] = [];
  /** Name → how it ended, and when. */
  readonly ended = new Map<string, { readonly how: string; readonly atMs: number }>();
  /** What its meters were told. */
  readonly metered: string[] = [];
  readonly door;
  /** What the service does with an attempt by itself. */
  behave: (begun: Begun) => void = () => {};

  constructor(options: Partial<GovernorOptions> = {}) {
    const connectLive: ConnectLive = (setup, handlers, how) =>
      new Promise((resolve, reject) => {
        const begun: Begun = {
          name: setup.systemInstruction,
          atMs: this.clock.now(),
          options: how,
          handlers,
          succeed: () => resolve({} as LiveConnection),
          fail: (closeClass) => reject(new LiveConnectError(closeClass, `refused: ${closeClass}`)),
        };
        this.begun.push(begun);
        this.behave(begun);
      });
    this.door = govern(connectLive, {
      clock: this.clock,
      random: () => 1,
      perSecond: 15,
      atOnce: 32,
      meters: {
        granted: (need, waitedMs) => this.metered.push(`granted ${need} after ${Math.round(waitedMs)} ms`),
        turnedAway: (need) => this.metered.push(`turned away ${need}`),
        quotaRefused: () => this.metered.push('quota'),
      },
      ...options,
    });
  }

  ask(name: string, need: ConnectNeed = 'outage', how: Partial<ConnectOptions> = {}): void {
    const options = { signal: new AbortController().signal, deadlineMs: 60_000, need, ...how };
    const end = (outcome: string) => this.ended.set(name, { how: outcome, atMs: this.clock.now() });
    this.door({ ...SETUP, systemInstruction: name }, SILENT, options).then(
      () => end('connected'),
      (caught: unknown) => end((caught as LiveConnectError).closeClass ?? String(caught)),
    );
  }

  get names(): string[] {
    return this.begun.map(({ name }) => name);
  }

  named(name: string): Begun {
    return this.begun.find((begun) => begun.name === name)!;
  }

  get counts() {
    const { waiting, inFlight, breaker } = this.door.counts;
    return { waiting, inFlight, breaker };
  }
}
