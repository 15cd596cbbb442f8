/**
 * The carrier's end of one media stream: speaks the caller's recording in real time, plays what comes back, and keeps
 * its own account of everything. Knows neither sockets nor webhooks; messages go in and out as text.
 */
import { PCMU } from '../../audio/g711.ts';
import type { Clock, Timer } from '../../clock.ts';
import type { CallRun, ClearAccount, MarkAccount, ReceivedAudio, TimelineEntry } from './call-run.ts';
import { Ear } from './ear.ts';
import { FRAME_BYTES, FRAME_MS, type MarkEcho, PlayoutBuffer } from './playout-buffer.ts';
import { SampleStore } from './sample-store.ts';
import {
  connectedMessage,
  dtmfMessage,
  markMessage,
  mediaMessage,
  readGatewayMessage,
  type StreamIds,
  startMessage,
  stopMessage,
} from './twilio-messages.ts';

/** The gateway is under test here, not trusted: accounts stop growing at these sizes. */
const MAX_MESSAGES_KEPT = 200_000;
const MAX_REASONS_KEPT = 10;

export interface DtmfPress {
  readonly atMs: number;
  readonly digit: string;
}

export interface StreamParts {
  readonly clock: Clock;
  readonly ids: StreamIds;
  readonly parameters: Readonly<Record<string, string>>;
  /** 8 kHz. After its end the line is silent. */
  readonly caller: Int16Array;
  readonly dtmf: readonly DtmfPress[];
  /** `frame` is the number of the caller's 20 ms frame in it, or null. */
  readonly send: (text: string, frame: number | null) => void;
  readonly onTimeline: (entry: TimelineEntry) => void;
  /** Called once, with the caller's last frame. */
  readonly onCallerDone: () => void;
}

export type StreamAccount = Pick<
  CallRun,
  | 'originMs'
  | 'durationMs'
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
  readonly #playout: PlayoutBuffer;
  readonly #ear = new Ear();
  readonly #sent = new SampleStore();
  readonly #frameWrittenMs: number[] = [];
  readonly #received: ReceivedAudio[] = [];
  readonly #clears: ClearAccount[] = [];
  readonly #marks: MarkAccount[] = [];
  readonly #pendingMarks: MarkAccount[] = [];
  readonly #pressed: DtmfPress[] = [];
  readonly #waitingDtmf: DtmfPress[];
  readonly #messagesSent: Record<string, number> = {};
  readonly #messagesReceived: Record<string, number> = {};
  readonly #invalid: string[] = [];
  #unplayed: Int16Array = new Int16Array(0);
  #sequence = 0;
  #nextFrame = 0;
  #timer: Timer | null = null;
  #endedAtMs: number | null = null;

  /** The stream starts now: `connected` and `start` are sent from here. */
  constructor(parts: StreamParts) {
    this.#parts = parts;
    this.#originMs = parts.clock.now();
    this.#waitingDtmf = [...parts.dtmf].sort((a, b) => a.atMs - b.atMs);
    this.#playout = new PlayoutBuffer(0, {
      onFrame: (payload) => this.#ear.hear(payload),
      onMark: (name, how, atMs) => this.#echoMark(name, how, atMs),
    });
    this.#send('connected', connectedMessage());
    this.#send('start', startMessage(parts.ids, this.#nextSequence(), parts.parameters));
    this.#arm();
  }

  /** Milliseconds since the stream's start. */
  elapsedMs(): number {
    return this.#parts.clock.now() - this.#originMs;
  }

  get speaking(): boolean {
    return this.#playout.queuedMs > 0;
  }

  /** A frame has left the simulated network and was written to the socket. */
  frameWritten(frame: number): void {
    this.#frameWrittenMs[frame] = this.elapsedMs();
  }

  receive(text: string): void {
    if (this.#endedAtMs !== null) return;
    const nowMs = this.elapsedMs();
    const message = readGatewayMessage(text, this.#parts.ids.streamSid);
    this.#messagesReceived[message.event] = (this.#messagesReceived[message.event] ?? 0) + 1;
    switch (message.event) {
      case 'media':
        this.#takeAudio(message.payload, nowMs);
        return;
      case 'mark':
        this.#takeMark(message.name, nowMs);
        return;
      case 'clear':
        this.#takeClear(nowMs);
        return;
      case 'invalid':
        if (this.#invalid.length < MAX_REASONS_KEPT) this.#invalid.push(message.why);
    }
  }

  /** Stops the clockwork; with `say`, `stop` is sent as a carrier does when the call ends first. Idempotent. */
  end(say: boolean): void {
    if (this.#endedAtMs !== null) return;
    const nowMs = this.elapsedMs();
    this.#playout.advance(nowMs);
    this.#endedAtMs = nowMs;
    this.#timer?.cancel();
    this.#timer = null;
    if (say) this.#send('stop', stopMessage(this.#parts.ids, this.#nextSequence()));
    this.#unplayed = decodeAll(this.#playout.takeQueued());
  }

  account(): StreamAccount {
    return {
      originMs: this.#originMs,
      durationMs: this.#endedAtMs ?? this.elapsedMs(),
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
      messagesSent: this.#messagesSent,
      messagesReceived: this.#messagesReceived,
      invalidMessages: this.#invalid,
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
    // A frame is complete, and can be sent, when its last sample has been spoken.
    while (this.#endedAtMs === null && (this.#nextFrame + 1) * FRAME_MS <= nowMs) this.#speakFrame();
  }

  #speakFrame(): void {
    const { ids, caller } = this.#parts;
    const frame = this.#nextFrame;
    const startMs = frame * FRAME_MS;
    this.#nextFrame += 1;
    while (this.#waitingDtmf[0] !== undefined && this.#waitingDtmf[0].atMs < startMs + FRAME_MS) {
      this.#press(this.#waitingDtmf.shift()!.digit, startMs);
    }
    const samples = new Int16Array(FRAME_BYTES);
    samples.set(caller.subarray(frame * FRAME_BYTES, (frame + 1) * FRAME_BYTES));
    const payload = PCMU.encode(samples);
    this.#sent.append(PCMU.decode(payload));
    const media = { chunk: frame + 1, timestampMs: startMs, payload };
    this.#send('media', mediaMessage(ids, this.#nextSequence(), media), frame);
    if (this.#nextFrame === Math.ceil(caller.length / FRAME_BYTES)) this.#parts.onCallerDone();
  }

  #press(digit: string, atMs: number): void {
    this.#pressed.push({ atMs, digit });
    this.#send('dtmf', dtmfMessage(this.#parts.ids, this.#nextSequence(), digit));
    this.#note(atMs, 'dtmf', digit);
  }

  #takeAudio(payload: Buffer, nowMs: number): void {
    const generation = this.#playout.generation;
    if (this.#playout.accounts[generation]!.firstArrivalMs === null) {
      this.#note(nowMs, 'audio', `generation ${generation} begins to arrive`);
    }
    if (this.#received.length < MAX_MESSAGES_KEPT) {
      this.#received.push({ atMs: nowMs, generation, bytes: payload.length, audible: isAudible(payload) });
    }
    this.#playout.push(payload, nowMs);
  }

  #takeMark(name: string, nowMs: number): void {
    const mark: MarkAccount = { name, receivedAtMs: nowMs, echoedAtMs: null, how: null };
    if (this.#marks.length < MAX_MESSAGES_KEPT) this.#marks.push(mark);
    this.#pendingMarks.push(mark);
    this.#playout.mark(name, nowMs);
  }

  #takeClear(nowMs: number): void {
    const generation = this.#playout.generation;
    const neverHeard = decodeAll(this.#playout.clear(nowMs));
    if (this.#clears.length < MAX_MESSAGES_KEPT) {
      this.#clears.push({ atMs: nowMs, generation, neverHeard });
    }
    this.#note(nowMs, 'clear', `${Math.round(neverHeard.length / 8)} ms were queued`);
  }

  #echoMark(name: string, how: MarkEcho, atMs: number): void {
    // Marks come back in the order in which they were set.
    const mark = this.#pendingMarks.shift();
    if (mark !== undefined) {
      mark.echoedAtMs = atMs;
      mark.how = how;
    }
    if (this.#endedAtMs === null)
      this.#send('mark', markMessage(this.#parts.ids, this.#nextSequence(), name));
  }

  #send(event: string, text: string, frame: number | null = null): void {
    this.#messagesSent[event] = (this.#messagesSent[event] ?? 0) + 1;
    this.#parts.send(text, frame);
  }

  #note(atMs: number, what: string, detail: string): void {
    this.#parts.onTimeline({ atMs, what, detail });
  }

  #nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }
}

/** Mu-law has two zeros, 0x7f and 0xff, and 0x7e and 0xfe are the next step up: still nothing that is heard. */
const isAudible = (payload: Uint8Array): boolean => payload.some((code) => (code & 0x7f) < 0x7e);

function decodeAll(payloads: readonly Uint8Array[]): Int16Array {
  return PCMU.decode(Buffer.concat(payloads));
}
