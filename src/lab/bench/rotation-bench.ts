/**
 * Fifty calls whose connections to the model are replaced all the time: real sockets, the real SDK, three processes
 * (the gateway, Gemini's side, the callers), and a round for each delay that a set-up may have. What must hold is
 * asserted; what depends on the machine is printed beside its goal.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PCMU } from '../../audio/g711.ts';
import { createResampler } from '../../audio/resample.ts';
import { systemClock } from '../../clock.ts';
import { messageOf } from '../../errors.ts';
import type { CallRun } from '../caller/call-run.ts';
import { placeCall } from '../caller/twilio/place-call.ts';
import { loadClip } from '../clip.ts';
import { seededRandom } from '../network/random.ts';
import { BenchProcess } from './bench-process.ts';
import { type CallerScript, GREET, readVoices, scriptOf, type Voices } from './rotation-callers.ts';
import { type CallVerdict, type JudgedCall, judge } from './rotation-judge.ts';
import type {
  FromRotationGateway,
  FromRotationModel,
  ToRotationGateway,
  ToRotationModel,
} from './rotation-protocol.ts';
import { type RoundFigures, roundOf } from './rotation-round.ts';

export interface RotationBenchOptions {
  readonly calls: number;
  /** Of each round. */
  readonly seconds: number;
  /** Of setup, at Gemini's side: a round for each. */
  readonly delaysMs?: readonly number[];
  /** How long a connection lives; ten seconds before its end, or a second after its beginning, it is told so. */
  readonly connectionMs?: number;
  /** Of all connections, those that are cut without a word: of every twenty in a row one, at 0.05. */
  readonly cutShare?: number;
  /** At the end of a call: what was said last has to be heard and answered. */
  readonly settleMs?: number;
  /** Script that runs the gateway. */
  readonly gatewayScript: string;
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
}

export interface RotationBenchResult {
  readonly calls: number;
  readonly seconds: number;
  readonly connectionMs: number;
  readonly cutShare: number;
  readonly rounds: readonly RoundFigures[];
}

export const SETUP_DELAYS_MS: readonly number[] = [250, 800, 3_000];
const CONNECTION_MS = 15_000;
/** Between the first rings. */
const STAGGER_MS = 80;
const CUT_SHARE = 0.05;
const SETTLE_MS = 7_000;
const LINGER_MS = 200;
const REPORT_EVERY_MS = 5_000;
const FIXTURES = fileURLToPath(new URL('../../../fixtures', import.meta.url));
const here = (name: string): string =>
  fileURLToPath(new URL(`${name}${extname(import.meta.url)}`, import.meta.url));

/** @throws OffhookError when a process of the bench fails; broken rules are in the result */
export async function runRotationBench(options: RotationBenchOptions): Promise<RotationBenchResult> {
  const { calls, seconds, delaysMs = SETUP_DELAYS_MS, signal } = options;
  const { connectionMs = CONNECTION_MS, cutShare = CUT_SHARE } = options;
  const voices = readVoices(join(FIXTURES, 'calls'));
  const rounds: RoundFigures[] = [];
  for (const setupDelayMs of delaysMs) {
    if (signal.aborted) break;
    rounds.push(await runRound(setupDelayMs, voices, options));
  }
  return { calls, seconds, connectionMs, cutShare, rounds };
}

interface Caller {
  readonly name: string;
  readonly number: string;
  readonly script: CallerScript;
  readonly journal: JudgedCall['journal'][number][];
  run: CallRun | null;
  failure: string | null;
}

async function runRound(
  setupDelayMs: number,
  voices: Voices,
  options: RotationBenchOptions,
): Promise<RoundFigures> {
  const { calls, seconds, onProgress } = options;
  const { connectionMs = CONNECTION_MS, cutShare = CUT_SHARE, settleMs = SETTLE_MS } = options;
  const folder = mkdtempSync(join(tmpdir(), 'offhook-rotation-'));
  const callers = makeCallers(calls, seconds, settleMs + setupDelayMs, voices);
  const byName = new Map(callers.map((caller) => [caller.name, caller]));
  const model = new BenchProcess<ToRotationModel, FromRotationModel>({
    what: 'Gemini’s side',
    args: [here('./rotation-model'), ...[setupDelayMs, connectionMs, cutShare].map(String)],
    env: {},
  });
  let gateway: BenchProcess<ToRotationGateway, FromRotationGateway> | null = null;
  try {
    const { url } = await model.wait('ready');
    writeBots(join(folder, 'bots'), callers);
    const env = gatewayEnv(url, folder, calls);
    gateway = new BenchProcess({ what: 'the gateway', args: [options.gatewayScript], env }, (message) => {
      if (message.type !== 'entry') return false;
      byName.get(message.bot)?.journal.push({ entry: message.entry, epochMs: message.epochMs });
      return true;
    });
    const ready = await gateway.wait('ready');
    const startedAtMs = performance.now();
    const telling = setInterval(() => {
      const atS = Math.min(seconds, Math.round((performance.now() - startedAtMs) / 1_000));
      onProgress(`set-up ${setupDelayMs} ms: ${atS} of ${seconds} s, ${rotationsSoFar(callers)} rotations`);
    }, REPORT_EVERY_MS);
    try {
      await Promise.all(callers.map((caller, index) => converse(caller, index, ready, options)));
    } finally {
      clearInterval(telling);
    }
    gateway.send({ type: 'report' });
    const { lateP99Ms, lateMostMs } = await gateway.wait('report');
    onProgress(`set-up ${setupDelayMs} ms: comparing what was said with what was heard`);
    const greeting = lineOf(loadClip(join(FIXTURES, 'voices/bot/greeting.wav'), 'greeting').samples);
    const verdicts: CallVerdict[] = [];
    let connections = 0;
    let cut = 0;
    for (const caller of callers) {
      model.send({ type: 'heard', caller: caller.name });
      const { heard } = await model.wait('heard');
      connections += heard.connections;
      cut += heard.cut;
      verdicts.push(judge(asJudged(caller, heard), greeting, setupDelayMs));
    }
    const failures = callers.flatMap(({ name, failure }) =>
      failure === null ? [] : [`${name}: ${failure}`],
    );
    return roundOf({ setupDelayMs, cutShare, verdicts, failures, connections, cut, lateP99Ms, lateMostMs });
  } finally {
    await gateway?.stop();
    await model.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeCallers(calls: number, seconds: number, settleMs: number, voices: Voices): readonly Caller[] {
  return Array.from({ length: calls }, (_, index) => ({
    name: `caller-${index}`,
    number: `+1555${String(1_000_000 + index)}`,
    script: scriptOf(voices, seconds, settleMs, seededRandom(index + 1)),
    journal: [],
    run: null,
    failure: null,
  }));
}

/** Every caller has a bot of their own, so that both other sides can say of whom they speak. */
function writeBots(folder: string, callers: readonly Caller[]): void {
  for (const { name, number } of callers) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(
      join(folder, name, 'bot.yaml'),
      `numbers: ['${number}']\ngreeting: { instruction: ${GREET} }\n`,
    );
    writeFileSync(join(folder, name, 'prompt.md'), `${name}\n`);
  }
}

function gatewayEnv(modelUrl: string, folder: string, calls: number): Record<string, string> {
  return {
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PORT: '0',
    GOOGLE_GEMINI_BASE_URL: modelUrl,
    MAX_CALLS: String(calls + 10),
    BOTS_DIR: join(folder, 'bots'),
    DATA_DIR: join(folder, 'data'),
    LOG_LEVEL: 'silent',
  };
}

async function converse(
  caller: Caller,
  index: number,
  gateway: { readonly url: string; readonly accountSid: string; readonly authToken: string },
  { seconds, signal }: RotationBenchOptions,
): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, index * STAGGER_MS));
  try {
    caller.run = await placeCall({
      clock: systemClock,
      ...gateway,
      from: '+15550100001',
      to: caller.number,
      caller: caller.script.caller,
      lingerMs: LINGER_MS,
      maxMs: seconds * 1_000 + 10_000,
      seed: index + 1,
      signal,
    });
  } catch (caught) {
    caller.failure = messageOf(caught);
  }
}

const rotationsSoFar = (callers: readonly Caller[]): number =>
  callers.reduce(
    (sum, { journal }) => sum + journal.filter(({ entry }) => entry.type === 'rotated').length,
    0,
  );

function asJudged({ name, script, journal, run }: Caller, heard: JudgedCall['heard']): JudgedCall {
  const epochOffsetMs = systemClock.epochMs() - systemClock.now();
  const line =
    run === null ? null : { sent: run.sent, heard: run.heard, epochMs: run.originMs + epochOffsetMs };
  return { name, line, utterances: script.utterances, journal, heard };
}

/** What a clip of the model's is on the line. */
function lineOf(samples24k: Int16Array): Int16Array {
  return PCMU.decode(PCMU.encode(Int16Array.from(createResampler(24_000, 8_000).process(samples24k))));
}
