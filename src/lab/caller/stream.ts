/**
 * The carrier's end of a call's audio: speaks the caller's recording in real time, plays what comes back, and keeps its
 * own account of everything. Knows neither sockets nor webhooks, nor what messages look like. A call may have several
 * streams, one after the other: while there is none the recording waits, and the line is silent.
 */
import type { Clock, Timer } from '../../clock.ts';
import type { CallRun, ClearAccount, MarkAccount, ReceivedAudio, TimelineEntry } from './call-run.ts';
import { Ear } from './ear.ts';
import { FRAME_MS } from './line-format.ts';
import { type MarkEcho, PlayoutBuffer } from './playout-buffer.ts';
import type { OpenProtocol, StreamHost, StreamProtocol } from './protocol.ts';
import { SampleStore } from './sample-store.ts';

/** The gateway is under test here, not trusted: accounts stop growing at these sizes. */
const MAX_MESSAGES_KEPT = 200_000;
const MAX_REASONS_KEPT = 10;
const MAX_EVENT_NAMES = 100;

export interface DtmfPress {
  readonly atMs: number;
  readonly digit: string;
}

export interface StreamParts {
  readonly clock: Clock;
  readonly open: OpenProtocol;
  /** At the rate of the protocol's `sent`. After its end the line is silent. */
  readonly caller: Int16Array;
  readonly dtmf: readonly DtmfPress[];
  /** `frame` is the number of the caller's 20 ms frame in it, or null. */
  readonly send: (message: string | Buffer, frame: number | null) => void;
  readonly onTimeline: (entry: TimelineEntry) => void;
  /** Called once, with the caller's last frame. */
  readonly onCallerDone: () => void;
  readonly control?: Pick<StreamHost, 'hangUp' | 'leave' | 'drop'>;
}

export type StreamAccount = Pick<
  CallRun,
  | 'originMs'
  | 'durationMs'
  | 'sampleRate'
  | 'sentRate'
  | 'sent'
  | 'frameWrittenMs'
  | 'heard'
  | 'received'
  | 'runs'
  | 'generations'
  | 'clears'
  | 'unplayed'
  | 'marks'
  | 'dtmf'
  | 'messagesSent'
  | 'messagesReceived'
  | 'invalidMessages'
>;

export class CallerStream {
  readonly #parts: StreamParts;
  readonly #originMs: number;
  #protocol: StreamProtocol;
  readonly #playout: PlayoutBuffer;
  readonly #ear: Ear;
  readonly #sent = new SampleStore();
  readonly #frameWrittenMs: number[] = [];
  readonly #received: ReceivedAudio[] = [];
  readonly #clears: ClearAccount[] = [];
  readonly #marks: MarkAccount[] = [];
  #pendingMarks: MarkAccount[] = [];
  readonly #pressed: DtmfPress[] = [];
  readonly #waitingDtmf: DtmfPress[];
  readonly #messagesSent = new Map<string, number>();
  readonly #messagesReceived = new Map<string, number>();
  readonly #invalid: string[] = [];
  #unplayed = new Int16Array(0);
  #nextFrame = 0;
  /** Frames of the recording that were spoken: fewer than `#nextFrame` after a time without a stream. */
  #spokenFrames = 0;
  /** On a stream at present. */
  #attached = true;
  #timer: Timer | null = null;
  #endedAtMs: number | null = null;

  /** The stream starts now: what the carrier says first is sent from here. */
  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#originMs = parts.clock.now();
    this.#waitingDtmf = [...parts.dtmf].sort((a, b) => a.atMs - b.atMs);
    this.#protocol = parts.open(this.#createHost());
    const { playout } = this.#protocol;
    this.#ear = new Ear(playout.format);
    this.#playout = new PlayoutBuffer(
      0,
      {
        onFrame: (payload) => this.#ear.hear(payload),
        onMark: (name, how, atMs) => this.#echoMark(name, how, atMs),
      },
      playout,
    );
    this.#protocol.start();
    this.#arm();
  }

  /** Milliseconds since the stream's start. */
  elapsedMs(): number {
    return this.#parts.clock.now() - this.#originMs;
  }

  /** A frame has left the simulated network and was written to the socket. */
  frameWritten(frame: number): void {
    this.#frameWrittenMs[frame] = this.elapsedMs();
  }

  receive(data: Buffer, isBinary: boolean): void {
    if (this.#endedAtMs !== null || !this.#attached) return;
    this.#playout.advance(this.elapsedMs());
    this.#protocol.receive(data, isBinary);
  }

  /** The stream is over and the call is not; with `say` the carrier says so. What was queued is not played any more. */
  detach(say: boolean): void {
    if (!this.#attached || this.#endedAtMs !== null) return;
    const nowMs = this.elapsedMs();
    this.#playout.advance(nowMs);
    if (say) this.#protocol.stop();
    this.#attached = false;
    this.#pendingMarks = [];
    this.#keepUnplayed();
  }

  /** Another stream of the same call, of the same formats. */
  attach(open: OpenProtocol): void {
    if (this.#attached || this.#endedAtMs !== null) return;
    this.#work();
    this.#attached = true;
    this.#protocol = open(this.#createHost());
    this.#protocol.start();
  }

  /** Stops the clockwork; with `say`, the carrier says that the call is over. Idempotent. */
  end(say: boolean): void {
    if (this.#endedAtMs !== null) return;
    const nowMs = this.elapsedMs();
    this.#playout.advance(nowMs);
    this.#endedAtMs = nowMs;
    this.#timer?.cancel();
    this.#timer = null;
    if (say && this.#attached) this.#protocol.stop();
    this.#keepUnplayed();
  }

  account(): StreamAccount {
    const { sampleRate } = this.#protocol.playout.format;
    const sentRate = this.#protocol.sent.sampleRate;
    return {
      originMs: this.#originMs,
      durationMs: this.#endedAtMs ?? this.elapsedMs(),
      sampleRate,
      ...(sentRate === sampleRate ? {} : { sentRate }),
      sent: this.#sent.view(),
      frameWrittenMs: this.#frameWrittenMs,
      heard: this.#ear.samples(),
      received: this.#received,
      runs: this.#playout.runs,
      generations: this.#playout.accounts,
      clears: this.#clears,
      unplayed: this.#unplayed,
      marks: this.#marks,
      dtmf: this.#pressed,
      messagesSent: Object.fromEntries(this.#messagesSent),
      messagesReceived: Object.fromEntries(this.#messagesReceived),
      invalidMessages: this.#invalid,
    };
  }

  #createHost(): StreamHost {
    const playout = (): PlayoutBuffer => this.#playout;
    return {
      nowMs: () => this.elapsedMs(),
      send: (event, message, frame = -1) => {
        countIn(this.#messagesSent, event);
        this.#parts.send(message, frame < 0 ? null : frame);
      },
      count: (event) => countIn(this.#messagesReceived, event),
      invalid: (why) => {
        countIn(this.#messagesReceived, 'invalid');
        if (this.#invalid.length < MAX_REASONS_KEPT) this.#invalid.push(why);
      },
      play: (payload) => this.#takeAudio(payload),
      mark: (name) => this.#takeMark(name, true),
      notice: (name) => this.#takeMark(name, false),
      clear: () => this.#takeClear(),
      pause: (paused) => this.#playout.pause(paused, this.elapsedMs()),
      get queuedMs() {
        return playout().queuedMs;
      },
      get pendingMarks() {
        return playout().pendingMarks;
      },
      digits: (digits) => {
        countIn(this.#messagesReceived, 'dtmf');
        this.#note(this.elapsedMs(), 'dtmf-out', digits.slice(0, 64));
      },
      hangUp: (detail) => this.#parts.control?.hangUp(detail),
      leave: (detail) => this.#parts.control?.leave(detail),
      drop: (detail) => this.#parts.control?.drop(detail),
    };
  }

  /** Absolute deadlines: a frame that left late does not make the next one late. */
  #arm(): void {
    const dueMs = this.#originMs + (this.#nextFrame + 1) * FRAME_MS;
    this.#timer = this.#parts.clock.setTimer(Math.max(0, dueMs - this.#parts.clock.now()), () => {
      this.#work();
      if (this.#endedAtMs === null) this.#arm();
    });
  }

  #work(): void {
    const nowMs = this.elapsedMs();
    this.#playout.advance(nowMs);
    if (this.#attached) this.#protocol.tick();
    // A frame is complete, and can be sent, when its last sample has been spoken.
    while (this.#endedAtMs === null && (this.#nextFrame + 1) * FRAME_MS <= nowMs) this.#speakFrame();
  }

  #speakFrame(): void {
    const { caller } = this.#parts;
    const format = this.#protocol.sent;
    const { frameSamples } = format;
    const number = this.#nextFrame;
    const startMs = number * FRAME_MS;
    this.#nextFrame += 1;
    if (!this.#attached) {
      this.#sent.append(new Int16Array(frameSamples));
      return;
    }
    while (this.#waitingDtmf[0] !== undefined && this.#waitingDtmf[0].atMs < startMs + FRAME_MS) {
      this.#press(this.#waitingDtmf.shift()!.digit, startMs);
    }
    const from = this.#spokenFrames * frameSamples;
    this.#spokenFrames += 1;
    const samples = new Int16Array(frameSamples);
    samples.set(caller.subarray(from, from + frameSamples));
    const payload = format.encode(samples);
    this.#sent.append(format.decode(payload));
    this.#protocol.media({ number, startMs, payload });
    if (this.#spokenFrames === Math.ceil(caller.length / frameSamples)) this.#parts.onCallerDone();
  }

  #press(digit: string, atMs: number): void {
    this.#pressed.push({ atMs, digit });
    this.#protocol.dtmf(digit);
    this.#note(atMs, 'dtmf', digit);
  }

  #takeAudio(payload: Buffer): void {
    const nowMs = this.elapsedMs();
    const { format } = this.#protocol.playout;
    const generation = this.#playout.generation;
    countIn(this.#messagesReceived, 'media');
    if (this.#playout.accounts[generation]!.firstArrivalMs === null) {
      this.#note(nowMs, 'audio', `generation ${generation} begins to arrive`);
    }
    if (this.#received.length < MAX_MESSAGES_KEPT) {
      const audible = format.isAudible(payload);
      this.#received.push({ atMs: nowMs, generation, bytes: payload.length, audible });
    }
    if (!this.#playout.push(payload, nowMs))
      this.#note(nowMs, 'overflow', `${payload.length} bytes are lost`);
  }

  #takeMark(name: string, isMark: boolean): void {
    const nowMs = this.elapsedMs();
    const mark: MarkAccount = { name, receivedAtMs: nowMs, echoedAtMs: null, how: null };
    if (isMark) {
      countIn(this.#messagesReceived, 'mark');
      if (this.#marks.length < MAX_MESSAGES_KEPT) this.#marks.push(mark);
    }
    this.#pendingMarks.push(mark);
    this.#playout.mark(name, nowMs);
  }

  #takeClear(): void {
    const nowMs = this.elapsedMs();
    countIn(this.#messagesReceived, 'clear');
    const generation = this.#playout.generation;
    const neverHeard = this.#decode(this.#playout.clear(nowMs));
    if (this.#clears.length < MAX_MESSAGES_KEPT) this.#clears.push({ atMs: nowMs, generation, neverHeard });
    const queuedMs = (neverHeard.length * 1_000) / this.#protocol.playout.format.sampleRate;
    this.#note(nowMs, 'clear', `${Math.round(queuedMs)} ms were queued`);
    this.#protocol.cleared();
  }

  #keepUnplayed(): void {
    const rest = this.#decode(this.#playout.takeQueued());
    const all = new Int16Array(this.#unplayed.length + rest.length);
    all.set(this.#unplayed);
    all.set(rest, this.#unplayed.length);
    this.#unplayed = all;
  }

  #echoMark(name: string, how: MarkEcho, atMs: number): void {
    const index = this.#pendingMarks.findIndex((pending) => pending.name === name);
    const [mark] = index < 0 ? [] : this.#pendingMarks.splice(index, 1);
    if (mark !== undefined) {
      mark.echoedAtMs = atMs;
      mark.how = how;
    }
    if (this.#endedAtMs === null && this.#attached) this.#protocol.marked(name, how);
  }

  #decode(payloads: readonly Uint8Array[]): Int16Array {
    return this.#protocol.playout.format.decode(Buffer.concat(payloads));
  }

  #note(atMs: number, what: string, detail: string): void {
    this.#parts.onTimeline({ atMs, what, detail });
  }
}

function countIn(counts: Map<string, number>, event: string): void {
  // Names come from the gateway: a few are kept apart, the rest is one.
  const name = counts.has(event) || counts.size < MAX_EVENT_NAMES ? event : 'other';
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
