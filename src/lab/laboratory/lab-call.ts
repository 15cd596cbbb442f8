/** One call of the laboratory: its caller, its streams, its model, and everything that is noted for the invariants. */
import { levelDbov } from '../../audio/level.ts';
import { samplesToBytes } from '../../audio/pcm.ts';
import { createCodec } from '../../call/codec.ts';
import type { JournalEntry } from '../../call/journal.ts';
import type { CallRegistry } from '../../call/registry.ts';
import type { CallTotals } from '../../call/totals.ts';
import type { CarrierAdapter, ControlResult } from '../../carriers/carrier.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { Clip } from '../clip.ts';
import type { ChunkStore } from '../emulator/chunks.ts';
import { EmulatedService } from '../emulator/service.ts';
import type { LineWeather } from '../network/line.ts';
import { seededRandom } from '../network/random.ts';
import type { Reply, Scenario } from '../scenario.ts';
import { Caller, type Deed, type Utterance } from './caller.ts';
import { writeCounted } from './counters.ts';
import type { Route } from './emulator-link.ts';
import { Hearing } from './hearing.ts';
import type { LineFormats } from './lab-carrier.ts';
import type { ModelSocket } from './model-socket.ts';
import { Outbound } from './outbound.ts';
import { type CallPlan, GREETING } from './plan.ts';
import type { Piece } from './playback.ts';
import { Telephone } from './telephone.ts';

const FRAME_MS = 20;
/** From the webhook's answer to the carrier's socket. */
const SOCKET_MS = 300;
const HANG_UP_MS = 80;
const AUDIBLE_DBOV = -60;
/** The carrier asks for another stream so long after the last one broke. */
const COMES_BACK_MS = 700;

export interface Connected {
  readonly connection: number;
  readonly fromMs: number;
  toMs: number | null;
  endedBy: 'gateway' | 'gateway-gives-up' | 'service' | null;
}

export interface DeadAir {
  readonly fromMs: number;
  readonly forMs: number;
}

export interface LabCallDeps {
  readonly clock: Clock;
  readonly registry: () => CallRegistry;
  readonly adapter: (call: LabCall) => CarrierAdapter;
  readonly chunks: ChunkStore;
  readonly formats: LineFormats;
  /** The voice that a caller of the other kind of sound speaks with, at the line's rate; null: counted. */
  readonly voice: Int16Array | null;
  readonly onStir: () => void;
  readonly onOver: (call: LabCall) => void;
}

export class LabCall {
  readonly plan: CallPlan;
  readonly hearing = new Hearing();
  readonly outbound: Outbound;
  readonly caller: Caller;
  readonly connections: Connected[] = [];
  readonly deadAir: DeadAir[] = [];
  readonly bugs: string[] = [];
  /** When the gateway found a connection lost, or gave it up. */
  readonly losses: number[] = [];
  /** When turns of the model, clips not counted, began to reach the gateway. */
  readonly turnsBegan: number[] = [];
  /** When the model was last found to be unwell. */
  lastStallAtMs = Number.NEGATIVE_INFINITY;
  /** When the model was asked, in text, to answer what it had not answered. */
  readonly nudges: number[] = [];
  /** When the model was told of keys, in text. */
  readonly keysGiven: number[] = [];
  /** How often each kind of journal entry was written. */
  readonly counts = new Map<string, number>();
  /** What struck this call, by kind. */
  readonly struck = new Map<string, number>();
  readonly sockets = new Set<ModelSocket>();
  /** Of services that are no more. */
  readonly oldServices: EmulatedService[] = [];
  totals: CallTotals | null = null;
  ended: { readonly who: string; readonly how: string; readonly detail: string } | null = null;
  endings = 0;
  startedAtMs = 0;
  endedAtMs = 0;
  longestQueueMs = 0;
  mostInFlight = 0;
  mostBufferedBytes = 0;
  uplinkDroppedMs = 0;
  readonly route: Route;
  readonly #deps: LabCallDeps;
  readonly #silence: Buffer;
  readonly #frame: Int16Array;
  readonly #encode: (samples: Int16Array) => Uint8Array;
  #service: EmulatedService;
  #awayUntilMs = Number.NEGATIVE_INFINITY;
  #telephone: Telephone | null = null;
  readonly #telephones: Telephone[] = [];
  #streamPath = '';
  #frameTimer: Timer | null = null;
  readonly #timers = new Set<Timer>();
  #soundAtMs = Number.NEGATIVE_INFINITY;
  #dueSinceMs: number | null = null;
  #dueFor: Utterance | null = null;
  #counted: boolean;
  #voiceAt = 0;

  constructor(plan: CallPlan, deps: LabCallDeps) {
    this.plan = plan;
    this.#deps = deps;
    this.#counted = deps.voice === null;
    const codec = createCodec(deps.formats.receive);
    const frameSamples = (deps.formats.receive.sampleRate / 1000) * FRAME_MS;
    this.#frame = new Int16Array(frameSamples);
    this.#silence = Buffer.alloc(frameSamples * codec.bytesPerSample, codec.silence);
    this.#encode = (samples) => codec.encode(samples);
    this.outbound = new Outbound(() => deps.clock.now(), lineMsOf(plan.carrierWeather));
    this.caller = new Caller(plan.story, frameSamples, (deed) => this.#do(deed));
    this.#service = this.#newService();
    this.route = this.#makeRoute();
  }

  get callId(): string {
    return `CA${this.plan.number}`;
  }

  get over(): boolean {
    return this.ended !== null;
  }

  /** The carrier's webhook; its socket follows. */
  ring(): void {
    this.startedAtMs = this.#deps.clock.now();
    this.#ask();
    this.#later(SOCKET_MS, () => this.#openStream());
    this.#nextFrame();
  }

  /** What the journal has written of this call. */
  onEntry(entry: JournalEntry): void {
    this.counts.set(entry.type, (this.counts.get(entry.type) ?? 0) + 1);
    switch (entry.type) {
      case 'playout-resumed':
        this.outbound.resumed();
        break;
      case 'stream-replaced':
        this.outbound.broken();
        break;
      case 'stale-audio-dropped':
        this.outbound.goesOn();
        break;
      case 'session-lost':
        this.losses.push(entry.atMs);
        this.outbound.goesOn();
        break;
      case 'turn-started':
        this.turnsBegan.push(entry.atMs);
        break;
      case 'clip-played':
        this.turnsBegan.pop();
        break;
      case 'rotated':
        // It was left before its end without a quiet moment, as there was none.
        if (!entry.planned) this.losses.push(entry.atMs);
        break;
      case 'stall':
        this.lastStallAtMs = entry.atMs;
        break;
      case 'model-told':
        if (entry.what === 'nudge') this.nudges.push(entry.atMs);
        break;
      case 'keys-given':
        this.keysGiven.push(entry.atMs);
        break;
      case 'bug':
        this.bugs.push(`${entry.where}: ${entry.detail}`);
        break;
      case 'call-ended':
        this.endings += 1;
        this.ended = entry.reason;
        this.totals = entry.totals;
        this.endedAtMs = entry.atMs;
        this.uplinkDroppedMs = entry.totals.uplinkDroppedMs;
        this.#stop();
        this.#deps.onOver(this);
        break;
      default:
        break;
    }
  }

  /** The carrier's API was told to hang up. */
  hangUp(): Promise<ControlResult> {
    return new Promise((resolve) => {
      this.#later(HANG_UP_MS, () => {
        this.#telephone?.hangUp();
        resolve('done');
        this.#deps.onStir();
      });
    });
  }

  /** Every connection of this call breaks off, without a word. */
  cutConnections(kind: string): void {
    this.#note(kind);
    for (const socket of this.sockets) socket.breakOff();
  }

  /** The service is away: connections are cut, new ones are not made. `handles`: whether its sessions survive that. */
  serviceGoesAway(forMs: number, handles: 'kept' | 'lost'): void {
    this.cutConnections(`away, handles ${handles}`);
    this.#awayUntilMs = this.#deps.clock.now() + forMs;
    if (handles === 'kept') return;
    this.hearing.serviceLost();
    this.oldServices.push(this.#service);
    this.#service = this.#newService();
  }

  get services(): readonly EmulatedService[] {
    return [...this.oldServices, this.#service];
  }

  /** How many things of this call are still there: sockets and timers of the laboratory itself are no fault of the call. */
  get openSockets(): number {
    let open = 0;
    for (const socket of this.sockets) if (!socket.gone) open += 1;
    return open + this.#telephones.filter(({ ended }) => !ended).length;
  }

  #newService(): EmulatedService {
    const { scenario } = this.plan;
    return new EmulatedService({
      scenario: this.#counted ? withVoices(scenario, () => this.outbound.voice(false)) : scenario,
      record: false,
      chunks: this.#deps.chunks,
      stage: {
        ...(this.#counted
          ? {
              voice: ({ clip, text }) => (clip === null ? null : this.outbound.voice(text === GREETING)),
            }
          : {}),
        answerBegins: (answer) => {
          if (this.#counted) this.hearing.answerBegins(answer, this.outbound.newest);
        },
      },
    });
  }

  #makeRoute(): Route {
    return {
      service: () => (this.#deps.clock.now() < this.#awayUntilMs ? null : this.#service),
      weather: this.plan.modelWeather,
      handshakeMs: this.plan.handshakeMs,
      random: seededRandom(this.plan.seed ^ 0x5bd1_e995),
      observer: {
        onSocket: (socket) => this.sockets.add(socket),
        onOpen: (connection) => this.#onOpen(connection),
        onEnd: (connection, by) => this.#onConnectionEnd(connection, by),
        onTaken: (connection, _before, samples) => {
          if (this.#counted) this.hearing.take(connection, samples);
        },
        onEvents: (_connection, events) => {
          if (this.#counted) this.outbound.given(events);
        },
      },
    };
  }

  #note(kind: string): void {
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
  }

  #onOpen(connection: number): void {
    this.connections.push({ connection, fromMs: this.#deps.clock.now(), toMs: null, endedBy: null });
    const id = this.#service.sessions.find(({ number }) => number === connection)?.conversation ?? null;
    if (id !== null) this.hearing.sessionIs(this.#service.conversation(id));
  }

  #onConnectionEnd(connection: number, by: 'gateway' | 'gateway-gives-up' | 'service'): void {
    const found = this.connections.findLast((each) => each.connection === connection && each.toMs === null);
    if (found === undefined) return;
    found.toMs = this.#deps.clock.now();
    found.endedBy = by;
  }

  #openStream(): void {
    const { clock, registry, adapter, formats } = this.#deps;
    if (this.over) return;
    const claim = registry().claimStream(adapter(this), this.#streamPath.split('/').at(-1)!);
    if (!claim.ok) return;
    const before = this.#telephone;
    const telephone = new Telephone({
      clock,
      callId: this.callId,
      streamId: `MZ${this.plan.number}.${this.#telephones.length}`,
      weather: this.plan.carrierWeather,
      seed: this.plan.seed + this.#telephones.length,
      sampleRate: formats.send.sampleRate,
      ear: {
        written: (bytes) => (this.#counted ? this.outbound.written(bytes) : this.#judge(bytes)),
        cleared: () => this.outbound.cleared(),
        stopped: () => this.outbound.broken(),
        heard: (piece, atMs) => this.#hear(piece, atMs),
        closedByGateway: () => {},
      },
    });
    if (before !== null) this.outbound.broken();
    this.#telephones.push(telephone);
    this.#telephone = telephone;
    telephone.open(claim.attach(telephone));
    before?.drop();
    this.#dueSinceMs ??= clock.now();
  }

  /** Audio that is not counted: sound, or silence. */
  #judge(bytes: Uint8Array): readonly Piece[] {
    const codec = createCodec(this.#deps.formats.send);
    const samples = codec.decode(bytes);
    return [{ kind: levelDbov(samples) > AUDIBLE_DBOV ? 'foreign' : 'quiet', samples: samples.length }];
  }

  #hear(piece: Piece, atMs: number): void {
    if (piece.kind !== 'quiet') {
      this.#soundAtMs = this.#deps.clock.now();
      this.#endSilence(atMs);
    }
    if (this.#counted) this.outbound.heard(piece, atMs);
  }

  #nextFrame(): void {
    this.#frameTimer = this.#deps.clock.setTimer(FRAME_MS, () => {
      this.#nextFrame();
      this.#onFrame();
    });
  }

  #onFrame(): void {
    const telephone = this.#telephone;
    if (telephone === null || !telephone.started) return;
    const nowMs = this.#deps.clock.now();
    const { place } = this.caller;
    const isLoud = this.caller.frame(nowMs, nowMs - this.#soundAtMs < 2 * FRAME_MS);
    this.#watchSilence(nowMs);
    telephone.frame(isLoud ? this.#speech(place) : this.#silence);
    this.longestQueueMs = Math.max(this.longestQueueMs, telephone.playback.queuedMs);
    this.mostInFlight = Math.max(this.mostInFlight, telephone.inFlight);
    for (const socket of this.sockets) {
      if (socket.gone) this.sockets.delete(socket);
      else this.mostBufferedBytes = Math.max(this.mostBufferedBytes, socket.bufferedBytes);
    }
  }

  #speech(place: number): Uint8Array {
    const { voice } = this.#deps;
    if (voice === null) {
      writeCounted(this.#frame, place);
      return samplesToBytes(this.#frame);
    }
    for (let index = 0; index < this.#frame.length; index++)
      this.#frame[index] = voice[this.#voiceAt++ % voice.length]!;
    return this.#encode(this.#frame);
  }

  /** An answer is due from the end of what the caller said; while they speak themselves nothing is. */
  #watchSilence(nowMs: number): void {
    const last = this.caller.utterances.at(-1);
    if (this.caller.speaking) this.#dueSinceMs = null;
    else if (last?.kind === 'talk' && last !== this.#dueFor) {
      this.#dueFor = last;
      this.#dueSinceMs = nowMs;
    }
  }

  #endSilence(atMs: number): void {
    if (this.#dueSinceMs === null) return;
    this.deadAir.push({ fromMs: this.#dueSinceMs, forMs: atMs - this.#dueSinceMs });
    if (this.deadAir.length > KEPT) this.deadAir.shift();
    this.#dueSinceMs = null;
  }

  #do(deed: Deed): void {
    switch (deed.kind) {
      case 'keys':
        for (const digit of deed.digits) this.#telephone?.press(digit);
        break;
      case 'stream':
        this.#note(`stream ${deed.how}`);
        if (deed.how === 'breaks') this.#telephone?.drop();
        this.#later(deed.how === 'breaks' ? COMES_BACK_MS : 0, () => this.#comeBack());
        break;
      case 'hang-up':
        this.#telephone?.hangUp();
    }
  }

  /** The carrier repeats its webhook, and opens another stream. */
  #comeBack(): void {
    if (this.over) return;
    const plan = this.#deps.registry().afterStream(this.#deps.adapter(this), this.callId, null);
    if (plan.kind === 'stream') this.#streamPath = plan.streamPath;
    else this.#ask();
    this.#openStream();
  }

  /** The carrier's webhook: the call is admitted, or known already. */
  #ask(): void {
    const { registry, adapter } = this.#deps;
    const admission = registry().admit(adapter(this), {
      carrier: 'twilio',
      callId: this.callId,
      accountId: null,
      from: '+15550100000',
      to: `line ${this.plan.number}`,
      direction: 'inbound',
    });
    if (admission.kind === 'admitted') this.#streamPath = admission.streamPath;
  }

  #stop(): void {
    const nowMs = this.#deps.clock.now();
    if (this.#dueSinceMs !== null) this.#endSilence(nowMs);
    this.#frameTimer?.cancel();
    for (const timer of this.#timers) timer.cancel();
  }

  #later(delayMs: number, run: () => void): void {
    const timer = this.#deps.clock.setTimer(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }
}

const KEPT = 10_000;

/** What the model says when a tool has answered is not asked for on the stage: it gets its voice when it is said. */
function withVoices(scenario: Scenario, voice: () => Clip): Scenario {
  const spoken = (reply: Reply): Reply => {
    let clip: Clip | null = null;
    return {
      ...reply,
      get clip() {
        clip ??= voice();
        return clip;
      },
    };
  };
  const otherwise = scenario.otherwise.map((reply) => ({
    ...reply,
    calls: reply.calls.map((call) => ({
      ...call,
      followUp: call.followUp === null ? null : spoken(call.followUp),
    })),
  }));
  return { ...scenario, otherwise };
}

/** By how much a line may put the gateway's reckoning of what was heard out. */
export const lineMsOf = ({ delayMs, jitterMs, lateByMs }: LineWeather): number =>
  2 * (delayMs + jitterMs + lateByMs) + 60;
