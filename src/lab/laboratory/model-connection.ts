/** The sending half of a connection over a socket without a wire: as the real one writes it, but for the audio. */
import type { Clock, Timer } from '../../clock.ts';
import type { Family } from '../../gemini/families.ts';
import { recentHistory } from '../../gemini/history.ts';
import type { FirstContent } from '../../gemini/live-config.ts';
import type { HistoryTurn, LiveConnection, ToolResponse } from '../../gemini/live-session.ts';
import type { ModelSocket } from './model-socket.ts';

/** As the real connection's bounds. */
const MAX_AUDIO_BACKLOG_BYTES = 256 * 1024;
const MAX_BACKLOG_BYTES = 1024 * 1024;
const CLOSE_GRACE_MS = 1_000;

export class ModelConnection implements LiveConnection {
  readonly dropped: readonly string[];
  readonly #socket: ModelSocket;
  readonly #family: Family;
  readonly #manual: boolean;
  readonly #clock: Clock;
  readonly #onClosing: (graceMs: number) => void;
  #closing: Promise<void> | null = null;
  #resolveClosed: () => void = () => {};
  #grace: Timer | null = null;

  constructor(parts: {
    readonly socket: ModelSocket;
    readonly family: Family;
    readonly manual: boolean;
    readonly clock: Clock;
    readonly dropped: readonly string[];
    readonly onClosing: (graceMs: number) => void;
  }) {
    this.#socket = parts.socket;
    this.#family = parts.family;
    this.#manual = parts.manual;
    this.#clock = parts.clock;
    this.dropped = parts.dropped;
    this.#onClosing = parts.onClosing;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  sendAudio(samples: Int16Array): boolean {
    if (!this.#takes(MAX_AUDIO_BACKLOG_BYTES)) return false;
    // A view that is valid for the moment only.
    this.#socket.send(samples.slice());
    return true;
  }

  sendText(text: string): boolean {
    return this.#family.textBy === 'realtime-input'
      ? this.#send({ realtimeInput: { text } })
      : this.#send({ clientContent: { turns: [{ role: 'user', parts: [{ text }] }], turnComplete: true } });
  }

  sendContext(turns: readonly HistoryTurn[]): boolean {
    if (this.#family.clientContent !== 'always') return false;
    const recent = recentHistory(turns);
    return recent.turns.length === 0 || this.sendContent({ turns: recent.turns, turnComplete: false });
  }

  sendContent({ turns, turnComplete }: FirstContent): boolean {
    const contents = turns.map(({ role, text }) => ({ role, parts: [{ text }] }));
    return this.#send({ clientContent: { turns: contents, turnComplete } });
  }

  sendAudioStreamEnd(): boolean {
    return !this.#manual && this.#send({ realtimeInput: { audioStreamEnd: true } });
  }

  sendActivity(kind: 'start' | 'end'): boolean {
    if (!this.#manual) return false;
    return this.#send({ realtimeInput: kind === 'start' ? { activityStart: {} } : { activityEnd: {} } });
  }

  sendToolResponses(responses: readonly ToolResponse[]): boolean {
    if (responses.length === 0) return true;
    const functionResponses = responses.map(({ scheduling, ...response }) =>
      scheduling !== undefined && this.#family.scheduling ? { ...response, scheduling } : response,
    );
    return this.#send({ toolResponse: { functionResponses } });
  }

  close(graceMs = CLOSE_GRACE_MS): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    this.#onClosing(graceMs);
    const closing = this.#socket.gone
      ? Promise.resolve()
      : new Promise<void>((resolve) => {
          this.#resolveClosed = resolve;
        });
    this.#closing = closing;
    if (this.#socket.gone) return closing;
    this.#socket.close();
    if (graceMs <= 0) this.#terminate();
    else this.#grace = this.#clock.setTimer(graceMs, () => this.#terminate());
    return closing;
  }

  /** The socket is gone, by whomever. */
  socketClosed(): void {
    this.#grace?.cancel();
    this.#grace = null;
    this.#closing ??= Promise.resolve();
    this.#resolveClosed();
  }

  #terminate(): void {
    this.#socket.terminate();
    this.socketClosed();
  }

  #takes(limitBytes: number): boolean {
    return this.#closing === null && !this.#socket.gone && this.#socket.bufferedBytes <= limitBytes;
  }

  #send(message: object): boolean {
    if (!this.#takes(MAX_BACKLOG_BYTES)) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }
}
