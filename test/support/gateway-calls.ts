/**
 * One gateway and a model for each of its calls: real registry, SDK, sockets and time; the carrier plays its part at the
 * desk, behind the real Twilio messages. What a call says to its model tells which emulator is meant.
 */
import { join } from 'node:path';
import { type Bot, botSchema } from '../../src/bots/bot.ts';
import { readClips } from '../../src/call/clips.ts';
import { createMemoryHandleStore } from '../../src/call/handles.ts';
import type { JournalEntry, JournalEntryOf } from '../../src/call/journal.ts';
import { noMeters } from '../../src/call/meters.ts';
import { CallRegistry } from '../../src/call/registry.ts';
import { Ticker } from '../../src/call/ticker.ts';
import type { CarrierAdapter } from '../../src/carriers/carrier.ts';
import { createTwilioAdapter } from '../../src/carriers/twilio/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { createConnector } from '../../src/gemini/connect.ts';
import type { ConnectLive } from '../../src/gemini/live-session.ts';
import { CountingClock } from '../../src/lab/counting-clock.ts';
import type { EmulatorRecord } from '../../src/lab/emulator/record.ts';
import { type Emulator, startEmulator } from '../../src/lab/emulator/server.ts';
import type { Scenario } from '../../src/lab/scenario.ts';
import { incoming } from './call-bench.ts';
import { SimulatedCarrier } from './call-carrier.ts';
import { peerClock, until } from './gateway-clock.ts';
import { type Relay, startRelay } from './gateway-relay.ts';
import { type ClipId, clipOf, type HeardStretch, stretchesIn } from './gateway-sounds.ts';

export interface CallPlan {
  readonly name: string;
  /** As in bot.yaml. */
  readonly bot: Record<string, unknown>;
  /** `connections` made so far, for what changes with them. */
  scenario(connections: () => number): Scenario;
}

export class GatewayOfCalls {
  readonly clock = new CountingClock(systemClock);
  readonly faults: string[] = [];
  readonly ticker = new Ticker(this.clock, (detail) => this.faults.push(`tick: ${detail}`));
  readonly registry: CallRegistry;
  readonly #calls = new Map<string, ModelledCall>();
  readonly #bots = new Map<string, Bot>();
  readonly #models = new Map<string, ConnectLive>();
  readonly #adapter: CarrierAdapter;

  constructor() {
    const twilio = createTwilioAdapter(
      { accountSid: 'AC1', authTokens: ['token'], verifyStream: 'required' },
      'https://gw.example.com',
      {
        clock: this.clock,
        random: Math.random,
        fetch: () => Promise.reject(new Error('no network here')),
        onProblem: () => {},
      },
    );
    this.#adapter = {
      ...twilio,
      control: { ...twilio.control, hangup: async (callId) => this.#calls.get(callId)!.hungUp() },
    };
    this.registry = new CallRegistry({
      clock: this.clock,
      ticker: this.ticker,
      connectLive: (setup, handlers, options) => {
        const connect = this.#models.get(setup.systemInstruction.split('\n')[0]!);
        if (connect === undefined) throw new Error(`no model for "${setup.systemInstruction}"`);
        return connect(setup, handlers, options);
      },
      listeners: [(entry, call) => this.#calls.get(call.carrierCallId)?.entries.push(entry)],
      handles: createMemoryHandleStore(),
      meters: noMeters,
      clips: readClips(join(import.meta.dirname, '../../assets/clips/en')),
      random: Math.random,
      bots: {
        botFor: (to) => this.#bots.get(to) ?? null,
        byName: () => null,
        list: () => [...this.#bots.values()],
      },
      limits: { maxCalls: 1_000 },
    });
  }

  /** Opens a model for the call, and the call itself up to its stream's start. */
  async place(plan: CallPlan): Promise<ModelledCall> {
    const call = await ModelledCall.open(plan);
    this.#calls.set(plan.name, call);
    this.#bots.set(plan.name, { ...botSchema.parse(plan.bot), name: plan.name, prompt: plan.name });
    this.#models.set(
      plan.name,
      createConnector({
        clock: this.clock,
        baseUrl: call.modelUrl,
        onFault: (kind, detail) => this.faults.push(`${plan.name}: ${kind} ${detail}`),
      }),
    );
    const admission = this.registry.admit(this.#adapter, { ...incoming(plan.name), to: plan.name });
    if (admission.kind !== 'admitted') throw new Error(`refused: ${admission.detail}`);
    const claim = this.registry.claimStream(this.#adapter, admission.streamPath.split('/').at(-1)!);
    if (!claim.ok) throw new Error(`the stream was refused: ${claim.reason}`);
    call.carrier.opened(claim.attach(call.carrier));
    call.carrier.start();
    return call;
  }
}

/** A call with both of its ends: the carrier, and the model behind a line that can be cut. */
export class ModelledCall {
  readonly entries: JournalEntry[] = [];
  readonly carrier: SimulatedCarrier;
  readonly #plan: CallPlan;
  readonly #relay: Relay;
  #emulator: Emulator;
  readonly #heardFrames = new Map<ClipId, number>();
  #countedFrames = 0;
  readonly #earlier: EmulatorRecord[] = [];

  private constructor(plan: CallPlan, emulator: Emulator, relay: Relay) {
    this.#plan = plan;
    this.#emulator = emulator;
    this.#relay = relay;
    this.carrier = new SimulatedCarrier(peerClock, { callSid: plan.name, streamSid: 'MZ1' });
  }

  static async open(plan: CallPlan): Promise<ModelledCall> {
    const emulator: Emulator = await startEmulator({
      clock: systemClock,
      scenario: plan.scenario(() => emulator?.sessions.length ?? 0),
    });
    return new ModelledCall(plan, emulator, await startRelay(emulator.url));
  }

  get modelUrl(): string {
    return this.#relay.url;
  }

  /** Every connection that the model had, oldest first. */
  get sessions(): readonly EmulatorRecord[] {
    return [...this.#earlier, ...this.#emulator.sessions];
  }

  /** Nobody tells either side. */
  cutLine(): void {
    this.#relay.cut();
  }

  /** The service is out of reach for so long; it keeps what it knows, or another one takes its place that knows nothing. */
  async loseModel(forMs: number, keepsSessions: boolean): Promise<void> {
    await this.#relay.down();
    if (!keepsSessions) await this.restartModel();
    await new Promise((resolve) => setTimeout(resolve, forMs));
    await this.#relay.up();
  }

  /** The model's service ends, and another one takes its place that knows nothing of the session. */
  async restartModel(): Promise<void> {
    const { port } = new URL(this.#emulator.url);
    this.#earlier.push(...this.#emulator.sessions);
    await this.#emulator.close();
    const scenario = this.#plan.scenario(() => this.sessions.length);
    this.#emulator = await startEmulator({ clock: systemClock, scenario, port: Number(port) });
  }

  async close(): Promise<void> {
    this.carrier.drop();
    await this.#relay.close();
    await this.#emulator.close();
  }

  /** What the carrier's API does. */
  hungUp(): 'done' {
    systemClock.setTimer(0, () => {
      if (!this.carrier.ended) this.carrier.stop();
    });
    return 'done';
  }

  of<T extends JournalEntry['type']>(type: T): readonly JournalEntryOf<T>[] {
    return this.entries.filter((entry): entry is JournalEntryOf<T> => entry.type === type);
  }

  heard(): readonly HeardStretch[] {
    return stretchesIn(this.carrier.heard());
  }

  /** Both peers have noticed the end. */
  async settled(): Promise<void> {
    const gone = (): boolean => this.carrier.ended && this.sessions.every(({ closed }) => closed !== null);
    await until('both peers to notice the end', gone, 5_000);
  }

  /** So much of the clip was heard, to the frame. */
  untilHeard(clip: ClipId, ms: number, mostMs: number): Promise<void> {
    return this.until(`${ms} ms heard of the ${clip}`, () => this.#heardMs(clip) >= ms - 20, mostMs);
  }

  /** This was heard from its beginning to its end. */
  untilWhole(clip: ClipId, mostMs: number): Promise<void> {
    const isWhole = (): boolean => this.heard().some((each) => each.clip === clip && each.whole);
    return this.until(`all of the ${clip} heard`, isWhole, mostMs);
  }

  /** Waits, but for no call that is over already. */
  async until(what: string, holds: () => boolean, mostMs: number): Promise<void> {
    await until(what, () => holds() || this.of('call-ended').length > 0, mostMs);
    if (!holds()) throw new Error(`the call ended before: ${what}`);
  }

  #heardMs(wanted: ClipId): number {
    const { played } = this.carrier;
    for (; this.#countedFrames < played.length; this.#countedFrames += 1) {
      const clip = clipOf(played[this.#countedFrames]!.payload);
      if (clip !== null) this.#heardFrames.set(clip, (this.#heardFrames.get(clip) ?? 0) + 1);
    }
    return (this.#heardFrames.get(wanted) ?? 0) * 20;
  }
}
