/** What a call of the laboratory is made of; by chance, everything follows from the seed and the call's number. */
import type { ToolRunner } from '../../call/tool-answer.ts';
import type { Clock } from '../../clock.ts';
import { BEHAVIOUR_IDS, BEHAVIOUR_ROWS, type BehaviourValues } from '../../gemini/behaviours.ts';
import { DEFAULT_MODEL, FAMILIES, type FamilyId } from '../../gemini/families.ts';
import type { ToolDeclaration } from '../../gemini/setup.ts';
import { FAULT_NAMES, type FaultFile, type FaultName, makeFaults } from '../emulator/faults/catalogue.ts';
import { randomFaults } from '../emulator/faults/random-faults.ts';
import { FAIR_WEATHER, type LineWeather } from '../network/line.ts';
import { type Random, seededRandom } from '../network/random.ts';
import {
  type ModelPlan,
  makeReply,
  makeScenario,
  type PlannedCall,
  type Reply,
  type Scenario,
} from '../scenario.ts';
import { randomStory, type Story } from './story.ts';
import { modelClip } from './voices.ts';

/** What can go wrong beside the faults of the emulated service. */
export const LAB_FAULTS = ['lifetime', 'weather', 'streams', 'mass-loss', 'away'] as const;
export type LabFault = (typeof LAB_FAULTS)[number];
export type FaultKind = FaultName | LabFault;
export const ALL_FAULTS: readonly FaultKind[] = [...LAB_FAULTS, ...FAULT_NAMES];

export interface CallPlan {
  readonly number: number;
  readonly seed: number;
  /** From the beginning of the exchange to the ringing. */
  readonly ringsAtMs: number;
  readonly story: Story;
  readonly scenario: Scenario;
  readonly carrierWeather: LineWeather;
  readonly modelWeather: LineWeather;
  readonly handshakeMs: number;
  /** As in bot.yaml. */
  readonly bot: Readonly<Record<string, unknown>>;
  /** Tools of the bot's; absent: it has none. */
  readonly tools?: LabTools;
}

export interface LabTools {
  /** Which of the bot's answers to utterances call tools, by their number from 0. */
  readonly calls: Readonly<Record<number, readonly PlannedCall[]>>;
  readonly declared: readonly ToolDeclaration[];
  readonly runner: (clock: Clock) => ToolRunner;
}

export interface Mix {
  readonly seed: number;
  readonly minutes: number;
  readonly faults: ReadonlySet<FaultKind>;
  /** Between two faults of the service, minutes. */
  readonly meanMinutes: number;
  readonly families: readonly FamilyId[];
  /** Other values than the likeliest in the table of what nobody knows. */
  readonly behaviours: boolean;
}

export const MODELS: Readonly<Record<FamilyId, string>> = {
  '2.5': 'gemini-2.5-flash-native-audio-preview-12-2025',
  '3.1': 'gemini-3.1-flash-live-preview',
  '3.8': DEFAULT_MODEL,
  '3.8-extended-thinking': 'gemini-3.8-live-extended-thinking',
};

/** Long enough that a connection never ends by its age. */
export const AGELESS_MS = 86_400_000;
const RINGING_MS = 20_000;
/** Ways of cutting audio into chunks, shared by all calls. */
const CUTS = 3;
const ANSWERS = 40;

/** Any two numbers make a seed of their own. */
export const seedOf = (seed: number, number: number): number =>
  (Math.imul(seed + 1, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b)) >>> 0;

export function planCall(mix: Mix, number: number): CallPlan {
  const seed = seedOf(mix.seed, number);
  const random = seededRandom(seed);
  const { faults } = mix;
  const family = oneOf(random, mix.families);
  const behaviours = {
    ...(mix.behaviours ? randomBehaviours(random) : {}),
    // One value of this row ends every connection after five minutes.
    ...(faults.has('lifetime') ? {} : { goAwayLead: 'none' as const }),
    // Of these models nothing can be asked in text but this way.
    ...(FAMILIES[family].textBy === 'client-content' ? { clientContentInMidCall: 'accepted' as const } : {}),
  };
  const connectionMs = 30_000 + random() ** 2 * 560_000;
  const kinds = FAULT_NAMES.filter((name) => faults.has(name));
  const files =
    kinds.length === 0
      ? []
      : randomFaults(random, { minutes: mix.minutes * 1.3, kinds, perMinute: 1 / mix.meanMinutes });
  return {
    number,
    seed,
    ringsAtMs: Math.round(random() * RINGING_MS),
    story: randomStory(random, mix.minutes, faults.has('streams')),
    scenario: labScenario({
      faults: files,
      hangsUp: random() < 0.2 ? Math.floor(random() * ANSWERS) : null,
      model: {
        seed: 1 + (seed % CUTS),
        setupDelayMs: between(random, 80, 600),
        firstAudioMs: between(random, 300, 1_200),
        pace: oneOf(random, [1.5, 3, 3, 5, 'burst']),
        behaviours,
        connectionMs: faults.has('lifetime') ? Math.round(connectionMs) : AGELESS_MS,
      },
    }),
    carrierWeather: faults.has('weather') ? randomWeather(random) : { ...FAIR_WEATHER, delayMs: 20 },
    modelWeather: faults.has('weather') ? randomWeather(random) : { ...FAIR_WEATHER, delayMs: 20 },
    handshakeMs: between(random, 60, 300),
    bot: {
      model: MODELS[family],
      greeting: { mode: random() < 0.85 ? 'at-once' : 'after-caller' },
      limits: { maxMinutes: 1_440 },
    },
  };
}

/**
 * A bot that greets when it is asked to, answers every utterance and every key, and calls a tool when told to.
 * @param hangsUp with which answer it hangs up; null: never
 */
export function labScenario(parts: {
  readonly faults?: readonly FaultFile[];
  readonly hangsUp?: number | null;
  readonly calls?: LabTools['calls'];
  readonly model?: Partial<ModelPlan>;
}): Scenario {
  const answers = Array.from({ length: ANSWERS }, (_, index): Reply => answer(`answer ${index}`));
  const { hangsUp = null } = parts;
  if (hangsUp !== null) {
    const calls = [{ name: 'hang_up', args: {}, when: 'after', followUp: null }] as const;
    answers[hangsUp] = { ...answer('goodbye'), calls };
  }
  for (const [number, calls] of Object.entries(parts.calls ?? {}))
    answers[Number(number)] = { ...answer(`answer ${number}`), calls };
  return makeScenario({
    name: 'laboratory',
    onText: [
      { match: 'A caller is on the line', reply: answer(GREETING) },
      { match: 'pressed these keys', reply: answer('keys') },
    ],
    otherwise: answers,
    faults: makeFaults(parts.faults ?? []),
    ...(parts.model === undefined ? {} : { model: parts.model }),
  });
}

/** The text of a reply that greets. */
export const GREETING = 'greeting';

/** One of the bot's answers, in a voice that is told apart from every other. */
export const answer = (text: string): Reply =>
  makeReply({ clip: modelClip(0), text, hears: `before ${text}` });

function randomBehaviours(random: Random): Partial<BehaviourValues> {
  const values: Record<string, unknown> = {};
  for (const id of BEHAVIOUR_IDS) {
    const drawn = random();
    // Half the rows at their likeliest: a call under nothing but oddities tells little.
    if (drawn < 0.5) continue;
    const row = BEHAVIOUR_ROWS[id].values;
    values[id] = row[Math.floor((drawn - 0.5) * 2 * row.length)];
  }
  return values as Partial<BehaviourValues>;
}

function randomWeather(random: Random): LineWeather {
  const kind = random();
  const delayMs = between(random, 5, 90);
  if (kind < 0.4) return { ...FAIR_WEATHER, delayMs };
  if (kind < 0.8) return { delayMs, jitterMs: between(random, 2, 30), lateShare: 0, lateByMs: 0 };
  return {
    delayMs,
    jitterMs: between(random, 2, 20),
    lateShare: 0.002,
    lateByMs: between(random, 100, 400),
  };
}

const between = (random: Random, low: number, high: number): number =>
  Math.round(low + random() * (high - low));
const oneOf = <T>(random: Random, choices: readonly T[]): T =>
  choices[Math.floor(random() * choices.length)]!;
