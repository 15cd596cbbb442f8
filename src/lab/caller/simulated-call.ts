/**
 * One call at a simulated carrier: rings at the gateway, opens the stream that is asked for, plays a recording into it
 * in real time and keeps account of all that comes back; puts the caller through where it is told to, and takes the call
 * back. The other side of the contract, written without the gateway's own code. What carriers do differently is behind
 * `CarrierSide` and `StreamProtocol`.
 */
import { WebSocket } from 'ws';
import { convertOffline } from '../../audio/offline.ts';
import type { Clock, Timer } from '../../clock.ts';
import { messageOf } from '../../errors.ts';
import { FAIR_WEATHER, Line, type LineWeather } from '../network/line.ts';
import { seededRandom } from '../network/random.ts';
import type { CallEnd, CallRun, TimelineEntry } from './call-run.ts';
import type {
  CallContext,
  CallControl,
  CalleeOutcome,
  CarrierSide,
  Next,
  StreamPlan,
} from './carrier-side.ts';
import { createGatewayHttp, type GatewayHttp } from './gateway-http.ts';
import { CallerStream, type DtmfPress, type StreamAccount } from './stream.ts';
import { closeSoon, openStreamSocket } from './stream-socket.ts';

const MAX_TIMELINE = 10_000;
/** A gateway that sends the call round in circles is told apart from one that takes it back once or twice. */
const MAX_STEPS = 20;
const CALLER_RATE = 8_000;

/** Who is called when the caller is put through. */
export interface CalleePlan {
  readonly outcome: CalleeOutcome;
  /** How long it rings. */
  readonly afterMs: number;
  /** How long the two talk, when the callee answers; then the callee hangs up. */
  readonly talkMs: number;
}

export interface CallOptions {
  readonly clock: Clock;
  /** Where the gateway's public listener really is, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** What the gateway calls itself (PUBLIC_URL); `url` when it is the same. */
  readonly publicUrl?: string;
  readonly from: string;
  readonly to: string;
  /** 8 kHz. */
  readonly caller: Int16Array;
  readonly dtmf?: readonly DtmfPress[];
  /** The network between carrier and gateway, each way. */
  readonly weather?: LineWeather;
  readonly seed?: number;
  /** How long the caller stays on a silent line after the recording. Default 3 s. */
  readonly lingerMs?: number;
  /** The call is hung up after this, whatever happens. */
  readonly maxMs: number;
  /** Left out, a transfer ends what is looked at: nobody is really called. */
  readonly callee?: CalleePlan;
  /** `outbound` for a call that the gateway has placed. */
  readonly direction?: 'inbound' | 'outbound';
  /** Hangs up at once; the call's account is still complete. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (entry: TimelineEntry) => void;
}

/**
 * Runs one call from ringing to hang-up.
 * @throws OffhookError ERR_CALL when there is no call at all: nobody answers, the webhook or the handshake is refused,
 *   or the answer is no document of the carrier's. A spoken refusal is a call; its end says so.
 */
export function runCall(
  options: CallOptions,
  createSide: (call: CallContext) => CarrierSide,
): Promise<CallRun> {
  return new SimulatedCall(options, createSide).run();
}

class SimulatedCall {
  readonly #options: CallOptions;
  readonly #http: GatewayHttp;
  readonly #side: CarrierSide;
  readonly #timeline: TimelineEntry[] = [];
  readonly #timers: Timer[] = [];
  readonly #notices: Promise<void>[] = [];
  readonly #misuse: string[] = [];
  readonly #startedAtMs: number;
  readonly #startedAtEpochMs: number;
  /** Somebody has hung up; whatever is going on ends with it. */
  readonly #over = Promise.withResolvers<CallEnd>();
  #proceed: ((next: Next) => void) | null = null;
  #originMs: number | null = null;
  #stream: CallerStream | null = null;
  /** The stream's messages on their way up, while there is one. */
  #up: Line<{ readonly message: string | Buffer; readonly frame: number | null }> | null = null;
  #onControl: { leave(detail: string): void; drop(detail: string): void } | null = null;
  #streamId = '';

  constructor(options: CallOptions, createSide: (call: CallContext) => CarrierSide) {
    this.#options = options;
    const { clock, url, publicUrl = url, from, to, direction = 'inbound' } = options;
    this.#startedAtMs = clock.now();
    this.#startedAtEpochMs = clock.epochMs();
    const note = (what: string, detail: string): void => this.#note(what, detail);
    this.#http = createGatewayHttp({ url, publicUrl });
    this.#side = createSide({ clock, http: this.#http, from, to, direction, note });
  }

  async run(): Promise<CallRun> {
    const forget = this.#side.register?.(this.#control());
    const onAbort = (): void => this.#hangUp({ by: 'caller', how: 'hung-up', detail: 'told to stop' });
    this.#options.signal?.addEventListener('abort', onAbort);
    if (this.#options.signal?.aborted) onAbort();
    try {
      this.#note('ringing', this.#options.url);
      const first = await this.#side.ring();
      this.#note('answered', describeNext(first));
      const end = await this.#follow(first);
      const spoke = this.#stream !== null;
      this.#stream?.end(end.how !== 'stream-closed');
      this.#up?.close();
      this.#note('ended', `${end.by}: ${end.how}`);
      if (spoke) this.#tell('stream-stopped');
      this.#tell('ended');
      await Promise.all(this.#notices);
      return this.#result(end);
    } finally {
      for (const timer of this.#timers) timer.cancel();
      this.#options.signal?.removeEventListener('abort', onAbort);
      forget?.();
    }
  }

  /** Does one thing after the other, until the call is over. */
  async #follow(first: Next): Promise<CallEnd> {
    let next = first;
    let before: CallEnd | null = null;
    for (let step = 0; step < MAX_STEPS; step += 1) {
      if (next.do === 'hang-up') {
        if (before === null) return { by: 'gateway', how: 'refused', detail: next.detail };
        return { ...before, detail: `${before.detail}, then ${next.detail}` };
      }
      const did: Did =
        next.do === 'stream'
          ? await this.#converse(next.plan, before !== null)
          : next.do === 'transfer'
            ? await this.#putThrough(next.detail)
            : await this.#stay(next.detail);
      if (did.next === null) return did.end;
      this.#note('next', describeNext(did.next));
      ({ end: before, next } = did);
    }
    return { by: 'limit', how: 'hung-up', detail: `sent round in circles ${MAX_STEPS} times` };
  }

  async #converse(plan: StreamPlan, again: boolean): Promise<Did> {
    const { clock, weather = FAIR_WEATHER, seed = 1 } = this.#options;
    const opening = openStreamSocket({ ...plan, dial: this.#http.dialled(plan.url) });
    const socket = again ? await opening.catch((caught: unknown) => messageOf(caught)) : await opening;
    if (typeof socket === 'string') {
      return { end: { by: 'gateway', how: 'stream-closed', detail: socket }, next: null };
    }
    this.#streamId = plan.streamId;
    const ended = Promise.withResolvers<Ended>();
    const up = new Line<{ message: string | Buffer; frame: number | null }>({
      clock,
      random: seededRandom(seed),
      weather,
      deliver: ({ message, frame }) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(message);
        if (frame !== null) this.#stream?.frameWritten(frame);
      },
    });
    const down = new Line<{ data: Buffer; isBinary: boolean }>({
      clock,
      random: seededRandom(seed + 1),
      weather,
      deliver: ({ data, isBinary }) => this.#stream?.receive(data, isBinary),
    });
    socket.on('message', (data, isBinary) => down.send({ data: data as Buffer, isBinary }));
    socket.on('error', (error) => this.#note('socket-error', messageOf(error)));
    socket.on('close', (code) => {
      this.#note('stream-closed', `code ${code}`);
      // What was sent before the close still arrives, in order, on a slow line.
      const restMs = down.inFlight === 0 ? 0 : weather.delayMs + weather.jitterMs + weather.lateByMs;
      const closed = { how: 'closed', detail: `code ${code}` } as const;
      this.#timers.push(clock.setTimer(restMs, () => ended.resolve(closed)));
    });
    this.#up = up;
    this.#onControl = {
      leave: (detail) => ended.resolve({ how: 'closed', detail }),
      drop: (detail) => {
        socket.terminate();
        ended.resolve({ how: 'dropped', detail });
      },
    };
    this.#proceed = (next) => ended.resolve({ how: 'proceed', next });
    await plan.beforeStart?.().catch((caught: unknown) => this.#note('answer', messageOf(caught)));
    this.#begin(plan);
    this.#note('stream-started', '');
    this.#tell('stream-started');

    const how = await Promise.race([
      ended.promise,
      this.#over.promise.then((end) => ({ how: 'over', end }) as const),
    ]);
    this.#proceed = null;
    this.#onControl = null;
    // Told only where the carrier ends it: who has closed the stream knows.
    const said = how.how === 'over' || how.how === 'proceed';
    if (how.how === 'over') this.#stream?.end(true);
    else this.#stream?.detach(said);
    up.close();
    down.close();
    closeSoon(socket, clock);
    return this.#afterStream(how);
  }

  async #afterStream(how: Ended | { readonly how: 'over'; readonly end: CallEnd }): Promise<Did> {
    switch (how.how) {
      case 'over':
        return { end: how.end, next: null };
      case 'dropped': {
        const end: CallEnd = { by: 'carrier', how: 'stream-closed', detail: how.detail };
        return { end, next: await this.#ask(() => this.#side.afterStream()) };
      }
      case 'proceed':
        return { end: { by: 'gateway', how: 'api', detail: describeNext(how.next) }, next: how.next };
      case 'closed': {
        const end: CallEnd = { by: 'gateway', how: 'stream-closed', detail: how.detail };
        return { end, next: await this.#ask(() => this.#side.afterStream()) };
      }
    }
  }

  /** The first stream starts the call's time; another one goes on in it. */
  #begin(plan: StreamPlan): void {
    if (this.#stream !== null) {
      this.#stream.attach(plan.open);
      return;
    }
    const { clock, caller, dtmf = [], maxMs, lingerMs = 3_000 } = this.#options;
    this.#startStreamTime();
    this.#stream = new CallerStream({
      clock,
      open: plan.open,
      caller: plan.sentRate === CALLER_RATE ? caller : convertOffline(caller, CALLER_RATE, plan.sentRate),
      dtmf,
      send: (message, frame) => this.#up?.send({ message, frame }),
      onTimeline: (entry) => this.#write(entry),
      onCallerDone: () => {
        this.#note('recording-over', '');
        const end: CallEnd = { by: 'caller', how: 'hung-up', detail: 'the recording is over' };
        this.#timers.push(clock.setTimer(lingerMs, () => this.#hangUp(end)));
      },
      control: {
        hangUp: (detail) => this.#hangUp({ by: 'gateway', how: 'hung-up', detail }),
        leave: (detail) => this.#onControl?.leave(detail),
        drop: (detail) => this.#onControl?.drop(detail),
      },
    });
    const limit: CallEnd = { by: 'limit', how: 'hung-up', detail: `after ${maxMs} ms` };
    this.#timers.push(clock.setTimer(maxMs, () => this.#hangUp(limit)));
  }

  async #putThrough(detail: string): Promise<Did> {
    const { callee } = this.#options;
    const handedOver: CallEnd = { by: 'gateway', how: 'transferred', detail };
    if (callee === undefined) return { end: handedOver, next: null };
    this.#note('transfer', 'the callee rings');
    const ringing = await this.#wait(callee.afterMs);
    if (ringing !== null) return { end: ringing, next: null };
    this.#note('transfer', callee.outcome);
    if (callee.outcome === 'answered') {
      const talking = await this.#wait(callee.talkMs);
      if (talking !== null) return { end: handedOver, next: null };
    }
    const next = await this.#ask(() => this.#side.afterTransfer(callee.outcome));
    const unanswered: CallEnd = { by: 'gateway', how: 'hung-up', detail: `the callee: ${callee.outcome}` };
    return { end: callee.outcome === 'answered' ? handedOver : unanswered, next };
  }

  /** The stream is gone and the call is not: until somebody hangs up, or the API does something else with it. */
  async #stay(detail: string): Promise<Did> {
    const { clock, lingerMs = 3_000 } = this.#options;
    this.#note('silence', detail);
    const { promise, resolve } = Promise.withResolvers<Did>();
    this.#proceed = (next) => {
      resolve({ end: { by: 'gateway', how: 'api', detail: describeNext(next) }, next });
    };
    const timer = clock.setTimer(lingerMs, () => {
      this.#misuse.push('the stream was closed and nobody hung up: the call went on in silence');
      resolve({ end: { by: 'caller', how: 'hung-up', detail: `a dead line: ${detail}` }, next: null });
    });
    const did = await Promise.race([promise, this.#over.promise.then((end): Did => ({ end, next: null }))]);
    this.#proceed = null;
    timer.cancel();
    return did;
  }

  /** @returns null when the time has passed, and the end of the call when that came first */
  #wait(ms: number): Promise<CallEnd | null> {
    const { promise, resolve } = Promise.withResolvers<null>();
    this.#timers.push(this.#options.clock.setTimer(ms, () => resolve(null)));
    return Promise.race([promise, this.#over.promise]);
  }

  async #ask(question: () => Promise<Next>): Promise<Next> {
    try {
      return await question();
    } catch (caught) {
      return { do: 'hang-up', detail: messageOf(caught) };
    }
  }

  #control(): CallControl {
    return {
      hangUp: (detail) => this.#hangUp({ by: 'gateway', how: 'api', detail }),
      proceed: (next) => this.#proceed?.(next),
      digits: (digits) => this.#note('dtmf-out', digits.slice(0, 64)),
      invalid: (why) => {
        if (this.#misuse.length < 10) this.#misuse.push(why);
      },
    };
  }

  #hangUp(end: CallEnd): void {
    this.#over.resolve(end);
  }

  #tell(what: 'stream-started' | 'stream-stopped' | 'ended'): void {
    for (const told of this.#side.tell(what)) {
      this.#notices.push(
        told.then(
          ({ status }) => this.#note('status-callback', `answered ${status}`),
          (caught: unknown) => this.#note('status-callback', messageOf(caught)),
        ),
      );
    }
  }

  #note(what: string, detail: string): void {
    this.#write({ atMs: this.#options.clock.now() - (this.#originMs ?? this.#startedAtMs), what, detail });
  }

  /** From here on times count from the stream's start; what happened before moves below zero. */
  #startStreamTime(): void {
    this.#originMs = this.#options.clock.now();
    const leadMs = this.#originMs - this.#startedAtMs;
    const earlier = this.#timeline.map((entry) => ({ ...entry, atMs: entry.atMs - leadMs }));
    this.#timeline.splice(0, Number.POSITIVE_INFINITY, ...earlier);
  }

  #write(entry: TimelineEntry): void {
    if (this.#timeline.length < MAX_TIMELINE) this.#timeline.push(entry);
    this.#options.onEvent?.(entry);
  }

  #result(end: CallEnd): CallRun {
    const account = this.#stream?.account() ?? emptyAccount(this.#startedAtMs);
    const { messagesReceived, invalidMessages } = account;
    const invalid = (messagesReceived['invalid'] ?? 0) + this.#misuse.length;
    return {
      carrier: this.#side.carrier,
      callSid: this.#side.callId,
      streamSid: this.#streamId,
      from: this.#options.from,
      to: this.#options.to,
      startedAtEpochMs: this.#startedAtEpochMs,
      ...account,
      messagesReceived: invalid === 0 ? messagesReceived : { ...messagesReceived, invalid },
      invalidMessages: [...invalidMessages, ...this.#misuse],
      timeline: this.#timeline,
      end,
    };
  }
}

/** What was done, and what comes now; null when the call is over. */
interface Did {
  readonly end: CallEnd;
  readonly next: Next | null;
}

/** How a stream ended while the call went on. */
type Ended =
  | { readonly how: 'closed' | 'dropped'; readonly detail: string }
  | { readonly how: 'proceed'; readonly next: Next };

function describeNext(next: Next): string {
  switch (next.do) {
    case 'stream':
      return 'stream';
    case 'transfer':
    case 'stay':
    case 'hang-up':
      return next.detail;
  }
}

const emptyAccount = (originMs: number): StreamAccount => ({
  originMs,
  durationMs: 0,
  sampleRate: 8_000,
  sent: new Int16Array(0),
  frameWrittenMs: [],
  heard: new Int16Array(0),
  received: [],
  runs: [],
  generations: [],
  clears: [],
  unplayed: new Int16Array(0),
  marks: [],
  dtmf: [],
  messagesSent: {},
  messagesReceived: {},
  invalidMessages: [],
});
