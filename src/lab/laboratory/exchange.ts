/**
 * One process's worth of calls on virtual time: carrier, gateway and model around one clock. The gateway is the real
 * registry with real calls; what it is given to reach the world are the laboratory's streams and service.
 */
import { convertOffline } from '../../audio/offline.ts';
import { type Bot, botSchema } from '../../bots/bot.ts';
import type { CallDeps } from '../../call/call.ts';
import type { JournalEntry } from '../../call/journal.ts';
import { noMeters } from '../../call/meters.ts';
import { CallRegistry } from '../../call/registry.ts';
import { Ticker } from '../../call/ticker.ts';
import type { ToolRunner } from '../../call/tool-answer.ts';
import type { CarrierAdapter, MediaPort } from '../../carriers/carrier.ts';
import type { ConnectLive } from '../../gemini/live-session.ts';
import { CountingClock } from '../counting-clock.ts';
import { ChunkStore } from '../emulator/chunks.ts';
import { seededRandom } from '../network/random.ts';
import { defaultScenario } from '../scenario.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { Drive } from './drive.ts';
import { createEmulatorLink } from './emulator-link.ts';
import { LabCall } from './lab-call.ts';
import { COUNTED, createLabCarrier, TELEPHONE } from './lab-carrier.ts';
import { LevelTracker } from './level-tracker.ts';
import type { CallPlan } from './plan.ts';
import { countedClips } from './voices.ts';

export type Sound = 'counters' | 'real';

/** Something that strikes all calls at once. */
export interface Calamity {
  readonly atMs: number;
  readonly what:
    | { readonly kind: 'mass-loss' }
    | { readonly kind: 'away'; readonly forMs: number; readonly handles: 'kept' | 'lost' };
}

export interface ExchangeOptions {
  readonly seed: number;
  readonly sound: Sound;
  readonly plans: readonly CallPlan[];
  readonly calamities?: readonly Calamity[];
  readonly onEntry?: (call: number, entry: JournalEntry) => void;
  readonly sabotage?: Sabotage;
}

/** Stands between the gateway and the world and does harm: a sentence is worth as much as the harm that it notices. */
export interface Sabotage {
  readonly connectLive?: (connectLive: ConnectLive) => ConnectLive;
  readonly mediaPort?: (port: MediaPort) => MediaPort;
}

const START_MS = 1_000;
/** Farewells, closing handshakes, and deadlines of the last waits. */
const CLOSING_MS = 15_000;
/** Ways of cutting clips into chunks, shared by all exchanges so that each is encoded once. */
const chunks = new ChunkStore();

export class Exchange {
  readonly clock = new VirtualClock({ startMs: START_MS });
  readonly calls: LabCall[];
  readonly tickFaults: string[] = [];
  readonly #gatewayClock = new CountingClock(this.clock);
  readonly #ticker = new Ticker(this.#gatewayClock, (detail) => this.tickFaults.push(detail));
  readonly #registry: CallRegistry;
  readonly #byNumber = new Map<number, LabCall>();
  readonly #adapters = new Map<LabCall, CarrierAdapter>();
  readonly #drive = new Drive(this.clock);
  #running = 0;
  #closing = false;

  constructor(options: ExchangeOptions) {
    const { seed, sound, plans } = options;
    const formats = sound === 'counters' ? COUNTED : TELEPHONE;
    const voice = sound === 'counters' ? null : callersVoice();
    const onStir = (): void => this.#drive.stir();
    this.calls = plans.map(
      (plan) =>
        new LabCall(plan, {
          clock: this.clock,
          registry: () => this.#registry,
          adapter: (call) => this.#adapters.get(call)!,
          chunks,
          formats,
          voice,
          onStir,
          onOver: () => {
            this.#running -= 1;
          },
        }),
    );
    for (const call of this.calls) {
      this.#byNumber.set(call.plan.number, call);
      this.#adapters.set(
        call,
        sabotaged(
          sabotaged(
            createLabCarrier(formats, () => call.hangUp()),
            options.sabotage,
          ),
          options.sabotage,
        ),
      );
    }
    const bots = new Map(plans.map((plan) => [plan.number, botOf(plan)]));
    const link = createEmulatorLink({
      clock: this.clock,
      routeOf: (setup) => this.#byNumber.get(lineIn(setup.systemInstruction))!.route,
      onStir,
    });
    const tools = new Map(plans.map((plan) => [`line-${plan.number}`, plan.tools]));
    const connectLive: ConnectLive = (setup, ...rest) => {
      const more = tools.get(`line-${lineIn(setup.systemInstruction)}`)?.declared ?? [];
      return link({ ...setup, tools: [...(setup.tools ?? []), ...more] }, ...rest);
    };
    const deps: CallDeps = {
      toolsOf: ({ name }) => tools.get(name)?.runner(this.clock) ?? NO_TOOLS,
      clock: this.#gatewayClock,
      ticker: this.#ticker,
      connectLive: options.sabotage?.connectLive?.(connectLive) ?? connectLive,
      listeners: [
        (entry, { carrierCallId }) => {
          const number = Number(carrierCallId.slice(2));
          options.onEntry?.(number, entry);
          this.#byNumber.get(number)?.onEntry(entry);
        },
      ],
      meters: noMeters,
      clips: countedClips(),
      random: seededRandom(seed + 1_000),
      ...(sound === 'counters' ? { createTracker: (rate: number) => new LevelTracker(rate) } : {}),
    };
    this.#registry = new CallRegistry({
      ...deps,
      bots: {
        botFor: (to) => bots.get(lineIn(to)) ?? null,
        byName: () => null,
        list: () => [...bots.values()],
      },
      limits: { maxCalls: plans.length },
    });
    this.#running = this.calls.length;
    for (const call of this.calls)
      this.clock.setTimer(call.plan.ringsAtMs, () => {
        if (!this.#closing) call.ring();
      });
    for (const { atMs, what } of options.calamities ?? []) {
      this.clock.setTimer(atMs, () => {
        for (const call of this.calls) {
          if (call.over) continue;
          if (what.kind === 'mass-loss') call.cutConnections('mass-loss');
          else call.serviceGoesAway(what.forMs, what.handles);
        }
      });
    }
  }

  /** Calls that have rung. */
  get begun(): readonly LabCall[] {
    return this.calls.filter(({ startedAtMs }) => startedAtMs > 0);
  }

  /** Calls that have not ended. */
  get running(): number {
    return this.#running;
  }

  /** Virtual milliseconds since the beginning. */
  get elapsedMs(): number {
    return this.clock.now() - START_MS;
  }

  /** Lets so much time pass, or less when the last call ends. Whoever awaits a promise runs between two events. */
  run(ms: number): Promise<void> {
    return this.#drive.run(ms, () => this.#running === 0);
  }

  /** Ends what is left, and waits until the dust has settled. */
  async finish(): Promise<void> {
    this.#closing = true;
    for (const { ref } of this.#registry.summaries())
      this.#registry.end(ref, { who: 'operator', how: 'completed', detail: 'the laboratory closes' });
    await this.#drive.rest(CLOSING_MS);
  }

  /** What is still there after the last call. */
  get leftovers(): readonly string[] {
    const left = {
      calls: this.#registry.activeCalls,
      'ticker members': this.#ticker.members,
      timers: this.#gatewayClock.pending,
      sockets: this.calls.reduce((sum, call) => sum + call.openSockets, 0),
      'tick faults': this.tickFaults.length,
    };
    return Object.entries(left)
      .filter(([, count]) => count > 0)
      .map(([what, count]) => `${count} ${what}`);
  }
}

function sabotaged(adapter: CarrierAdapter, sabotage: Sabotage | undefined): CarrierAdapter {
  const wrap = sabotage?.mediaPort;
  return wrap === undefined
    ? adapter
    : { ...adapter, createMediaPort: () => wrap(adapter.createMediaPort()) };
}

function botOf({ number, bot }: CallPlan): Bot {
  return {
    ...botSchema.parse(bot),
    name: `line-${number}`,
    prompt: `You answer line ${number} of the laboratory.`,
  };
}

const NO_TOOLS: ToolRunner = {
  has: () => false,
  run: () => Promise.reject(new Error('there are no tools')),
};

const lineIn = (text: string): number => Number(/line (\d+)/.exec(text)?.[1] ?? -1);

let recorded: Int16Array | null = null;

/** The recorded voices of the bot, at the telephone's rate, for lack of a caller's that speaks for so long. */
function callersVoice(): Int16Array {
  if (recorded !== null) return recorded;
  const clips = defaultScenario().otherwise.map(({ clip }) => clip!.samples);
  const all = new Int16Array(clips.reduce((sum, clip) => sum + clip.length, 0));
  let at = 0;
  for (const clip of clips) {
    all.set(clip, at);
    at += clip.length;
  }
  recorded = convertOffline(all, 24_000, 8_000);
  return recorded;
}
