/**
 * The carrier's side of playback, as Twilio documents it: what arrives is queued and played in real time without
 * gaps, a mark comes back when all before it was played, `clear` empties the queue and returns the pending marks at
 * once. Pure: time is handed in, and `advance` works off whatever has become due.
 */

export const FRAME_MS = 20;
export const FRAME_BYTES = 160;
/** What PCMU sounds like when nobody speaks. */
const SILENCE = 0xff;
/** Twilio reports an overflow (31930) without saying at which size; beyond a minute nothing sensible is going on. */
const MAX_QUEUED_BYTES = 60 * 8_000;

export type MarkEcho = 'played' | 'cleared';

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

interface QueuedMark {
  readonly name: string;
  readonly position: number;
}

export class PlayoutBuffer {
  readonly #sink: PlayoutSink;
  readonly #frame = new Uint8Array(FRAME_BYTES);
  readonly #queue: Uint8Array[] = [];
  /** Bytes of the queue's head that were played already. */
  #headOffset = 0;
  #queuedBytes = 0;
  /** Positions count every byte that was ever accepted. */
  #acceptedBytes = 0;
  #takenBytes = 0;
  /** Everything before this position has been played to its end, or was cleared. */
  #doneBytes = 0;
  #overflowBytes = 0;
  readonly #marks: QueuedMark[] = [];
  readonly #runs: { generation: number; fromMs: number; toMs: number }[] = [];
  readonly #accounts: {
    generation: number;
    firstArrivalMs: number | null;
    receivedMs: number;
    playedMs: number;
    clearedAtMs: number | null;
    droppedMs: number;
  }[] = [];
  #nextFrameMs: number;

  constructor(startMs: number, sink: PlayoutSink) {
    this.#nextFrameMs = startMs;
    this.#sink = sink;
    this.#openAccount();
  }

  get generation(): number {
    return this.#accounts.length - 1;
  }

  get queuedMs(): number {
    return this.#queuedBytes / 8;
  }

  /** Audio that did not fit into the queue any more. */
  get overflowMs(): number {
    return this.#overflowBytes / 8;
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

  push(payload: Uint8Array, nowMs: number): void {
    this.advance(nowMs);
    const account = this.#accounts[this.generation]!;
    account.firstArrivalMs ??= nowMs;
    account.receivedMs += payload.length / 8;
    if (this.#queuedBytes + payload.length > MAX_QUEUED_BYTES) {
      this.#overflowBytes += payload.length;
      return;
    }
    if (payload.length === 0) return;
    this.#queue.push(payload);
    this.#queuedBytes += payload.length;
    this.#acceptedBytes += payload.length;
  }

  mark(name: string, nowMs: number): void {
    this.advance(nowMs);
    if (this.#acceptedBytes <= this.#doneBytes) this.#sink.onMark(name, 'played', nowMs);
    else this.#marks.push({ name, position: this.#acceptedBytes });
  }

  /** Empties the queue; the frame that sounds at this moment is finished. Answers what was thrown away. */
  clear(nowMs: number): readonly Uint8Array[] {
    this.advance(nowMs);
    const account = this.#accounts[this.generation]!;
    account.clearedAtMs = nowMs;
    account.droppedMs = this.#queuedBytes / 8;
    const dropped = this.takeQueued();
    this.#takenBytes = this.#acceptedBytes;
    this.#doneBytes = this.#acceptedBytes;
    for (const { name } of this.#marks.splice(0)) this.#sink.onMark(name, 'cleared', nowMs);
    this.#openAccount();
    return dropped;
  }

  /** Everything that has not begun to sound, taken out of the queue. */
  takeQueued(): readonly Uint8Array[] {
    const queued = this.#queue.splice(0);
    if (queued[0] !== undefined) queued[0] = queued[0].subarray(this.#headOffset);
    this.#headOffset = 0;
    this.#queuedBytes = 0;
    return queued;
  }

  #playFrame(): void {
    const atMs = this.#nextFrameMs;
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
    let filled = 0;
    while (filled < FRAME_BYTES && this.#queue[0] !== undefined) {
      const head = this.#queue[0];
      const take = Math.min(FRAME_BYTES - filled, head.length - this.#headOffset);
      this.#frame.set(head.subarray(this.#headOffset, this.#headOffset + take), filled);
      filled += take;
      this.#headOffset += take;
      if (this.#headOffset === head.length) {
        this.#queue.shift();
        this.#headOffset = 0;
      }
    }
    this.#frame.fill(SILENCE, filled);
    this.#queuedBytes -= filled;
    this.#takenBytes += filled;
    return filled;
  }

  #bookPlayed(atMs: number, bytes: number): void {
    const generation = this.generation;
    const playedMs = bytes / 8;
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
