/** When the bot can be heard: kept from what arrives at the carrier and what is cleared, as a caller would notice it. */
import type { OpenProtocol } from '../caller/protocol.ts';

export class BotEar {
  readonly #bytesPerMs: number;
  readonly #isAudible: (payload: Uint8Array) => boolean;
  /** Until when what has arrived is played, and until when of it something is heard. */
  #playsUntilMs = 0;
  #soundsUntilMs = Number.NEGATIVE_INFINITY;
  #soundsFromMs: number | null = null;

  constructor(bytesPerMs: number, isAudible: (payload: Uint8Array) => boolean) {
    this.#bytesPerMs = bytesPerMs;
    this.#isAudible = isAudible;
  }

  arrived(payload: Uint8Array, nowMs: number): void {
    const fromMs = Math.max(nowMs, this.#playsUntilMs);
    this.#playsUntilMs = fromMs + payload.length / this.#bytesPerMs;
    if (!this.#isAudible(payload)) return;
    if (fromMs - this.#soundsUntilMs > PAUSE_MS) this.#soundsFromMs = fromMs;
    this.#soundsUntilMs = this.#playsUntilMs;
  }

  cleared(nowMs: number): void {
    this.#playsUntilMs = Math.min(this.#playsUntilMs, nowMs);
    this.#soundsUntilMs = Math.min(this.#soundsUntilMs, nowMs);
  }

  /** Since when the bot speaks, without a longer pause; null: it does not. */
  speaksSince(nowMs: number): number | null {
    const fromMs = this.#soundsFromMs;
    return fromMs !== null && fromMs <= nowMs && nowMs < this.#soundsUntilMs ? fromMs : null;
  }

  /** When the last word was heard, by now; minus infinity before the first. */
  lastHeardMs(nowMs: number): number {
    return Math.min(this.#soundsUntilMs, nowMs);
  }
}

/** Shorter silences belong to what is being said. */
const PAUSE_MS = 700;

/** The same stream, with somebody who listens to what is played on it. */
export const overheard =
  (open: OpenProtocol, ear: BotEar): OpenProtocol =>
  (host) => {
    const { play, clear } = host;
    return open(
      Object.assign(Object.create(host), {
        play(payload: Buffer) {
          ear.arrived(payload, host.nowMs());
          play(payload);
        },
        clear() {
          ear.cleared(host.nowMs());
          clear();
        },
      }),
    );
  };
