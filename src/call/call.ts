/**
 * One call: the owner of its sockets, its session and its timers, and their one teardown. It runs the three machines,
 * carries out their effects and brings back what came of them; audio goes past them through the caller's side and the
 * conversation.
 */

import { type Bot, HANG_UP_TOOL, stallPolicyOf, TRANSFER_TOOL } from '../bots/bot.ts';
import type {
  AfterStream,
  CarrierAdapter,
  ControlResult,
  IncomingCall,
  MediaEvent,
  MediaFormat,
} from '../carriers/carrier.ts';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { ConnectLive, LiveEvent, ToolCall, ToolResponse } from '../gemini/live-session.ts';
import { ActivitySignals } from './activity.ts';
import { CallerAudio } from './caller-audio.ts';
import type { Clips } from './clips.ts';
import { createCodec } from './codec.ts';
import { Conversation } from './conversation.ts';
import { cushionMs } from './cushion.ts';
import type { StreamSink, StreamSocket } from './desk.ts';
import type { EndReason } from './end-reason.ts';
import { createMemoryHandleStore, type HandleRecord, type HandleStore } from './handles.ts';
import {
  DEAD_AIR_MS,
  type IntentEffect,
  type IntentEvent,
  type IntentState,
  type IntentTimer,
  newIntent,
  stepIntent,
} from './intent.ts';
import { Journal, type JournalFact, type JournalListener } from './journal.ts';
import { Keys } from './keys.ts';
import { type LegEffect, type LegEvent, type LegState, newLeg, stepLeg } from './leg.ts';
import { ConversationMemory } from './memory.ts';
import { scribe } from './memory-scribe.ts';
import type { CallMeters } from './meters.ts';
import { Recovery } from './recovery.ts';
import { ROTATION_PLAN, type RotationPlan } from './rotation-plan.ts';
import type { SessionTimer } from './session.ts';
import { SessionLink, type SetupTime } from './session-link.ts';
import { SocketWatch } from './socket-watch.ts';
import { SpeechTracker, type Tracker } from './speech.ts';
import { StallCare } from './stall-care.ts';
import { Stream } from './stream.ts';
import type { Ticked, Ticker } from './ticker.ts';
import { Timers } from './timers.ts';
import { TokenAccount } from './token-account.ts';
import type { ToolAnswer, ToolRunner } from './tool-answer.ts';
import { ToolDesk } from './tool-desk.ts';
import { type CallTotals, emptyTotals } from './totals.ts';
import { Uplink } from './uplink.ts';
import { takesRate } from './voice.ts';

export interface CallDeps {
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly connectLive: ConnectLive;
  readonly listeners: readonly JournalListener[];
  readonly meters: CallMeters;
  readonly clips: Clips;
  readonly random: () => number;
  /** The newest handles of every call, also of other processes' where the store is shared. Absent: the call keeps its own. */
  readonly handles?: HandleStore;
  /** What carries out a bot's tools; absent: there are none but our own. */
  readonly toolsOf?: (bot: Bot) => ToolRunner;
  /** What listens to the caller; absent: the speech tracker. The laboratory's callers speak in numbers. */
  readonly createTracker?: (sampleRate: number) => Tracker;
  /** When connections are replaced; absent: before Gemini ends them. */
  readonly rotation?: RotationPlan;
}

/** How soon it is looked again whether the line is dead. */
const FILLER_DOUBT_MS = 100;
/** No media for so long from a carrier that sends all the time: the line is dead, whatever the socket says. */
const NO_MEDIA_MS = 30_000;
/** The carrier's API has this long to hang up before we simply close. */
const HANG_UP_DEADLINE_MS = 5_000;
/** Listens to a socket that came too late. */
const NOBODY: StreamSink = { onMessage: () => {}, onClose: () => {} };

/** Gemini takes nothing of what we send for so long: the connection is dead, whatever the socket says. */
const STUCK_MODEL_MS = 5_000;
/** More than a second of audio that the network does not take, for so long: nobody reads at the other end. */
const BACKLOG_BYTES = 65_536;
const BACKLOG_MS = 3_000;
/** A last clip may have to wait for what is still to be heard, but not for ever. */
const LONGEST_FAREWELL_MS = 60_000;
const FAREWELL_SLACK_MS = 3_000;

type TimerName = IntentTimer | `session-${SessionTimer}` | 'leg' | 'keys' | 'hang-up';

const NO_TOOLS: ToolRunner = {
  has: () => false,
  run: () => Promise.reject(new Error('there are no tools')),
};

export class Call implements Ticked {
  readonly ref: string;
  readonly incoming: IncomingCall;
  readonly bot: Bot;
  readonly adapter: CarrierAdapter;
  readonly totals: CallTotals = emptyTotals();
  readonly journal: Journal;
  readonly #deps: CallDeps;
  readonly #onEnded: (call: Call) => void;
  readonly #startedAtMs: number;
  readonly #timers = new Timers<TimerName>();
  readonly #session: SessionLink;
  readonly #streams = new Map<number, Stream>();
  readonly #keys: Keys;
  readonly #memory = new ConversationMemory();
  readonly #tools: ToolDesk;
  readonly #tokens: TokenAccount;
  readonly #recovery: Recovery;
  readonly #stall: StallCare;
  readonly #firstFaults = new Set<string>();
  readonly #leaveTicker: () => void;

  #leg: LegState;
  #intent: IntentState;
  #epoch = 0;
  #stream: Stream | null = null;
  #format: MediaFormat | null = null;
  #uplink: Uplink | null = null;
  #caller: CallerAudio | null = null;
  #conversation: Conversation | null = null;
  #uplinkWanted = false;
  #legReadyAtMs = 0;
  readonly #socketWatch = new SocketWatch();
  /** The model's socket has refused audio since then. */
  #refusedSinceMs: number | null = null;
  /** More has been waiting for the network since then than it should. */
  #backlogSinceMs: number | null = null;
  /** With manual activity signals alone. */
  #activity: ActivitySignals | null = null;
  /** The caller was handed to somebody else. */
  #away: Away | null = null;
  /** Of the stream that was last ready. */
  #readyEpoch: number | null = null;
  /** What the model has to be told of it, once it can be. */
  #returnNote: string | null = null;
  #carrierSaidEnded = false;
  /** Of a call that we placed: what the carrier has said of who answered. */
  #answerer: 'person' | 'machine' | null = null;
  readonly #awaitsPerson: boolean;
  #armed = true;
  #ending: EndReason | null = null;
  #finished = false;

  constructor(
    deps: CallDeps,
    particulars: {
      readonly ref: string;
      readonly adapter: CarrierAdapter;
      readonly incoming: IncomingCall;
      readonly bot: Bot;
      /** A call that we placed, and the carrier was asked to tell people from machines. */
      readonly awaitsPerson?: boolean;
      readonly onEnded: (call: Call) => void;
    },
  ) {
    const { ref, adapter, incoming, bot, onEnded } = particulars;
    this.#awaitsPerson = particulars.awaitsPerson ?? false;
    this.#deps = deps;
    this.ref = ref;
    this.adapter = adapter;
    this.incoming = incoming;
    this.bot = bot;
    this.#onEnded = onEnded;
    this.#startedAtMs = deps.clock.now();
    this.journal = new Journal(
      { ref, carrier: adapter.id, carrierCallId: incoming.callId, bot: bot.name, model: bot.model },
      () => deps.clock.now(),
      [...deps.listeners, (entry) => scribe(this.#memory, entry)],
    );
    const { journal, totals } = this;
    const { clock } = deps;
    this.#tokens = new TokenAccount(bot.session.compression.triggerTokens);
    this.#tools = new ToolDesk(clock, deps.toolsOf?.(bot) ?? NO_TOOLS, {
      answer: (responses) => this.#answerTools(responses),
      tell: (text) => this.#tell('tool-result', text),
      builtIn: (call) => this.#builtIn(call),
      note: (fact) => {
        const isCall = fact.type === 'tool-called';
        if (isCall) {
          totals.toolCalls += 1;
          this.#recovery.toolCalled();
        }
        journal.write(fact);
        // The call that is noted is not counted yet.
        this.#stall.facts.toolsOpen(this.#tools.pending + (isCall ? 1 : 0), clock.now());
      },
      onBug: (where, caught) => this.#onBug(where, caught),
    });
    this.#recovery = new Recovery({ bot, clock, journal, totals, memory: this.#memory, tools: this.#tools });
    this.#stall = new StallCare(stallPolicyOf(bot), journal, totals, {
      playFiller: () => this.#playFiller(clock.now()),
      nudge: (text) => this.#tell('nudge', text),
      dropInaudible: () => this.#conversation?.dropInaudible(clock.now()),
      reconnect: (detail, byHand) => this.#reconnect(detail, byHand),
      startAfresh: (detail) => this.#session.replace(detail, true),
      end: (detail) => this.#stepIntent({ type: 'session-failed', detail }),
    });
    this.#keys = new Keys({
      arm: (dueMs) => this.#timers.arm('keys', dueMs),
      cancel: () => this.#timers.cancel('keys'),
      tell: (text) => this.#tellOfCaller(text),
      onGiven: () => this.#conversation?.onKeys(clock.now()),
      onTold: (keys) => journal.write({ type: 'keys-given', pii: { keys } }),
    });
    this.#session = new SessionLink(
      {
        ref,
        clock,
        connectLive: deps.connectLive,
        random: deps.random,
        journal,
        totals,
        handles: deps.handles ?? createMemoryHandleStore(),
      },
      {
        outageBudgetMs: bot.limits.outageSeconds * 1000,
        seedInInstruction: bot.session.seedBy === 'instruction',
        rotation: deps.rotation ?? ROTATION_PLAN,
      },
      {
        setup: (request) => this.#recovery.setup(request),
        handleContext: () => this.#recovery.handleContext(),
        onSessionReady: (how, from, took) => this.#onSessionReady(how, from, took),
        onSessionInterrupted: (planned) => this.#onSessionInterrupted(planned),
        onSessionFailed: (detail) => this.#stepIntent({ type: 'session-failed', detail }),
        onModelEvent: (event, receivedAtMs) => this.#onModelEvent(event, receivedAtMs),
        arm: (timer, dueMs) => this.#timers.arm(`session-${timer}`, dueMs),
        cancel: (timer) => this.#timers.cancel(`session-${timer}`),
        onBug: (where, caught) => this.#onBug(where, caught),
      },
    );
    this.#intent = newIntent({
      greeting: bot.greeting.mode,
      callerWaitMs: bot.greeting.waitSeconds * 1000,
      maxCallMs: bot.limits.maxMinutes * 60_000,
      fallback: adapter.capabilities.transfer === 'none' ? null : numberOf(bot, bot.transfer.fallback),
      awaitsPerson: this.#awaitsPerson,
    });
    const [leg, effects] = newLeg(this.#startedAtMs);
    this.#leg = leg;
    for (const effect of effects) this.#runLegEffect(effect);
    this.journal.write({
      type: 'call-admitted',
      carrier: adapter.id,
      direction: incoming.direction,
      bot: bot.name,
      model: bot.model,
      pii: { from: incoming.from, to: incoming.to },
    });
    this.#leaveTicker = deps.ticker.add(this);
    // The connection is opened now, so that it is ready when the stream starts.
    this.#guard('the opening of the session', () => this.#session.open());
  }

  /** For lists: what the call is doing, in one word. */
  get state(): string {
    return this.#intent.name;
  }

  get durationMs(): number {
    return this.#deps.clock.now() - this.#startedAtMs;
  }

  get finished(): boolean {
    return this.#finished;
  }

  /** Whether a stream token of this call may open a socket now. */
  get takesStream(): boolean {
    if (this.#ending !== null) return false;
    return this.awaitsStream || (this.#armed && this.#leg.name !== 'ended');
  }

  get awaitsStream(): boolean {
    return this.#leg.name === 'awaiting' || this.#leg.name === 'opened';
  }

  /** The carrier repeated its signed webhook: a second stream may follow. */
  arm(): void {
    this.#armed = true;
  }

  /** The carrier asks what comes next, and the stream has broken: whether another one will be waited for. */
  takeBack(): boolean {
    if (this.#finished || this.#ending !== null || this.#leg.name !== 'lost') return false;
    this.#armed = true;
    this.#stepLeg({ type: 'stream-expected', returning: this.#away?.isBack ?? false });
    return true;
  }

  /**
   * The stream has ended and the carrier asks what comes next. `outcome`: of the transfer that it was told to make.
   * `stream`: it is to open another stream, which takes the call back.
   */
  afterStream(outcome: 'answered' | 'unanswered' | null): AfterStream | { readonly kind: 'stream' } {
    const away = this.#away;
    const over = away === null || this.#finished || this.#ending !== null;
    if (over || (outcome === null && away.isBack))
      return this.takeBack() ? { kind: 'stream' } : { kind: 'hangup' };
    if (outcome === null) {
      this.#guard('a transfer', () => this.#handOver(away, away.reason, this.#longestMs, false));
      return { kind: 'transfer', target: away.target };
    }
    if (outcome === 'answered') {
      this.#guard('the end of a transfer', () =>
        this.#stepLeg({ type: 'carrier-ended', reason: away.reason }),
      );
      return { kind: 'hangup' };
    }
    this.#guard('the return of the caller', () => {
      if (!away.isBack) this.journal.write({ type: 'transfer', what: 'unanswered' });
      away.isBack = true;
      this.#session.open();
    });
    return this.takeBack() ? { kind: 'stream' } : { kind: 'hangup' };
  }

  /** A socket was accepted for this call. */
  attach(socket: StreamSocket): StreamSink {
    this.#epoch += 1;
    const epoch = this.#epoch;
    let sink: StreamSink = NOBODY;
    this.#guard('the opening of a stream', () => {
      // Its token was good, but the call ended while the socket was being accepted.
      if (this.#ending !== null) return;
      const stream = new Stream(epoch, socket, this.adapter.createMediaPort(), {
        onMedia: (from, event, receivedAtMs) => this.#onMedia(from, event, receivedAtMs),
        onSocketClosed: (from, code, detail) => this.#onSocketClosed(from, code, detail),
        onBug: (where, caught) => this.#onBug(where, caught),
        now: () => this.#deps.clock.now(),
      });
      sink = stream;
      this.#streams.set(epoch, stream);
      this.journal.write({ type: 'stream-opened', epoch });
      this.#stepLeg({ type: 'socket-opened', epoch });
    });
    if (sink === NOBODY) socket.close(1000, 'the call has ended');
    return sink;
  }

  /** The carrier's own word, by callback, that the call is over. */
  carrierEnded(reason: EndReason): void {
    this.#carrierSaidEnded = true;
    const ended = this.#elsewhere?.reason ?? reason;
    this.#guard('the end of the call', () => this.#stepLeg({ type: 'carrier-ended', reason: ended }));
  }

  /** The carrier's own word on who has answered a call that we placed. Its first one counts. */
  answeredBy(by: 'person' | 'machine' | 'unknown'): void {
    if (!this.#awaitsPerson || this.#answerer !== null || this.#finished) return;
    this.#answerer = by === 'machine' ? 'machine' : 'person';
    this.journal.write({ type: 'carrier-event', what: `answered by: ${by}` });
    this.#guard('the answer', () => {
      if (by === 'machine' && this.bot.outbound.onMachine === 'hang-up')
        this.#stepIntent({ type: 'end-asked', reason: MACHINE_ANSWERED });
      else this.#stepIntent({ type: 'person-answered' });
    });
  }

  /** The carrier could not open the stream. The call may still be up there. */
  streamFailed(reason: EndReason): void {
    this.#guard('the end of the call', () => this.#stepLeg({ type: 'carrier-ended', reason }));
  }

  /** Ends the call from our side: at once, or with a goodbye that the caller hears. Idempotent. */
  end(reason: EndReason, politely = false): void {
    this.#guard('the end of the call', () => this.#stepIntent({ type: 'end-asked', reason, politely }));
  }

  tick(nowMs: number): void {
    this.#guard('the tick', () => {
      for (const name of this.#timers.due(nowMs)) this.#onTimer(name);
      if (this.#finished || this.#ending !== null) return;
      const stream = this.#stream;
      if (stream !== null && this.adapter.capabilities.sendsContinuously) {
        this.#caller?.tick(nowMs);
        if (nowMs - stream.lastMediaAtMs > NO_MEDIA_MS) {
          const reason: EndReason = { who: 'carrier', how: 'error', detail: 'no media for 30 s' };
          this.#streamEnded(stream, 'timeout', reason.detail);
          this.#stepLeg({ type: 'carrier-ended', reason });
          return;
        }
      }
      if (stream !== null) this.#watchSocket(stream, nowMs);
      this.#watchBacklog(nowMs);
      if (this.#refusedSinceMs !== null && nowMs - this.#refusedSinceMs > STUCK_MODEL_MS) {
        this.#refusedSinceMs = null;
        this.#session.replace('it takes no audio any more', false);
      }
      this.#activity?.tick();
      if (this.#tools.waits) this.#tools.flush();
      this.#noteDropped();
      this.#tickConversation(nowMs);
      this.#tickSession(nowMs);
    });
  }

  /** Without a session the line is not dead while nobody waits for anything: a pause of the caller's own is theirs. */
  #isDeadAir(nowMs: number): boolean {
    const conversation = this.#conversation;
    if (conversation === null || this.#intent.name === 'arriving' || this.#intent.name === 'greeting')
      return true;
    if (conversation.callerSpeaking || conversation.playout.unplayedMs(nowMs) > 0) return false;
    const lastSpeechAtMs = this.#caller?.lastSpeechAtMs ?? Number.NEGATIVE_INFINITY;
    // Who has come back expects to be told why.
    const owes = this.#recovery.owes || this.#returnNote !== null;
    return owes && nowMs - lastSpeechAtMs >= DEAD_AIR_MS;
  }

  #tickSession(nowMs: number): void {
    const talking = this.#intent.name === 'talking' && this.#stream !== null;
    const unplayedMs = this.#conversation?.playout.unplayedMs(nowMs) ?? 0;
    if (this.#recovery.hasCaughtUp(nowMs)) this.#stall.facts.caughtUp(nowMs);
    if (talking) this.#stall.tick(nowMs, unplayedMs);
    if (!this.#session.rotationDue) return;
    // While a greeting is due the model owes something that no account of utterances knows of.
    const owed = this.#intent.name === 'greeting' || this.#intent.name === 'arriving';
    if (!owed && this.#recovery.isQuiet(this.#session, this.#caller?.lastSpeechAtMs ?? null, nowMs))
      this.#session.quiet();
  }

  #watchBacklog(nowMs: number): void {
    const backlog = this.#session.connection?.bufferedBytes ?? 0;
    if (backlog < BACKLOG_BYTES) this.#backlogSinceMs = null;
    else this.#backlogSinceMs ??= nowMs;
    if (this.#backlogSinceMs === null || nowMs - this.#backlogSinceMs < BACKLOG_MS) return;
    this.#backlogSinceMs = null;
    this.#session.replace('it reads no audio any more', false);
  }

  #tickConversation(nowMs: number): void {
    const caller = this.#caller;
    const conversation = this.#conversation;
    if (caller === null || conversation === null) return;
    conversation.playout.setCushion(cushionMs(caller.jitter.worstMs, nowMs - this.#legReadyAtMs));
    conversation.tick(nowMs, caller.lastSpeechAtMs, caller.lastFrameAtMs);
  }

  #onTimer(name: TimerName): void {
    switch (name) {
      case 'leg':
        this.#stepLeg({ type: 'deadline' });
        break;
      case 'session-retry':
      case 'session-rotate':
      case 'session-force':
      case 'session-hold':
        this.#session.onTimer(name.slice('session-'.length) as SessionTimer);
        break;
      case 'keys':
        this.#keys.due();
        break;
      case 'hang-up':
        this.#finish();
        break;
      case 'filler':
        if (this.#isDeadAir(this.#deps.clock.now())) this.#stepIntent({ type: 'timer', timer: name });
        else this.#timers.arm('filler', this.#deps.clock.now() + FILLER_DOUBT_MS);
        break;
      default:
        this.#stepIntent({ type: 'timer', timer: name });
    }
  }

  #onMedia(stream: Stream, event: MediaEvent, receivedAtMs: number): void {
    if (this.#finished || this.#ending !== null) return;
    const attached = stream === this.#stream;
    switch (event.type) {
      case 'started':
        this.#onStarted(stream, event.start);
        break;
      case 'audio':
        stream.lastMediaAtMs = receivedAtMs;
        if (attached) this.#onCallerAudio(event.payload, event.mediaTimeMs, receivedAtMs);
        break;
      case 'mark':
        if (attached) {
          const mediaMs = this.#caller?.mediaEndMs ?? null;
          this.#conversation?.playout.echoed(event.name, event.outcome, receivedAtMs, mediaMs);
        }
        break;
      case 'cleared':
        if (attached) this.#conversation?.playout.cleared(this.#caller?.mediaEndMs ?? null);
        break;
      case 'flow':
        if (attached) this.#conversation?.playout.flow(event.paused, receivedAtMs);
        break;
      case 'dtmf':
        if (attached) {
          this.journal.write({ type: 'dtmf', pii: { digit: event.digit } });
          this.#keys.press(event.digit, receivedAtMs);
        }
        break;
      case 'reply':
        stream.reply(event.message);
        break;
      case 'stopped':
        this.#streamEnded(stream, 'stop', 'the carrier said stop');
        this.#stepLeg({ type: 'stream-stopped', epoch: stream.epoch });
        break;
      case 'unusable':
        this.#onUnusable(stream, event.closeCode, event.detail);
        break;
      case 'fault':
        this.#onFault(event.kind, event.detail);
        break;
    }
  }

  #onStarted(stream: Stream, start: Extract<MediaEvent, { type: 'started' }>['start']): void {
    if (start.callId !== null && start.callId !== this.incoming.callId) {
      this.#onUnusable(stream, 1008, 'the stream belongs to another call');
      return;
    }
    if (this.#format === null) this.#buildAudio(start.receive, start.send);
    else if (!sameFormat(this.#format, start.receive)) {
      this.#onUnusable(stream, 1003, 'the new stream has another format');
      return;
    }
    this.#armed = false;
    this.journal.write({
      type: 'stream-started',
      epoch: stream.epoch,
      streamId: start.streamId,
      receive: start.receive,
      send: start.send,
    });
    this.#stepLeg({ type: 'stream-started', epoch: stream.epoch });
  }

  #buildAudio(receive: MediaFormat, send: MediaFormat): void {
    this.#format = receive;
    const { capabilities } = this.adapter;
    const { bot, journal, totals } = this;
    const inbound = createCodec(receive);
    this.#uplink = new Uplink(inbound, bot.audio.chunkMs, (samples) => this.#sendAudio(samples));
    if (bot.listening.mode === 'manual') {
      this.#activity = new ActivitySignals(this.#uplink, () => this.#session.connection);
    }
    const tracker = this.#deps.createTracker?.(receive.sampleRate) ?? new SpeechTracker(receive.sampleRate);
    this.#caller = new CallerAudio(inbound, this.#uplink, tracker, journal, totals);
    this.#conversation = new Conversation(
      { clock: this.#deps.clock, journal, totals },
      createCodec(send),
      capabilities,
      { bargeIn: bot.bargeIn.enabled, tracker: bot.bargeIn.tracker, outputGainDb: bot.audio.outputGainDb },
      {
        onBotAudible: () => this.#stepIntent({ type: 'bot-audible' }),
        onCallerOnset: () => this.#stepIntent({ type: 'caller-onset' }),
        onCallerSpoke: () => this.#stepIntent({ type: 'caller-spoke' }),
        onCallerDismissed: () => this.#recovery.callerDismissed(),
        onTurnBegan: (turn) => {
          this.#recovery.turnBegan(turn);
          this.#tools.modelSpoke();
        },
        onTurnOver: (turn) => this.#recovery.turnOver(turn),
        onHeard: (turns) => {
          for (const turn of turns) this.#memory.turnHeard(turn, this.#deps.clock.now());
        },
        onDrained: () => this.#stepIntent({ type: 'playout-drained' }),
        onToolCalls: (calls) => this.#onToolCalls(calls),
        onToolsCancelled: (ids) => this.#tools.cancelled(ids, this.#deps.clock.now()),
        onModelAudio: (bytes, sampleRate, isPlayed, receivedAtMs) => {
          this.#tokens.audioOut(bytes.length / 2 / (sampleRate / 1000));
          this.#stall.onAudio(bytes, sampleRate, isPlayed, receivedAtMs);
        },
        onDownLatency: (ms) => this.#deps.meters.frameLatency('down', ms),
      },
    );
    this.#recovery.attach({
      uplink: this.#uplink,
      conversation: this.#conversation,
      samplesPerMs: receive.sampleRate / 1000,
    });
  }

  #onCallerAudio(payload: Buffer, mediaTimeMs: number | null, receivedAtMs: number): void {
    const { clock, meters } = this.#deps;
    const caller = this.#caller;
    const conversation = this.#conversation;
    if (caller === null || conversation === null) return;
    const change = caller.push(
      payload,
      mediaTimeMs,
      receivedAtMs,
      conversation.playout.echoDbov(receivedAtMs),
    );
    meters.frameLatency('up', clock.now() - receivedAtMs);
    if (change === null) return;
    this.#activity?.caller(change.type === 'onset');
    if (change.type === 'onset') {
      this.#recovery.callerBegan(caller.positionOf(change), change.onsetAtMs);
      this.#stall.facts.utteranceStarted();
    } else {
      this.#recovery.callerEnded(caller.positionOf(change), change.durationMs);
      this.#stall.facts.utteranceEnded(change, receivedAtMs);
    }
    conversation.onSpeech(change, receivedAtMs, this.#intent.name !== 'apologising');
  }

  #sendAudio(samples: Int16Array): boolean {
    const connection = this.#session.connection;
    const sent = connection?.sendAudio(samples) ?? false;
    if (sent) {
      this.totals.uplinkMs += samples.length / 16;
      this.#tokens.audioIn(samples.length / 16);
      this.#recovery.taken();
    }
    if (sent || connection === null) this.#refusedSinceMs = null;
    else this.#refusedSinceMs ??= this.#deps.clock.now();
    return sent;
  }

  /** What was held for a connection so long that it had to be given up. */
  #noteDropped(): void {
    const droppedMs = this.#uplink?.droppedMs ?? 0;
    if (droppedMs > 0 && this.totals.uplinkDroppedMs === 0)
      this.journal.write({ type: 'backpressure', leg: 'model', droppedMs });
    this.totals.uplinkDroppedMs = droppedMs;
    this.totals.skippedSilenceMs = this.#uplink?.skippedMs ?? 0;
  }

  /** Tells the model what it cannot know by itself. @returns whether a connection took it */
  #tell(what: Extract<JournalFact, { type: 'model-told' }>['what'], text: string): boolean {
    if (this.#session.connection?.sendText(text) !== true) return false;
    this.journal.write({ type: 'model-told', what });
    this.#recovery.textSent();
    if (what !== 'nudge') this.#stall.facts.textSent(true, this.#deps.clock.now());
    return true;
  }

  /** What tools found, to the connection that asked. An answer of the model's is due, but to what it need not speak about. */
  #answerTools(responses: readonly ToolResponse[]): boolean {
    if (this.#session.connection?.sendToolResponses(responses) !== true) return false;
    if (responses.some(({ scheduling }) => scheduling !== 'SILENT')) {
      this.#recovery.toolAnswered();
      this.#stall.facts.toolAnswered(this.#deps.clock.now());
    }
    return true;
  }

  /** Tells the model what the caller did without a word. */
  #tellOfCaller(text: string): boolean {
    if (this.#session.connection?.sendText(text) !== true) return false;
    this.#recovery.textSent();
    this.#stall.facts.textSent(true, this.#deps.clock.now());
    return true;
  }

  #onModelEvent(event: LiveEvent, receivedAtMs: number): void {
    if (this.#finished || this.#ending !== null || this.#intent.name === 'apologising') return;
    switch (event.type) {
      case 'usage':
        this.#onUsage(event);
        break;
      case 'go-away':
        this.journal.write(event);
        break;
      case 'unknown':
        this.totals.unknownModelFields += 1;
        this.#onModelFault('unknown-field', event.field);
        break;
      case 'audio':
        if (takesRate(event.sampleRate)) this.#conversation?.onModel(event, receivedAtMs);
        else this.#onModelFault('audio-rate', `${event.sampleRate} Hz cannot be converted`);
        break;
      default: {
        const unplayedMs = this.#conversation?.playout.unplayedMs(receivedAtMs) ?? 0;
        this.#conversation?.onModel(event, receivedAtMs);
        this.#stall.onModel(event, unplayedMs, receivedAtMs);
        if (event.type === 'input-transcript') this.#recovery.callerRecognised();
        if (event.type === 'turn-complete') this.#tokens.turnComplete();
      }
    }
  }

  #onUsage(event: Extract<LiveEvent, { type: 'usage' }>): void {
    const tokens = this.#tokens;
    const before = tokens.promptTokens;
    tokens.usage(event.usage);
    this.totals.promptTokens = tokens.promptTokens;
    this.totals.responseTokens = tokens.responseTokens;
    this.journal.write(event);
    if (!tokens.forgotten()) return;
    // It took the handle, and has forgotten all the same: a session like any that is lost.
    this.journal.write({ type: 'session-forgotten', promptTokens: event.usage.promptTokens, before });
    this.#session.replace('the resumed session has forgotten what was said', true);
  }

  #onModelFault(kind: string, detail: string): void {
    if (this.#firstFaults.has(`model ${kind}`)) return;
    this.#firstFaults.add(`model ${kind}`);
    this.journal.write({ type: 'model-fault', kind, detail });
  }

  #onToolCalls(calls: readonly ToolCall[]): void {
    const epoch = this.#session.epoch;
    if (epoch === null) return;
    this.#tools.called(calls, epoch, this.#deps.clock.now());
    // After the answer to it has gone out.
    for (const call of calls) this.#afterBuiltIn(call);
  }

  #afterBuiltIn({ name, args }: ToolCall): void {
    const transfer = name === TRANSFER_TOOL ? numberOf(this.bot, args['to']) : null;
    if (name !== HANG_UP_TOOL && transfer === null) return;
    if (transfer !== null && this.adapter.capabilities.transfer === 'none') return;
    this.#stepIntent({
      type: 'hang-up-asked',
      detail: transfer === null ? 'the bot asked to hang up' : 'the bot asked to put the caller through',
      goodbyeSpoken: this.#conversation?.botHasAnswered ?? false,
      transfer,
    });
  }

  /** What the call itself carries out; null: it is a tool of the bot's. */
  #builtIn({ name, args }: ToolCall): ToolAnswer | null {
    // SILENT: the model must not be made to talk about its own hanging up.
    const done: ToolAnswer = { response: { result: 'ok' }, scheduling: 'SILENT' };
    if (name === HANG_UP_TOOL) return done;
    if (name !== TRANSFER_TOOL || this.bot.transfer.targets.length === 0) return null;
    if (this.adapter.capabilities.transfer === 'none')
      return { response: { error: 'Callers cannot be put through on this line.' } };
    if (numberOf(this.bot, args['to']) !== null) return done;
    const names = this.bot.transfer.targets.map((target) => target.name).join(', ');
    return { response: { error: `There is nobody of that name. Choose one of: ${names}` } };
  }

  #onSessionReady(how: 'first' | 'resumed' | 'fresh', from: HandleRecord | null, took: SetupTime): void {
    const nowMs = this.#deps.clock.now();
    this.#tokens.sessionReady({ resumed: how === 'resumed' });
    this.#stall.sessionReady({ resumed: how === 'resumed' }, nowMs);
    this.#conversation?.onSessionReady(nowMs, this.#recovery.rewind(how, took, from));
    this.#stepIntent({ type: 'session-ready' });
    const told = this.#uplinkWanted ? this.#recovery.text() : null;
    if (told !== null && this.#intent.name === 'talking') this.#tell(told.what, told.text);
    if (how !== 'first' && this.#uplinkWanted) this.#openUplink(false);
    this.#tools.connection(this.#session.epoch, from, how === 'fresh' ? this.#recovery.toldInSeed : []);
    this.#keys.connectionReady();
    this.#tellReturn();
  }

  #onSessionInterrupted(planned: boolean): void {
    this.#activity?.connectionLost();
    this.#refusedSinceMs = null;
    this.#backlogSinceMs = null;
    this.#recovery.interrupted(planned);
    this.#tools.connection(null, null);
    this.#stall.facts.sessionLost();
    this.#stepIntent({ type: 'session-lost' });
  }

  #reconnect(detail: string, byHand: boolean): void {
    this.#session.replace(detail, false);
    if (!byHand || this.#uplink === null) return;
    this.#recovery.listenByHand();
    this.#activity ??= new ActivitySignals(this.#uplink, () => this.#session.connection);
  }

  /** `burst`: up to a second of what was held goes at once; not where the model has to hear it in the middle of a call. */
  #openUplink(burst: boolean): void {
    this.#uplinkWanted = true;
    if (this.#session.connection === null) return;
    this.#activity?.connectionReady();
    this.#uplink?.open(burst);
  }

  #onSocketClosed(stream: Stream, code: number, detail: string): void {
    this.#streams.delete(stream.epoch);
    if (this.#finished) return;
    if (stream === this.#stream) this.#streamEnded(stream, 'close', detail || `code ${code}`);
    // 1006: no close frame came. A carrier that hangs up says so.
    this.#stepLeg({ type: 'socket-closed', epoch: stream.epoch, detail, broken: code === 1006 });
  }

  #onUnusable(stream: Stream, closeCode: number, detail: string): void {
    this.#streamEnded(stream, 'unusable', detail);
    stream.close(closeCode, detail.slice(0, 100));
    // One that was to take the leg over fails alone: the call has, or just had, a stream that works.
    if (this.#format !== null && stream !== this.#stream) {
      this.#streams.delete(stream.epoch);
      this.#stepLeg({ type: 'socket-closed', epoch: stream.epoch, detail, broken: true });
      return;
    }
    this.#stepLeg({ type: 'carrier-ended', reason: { who: 'carrier', how: 'error', detail } });
  }

  #onFault(kind: keyof CallTotals['faults'], detail: string): void {
    this.totals.faults[kind] = (this.totals.faults[kind] ?? 0) + 1;
    if (this.totals.faults[kind] === 1) this.journal.write({ type: 'carrier-fault', kind, detail });
  }

  #streamEnded(stream: Stream, how: 'stop' | 'close' | 'timeout' | 'unusable', detail: string): void {
    this.journal.write({ type: 'stream-ended', epoch: stream.epoch, how, detail });
  }

  #watchSocket(stream: Stream, nowMs: number): void {
    if (!this.#socketWatch.isStuck(stream.bufferedBytes, nowMs)) return;
    this.#streamEnded(stream, 'timeout', 'the carrier takes no audio any more');
    stream.close(1013, 'takes no audio');
    this.#streams.delete(stream.epoch);
    this.#stepLeg({ type: 'socket-closed', epoch: stream.epoch, detail: 'takes no audio', broken: true });
  }

  #stepLeg(event: LegEvent): void {
    const [next, effects] = stepLeg(this.#leg, event, this.#deps.clock.now());
    this.#leg = next;
    for (const effect of effects) this.#runLegEffect(effect);
  }

  #runLegEffect(effect: LegEffect): void {
    switch (effect.type) {
      case 'arm-deadline':
        this.#timers.arm('leg', effect.dueMs);
        break;
      case 'cancel-deadline':
        this.#timers.cancel('leg');
        break;
      case 'close-socket':
        this.#streams.get(effect.epoch)?.close(effect.code, effect.why);
        this.#streams.delete(effect.epoch);
        break;
      case 'leg-ready':
        this.#onLegReady(effect.epoch, effect.replaced);
        break;
      case 'leg-paused':
        this.#stream = null;
        this.#conversation?.playout.detach(this.#deps.clock.now());
        this.#caller?.fallSilent();
        this.#uplink?.flush();
        this.#session.connection?.sendAudioStreamEnd();
        break;
      case 'leg-ended':
        this.#stepIntent({ type: 'leg-ended', reason: effect.reason });
        break;
    }
  }

  #onLegReady(epoch: number, replaced: boolean): void {
    const stream = this.#streams.get(epoch) ?? null;
    this.#stream = stream;
    if (stream === null) return;
    const nowMs = this.#deps.clock.now();
    stream.lastMediaAtMs = nowMs;
    this.#legReadyAtMs = nowMs;
    if (replaced) {
      if (epoch !== this.#readyEpoch) this.journal.write({ type: 'stream-replaced', epoch });
      this.#caller?.restart();
    }
    this.#readyEpoch = epoch;
    this.#conversation?.playout.attach(stream, nowMs);
    if (!replaced) this.#stepIntent({ type: 'leg-ready' });
    else if (this.#away !== null) this.#onReturned();
  }

  /** Where the caller is while somebody else has, or may get, them; null: with us. */
  get #elsewhere(): Away | null {
    return this.#away === null || this.#away.isBack ? null : this.#away;
  }

  get #longestMs(): number {
    return this.bot.limits.maxMinutes * 60_000;
  }

  /** Hands the caller to somebody else; until it is known what came of it, the session is kept by its handle alone. */
  #transfer(target: string, reason: EndReason): void {
    const how = this.adapter.capabilities.transfer;
    const away: Away = { target, reason, isBack: false };
    this.#away = away;
    this.journal.write({ type: 'transfer', what: 'asked' });
    if (how === 'none' || (this.#leg.name !== 'attached' && this.#leg.name !== 'lost')) {
      this.#transferFailed('unsupported');
      return;
    }
    this.#uplink?.close();
    if (how === 'continuation') {
      this.#handOver(away, NOT_ASKED, ASKED_WITHIN_MS, true);
      this.#park();
      return;
    }
    // What has been given up has no connection to lose.
    if (this.#session.stateName === 'given-up') this.#park();
    this.#handOver(away, reason, this.#longestMs, false);
    void this.#askTransfer(away);
  }

  /** @param waitMs how long the caller may stay away */
  #handOver(away: Away, reason: EndReason, waitMs: number, close: boolean): void {
    if (this.#away !== away) return;
    this.#stepLeg({ type: 'let-go', reason, untilMs: this.#deps.clock.now() + waitMs, close });
  }

  async #askTransfer(away: Away): Promise<void> {
    const { from, to, direction, callId } = this.incoming;
    let result: ControlResult;
    try {
      const callerId = direction === 'outbound' ? from : to;
      result = await this.adapter.control.transfer(callId, away.target, callerId);
    } catch {
      result = 'failed';
    }
    if (this.#finished || this.#ending !== null || this.#elsewhere !== away) return;
    this.#guard('the transfer', () => {
      if (result !== 'done') this.#transferFailed(result);
      else if (this.adapter.capabilities.transferReports) this.#park();
      else this.#stepLeg({ type: 'carrier-ended', reason: away.reason });
    });
  }

  /** Nobody talks to the model for a while: the connection is closed, and what hung on it is told. */
  #park(): void {
    const { clock } = this.#deps;
    this.#activity?.connectionLost();
    this.#conversation?.onSessionLost(clock.now());
    this.#tools.connection(null, null);
    this.#stall.facts.sessionLost();
    this.#session.park();
  }

  #transferFailed(result: Exclude<ControlResult, 'done'>): void {
    this.journal.write({ type: 'transfer', what: result });
    if (this.#away !== null) this.#away.isBack = true;
    if (this.#session.stateName === 'parked') this.#session.open();
    if (this.#leg.name === 'attached') this.#onReturned();
    else this.#stepLeg({ type: 'hold-on' });
  }

  /** The caller is on the line again. */
  #onReturned(): void {
    this.#away = null;
    this.journal.write({ type: 'transfer', what: 'returned' });
    this.#returnNote = RETURN_NOTE;
    this.#stepIntent({ type: 'returned', sessionReady: this.#session.connection !== null });
    this.#tellReturn();
  }

  #tellReturn(): void {
    const note = this.#returnNote;
    if (note !== null && this.#intent.name === 'talking' && this.#tell('returned', note))
      this.#returnNote = null;
  }

  #stepIntent(event: IntentEvent): void {
    const [next, effects] = stepIntent(this.#intent, event, this.#deps.clock.now());
    this.#intent = next;
    for (const effect of effects) this.#runIntentEffect(effect);
  }

  #runIntentEffect(effect: IntentEffect): void {
    const nowMs = this.#deps.clock.now();
    switch (effect.type) {
      case 'trigger-greeting':
        if (effect.attempt === 2) this.#conversation?.expectSurplusGreeting(nowMs);
        this.#session.connection?.sendText(this.bot.greeting.instruction);
        this.#recovery.textSent();
        this.journal.write({ type: 'greeting-triggered', attempt: effect.attempt });
        break;
      case 'open-uplink':
        this.#openUplink(this.totals.rotations + this.totals.forcedRotations === 0);
        break;
      case 'play-clip': {
        if (effect.clip === 'moment') {
          this.#playFiller(nowMs);
          break;
        }
        const clip = this.#deps.clips[effect.clip];
        if (effect.clip === 'greeting') {
          this.#conversation?.expectSurplusGreeting(nowMs);
          this.journal.write({ type: 'greeting-clip' });
        }
        const turn = this.#conversation?.playClip(clip.bytes, clip.text, nowMs);
        if (turn !== undefined)
          this.journal.write({ type: 'clip-played', turn, isFiller: false, pii: { text: clip.text } });
        break;
      }
      case 'watch-playout':
        this.#conversation?.watchDrained();
        break;
      case 'arm':
        this.#timers.arm(
          effect.timer,
          nowMs + Math.max(effect.delayMs, this.#farewellMs(effect.timer, nowMs)),
        );
        break;
      case 'cancel':
        this.#timers.cancel(effect.timer);
        break;
      case 'hang-up-armed':
        this.journal.write({ type: 'hang-up-armed', detail: effect.detail });
        break;
      case 'hang-up-disarmed':
        this.#conversation?.stopWatching();
        this.journal.write({ type: 'hang-up-disarmed' });
        break;
      case 'transfer':
        this.#transfer(effect.target, effect.reason);
        break;
      case 'end':
        this.#onEnd(effect.reason);
        break;
    }
  }

  /** "One moment, please", into silence alone. */
  #playFiller(nowMs: number): void {
    const conversation = this.#conversation;
    if (conversation === null || conversation.playout.unplayedMs(nowMs) > 0) return;
    const { bytes, text } = this.#deps.clips.moment;
    const turn = conversation.playClip(bytes, text, nowMs, true);
    this.journal.write({ type: 'clip-played', turn, isFiller: true, pii: { text } });
    this.totals.fillers += 1;
  }

  /** How long the last clip may take, with what is queued before it. */
  #farewellMs(timer: IntentTimer, nowMs: number): number {
    if (timer !== 'clip') return 0;
    const remainingMs = this.#conversation?.playout.remainingMs(nowMs) ?? 0;
    return Math.min(LONGEST_FAREWELL_MS, remainingMs + FAREWELL_SLACK_MS);
  }

  /** The one teardown: the session goes at once, the carrier's side as soon as it has been told. */
  #onEnd(reason: EndReason): void {
    if (this.#ending !== null) return;
    this.#ending = reason;
    const { clock } = this.#deps;
    this.#timers.clear();
    this.#uplink?.close();
    this.#letGo('the tools', () => this.#tools.end());
    this.#letGo('the session', () => this.#session.close());
    const { hangup, outlivesStream } = this.adapter.capabilities;
    const streamHasGone = reason.who === 'caller' || reason.who === 'carrier' || this.#leg.name === 'ended';
    // Who talks to somebody else is not cut off because we are through, or have to go.
    const elsewhere =
      this.#elsewhere !== null &&
      (reason.how === 'drained' || (reason.how === 'transferred' && !outlivesStream));
    const callHasGone = !outlivesStream && streamHasGone && reason !== NOT_ASKED;
    const carrierHasGone = this.#carrierSaidEnded || elsewhere || callHasGone;
    // A call that we placed was answered before we heard of it; one that came in is answered by the stream.
    const isUp = outlivesStream || this.incoming.direction === 'outbound' || this.#leg.name !== 'awaiting';
    if (carrierHasGone || hangup !== 'api' || !isUp) {
      if (!carrierHasGone && hangup === 'media')
        this.#letGo('the line', () => this.#stream?.command({ type: 'hangup' }));
      this.#finish();
      return;
    }
    this.#timers.arm('hang-up', clock.now() + HANG_UP_DEADLINE_MS);
    void this.#askHangUp();
  }

  async #askHangUp(): Promise<void> {
    let result: string;
    try {
      result = await this.adapter.control.hangup(this.incoming.callId);
    } catch (caught) {
      result = messageOf(caught);
    }
    if (!this.#finished) this.journal.write({ type: 'hang-up-asked', result });
    this.#finish();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    const nowMs = this.#deps.clock.now();
    this.#timers.clear();
    this.#leaveTicker();
    this.#letGo('the last account', () => this.#conversation?.finish(nowMs));
    this.#letGo('the speech tracker', () => this.#caller?.dispose());
    for (const stream of this.#streams.values())
      this.#letGo('a stream', () => stream.close(1000, 'the call has ended'));
    this.#streams.clear();
    this.#stream = null;
    this.totals.durationMs = nowMs - this.#startedAtMs;
    const reason = this.#ending ?? { who: 'gateway', how: 'crashed', detail: 'the call was torn down' };
    this.journal.write({ type: 'call-ended', reason, totals: this.totals });
    this.#onEnded(this);
  }

  /** A mistake of ours ends this call, with a reason, and no other. */
  #onBug(where: string, caught: unknown): void {
    if (this.#finished) return;
    this.journal.write({ type: 'bug', where, detail: messageOf(caught) });
    if (this.#ending !== null) {
      this.#finish();
      return;
    }
    this.#onEnd({ who: 'gateway', how: 'crashed', detail: `a fault of ours in ${where}` });
  }

  #guard(where: string, action: () => void): void {
    try {
      action();
    } catch (caught) {
      this.#onBug(where, caught);
    }
  }

  /** One part of the teardown; when it fails, the others are done all the same. */
  #letGo(what: string, action: () => void): void {
    try {
      action();
    } catch (caught) {
      this.journal.write({ type: 'bug', where: `letting go of ${what}`, detail: messageOf(caught) });
    }
  }
}

/** The caller was handed to somebody else. `isBack`: nothing came of it, and they are with us, or on their way. */
interface Away {
  readonly target: string;
  readonly reason: EndReason;
  isBack: boolean;
}

/** From the end of the stream to the carrier's question what comes next. */
const ASKED_WITHIN_MS = 30_000;
const NOT_ASKED: EndReason = {
  who: 'carrier',
  how: 'error',
  detail: 'the carrier did not ask to whom the caller is to be put through',
};
const MACHINE_ANSWERED: EndReason = {
  who: 'gateway',
  how: 'completed',
  detail: 'an answering machine answered',
};

const RETURN_NOTE =
  '[Note from the telephone system] The caller could not be put through: nobody answered there. They are on the line with you again. Tell them so, and go on helping them.';

/** The number of a target by its name; null for what is no target of the bot's. */
function numberOf(bot: Bot, name: unknown): string | null {
  return bot.transfer.targets.find((target) => target.name === name)?.number ?? null;
}

function sameFormat(a: MediaFormat, b: MediaFormat): boolean {
  return a.encoding === b.encoding && a.sampleRate === b.sampleRate;
}
