/** A Live server that does what a test tells it: plain http and ws on loopback, no behaviour of its own. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export type Json = Record<string, unknown>;

/** One accepted connection, from the server's side. */
export class Peer {
  readonly request: IncomingMessage;
  readonly ws: WebSocket;
  /** Raw text of every client frame so far. */
  readonly frames: string[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(ws: WebSocket, request: IncomingMessage) {
    this.ws = ws;
    this.request = request;
    ws.on('error', () => {});
    ws.on('message', (data) => {
      this.frames.push(data.toString());
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        for (const wake of this.#waiting.splice(0)) wake();
      });
    });
  }

  /** The nth client frame (0 is the setup), awaited. */
  async frame(index: number): Promise<Json> {
    while (this.frames.length <= index) {
      if (this.ws.readyState === this.ws.CLOSED) throw new Error(`closed before frame ${index}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return JSON.parse(this.frames[index]!) as Json;
  }

  /** Pretty-printed JSON with a newline, in a binary frame: what Google sends. */
  say(message: Json, how: 'binary' | 'text' = 'binary'): void {
    const text = `${JSON.stringify(message, null, 2)}\n`;
    this.ws.send(how === 'binary' ? Buffer.from(text) : text, { binary: how === 'binary' });
  }

  async completeSetup(): Promise<Json> {
    const setup = await this.frame(0);
    this.say({ setupComplete: {} });
    return setup;
  }
}

export class ScriptedLiveServer {
  readonly baseUrl: string;
  readonly peers: Peer[] = [];
  readonly #http: Server;
  readonly #ws: WebSocketServer;

  private constructor(http: Server, ws: WebSocketServer) {
    this.#http = http;
    this.#ws = ws;
    this.baseUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  }

  /** `script` runs for each connection; `refuseWith` answers the upgrade with that HTTP status. */
  static async listen(
    script: (peer: Peer) => unknown,
    options: { refuseWith?: number; silentUpgrade?: boolean } = {},
  ): Promise<ScriptedLiveServer> {
    const http = createServer((_request, response) => response.writeHead(404).end());
    const ws = new WebSocketServer({ noServer: true, perMessageDeflate: true });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const server = new ScriptedLiveServer(http, ws);
    http.on('upgrade', (request, socket, head) => {
      socket.on('error', () => {});
      if (options.silentUpgrade) {
        // Read on, so that the end of the client's side is noticed.
        socket.resume();
        socket.on('end', () => socket.destroy());
        return;
      }
      if (options.refuseWith !== undefined) {
        socket.end(`HTTP/1.1 ${options.refuseWith} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      ws.handleUpgrade(request, socket, head, (accepted) => {
        const peer = new Peer(accepted, request);
        server.peers.push(peer);
        // A script that is cut short by the end of its test is no failure.
        Promise.resolve(script(peer)).catch(() => {});
      });
    });
    return server;
  }

  /** Connections that the server still holds. */
  async connectionCount(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#http.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
  }

  async close(): Promise<void> {
    for (const client of this.#ws.clients) client.terminate();
    this.#http.closeAllConnections();
    this.#http.close();
    this.#ws.close();
    await once(this.#http, 'close');
  }
}
