/**
 * The carrier's side of playback: what arrives is queued and played in real time without gaps, a mark comes back when
 * all before it was played, `clear` empties the queue and hands the pending marks back at once. What carriers do
 * differently is in the policy. Pure: time is handed in, and `advance` works off whatever has become due.
 */
import { FRAME_MS, type LineFormat, lineFormat } from './line-format.ts';
import { ByteQueue, type PlayoutQueue } from './playout-queue.ts';

/** How a mark left the buffer; whether the gateway is told, and how, is the carrier's own. */
export type MarkEcho = 'played' | 'cleared';

export interface PlayoutPolicy {
  readonly format: LineFormat;
  /** More than this is lost. */
  readonly mostQueuedMs: number;
  /** Where the carrier has a way of its own. */
  readonly createQueue?: (onMark: (name: string, how: MarkEcho) => void) => PlayoutQueue;
}

/** Twilio reports an overflow (31930) without saying at which size; beyond a minute nothing sensible is going on. */
export const PLAIN_PLAYOUT: PlayoutPolicy = {
  format: lineFormat('pcmu', 8000),
  mostQueuedMs: 60_000,
};

export interface PlayoutSink {
  /** 20 ms that the caller hears from `atMs` on; the array is used again afterwards. */
  onFrame(payload: Uint8Array, atMs: number): void;
  onMark(name: string, how: MarkEcho, atMs: number): void;
}

/** A stretch of audio that was played without a break. */
export interface PlayedRun {
  readonly generation: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** What became of one generation: everything that arrived between two clears. */
export interface GenerationAccount {
  readonly generation: number;
  readonly firstArrivalMs: number | null;
  readonly receivedMs: number;
  readonly playedMs: number;
  readonly clearedAtMs: number | null;
  /** What was still queued at the clear: sent, never heard. */
  readonly droppedMs: number;
}

type OpenAccount = { -readonly [K in keyof GenerationAccount]: GenerationAccount[K] };

interface QueuedMark {
  readonly name: string;
  readonly position: number;
}

export class PlayoutBuffer {
  readonly #sink: PlayoutSink;
  readonly #policy: PlayoutPolicy;
  readonly #frame: Uint8Array;
  readonly #queue: PlayoutQueue;
  /** Positions count every byte that was ever accepted. */
  #acceptedBytes = 0;
  #takenBytes = 0;
  /** Everything before this position has been played to its end, or was cleared. */
  #doneBytes = 0;
  #overflowBytes = 0;
  readonly #marks: QueuedMark[] = [];
  readonly #runs: { generation: number; fromMs: number; toMs: number }[] = [];
  readonly #accounts: OpenAccount[] = [];
  #nextFrameMs: number;
  #paused = false;
  /** The instant that is worked on. */
  #atMs: number;

  constructor(startMs: number, sink: PlayoutSink, policy: PlayoutPolicy = PLAIN_PLAYOUT) {
    this.#nextFrameMs = startMs;
    this.#sink = sink;
    this.#policy = policy;
    this.#frame = new Uint8Array(policy.format.frameBytes);
    const onMark = (name: string, how: MarkEcho): void => sink.onMark(name, how, this.#atMs);
    this.#queue = policy.createQueue?.(onMark) ?? new ByteQueue();
    this.#atMs = startMs;
    this.#openAccount();
  }

  get generation(): number {
    return this.#accounts.length - 1;
  }

  /** What is still to be played, without what is held. */
  get queuedMs(): number {
    return this.#queue.queuedBytes / this.#policy.format.bytesPerMs;
  }

  /** Audio that did not fit into the queue any more. */
  get overflowMs(): number {
    return this.#overflowBytes / this.#policy.format.bytesPerMs;
  }

  get pendingMarks(): number {
    return this.#queue.marks?.pending ?? this.#marks.length;
  }

  get runs(): readonly PlayedRun[] {
    return this.#runs;
  }

  get accounts(): readonly GenerationAccount[] {
    return this.#accounts;
  }

  /** When the next frame begins to play. */
  get nextFrameMs(): number {
    return this.#nextFrameMs;
  }

  /** Plays every frame that has begun by now. */
  advance(nowMs: number): void {
    while (this.#nextFrameMs <= nowMs) this.#playFrame();
  }

  /** @returns false when it did not fit and is lost */
  push(payload: Uint8Array, nowMs: number): boolean {
    this.advance(nowMs);
    const { format, mostQueuedMs } = this.#policy;
    const account = this.#accounts[this.generation]!;
    account.firstArrivalMs ??= nowMs;
    account.receivedMs += payload.length / format.bytesPerMs;
    const mostBytes = mostQueuedMs * format.bytesPerMs;
    const { queuedBytes, heldBytes } = this.#queue;
    if (queuedBytes + heldBytes + payload.length > mostBytes) {
      this.#overflowBytes += payload.length;
      return false;
    }
    if (payload.length === 0) return true;
    this.#acceptedBytes += payload.length;
    this.#queue.push(payload);
    return true;
  }

  mark(name: string, nowMs: number): void {
    this.advance(nowMs);
    if (this.#queue.marks !== undefined) this.#queue.marks.put(name);
    else if (this.#acceptedBytes <= this.#doneBytes) this.#sink.onMark(name, 'played', nowMs);
    else this.#marks.push({ name, position: this.#acceptedBytes });
  }

  /** While paused the line is silent and the queue stays as it is. */
  pause(paused: boolean, nowMs: number): void {
    this.advance(nowMs);
    this.#paused = paused;
  }

  /**
   * Empties the queue; the frame that sounds at this moment is finished, and what is held before the queue stays.
   * Answers what was thrown away.
   */
  clear(nowMs: number): readonly Uint8Array[] {
    this.advance(nowMs);
    const account = this.#accounts[this.generation]!;
    account.clearedAtMs = nowMs;
    account.droppedMs = this.queuedMs;
    this.#atMs = nowMs;
    const dropped = this.#queue.clear();
    this.#takenBytes = this.#acceptedBytes - this.#queue.heldBytes;
    this.#doneBytes = this.#takenBytes;
    for (const { name } of this.#marks.splice(0)) this.#sink.onMark(name, 'cleared', nowMs);
    this.#openAccount();
    return dropped;
  }

  /** The stream is over: everything that has not begun to sound, held or queued. No mark comes back any more. */
  takeQueued(): readonly Uint8Array[] {
    const rest = this.#queue.takeAll();
    this.#marks.length = 0;
    this.#takenBytes = this.#acceptedBytes;
    this.#doneBytes = this.#acceptedBytes;
    return rest;
  }

  #playFrame(): void {
    const atMs = this.#nextFrameMs;
    this.#atMs = atMs;
    // What was taken for earlier frames has sounded to its end at this instant.
    this.#doneBytes = this.#takenBytes;
    while (this.#marks[0] !== undefined && this.#marks[0].position <= this.#doneBytes) {
      this.#sink.onMark(this.#marks.shift()!.name, 'played', atMs);
    }
    const bytes = this.#fillFrame();
    if (bytes > 0) this.#bookPlayed(atMs, bytes);
    this.#sink.onFrame(this.#frame, atMs);
    this.#nextFrameMs = atMs + FRAME_MS;
  }

  /** Takes what there is, up to a frame; silence makes up for the rest. */
  #fillFrame(): number {
    const taken = this.#paused ? 0 : this.#queue.take(this.#frame);
    this.#frame.fill(this.#policy.format.silence, taken);
    this.#takenBytes += taken;
    return taken;
  }

  #bookPlayed(atMs: number, bytes: number): void {
    const generation = this.generation;
    const playedMs = bytes / this.#policy.format.bytesPerMs;
    this.#accounts[generation]!.playedMs += playedMs;
    const last = this.#runs.at(-1);
    if (last !== undefined && last.generation === generation && last.toMs === atMs)
      last.toMs = atMs + playedMs;
    else this.#runs.push({ generation, fromMs: atMs, toMs: atMs + playedMs });
  }

  #openAccount(): void {
    this.#accounts.push({
      generation: this.#accounts.length,
      firstArrivalMs: null,
      receivedMs: 0,
      playedMs: 0,
      clearedAtMs: null,
      droppedMs: 0,
    });
  }
}
