/**
 * Two hundred callers of a simulated Twilio, made as cheap as they can be: every caller sends the same ten seconds over
 * and over, and of what comes back only the lengths are looked at, marks are returned when they would have been played.
 */
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { PCMU } from '../../../audio/g711.ts';
import { connectedMessage, markMessage, startMessage, stopMessage } from '../../caller/twilio/messages.ts';
import { twilioSignature } from '../../caller/twilio/signature.ts';
import { parseTwiml } from '../../caller/twilio/twiml.ts';
import { Histogram } from './histogram.ts';

const FRAME_MS = 20;
const FRAME_BYTES = 160;
const SLOTS = 10;
/** Send times kept: a frame that takes longer than this has no latency any more. */
const KEPT = 512;
/** Silence of this length separates two turns. */
const TURN_GAP_MS = 1_000;
/** `{"event":"media","streamSid":"…","media":{"payload":"…"}}` without stream id and payload. */
const MEDIA_OVERHEAD = 55;

interface Caller {
  readonly ids: { readonly accountSid: string; readonly callSid: string; readonly streamSid: string };
  readonly socket: WebSocket;
  readonly sentAtMs: Float64Array;
  frames: number;
  sequence: number;
  /** When the carrier's buffer runs dry. */
  bufferEndMs: number;
  turnSentAtMs: number | null;
  marks: { name: string; atMs: number }[];
}

export class PhoneBank {
  readonly up = new Histogram();
  readonly down = new Histogram();
  lateOutbound = 0;
  messagesReceived = 0;
  closed = 0;
  readonly #callers: Caller[] = [];
  readonly #payloads: readonly string[];
  #timer: NodeJS.Timeout | null = null;
  #slot = 0;
  #originMs = 0;

  /** @param cycle8k the samples that every caller says, over and over */
  constructor(cycle8k: Int16Array) {
    const bytes = PCMU.encode(cycle8k);
    this.#payloads = Array.from({ length: Math.floor(bytes.length / FRAME_BYTES) }, (_, i) =>
      Buffer.from(bytes.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES)).toString('base64'),
    );
  }

  get size(): number {
    return this.#callers.length;
  }

  /** Places a call through the signed webhook; resolves when its stream is open. */
  async call(gateway: {
    readonly url: string;
    readonly accountSid: string;
    readonly authToken: string;
  }): Promise<void> {
    const index = this.#callers.length;
    const callSid = `CA${index.toString(16).padStart(32, '0')}`;
    const form = {
      AccountSid: gateway.accountSid,
      CallSid: callSid,
      CallStatus: 'ringing',
      Direction: 'inbound',
      From: '+15550100001',
      To: '+15550100002',
    };
    const url = `${gateway.url}/twilio/voice`;
    const answer = await post(url, new URLSearchParams(form).toString(), {
      'content-type': 'application/x-www-form-urlencoded',
      'x-twilio-signature': twilioSignature(gateway.authToken, url, form),
    });
    const verb = parseTwiml(answer)?.find((each) => each.verb === 'connect');
    if (verb?.verb !== 'connect') throw new Error(`Placing call ${index}: found no stream in the answer.`);
    await this.connect(verb.streamUrl, callSid, gateway);
  }

  /** Opens a stream, and starts to talk. */
  async connect(
    streamUrl: string,
    callSid: string,
    credentials: { readonly accountSid: string; readonly authToken: string },
  ): Promise<void> {
    const index = this.#callers.length;
    const streamSid = `MZ${index.toString(16).padStart(32, '0')}`;
    const socket = new WebSocket(streamUrl, {
      perMessageDeflate: false,
      headers: { 'x-twilio-signature': twilioSignature(credentials.authToken, streamUrl) },
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    const ids = { accountSid: credentials.accountSid, callSid, streamSid };
    const caller: Caller = {
      ids,
      socket,
      sentAtMs: new Float64Array(KEPT),
      frames: 0,
      sequence: 2,
      bufferEndMs: 0,
      turnSentAtMs: null,
      marks: [],
    };
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed += 1;
    });
    socket.on('message', (data: Buffer) => this.#onMessage(caller, data));
    socket.send(connectedMessage());
    socket.send(startMessage(ids, 1, {}));
    this.#callers.push(caller);
    if (this.#timer === null) this.#start();
  }

  /** The chunk of 20 ms that a call's model received as its n-th. */
  chunkArrived(call: number, chunk: number): void {
    const caller = this.#callers[call];
    if (caller === undefined || caller.frames - chunk >= KEPT || chunk >= caller.frames) return;
    this.up.add(performance.now() - (caller.sentAtMs[chunk % KEPT] as number));
  }

  turnBegan(call: number): void {
    const caller = this.#callers[call];
    if (caller !== undefined) caller.turnSentAtMs = performance.now();
  }

  resetFigures(): void {
    this.up.reset();
    this.down.reset();
    this.lateOutbound = 0;
    this.messagesReceived = 0;
  }

  hangUp(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const { socket, ids, sequence } of this.#callers) {
      if (socket.readyState !== socket.OPEN) continue;
      socket.send(stopMessage(ids, sequence));
      socket.close();
    }
  }

  #start(): void {
    this.#originMs = performance.now();
    this.#slot = 0;
    const turn = (): void => {
      const nowMs = performance.now();
      const due = Math.floor((nowMs - this.#originMs) / (FRAME_MS / SLOTS));
      for (; this.#slot <= due; this.#slot++) this.#serve(this.#slot % SLOTS);
      const nextMs = this.#originMs + this.#slot * (FRAME_MS / SLOTS) - performance.now();
      this.#timer = setTimeout(turn, Math.max(0, nextMs));
    };
    turn();
  }

  #serve(slot: number): void {
    for (let i = slot; i < this.#callers.length; i += SLOTS) {
      const caller = this.#callers[i] as Caller;
      if (caller.socket.readyState !== caller.socket.OPEN) continue;
      this.#returnMarks(caller);
      const payload = this.#payloads[caller.frames % this.#payloads.length] as string;
      caller.sentAtMs[caller.frames % KEPT] = performance.now();
      const { streamSid } = caller.ids;
      caller.socket.send(
        `{"event":"media","sequenceNumber":"${caller.sequence}","media":{"track":"inbound","chunk":"${caller.frames + 1}",` +
          `"timestamp":"${caller.frames * FRAME_MS}","payload":"${payload}"},"streamSid":"${streamSid}"}`,
      );
      caller.frames += 1;
      caller.sequence += 1;
    }
  }

  #returnMarks(caller: Caller): void {
    const nowMs = performance.now();
    while (caller.marks.length > 0 && (caller.marks[0]?.atMs ?? 0) <= nowMs) {
      const mark = caller.marks.shift() as { name: string };
      caller.socket.send(markMessage(caller.ids, caller.sequence, mark.name));
      caller.sequence += 1;
    }
  }

  #onMessage(caller: Caller, data: Buffer): void {
    this.messagesReceived += 1;
    const nowMs = performance.now();
    // {"event":"media"… , {"event":"mark"… , {"event":"clear"…
    const kind = data.toString('latin1', 10, 13);
    if (kind === 'med') {
      const ms = ((data.length - MEDIA_OVERHEAD - caller.ids.streamSid.length) * 3) / 4 / 8;
      const silentForMs = nowMs - caller.bufferEndMs;
      if (silentForMs > TURN_GAP_MS) {
        if (caller.turnSentAtMs !== null) this.down.add(nowMs - caller.turnSentAtMs);
        caller.turnSentAtMs = null;
      } else if (silentForMs > 0) {
        this.lateOutbound += 1;
      }
      caller.bufferEndMs = Math.max(nowMs, caller.bufferEndMs) + ms;
    } else if (kind === 'mar') {
      const name = /"name":"([^"]+)"/.exec(data.toString('latin1'))?.[1] ?? '';
      caller.marks.push({ name, atMs: caller.bufferEndMs });
    } else if (kind === 'cle') {
      caller.bufferEndMs = nowMs;
      for (const mark of caller.marks) mark.atMs = nowMs;
    }
  }
}

/** A connection of its own: one kept alive would be counted as left behind by the gateway. */
function post(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers, agent: false, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('found no answer of the webhook within 10 s')));
    sent.on('error', reject);
    sent.end(body);
  });
}
