/** One stream of a simulated Twilio: the caller's frames up, a playback buffer and its marks behind a line down. */
import { PCMU } from '../../src/audio/g711.ts';
import type { StreamSink, StreamSocket } from '../../src/call/desk.ts';
import type { Clock, Timer } from '../../src/clock.ts';
import { PlayoutBuffer } from '../../src/lab/caller/playout-buffer.ts';
import { FAIR_WEATHER, Line, type LineWeather } from '../../src/lab/network/line.ts';
import { seededRandom } from '../../src/lab/network/random.ts';
import { SILENT_FRAME } from './call-audio.ts';

const FRAME_MS = 20;

/** What the gateway wrote to the socket, when it wrote it. */
export type Written = { readonly atMs: number } & (
  | { readonly event: 'media'; readonly payload: Buffer }
  | { readonly event: 'mark'; readonly name: string }
  | { readonly event: 'clear' }
);

export interface Played {
  readonly atMs: number;
  /** Counts the clears that had arrived. */
  readonly generation: number;
  readonly payload: Buffer;
}

export interface CarrierOptions {
  readonly callSid: string;
  /** What `start` says, where it lies. */
  readonly startCallSid?: string;
  readonly encoding?: string;
  readonly streamSid: string;
  readonly onWritten?: (written: Written) => void;
  readonly weather?: LineWeather;
  readonly seed?: number;
  /** The caller's telephone returns what it plays, so much weaker and later. */
  readonly echo?: { readonly lossDb: number; readonly delayMs: number };
}

export class SimulatedCarrier implements StreamSocket {
  readonly written: Written[] = [];
  readonly played: Played[] = [];
  /** Every payload that was sent up, in order. */
  readonly spoken: Buffer[] = [];
  readonly closes: { readonly code: number; readonly reason: string; readonly atMs: number }[] = [];
  readonly faults: string[] = [];
  /** When each clear took effect. */
  readonly clearedAtMs: number[] = [];
  bufferedBytes = 0;
  /** The caller's frames stop although the stream stays. */
  mute = false;
  /** Marks do not come back. */
  losesMarks = false;
  readonly #clock: Clock;
  readonly #options: CarrierOptions;
  readonly #down: Line<string>;
  /** Messages, and at last the code with which the socket closed. */
  readonly #up: Line<string | number>;
  readonly #buffer: PlayoutBuffer;
  readonly #voice: number[] = [];
  #sink: StreamSink | null = null;
  #frameTimer: Timer | null = null;
  #startedAtMs = 0;
  #frames = 0;
  #sequence = 1;
  #ended = false;

  constructor(clock: Clock, options: CarrierOptions) {
    this.#clock = clock;
    this.#options = options;
    const weather = options.weather ?? FAIR_WEATHER;
    const seed = options.seed ?? 1;
    this.#down = new Line({
      clock,
      weather,
      random: seededRandom(seed * 2),
      deliver: (text) => this.#onMessage(text),
    });
    this.#up = new Line({
      clock,
      weather,
      random: seededRandom(seed * 2 + 1),
      deliver: (item) => this.#deliver(item),
    });
    this.#buffer = new PlayoutBuffer(clock.now(), {
      onFrame: (payload, atMs) => {
        this.played.push({ atMs, generation: this.#buffer.generation, payload: Buffer.from(payload) });
      },
      onMark: (name) => {
        if (!this.losesMarks) this.#sendUp({ event: 'mark', mark: { name } });
      },
    });
  }

  /** The socket is open. */
  opened(sink: StreamSink): void {
    this.#sink = sink;
    this.#up.send(JSON.stringify({ event: 'connected', protocol: 'Call', version: '1.0.0' }));
  }

  start(): void {
    const { callSid, startCallSid, streamSid, encoding = 'audio/x-mulaw' } = this.#options;
    this.#sendUp({
      event: 'start',
      start: {
        accountSid: 'AC1',
        streamSid,
        callSid: startCallSid ?? callSid,
        tracks: ['inbound'],
        mediaFormat: { encoding, sampleRate: 8000, channels: 1 },
        customParameters: {},
      },
    });
    this.#startedAtMs = this.#clock.now();
    this.#nextFrame();
  }

  /** The caller says this, from the next frame on, after whatever is being said. */
  says(samples8k: Int16Array): void {
    for (const sample of samples8k) this.#voice.push(sample);
  }

  press(...digits: string[]): void {
    for (const digit of digits) this.#sendUp({ event: 'dtmf', dtmf: { track: 'inbound_track', digit } });
  }

  raw(text: string): void {
    this.#up.send(text);
  }

  /** The caller hangs up. */
  stop(): void {
    this.#sendUp({ event: 'stop', stop: { accountSid: 'AC1', callSid: this.#options.callSid } });
    this.drop(1000);
  }

  /** The socket closes, with or without a word. */
  drop(code = 1006): void {
    if (this.#ended) return;
    this.#halt();
    this.#up.send(code);
  }

  get ended(): boolean {
    return this.#ended;
  }

  send(message: string | Buffer): boolean {
    if (this.#ended) return false;
    const text = message.toString();
    const { event, media, mark } = JSON.parse(text);
    const atMs = this.#clock.now();
    const written: Written =
      event === 'media'
        ? { atMs, event, payload: Buffer.from(media.payload, 'base64') }
        : event === 'mark'
          ? { atMs, event, name: mark.name }
          : { atMs, event };
    this.written.push(written);
    this.#options.onWritten?.(written);
    this.#down.send(text);
    return true;
  }

  close(code: number, reason: string): void {
    this.closes.push({ code, reason, atMs: this.#clock.now() });
    this.#halt();
    this.#up.close();
    this.#clock.setTimer(0, () => this.#sink?.onClose(code, ''));
  }

  /** All that was played between two times, frame after frame. */
  heard(fromMs = 0, toMs = Number.POSITIVE_INFINITY): Buffer {
    return Buffer.concat(
      this.played.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map(({ payload }) => payload),
    );
  }

  clears(): readonly number[] {
    return this.written.filter(({ event }) => event === 'clear').map(({ atMs }) => atMs);
  }

  /** Everything written behind the last clear, or all. */
  writtenAfterClear(): readonly Written[] {
    return this.written.slice(this.written.findLastIndex(({ event }) => event === 'clear') + 1);
  }

  #onMessage(text: string): void {
    const nowMs = this.#clock.now();
    const { event, media, mark } = JSON.parse(text);
    if (event === 'media') this.#buffer.push(Buffer.from(media.payload, 'base64'), nowMs);
    else if (event === 'mark') this.#buffer.mark(mark.name, nowMs);
    else {
      this.clearedAtMs.push(nowMs);
      this.#buffer.clear(nowMs);
    }
  }

  #sendUp(message: Record<string, unknown>): void {
    if (this.#ended) return;
    this.#sequence += 1;
    this.#up.send(
      JSON.stringify({
        ...message,
        sequenceNumber: String(this.#sequence),
        streamSid: this.#options.streamSid,
      }),
    );
  }

  /** Frames at absolute times, so that sending them takes no time away. */
  #nextFrame(): void {
    const dueMs = this.#startedAtMs + this.#frames * FRAME_MS;
    this.#frameTimer = this.#clock.setTimer(dueMs - this.#clock.now(), () => {
      this.#buffer.advance(this.#clock.now());
      if (!this.mute) this.#sendFrame();
      this.#frames += 1;
      if (!this.#ended) this.#nextFrame();
    });
  }

  #sendFrame(): void {
    const payload = this.#callerFrame();
    this.spoken.push(payload);
    this.#sequence += 1;
    const { streamSid } = this.#options;
    this.#up.send(
      `{"event":"media","sequenceNumber":"${this.#sequence}","media":{"track":"inbound","chunk":"${this.#frames + 1}","timestamp":"${this.#frames * FRAME_MS}","payload":"${payload.toString('base64')}"},"streamSid":"${streamSid}"}`,
    );
  }

  #callerFrame(): Buffer {
    const { echo } = this.#options;
    if (this.#voice.length === 0 && echo === undefined) return Buffer.from(SILENT_FRAME);
    const samples = Int16Array.from(this.#voice.splice(0, 160));
    const frame = new Int16Array(160);
    frame.set(samples);
    if (echo !== undefined) {
      const from = this.played.at(-1 - echo.delayMs / FRAME_MS);
      if (from !== undefined) {
        const back = PCMU.decode(from.payload);
        const gain = 10 ** (-echo.lossDb / 20);
        for (let i = 0; i < 160; i++) frame[i]! += Math.round(back[i]! * gain);
      }
    }
    return Buffer.from(PCMU.encode(frame));
  }

  #halt(): void {
    this.#ended = true;
    this.#frameTimer?.cancel();
    this.#down.close();
  }

  #deliver(item: string | number): void {
    if (typeof item === 'string') this.#sink?.onMessage(Buffer.from(item), false);
    else this.#sink?.onClose(item, '');
  }
}
