/** What one probed connection said, with times, and waits on it that always end. */
import type { Clock } from '../clock.ts';
import type { LiveClose, LiveEvent, LiveHandlers } from './live-session.ts';

export interface Seen {
  readonly atMs: number;
  /** Number of the server message that it came in. */
  readonly message: number;
  readonly event: LiveEvent;
}

/** A probe ends long before it could see so much; the bound is for servers that flood. */
const MAX_SEEN = 20_000;

export class ProbeWatch implements LiveHandlers {
  readonly seen: Seen[] = [];
  close: LiveClose | null = null;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #messages = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  onEvents(events: readonly LiveEvent[], receivedAtMs: number): void {
    this.#messages += 1;
    for (const event of events) {
      if (this.seen.length < MAX_SEEN) this.seen.push({ atMs: receivedAtMs, message: this.#messages, event });
    }
    this.#look();
  }

  onClose(close: LiveClose): void {
    this.close = close;
    this.#look();
  }

  /** Waits until `done`, the close, or the time is over, and tells whether it was done. */
  until(done: () => boolean, withinMs: number): Promise<boolean> {
    if (done()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = () => {
        timer.cancel();
        this.#waiting.delete(look);
        resolve(done());
      };
      const look = () => {
        if (done() || this.close !== null) finish();
      };
      const timer = this.#clock.setTimer(Math.max(0, withinMs), finish);
      this.#waiting.add(look);
      look();
    });
  }

  /** Index of the first event of the type from `from` on, or -1. */
  find(type: LiveEvent['type'], from = 0): number {
    return this.seen.findIndex((seen, i) => i >= from && seen.event.type === type);
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** Milliseconds of audio in these events. */
export function audioMsOf(seen: readonly Seen[]): number {
  let ms = 0;
  for (const { event } of seen) {
    if (event.type === 'audio') ms += (event.bytes.length / 2 / event.sampleRate) * 1000;
  }
  return ms;
}
