/** A Gemini Live that does what a test wrote down: which connections come up, which fail, and what is said on them. */
import type { Clock, Timer } from '../../src/clock.ts';
import type {
  CloseClass,
  ConnectLive,
  ConnectNeed,
  HistoryTurn,
  LiveConnection,
  LiveEvent,
  LiveHandlers,
  ToolResponse,
} from '../../src/gemini/live-session.ts';
import type { LiveSetup } from '../../src/gemini/setup.ts';
import { bytesOf } from './call-audio.ts';

/** One attempt to connect: how it goes, and after how long. `never`: until its deadline. */
export type Attempt =
  /** `lostAtOnce`: before anybody could be told that it had come up. */
  | { readonly kind: 'ready'; readonly afterMs: number; readonly lostAtOnce?: boolean }
  | { readonly kind: 'fails'; readonly afterMs: number; readonly class: CloseClass }
  /** The upgrade: also where the setup is held, before it is. */
  | { readonly kind: 'refused'; readonly afterMs: number; readonly class: CloseClass }
  | { readonly kind: 'never' };

export const ready = (afterMs = 250): Attempt => ({ kind: 'ready', afterMs });
export const stillborn = (afterMs = 250): Attempt => ({ kind: 'ready', afterMs, lostAtOnce: true });
export const fails = (closeClass: CloseClass, afterMs = 100): Attempt => ({
  kind: 'fails',
  afterMs,
  class: closeClass,
});
export const refused = (closeClass: CloseClass, afterMs = 50): Attempt => ({
  kind: 'refused',
  afterMs,
  class: closeClass,
});
export const never: Attempt = { kind: 'never' };

export type Sent = { readonly atMs: number } & (
  | { readonly type: 'audio'; readonly samples: Int16Array }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'stream-end' }
  | { readonly type: 'activity'; readonly kind: 'start' | 'end' }
  | { readonly type: 'tools'; readonly responses: readonly ToolResponse[] }
  | { readonly type: 'context'; readonly turns: readonly HistoryTurn[] }
);

export interface Speech {
  /** Times real time. Default 3. */
  readonly pace?: number;
  readonly chunkMs?: number;
  /** False: neither `generationComplete` nor `turnComplete` comes by itself. */
  readonly ends?: boolean;
  readonly text?: string;
}

export class ScriptedConnection implements LiveConnection {
  readonly setup: LiveSetup;
  readonly sent: Sent[] = [];
  readonly bufferedBytes = 0;
  closedByUs = false;
  closedAtMs: number | null = null;
  goneAtMs: number | null = null;
  /** When the server ended it. */
  lostAtMs: number | null = null;
  /** How many samples it had heard when it gave out each handle. */
  readonly heardAtHandle = new Map<string, number>();
  /** Ids of the tools that the model called on it. */
  readonly calledTools: string[] = [];
  readonly readyAtMs: number;
  gone = false;
  /** The socket takes nothing, and nobody has been told yet. */
  refusing = false;
  /** The socket is backed up: no audio for now, but signals are let through. */
  refusesAudio = false;
  /** When set, `close` throws: a connection that breaks its promise. */
  throwsAtClose = false;
  readonly #clock: Clock;
  readonly #handlers: LiveHandlers;
  #speaking: Timer[] = [];

  constructor(clock: Clock, setup: LiveSetup, handlers: LiveHandlers) {
    this.#clock = clock;
    this.readyAtMs = clock.now();
    this.setup = setup;
    this.#handlers = handlers;
  }

  sendAudio(samples: Int16Array): boolean {
    if (this.refusesAudio) return false;
    return this.#take({ type: 'audio', samples: Int16Array.from(samples), atMs: this.#clock.now() });
  }
  sendText(text: string): boolean {
    return this.#take({ type: 'text', text, atMs: this.#clock.now() });
  }
  sendAudioStreamEnd(): boolean {
    return this.#take({ type: 'stream-end', atMs: this.#clock.now() });
  }
  sendActivity(kind: 'start' | 'end'): boolean {
    return this.#take({ type: 'activity', kind, atMs: this.#clock.now() });
  }
  sendToolResponses(responses: readonly ToolResponse[]): boolean {
    return this.#take({ type: 'tools', responses, atMs: this.#clock.now() });
  }
  sendContext(turns: readonly HistoryTurn[]): boolean {
    return this.#take({ type: 'context', turns, atMs: this.#clock.now() });
  }
  /** The server closes its side 20 ms later. */
  close(): Promise<void> {
    this.stopSpeaking();
    this.closedByUs = true;
    this.closedAtMs ??= this.#clock.now();
    if (this.throwsAtClose) throw new Error('the connection broke its promise');
    return new Promise((resolve) => {
      this.#clock.setTimer(20, () => {
        this.goneAtMs = this.#clock.now();
        resolve();
      });
    });
  }

  get open(): boolean {
    return !this.closedByUs && !this.gone;
  }
  get texts(): readonly string[] {
    return this.sent.flatMap((each) => (each.type === 'text' ? [each.text] : []));
  }
  get responses(): readonly ToolResponse[] {
    return this.sent.flatMap((each) => (each.type === 'tools' ? each.responses : []));
  }
  /** All audio that was taken, one piece after the other. */
  get audio(): Int16Array {
    const pieces = this.sent.flatMap((each) => (each.type === 'audio' ? [each.samples] : []));
    const all = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  /** One server message. */
  say(...events: LiveEvent[]): void {
    if (!this.open) return;
    for (const event of events) {
      if (event.type === 'resumption' && event.handle !== null)
        this.heardAtHandle.set(event.handle, this.audio.length);
    }
    this.#handlers.onEvents(events, this.#clock.now());
  }

  /** One message of audio. */
  sayAudio(samples24k: Int16Array): void {
    this.say({ type: 'audio', bytes: bytesOf(samples24k), sampleRate: 24_000 });
  }

  /** A turn: audio at a pace, the words with the first of it, the ends of the turn after the last. @returns its length */
  speak(
    samples24k: Int16Array,
    { pace = 3, chunkMs = 100, ends = true, text = 'words' }: Speech = {},
  ): number {
    const chunk = chunkMs * 24;
    let afterMs = 0;
    for (let at = 0; at < samples24k.length; at += chunk) {
      const piece = samples24k.slice(at, at + chunk);
      const first = at === 0;
      this.#later(afterMs, () => {
        this.sayAudio(piece);
        if (first) this.say({ type: 'output-transcript', text });
      });
      afterMs += chunkMs / pace;
    }
    if (ends) this.#later(afterMs, () => this.completeTurn());
    return samples24k.length / 24;
  }

  completeTurn(): void {
    this.say({ type: 'generation-complete' }, { type: 'turn-complete', reason: null });
  }

  /** The server noticed the caller: nothing more of the turn comes. */
  interrupt(): void {
    this.stopSpeaking();
    this.say({ type: 'interrupted' });
  }

  stopSpeaking(): void {
    for (const timer of this.#speaking.splice(0)) timer.cancel();
  }

  callTool(name: string, id: string, args: Record<string, unknown> = {}): void {
    if (this.open) this.calledTools.push(id);
    this.say({ type: 'tool-calls', calls: [{ id, name, args }] });
  }

  lose(closeClass: CloseClass = 'network', code = 1006): void {
    if (!this.open) return;
    this.stopSpeaking();
    this.gone = true;
    this.lostAtMs = this.#clock.now();
    this.#handlers.onClose({ code, reason: 'lost', class: closeClass });
  }

  #later(ms: number, action: () => void): void {
    this.#speaking.push(this.#clock.setTimer(ms, action));
  }

  #take(sent: Sent): boolean {
    if (!this.open || this.refusing) return false;
    this.sent.push(sent);
    return true;
  }
}

/** TCP, TLS and the upgrade. */
export const SOCKET_MS = 100;

class ConnectRefused extends Error {
  readonly closeClass: CloseClass;
  constructor(closeClass: CloseClass) {
    super(`refused: ${closeClass}`);
    this.closeClass = closeClass;
  }
}

export class ScriptedLive {
  readonly connections: ScriptedConnection[] = [];
  /** Attempts beyond the script. */
  unexpected = 0;
  pending = 0;
  readonly #clock: Clock;
  readonly #script: Attempt[] = [];
  readonly #next: () => Attempt | undefined;

  /** @param script attempt by attempt, all of which have to be made; or made up as they come */
  constructor(clock: Clock, script: readonly Attempt[] | (() => Attempt)) {
    this.#clock = clock;
    if (typeof script !== 'function') this.#script.push(...script);
    this.#next = typeof script === 'function' ? script : () => this.#script.shift();
  }

  get unused(): number {
    return this.#script.length;
  }

  /** The newest connection. */
  get now(): ScriptedConnection {
    const newest = this.connections.at(-1);
    if (newest === undefined) throw new Error('no connection was made');
    return newest;
  }

  /** What each attempt was needed for, with which setup, and whether that was held back. */
  readonly asked: {
    readonly need: ConnectNeed;
    readonly setup: LiveSetup;
    readonly held: boolean;
    readonly atMs: number;
  }[] = [];
  /** When each held setup was let go. */
  readonly releasedAtMs: number[] = [];

  readonly connect: ConnectLive = (setup, handlers, { signal, deadlineMs, hold, need }) =>
    new Promise((resolve, reject) => {
      const attempt = this.#next();
      if (attempt === undefined) {
        this.unexpected += 1;
        reject(new ConnectRefused('network'));
        return;
      }
      this.pending += 1;
      this.asked.push({ need, setup, held: hold !== undefined, atMs: this.#clock.now() });
      let timer: Timer | null = null;
      let over = false;
      const fail = (closeClass: CloseClass) => {
        if (over) return;
        over = true;
        this.pending -= 1;
        timer?.cancel();
        reject(new ConnectRefused(closeClass));
      };
      signal.addEventListener('abort', () => fail('aborted'));
      const come = (finished: LiveSetup) => {
        const afterMs = attempt.kind === 'never' ? deadlineMs : Math.min(attempt.afterMs, deadlineMs);
        timer = this.#clock.setTimer(afterMs, () => {
          if (over) return;
          if (attempt.kind === 'fails' || attempt.kind === 'refused') fail(attempt.class);
          else if (attempt.kind === 'never' || attempt.afterMs > deadlineMs) fail('deadline');
          else {
            over = true;
            this.pending -= 1;
            const connection = new ScriptedConnection(this.#clock, finished, handlers);
            this.connections.push(connection);
            resolve(connection);
            if (attempt.lostAtOnce) connection.lose();
          }
        });
      };
      if (hold === undefined || attempt.kind === 'refused') {
        come(setup);
        return;
      }
      timer = this.#clock.setTimer(SOCKET_MS, () => {
        if (over) return;
        hold().then(
          ({ handle, systemInstruction }) => {
            this.releasedAtMs.push(this.#clock.now());
            if (!over) come({ ...setup, resumption: { handle }, systemInstruction });
          },
          () => fail('aborted'),
        );
      });
    });
}
