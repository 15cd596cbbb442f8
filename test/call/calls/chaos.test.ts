import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PCMU } from '../../../src/audio/g711.ts';
import type { CloseClass, LiveEvent } from '../../../src/gemini/live-session.ts';
import { cough, interruption } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import type { SimulatedCarrier, Written } from '../../support/call-carrier.ts';
import {
  type Attempt,
  fails,
  never,
  ready,
  refused,
  type ScriptedConnection,
  stillborn,
} from '../../support/call-live.ts';
import { giveHandle, SlowTool, takeHandlesBack } from '../../support/call-talk.ts';

/** What a peer, a person or the operator does next. */
type Deed =
  | { readonly does: 'model-talks'; readonly ms: number; readonly pieces: number; readonly ends: boolean }
  | { readonly does: 'model-says'; readonly event: LiveEvent; readonly withAudio: boolean }
  | { readonly does: 'model-calls'; readonly tool: 'hang_up' | 'nonsense' | 'lookup' }
  | { readonly does: 'model-gives-handle'; readonly usable: boolean }
  | { readonly does: 'model-goes-away'; readonly timeLeftMs: number | null }
  | { readonly does: 'model-forgets' | 'tools-come-back' | 'model-hears-nothing' | 'model-hears-again' }
  | { readonly does: 'model-goes'; readonly how: CloseClass }
  | { readonly does: 'caller-speaks' | 'caller-coughs' | 'caller-stays-silent' | 'caller-sends-again' }
  | { readonly does: 'caller-presses'; readonly digit: string }
  | { readonly does: 'carrier-talks-nonsense'; readonly text: string }
  | {
      readonly does: 'another-stream';
      readonly repeatsWebhook: boolean;
      readonly starts: 'well' | 'ill' | 'never';
    }
  | { readonly does: 'stop' | 'drop' | 'socket-jams' | 'operator-ends' | 'carrier-says-ended' | 'drain' };

const plain = (...events: LiveEvent[]) => fc.constantFrom(...events);
const deed: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      does: fc.constant('model-talks' as const),
      ms: fc.integer({ min: 60, max: 700 }),
      pieces: fc.integer({ min: 1, max: 4 }),
      ends: fc.boolean(),
    }),
  },
  {
    weight: 30,
    arbitrary: fc.record({
      does: fc.constant('model-says' as const),
      withAudio: fc.boolean(),
      event: plain(
        { type: 'interrupted' },
        { type: 'interrupted' },
        { type: 'turn-complete', reason: null },
        { type: 'generation-complete' },
        { type: 'input-transcript', text: 'hello' },
        { type: 'output-transcript', text: 'hello ' },
        { type: 'tool-calls-cancelled', ids: ['t1'] },
        { type: 'go-away', timeLeftMs: 10_000 },
        { type: 'resumption', handle: 'h', resumable: true, lastConsumedIndex: null },
        { type: 'usage', usage: { promptTokens: 1, responseTokens: 1, totalTokens: 2 } },
        { type: 'unknown', field: 'novelty' },
        { type: 'waiting-for-input' },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant('model-calls' as const),
      tool: fc.constantFrom('hang_up' as const, 'nonsense' as const, 'lookup' as const, 'lookup' as const),
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      does: fc.constant('model-gives-handle' as const),
      usable: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      does: fc.constant('model-goes-away' as const),
      timeLeftMs: fc.constantFrom(null, 0, 400, 3_000, 10_000, 50_000, 300_000),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constantFrom(
        'model-forgets' as const,
        'tools-come-back' as const,
        'tools-come-back' as const,
        'model-hears-nothing' as const,
        'model-hears-again' as const,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('model-goes' as const),
      how: fc.constantFrom<CloseClass>(
        'network',
        'deadline',
        'handle-refused',
        'normal',
        'old-socket-open',
        'config',
        'auth',
      ),
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      does: fc.constantFrom(
        'caller-speaks' as const,
        'caller-coughs' as const,
        'caller-coughs' as const,
        'caller-stays-silent' as const,
        'caller-sends-again' as const,
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant('caller-presses' as const),
      digit: fc.constantFrom('1', '*', '#'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant('carrier-talks-nonsense' as const),
      text: fc.constantFrom(
        '{"event":"mark","mark":{"name":"g1.1"}}',
        '{"event":"mark","mark":{"name":"g999999999.1"}}',
        '{',
        '{"event":"media","media":{"payload":"AAAA","timestamp":"999999999"}}',
        '{"event":"dtmf"}',
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constant('another-stream' as const),
      repeatsWebhook: fc.boolean(),
      starts: fc.constantFrom('well' as const, 'well' as const, 'ill' as const, 'never' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constantFrom(
        'stop' as const,
        'drop' as const,
        'drop' as const,
        'socket-jams' as const,
        'operator-ends' as const,
        'carrier-says-ended' as const,
        'drain' as const,
      ),
    }),
  },
);
const story = fc.record({
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  connects: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 900 }).map((afterMs) => ready(afterMs)) },
      {
        weight: 2,
        arbitrary: fc.constantFrom<Attempt>(
          fails('network'),
          fails('old-socket-open'),
          fails('handle-refused'),
          fails('config'),
          fails('auth'),
          refused('overload'),
          never,
          stillborn(),
        ),
      },
    ),
    { minLength: 1, maxLength: 5 },
  ),
  delayMs: fc.constantFrom(0, 0, 80),
  /** Whether the stall doctor is there, and connections are replaced after seconds. */
  cared: fc.boolean(),
  rotates: fc.boolean(),
  deeds: fc.array(fc.tuple(fc.constantFrom(0, 1, 20, 90, 300, 700, 1_600), deed), {
    minLength: 1,
    maxLength: 40,
    size: 'max',
  }),
});

const SPEECH = interruption().slice(0, 8 * 900);
const COUGH = cough();

/** Lives through a story and keeps the order in which things were said and written, whatever the clock shows. */
class Teller {
  readonly bench: CallBench;
  readonly log: (
    | { readonly said: number }
    | { readonly clear: number }
    | { readonly wrote: ReadonlySet<number> }
  )[] = [];
  readonly #path: string;
  readonly #delayMs: number;
  readonly #seed: number;
  #carrier: SimulatedCarrier | null = null;
  #said = 0;
  #tools = 0;
  #handles = 0;
  readonly #tool = new SlowTool();

  constructor({
    seed,
    connects,
    delayMs,
    cared,
    rotates,
  }: {
    seed: number;
    connects: readonly Attempt[];
    delayMs: number;
    cared: boolean;
    rotates: boolean;
  }) {
    let attempt = 0;
    this.#seed = seed;
    this.#delayMs = delayMs;
    this.bench = new CallBench({
      seed,
      live: () => connects[attempt++ % connects.length]!,
      bot: { limits: { maxMinutes: 0.5, outageSeconds: 6 }, ...(cared ? { stall: {} } : {}) },
      tools: this.#tool,
      ...(rotates ? { rotation: { earliestMs: 1_500, latestMs: 4_000, forcedMs: 9_000 } } : {}),
    });
    this.#path = this.bench.ring();
    this.stream('well');
  }

  stream(starts: 'well' | 'ill' | 'never'): void {
    const carrier = this.bench.connect(this.#path, {
      seed: this.#seed,
      weather: { delayMs: this.#delayMs, jitterMs: this.#delayMs / 4, lateShare: 0, lateByMs: 0 },
      onWritten: (written) => this.#onWritten(written),
      ...(starts === 'ill' ? { startCallSid: 'CA666' } : {}),
    });
    if (carrier === null) return;
    if (starts !== 'never') carrier.start();
    if (starts === 'well') this.#carrier = carrier;
  }

  do(deed: Deed): void {
    const { bench } = this;
    const model = bench.live.connections.at(-1);
    const carrier = this.#carrier;
    switch (deed.does) {
      case 'model-talks':
        for (let piece = 0; piece < deed.pieces; piece++) this.#talk(deed.ms);
        if (deed.ends) model?.completeTurn();
        break;
      case 'model-says':
        model?.say(deed.event);
        if (deed.withAudio) this.#talk(120);
        break;
      case 'model-calls':
        this.#tools += 1;
        model?.callTool(deed.tool, `t${this.#tools}`);
        break;
      case 'model-goes':
        model?.lose(deed.how);
        break;
      case 'model-gives-handle':
        this.#handles += 1;
        if (model === undefined) break;
        if (deed.usable) giveHandle(model, `h${this.#handles}`);
        else takeHandlesBack(model);
        break;
      case 'model-goes-away':
        model?.say({ type: 'go-away', timeLeftMs: deed.timeLeftMs });
        break;
      case 'model-forgets':
        for (const promptTokens of [9_000, 2_000])
          model?.say({
            type: 'usage',
            usage: { promptTokens, responseTokens: 1, totalTokens: promptTokens },
          });
        break;
      case 'tools-come-back':
        this.#tool.comesBack('42');
        break;
      case 'model-hears-nothing':
      case 'model-hears-again':
        if (model !== undefined) model.refusing = deed.does === 'model-hears-nothing';
        break;
      case 'caller-speaks':
        carrier?.says(SPEECH);
        break;
      case 'caller-coughs':
        carrier?.says(COUGH);
        break;
      case 'caller-stays-silent':
      case 'caller-sends-again':
        if (carrier !== null) carrier.mute = deed.does === 'caller-stays-silent';
        break;
      case 'caller-presses':
        carrier?.press(deed.digit);
        break;
      case 'carrier-talks-nonsense':
        carrier?.raw(deed.text);
        break;
      case 'another-stream':
        if (deed.repeatsWebhook && bench.registry.activeCalls > 0) bench.ring();
        this.stream(deed.starts);
        break;
      case 'stop':
        carrier?.stop();
        break;
      case 'drop':
        carrier?.drop();
        break;
      case 'socket-jams':
        if (carrier !== null) carrier.bufferedBytes = 300_000;
        break;
      case 'operator-ends':
        for (const { ref } of bench.registry.summaries())
          bench.registry.end(ref, { who: 'operator', how: 'completed', detail: '' });
        break;
      case 'carrier-says-ended':
        bench.registry.carrierSays(bench.adapter, 'CA1', 'ended', '');
        break;
      case 'drain':
        void bench.registry.drained(2_000);
        break;
    }
  }

  /** Audio that shows in every byte which piece it is: a constant, whose code in PCMU is its number. */
  #talk(ms: number): void {
    const piece = this.#said % PIECES;
    this.#said += 1;
    const [level] = PCMU.decode(Uint8Array.of(codeOf(piece)));
    this.bench.live.connections.at(-1)?.sayAudio(new Int16Array(24 * ms).fill(level!));
    // Behind it, as the piece may itself be the answer for which older ones are cleared.
    this.log.push({ said: piece });
  }

  #onWritten(written: Written): void {
    if (written.event === 'clear') this.log.push({ clear: written.atMs });
    if (written.event === 'media') this.log.push({ wrote: piecesIn(written.payload) });
  }
}

/** Codes far enough from silence that a filter's ringing does not reach them for long. */
const PIECES = 100;
const codeOf = (piece: number): number => (piece % 2 === 0 ? 0x80 : 0) + Math.floor(piece / 2);

function piecesIn(payload: Buffer): ReadonlySet<number> {
  const pieces = new Set<number>();
  let run = 0;
  for (let at = 1; at < payload.length; at++) {
    run = payload[at] === payload[at - 1] ? run + 1 : 0;
    const low = payload[at]! & 0x7f;
    if (run === 40 && low < PIECES / 2) pieces.add(low * 2 + ((payload[at]! & 0x80) === 0 ? 1 : 0));
  }
  return pieces;
}

/** The times of the clears behind which what was said before them came back on purpose: a false alarm. */
function resumedClears(bench: CallBench): ReadonlySet<number> {
  const turning = bench.entries.filter(
    ({ type }) => type === 'barge-in' || type === 'playout-resumed' || type === 'generation-over',
  );
  const resumed = new Set<number>();
  turning.forEach((entry, index) => {
    if (entry.type === 'barge-in' && turning[index + 1]?.type === 'playout-resumed') resumed.add(entry.atMs);
  });
  return resumed;
}

function staleWrites(teller: Teller): number {
  const resumed = resumedClears(teller.bench);
  let stale = 0;
  const forbidden = new Set<number>();
  const saidSinceClear = new Set<number>();
  for (const line of teller.log) {
    if ('said' in line) {
      saidSinceClear.add(line.said);
      forbidden.delete(line.said);
    } else if ('clear' in line) {
      if (!resumed.has(line.clear)) for (const piece of saidSinceClear) forbidden.add(piece);
      if (!resumed.has(line.clear)) saidSinceClear.clear();
    } else {
      for (const piece of line.wrote) if (forbidden.has(piece)) stale += 1;
    }
  }
  return stale;
}

/** No two connections were there at once, and what was held back was held until the old one was gone. */
function expectOneAtATime({ live }: CallBench): void {
  const overAtMs = ({ closedByUs, goneAtMs, lostAtMs }: ScriptedConnection): number =>
    (closedByUs ? goneAtMs : lostAtMs) ?? Number.POSITIVE_INFINITY;
  live.connections.slice(1).forEach((connection, index) => {
    expect(connection.readyAtMs).toBeGreaterThanOrEqual(overAtMs(live.connections[index]!));
  });
  for (const releasedAtMs of live.releasedAtMs) {
    for (const connection of live.connections)
      if (connection.readyAtMs < releasedAtMs) expect(overAtMs(connection)).toBeLessThanOrEqual(releasedAtMs);
  }
}

/** A tool is answered once on a connection, and never on one whose session has not asked for it. */
function expectAnswersBelong({ live }: CallBench): void {
  for (const { setup, responses, calledTools } of live.connections) {
    const ids = responses.map(({ id }) => id);
    expect(ids).toHaveLength(new Set(ids).size);
    if (setup.resumption?.handle == null) for (const id of ids) expect(calledTools).toContain(id);
  }
}

describe('whatever happens in whatever order', () => {
  it('a call ends once, leaves nothing behind, and never plays on what was cleared', async () => {
    await fc.assert(
      fc.asyncProperty(story, async (tale) => {
        const teller = new Teller(tale);
        const { bench } = teller;
        for (const [pauseMs, next] of tale.deeds) {
          await bench.run(pauseMs);
          teller.do(next);
        }
        await bench.run(1_000);
        bench.registry.carrierSays(bench.adapter, 'CA1', 'ended', '');
        await bench.run(6_500);
        expect(bench.of('call-ended')).toHaveLength(1);
        bench.expectNothingLeft();
        expect(bench.of('bug')).toEqual([]);
        expect(staleWrites(teller)).toBe(0);
        expectOneAtATime(bench);
        expectAnswersBelong(bench);
        expect(bench.of('greeting-triggered').length).toBeLessThanOrEqual(2);
        expect(bench.of('generation-over').every(({ heardMs }) => heardMs >= 0)).toBe(true);
        // Nothing reaches a model before it is asked to greet.
        const first = bench.live.connections.flatMap(({ sent }) => sent.slice(0, 1));
        if (first[0] !== undefined) expect(first[0]).toMatchObject({ text: bench.bot.greeting.instruction });
      }),
      {
        numRuns: Number(process.env['CHAOS_RUNS'] ?? 300),
        seed: Number(process.env['CHAOS_SEED'] ?? 20_261),
      },
    );
  }, 60_000);
});
