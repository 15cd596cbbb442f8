/**
 * A gateway for tests of the simulated caller: checks signatures with Twilio's own library, answers with the document
 * it is given, and hands the stream to a script.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import twilio from 'twilio';
import { type WebSocket, WebSocketServer } from 'ws';

export interface SeenRequest {
  readonly path: string;
  readonly form: Readonly<Record<string, string>>;
  readonly signed: boolean;
}

export interface ScriptedGateway {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** Every message of the stream, parsed. */
  readonly messages: readonly Record<string, unknown>[];
  readonly handshake: { signed: boolean } | null;
  close(): Promise<void>;
}

export interface Script {
  readonly authToken: string;
  /** What the signatures are checked against; the gateway's own address when left out. */
  readonly publicUrl?: string;
  /** Answers `/twilio/voice`; gets the address of the stream. */
  readonly voice: (streamUrl: string, publicUrl: string) => { status?: number; body: string };
  readonly after?: string;
  /** Called for every message; `send` stamps the streamSid. */
  readonly onMessage?: (message: Record<string, unknown>, stream: ScriptedStream) => void;
  readonly refuseUpgrade?: boolean;
}

export interface ScriptedStream {
  send(message: Record<string, unknown>): void;
  close(): void;
}

export const connectDocument = (streamUrl: string, publicUrl: string): { body: string } => {
  const response = new twilio.twiml.VoiceResponse();
  const connect = response.connect({ action: `${publicUrl}/twilio/after`, method: 'POST' });
  const stream = connect.stream({ url: streamUrl, statusCallback: `${publicUrl}/twilio/events` });
  stream.parameter({ name: 'from', value: '+15550100001' });
  return { body: response.toString() };
};

export async function startScriptedGateway(script: Script): Promise<ScriptedGateway> {
  const requests: SeenRequest[] = [];
  const messages: Record<string, unknown>[] = [];
  let handshake: { signed: boolean } | null = null;
  let publicUrl = script.publicUrl ?? '';
  const signedFor = (header: unknown, url: string, form: Record<string, string>): boolean =>
    typeof header === 'string' && twilio.validateRequest(script.authToken, header, url, form);

  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const path = request.url ?? '';
      const form = Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString()));
      requests.push({
        path,
        form,
        signed: signedFor(request.headers['x-twilio-signature'], publicUrl + path, form),
      });
      if (path === '/twilio/voice') {
        const stream = `${publicUrl.replace(/^http/, 'ws')}/twilio/media/token`;
        const { status = 200, body } = script.voice(stream, publicUrl);
        response.writeHead(status, { 'content-type': 'text/xml' }).end(body);
      } else if (path === '/twilio/after') {
        response
          .writeHead(200, { 'content-type': 'text/xml' })
          .end(script.after ?? '<Response><Hangup/></Response>');
      } else response.writeHead(204).end();
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    const target = `${publicUrl.replace(/^http/, 'ws')}${request.url}`;
    handshake = { signed: signedFor(request.headers['x-twilio-signature'], target, {}) };
    if (script.refuseUpgrade) {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => attach(client));
  });

  const attach = (client: WebSocket): void => {
    let streamSid = '';
    const stream: ScriptedStream = {
      send: (message) => client.send(JSON.stringify({ streamSid, ...message })),
      close: () => client.close(1000),
    };
    client.on('message', (data) => {
      const message = JSON.parse(data.toString()) as Record<string, unknown>;
      messages.push(message);
      if (message['event'] === 'start') streamSid = String(message['streamSid']);
      script.onMessage?.(message, stream);
    });
  };

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  publicUrl ||= url;
  return {
    url,
    requests,
    messages,
    get handshake() {
      return handshake;
    },
    close: () =>
      new Promise((resolve) => {
        for (const client of sockets.clients) client.terminate();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
