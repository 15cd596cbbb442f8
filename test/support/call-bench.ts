/** A gateway for whole calls on virtual time: real registry, call, audio and Twilio messages; both peers are scripted. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Bot, botSchema } from '../../src/bots/bot.ts';
import { type Clips, readClips } from '../../src/call/clips.ts';
import type { DialRules } from '../../src/call/dial-desk.ts';
import type { EndReason } from '../../src/call/end-reason.ts';
import { createMemoryHandleStore } from '../../src/call/handles.ts';
import type { JournalEntry, JournalEntryOf, JournalListener } from '../../src/call/journal.ts';
import { CallRegistry } from '../../src/call/registry.ts';
import type { RotationPlan } from '../../src/call/rotation-plan.ts';
import { Ticker } from '../../src/call/ticker.ts';
import type { ToolRunner } from '../../src/call/tool-answer.ts';
import type {
  CarrierAdapter,
  ControlResult,
  DialRequest,
  DialResult,
  IncomingCall,
  MediaPort,
} from '../../src/carriers/carrier.ts';
import { createTwilioAdapter } from '../../src/carriers/twilio/adapter.ts';
import type { Clock } from '../../src/clock.ts';
import type { ConnectLive } from '../../src/gemini/live-session.ts';
import { CountingClock } from '../../src/lab/counting-clock.ts';
import type { LineWeather } from '../../src/lab/network/line.ts';
import { seededRandom } from '../../src/lab/network/random.ts';
import { settle } from '../../src/lab/settle.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';
import { type CarrierOptions, SimulatedCarrier } from './call-carrier.ts';
import { type Attempt, ready, type ScriptedConnection, ScriptedLive } from './call-live.ts';

export interface BenchOptions {
  /** How each attempt to reach the model goes. Default: the first comes up after 250 ms. */
  readonly live?: readonly Attempt[] | (() => Attempt);
  /** As in bot.yaml. */
  readonly bot?: Record<string, unknown>;
  readonly seed?: number;
  readonly maxCalls?: number;
  /** What the carrier's API answers, and when; null: never. Default: done after 80 ms. */
  readonly hangUp?: {
    readonly result: ControlResult | 'rejects' | 'throws';
    readonly afterMs: number;
  } | null;
  /** What the carrier's API answers to a transfer, and when. Default: it is done after 80 ms. */
  readonly transfer?: { readonly result: ControlResult | 'rejects'; readonly afterMs: number };
  /** Who may be called, and how often. Default: nobody. */
  readonly dialRules?: DialRules;
  readonly dial?: (request: DialRequest) => Promise<DialResult>;
  readonly capabilities?: Partial<CarrierAdapter['capabilities']>;
  readonly listeners?: readonly JournalListener[];
  readonly createMediaPort?: () => MediaPort;
  readonly tools?: ToolRunner;
  readonly rotation?: RotationPlan;
  /** What stands in front of the model. Default: nothing. */
  readonly door?: (connect: ConnectLive, clock: Clock) => ConnectLive;
}

let clips: Clips | null = null;

export class CallBench {
  readonly clock = new VirtualClock({ startMs: 1_000 });
  readonly gatewayClock = new CountingClock(this.clock);
  readonly tickFaults: string[] = [];
  readonly ticker = new Ticker(this.gatewayClock, (detail) => this.tickFaults.push(detail));
  readonly live: ScriptedLive;
  readonly bot: Bot;
  readonly adapter: CarrierAdapter;
  readonly registry: CallRegistry;
  readonly entries: (JournalEntry & { readonly ref: string })[] = [];
  readonly hangUps: { readonly callId: string; readonly atMs: number }[] = [];
  readonly transfers: { readonly target: string; readonly callerId: string | null; readonly atMs: number }[] =
    [];
  readonly dialled: DialRequest[] = [];
  readonly carriers: SimulatedCarrier[] = [];
  readonly latencies: { readonly leg: 'up' | 'down'; readonly ms: number }[] = [];
  readonly #options: BenchOptions;
  #callSid = 'CA1';
  #streams = 0;

  constructor(options: BenchOptions = {}) {
    this.#options = options;
    const { seed = 1 } = options;
    this.live = new ScriptedLive(this.clock, options.live ?? [ready()]);
    // A scripted model says nothing unless it is told to; what is done about that has tests of its own.
    this.bot = {
      ...botSchema.parse({ stall: { signs: [] }, ...options.bot }),
      name: 'bench',
      prompt: 'Be brief.',
    };
    const twilio = createTwilioAdapter(
      { accountSid: 'AC1', authTokens: ['token'], verifyStream: 'required' },
      'https://gw.example.com',
      {
        clock: this.clock,
        random: seededRandom(seed),
        fetch: () => Promise.reject(new Error('no network here')),
        onProblem: () => {},
      },
    );
    this.adapter = {
      ...twilio,
      capabilities: { ...twilio.capabilities, ...options.capabilities },
      control: {
        ...twilio.control,
        hangup: (callId) => this.#hangUp(callId),
        transfer: (_callId, target, callerId) => this.#transfer(target, callerId),
        dial: async (request) => {
          this.dialled.push(request);
          return options.dial?.(request) ?? { ok: true, callId: 'CA1' };
        },
      },
      createMediaPort: options.createMediaPort ?? twilio.createMediaPort,
    };
    clips ??= readClips(join(import.meta.dirname, '../../assets/clips/en'));
    this.registry = new CallRegistry({
      clock: this.gatewayClock,
      ticker: this.ticker,
      connectLive: options.door?.(this.live.connect, this.gatewayClock) ?? this.live.connect,
      listeners: [
        ...(options.listeners ?? []),
        (entry, call) => this.entries.push({ ...structuredClone(entry), ref: call.ref }),
      ],
      meters: { frameLatency: (leg, ms) => this.latencies.push({ leg, ms }) },
      clips,
      random: seededRandom(seed + 1_000),
      bots: { botFor: () => this.bot, byName: () => this.bot, list: () => [this.bot] },
      limits: { maxCalls: options.maxCalls ?? 10 },
      handles: createMemoryHandleStore(),
      outbound: {
        rules: options.dialRules ?? { allow: [], perHour: 6 },
        adapterOf: (carrier) => (carrier === 'twilio' ? this.adapter : null),
      },
      ...(options.tools === undefined ? {} : { toolsOf: () => options.tools as ToolRunner }),
      ...(options.rotation === undefined ? {} : { rotation: options.rotation }),
    });
  }

  /** The signed webhook of a call. @returns the path of its stream */
  ring(callSid = 'CA1', particulars: Partial<IncomingCall> = {}): string {
    this.#callSid = callSid;
    const admission = this.registry.admit(this.adapter, { ...incoming(callSid), ...particulars });
    if (admission.kind !== 'admitted') throw new Error(`refused: ${admission.reason}`);
    return admission.streamPath;
  }

  /** Opens a socket with the token of `path`. Null: the gateway refuses it. */
  connect(path: string, options: Partial<CarrierOptions> = {}): SimulatedCarrier | null {
    const claim = this.registry.claimStream(this.adapter, path.split('/').at(-1)!);
    if (!claim.ok) return null;
    this.#streams += 1;
    const carrier = new SimulatedCarrier(this.clock, {
      callSid: this.#callSid,
      streamSid: `MZ${this.#streams}`,
      ...options,
    });
    this.carriers.push(carrier);
    carrier.opened(claim.attach(carrier));
    return carrier;
  }

  /** A call whose stream has started: the webhook, 300 ms later the socket with its `start`. */
  async answer(
    options: Partial<CarrierOptions> & { readonly weather?: LineWeather } = {},
  ): Promise<SimulatedCarrier> {
    const path = this.ring(options.callSid);
    await this.run(300);
    const carrier = this.connect(path, options);
    if (carrier === null) throw new Error('the stream was refused');
    carrier.start();
    return carrier;
  }

  /** Answers, and lets the bot say a greeting of `ms` to its end: a call in the middle of a conversation. */
  async answerAndGreet(
    options: Partial<CarrierOptions> = {},
    greeting = new Int16Array(24 * 600).fill(3_000),
  ): Promise<SimulatedCarrier> {
    const carrier = await this.answer(options);
    await this.until(() => (this.live.connections.at(-1)?.texts.length ?? 0) > 0, 2_000);
    const ms = this.model.speak(greeting);
    await this.run(ms + 1_000);
    return carrier;
  }

  /** The stream has ended and the carrier asks what comes next. */
  after(outcome: 'answered' | 'unanswered' | null): ReturnType<CallRegistry['afterStream']> {
    return this.registry.afterStream(this.adapter, this.#callSid, outcome);
  }

  get model(): ScriptedConnection {
    return this.live.now;
  }

  /** Lets time pass; whoever awaits goes on between two timers. */
  async run(ms: number): Promise<void> {
    const untilMs = this.clock.now() + ms;
    for (;;) {
      await settle();
      const { nextDueMs } = this.clock;
      if (nextDueMs === null || nextDueMs > untilMs) break;
      this.clock.runUntil(nextDueMs);
    }
    this.clock.runUntil(untilMs);
    await settle();
  }

  /** Lets time pass until something holds. */
  async until(holds: () => boolean, mostMs: number): Promise<void> {
    const untilMs = this.clock.now() + mostMs;
    for (;;) {
      await settle();
      if (holds()) return;
      const { nextDueMs } = this.clock;
      if (nextDueMs === null || nextDueMs > untilMs) throw new Error(`not within ${mostMs} ms: ${holds}`);
      this.clock.runUntil(nextDueMs);
    }
  }

  of<T extends JournalEntry['type']>(type: T): readonly JournalEntryOf<T>[] {
    return this.entries.filter((entry): entry is JournalEntryOf<T> & { ref: string } => entry.type === type);
  }

  get ended(): JournalEntryOf<'call-ended'> | null {
    return this.of('call-ended')[0] ?? null;
  }

  /** The call is over for this reason, has said so once and last, and has left nothing behind. */
  expectEnded(who: EndReason['who'], how: EndReason['how']): void {
    expect(this.of('call-ended').map(({ reason }) => `${reason.who}/${reason.how}`)).toEqual([
      `${who}/${how}`,
    ]);
    this.expectNothingLeft();
  }

  expectNothingLeft(): void {
    expect(this.entries.at(-1)?.type).toBe('call-ended');
    expect({
      calls: this.registry.activeCalls,
      tickerMembers: this.ticker.members,
      timers: this.gatewayClock.pending,
      openSockets: this.carriers.filter((carrier) => !carrier.ended).length,
      openConnections: this.live.connections.filter((connection) => connection.open).length,
      pendingConnects: this.live.pending,
      unusedScript: this.live.unused,
      unexpectedConnects: this.live.unexpected,
      tickFaults: this.tickFaults,
    }).toEqual({
      calls: 0,
      tickerMembers: 0,
      timers: 0,
      openSockets: 0,
      openConnections: 0,
      pendingConnects: 0,
      unusedScript: 0,
      unexpectedConnects: 0,
      tickFaults: [],
    });
  }

  #transfer(target: string, callerId: string | null): Promise<ControlResult> {
    this.transfers.push({ target, callerId, atMs: this.clock.now() });
    const { result, afterMs } = this.#options.transfer ?? { result: 'done', afterMs: 80 };
    return new Promise((resolve, reject) => {
      this.clock.setTimer(afterMs, () => {
        if (result === 'rejects') reject(new Error('the API broke its promise'));
        else resolve(result);
      });
    });
  }

  #hangUp(callId: string): Promise<ControlResult> {
    this.hangUps.push({ callId, atMs: this.clock.now() });
    const { hangUp = { result: 'done', afterMs: 80 } } = this.#options;
    if (hangUp === null) return new Promise(() => {});
    const { result, afterMs } = hangUp;
    if (result === 'throws') throw new Error('the API broke its promise');
    return new Promise((resolve, reject) => {
      this.clock.setTimer(afterMs, () => {
        if (result === 'rejects') reject(new Error('the API broke its promise'));
        else resolve(result);
        // As the carrier does, it says `stop` to the stream of a call that it has ended.
        if (result === 'done') for (const carrier of this.carriers) if (!carrier.ended) carrier.stop();
      });
    });
  }
}

export const incoming = (callSid: string): IncomingCall => ({
  carrier: 'twilio',
  callId: callSid,
  accountId: 'AC1',
  from: '+15550100001',
  to: '+15550100002',
  direction: 'inbound',
});
