/**
 * Playout: what the model said goes to the carrier in real time, a bounded lead ahead, in numbered generations. It knows
 * to the sample what was queued, sent and heard, can stop at once, and can take up again where the caller stopped
 * hearing. One per stream of a call; it writes, its owner decides.
 */
import type { MarkOutcome } from '../carriers/carrier.ts';
import { CarrierBuffer } from './carrier-buffer.ts';
import type { PayloadCodec } from './codec.ts';
import { CarrierTime, type ClearManners, CutAccount, type PendingMark } from './cut-account.ts';
import { EchoLevels } from './echo-levels.ts';
import { FlowHold } from './flow-hold.ts';
import { OutboundTurns } from './outbound-turns.ts';
import { PayloadQueue } from './payload-queue.ts';
import { PendingMarks, parseMark } from './pending-marks.ts';
import { TICK_MS } from './ticker.ts';

/** What playout writes to. Each answers false when the stream no longer takes anything. */
export interface PlayoutPort {
  audio(payload: Uint8Array): boolean;
  endOfTurn(): boolean;
  mark(name: string): boolean;
  clear(): boolean;
  readonly bufferedBytes: number;
}

export interface PlayoutLimits extends ClearManners {
  readonly exactFrameMs: number | null;
  readonly packetMs: number;
  readonly leadMs: number;
  readonly maxLeadMs: number;
  readonly startBufferMs: number;
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

export class Playout {
  readonly #codec: PayloadCodec;
  readonly #limits: PlayoutLimits;
  readonly #listener: PlayoutListener;
  readonly #queue: PayloadQueue;
  readonly #carrier: CarrierBuffer;
  readonly #samplesPerMs: number;
  #port: PlayoutPort | null = null;

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
  readonly #turns = new OutboundTurns();

  readonly #marks = new PendingMarks();
  #markedTo = 0;
  /** Up to where the port knows of the ends of turns. */
  #endedTo = 0;
  readonly #flow = new FlowHold();
  readonly #carrierTime = new CarrierTime();
  /** The newest stop: what comes back of it may still tell where it cut. */
  #cut: CutAccount | null = null;
  /** Clears that the carrier has not acknowledged. */
  #clearsOpen = 0;
  #watchingDrain = false;
  #marksSent = 0;
  #marksEchoed = 0;
  #sentMs = 0;
  #messages = 0;

  readonly #echo = new EchoLevels();

  constructor(codec: PayloadCodec, limits: PlayoutLimits, listener: PlayoutListener) {
    this.#codec = codec;
    this.#limits = limits;
    this.#listener = listener;
    this.#samplesPerMs = codec.sampleRate / 1000;
    this.#queue = new PayloadQueue(codec.bytesPerSample, MAX_QUEUED_MS * this.#samplesPerMs);
    this.#carrier = new CarrierBuffer(codec.sampleRate, limits.startBufferMs, limits.packetMs);
    this.#leadMs = limits.leadMs;
  }

  get generation(): number {
    return this.#marks.generation;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get leadMs(): number {
    return this.#leadMs;
  }

  get roundTripMs(): number | null {
    return this.#carrier.clock.roundTripMs;
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
    this.#carrier.reset();
    this.#clearsOpen = 0;
    this.#write(nowMs);
  }

  /** The stream is gone. What the caller had not heard is kept. */
  detach(nowMs: number): void {
    this.#port = null;
    this.#rewind(nowMs);
    this.#newGeneration(nowMs);
  }

  /** Queues a payload of `turn` and writes what the lead permits at once. */
  append(payload: Uint8Array, turn: number, nowMs: number): void {
    this.#turns.queued(turn, this.#queue.end);
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
    if (this.#flow.isOverdue(nowMs)) {
      this.#flow.end(nowMs);
      this.#carrier.clock.caughtUp(this.#sent, nowMs);
    }
    if (this.#flow.active) this.#reckonBehind(nowMs);
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

  /** Milliseconds until everything written and queued has been played, but for what the carrier holds back for more. */
  remainingMs(nowMs: number): number {
    const queuedMs = (this.#queue.end - this.#sent) / this.#samplesPerMs;
    return Math.max(0, this.#carrier.clock.endMs - nowMs) + queuedMs;
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
  echoed(name: string, outcome: MarkOutcome, nowMs: number, mediaMs: number | null = null): void {
    const mark = parseMark(name);
    if (mark === null) return;
    if (mark.generation === this.#cut?.generation) {
      if (outcome === 'played') this.#marksEchoed += 1;
      if (this.#cut.echoed(mark.number, outcome, mediaMs)) this.#goBackToCut(this.#cut);
    }
    if (mark.generation !== this.generation || outcome === 'cleared') return;
    const position = this.#marks.returned(mark.number);
    if (position === null) return;
    // It was sent behind every clear that there was.
    this.#clearsOpen = 0;
    this.#marksEchoed += 1;
    this.#heardByMark = Math.max(this.#heardByMark, position);
    if (mediaMs !== null) this.#carrierTime.played(this.#carrier.clock.run, position, mediaMs);
    const slippedMs = this.#carrier.clock.echoed(position, nowMs);
    if (slippedMs > 0) {
      this.#leadMs = Math.min(this.#limits.maxLeadMs, this.#leadMs + LEAD_STEP_MS);
      this.#listener.onUnderrun(slippedMs, 'marks');
    }
    if (this.#watchingDrain) this.#checkDrained(nowMs);
  }

  /** The carrier says that a clear is done. `mediaMs`: as of a mark. */
  cleared(mediaMs: number | null): void {
    this.#clearsOpen = Math.max(0, this.#clearsOpen - 1);
    if (this.#clearsOpen === 0 && this.#cut?.acknowledged(mediaMs)) this.#goBackToCut(this.#cut);
  }

  /** The carrier has more audio than it wants, or (`paused` false) takes more again. */
  flow(paused: boolean, nowMs: number): void {
    if (!paused) {
      this.#flow.end(nowMs);
      this.#write(nowMs);
      return;
    }
    const heardTo = this.#marks.oldest === null ? this.#heardNow(nowMs) : this.#heardByMark;
    this.#flow.begin(nowMs, (this.#sent - heardTo) / this.#samplesPerMs);
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
    return this.#echo.loudestAt(nowMs);
  }

  #write(nowMs: number): void {
    const port = this.#port;
    if (port === null || this.#paused || this.#flow.active) return;
    const { exactFrameMs, packetMs } = this.#limits;
    const packet = Math.round((exactFrameMs ?? packetMs) * this.#samplesPerMs);
    const unit = Math.round((exactFrameMs ?? TICK_MS) * this.#samplesPerMs);
    for (;;) {
      const waiting = this.#queue.end - this.#sent;
      if (waiting <= 0) break;
      const aheadMs = this.#carrier.aheadMs(nowMs);
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
    if (this.#endedTo < this.#sent && port.endOfTurn()) {
      this.#endedTo = this.#sent;
      this.#ranDry(this.#carrier.turnEnded(nowMs), nowMs);
    }
    if (this.#markedTo < this.#sent) this.#mark(port);
  }

  #writePacket(port: PlayoutPort, from: number, to: number, nowMs: number): boolean {
    const payload = this.#queue.view(from, to);
    const level = this.#codec.levelDbov(payload);
    const starting = this.#carrier.isEmpty(nowMs);
    const turn = this.#turns.at(from);
    const inTurn = starting && turn !== undefined && from > turn.from && turn.audible;
    const padMs = starting && !inTurn ? this.#pad(port, from, nowMs) : 0;
    if (!port.audio(payload)) return false;
    this.#ranDry(this.#carrier.wrote(from, to, nowMs, inTurn), nowMs);
    this.#sent = to;
    this.#messages += 1;
    this.#sentMs += (to - from) / this.#samplesPerMs;
    this.#echo.wrote(level, nowMs + this.#carrier.aheadMs(nowMs), level > AUDIBLE_DBOV);
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

  #ranDry(dryMs: number, nowMs: number): void {
    // For as long as the carrier itself wanted nothing, it was not left without.
    const gapMs = Math.min(dryMs, nowMs - this.#flow.endedAtMs);
    if (gapMs > 0) this.#listener.onUnderrun(gapMs, 'clock');
  }

  /** What the carrier has too much of, it has not played: its marks are overdue for a reason. */
  #reckonBehind(nowMs: number): void {
    const { oldest } = this.#marks;
    if (oldest === null || !this.#carrier.clock.isBehind(oldest, this.#sent, nowMs)) return;
    this.#heard = Math.max(this.#heardByMark, this.#carrier.clock.positionAt(nowMs));
  }

  /** Silence before a turn, so that the carrier holds a cushion against the line's jitter from the first packet on. */
  #pad(port: PlayoutPort, from: number, nowMs: number): number {
    const readyMs = (this.#queue.end - from) / this.#samplesPerMs;
    const unitMs = this.#limits.exactFrameMs ?? TICK_MS;
    const padMs = Math.ceil(Math.max(0, this.#cushionMs - readyMs) / unitMs) * unitMs;
    let paddedMs = 0;
    while (paddedMs < padMs) {
      const ms = Math.min(padMs - paddedMs, this.#limits.exactFrameMs ?? this.#limits.packetMs);
      const bytes = ms * this.#samplesPerMs * this.#codec.bytesPerSample;
      if (!port.audio(new Uint8Array(bytes).fill(this.#codec.silence))) break;
      this.#carrier.padded(ms, nowMs);
      paddedMs += ms;
    }
    return paddedMs;
  }

  #mark(port: PlayoutPort): void {
    if (!this.#limits.supportsMarks || this.#marks.isFull) return;
    if (!port.mark(this.#marks.nextName())) return;
    this.#marks.sent(this.#sent);
    this.#marksSent += 1;
    this.#markedTo = this.#sent;
  }

  /** Writes `clear` where anything may be unplayed, and begins a generation. @returns the position heard */
  #clearCarrier(nowMs: number): number {
    const sentTo = this.#sent;
    const { run } = this.#carrier.clock;
    const { generation } = this;
    const heard = this.#rewind(nowMs);
    // Before `clear` is written: the marks that it returns must not count as played, however soon they are here.
    const pending = this.#newGeneration(nowMs);
    const zeroMs = this.#carrierTime.zeroMs(run);
    this.#cut = new CutAccount({
      generation,
      pending,
      run,
      zeroMs,
      heardTo: heard,
      sentTo,
      manners: this.#limits,
    });
    if (this.#port?.clear()) this.#clearsOpen += 1;
    return heard;
  }

  /** It is known where a stop has cut. While it is open whether playing goes on, it will do so from there. */
  #goBackToCut(cut: CutAccount): void {
    if (!this.#paused) return;
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

  /** @returns the marks of the last one that have not come back */
  #newGeneration(nowMs: number): readonly PendingMark[] {
    this.#echo.cleared();
    // The carrier has nothing any more that could be too much.
    this.#flow.end(nowMs);
    this.#carrier.cleared(nowMs);
    return this.#marks.nextGeneration();
  }

  #heardNow(nowMs: number): number {
    if (this.#paused) return this.#sent;
    const position = Math.min(this.#sent, Math.max(this.#carrier.clock.positionAt(nowMs), this.#heardByMark));
    if (position > this.#heard) this.#heard = position;
    return this.#heard;
  }

  #checkDrained(nowMs: number): void {
    if (this.#turnOpen || this.#sent < this.#queue.end || this.#paused) return;
    const byMark = this.#heardByMark >= this.#sent;
    if (!byMark && this.#port !== null && this.#markedTo < this.#sent) this.#mark(this.#port);
    const slackMs = this.#limits.supportsMarks ? DRAIN_SLACK_MS : 300;
    if (!byMark && nowMs < this.#carrier.clock.endMs + slackMs) return;
    this.#watchingDrain = false;
    this.#listener.onDrained();
  }
}
