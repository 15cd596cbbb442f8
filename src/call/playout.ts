/**
 * Playout: what the model said goes to the carrier in real time, a bounded lead ahead, in numbered generations. It knows
 * to the sample what was queued, sent and heard, can stop at once, and can take up again where the caller stopped
 * hearing. One per stream of a call; it writes, its owner decides.
 */
import { SILENCE_DBOV } from '../audio/level.ts';
import { CarrierClock } from './carrier-clock.ts';
import type { PayloadCodec } from './codec.ts';
import { CarrierTime, CutAccount, type PendingMark } from './cut-account.ts';
import { PayloadQueue } from './payload-queue.ts';
import { TICK_MS } from './ticker.ts';

/** What playout writes to. Each answers false when the stream no longer takes anything. */
export interface PlayoutPort {
  audio(payload: Uint8Array): boolean;
  endOfTurn(): boolean;
  mark(name: string): boolean;
  clear(): boolean;
  readonly bufferedBytes: number;
}

export interface PlayoutLimits {
  readonly exactFrameMs: number | null;
  readonly packetMs: number;
  readonly leadMs: number;
  readonly maxLeadMs: number;
  readonly supportsMarks: boolean;
}

export interface PlayoutListener {
  /** The first non-silent packet of a turn was written; `padMs` of silence went before it. */
  onAudible(turn: number, padMs: number): void;
  /** The carrier had nothing to play in the middle of a turn. */
  onUnderrun(gapMs: number, seenBy: 'marks' | 'clock'): void;
  onOverflow(droppedMs: number): void;
  /** Everything was heard, asked for by `watchDrained`. */
  onDrained(): void;
}

/** A mark every so often: what the caller heard is known to about this. */
const MARK_EVERY_MS = 160;
const MAX_PENDING_MARKS = 256;
/** What was sent is kept for going back: the longest lead and a slow line together. */
const KEPT_SENT_MS = 1_600;
const MAX_QUEUED_MS = 240_000;
/** Beyond this the socket is not taking what we write; audio stays in our queue, where it can still be dropped. */
const MAX_BUFFERED_BYTES = 65_536;
/** A level above this is sound, for the first audible packet of a turn. */
const AUDIBLE_DBOV = -60;
const LEAD_STEP_MS = 100;
/** The end mark may never come back; then the clock decides. */
const DRAIN_SLACK_MS = 1_500;
/** Our own echo comes back within a line's round trip and the telephone's own delay. */
const ECHO_WINDOW_MS = 500;
const LEVELS = 64;

interface TurnRange {
  readonly turn: number;
  readonly from: number;
  audible: boolean;
}

export class Playout {
  readonly #codec: PayloadCodec;
  readonly #limits: PlayoutLimits;
  readonly #listener: PlayoutListener;
  readonly #queue: PayloadQueue;
  readonly #clock: CarrierClock;
  readonly #samplesPerMs: number;
  #port: PlayoutPort | null = null;

  #generation = 1;
  /** Position behind the last sample written in this generation. */
  #sent = 0;
  /** The furthest position the caller is known or reckoned to have heard. */
  #heard = 0;
  #heardByMark = 0;
  #paused = false;
  #leadMs: number;
  /** Silence put before a turn so that a line with jitter does not break it; raised by the owner. */
  #cushionMs = 0;
  #turnOpen = false;
  readonly #turns: TurnRange[] = [];

  #markNumber = 0;
  #markedTo = 0;
  /** Up to where the port knows of the ends of turns. */
  #endedTo = 0;
  #pendingMarks: PendingMark[] = [];
  readonly #carrierTime: CarrierTime;
  /** The newest stop, whose cleared marks may still tell where it cut. */
  #cut: CutAccount | null = null;
  #watchingDrain = false;
  #marksSent = 0;
  #marksEchoed = 0;
  #sentMs = 0;
  #messages = 0;

  /** Levels of what was written, each with the time at which it plays: a ring for the echo gate. */
  readonly #levelAtMs = new Float64Array(LEVELS);
  readonly #level = new Float32Array(LEVELS);
  #levelAt = 0;
  #lastSoundEndMs = Number.NEGATIVE_INFINITY;

  constructor(codec: PayloadCodec, limits: PlayoutLimits, listener: PlayoutListener) {
    this.#codec = codec;
    this.#limits = limits;
    this.#listener = listener;
    this.#samplesPerMs = codec.sampleRate / 1000;
    this.#queue = new PayloadQueue(codec.bytesPerSample, MAX_QUEUED_MS * this.#samplesPerMs);
    this.#clock = new CarrierClock(codec.sampleRate);
    this.#carrierTime = new CarrierTime(this.#samplesPerMs);
    this.#leadMs = limits.leadMs;
  }

  get generation(): number {
    return this.#generation;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get leadMs(): number {
    return this.#leadMs;
  }

  get roundTripMs(): number | null {
    return this.#clock.roundTripMs;
  }

  get counts(): {
    readonly messages: number;
    readonly sentMs: number;
    readonly marksSent: number;
    readonly marksEchoed: number;
  } {
    return {
      messages: this.#messages,
      sentMs: this.#sentMs,
      marksSent: this.#marksSent,
      marksEchoed: this.#marksEchoed,
    };
  }

  /** Position behind everything queued: where the next audio will lie. */
  get queuedTo(): number {
    return this.#queue.end;
  }

  get heardBy(): 'marks' | 'clock' {
    return this.#marksEchoed > 0 ? 'marks' : 'clock';
  }

  /** What the caller had heard at the last stop, as far as it is known by now. */
  get cut(): { readonly heardTo: number; readonly settled: boolean } | null {
    return this.#cut;
  }

  setCushion(ms: number): void {
    this.#cushionMs = ms;
  }

  /** A stream is there; a former one took its unplayed audio with it, so playing goes on from what was heard. */
  attach(port: PlayoutPort, nowMs: number): void {
    if (this.#port !== null || this.#sent > this.#heardNow(nowMs)) this.detach(nowMs);
    this.#port = port;
    this.#write(nowMs);
  }

  /** The stream is gone. What the caller had not heard is kept. */
  detach(nowMs: number): void {
    this.#port = null;
    this.#rewind(nowMs);
    this.#clock.cleared(nowMs);
    this.#newGeneration();
  }

  /** Queues a payload of `turn` and writes what the lead permits at once. */
  append(payload: Uint8Array, turn: number, nowMs: number): void {
    if (this.#turns.at(-1)?.turn !== turn) {
      this.#turns.push({ turn, from: this.#queue.end, audible: false });
      if (this.#turns.length > 8) this.#turns.shift();
    }
    this.#turnOpen = true;
    const left = this.#queue.append(payload);
    if (left > 0) this.#listener.onOverflow(left / this.#samplesPerMs);
    this.#write(nowMs);
  }

  /** The model has finished the turn: a tail shorter than a packet may go out. */
  endTurn(nowMs: number): void {
    if (!this.#turnOpen) return;
    this.#turnOpen = false;
    this.#write(nowMs);
  }

  tick(nowMs: number): void {
    if (this.#sent < this.#queue.end) this.#write(nowMs);
    // All was heard: nothing to go back to, and a silent call holds no audio.
    else if (this.#queue.start < this.#sent && !this.#paused && this.#heardNow(nowMs) >= this.#sent) {
      this.#queue.forgetBefore(this.#sent);
    }
    if (this.#watchingDrain) this.#checkDrained(nowMs);
  }

  /** Milliseconds queued or sent that the caller has not heard yet. */
  unplayedMs(nowMs: number): number {
    return (this.#queue.end - this.#heardNow(nowMs)) / this.#samplesPerMs;
  }

  /** The furthest position heard, as marks and clock have it. */
  heardTo(nowMs: number): number {
    return this.#heardNow(nowMs);
  }

  /** Milliseconds until everything written and queued has been played. */
  remainingMs(nowMs: number): number {
    const queuedMs = (this.#queue.end - this.#sent) / this.#samplesPerMs;
    return Math.max(0, this.#clock.endMs - nowMs) + queuedMs;
  }

  /** Stops at once and keeps what was not heard; a new generation begins. @returns the position heard */
  pause(nowMs: number): number {
    const heard = this.#clearCarrier(nowMs);
    this.#paused = true;
    return heard;
  }

  /** Goes on from `backMs` before the last sample heard. @returns ms that will be played a second time */
  resume(nowMs: number, backMs: number): number {
    if (!this.#paused) return 0;
    this.#paused = false;
    const from = Math.max(this.#queue.start, this.#sent - Math.round(backMs * this.#samplesPerMs));
    const replayedMs = (this.#sent - from) / this.#samplesPerMs;
    this.#goBackTo(from);
    this.#write(nowMs);
    return replayedMs;
  }

  /**
   * Stops at once and forgets everything unplayed; a new generation begins. After a pause the carrier was cleared
   * already, and only the queue is dropped.
   * @returns the position heard, and the ms that will never be
   */
  drop(nowMs: number): { readonly heardTo: number; readonly droppedMs: number } {
    const heardTo = this.#paused ? this.#sent : this.#clearCarrier(nowMs);
    this.#paused = false;
    const droppedMs = (this.#queue.end - heardTo) / this.#samplesPerMs;
    this.#sent = this.#queue.end;
    this.#heard = this.#sent;
    this.#heardByMark = this.#sent;
    this.#markedTo = this.#sent;
    this.#endedTo = this.#sent;
    this.#queue.forgetBefore(this.#sent);
    this.#turnOpen = false;
    return { heardTo, droppedMs };
  }

  /**
   * A mark came back. `name` is `g<generation>.<number>`; those of older generations only tell where the stop cut.
   * @param mediaMs the carrier's time, as the caller's newest frame has it; null where frames carry none
   */
  echoed(
    name: string,
    outcome: 'played' | 'cleared' | 'ambiguous',
    nowMs: number,
    mediaMs: number | null = null,
  ): void {
    const mark = parseMark(name);
    if (mark === null) return;
    if (mark.generation === this.#cut?.generation) this.#learnCut(this.#cut, mark.number, mediaMs);
    if (mark.generation !== this.#generation || outcome === 'cleared') return;
    const index = this.#pendingMarks.findIndex((pending) => pending.number === mark.number);
    if (index === -1) return;
    const { position } = this.#pendingMarks[index] as { position: number };
    // Marks come back in order: an earlier one that is missing will not come any more.
    this.#pendingMarks.splice(0, index + 1);
    this.#marksEchoed += 1;
    this.#heardByMark = Math.max(this.#heardByMark, position);
    if (mediaMs !== null) this.#carrierTime.played(position, mediaMs);
    const slippedMs = this.#clock.echoed(position, nowMs);
    if (slippedMs > 0) {
      this.#leadMs = Math.min(this.#limits.maxLeadMs, this.#leadMs + LEAD_STEP_MS);
      this.#listener.onUnderrun(slippedMs, 'marks');
    }
    if (this.#watchingDrain) this.#checkDrained(nowMs);
  }

  /** Calls `onDrained` once everything queued by then and later has been heard. */
  watchDrained(nowMs: number): void {
    this.#watchingDrain = true;
    this.#checkDrained(nowMs);
  }

  stopWatching(): void {
    this.#watchingDrain = false;
  }

  /** The level of our own audio that may be coming back as echo now. */
  echoDbov(nowMs: number): number {
    if (nowMs - this.#lastSoundEndMs > ECHO_WINDOW_MS) return SILENCE_DBOV;
    let loudest = SILENCE_DBOV;
    for (let i = 0; i < LEVELS; i++) {
      const atMs = this.#levelAtMs[i] as number;
      const level = this.#level[i] as number;
      if (level > loudest && atMs <= nowMs && atMs > nowMs - ECHO_WINDOW_MS) loudest = level;
    }
    return loudest;
  }

  #write(nowMs: number): void {
    const port = this.#port;
    if (port === null || this.#paused) return;
    const { exactFrameMs, packetMs } = this.#limits;
    const packet = Math.round((exactFrameMs ?? packetMs) * this.#samplesPerMs);
    const unit = Math.round((exactFrameMs ?? TICK_MS) * this.#samplesPerMs);
    for (;;) {
      const waiting = this.#queue.end - this.#sent;
      if (waiting <= 0) break;
      const aheadMs = Math.max(0, this.#clock.endMs - nowMs);
      const room = Math.floor((this.#leadMs - aheadMs) * this.#samplesPerMs);
      let take = Math.min(packet, waiting, Math.max(room, aheadMs === 0 ? unit : 0));
      // Whole packets, but for the tail of a turn and for a carrier that is about to run dry or short of its cushion.
      if (take < packet && !(take === waiting && !this.#turnOpen)) {
        if (aheadMs >= Math.max(packetMs * 2, this.#cushionMs)) break;
        take -= take % unit;
      }
      if (take <= 0 || port.bufferedBytes > MAX_BUFFERED_BYTES) break;
      if (!this.#writePacket(port, this.#sent, this.#sent + take, nowMs)) return;
    }
    if (this.#turnOpen || this.#sent < this.#queue.end) return;
    if (this.#endedTo < this.#sent && port.endOfTurn()) this.#endedTo = this.#sent;
    if (this.#markedTo < this.#sent) this.#mark(port);
  }

  #writePacket(port: PlayoutPort, from: number, to: number, nowMs: number): boolean {
    const payload = this.#queue.view(from, to);
    const level = this.#codec.levelDbov(payload);
    const starting = nowMs >= this.#clock.endMs;
    const turn = this.#turnAt(from);
    const inTurn = starting && turn !== undefined && from > turn.from && turn.audible;
    const padMs = starting && !inTurn ? this.#pad(port, from) : 0;
    if (!port.audio(payload)) return false;
    if (starting) this.#carrierTime.runBegins(from);
    const dryMs = this.#clock.wrote(from, to, nowMs + padMs);
    if (inTurn && dryMs > 0) this.#listener.onUnderrun(dryMs, 'clock');
    this.#sent = to;
    this.#messages += 1;
    this.#sentMs += (to - from) / this.#samplesPerMs;
    this.#keepLevel(level, this.#clock.endMs);
    if (turn !== undefined && !turn.audible && level > AUDIBLE_DBOV) {
      turn.audible = true;
      this.#listener.onAudible(turn.turn, padMs);
    }
    // The mark of a tail comes behind the end of the turn: only then has the port let go of the last sample.
    const isTail = to === this.#queue.end && !this.#turnOpen;
    if (!isTail && (to - this.#markedTo) / this.#samplesPerMs >= MARK_EVERY_MS) this.#mark(port);
    this.#queue.forgetBefore(this.#sent - KEPT_SENT_MS * this.#samplesPerMs);
    return true;
  }

  /** Silence before a turn, so that the carrier holds a cushion against the line's jitter from the first packet on. */
  #pad(port: PlayoutPort, from: number): number {
    const readyMs = (this.#queue.end - from) / this.#samplesPerMs;
    const unitMs = this.#limits.exactFrameMs ?? TICK_MS;
    const padMs = Math.ceil(Math.max(0, this.#cushionMs - readyMs) / unitMs) * unitMs;
    let paddedMs = 0;
    while (paddedMs < padMs) {
      const ms = Math.min(padMs - paddedMs, this.#limits.exactFrameMs ?? this.#limits.packetMs);
      const bytes = ms * this.#samplesPerMs * this.#codec.bytesPerSample;
      if (!port.audio(new Uint8Array(bytes).fill(this.#codec.silence))) break;
      paddedMs += ms;
    }
    return paddedMs;
  }

  #turnAt(position: number): TurnRange | undefined {
    return this.#turns.findLast((turn) => turn.from <= position);
  }

  #mark(port: PlayoutPort): void {
    if (!this.#limits.supportsMarks || this.#pendingMarks.length >= MAX_PENDING_MARKS) return;
    this.#markNumber += 1;
    if (!port.mark(`g${this.#generation}.${this.#markNumber}`)) return;
    this.#marksSent += 1;
    this.#markedTo = this.#sent;
    this.#pendingMarks.push({ number: this.#markNumber, position: this.#sent });
  }

  /** Writes `clear` where anything may be unplayed, and begins a generation. @returns the position heard */
  #clearCarrier(nowMs: number): number {
    const sentTo = this.#sent;
    const heard = this.#rewind(nowMs);
    this.#clock.cleared(nowMs);
    this.#cut = new CutAccount({
      generation: this.#generation,
      pending: this.#pendingMarks,
      zeroMs: this.#carrierTime.zeroMs,
      samplesPerMs: this.#samplesPerMs,
      heardTo: heard,
      sentTo,
    });
    // Before `clear` is written: the marks that it returns must not count as played, however soon they are here.
    this.#newGeneration();
    this.#port?.clear();
    return heard;
  }

  /** Marks thrown out by a `clear` are back. While it is open whether playing goes on, it will do so from there. */
  #learnCut(cut: CutAccount, number: number, mediaMs: number | null): void {
    if (mediaMs === null || !cut.echoed(number, mediaMs) || !this.#paused) return;
    this.#heard = cut.heardTo;
    this.#goBackTo(Math.max(this.#queue.start, cut.heardTo));
  }

  #rewind(nowMs: number): number {
    const heard = this.#heardNow(nowMs);
    this.#heard = heard;
    this.#goBackTo(Math.max(this.#queue.start, heard));
    return heard;
  }

  #goBackTo(position: number): void {
    this.#sent = position;
    this.#markedTo = position;
    this.#endedTo = Math.min(this.#endedTo, position);
  }

  #newGeneration(): void {
    this.#generation += 1;
    this.#markNumber = 0;
    this.#pendingMarks = [];
    this.#lastSoundEndMs = Number.NEGATIVE_INFINITY;
  }

  #heardNow(nowMs: number): number {
    if (this.#paused) return this.#sent;
    const position = Math.min(this.#sent, Math.max(this.#clock.positionAt(nowMs), this.#heardByMark));
    if (position > this.#heard) this.#heard = position;
    return this.#heard;
  }

  #checkDrained(nowMs: number): void {
    if (this.#turnOpen || this.#sent < this.#queue.end || this.#paused) return;
    const byMark = this.#heardByMark >= this.#sent;
    if (!byMark && this.#port !== null && this.#markedTo < this.#sent) this.#mark(this.#port);
    const slackMs = this.#limits.supportsMarks ? DRAIN_SLACK_MS : 300;
    if (!byMark && nowMs < this.#clock.endMs + slackMs) return;
    this.#watchingDrain = false;
    this.#listener.onDrained();
  }

  #keepLevel(level: number, endMs: number): void {
    this.#levelAtMs[this.#levelAt] = endMs;
    this.#level[this.#levelAt] = level;
    this.#levelAt = (this.#levelAt + 1) % LEVELS;
    if (level > AUDIBLE_DBOV) this.#lastSoundEndMs = endMs;
  }
}

/** `g<generation>.<number>`, or null for a mark that is not ours. */
function parseMark(name: string): { generation: number; number: number } | null {
  const match = /^g(\d{1,9})\.(\d{1,9})$/.exec(name);
  return match === null ? null : { generation: Number(match[1]), number: Number(match[2]) };
}
