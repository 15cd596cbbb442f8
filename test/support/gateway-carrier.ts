/** A simulated Twilio in the hands of somebody with bad manners: every step of a call by itself, right or wrong. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import {
  connectedMessage,
  mediaMessage,
  startMessage,
  stopMessage,
} from '../../src/lab/caller/twilio/messages.ts';
import { twilioSignature } from '../../src/lab/caller/twilio/signature.ts';
import { parseTwiml } from '../../src/lab/caller/twilio/twiml.ts';
import { until } from './gateway-clock.ts';
import type { World } from './gateway-world.ts';

/** A stream that broke off may come back for some seconds. */
const PATIENCE_MS = 12_000;
const QUIET = new Uint8Array(160).fill(0xff);

export class RudeCall {
  readonly callSid = `CA${randomBytes(16).toString('hex')}`;
  /** The stream's address as the gateway gave it. */
  streamUrl = '';
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Rings, and is let in. */
  static async ring(world: World): Promise<RudeCall> {
    const call = new RudeCall(world);
    const connect = parseTwiml(await call.webhook())?.find((verb) => verb.verb === 'connect');
    call.streamUrl = connect?.streamUrl ?? '';
    return call;
  }

  /** Rings, and opens a stream that has said `start`. */
  static async begin(world: World): Promise<{ readonly call: RudeCall; readonly stream: RudeStream }> {
    const call = await RudeCall.ring(world);
    const stream = await call.open();
    stream.send(connectedMessage(), call.start());
    await until('the stream taken', () => call.of('stream-started').length === 1, PATIENCE_MS);
    return { call, stream };
  }

  get token(): string {
    return this.streamUrl.split('/').at(-1)!;
  }

  /** The signed webhook. @returns the document */
  async webhook(path = '/twilio/voice', status = 'ringing'): Promise<string> {
    const { gateway, twilio } = this.#world;
    const url = gateway.publicUrl + path;
    const form = {
      AccountSid: twilio.accountSid,
      ApiVersion: '2010-04-01',
      CallSid: this.callSid,
      CallStatus: status,
      Direction: 'inbound',
      From: '+15550100001',
      To: '+15550100002',
    };
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-twilio-signature': twilioSignature(twilio.authToken, url, form),
      },
      body: new URLSearchParams(form).toString(),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return response.text();
  }

  /** The status of a handshake: 101 for one that is taken, whose socket is then cut. */
  async handshake(url = this.streamUrl, signature: string | null = this.signed(url)): Promise<number> {
    const headers = signature === null ? {} : { 'x-twilio-signature': signature };
    const socket = new WebSocket(url, { headers, perMessageDeflate: false });
    const { promise, resolve } = Promise.withResolvers<number>();
    socket.on('error', () => {});
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    const status = await promise;
    socket.terminate();
    return status;
  }

  signed(url: string): string {
    return twilioSignature(this.#world.twilio.authToken, url);
  }

  async open(): Promise<RudeStream> {
    const socket = new WebSocket(this.streamUrl, {
      headers: { 'x-twilio-signature': this.signed(this.streamUrl) },
      perMessageDeflate: false,
    });
    const stream = new RudeStream(socket);
    await once(socket, 'open', { signal: AbortSignal.timeout(PATIENCE_MS) });
    return stream;
  }

  start(changes: { readonly callSid?: string; readonly streamSid?: string } = {}): string {
    return startMessage({ ...this.#ids(), ...changes }, 1, {});
  }

  media(chunk = 1, streamSid = this.#ids().streamSid): string {
    const media = { chunk, timestampMs: chunk * 20, payload: QUIET };
    return mediaMessage({ ...this.#ids(), streamSid }, chunk + 1, media);
  }

  stop(): string {
    return stopMessage(this.#ids(), 99);
  }

  #ids() {
    const { accountSid } = this.#world.twilio;
    return { accountSid, callSid: this.callSid, streamSid: `MZ${this.callSid.slice(2)}` };
  }

  of(type: Parameters<World['entriesOf']>[1]) {
    return this.#world.entriesOf(this.callSid, type);
  }

  /** `caller completed`: how the call ended, once it has. */
  async ended(): Promise<string> {
    await until('the call ended', () => this.of('call-ended').length > 0, PATIENCE_MS);
    return this.#world
      .entriesOf(this.callSid, 'call-ended')
      .map(({ reason }) => `${reason.who} ${reason.how}`)
      .join(', ');
  }
}

export class RudeStream {
  readonly socket: WebSocket;
  readonly received: string[] = [];
  closeCode: number | null = null;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('message', (data) => this.received.push(data.toString()));
    socket.on('close', (code) => {
      this.closeCode = code;
    });
  }

  send(...messages: readonly (string | Buffer)[]): void {
    for (const message of messages) this.socket.send(message);
  }

  /** With which code the gateway closed it. */
  async closed(): Promise<number> {
    await until('the stream closed', () => this.closeCode !== null, PATIENCE_MS);
    return this.closeCode!;
  }
}
