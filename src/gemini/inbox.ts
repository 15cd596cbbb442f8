/**
 * Stands between a socket and the call's handlers: nothing is delivered before the call holds its connection, nothing
 * after the end, and what a handler throws ends this connection alone.
 */
import type { LiveClose, LiveEvent, LiveHandlers } from './live-session.ts';

export class Inbox {
  readonly #handlers: LiveHandlers;
  /** What threw counts: after `onClose` there is nothing left to end. */
  readonly #onThrow: (caught: unknown, from: 'events' | 'close') => void;
  /**
   * Null once released. It holds what shares the turn of the event loop with setupComplete, and what came before it,
   * which the socket bounds.
   */
  #held: (readonly [from: 'events' | 'close', give: () => void])[] | null = [];
  #ended = false;

  constructor(handlers: LiveHandlers, onThrow: (caught: unknown, from: 'events' | 'close') => void) {
    this.#handlers = handlers;
    this.#onThrow = onThrow;
  }

  events(events: readonly LiveEvent[], receivedAtMs: number): void {
    if (events.length === 0) return;
    this.#deliver('events', () => this.#handlers.onEvents(events, receivedAtMs));
  }

  /** The last thing that is delivered. */
  closed(close: LiveClose): void {
    this.#deliver('close', () => {
      this.#ended = true;
      this.#handlers.onClose(close);
    });
  }

  /** The call has its connection: hands out what was held, in order. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const [from, give] of held) this.#run(from, give);
  }

  /** Nothing is delivered any more. */
  stop(): void {
    this.#ended = true;
    this.#held = null;
  }

  #deliver(from: 'events' | 'close', give: () => void): void {
    if (this.#ended) return;
    if (this.#held === null) this.#run(from, give);
    else this.#held.push([from, give]);
  }

  #run(from: 'events' | 'close', give: () => void): void {
    if (this.#ended) return;
    try {
      give();
    } catch (caught) {
      this.#onThrow(caught, from);
    }
  }
}
