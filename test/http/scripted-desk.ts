/** A desk that does what the test says and remembers what it was asked. */
import type {
  Admission,
  CallDesk,
  CallSummary,
  DialAsk,
  DialOutcome,
  StreamClaim,
  StreamSink,
  StreamSocket,
} from '../../src/call/desk.ts';
import type { EndReason } from '../../src/call/end-reason.ts';
import type { AfterStream, CarrierAdapter, IncomingCall } from '../../src/carriers/carrier.ts';

export interface SeenStream {
  readonly token: string;
  readonly socket: StreamSocket;
  readonly messages: { data: Buffer; isBinary: boolean }[];
  /** Settles when the sink hears of the end. */
  readonly closed: Promise<{ code: number; detail: string }>;
  closes: number;
}

export class ScriptedDesk implements CallDesk {
  readonly admitted: IncomingCall[] = [];
  readonly said: { callId: string; what: string; detail: string }[] = [];
  readonly ended: { ref: string; reason: EndReason }[] = [];
  readonly streams: SeenStream[] = [];
  readonly claimed: string[] = [];
  live: CallSummary[] = [];
  activeCalls = 0;
  pendingStreams = 0;
  capacity = 10;
  draining = false;
  drainingForMs: number | null = null;
  drainDeadlines: number[] = [];
  onAdmit: (call: IncomingCall) => Admission = (call) => this.#admit(call);
  onClaim: (token: string) => Exclude<StreamClaim, { ok: true }> | null = () => null;
  onEnd: () => void = () => {};
  onMessage: (stream: SeenStream, data: Buffer) => void = () => {};
  onAttach: (stream: SeenStream) => void = () => {};
  #waiting: ((stream: SeenStream) => void)[] = [];

  admit(_adapter: CarrierAdapter, call: IncomingCall): Admission {
    this.admitted.push(call);
    return this.onAdmit(call);
  }

  claimStream(_adapter: CarrierAdapter, token: string): StreamClaim {
    this.claimed.push(token);
    return this.onClaim(token) ?? { ok: true, ref: 'ref-1', attach: (socket) => this.#attach(token, socket) };
  }

  /** What the desk would go back to; null: nothing. */
  back: { call: IncomingCall; streamPath: string } | null = null;

  /** What the transfers that ended had come to, as the desk was told. */
  readonly outcomes: ('answered' | 'unanswered' | null)[] = [];
  plan: AfterStream = { kind: 'hangup' };

  afterStream(
    _adapter: CarrierAdapter,
    _callId: string,
    outcome: 'answered' | 'unanswered' | null,
  ): ReturnType<CallDesk['afterStream']> {
    this.outcomes.push(outcome);
    return this.back === null ? this.plan : { kind: 'stream', ...this.back };
  }

  carrierSays(_adapter: CarrierAdapter, callId: string, what: string, detail: string): void {
    this.said.push({ callId, what, detail });
  }

  readonly answered: { callId: string; by: string }[] = [];
  answeredBy(_adapter: CarrierAdapter, callId: string, by: string): void {
    this.answered.push({ callId, by });
  }

  readonly asked: DialAsk[] = [];
  outcome: DialOutcome = { ok: true, ref: 'ref-of-dial', callId: 'CA-dialled' };
  async dial(ask: DialAsk): Promise<DialOutcome> {
    this.asked.push(ask);
    return this.outcome;
  }

  summaries(): readonly CallSummary[] {
    return this.live;
  }

  end(ref: string, reason: EndReason): boolean {
    this.ended.push({ ref, reason });
    this.onEnd();
    return this.live.some((call) => call.ref === ref);
  }

  beginDrain(): void {
    this.draining = true;
    this.drainingForMs ??= 0;
  }

  async drained(deadlineMs: number): Promise<void> {
    this.drainDeadlines.push(deadlineMs);
  }

  /** The next stream that is attached. */
  nextStream(): Promise<SeenStream> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #admit(call: IncomingCall): Admission {
    const ref = `ref-${call.callId}`;
    const repeated = this.live.some((summary) => summary.ref === ref);
    if (!repeated) {
      this.live.push({ ref, carrier: call.carrier, bot: 'b', state: 'greeting', durationMs: 0 });
    }
    // Another path each time, so that an answer given again can be told from one written again.
    return { kind: 'admitted', ref, streamPath: `/twilio/media/t${this.admitted.length}`, repeated };
  }

  #attach(token: string, socket: StreamSocket): StreamSink {
    const { promise, resolve } = Promise.withResolvers<{ code: number; detail: string }>();
    const stream: SeenStream = { token, socket, messages: [], closed: promise, closes: 0 };
    this.streams.push(stream);
    for (const waiting of this.#waiting.splice(0)) waiting(stream);
    this.onAttach(stream);
    return {
      onMessage: (data, isBinary) => {
        stream.messages.push({ data, isBinary });
        this.onMessage(stream, data);
      },
      onClose: (code, detail) => {
        stream.closes += 1;
        resolve({ code, detail });
      },
    };
  }
}
