/**
 * Single situations on virtual time: calls whose story is written down, with faults and calamities at set moments.
 *
 * ```ts
 * const { broken, call } = await runLabCalls({
 *   acts: [talk(2_000), wait(3_000), talk(1_500)],
 *   faults: [{ at: 'second:9', fault: 'go-away', timeLeftMs: 10_000 }],
 * });
 * expect(broken).toEqual([]);
 * ```
 *
 * The call rings at 0; the carrier's stream begins 300 ms later. `second:N` of a fault counts from the first connect
 * (right after the ringing), `atMs` of a calamity from the ringing. Every invariant of the laboratory is checked.
 */
import type { JournalEntry, JournalEntryOf } from '../../call/journal.ts';
import type { FamilyId } from '../../gemini/families.ts';
import type { FaultFile } from '../emulator/faults/catalogue.ts';
import { FAIR_WEATHER, type LineWeather } from '../network/line.ts';
import type { ModelPlan } from '../scenario.ts';
import { type Calamity, Exchange, type Sabotage, type Sound } from './exchange.ts';
import { NOTHING_LEFT } from './invariants/all.ts';
import type { LabCall } from './lab-call.ts';
import { AGELESS_MS, type LabTools, labScenario, MODELS, seedOf } from './plan.ts';
import { type BrokenInvariant, judge } from './run-lab.ts';
import { type Act, scriptedStory } from './story.ts';

export interface LabCallOptions {
  /** At their end the caller hangs up. */
  readonly acts: readonly Act[];
  /** So many callers tell the same story at once; they ring within a second. Default 1. */
  readonly calls?: number;
  readonly family?: FamilyId;
  /** Connections never end by their age unless `connectionMs` says so. */
  readonly model?: Partial<ModelPlan>;
  readonly faults?: readonly FaultFile[];
  readonly calamities?: readonly Calamity[];
  /** As in bot.yaml. */
  readonly bot?: Readonly<Record<string, unknown>>;
  /** One way; default 20 ms each. */
  readonly carrierWeather?: LineWeather;
  readonly modelWeather?: LineWeather;
  /** TCP, TLS and the upgrade. Default 120 ms. */
  readonly handshakeMs?: number;
  readonly sound?: Sound;
  readonly tools?: LabTools;
  readonly seed?: number;
  readonly sabotage?: Sabotage;
  /** The laboratory ends what has not ended by then. Default three hours. */
  readonly longestMs?: number;
}

export interface LabCallResult {
  /** The first one. */
  readonly call: LabCall;
  readonly calls: readonly LabCall[];
  readonly broken: readonly BrokenInvariant[];
  /** The journal of a call, the first one's by default. */
  journal(number?: number): readonly JournalEntry[];
  of<T extends JournalEntry['type']>(type: T, number?: number): readonly JournalEntryOf<T>[];
}

const CLEAR: LineWeather = { ...FAIR_WEATHER, delayMs: 20 };
const RINGS_WITHIN_MS = 1_000;

export async function runLabCalls(options: LabCallOptions): Promise<LabCallResult> {
  const { calls = 1, seed = 1, sound = 'counters', family = '3.8' } = options;
  const journals = Array.from({ length: calls }, (): JournalEntry[] => []);
  const { tools } = options;
  const scenario = labScenario({
    faults: options.faults ?? [],
    ...(tools === undefined ? {} : { calls: tools.calls }),
    model: { connectionMs: AGELESS_MS, ...options.model, behaviours: behavioursOf(options) },
  });
  const exchange = new Exchange({
    seed,
    sound,
    calamities: options.calamities ?? [],
    onEntry: (number, entry) => journals[number]?.push(entry),
    ...(options.sabotage === undefined ? {} : { sabotage: options.sabotage }),
    plans: journals.map((_, number) => ({
      number,
      seed: seedOf(seed, number),
      ringsAtMs: Math.floor((number * RINGS_WITHIN_MS) / calls),
      story: scriptedStory(options.acts),
      scenario,
      carrierWeather: options.carrierWeather ?? CLEAR,
      modelWeather: options.modelWeather ?? CLEAR,
      handshakeMs: options.handshakeMs ?? 120,
      bot: { model: MODELS[family], ...options.bot },
      ...(tools === undefined ? {} : { tools }),
    })),
  });
  await exchange.run(options.longestMs ?? 3 * 3_600_000);
  await exchange.finish();
  const broken = exchange.calls.flatMap((call) => judge(call, sound, seed));
  for (const detail of exchange.leftovers)
    broken.push({
      invariant: NOTHING_LEFT.name,
      sentence: NOTHING_LEFT.sentence,
      seed,
      call: null,
      atMs: null,
      detail,
    });
  const journal = (number = 0): readonly JournalEntry[] => journals[number] ?? [];
  return {
    call: exchange.calls[0]!,
    calls: exchange.calls,
    broken,
    journal,
    of: <T extends JournalEntry['type']>(type: T, number = 0) =>
      journal(number).filter((entry): entry is JournalEntryOf<T> => entry.type === type),
  };
}

/** One value of the row ends every connection after five minutes: only where the test asks for it. */
const behavioursOf = ({ model }: LabCallOptions): ModelPlan['behaviours'] =>
  model?.connectionMs === undefined ? { goAwayLead: 'none', ...model?.behaviours } : (model.behaviours ?? {});
