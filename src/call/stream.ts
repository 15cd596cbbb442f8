/** One socket of the carrier's: what it says becomes events of its call, what playout writes becomes its messages. */
import type { MediaCommand, MediaEvent, MediaPort } from '../carriers/carrier.ts';
import type { StreamSink, StreamSocket } from './desk.ts';
import type { PlayoutPort } from './playout.ts';

export interface StreamHost {
  onMedia(stream: Stream, event: MediaEvent, receivedAtMs: number): void;
  onSocketClosed(stream: Stream, code: number, detail: string): void;
  /** Something of ours threw: the call it belongs to ends, and no other. */
  onBug(where: string, caught: unknown): void;
  now(): number;
}

export class Stream implements StreamSink, PlayoutPort {
  readonly epoch: number;
  readonly #socket: StreamSocket;
  readonly #media: MediaPort;
  readonly #host: StreamHost;
  #closed = false;
  /** When the last audio was read: a stream without any is dead, whatever else it says. */
  lastMediaAtMs: number;

  constructor(epoch: number, socket: StreamSocket, media: MediaPort, host: StreamHost) {
    this.epoch = epoch;
    this.#socket = socket;
    this.#media = media;
    this.#host = host;
    this.lastMediaAtMs = host.now();
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    if (this.#closed) return;
    const receivedAtMs = this.#host.now();
    try {
      for (const event of this.#media.decode(data, isBinary)) this.#host.onMedia(this, event, receivedAtMs);
    } catch (caught) {
      this.#host.onBug('a message of the carrier', caught);
    }
  }

  onClose(code: number, detail: string): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#host.onSocketClosed(this, code, detail);
    } catch (caught) {
      this.#host.onBug('the end of a stream', caught);
    }
  }

  audio(payload: Uint8Array): boolean {
    return this.command({ type: 'audio', payload });
  }

  endOfTurn(): boolean {
    return this.command({ type: 'end-of-turn' });
  }

  mark(name: string): boolean {
    return this.command({ type: 'mark', name });
  }

  clear(): boolean {
    return this.command({ type: 'clear' });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  command(command: MediaCommand): boolean {
    if (this.#closed) return false;
    for (const message of this.#media.encode(command)) if (!this.#socket.send(message)) return false;
    return true;
  }

  reply(message: string | Buffer): void {
    if (!this.#closed) this.#socket.send(message);
  }

  /** We close: nothing of what the socket still says is listened to. */
  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close(code, reason);
  }
}
