/**
 * One socket between the gateway and the emulated service, without a wire: frames and the service's messages pass over
 * two lines, and the service is woken when it has something to do. Audio goes as samples.
 */
import type { Clock, Timer } from '../../clock.ts';
import { duration } from '../emulator/lifetime.ts';
import type { Frame } from '../emulator/outlet.ts';
import type { EmulatedService } from '../emulator/service.ts';
import type { EmulatorOutput, LiveSession } from '../emulator/session.ts';
import { parseLiveAddress } from '../emulator/wire.ts';
import { Line, type LineWeather } from '../network/line.ts';
import type { Random } from '../network/random.ts';

const ADDRESS = parseLiveAddress(
  '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=laboratory',
)!;
/** What the network between two machines holds of a peer that does not read. */
const NETWORK_BYTES = 128 * 1024;
/** Of a frame with audio, beside its base64. */
const AUDIO_FRAME_BYTES = 75;

export interface ModelSocketHandlers {
  onOpen(): void;
  /** The upgrade was answered with an HTTP status. */
  onRefused(status: number): void;
  /** `text` is what is no JSON. */
  onMessage(message: object): void;
  onClose(code: number, reason: string): void;
}

export interface ModelSocketOptions {
  readonly clock: Clock;
  readonly service: EmulatedService;
  readonly weather: LineWeather;
  readonly random: Random;
  readonly handlers: ModelSocketHandlers;
  /** Samples of a frame, as the service is about to take them. */
  readonly onTaken?: (session: number, before: number, samples: Int16Array) => void;
}

type Up = Frame | 'bye' | 'reset';
type Down =
  | { readonly message: object }
  | { readonly code: number; readonly reason: string }
  | { readonly refused: number }
  | 'open';

export class ModelSocket {
  readonly #options: ModelSocketOptions;
  readonly #up: Line<Up>;
  readonly #down: Line<Down>;
  #session: LiveSession | null = null;
  #number = 0;
  #taken = 0;
  #wake: Timer | null = null;
  #wakeAtMs: number | null = null;
  /** Frames that came while the service read nothing. */
  #unread: Up[] | null = null;
  #unreadBytes = 0;
  /** Nobody is there on the gateway's side any more. */
  #gone = false;
  #opened = false;

  constructor(options: ModelSocketOptions) {
    const { clock, weather, random } = options;
    this.#options = options;
    this.#up = new Line({ clock, weather, random, deliver: (item) => this.#arrive(item) });
    this.#down = new Line({ clock, weather, random, deliver: (item) => this.#hand(item) });
  }

  /** The handshake has reached the service. */
  connect(): void {
    const { service, clock } = this.#options;
    this.#session = service.connect(ADDRESS, clock.now());
    this.#number = service.sessions.at(-1)!.number;
    this.#guarded(() => this.#session!.tick(clock.now()));
    this.#welcome();
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** Number of the connection in the service's records. */
  get number(): number {
    return this.#number;
  }

  get bufferedBytes(): number {
    return Math.max(0, this.#unreadBytes - NETWORK_BYTES);
  }

  send(frame: Frame): void {
    if (!this.#gone) this.#up.send(frame);
  }

  /** Asks to close; the service's answer ends the socket. */
  close(): void {
    if (!this.#gone) this.#up.send('bye');
  }

  /** The socket is destroyed. The service hears of it when its network does. */
  terminate(): void {
    if (this.#gone) return;
    this.#leave();
    this.#up.send('reset');
  }

  /** The service says, of its own accord and not by its scenario, that it will end the connection, and does. */
  warn(timeLeftMs: number): void {
    if (this.#gone) return;
    this.#down.send({ message: { goAway: { timeLeft: duration(timeLeftMs) } } });
    this.#options.clock.setTimer(timeLeftMs, () => this.breakOff());
  }

  /** The way between the two is cut: the service thinks for a while that the connection is open. */
  breakOff(): void {
    if (this.#gone) return;
    this.#session?.disconnected(false, 1006, this.#options.clock.now());
    this.#sleep();
    this.#down.send({ code: 1006, reason: '' });
  }

  /** The upgrade is answered, unless the service has done so in its own way. */
  #welcome(): void {
    if (this.#session!.closed || this.#opened) return;
    this.#opened = true;
    this.#down.send('open');
  }

  #arrive(item: Up): void {
    const session = this.#session;
    if (session === null) return;
    if (this.#unread !== null && item !== 'reset') {
      this.#unread.push(item);
      this.#unreadBytes += bytesOf(item);
      return;
    }
    const nowMs = this.#options.clock.now();
    if (item === 'bye' || item === 'reset') {
      session.disconnected(item === 'bye', item === 'bye' ? 1000 : 1006, nowMs);
      this.#sleep();
      if (item === 'bye') this.#down.send({ code: 1000, reason: '' });
      return;
    }
    if (item instanceof Int16Array && !session.closed) {
      this.#options.onTaken?.(this.#number, this.#taken, item);
      this.#taken += item.length;
    }
    this.#guarded(() => session.receive(item, nowMs));
  }

  #guarded(act: () => readonly EmulatorOutput[]): void {
    for (const output of act()) this.#carryOut(output);
    this.#arm();
  }

  #carryOut(output: EmulatorOutput): void {
    if ('send' in output) this.#down.send({ message: output.send });
    else if ('sendRaw' in output) this.#down.send({ message: {} });
    else if ('close' in output) this.#down.send({ code: output.close, reason: output.reason });
    else if ('cut' in output) this.#down.send({ code: 1006, reason: '' });
    else if ('refuse' in output) this.#down.send({ refused: output.refuse });
    else if ('freeze' in output) this.#unread ??= [];
    else if ('thaw' in output) this.#read();
  }

  #read(): void {
    const unread = this.#unread ?? [];
    this.#unread = null;
    this.#unreadBytes = 0;
    for (const item of unread) this.#arrive(item);
  }

  #arm(): void {
    const session = this.#session!;
    const dueMs = session.nextDueMs;
    if (dueMs === this.#wakeAtMs) return;
    this.#sleep();
    if (dueMs === null) return;
    const { clock } = this.#options;
    this.#wakeAtMs = dueMs;
    this.#wake = clock.setTimer(Math.max(0, dueMs - clock.now()), () => {
      this.#wakeAtMs = null;
      this.#guarded(() => session.tick(clock.now()));
    });
  }

  #sleep(): void {
    this.#wake?.cancel();
    this.#wake = null;
    this.#wakeAtMs = null;
  }

  #hand(item: Down): void {
    if (this.#gone) return;
    const { handlers } = this.#options;
    if (item === 'open') handlers.onOpen();
    else if ('message' in item) handlers.onMessage(item.message);
    else {
      this.#leave();
      if ('refused' in item) handlers.onRefused(item.refused);
      else handlers.onClose(item.code, item.reason);
    }
  }

  #leave(): void {
    this.#gone = true;
    this.#down.close();
    if (this.#session === null || this.#session.closed) this.#sleep();
  }
}

const bytesOf = (item: Up): number =>
  item instanceof Int16Array ? (item.byteLength * 4) / 3 + AUDIO_FRAME_BYTES : item.length;
