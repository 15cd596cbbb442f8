/** A simulated carrier in the hands of somebody with bad manners: every step of a call by itself, right or wrong. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { CarrierSide, StreamPlan } from '../../src/lab/caller/carrier-side.ts';
import {
  createGatewayHttp,
  type GatewayAnswer,
  type GatewayHttp,
} from '../../src/lab/caller/gateway-http.ts';
import { type CarrierAccount, createCarrierSide } from '../../src/lab/caller/place-call.ts';
import type { StreamHost, StreamProtocol } from '../../src/lab/caller/protocol.ts';
import type { CarrierWorld } from '../lab/caller/carrier-world.ts';
import { until } from './gateway-clock.ts';

export type Wire = string | Buffer;
type Ask = Parameters<GatewayHttp['ask']>;

const PATIENCE_MS = 12_000;
const FROM = '+15550100001';
const TO = '+15550100002';
const QUIET_CODE = 0xff;

/** Where one call is hung up by the carrier's API, and nothing else of it is looked at. */
const NO_CONTROL = { hangUp: () => {}, proceed: () => {}, digits: () => {}, invalid: () => {} };

export class RudeCall {
  readonly #world: CarrierWorld;
  readonly #side: CarrierSide;
  readonly #asked: Ask[] = [];
  readonly #http: GatewayHttp;
  readonly #said: Wire[] = [];
  #plan: StreamPlan | null = null;
  #protocol: StreamProtocol | null = null;
  #frames = 0;

  private constructor(world: CarrierWorld, account: CarrierAccount) {
    this.#world = world;
    const url = world.gateway.localUrl;
    this.#http = createGatewayHttp({ url, publicUrl: url });
    this.#side = createCarrierSide(account, {
      clock: world.clock,
      http: {
        ...this.#http,
        ask: (address, make) => {
          // What is sent again must be the same to the byte, so it is made once.
          const request = make(this.#http.named(address));
          this.#asked.push([address, () => request]);
          return this.#http.ask(address, () => request);
        },
      },
      from: FROM,
      to: TO,
      direction: 'inbound',
      note: () => {},
    });
    this.#side.register?.(NO_CONTROL);
  }

  /** Rings, and is let in. */
  static async ring(world: CarrierWorld, account: CarrierAccount): Promise<RudeCall> {
    const call = new RudeCall(world, account);
    const next = await call.#side.ring();
    if (next.do !== 'stream') throw new Error(`the gateway wants no stream: "${next.do}", ${next.detail}`);
    call.#plan = next.plan;
    call.#protocol = next.plan.open(call.#host());
    return call;
  }

  /** Rings, and opens a stream that has said `start`. */
  static async begin(
    world: CarrierWorld,
    account: CarrierAccount,
  ): Promise<{ readonly call: RudeCall; readonly stream: RudeStream }> {
    const call = await RudeCall.ring(world, account);
    const stream = await call.open();
    stream.send(...call.start());
    await until('the stream taken', () => call.of('stream-started').length === 1, PATIENCE_MS);
    return { call, stream };
  }

  get callId(): string {
    return this.#side.callId;
  }

  get streamId(): string {
    return this.plan.streamId;
  }

  get plan(): StreamPlan {
    if (this.#plan === null) throw new Error('the call has not rung');
    return this.#plan;
  }

  /** The announcement once more, byte for byte; null for a carrier that announces nothing. */
  async announceAgain(): Promise<GatewayAnswer | null> {
    const [first] = this.#asked;
    return first === undefined ? null : this.#http.ask(...first);
  }

  /** The carrier says that the call is over, where it says so. */
  async tellEnded(): Promise<void> {
    await Promise.all(this.#side.tell('ended'));
  }

  /** The status of a handshake: 101 for one that is taken, whose socket is then cut. */
  async handshake(url = this.plan.url, headers = this.plan.headers): Promise<number> {
    const socket = this.#socket(url, headers);
    const { promise, resolve } = Promise.withResolvers<number>();
    socket.on('error', () => resolve(0));
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    const status = await promise;
    socket.terminate();
    return status;
  }

  async open(): Promise<RudeStream> {
    const socket = this.#socket(this.plan.url, this.plan.headers);
    const stream = new RudeStream(socket);
    await once(socket, 'open', { signal: AbortSignal.timeout(PATIENCE_MS) });
    return stream;
  }

  /** What the carrier says first. The last of it is the start itself. */
  start(): readonly Wire[] {
    return this.#words((protocol) => protocol.start());
  }

  /** 20 ms of this payload, or of silence. */
  media(payload: Buffer = Buffer.alloc(160, QUIET_CODE)): readonly Wire[] {
    const number = this.#frames;
    this.#frames += 1;
    return this.#words((protocol) => protocol.media({ number, startMs: number * 20, payload }));
  }

  dtmf(digit: string): readonly Wire[] {
    return this.#words((protocol) => protocol.dtmf(digit));
  }

  /** Empty where a carrier has no such word, and just closes. */
  stop(): readonly Wire[] {
    return this.#words((protocol) => protocol.stop());
  }

  of<T extends Parameters<CarrierWorld['entriesOf']>[1]>(type: T) {
    return this.#world.entriesOf(this.callId, type);
  }

  /** The kinds of faults that were noted, each once. */
  faults(): readonly string[] {
    return this.of('carrier-fault').map(({ kind }) => kind);
  }

  /** `caller completed`: how the call ended, once it has. */
  async ended(): Promise<string> {
    await until('the call ended', () => this.of('call-ended').length > 0, PATIENCE_MS);
    return this.of('call-ended')
      .map(({ reason }) => `${reason.who} ${reason.how}`)
      .join(', ');
  }

  /** The caller hangs up, in the carrier's way. Asterisk's alone leaves a call that waits for another stream. */
  async hangUp(stream: RudeStream): Promise<void> {
    stream.send(...this.stop());
    stream.socket.close(1000);
    await this.tellEnded();
  }

  #socket(url: string, headers: Readonly<Record<string, string>>): WebSocket {
    const options = { headers: { ...headers }, perMessageDeflate: false };
    return new WebSocket(this.#http.dialled(url), [...this.plan.protocols], options);
  }

  #words(speak: (protocol: StreamProtocol) => void): readonly Wire[] {
    this.#said.length = 0;
    if (this.#protocol !== null) speak(this.#protocol);
    return [...this.#said];
  }

  /** What the gateway says is for nobody's ear. */
  #host(): StreamHost {
    return {
      nowMs: () => this.#world.clock.now(),
      send: (_event, message) => this.#said.push(message),
      count: () => {},
      invalid: () => {},
      play: () => {},
      mark: () => {},
      notice: () => {},
      clear: () => {},
      pause: () => {},
      queuedMs: 0,
      pendingMarks: 0,
      digits: () => {},
      hangUp: () => {},
      leave: () => {},
      drop: () => {},
    };
  }
}

export class RudeStream {
  readonly socket: WebSocket;
  closeCode: number | null = null;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('message', () => {});
    socket.on('close', (code) => {
      this.closeCode = code;
    });
  }

  /** Text as text, bytes as bytes. */
  send(...messages: readonly Wire[]): void {
    for (const message of messages) this.socket.send(message);
  }

  /** The gateway has read all that was sent: it answers this behind it, or has closed the stream. */
  async read(): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const { socket } = this;
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.ping();
    await Promise.race([once(socket, 'pong', { signal }), once(socket, 'close', { signal })]);
  }

  /** With which code the gateway closed it. */
  async closed(withinMs = PATIENCE_MS): Promise<number> {
    await until('the stream closed', () => this.closeCode !== null, withinMs);
    return this.closeCode!;
  }
}
