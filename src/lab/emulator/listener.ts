/** Turns what arrives into "the caller began" and "the caller ended", by detection or by the client's own signals. */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { Agenda } from './agenda.ts';
import { EnergyVad, VAD_SAMPLE_RATE, type VadEvent, type VadOptions } from './vad.ts';

const MS_PER_SAMPLE = 1000 / VAD_SAMPLE_RATE;

export interface ListenerContext {
  readonly behaviours: BehaviourValues;
  readonly agenda: Agenda;
  /** `onsetMs`: when the speech began, which is before it was recognised. */
  onStart(onsetMs: number, nowMs: number): void;
  onEnd(nowMs: number): void;
}

export class Listener {
  readonly #context: ListenerContext;
  readonly #vad: EnergyVad | null;
  /** What ends an utterance; 0 when the client marks the end. */
  readonly silenceDurationMs: number;
  #active = false;
  #samples = 0;
  /** Until when audio that came too fast keeps the server busy, where it listens in real time. */
  #heardUntilMs = 0;

  /** @param vad null: the client marks activity itself */
  constructor(vad: VadOptions | null, context: ListenerContext) {
    this.#context = context;
    this.#vad = vad === null ? null : new EnergyVad(vad);
    this.silenceDurationMs = vad?.silenceDurationMs ?? 0;
  }

  get manual(): boolean {
    return this.#vad === null;
  }

  get active(): boolean {
    return this.#active;
  }

  /** Takes up an utterance that began on the connection before. */
  continueUtterance(): void {
    this.#active = true;
    this.#vad?.assumeSpeech();
  }

  /** 16 kHz samples as they arrive. Without a marked activity a manual session does not hear them. */
  hear(samples: Int16Array, nowMs: number): void {
    if (this.#vad === null) return;
    const { behaviours, agenda } = this.#context;
    const fromMs =
      behaviours.burstInputClock === 'arrival-time' ? Math.max(nowMs, this.#heardUntilMs) : nowMs;
    const before = this.#samples;
    this.#samples += samples.length;
    this.#heardUntilMs = fromMs + samples.length * MS_PER_SAMPLE;
    for (const event of this.#vad.push(samples)) {
      // A message is heard when it has come; only a backlog is worked off sample by sample.
      const waitMs = fromMs > nowMs ? (event.knownAtSample - before) * MS_PER_SAMPLE : 0;
      const atMs = fromMs + waitMs;
      if (atMs <= nowMs) this.#act(event, nowMs);
      else agenda.at(atMs, 'hearing', (dueMs) => this.#act(event, dueMs));
    }
    if (behaviours.gapCountsAsSilence) this.#watchGap(nowMs);
  }

  /** `audioStreamEnd`: the open utterance is over, where the family takes it so. */
  endStream(nowMs: number): void {
    if (!this.#context.behaviours.audioStreamEndEndsTurn) return;
    if (this.#vad?.endNow() !== null) this.#end(nowMs);
  }

  /** `activityStart` and `activityEnd` of a manual session; a doubled one changes nothing. */
  mark(kind: 'start' | 'end', nowMs: number): void {
    if (kind === 'start' && !this.#active) this.#start(nowMs, nowMs);
    if (kind === 'end' && this.#active) this.#end(nowMs);
  }

  #act(event: VadEvent, nowMs: number): void {
    if (event.kind === 'start') {
      this.#start(nowMs - (event.knownAtSample - event.atSample) * MS_PER_SAMPLE, nowMs);
    } else this.#end(nowMs);
  }

  #start(onsetMs: number, nowMs: number): void {
    this.#active = true;
    this.#context.onStart(onsetMs, nowMs);
  }

  #end(nowMs: number): void {
    this.#active = false;
    this.#context.onEnd(nowMs);
  }

  #watchGap(nowMs: number): void {
    this.#context.agenda.callOff('gap');
    if (!this.#active) return;
    this.#context.agenda.at(nowMs + this.silenceDurationMs, 'gap', (dueMs) => {
      if (this.#active && this.#vad?.endNow() !== null) this.#end(dueMs);
    });
  }
}
