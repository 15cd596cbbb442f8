/** A scenario: what the caller of a simulated call does, and what the emulated model answers. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { messageOf, OffhookError } from '../errors.ts';
import { type BehaviourValues, parseBehaviours } from '../gemini/behaviours.ts';
import { type Clip, loadClip, phraseFor, tonePhrase } from './clip.ts';
import type { Fault } from './emulator/faults/catalogue.ts';
import { type ReplyFile, type ScenarioFile, scenarioSchema } from './scenario-schema.ts';

export interface ModelPlan {
  readonly seed: number;
  readonly setupDelayMs: number;
  /** End of the caller's utterance (the detector's silence included) to the first audio of the answer. */
  readonly firstAudioMs: number;
  /** Start of the caller's speech to `interrupted`. */
  readonly interruptDelayMs: number;
  /** Play-out time of what is sent over the time in which it is sent. */
  readonly pace: number | 'burst' | 'realtime';
  /** Sizes that audio chunks are drawn from. */
  readonly chunkBytes: readonly number[];
  /** Null leaves it to the row of the behaviours. */
  readonly staleChunksAfterInterrupt: number | null;
  readonly behaviours: Partial<BehaviourValues>;
  readonly connectionMs: number;
  readonly sessionCapMs: number;
  /** Sessions that the service has at once, and that it lets in within a minute; more are over the quota. */
  readonly maxSessions: number;
  readonly connectsPerMinute: number;
}

export interface PlannedCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Before or after the spoken part of the reply. */
  readonly when: 'before' | 'after';
  /** What the model says once a response has come; null when it has nothing to add. */
  readonly followUp: Reply | null;
}

export interface Reply {
  /** What the input transcription says the caller said; null sends none. */
  readonly hears: string | null;
  /** What the output transcription says; may be empty. */
  readonly text: string;
  /** Null: a turn without audio. */
  readonly clip: Clip | null;
  /** Null: the model's `firstAudioMs`. */
  readonly delayMs: number | null;
  readonly calls: readonly PlannedCall[];
}

export interface CallerPlan {
  /** Absolute path of the recorded caller. */
  readonly wavPath: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly dtmf: readonly { readonly atMs: number; readonly digit: string }[];
}

export interface Scenario {
  readonly name: string;
  readonly description: string;
  readonly caller: CallerPlan | null;
  readonly model: ModelPlan;
  /** The answer to the first text; null when the model waits to be spoken to. */
  readonly greeting: Reply | null;
  readonly replies: readonly Reply[];
  readonly onText: readonly { readonly match: string; readonly reply: Reply }[];
  /** After the last reply these take turns; empty: the model keeps silent. */
  readonly otherwise: readonly Reply[];
  /** What goes wrong, and when. In code: `makeFaults`, `randomFaults`. */
  readonly faults: readonly Fault[];
  readonly expect: NonNullable<ScenarioFile['expect']>;
}

export const DEFAULT_MODEL: ModelPlan = {
  seed: 1,
  setupDelayMs: 250,
  firstAudioMs: 700,
  interruptDelayMs: 200,
  pace: 3,
  chunkBytes: [1920, 2400, 7680, 9600, 11_520, 15_360],
  staleChunksAfterInterrupt: null,
  behaviours: {},
  // Connections were seen to end after 590 s; a session without compression lasts fifteen minutes (guides).
  connectionMs: 590_000,
  sessionCapMs: 900_000,
  maxSessions: Number.POSITIVE_INFINITY,
  connectsPerMinute: Number.POSITIVE_INFINITY,
};

export const makeReply = (reply: Partial<Reply>): Reply => ({
  hears: null,
  text: '',
  clip: null,
  delayMs: null,
  calls: [],
  ...reply,
});

/** A scenario in code: what is not given is empty, and the model has its defaults. */
export function makeScenario(
  parts: Partial<Omit<Scenario, 'model'>> & { readonly model?: Partial<ModelPlan> },
): Scenario {
  return {
    name: 'in-code',
    description: '',
    caller: null,
    greeting: null,
    replies: [],
    onText: [],
    otherwise: [],
    faults: [],
    expect: {},
    ...parts,
    model: { ...DEFAULT_MODEL, ...parts.model },
  };
}

/**
 * Reads a scenario file and the recordings it names.
 * @throws OffhookError `ERR_SCENARIO` that lists every problem, each with the path of its key
 */
export function loadScenario(path: string): Scenario {
  let document: unknown;
  try {
    document = parseYaml(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new OffhookError(
      'ERR_SCENARIO',
      `Reading the scenario "${path}": found "${messageOf(error)}", wanted a YAML file`,
      { cause: error },
    );
  }
  return parseScenario(document, { name: path, directory: dirname(resolve(path)) });
}

/** As `loadScenario`, from a value; paths are taken relative to `directory`. */
export function parseScenario(value: unknown, source: { name: string; directory: string }): Scenario {
  const clips = new Map<string, Clip>();
  const problems = loadClips(value, source.directory, clips);
  const parsed = scenarioSchema.safeParse(value);
  for (const issue of parsed.error?.issues ?? []) {
    problems.push(`${issue.path.join('.') || '(whole file)'}: ${issue.message}`);
  }
  let behaviours: Partial<BehaviourValues> = {};
  try {
    behaviours = parseBehaviours(behavioursOf(value));
  } catch (error) {
    problems.push(`model.behaviours: ${messageOf(error)}`);
  }
  if (parsed.data === undefined || problems.length > 0) {
    throw new OffhookError(
      'ERR_SCENARIO',
      `Reading the scenario "${source.name}": found ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}, wanted none\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    );
  }
  return build(parsed.data, behaviours, clips, source);
}

function build(
  file: ScenarioFile,
  behaviours: Partial<BehaviourValues>,
  clips: ReadonlyMap<string, Clip>,
  source: { name: string; directory: string },
): Scenario {
  const reply = (from: ReplyFile): Reply => ({
    hears: from.hears ?? null,
    text: from.text ?? '',
    clip: from.say === undefined ? (from.text ? phraseFor(from.text) : null) : clips.get(from.say)!,
    delayMs: from.delayMs ?? null,
    calls: (from.tools ?? []).map((call) => ({
      name: call.name,
      args: call.args,
      when: call.when,
      followUp: call.followUp === undefined ? null : reply(call.followUp),
    })),
  });
  const otherwise = file.otherwise ?? [];
  const { behaviours: _, ...model } = file.model ?? {};
  return makeScenario({
    name: source.name,
    description: file.description ?? '',
    caller:
      file.caller === undefined
        ? null
        : {
            wavPath: resolve(source.directory, file.caller.wav),
            from: file.caller.from ?? null,
            to: file.caller.to ?? null,
            dtmf: file.caller.dtmf ?? [],
          },
    model: { ...DEFAULT_MODEL, ...withoutUndefined(model), behaviours },
    greeting: file.greeting === undefined ? null : reply(file.greeting),
    replies: (file.replies ?? []).map(reply),
    onText: (file.onText ?? []).map(({ match, ...rest }) => ({ match, reply: reply(rest) })),
    otherwise: (Array.isArray(otherwise) ? otherwise : [otherwise]).map(reply),
    faults: file.faults ?? [],
    expect: file.expect ?? {},
  });
}

/** From the document as it came, so that a wrong row is listed along with whatever else is wrong. */
function behavioursOf(value: unknown): Record<string, unknown> {
  const shape = z.object({ model: z.object({ behaviours: z.record(z.string(), z.unknown()) }) });
  return shape.safeParse(value).data?.model.behaviours ?? {};
}

const withoutUndefined = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, given]) => given !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

/** Loads every `say` and looks for every `wav` of a document, whatever else is wrong with it. */
function loadClips(value: unknown, directory: string, clips: Map<string, Clip>, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const problems: string[] = [];
  for (const [key, inner] of Object.entries(value)) {
    const at = path === '' ? key : `${path}.${key}`;
    if (key === 'wav' && typeof inner === 'string') {
      if (!existsSync(resolve(directory, inner))) problems.push(`${at}: no file "${inner}"`);
    } else if (key === 'say' && typeof inner === 'string') {
      try {
        if (!clips.has(inner)) clips.set(inner, loadClip(resolve(directory, inner), inner));
      } catch (error) {
        problems.push(`${at}: "${inner}" cannot be read: ${messageOf(error)}`);
      }
    } else if (key !== 'args') {
      problems.push(...loadClips(inner, directory, clips, at));
    }
  }
  return problems;
}

/** At the same place beside the sources and beside the built files. */
const BOT_VOICES = fileURLToPath(new URL('../../fixtures/voices/bot', import.meta.url));

/**
 * The bot of the laboratory: greets, and answers every utterance with another clip. Where the recorded voices are not
 * installed it hums instead.
 * @param voices the folder of the bot's clips
 */
export function defaultScenario(voices: string = BOT_VOICES): Scenario {
  const names = existsSync(voices) ? readdirSync(voices).filter((name) => name.endsWith('.wav')) : [];
  const clips = names.sort().map((name) => loadClip(join(voices, name), name));
  const spoken = clips.length > 0 ? clips : [2600, 3400, 1800].map((ms, n) => tonePhrase(`phrase ${n}`, ms));
  const greeting = spoken.find((clip) => clip.name.startsWith('greeting')) ?? spoken[0]!;
  const answers = spoken.filter((clip) => clip !== greeting);
  return makeScenario({
    name: 'default',
    description: 'Greets, and answers every utterance with another clip.',
    greeting: makeReply({ clip: greeting, text: '(greeting)' }),
    otherwise: answers.map((clip) => makeReply({ clip, text: `(${clip.name})`, hears: '(something)' })),
  });
}
