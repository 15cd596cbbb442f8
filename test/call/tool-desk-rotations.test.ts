import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HandleRecord } from '../../src/call/handles.ts';
import type { ToolRunner } from '../../src/call/tool-answer.ts';
import { ToolDesk, type ToolFact } from '../../src/call/tool-desk.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';

/** What a session holds: the calls that it waits for, by id, with what they are about. */
type Waiting = ReadonlyMap<string, number>;

interface Outcome {
  readonly kind: 'good' | 'bad' | 'never';
  readonly afterMs: number;
}

type Step =
  | { readonly do: 'ask'; readonly count: number; readonly outcome: Outcome }
  | { readonly do: 'ask again' }
  | { readonly do: 'repeat the message' }
  | { readonly do: 'cancel'; readonly pick: number }
  | { readonly do: 'handle' }
  /** `forgets`: the session is taken up without the calls that waited at the handle. */
  | { readonly do: 'cut'; readonly outageMs: number; readonly pick: number | null; readonly forgets: boolean }
  | { readonly do: 'refuse'; readonly ms: number }
  | { readonly do: 'wait'; readonly ms: number };

const outcome: fc.Arbitrary<Outcome> = fc.record({
  kind: fc.constantFrom('good', 'good', 'bad', 'never'),
  afterMs: fc.constantFrom(0, 0, 300, 2_000, 7_999, 8_001, 12_000),
});
const ms = fc.constantFrom(0, 100, 1_000, 5_000, 9_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('ask'), count: fc.integer({ min: 1, max: 3 }), outcome }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('ask again') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat the message') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel'), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('handle') }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('cut'),
      outageMs: ms,
      pick: fc.option(fc.nat()),
      forgets: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse'), ms }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait'), ms }) },
) as fc.Arbitrary<Step>;

/**
 * A Gemini that is written down from its own side: it knows what it waits for, forgets at a resume what came after the
 * handle, and asks again for what it has forgotten. It holds the desk to the rules at everything that reaches it.
 */
class Gemini {
  readonly clock = new VirtualClock();
  readonly facts: ToolFact[] = [];
  /** How often each matter was carried out, and how often it came back well. */
  readonly runs: number[] = [];
  readonly outcomes: Outcome[] = [];
  readonly cancelled = new Set<string>();
  readonly told: string[] = [];
  /** Ids with the connection on which their results were told. */
  readonly toldOn: string[] = [];
  readonly desk: ToolDesk;
  epoch = 1;
  up = true;
  takes = true;
  waiting: Waiting = new Map();
  /** Matters that were open when they were forgotten, and when that was: asked again soon, they must not be run again. */
  readonly forgotten = new Map<number, number>();
  readonly handles: {
    readonly record: HandleRecord;
    readonly waiting: Waiting;
    readonly lost: ReadonlySet<string>;
  }[] = [];
  /** Calls that this connection should know by its handle, and does not; and those whose answers it has ignored. */
  lost = new Set<string>();
  readonly ignored = new Map<string, number>();
  readonly spokeAtMs: number[] = [];
  lastCalls: { id: string; name: string; args: { matter: number } }[] = [];
  #ids = 0;

  constructor() {
    const run: ToolRunner['run'] = (call) => {
      const matter = call.args['matter'] as number;
      this.runs[matter] = (this.runs[matter] ?? 0) + 1;
      const { kind, afterMs } = this.outcomes[matter] as Outcome;
      return new Promise((resolve, reject) => {
        if (kind === 'never') return;
        this.clock.setTimer(afterMs, () => {
          if (kind === 'good') resolve({ response: { matter } });
          else reject(new Error('bad'));
        });
      });
    };
    this.desk = new ToolDesk(
      this.clock,
      { has: () => true, run },
      {
        answer: (responses) => {
          expect(this.up).toBe(true);
          if (!this.takes) return false;
          for (const { id, response } of responses) {
            if (this.lost.has(id)) {
              this.ignored.set(id, this.clock.now());
              continue;
            }
            this.#speaksSoon();
            // Known to this connection, and not answered in what it remembers.
            expect(this.waiting.has(id)).toBe(true);
            expect(this.cancelled.has(id)).toBe(false);
            const matter = this.waiting.get(id);
            if (!('error' in response)) expect(response).toEqual({ matter });
            this.waiting = new Map([...this.waiting].filter(([each]) => each !== id));
          }
          return true;
        },
        tell: (text) => {
          expect(this.up).toBe(true);
          if (this.takes) this.told.push(text);
          return this.takes;
        },
        builtIn: () => null,
        note: (fact) => {
          this.facts.push(fact);
          if (fact.type === 'tool-answered' && fact.by === 'text')
            this.toldOn.push(`${fact.id} ${this.epoch}`);
        },
        onBug: (_where, caught) => expect.unreachable(String(caught)),
      },
    );
    this.desk.connection(1, null);
  }

  ask(matters: readonly number[]): void {
    this.lastCalls = matters.map((matter) => ({ id: `id${this.#ids++}`, name: 'do', args: { matter } }));
    this.waiting = new Map([
      ...this.waiting,
      ...this.lastCalls.map(({ id, args }) => [id, args.matter] as const),
    ]);
    this.desk.called(this.lastCalls, this.epoch, this.clock.now());
  }

  handle(): void {
    const record: HandleRecord = {
      handle: `h${this.handles.length}`,
      atMs: this.clock.now(),
      epochMs: 0,
      under: this.waiting.size > 0 ? 'tool' : 'nothing',
      uplinkPosition: 0,
      epoch: this.epoch,
      consumedIndex: null,
    };
    this.handles.push({ record, waiting: this.waiting, lost: this.lost });
  }

  /** It speaks about what it was answered, unless its connection breaks before. */
  #speaksSoon(): void {
    const { epoch } = this;
    this.clock.setTimer(1_200, () => {
      if (!this.up || this.epoch !== epoch) return;
      this.spokeAtMs.push(this.clock.now());
      this.desk.modelSpoke();
    });
  }

  resume(pick: number | null, forgets: boolean): void {
    const handle = pick === null ? undefined : this.handles.slice(-6)[pick % 6];
    const held = new Map([...(handle?.waiting ?? [])].filter(([id]) => !this.cancelled.has(id)));
    const before = new Map([...this.waiting, ...held]);
    this.waiting = forgets ? new Map() : held;
    this.lost = new Set([...(handle?.lost ?? []), ...(forgets ? held.keys() : [])]);
    for (const [id, matter] of before) {
      if (!this.waiting.has(id)) this.forgotten.set(matter, this.clock.now());
    }
    for (const matter of this.waiting.values()) this.forgotten.delete(matter);
    this.epoch += 1;
    this.up = true;
    this.desk.connection(this.epoch, handle?.record ?? null);
  }
}

async function play(gemini: Gemini, each: Step): Promise<void> {
  const { clock, desk } = gemini;
  switch (each.do) {
    case 'ask': {
      const first = gemini.outcomes.length;
      const matters = Array.from({ length: each.count }, (_, i) => first + i);
      for (const _ of matters) gemini.outcomes.push(each.outcome);
      gemini.ask(matters);
      break;
    }
    case 'ask again': {
      const [oldest] = [...gemini.forgotten].filter(([, atMs]) => clock.now() - atMs <= 30_000);
      if (oldest === undefined) break;
      const [matter] = oldest;
      gemini.forgotten.delete(matter);
      const runs = gemini.runs[matter];
      gemini.ask([matter]);
      const { kind, afterMs } = gemini.outcomes[matter] as Outcome;
      if (kind === 'good' && afterMs < 8_000) expect(gemini.runs[matter]).toBe(runs);
      break;
    }
    case 'repeat the message':
      desk.called(
        gemini.lastCalls.filter(({ id }) => gemini.waiting.has(id)),
        gemini.epoch,
        clock.now(),
      );
      break;
    case 'cancel': {
      const ids = [...gemini.waiting.keys()];
      const id = ids[each.pick % Math.max(1, ids.length)];
      if (id === undefined) break;
      gemini.cancelled.add(id);
      gemini.waiting = new Map([...gemini.waiting].filter(([other]) => other !== id));
      desk.cancelled([id], clock.now());
      break;
    }
    case 'handle':
      gemini.handle();
      break;
    case 'cut':
      gemini.up = false;
      desk.connection(null, null);
      await clock.advanceAsync(each.outageMs);
      gemini.resume(each.pick, each.forgets);
      break;
    case 'refuse':
      gemini.takes = false;
      await clock.advanceAsync(each.ms);
      gemini.takes = true;
      desk.flush();
      break;
    case 'wait':
      await clock.advanceAsync(each.ms);
      break;
  }
  // Handles, calls and answers of one instant cannot be told apart by their times; on a line they never share one.
  await clock.advanceAsync(1);
}

test('whatever the calls, cancellations, rotations and tools do, each call is answered once, where it is known', async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
      const gemini = new Gemini();
      for (const each of steps) await play(gemini, each);
      await gemini.clock.advanceAsync(20_000);
      // Whatever is owed has been given: nothing waits, on either side.
      expect(gemini.desk.pending).toBe(0);
      expect([...gemini.waiting.keys()]).toEqual([]);
      // Each call came to exactly one end, but for those that the session forgot to have been answered.
      const called = gemini.facts.filter((fact) => fact.type === 'tool-called').map(({ id }) => id);
      expect(new Set(called).size).toBe(called.length);
      const texts = gemini.facts.filter((fact) => fact.type === 'tool-answered' && fact.by === 'text');
      expect(texts).toHaveLength(gemini.told.length);
      expect(new Set(gemini.toldOn).size).toBe(texts.length);
      for (const id of called) {
        const ends = gemini.facts.filter(
          (fact) =>
            (fact.type === 'tool-answered' && fact.id === id) ||
            (fact.type === 'tools-cancelled' && fact.ids.includes(id)),
        );
        const isRepeated = gemini.facts.some(
          (fact) => fact.type === 'tool-repeated' && (fact.firstId === id || fact.id === id),
        );
        if (!isRepeated) expect(ends.length).toBeGreaterThanOrEqual(1);
        const isTold = texts.some((fact) => 'id' in fact && fact.id === id);
        const ignoredAtMs = gemini.ignored.get(id) ?? Number.NaN;
        // What the model speaks about then cannot be told from its answer to this.
        const spoke = gemini.spokeAtMs.some((atMs) => atMs >= ignoredAtMs && atMs <= ignoredAtMs + 2_500);
        const isOwed = ignoredAtMs >= 0 && !spoke && !isRepeated && !gemini.cancelled.has(id);
        if (isOwed) expect(isTold).toBe(true);
        told += isOwed ? 1 : 0;
      }
      gemini.desk.end();
      await gemini.clock.advanceAsync(60_000);
      expect(gemini.clock.pendingTimers).toBe(0);
    }),
    { seed: 21, numRuns: 1_000 },
  );
  expect(told).toBeGreaterThan(100);
});
