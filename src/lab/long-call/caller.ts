/** The caller of the long call: says the next thing when the bot has said its say, or over it, as the plot has it. */
import type { BotEar } from './bot-ear.ts';
import type { Cast, Line } from './cast.ts';
import type { Beat, Plot } from './plot.ts';

const RATE_PER_MS = 8;
const FRAME_MS = 20;
/** The bot has finished when it has been silent for so long. */
const BOT_PAUSE_MS = 600;
/** Nobody waits for an answer for ever. */
const PATIENCE_MS = 20_000;

export interface Said {
  readonly line: Line;
  readonly beat: Beat;
  /** Of the stream. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface LongCallerParts {
  readonly cast: Cast;
  readonly plot: Plot;
  readonly ear: BotEar;
  readonly longestMs: number;
  /** The caller begins to speak. */
  readonly onSays: (said: Said) => void;
}

export class LongCaller {
  readonly #parts: LongCallerParts;
  /** The line from the caller's side, 8 kHz: it is written a little ahead of where it is read. */
  readonly line: Int16Array;
  readonly said: Said[] = [];
  #beat: Beat | null = null;
  #speaksUntilMs = 0;
  /** From when on what the bot says is the answer; infinite while the caller waits for something else. */
  #answerFromMs = 0;
  #urged = false;

  constructor(parts: LongCallerParts) {
    this.#parts = parts;
    const { roomTone } = parts.cast;
    this.line = new Int16Array(parts.longestMs * RATE_PER_MS);
    for (let at = 0; at < this.line.length; at += roomTone.length)
      this.line.set(roomTone.subarray(0, this.line.length - at), at);
  }

  /** What comes next is said at once, whatever the bot does. */
  urge(): void {
    this.#urged = true;
  }

  /** Null: what the bot says from now on is not the answer. */
  waitsFrom(nowMs: number | null): void {
    this.#answerFromMs = nowMs ?? Number.POSITIVE_INFINITY;
  }

  /** Every 20 ms. */
  tick(nowMs: number): void {
    if (nowMs < this.#speaksUntilMs) return;
    this.#beat ??= this.#parts.plot.next(nowMs);
    if (this.#beat !== null && this.#isCue(this.#beat, nowMs)) this.#say(this.#beat, nowMs);
  }

  #isCue(beat: Beat, nowMs: number): boolean {
    if (this.#urged || nowMs - this.#speaksUntilMs > PATIENCE_MS) return true;
    if (!Number.isFinite(this.#answerFromMs)) return false;
    const { ear } = this.#parts;
    if (beat.interrupts) {
      const sinceMs = ear.speaksSince(nowMs);
      return sinceMs !== null && nowMs - sinceMs >= beat.afterMs;
    }
    const heardMs = ear.lastHeardMs(nowMs);
    const hasAnswered = heardMs > this.#answerFromMs;
    return hasAnswered && nowMs - heardMs >= Math.max(BOT_PAUSE_MS, beat.afterMs);
  }

  #say(beat: Beat, nowMs: number): void {
    const line = this.#parts.cast.lines.get(beat.line)!;
    // The frame that is being spoken has begun already.
    const fromMs = (Math.floor(nowMs / FRAME_MS) + 1) * FRAME_MS;
    this.line.set(line.samples.subarray(0, this.line.length - fromMs * RATE_PER_MS), fromMs * RATE_PER_MS);
    const toMs = fromMs + line.samples.length / RATE_PER_MS;
    const said = { line, beat, fromMs, toMs };
    this.said.push(said);
    this.#beat = null;
    this.#urged = false;
    this.#speaksUntilMs = toMs;
    this.#answerFromMs = toMs;
    this.#parts.onSays(said);
  }
}
