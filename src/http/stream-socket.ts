import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { StreamSink, StreamSocket } from '../call/desk.ts';
import type { Clock, Timer } from '../clock.ts';
import type { Log } from '../observability/log.ts';
import type { HttpMeters } from './http-meters.ts';
import type { PublicLimits } from './limits.ts';
import { TokenBucket } from './token-bucket.ts';

export interface StreamSocketDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: HttpMeters;
  readonly limits: PublicLimits;
}

/** RFC 6455, section 7.4.1. */
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;
/** A close frame's reason may have 123 bytes. */
const MAX_REASON_BYTES = 123;

/**
 * Joins an accepted socket with its call, in one synchronous step: a message that came before the listeners would be
 * lost. The sink's `onClose` hears as `detail` nothing, or one of `oversize`, `flood`, `protocol`, `socket-error` and
 * `bug`, each with a colon and what was found.
 */
export function joinStream(
  ws: WebSocket,
  wire: Pick<Duplex, 'cork' | 'uncork'>,
  attach: (socket: StreamSocket) => StreamSink,
  deps: StreamSocketDeps,
): void {
  new JoinedStream(ws, wire, deps).start(attach);
}

class JoinedStream implements StreamSocket {
  readonly #ws: WebSocket;
  readonly #wire: Pick<Duplex, 'cork' | 'uncork'>;
  readonly #deps: StreamSocketDeps;
  readonly #bucket: TokenBucket;
  #sink: StreamSink | null = null;
  #pinging: Timer | null = null;
  /** From the first fault on nothing more is delivered; what the peer still sends is thrown away. */
  #deaf = false;
  #gathering = false;
  #detail = '';

  constructor(ws: WebSocket, wire: Pick<Duplex, 'cork' | 'uncork'>, deps: StreamSocketDeps) {
    this.#ws = ws;
    this.#wire = wire;
    this.#deps = deps;
    this.#bucket = new TokenBucket(deps.limits.messagesPerSecond, deps.limits.messageBurst, deps.clock.now());
  }

  start(attach: (socket: StreamSocket) => StreamSink): void {
    this.#ws.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary));
    this.#ws.on('error', (error) => this.#onError(error));
    this.#ws.on('close', (code) => this.#onClose(code));
    this.#pingLater();
    try {
      this.#sink = attach(this);
    } catch (caught) {
      this.#bug('attaching a stream failed', caught);
    }
  }

  get bufferedBytes(): number {
    return this.#ws.bufferedAmount;
  }

  send(message: string | Buffer): boolean {
    if (this.#ws.readyState !== this.#ws.OPEN) return false;
    if (this.#ws.bufferedAmount > this.#deps.limits.bufferedBytes) return false;
    try {
      this.#gather();
      this.#ws.send(message);
      return true;
    } catch {
      return false;
    }
  }

  /** What one step of the call sends, packets and their mark, goes out in one write when the step is over. */
  #gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#wire.cork();
    process.nextTick(this.#letGo);
  }

  readonly #letGo = (): void => {
    this.#gathering = false;
    this.#wire.uncork();
  };

  close(code: number, reason: string): void {
    try {
      this.#ws.close(mayBeSent(code) ? code : INTERNAL_ERROR, shorten(reason));
    } catch {
      this.#ws.terminate();
    }
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#deaf) return;
    if (!this.#bucket.take(this.#deps.clock.now())) {
      this.#deps.meters.limitHit('message-rate');
      this.#giveUp(POLICY_VIOLATION, 'flood: more messages than any carrier sends');
      return;
    }
    try {
      this.#sink?.onMessage(data, isBinary);
    } catch (caught) {
      this.#bug('handling a stream message failed', caught);
    }
  }

  /** A protocol error: ws has already sent the close frame with its code. */
  #onError(error: Error): void {
    const code = 'code' in error ? String(error.code) : error.name;
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') this.#deps.meters.limitHit('message-size');
    this.#deaf = true;
    this.#detail ||= `${faultOf(code)}: ${code}`;
  }

  #onClose(code: number): void {
    this.#deaf = true;
    this.#pinging?.cancel();
    this.#pinging = null;
    const sink = this.#sink;
    this.#sink = null;
    try {
      sink?.onClose(code, this.#detail);
    } catch (caught) {
      this.#bug('handling the end of a stream failed', caught);
    }
  }

  #bug(what: string, caught: unknown): void {
    this.#deps.meters.handlerFailed('stream');
    this.#deps.log.error({ err: caught }, what);
    this.#giveUp(INTERNAL_ERROR, `bug: ${what}`);
  }

  #giveUp(code: number, detail: string): void {
    this.#deaf = true;
    this.#detail ||= detail;
    this.close(code, '');
  }

  /**
   * Keeps the stream alive in the eyes of proxies. A missing pong ends nothing: whether a caller is still there the
   * call judges by the audio.
   */
  #pingLater(): void {
    this.#pinging = this.#deps.clock.setTimer(this.#deps.limits.pingEveryMs, () => {
      if (this.#ws.readyState !== this.#ws.OPEN) return;
      this.#ws.ping();
      this.#pingLater();
    });
  }
}

function faultOf(code: string): string {
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'oversize';
  if (code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') return 'flood';
  return code.startsWith('WS_ERR_') ? 'protocol' : 'socket-error';
}

/** Codes that an endpoint may put into a close frame; 1004 to 1006 and 1015 are for reports only. */
function mayBeSent(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999)
  );
}

function shorten(reason: string): string {
  let text = reason.slice(0, MAX_REASON_BYTES);
  while (Buffer.byteLength(text) > MAX_REASON_BYTES) text = text.slice(0, -1);
  return text;
}
