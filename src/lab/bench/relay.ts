/**
 * The bare relay that the gateway is measured against: the same messages of the same sizes on the same two sockets, the
 * same TLS, and no work. It reads nothing of what it passes on; what it sends is prepared. What the gateway costs more
 * is what telephony costs: codecs, resampling, pacing, detection, account.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

const CHUNK_BASE64 = Buffer.alloc(640, 7).toString('base64');
const PACKET_BASE64 = Buffer.alloc(480, 7).toString('base64');
const TO_MODEL = `{"realtimeInput":{"audio":{"data":"${CHUNK_BASE64}","mimeType":"audio/pcm;rate=16000"}}}`;
const SETUP =
  '{"setup":{"model":"models/gemini-3.8-live","generationConfig":{"responseModalities":["AUDIO"]}}}';
const PACKET_MS = 60;
const MARK_EVERY = 3;
/** A model's audio message of 200 ms is about so long; one packet out for every 60 ms of it. */
const BYTES_PER_MS = 64.5;

export interface Relay {
  readonly url: string;
  close(): Promise<void>;
}

export async function startRelay(modelUrl: string): Promise<Relay> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  const target = `${modelUrl.replace(/^http/, 'ws')}/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=bench`;
  sockets.on('connection', (carrier) => relay(carrier, new WebSocket(target, { perMessageDeflate: false })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function relay(carrier: WebSocket, model: WebSocket): void {
  let streamSid = '';
  let owedMs = 0;
  let packets = 0;
  model.on('open', () => model.send(SETUP));
  model.on('error', () => carrier.close());
  model.on('close', () => carrier.close());
  carrier.on('error', () => model.close());
  carrier.on('close', () => model.close());
  carrier.on('message', (data: Buffer) => {
    if (streamSid === '') {
      // Only `start` is looked into, for the id that every message out has to carry.
      streamSid = /"streamSid":"([^"]+)"/.exec(data.toString('latin1'))?.[1] ?? '';
      return;
    }
    if (model.readyState === model.OPEN && data.length > 250) model.send(TO_MODEL);
  });
  model.on('message', (data: Buffer) => {
    if (data.length < 1_000 || carrier.readyState !== carrier.OPEN) return;
    owedMs += data.length / BYTES_PER_MS;
    for (; owedMs >= PACKET_MS; owedMs -= PACKET_MS) {
      carrier.send(`{"event":"media","streamSid":"${streamSid}","media":{"payload":"${PACKET_BASE64}"}}`);
      packets += 1;
      if (packets % MARK_EVERY === 0) {
        carrier.send(`{"event":"mark","streamSid":"${streamSid}","mark":{"name":"g1.${packets}"}}`);
      }
    }
  });
}
