/** The stream of the long call without a socket: the simulated Twilio on one side, the gateway's call on the other. */
import { Buffer } from 'node:buffer';
import type { StreamSink, StreamSocket } from '../../call/desk.ts';
import type { Clock } from '../../clock.ts';
import type { TimelineEntry } from '../caller/call-run.ts';
import type { OpenProtocol } from '../caller/protocol.ts';
import { CallerStream } from '../caller/stream.ts';
import { Line, type LineWeather } from '../network/line.ts';
import { seededRandom } from '../network/random.ts';

export interface TelephoneParts {
  readonly clock: Clock;
  readonly weather: LineWeather;
  readonly seed: number;
  readonly open: OpenProtocol;
  /** 8 kHz; may still be written while it is read. */
  readonly caller: Int16Array;
  /** Takes the socket; the answer hears what comes on it. */
  readonly attach: (socket: StreamSocket) => StreamSink;
  readonly onTimeline: (entry: TimelineEntry) => void;
  readonly onClosed: (code: number) => void;
}

export class LongTelephone implements StreamSocket {
  readonly stream: CallerStream;
  readonly bufferedBytes = 0;
  readonly #parts: TelephoneParts;
  readonly #down: Line<{ readonly data: Buffer; readonly isBinary: boolean }>;
  #closed = false;

  constructor(parts: TelephoneParts) {
    const { clock, weather, seed } = parts;
    this.#parts = parts;
    const up = new Line<{ readonly message: string | Buffer; readonly frame: number | null }>({
      clock,
      weather,
      random: seededRandom(seed),
      deliver: ({ message, frame }) => {
        if (this.#closed) return;
        sink.onMessage(Buffer.from(message), typeof message !== 'string');
        if (frame !== null) this.stream.frameWritten(frame);
      },
    });
    this.#down = new Line({
      clock,
      weather,
      random: seededRandom(seed + 1),
      deliver: ({ data, isBinary }) => this.stream.receive(data, isBinary),
    });
    const sink = parts.attach(this);
    this.stream = new CallerStream({
      clock,
      open: parts.open,
      caller: parts.caller,
      dtmf: [],
      send: (message, frame) => up.send({ message, frame }),
      onTimeline: parts.onTimeline,
      onCallerDone: () => {},
    });
  }

  /** A message of the gateway. */
  send(message: string | Buffer): boolean {
    if (this.#closed) return false;
    this.#down.send({ data: Buffer.from(message), isBinary: typeof message !== 'string' });
    return true;
  }

  close(code: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#down.close();
    this.#parts.onClosed(code);
  }
}
