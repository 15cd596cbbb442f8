/** Handlers that keep what they were told, and let a test wait for it. */
import type { LiveClose, LiveEvent, LiveHandlers } from '../../src/gemini/live-session.ts';

export class RecordingHandlers implements LiveHandlers {
  readonly events: LiveEvent[] = [];
  readonly closes: LiveClose[] = [];
  #waiting: (() => void)[] = [];

  onEvents(events: readonly LiveEvent[]): void {
    this.events.push(...events);
    this.#wake();
  }

  onClose(close: LiveClose): void {
    this.closes.push(close);
    this.#wake();
  }

  async until(done: (seen: this) => boolean): Promise<void> {
    while (!done(this)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
