/** The sending half of a connection: LiveConnection over the SDK's session and the socket under it. */
import type { FunctionResponse, FunctionResponseScheduling, Session } from '@google/genai';
import type { Clock, Timer } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Family } from './families.ts';
import { recentHistory } from './history.ts';
import type { HistoryTurn, LiveConnection, ToolResponse } from './live-session.ts';

/** Six seconds of audio on the wire: a peer that far behind is not listening, and more would only be heard later. */
const MAX_AUDIO_BACKLOG_BYTES = 256 * 1024;
/** Text and tool responses are few and matter more; but they have a bound too. */
const MAX_BACKLOG_BYTES = 1024 * 1024;
/** One second in a frame, 43 kB: below the smallest limit on a client frame that anybody has seen in such services. */
const MAX_SAMPLES_PER_FRAME = 16_000;
const CLOSE_GRACE_MS = 1_000;
/** From the socket's destruction to its end, which the SDK's own may fail to tell. */
const DESTROYED_MS = 250;

const AUDIO_HEAD = '{"realtimeInput":{"audio":{"data":"';
const AUDIO_TAIL = '","mimeType":"audio/pcm;rate=16000"}}}';

/** What a connection needs of the socket, the hooked one or what can be had of the SDK's own. */
export interface Wire {
  readonly isOpen: boolean;
  readonly bufferedBytes: number;
  /** One text frame of ASCII. */
  sendFrame(frame: Buffer): void;
  close(): void;
  terminate(): void;
}

export interface ConnectionParts {
  readonly session: Session;
  readonly wire: Wire;
  readonly family: Family;
  /** The setup's: a signal that belongs to the other mode may end the connection (activitySignalInWrongMode). */
  readonly vadMode: 'auto' | 'manual';
  readonly dropped: readonly string[];
  readonly clock: Clock;
  readonly onFault: (kind: 'send-refused' | 'uplink-stalled', detail: string) => void;
  /** Our own `close()` was called: from now on nothing may be delivered. */
  readonly onClosing: () => void;
}

export class GeminiConnection implements LiveConnection {
  readonly dropped: readonly string[];
  readonly #parts: ConnectionParts;
  readonly #gone = Promise.withResolvers<void>();
  #closing = false;
  #closeTimer: Timer | null = null;
  #droppedChunks = 0;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.dropped = parts.dropped;
  }

  get bufferedBytes(): number {
    return this.#parts.wire.bufferedBytes;
  }

  sendAudio(samples: Int16Array): boolean {
    return this.#send(({ wire }) => {
      for (let from = 0; from < samples.length; from += MAX_SAMPLES_PER_FRAME) {
        wire.sendFrame(audioFrame(samples.subarray(from, from + MAX_SAMPLES_PER_FRAME)));
      }
    }, MAX_AUDIO_BACKLOG_BYTES);
  }

  sendText(text: string): boolean {
    return this.#send(({ session, family }) => {
      if (family.textBy === 'realtime-input') session.sendRealtimeInput({ text });
      else session.sendClientContent({ turns: [{ role: 'user', parts: [{ text }] }], turnComplete: true });
    });
  }

  sendAudioStreamEnd(): boolean {
    if (this.#parts.vadMode === 'manual') return false;
    return this.#send(({ session }) => session.sendRealtimeInput({ audioStreamEnd: true }));
  }

  sendActivity(kind: 'start' | 'end'): boolean {
    if (this.#parts.vadMode === 'auto') return false;
    return this.#send(({ session }) =>
      session.sendRealtimeInput(kind === 'start' ? { activityStart: {} } : { activityEnd: {} }),
    );
  }

  sendToolResponses(responses: readonly ToolResponse[]): boolean {
    if (responses.length === 0) return true;
    const functionResponses = responses.map((response) => this.#functionResponse(response));
    return this.#send(({ session }) => session.sendToolResponse({ functionResponses }));
  }

  sendContext(turns: readonly HistoryTurn[]): boolean {
    if (this.#parts.family.clientContent !== 'always') return false;
    const recent = recentHistory(turns);
    return recent.turns.length === 0 || this.sendContent(recent.turns, false);
  }

  /** clientContent as it is, whether or not the family takes it now. */
  sendContent(turns: readonly HistoryTurn[], turnComplete: boolean): boolean {
    const contents = turns.map(({ role, text }) => ({ role, parts: [{ text }] }));
    return this.#send(({ session }) => session.sendClientContent({ turns: contents, turnComplete }));
  }

  close(graceMs = CLOSE_GRACE_MS): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#parts.onClosing();
      this.#quietly((wire) => wire.close());
      if (graceMs <= 0) this.#destroy();
      else this.#closeTimer = this.#parts.clock.setTimer(graceMs, () => this.#destroy());
    }
    return this.#gone.promise;
  }

  /** The socket is gone, by whomever: no timer is left. */
  socketClosed(): void {
    this.#closing = true;
    this.#closeTimer?.cancel();
    this.#closeTimer = null;
    this.#gone.resolve();
  }

  #destroy(): void {
    this.#closeTimer = this.#parts.clock.setTimer(DESTROYED_MS, () => this.socketClosed());
    this.#quietly((wire) => wire.terminate());
  }

  #quietly(end: (wire: Wire) => void): void {
    try {
      end(this.#parts.wire);
    } catch {
      // Whatever state the socket is in, what follows ends it.
    }
  }

  #functionResponse(response: ToolResponse): FunctionResponse {
    const { id, name, scheduling } = response;
    const message = { id, name, response: { ...response.response } } as FunctionResponse;
    if (scheduling !== undefined && this.#parts.family.scheduling) {
      message.scheduling = scheduling as FunctionResponseScheduling;
    }
    return message;
  }

  #send(write: (parts: ConnectionParts) => void, limitBytes = MAX_BACKLOG_BYTES): boolean {
    if (!this.#takes(limitBytes)) return false;
    try {
      write(this.#parts);
      return true;
    } catch (caught) {
      this.#parts.onFault('send-refused', messageOf(caught));
      return false;
    }
  }

  /** The SDK drops silently what is sent on a dead socket, and piles up without end what a stalled server does not read. */
  #takes(limitBytes: number): boolean {
    const { wire, onFault } = this.#parts;
    if (this.#closing || !wire.isOpen) return false;
    const backlog = wire.bufferedBytes;
    if (backlog <= limitBytes) {
      if (this.#droppedChunks > 0)
        onFault('uplink-stalled', `${this.#droppedChunks} chunks dropped, now over`);
      this.#droppedChunks = 0;
      return true;
    }
    if (this.#droppedChunks === 0)
      onFault('uplink-stalled', `${backlog} bytes wait for the server to read them`);
    this.#droppedChunks += 1;
    return false;
  }
}

/** A second of audio is the most that one frame carries. */
const SCRATCH = Buffer.alloc(
  AUDIO_HEAD.length + Math.ceil((MAX_SAMPLES_PER_FRAME * 2) / 3) * 4 + AUDIO_TAIL.length,
);
SCRATCH.write(AUDIO_HEAD, 'latin1');

/**
 * The frame that `session.sendRealtimeInput({ audio })` writes, byte for byte, without the objects on the way: it is
 * written fifty times a second in every call. A buffer, because `ws` masks a buffer and its header into one write; it
 * copies in doing so, and therefore the same memory serves every frame: valid until the next call.
 */
export function audioFrame(samples: Int16Array): Buffer {
  const bytes = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  const end = AUDIO_HEAD.length + SCRATCH.write(bytes.toString('base64'), AUDIO_HEAD.length, 'latin1');
  SCRATCH.write(AUDIO_TAIL, end, 'latin1');
  return SCRATCH.subarray(0, end + AUDIO_TAIL.length);
}
