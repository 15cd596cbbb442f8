/**
 * Many quiet calls in one gateway before one emulated service, each with a connection of its own: for what happens when
 * all of them lose it at once. Real registry, SDK and sockets; the carriers open their streams and say nothing.
 */
import { join } from 'node:path';
import { botSchema } from '../../src/bots/bot.ts';
import { readClips } from '../../src/call/clips.ts';
import { createMemoryHandleStore } from '../../src/call/handles.ts';
import type { JournalEntry, JournalEntryOf } from '../../src/call/journal.ts';
import { noMeters } from '../../src/call/meters.ts';
import { CallRegistry } from '../../src/call/registry.ts';
import { Ticker } from '../../src/call/ticker.ts';
import { createTwilioAdapter } from '../../src/carriers/twilio/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { createConnector } from '../../src/gemini/connect.ts';
import { govern } from '../../src/gemini/governor.ts';
import { connectedMessage, startMessage } from '../../src/lab/caller/twilio/messages.ts';
import { CountingClock } from '../../src/lab/counting-clock.ts';
import type { EmulatorRecord } from '../../src/lab/emulator/record.ts';
import { type Emulator, startEmulator } from '../../src/lab/emulator/server.ts';
import { type ModelPlan, makeScenario } from '../../src/lab/scenario.ts';
import { SETTINGS } from '../../src/settings.ts';
import { incoming } from './call-bench.ts';
import { SimulatedCarrier } from './call-carrier.ts';
import { peerClock, until } from './gateway-clock.ts';
import { type Relay, startRelay } from './gateway-relay.ts';

const BOT = { ...botSchema.parse({ greeting: { mode: 'none' } }), name: 'storm', prompt: 'Say little.' };

export class Storm {
  readonly clock = new CountingClock(systemClock);
  readonly faults: string[] = [];
  readonly registry: CallRegistry;
  readonly #ticker = new Ticker(this.clock, (detail) => this.faults.push(`tick: ${detail}`));
  readonly #emulator: Emulator;
  readonly #relay: Relay;
  readonly #quota: { connectsPerSecond: number };
  readonly #entries = new Map<string, JournalEntry[]>();
  readonly #carriers: SimulatedCarrier[] = [];
  readonly #adapter = createTwilioAdapter(
    { accountSid: 'AC1', authTokens: ['token'], verifyStream: 'required' },
    'https://gw.example.com',
    {
      clock: this.clock,
      random: Math.random,
      fetch: () => Promise.reject(new Error('no network here')),
      onProblem: () => {},
    },
  );

  private constructor(emulator: Emulator, relay: Relay, quota: { connectsPerSecond: number }) {
    this.#emulator = emulator;
    this.#relay = relay;
    this.#quota = quota;
    const connect = createConnector({
      clock: this.clock,
      baseUrl: relay.url,
      onFault: (kind, detail) => this.faults.push(`${kind} ${detail}`),
    });
    // As they come, so that these are proved to be below what the service bears.
    const perSecond = Number(SETTINGS.CONNECTS_PER_SECOND.default);
    const atOnce = Number(SETTINGS.CONNECTS_AT_ONCE.default);
    const governed = govern(connect, { clock: this.clock, random: Math.random, perSecond, atOnce });
    this.registry = new CallRegistry({
      clock: this.clock,
      ticker: this.#ticker,
      // The calls ring all at once, so that there is something to lose soon: that is not what is looked at.
      connectLive: (setup, handlers, options) =>
        (options.need === 'new-call' ? connect : governed)(setup, handlers, options),
      listeners: [(entry, call) => this.#entriesOf(call.carrierCallId).push(entry)],
      handles: createMemoryHandleStore(),
      meters: noMeters,
      clips: readClips(join(import.meta.dirname, '../../assets/clips/en')),
      random: Math.random,
      bots: { botFor: () => BOT, byName: () => null, list: () => [BOT] },
      limits: { maxCalls: 1_000 },
    });
  }

  static async open(): Promise<Storm> {
    const quota = { connectsPerSecond: Number.POSITIVE_INFINITY };
    const { model, ...rest } = makeScenario({ model: { setupDelayMs: 250 } });
    // Not spread: the quota is asked for with each connection.
    const emulator = await startEmulator({
      clock: systemClock,
      scenario: { ...rest, model: Object.setPrototypeOf(quota, model) as ModelPlan },
      record: false,
    });
    return new Storm(emulator, await startRelay(emulator.url), quota);
  }

  /** Every call with a stream, a connection and a handle. */
  async place(calls: number, mostMs: number): Promise<void> {
    for (let n = 0; n < calls; n += 1) {
      const callSid = `call ${n}`;
      const carrier = new SimulatedCarrier(peerClock, { callSid, streamSid: 'MZ1' });
      const admission = this.registry.admit(this.#adapter, incoming(callSid));
      if (admission.kind !== 'admitted') throw new Error(`refused: ${admission.detail}`);
      const claim = this.registry.claimStream(this.#adapter, admission.streamPath.split('/').at(-1)!);
      if (!claim.ok) throw new Error(`the stream was refused: ${claim.reason}`);
      carrier.opened(claim.attach(carrier));
      carrier.raw(connectedMessage());
      carrier.raw(startMessage({ accountSid: 'AC1', callSid, streamSid: 'MZ1' }, 1, {}));
      this.#carriers.push(carrier);
    }
    const hasHandle = ({ sent }: EmulatorRecord): boolean =>
      sent.some(({ kind, detail }) => kind === 'sessionResumptionUpdate' && detail !== null);
    const ready = (): boolean => this.sessions.length === calls && this.sessions.every(hasHandle);
    await until('a handle for every call', ready, mostMs);
  }

  get sessions(): readonly EmulatorRecord[] {
    return this.#emulator.sessions;
  }

  /** From now on the service lets so many in within a second. */
  limit(connectsPerSecond: number): void {
    this.#quota.connectsPerSecond = connectsPerSecond;
  }

  /** Every connection ends in this moment, without a word. */
  cut(): void {
    this.#relay.cut();
  }

  /** The entries of one type, call by call. */
  of<T extends JournalEntry['type']>(type: T): readonly (readonly JournalEntryOf<T>[])[] {
    return [...this.#entries.values()].map((entries) =>
      entries.filter((entry): entry is JournalEntryOf<T> => entry.type === type),
    );
  }

  async close(): Promise<void> {
    for (const carrier of this.#carriers) carrier.stop();
    await until('all calls over', () => this.registry.activeCalls === 0, 5_000);
    await this.#relay.close();
    await this.#emulator.close();
  }

  #entriesOf(callSid: string): JournalEntry[] {
    const known = this.#entries.get(callSid) ?? [];
    this.#entries.set(callSid, known);
    return known;
  }
}
