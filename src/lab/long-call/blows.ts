/** Strikes the connection where the plot wants it: each at a moment of the conversation, not of the clock. */
import type { JournalEntry } from '../../call/journal.ts';
import type { Clock } from '../../clock.ts';
import type { ModelSocket } from '../laboratory/model-socket.ts';
import type { BotEar } from './bot-ear.ts';
import type { LongCaller, Said } from './caller.ts';

/** Notice in good time is what Gemini usually gives. */
const NOTICE_MS = 50_000;
/** On the shortest: so much of the time is left when the gateway must go, quiet or not, that a socket can be opened. */
const SHORT_NOTICE_MS = 10_000;
const SHORTEST_NOTICE_MS = 3_000;
const TOOL_WORKS_FOR_MS = 1_000;
const BOT_SPEAKS_FOR_MS = 2_000;
const CALLER_SPEAKS_FOR_MS = 1_200;
const LOOK_MS = 100;
/** "One moment, please" may still be heard when the tool is done. */
const FILLER_MS = 1_500;

export interface BlowsParts {
  readonly clock: Clock;
  readonly ear: BotEar;
  /** Of the stream's time. */
  readonly elapsedMs: () => number;
  /** The connection that is there now. */
  readonly socket: () => ModelSocket | null;
  readonly caller: () => LongCaller;
  readonly note: (what: string, detail: string) => void;
}

export class Blows {
  readonly #parts: BlowsParts;
  #tool: 'none' | 'wanted' | 'works' = 'none';
  #interruptsAtEnd = false;

  constructor(parts: BlowsParts) {
    this.#parts = parts;
  }

  /** The caller begins a line that a blow comes with. */
  onSays({ beat }: Said): void {
    switch (beat.blow) {
      case 'notice':
        this.#warn(NOTICE_MS);
        break;
      case 'tool':
        this.#tool = 'wanted';
        this.#parts.caller().waitsFrom(null);
        break;
      case 'interrupted':
        this.#parts.caller().waitsFrom(null);
        this.#onceBotSpeaks(this.#parts.elapsedMs());
        break;
      case 'broken':
        this.#later(CALLER_SPEAKS_FOR_MS, () => {
          this.#parts.note('blow', 'the connection breaks while the caller speaks');
          this.#parts.socket()?.breakOff();
        });
        break;
      case null:
        break;
    }
  }

  onEntry(entry: JournalEntry): void {
    if (entry.type === 'tool-called' && this.#tool === 'wanted') {
      this.#tool = 'works';
      this.#later(TOOL_WORKS_FOR_MS, () => this.#warn(SHORT_NOTICE_MS));
    }
    if (entry.type !== 'tool-answered' || this.#tool !== 'works') return;
    this.#tool = 'none';
    this.#parts.caller().waitsFrom(this.#parts.elapsedMs() + FILLER_MS);
  }

  /** The gateway leaves the connection that is there. */
  onLeft(): void {
    if (!this.#interruptsAtEnd) return;
    this.#interruptsAtEnd = false;
    this.#parts.caller().urge();
  }

  #onceBotSpeaks(fromMs: number): void {
    const nowMs = this.#parts.elapsedMs();
    const sinceMs = this.#parts.ear.speaksSince(nowMs);
    if (sinceMs === null || sinceMs < fromMs || nowMs - sinceMs < BOT_SPEAKS_FOR_MS) {
      this.#later(LOOK_MS, () => this.#onceBotSpeaks(fromMs));
      return;
    }
    this.#interruptsAtEnd = true;
    this.#warn(SHORTEST_NOTICE_MS);
  }

  #warn(timeLeftMs: number): void {
    this.#parts.note('blow', `the service gives ${timeLeftMs / 1_000} s notice`);
    this.#parts.socket()?.warn(timeLeftMs);
  }

  #later(delayMs: number, run: () => void): void {
    this.#parts.clock.setTimer(delayMs, run);
  }
}
