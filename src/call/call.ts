/**
 * One call: the owner of its sockets, its session and its timers, and their one teardown. It runs the three machines,
 * carries out their effects and brings back what came of them; audio goes past them through the caller's side and the
 * conversation.
 */

import { type Bot, HANG_UP_TOOL, liveSetupOf } from '../bots/bot.ts';
import type { CarrierAdapter, IncomingCall, MediaEvent, MediaFormat } from '../carriers/carrier.ts';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { ConnectLive, LiveEvent, ToolCall } from '../gemini/live-session.ts';
import { ActivitySignals } from './activity.ts';
import { CallerAudio } from './caller-audio.ts';
import type { Clips } from './clips.ts';
import { createCodec } from './codec.ts';
import { Conversation } from './conversation.ts';
import { cushionMs } from './cushion.ts';
import type { StreamSink, StreamSocket } from './desk.ts';
import { DtmfCollector, KEY_PAUSE_MS } from './dtmf.ts';
import type { EndReason } from './end-reason.ts';
import {
  type IntentEffect,
  type IntentEvent,
  type IntentState,
  type IntentTimer,
  newIntent,
  stepIntent,
} from './intent.ts';
import { Journal, type JournalListener } from './journal.ts';
import { type LegEffect, type LegEvent, type LegState, newLeg, stepLeg } from './leg.ts';
import type { CallMeters } from './meters.ts';
import { SessionLink } from './session-link.ts';
import { SocketWatch } from './socket-watch.ts';
import { Stream } from './stream.ts';
import type { Ticked, Ticker } from './ticker.ts';
import { Timers } from './timers.ts';
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
}

/** No media for so long from a carrier that sends all the time: the line is dead, whatever the socket says. */
const NO_MEDIA_MS = 30_000;
/** The carrier's API has this long to hang up before we simply close. */
const HANG_UP_DEADLINE_MS = 5_000;
/** Keys that wait for a connection: more than anybody dials. */
const MAX_UNSENT_KEYS = 64;

/** Listens to a socket that came too late. */
const NOBODY: StreamSink = { onMessage: () => {}, onClose: () => {} };

/** What the journal keeps of a tool's arguments. */
const MAX_KEPT_ARGS = 8_192;
/** Gemini takes nothing of what we send for so long: the connection is dead, whatever the socket says. */
const STUCK_MODEL_MS = 5_000;
/** A last clip may have to wait for what is still to be heard, but not for ever. */
const LONGEST_FAREWELL_MS = 60_000;
const FAREWELL_SLACK_MS = 3_000;

type TimerName = IntentTimer | 'leg' | 'session-retry' | 'keys' | 'hang-up';

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
  readonly #dtmf = new DtmfCollector();
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
  /** Keys that were pressed while no connection was there. */
  #unsentKeys = '';
  readonly #socketWatch = new SocketWatch();
  /** The model's socket has refused audio since then. */
  #refusedSinceMs: number | null = null;
  /** With manual activity signals alone. */
  #activity: ActivitySignals | null = null;
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
      readonly onEnded: (call: Call) => void;
    },
  ) {
    const { ref, adapter, incoming, bot, onEnded } = particulars;
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
      deps.listeners,
    );
    this.#session = new SessionLink(
      {
        clock: deps.clock,
        connectLive: deps.connectLive,
        random: deps.random,
        journal: this.journal,
        totals: this.totals,
      },
      () => liveSetupOf(bot),
      { outageBudgetMs: bot.limits.outageSeconds * 1000 },
      {
        onSessionReady: (first) => this.#onSessionReady(first),
        onSessionInterrupted: () => this.#onSessionInterrupted(),
        onSessionFailed: (detail) => this.#stepIntent({ type: 'session-failed', detail }),
        onModelEvent: (event, receivedAtMs) => this.#onModelEvent(event, receivedAtMs),
        armRetry: (dueMs) => this.#timers.arm('session-retry', dueMs),
        cancelRetry: () => this.#timers.cancel('session-retry'),
        onBug: (where, caught) => this.#onBug(where, caught),
      },
    );
    this.#intent = newIntent({
      greeting: bot.greeting.mode,
      callerWaitMs: bot.greeting.waitSeconds * 1000,
      maxCallMs: bot.limits.maxMinutes * 60_000,
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
    this.#stepLeg({ type: 'stream-expected' });
    return true;
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
      if (this.#refusedSinceMs !== null && nowMs - this.#refusedSinceMs > STUCK_MODEL_MS) {
        this.#refusedSinceMs = null;
        this.#session.giveUpConnection('it takes no audio any more');
      }
      this.#activity?.tick();
      this.#noteDropped();
      this.#tickConversation(nowMs);
    });
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
        this.#session.retry();
        break;
      case 'keys':
        this.#sendKeys(this.#dtmf.take());
        break;
      case 'hang-up':
        this.#finish();
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
      case 'dtmf':
        if (attached) this.#onKey(event.digit, receivedAtMs);
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
      case 'cleared':
      case 'flow':
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
    this.#caller = new CallerAudio(inbound, this.#uplink, journal, totals);
    this.#conversation = new Conversation(
      { clock: this.#deps.clock, journal, totals },
      createCodec(send),
      capabilities,
      { bargeIn: bot.bargeIn.enabled, tracker: bot.bargeIn.tracker, outputGainDb: bot.audio.outputGainDb },
      {
        onBotAudible: () => this.#stepIntent({ type: 'bot-audible' }),
        onCallerOnset: () => this.#stepIntent({ type: 'caller-onset' }),
        onCallerSpoke: () => this.#stepIntent({ type: 'caller-spoke' }),
        onDrained: () => this.#stepIntent({ type: 'playout-drained' }),
        onToolCalls: (calls) => this.#onToolCalls(calls),
        onToolsCancelled: (ids) => this.journal.write({ type: 'tools-cancelled', ids }),
        onDownLatency: (ms) => this.#deps.meters.frameLatency('down', ms),
      },
    );
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
    conversation.onSpeech(change, receivedAtMs, this.#intent.name !== 'apologising');
  }

  #sendAudio(samples: Int16Array): boolean {
    const connection = this.#session.connection;
    const sent = connection?.sendAudio(samples) ?? false;
    if (sent) this.totals.uplinkMs += samples.length / 16;
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
  }

  #onKey(digit: string, nowMs: number): void {
    this.journal.write({ type: 'dtmf', pii: { digit } });
    const keys = this.#dtmf.press(digit);
    if (keys === null) {
      this.#timers.arm('keys', nowMs + KEY_PAUSE_MS);
    } else {
      this.#timers.cancel('keys');
      this.#sendKeys(keys);
    }
  }

  #sendKeys(keys: string): void {
    if (keys === '') return;
    this.#conversation?.onKeys(this.#deps.clock.now());
    const text = `The caller pressed these keys on the telephone: ${keys}`;
    // Nobody presses them twice: what no connection takes is told to the next one.
    if (this.#session.connection?.sendText(text) !== true)
      this.#unsentKeys = (this.#unsentKeys + keys).slice(-MAX_UNSENT_KEYS);
  }

  #onModelEvent(event: LiveEvent, receivedAtMs: number): void {
    if (this.#finished || this.#ending !== null || this.#intent.name === 'apologising') return;
    switch (event.type) {
      case 'usage':
        this.totals.promptTokens = event.usage.promptTokens;
        this.totals.responseTokens += event.usage.responseTokens;
        this.journal.write(event);
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
      default:
        this.#conversation?.onModel(event, receivedAtMs);
    }
  }

  #onModelFault(kind: string, detail: string): void {
    if (this.#firstFaults.has(`model ${kind}`)) return;
    this.#firstFaults.add(`model ${kind}`);
    this.journal.write({ type: 'model-fault', kind, detail });
  }

  #onToolCalls(calls: readonly ToolCall[]): void {
    const connection = this.#session.connection;
    for (const { id, name, args } of calls) {
      this.totals.toolCalls += 1;
      this.journal.write({
        type: 'tool-called',
        name,
        id,
        pii: { args: JSON.stringify(args).slice(0, MAX_KEPT_ARGS) },
      });
      const known = name === HANG_UP_TOOL;
      const response = known ? { result: 'ok' } : { error: `There is no tool "${name.slice(0, 64)}".` };
      // SILENT: the model must not be made to talk about its own hanging up.
      connection?.sendToolResponses([{ id, name, response, scheduling: known ? 'SILENT' : 'WHEN_IDLE' }]);
      this.journal.write({ type: 'tool-answered', name, id, ok: known, tookMs: 0 });
      if (!known) continue;
      this.#stepIntent({
        type: 'hang-up-asked',
        detail: 'the bot asked to hang up',
        goodbyeSpoken: this.#conversation?.botHasAnswered ?? false,
      });
    }
  }

  #onSessionReady(first: boolean): void {
    this.#stepIntent({ type: 'session-ready' });
    if (!first && this.#uplinkWanted) this.#openUplink();
    const keys = this.#unsentKeys;
    this.#unsentKeys = '';
    this.#sendKeys(keys);
  }

  #onSessionInterrupted(): void {
    this.#uplink?.close();
    this.#activity?.connectionLost();
    this.#refusedSinceMs = null;
    this.#conversation?.onSessionLost(this.#deps.clock.now());
    this.#stepIntent({ type: 'session-lost' });
  }

  #openUplink(): void {
    this.#uplinkWanted = true;
    if (this.#session.connection === null) return;
    this.#activity?.connectionReady();
    this.#uplink?.open();
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
      this.journal.write({ type: 'stream-replaced', epoch });
      this.#caller?.restart();
    }
    this.#conversation?.playout.attach(stream, nowMs);
    if (!replaced) this.#stepIntent({ type: 'leg-ready' });
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
        this.journal.write({ type: 'greeting-triggered', attempt: effect.attempt });
        break;
      case 'open-uplink':
        this.#openUplink();
        break;
      case 'play-clip': {
        const clip = this.#deps.clips[effect.clip];
        const isFiller = effect.clip === 'moment';
        if (isFiller && (this.#conversation?.playout.unplayedMs(nowMs) ?? 0) > 0) break;
        if (effect.clip === 'greeting') {
          this.#conversation?.expectSurplusGreeting(nowMs);
          this.journal.write({ type: 'greeting-clip' });
        }
        this.#conversation?.playClip(clip.bytes, clip.text, nowMs, isFiller);
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
      case 'end':
        this.#onEnd(effect.reason);
        break;
    }
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
    this.#letGo('the session', () => this.#session.close());
    const carrierHasGone = reason.who === 'caller' || reason.who === 'carrier' || this.#leg.name === 'ended';
    if (carrierHasGone || this.adapter.capabilities.hangup !== 'api' || this.#leg.name === 'awaiting') {
      if (!carrierHasGone && this.adapter.capabilities.hangup === 'media')
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

function sameFormat(a: MediaFormat, b: MediaFormat): boolean {
  return a.encoding === b.encoding && a.sampleRate === b.sampleRate;
}
