import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../clock.ts';
import { OffhookError } from '../../errors.ts';
import type { CallRun } from '../../lab/caller/call-run.ts';
import { placeCall } from '../../lab/caller/twilio/place-call.ts';
import { type Emulator, startEmulator } from '../../lab/emulator/server.ts';
import { unmetExpectations } from '../../lab/report/expectations.ts';
import { readFrameLatency, readGatewayView } from '../../lab/report/gateway-view.ts';
import { measureCall } from '../../lab/report/measure.ts';
import { heardTranscript, joinTranscript, type ServerEvent } from '../../lab/report/transcript.ts';
import { loadScenario, type Scenario } from '../../lab/scenario.ts';
import { readLabTwilio } from '../../store/lab-secrets.ts';
import { type ChildGateway, startChildGateway } from '../child-gateway.ts';
import { clipsOf } from '../clips.ts';
import { followTranscript, stateOf } from '../follow.ts';
import type { CliIo } from '../io.ts';
import { CALLS_DIR, SAMPLE_BOTS_DIR } from '../paths.ts';
import { createProgress } from '../progress.ts';
import { readCaller } from '../recording.ts';
import { report } from '../report.ts';

const DEFAULT_CALL = 'barge-in-twice';
/** How long the caller waits for a bot that should say goodbye and hang up. */
const LINGER_MS = 6_000;
const JOURNAL_MS = 3_000;

interface DemoOptions {
  readonly list?: boolean;
  /** Half an hour on virtual time, over many connections. */
  readonly long?: boolean;
  readonly out: string;
  readonly json?: boolean;
}

/** @returns 1 when the call did not go as its scenario expects */
export async function demo(name: string | undefined, options: DemoOptions, io: CliIo): Promise<number> {
  if (options.list === true) {
    listCalls(options.json === true, io);
    return 0;
  }
  if (options.long === true) {
    if (name !== undefined)
      throw new OffhookError('ERR_USAGE', `Cannot play "${name}" with --long: one of the two is wanted.`);
    return (await import('./demo-long.ts')).demoLong(options, io);
  }
  const call = name ?? DEFAULT_CALL;
  const names = callNames();
  if (!names.includes(call)) {
    throw new OffhookError(
      'ERR_USAGE',
      `Cannot play the call "${call}": one of ${names.join(', ') || 'the recorded calls'} is wanted.`,
    );
  }
  const scenario = loadScenario(scenarioPath(call));
  if (scenario.caller === null) {
    throw new OffhookError(
      'ERR_SCENARIO',
      `Cannot play the call "${call}": its scenario has no "caller"; one is wanted.`,
    );
  }
  return play(call, scenario, scenario.caller, options, io);
}

async function play(
  name: string,
  scenario: Scenario,
  plan: NonNullable<Scenario['caller']>,
  options: DemoOptions,
  io: CliIo,
): Promise<number> {
  const caller = readCaller(plan.wavPath);
  const signal = io.stopSignal();
  const dataDir = mkdtempSync(join(tmpdir(), 'offhook-demo-'));
  let emulator: Emulator | null = null;
  let gateway: ChildGateway | null = null;
  try {
    mkdirSync(options.out, { recursive: true });
    emulator = await startEmulator({ clock: systemClock, scenario });
    const env = gatewayEnv(emulator.url, dataDir, io);
    gateway = await startChildGateway(env, join(options.out, `${name}.log`));
    const run = await callThrough(
      gateway,
      emulator,
      { name, scenario, plan, caller, dataDir, signal },
      options,
      io,
    );
    await gateway.waitFor('call-ended', JOURNAL_MS);
    const latency = readFrameLatency(await gateway.metrics(), 'up');
    const measures = measureCall(run, {
      model: { audio: heardByModel(emulator) },
      gateway: readGatewayView(gateway.entries, latency),
      clips: clipsOf(scenario),
    });
    const unmet = signal.aborted ? null : unmetExpectations(scenario.expect, measures, run.end);
    const transcript = heardTranscript(joinTranscript(sentByModel(emulator), run.originMs), run, measures);
    const title = `Demo: ${name}`;
    const { description } = scenario;
    return report(
      { name, title, description, run, measures, transcript, unmet },
      { out: options.out, json: options.json === true },
      io,
    );
  } finally {
    await gateway?.stop();
    await emulator?.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

interface Playing {
  readonly name: string;
  readonly scenario: Scenario;
  readonly plan: NonNullable<Scenario['caller']>;
  readonly caller: Int16Array;
  readonly dataDir: string;
  readonly signal: AbortSignal;
}

async function callThrough(
  gateway: ChildGateway,
  emulator: Emulator,
  { name, scenario, plan, caller, dataDir, signal }: Playing,
  options: DemoOptions,
  io: CliIo,
): Promise<CallRun> {
  const credentials = readLabTwilio(dataDir);
  if (credentials === null) {
    throw new OffhookError(
      'ERR_CONFIG',
      `Cannot call the gateway: no credentials in "${dataDir}"; a gateway in lab mode is wanted.`,
    );
  }
  const lengthMs = caller.length / 8;
  const quiet = options.json === true;
  const progress = createProgress(quiet ? { ...io, out: () => {}, isTerminal: false } : io, lengthMs);
  progress.say(`${name}: ${scenario.description}`);
  progress.say(
    'A recorded caller, a gateway in a process of its own, an emulated Gemini Live; in real time.\n',
  );
  let unfollow = (): void => {};
  progress.start();
  try {
    return await placeCall({
      clock: systemClock,
      url: gateway.localUrl,
      publicUrl: gateway.publicUrl,
      ...credentials,
      from: plan.from ?? '+15550100001',
      to: plan.to ?? '+15550100002',
      caller,
      dtmf: plan.dtmf,
      lingerMs: LINGER_MS,
      maxMs: lengthMs + LINGER_MS + 10_000,
      signal,
      onEvent: (entry) => {
        const state = stateOf(entry);
        if (state !== null) progress.setState(state);
        if (entry.what === 'stream-started') {
          unfollow = followTranscript(() => sentByModel(emulator), systemClock.now(), progress);
        }
        if (entry.what === 'dtmf')
          progress.say(`${(entry.atMs / 1_000).toFixed(1).padStart(6)} s  caller  presses ${entry.detail}`);
      },
    });
  } finally {
    unfollow();
    progress.stop();
  }
}

const sentByModel = (emulator: Emulator): readonly ServerEvent[] =>
  emulator.sessions.flatMap((session) => session.sent);

/** A session may have gone over several connections: their audio in its order. */
function heardByModel(emulator: Emulator): Int16Array {
  const parts = emulator.sessions.map((session) => session.audio.toSamples());
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Nothing of the user's own settings: a demo calls nobody and needs no key. */
function gatewayEnv(emulatorUrl: string, dataDir: string, io: CliIo): Record<string, string> {
  const path = io.env['PATH'];
  return {
    ...(path === undefined ? {} : { PATH: path }),
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PORT: '0',
    GOOGLE_GEMINI_BASE_URL: emulatorUrl,
    BOTS_DIR: SAMPLE_BOTS_DIR,
    DATA_DIR: dataDir,
    LOG_LEVEL: io.env['LOG_LEVEL'] || 'info',
  };
}

const scenarioPath = (name: string): string => join(CALLS_DIR, name, 'scenario.yaml');

function callNames(): readonly string[] {
  if (!existsSync(CALLS_DIR)) return [];
  return readdirSync(CALLS_DIR)
    .filter((name) => existsSync(scenarioPath(name)))
    .sort();
}

function listCalls(json: boolean, io: CliIo): void {
  const calls = callNames().map((name) => ({
    name,
    description: loadScenario(scenarioPath(name)).description,
  }));
  if (json) io.out(JSON.stringify(calls, null, 2));
  else for (const { name, description } of calls) io.out(`${name.padEnd(20)} ${description}`);
}
