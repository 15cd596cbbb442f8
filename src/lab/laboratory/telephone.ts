/** One stream of the laboratory's carrier: the caller's frames up, a playback and its marks down, each over a line. */
import { Buffer } from 'node:buffer';
import type { StreamSink, StreamSocket } from '../../call/desk.ts';
import type { Clock } from '../../clock.ts';
import { Line, type LineWeather } from '../network/line.ts';
import { seededRandom } from '../network/random.ts';
import { type CarrierWord, CLEAR, MARK_PREFIX, mediaMessage } from './lab-carrier.ts';
import { type Piece, Playback } from './playback.ts';

/** Whoever listens to what the gateway writes and the caller hears. */
export interface TelephoneEar {
  /** The gateway wrote audio: what is in it. */
  written(bytes: Buffer): readonly Piece[];
  /** The gateway wrote `clear`. */
  cleared(): void;
  /** It has arrived: nothing that was queued will be heard. */
  stopped(): void;
  heard(piece: Piece, atMs: number): void;
  /** The stream is over, and nobody on this side ended it. */
  closedByGateway(code: number): void;
}

export interface TelephoneOptions {
  readonly clock: Clock;
  readonly callId: string;
  readonly streamId: string;
  readonly weather: LineWeather;
  readonly seed: number;
  /** Of what is played. */
  readonly sampleRate: number;
  readonly ear: TelephoneEar;
}

type Down = readonly Piece[] | { readonly mark: string } | 'clear';
type Up = { readonly data: Buffer; readonly isBinary: boolean } | { readonly closes: number };

export class Telephone implements StreamSocket {
  readonly #options: TelephoneOptions;
  readonly #down: Line<Down>;
  readonly #up: Line<Up>;
  readonly playback: Playback;
  #sink: StreamSink | null = null;
  #startedAtMs = 0;
  #frames = 0;
  #started = false;
  #ended = false;
  bufferedBytes = 0;

  constructor(options: TelephoneOptions) {
    const { clock, weather, seed, ear } = options;
    this.#options = options;
    this.playback = new Playback(clock.now(), options.sampleRate, {
      heard: (piece, atMs) => ear.heard(piece, atMs),
      mark: (name) => this.#say({ event: 'mark', name }),
    });
    this.#down = new Line({
      clock,
      weather,
      random: seededRandom(seed * 2),
      deliver: (item) => this.#play(item),
    });
    this.#up = new Line({
      clock,
      weather,
      random: seededRandom(seed * 2 + 1),
      deliver: (item) => this.#deliver(item),
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Frames flow. */
  get started(): boolean {
    return this.#started && !this.#ended;
  }

  get inFlight(): number {
    return this.#up.inFlight + this.#down.inFlight;
  }

  /** The gateway has accepted the socket; the stream begins. */
  open(sink: StreamSink): void {
    this.#sink = sink;
    this.#say({ event: 'start', callId: this.#options.callId, streamId: this.#options.streamId });
    this.#started = true;
    this.#startedAtMs = this.#options.clock.now();
    this.playback.advance(this.#startedAtMs);
  }

  /** Every 20 ms: what the caller says, and what has been played to them meanwhile. */
  frame(payload: Uint8Array): void {
    if (!this.started) return;
    this.playback.advance(this.#options.clock.now());
    this.#up.send({ data: mediaMessage(this.#frames * 20, payload), isBinary: true });
    this.#frames += 1;
  }

  press(digit: string): void {
    this.#say({ event: 'dtmf', digit });
  }

  /** The caller hangs up. */
  hangUp(): void {
    this.#say({ event: 'stop' });
    this.drop(1000);
  }

  /** The socket closes, with a close frame or, as 1006, without. */
  drop(code = 1006): void {
    if (this.#ended) return;
    this.#halt();
    this.#up.send({ closes: code });
  }

  send(message: string | Buffer): boolean {
    if (this.#ended) return false;
    if (typeof message !== 'string') this.#down.send(this.#options.ear.written(message));
    else if (message === CLEAR) {
      this.#options.ear.cleared();
      this.#down.send('clear');
    } else this.#down.send({ mark: message.slice(MARK_PREFIX.length) });
    return true;
  }

  close(code: number): void {
    if (this.#ended) return;
    this.#halt();
    this.#up.close();
    this.#options.ear.closedByGateway(code);
  }

  #halt(): void {
    if (this.#started) this.playback.advance(this.#options.clock.now());
    this.#ended = true;
    this.#down.close();
  }

  #say(word: CarrierWord): void {
    if (!this.#ended) this.#up.send({ data: Buffer.from(JSON.stringify(word)), isBinary: false });
  }

  #deliver(item: Up): void {
    if ('closes' in item) this.#sink?.onClose(item.closes, '');
    else this.#sink?.onMessage(item.data, item.isBinary);
  }

  #play(item: Down): void {
    this.playback.advance(this.#options.clock.now());
    if (item === 'clear') {
      this.playback.clear();
      this.#options.ear.stopped();
    } else if ('mark' in item) this.playback.mark(item.mark);
    else this.playback.push(item);
  }
}
