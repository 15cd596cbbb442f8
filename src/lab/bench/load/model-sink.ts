/**
 * Gemini's side of the load: takes everybody's audio over TLS, counts it, and speaks half of the time. It is no emulator:
 * it answers nothing and checks nothing, so that the load costs less than what it measures.
 *
 * Time runs in input: a call's model begins to speak whenever ten more seconds of the caller have arrived, so that caller
 * and model keep their places whatever the machine does.
 */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export const CYCLE_FRAMES = 500;
/** The model begins at this frame of each cycle. */
const SPEAK_AT_FRAME = 25;
const CHUNK_MS = 200;
/** Play-out time over wall time of what is sent: models are faster than real time. */
const PACE = 3;

export interface SinkListener {
  /** The n-th chunk of 20 ms of a call has arrived. */
  onChunk(call: number, chunk: number): void;
  /** A call's model has written the first chunk of a turn. */
  onTurn(call: number): void;
}

export interface ModelSink {
  readonly url: string;
  /** Connections opened since the last restart. */
  readonly connections: number;
  /** Counts connections from 0 again: the next subject's first call is call 0. */
  restart(): void;
  close(): Promise<void>;
}

interface Spoken {
  readonly frames: readonly Buffer[];
  readonly end: readonly Buffer[];
}

export async function startModelSink(
  tls: { readonly key: string; readonly cert: string },
  voice24k: Int16Array,
  listener: SinkListener,
): Promise<ModelSink> {
  const spoken = prepare(voice24k);
  const server = createServer(tls);
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  let opened = 0;
  const setupComplete = Buffer.from('{\n  "setupComplete": {}\n}\n');
  sockets.on('connection', (socket) => {
    const call = opened;
    opened += 1;
    let chunks = -1;
    let nextTurn = SPEAK_AT_FRAME;
    socket.on('error', () => {});
    socket.on('message', (data: Buffer) => {
      if (chunks === -1) {
        chunks = 0;
        socket.send(setupComplete);
        return;
      }
      // `{"realtimeInput":{"audio"…`: the text trigger and tool answers are not audio.
      if (data[19] !== 0x61 || data.length < 500) return;
      listener.onChunk(call, chunks);
      chunks += 1;
      if (chunks < nextTurn) return;
      nextTurn += CYCLE_FRAMES;
      listener.onTurn(call);
      speak(socket, spoken);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}`,
    get connections() {
      return opened;
    },
    restart: () => {
      opened = 0;
    },
    close: async () => {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function speak(socket: WebSocket, { frames, end }: Spoken): void {
  let next = 0;
  const send = (): void => {
    if (socket.readyState !== socket.OPEN) return;
    const frame = frames[next];
    next += 1;
    if (frame === undefined) {
      for (const last of end) socket.send(last);
      return;
    }
    socket.send(frame);
    setTimeout(send, CHUNK_MS / PACE);
  };
  send();
}

function prepare(voice24k: Int16Array): Spoken {
  const samples = CHUNK_MS * 24;
  const bytes = Buffer.from(voice24k.buffer, voice24k.byteOffset, voice24k.byteLength);
  const frames: Buffer[] = [];
  for (let at = 0; at + samples <= voice24k.length; at += samples) {
    const data = bytes.subarray(at * 2, (at + samples) * 2).toString('base64');
    frames.push(
      json({
        serverContent: { modelTurn: { parts: [{ inlineData: { mimeType: 'audio/pcm;rate=24000', data } }] } },
      }),
    );
  }
  return {
    frames,
    end: [
      json({ serverContent: { generationComplete: true } }),
      json({ serverContent: { turnComplete: true } }),
    ],
  };
}

const json = (message: unknown): Buffer => Buffer.from(`${JSON.stringify(message, null, 2)}\n`);
