/**
 * The long call: half an hour with the recorded callers and the bot's voices, on virtual time. The gateway's call is the
 * real one, with its Twilio adapter, its codecs and its speech tracker; the simulated Twilio and the emulated Gemini Live
 * are joined to it without sockets.
 */
import { botSchema } from '../../bots/bot.ts';
import type { Clips } from '../../call/clips.ts';
import type { JournalEntry } from '../../call/journal.ts';
import { noMeters } from '../../call/meters.ts';
import { CallRegistry } from '../../call/registry.ts';
import type { RotationPlan } from '../../call/rotation-plan.ts';
import { Ticker } from '../../call/ticker.ts';
import type { CarrierAdapter } from '../../carriers/carrier.ts';
import { createTwilioAdapter } from '../../carriers/twilio/adapter.ts';
import type { ConnectLive } from '../../gemini/live-session.ts';
import type { ToolDeclaration } from '../../gemini/setup.ts';
import type { CallEnd, CallRun, TimelineEntry } from '../caller/call-run.ts';
import { lineFormat } from '../caller/line-format.ts';
import { twilioProtocol } from '../caller/twilio/protocol.ts';
import { EmulatedService } from '../emulator/service.ts';
import { Drive } from '../laboratory/drive.ts';
import { createEmulatorLink } from '../laboratory/emulator-link.ts';
import type { ModelSocket } from '../laboratory/model-socket.ts';
import { FAIR_WEATHER, type LineWeather } from '../network/line.ts';
import { seededRandom } from '../network/random.ts';
import type { ServerEvent } from '../report/transcript.ts';
import { makeReply, makeScenario, type Reply } from '../scenario.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { Blows } from './blows.ts';
import { BotEar, overheard } from './bot-ear.ts';
import { LongCaller, type Said } from './caller.ts';
import type { Cast } from './cast.ts';
import { HALF_HOUR, type PlannedBlow, Plot } from './plot.ts';
import type { ConnectionAudio } from './speech-account.ts';
import { LongTelephone } from './telephone.ts';

export interface LongCallOptions {
  readonly cast: Cast;
  /** What the gateway plays itself. */
  readonly clips: Clips;
  /** The caller says goodbye after so much. Default half an hour. */
  readonly lastsMs?: number;
  readonly blows?: readonly PlannedBlow[];
  /** Default: as in service. */
  readonly rotation?: RotationPlan;
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Of call time, every ten seconds of it. */
  readonly onProgress?: (elapsedMs: number) => void;
  /** Stands between the gateway and the service; for tests. */
  readonly sabotage?: (connectLive: ConnectLive) => ConnectLive;
}

export interface LongCall {
  readonly run: CallRun;
  /** The gateway's own account, with the clock's times; `run.originMs` is the stream's start. */
  readonly journal: readonly JournalEntry[];
  readonly said: readonly Said[];
  /** What the model's side sent on each connection, in order of time. */
  readonly sent: readonly (readonly ServerEvent[])[];
  readonly connections: readonly ConnectionAudio[];
  /** 16 kHz: what the session knows of the caller, over all its connections. */
  readonly heardByModel: Int16Array;
  /** That the service has had: more than one, and the first was forgotten. */
  readonly sessions: number;
}

const HALF_HOUR_MS = 30 * 60_000;
/** The last words, and whatever a blow has cost. */
const OVERTIME_MS = 4 * 60_000;
const START_MS = 1_000;
const RINGING_MS = 300;
const SLICE_MS = 10_000;
const CARRIER_LINE: LineWeather = { delayMs: 30, jitterMs: 8, lateShare: 0, lateByMs: 0 };
const MODEL_LINE: LineWeather = { ...FAIR_WEATHER, delayMs: 25 };
const HANDSHAKE_MS = 130;
const IDS = { accountSid: 'AClong', callSid: 'CAlong', streamSid: 'MZlong' };

const TOOL = 'look_up_repair';
const TOOL_WORKS_MS = 9_000;
const TOOL_DEADLINE_MS = 15_000;
const LOOK_UP: ToolDeclaration = {
  name: TOOL,
  description: 'Looks a repair up by the number on its ticket.',
  parameters: { type: 'object', properties: { ticket: { type: 'string' } }, required: ['ticket'] },
};

export async function playLongCall(options: LongCallOptions): Promise<LongCall> {
  const { cast, clips, lastsMs = HALF_HOUR_MS, blows: planned = HALF_HOUR, seed = 1 } = options;
  const clock = new VirtualClock({ startMs: START_MS });
  const drive = new Drive(clock);
  const journal: JournalEntry[] = [];
  const timeline: TimelineEntry[] = [];
  const ended: { end: CallEnd | null } = { end: null };
  let originMs = START_MS;
  const elapsedMs = (): number => clock.now() - originMs;
  const note = (what: string, detail: string): void => {
    timeline.push({ atMs: elapsedMs(), what, detail });
  };
  const hangUp = (end: CallEnd): void => {
    ended.end ??= end;
  };

  // The model answers what was said last: what a caller says next does not depend on what was lost before.
  const answers: Reply[] = [cast.greeting];
  const scenario = makeScenario({
    name: 'long call',
    greeting: cast.greeting,
    otherwise: answers,
    model: { seed, firstAudioMs: 700 },
  });
  const service = new EmulatedService({ scenario });
  const sockets: ModelSocket[] = [];
  let current: ModelSocket | null = null;

  const format = lineFormat('pcmu', 8_000);
  const ear = new BotEar(format.bytesPerMs, format.isAudible);
  const blows: Blows = new Blows({
    clock,
    ear,
    elapsedMs,
    socket: () => current,
    caller: () => caller,
    note,
  });
  const caller: LongCaller = new LongCaller({
    cast,
    plot: new Plot(seededRandom(seed), lastsMs, planned),
    ear,
    longestMs: lastsMs + OVERTIME_MS,
    onSays: (said) => {
      answers[0] = answerTo(said);
      blows.onSays(said);
    },
  });

  const link = createEmulatorLink({
    clock,
    onStir: () => drive.stir(),
    routeOf: () => ({
      service: () => service,
      weather: MODEL_LINE,
      handshakeMs: HANDSHAKE_MS,
      random: seededRandom(seed + 10),
      observer: {
        onSocket: (socket) => sockets.push(socket),
        onOpen: (number) => {
          current = sockets.find((socket) => socket.number === number) ?? null;
        },
        onEnd: (_number, by) => {
          current = null;
          if (by !== 'service') blows.onLeft();
        },
      },
    }),
  });
  const withTool: ConnectLive = (setup, ...rest) =>
    link({ ...setup, tools: [...(setup.tools ?? []), LOOK_UP] }, ...rest);
  const gatewayRandom = seededRandom(seed + 20);
  const registry = new CallRegistry({
    clock,
    ticker: new Ticker(clock, (detail) => note('tick-fault', detail)),
    connectLive: options.sabotage?.(withTool) ?? withTool,
    listeners: [
      (entry) => {
        journal.push(entry);
        blows.onEntry(entry);
        drive.stir();
      },
    ],
    meters: noMeters,
    clips,
    random: gatewayRandom,
    ...(options.rotation === undefined ? {} : { rotation: options.rotation }),
    toolsOf: () => ({
      has: (name) => name === TOOL,
      timeoutMs: () => TOOL_DEADLINE_MS,
      run: () =>
        new Promise((resolve) => {
          clock.setTimer(TOOL_WORKS_MS, () => {
            resolve({ response: { status: 'ready', until: '18:00' } });
            drive.stir();
          });
        }),
    }),
    bots: { botFor: () => BOT, byName: () => BOT, list: () => [BOT] },
    limits: { maxCalls: 1 },
  });
  const adapter: CarrierAdapter = {
    ...createTwilioAdapter(
      {
        accountSid: IDS.accountSid,
        authTokens: ['laboratory'],
        verifyStream: 'when-present',
        apiBaseUrl: null,
      },
      'http://127.0.0.1',
      {
        clock,
        random: gatewayRandom,
        fetch: () => Promise.reject(new Error('nobody there')),
        onProblem: () => {},
      },
    ),
  };
  const from = '+15550100001';
  const to = '+15550100002';
  const startedAtEpochMs = clock.epochMs();
  note('ringing', 'on virtual time');
  const admission = registry.admit(adapter, {
    carrier: 'twilio',
    callId: IDS.callSid,
    accountId: IDS.accountSid,
    from,
    to,
    direction: 'inbound',
  });
  if (admission.kind !== 'admitted') throw new Error(`The long call was refused: ${admission.reason}`);
  await drive.run(RINGING_MS, () => false);
  const claim = registry.claimStream(adapter, admission.streamPath.split('/').at(-1)!);
  if (!claim.ok) throw new Error(`The long call's stream was refused: ${claim.reason}`);
  originMs = clock.now();
  const telephone = new LongTelephone({
    clock,
    weather: CARRIER_LINE,
    seed: seed + 30,
    open: overheard(twilioProtocol(IDS, {}), ear),
    caller: caller.line,
    attach: (socket) => claim.attach(socket),
    onTimeline: (entry) => timeline.push(entry),
    onClosed: (code) => hangUp({ by: 'gateway', how: 'stream-closed', detail: `code ${code}` }),
  });
  const everyFrame = (): void => {
    if (ended.end !== null) return;
    caller.tick(elapsedMs());
    clock.setTimer(20, everyFrame);
  };
  everyFrame();

  while (ended.end === null) {
    await drive.run(SLICE_MS, () => ended.end !== null);
    options.onProgress?.(elapsedMs());
    await new Promise((resolve) => setImmediate(resolve));
    if (options.signal?.aborted === true) hangUp({ by: 'caller', how: 'hung-up', detail: 'told to stop' });
    if (elapsedMs() > lastsMs + OVERTIME_MS)
      hangUp({ by: 'limit', how: 'hung-up', detail: 'nobody said goodbye' });
  }
  telephone.stream.end(ended.end.how !== 'stream-closed');
  note('ended', `${ended.end.by}: ${ended.end.how}`);
  const conversations = new Set(service.sessions.flatMap(({ conversation }) => conversation ?? []));
  await drive.rest(2_000);
  registry.end(admission.ref, { who: 'operator', how: 'completed', detail: 'the laboratory closes' });
  await drive.rest(13_000);
  return {
    run: {
      carrier: 'twilio',
      callSid: IDS.callSid,
      streamSid: IDS.streamSid,
      from,
      to,
      startedAtEpochMs,
      ...telephone.stream.account(),
      timeline: timeline.sort((a, b) => a.atMs - b.atMs),
      end: ended.end,
    },
    journal,
    said: caller.said,
    sent: service.sessions.map((session) => session.sent),
    connections: service.sessions.flatMap(({ pace, audio }) =>
      pace.firstAtMs === null ? [] : [{ firstAtMs: pace.firstAtMs - originMs, audio: audio.toSamples() }],
    ),
    heardByModel: service.heardBy([...conversations].at(-1) ?? -1),
    sessions: conversations.size,
  };
}

/** Its tools are waited for, as those of most models; 3.8 goes on listening meanwhile. */
const MODEL = 'gemini-3.1-flash-live-preview';

const BOT = {
  ...botSchema.parse({ model: MODEL, limits: { maxMinutes: 120 } }),
  name: 'blue-heron',
  prompt: 'You answer the telephone of Blue Heron Bicycles.',
};

/** What belongs to the line; with the tool at work the model looks first, and says it when it knows. */
function answerTo({ line, beat }: Said): Reply {
  if (beat.blow !== 'tool') return line.reply;
  const calls = [{ name: TOOL, args: { ticket: '317' }, when: 'before', followUp: line.reply }] as const;
  return makeReply({ hears: line.reply.hears, calls });
}
