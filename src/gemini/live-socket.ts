/**
 * The socket under the SDK. The SDK asks a factory for it (`webSocketFactory`), which lets us bound, watch and destroy
 * what the SDK's own socket hides, and keeps surprises away from the SDK: in there, a frame that is not JSON, a message
 * before the setup or an unlucky field name (`text`) becomes an unhandled rejection, which ends the process.
 */
import { WebSocket } from 'ws';
import { isSetupComplete } from './events.ts';

/** One second of 24 kHz audio is 64 kB on the wire; nothing honest comes near this. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Before setup is complete nothing but small control messages is due. */
const MAX_BYTES_BEFORE_SETUP = 1024 * 1024;
/** So many broken frames are no accident. */
const MAX_BAD_FRAMES = 8;

/** What the SDK wants to be told; the shapes are those of its own socket's events. */
export interface SdkCallbacks {
  readonly onopen: () => void;
  readonly onerror: (event: { message: string }) => void;
  readonly onmessage: (event: { data: string }) => void;
  readonly onclose: (event: { code: number; reason: string; wasClean: boolean }) => void;
}

export interface LiveSocketOptions {
  readonly handshakeTimeoutMs: number;
  /** The socket is open, and this is the SDK's setup message: `sendSetup` sends what is to go out, now or later. */
  readonly onSetup: (frame: string) => void;
  /** Every JSON message of the server, in order. Must not throw. */
  readonly onJson: (json: unknown) => void;
  readonly onFault: (kind: 'bad-frame' | 'oversize', detail: string) => void;
  /** The upgrade was answered with something other than 101. */
  readonly onRefused: (httpStatus: number) => void;
}

const AS_TEXT = { binary: false };

export class LiveSocket {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #sdk: SdkCallbacks;
  readonly #options: LiveSocketOptions;
  #ws: WebSocket | null = null;
  #setupSent = false;
  #setupDone = false;
  /** Messages that came before the setup was sent: the SDK has no session yet to give them to. */
  readonly #early: unknown[] = [];
  #bytesBeforeSetup = 0;
  #badFrames = 0;
  #lastError = '';

  constructor(url: string, headers: Record<string, string>, sdk: SdkCallbacks, options: LiveSocketOptions) {
    this.#url = url;
    this.#headers = headers;
    this.#sdk = sdk;
    this.#options = options;
  }

  /** @throws SyntaxError when the SDK made an address that is none; it quotes the address, key included. */
  connect(): void {
    const ws = new WebSocket(this.#url, {
      headers: this.#headers,
      perMessageDeflate: false,
      handshakeTimeout: this.#options.handshakeTimeoutMs,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    this.#ws = ws;
    ws.on('open', () => this.#sdk.onopen());
    ws.on('message', (data) => this.#receive(data as Buffer));
    ws.on('unexpected-response', (request, response) => {
      this.#options.onRefused(response.statusCode ?? 0);
      request.destroy();
      ws.terminate();
    });
    ws.on('error', (error) => {
      this.#lastError = error.message;
      if ('code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
        this.#options.onFault('oversize', `a message of more than ${MAX_MESSAGE_BYTES} bytes`);
      }
      this.#sdk.onerror({ message: error.message });
      // A broken frame makes ws wait up to 30 s for the peer's close; there is nothing to wait for.
      ws.terminate();
    });
    ws.on('close', (code, reason) => {
      const text = reason.length > 0 ? reason.toString() : code === 1006 ? this.#lastError : '';
      this.#sdk.onclose({ code, reason: text, wasClean: code !== 1006 });
    });
  }

  /** The SDK's way to send: the first frame is its setup message, and it sends no other before setup is complete. */
  send(frame: string): void {
    if (this.#setupSent) this.#ws?.send(frame);
    else this.#options.onSetup(frame);
  }

  sendSetup(frame: string): void {
    this.#setupSent = true;
    this.#ws?.send(frame);
    for (const message of this.#early.splice(0)) this.#pass(message);
  }

  /** A text frame after setup, past the SDK. */
  sendFrame(frame: Buffer): void {
    this.#ws?.send(frame, AS_TEXT);
  }

  get isOpen(): boolean {
    return this.#ws?.readyState === WebSocket.OPEN;
  }

  get bufferedBytes(): number {
    return this.#ws?.bufferedAmount ?? 0;
  }

  close(code = 1000): void {
    this.#ws?.close(code);
  }

  terminate(): void {
    this.#ws?.terminate();
  }

  #receive(data: Buffer): void {
    // What had been read before the socket was destroyed still comes.
    if (this.#badFrames >= MAX_BAD_FRAMES) return;
    if (!this.#setupDone) {
      this.#bytesBeforeSetup += data.length;
      if (this.#bytesBeforeSetup > MAX_BYTES_BEFORE_SETUP) {
        this.#options.onFault(
          'oversize',
          `more than ${MAX_BYTES_BEFORE_SETUP} bytes before setup was complete`,
        );
        this.terminate();
        return;
      }
    }
    let json: unknown;
    try {
      json = JSON.parse(data.toString());
    } catch {
      this.#badFrames += 1;
      this.#options.onFault('bad-frame', `${data.length} bytes that are not JSON`);
      if (this.#badFrames >= MAX_BAD_FRAMES) this.terminate();
      return;
    }
    if (this.#setupSent) this.#pass(json);
    else this.#early.push(json);
  }

  #pass(json: unknown): void {
    this.#options.onJson(json);
    if (this.#setupDone || !isSetupComplete(json)) return;
    this.#setupDone = true;
    // All that the SDK needs to hear: that setup is complete. Whatever shared the message has been passed on above.
    this.#sdk.onmessage({ data: '{"setupComplete":{}}' });
  }
}
