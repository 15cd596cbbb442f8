/**
 * The model's turn: thinks, speaks in paced chunks, calls functions, waits for the assumed playback, and is broken off.
 * One at a time; what comes meanwhile is queued by the session.
 */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import { clipMs } from '../clip.ts';
import type { ModelPlan, PlannedCall, Reply } from '../scenario.ts';
import type { Agenda } from './agenda.ts';
import { type AudioChunk, dueOffsetsMs } from './chunks.ts';
import { disguise, merge } from './faults/disguise.ts';
import { afterStall, chunksUntil, NO_EFFECTS, type TurnEffects } from './faults/turn-effects.ts';
import type { CallEffects, ToolCalls } from './tool-calls.ts';
import { fragmentsOf, outputTranscription } from './transcripts.ts';

/** `playing`: all was generated, and the client is assumed to be playing the rest. */
export type TurnPhase = 'idle' | 'thinking' | 'speaking' | 'waiting' | 'playing';

export interface TurnContext {
  readonly plan: ModelPlan;
  readonly behaviours: BehaviourValues;
  readonly agenda: Agenda;
  readonly tools: ToolCalls;
  readonly random: () => number;
  readonly wantsTranscript: boolean;
  /** How the setup declared a function; undefined when it did not. */
  behaviorOf(name: string): 'BLOCKING' | 'NON_BLOCKING' | undefined;
  chunksOf(reply: Reply, effects: TurnEffects): readonly AudioChunk[];
  send(message: object, nowMs: number): void;
  /** A chunk as it goes out, with what it costs where that is reported. */
  chunkMessage(chunk: AudioChunk): object;
  /** `turnComplete` with all that comes with it. */
  turnCompleteMessage(audioMs: number): object;
  onUndeclared(name: string, nowMs: number): void;
  /** Functions are about to be called; what faults do to that. */
  onCalls(nowMs: number): CallEffects;
  /** The turn is over: it was completed, or broken off. */
  onIdle(nowMs: number): void;
}

type Step =
  | { readonly kind: 'say'; readonly reply: Reply }
  | { readonly kind: 'calls'; readonly calls: readonly PlannedCall[] };

/** From a blocking call's response to what follows it. */
const AFTER_TOOL_MS = 300;
/** Between messages that belong together but are seen to arrive apart. */
const SPACING_MS = 10;

export class Turn {
  readonly #context: TurnContext;
  #phase: TurnPhase = 'idle';
  #effects: TurnEffects = NO_EFFECTS;
  #steps: Step[] = [];
  #unsent: AudioChunk[] = [];
  #lateFragments: string[] = [];
  #generationCompleteSent = false;
  #audioUntilMs = 0;
  #audioMs = 0;
  /** The next turn's first message comes after the last one's trailing messages. */
  #freeAtMs = 0;

  constructor(context: TurnContext) {
    this.#context = context;
  }

  get phase(): TurnPhase {
    return this.#phase;
  }

  get unsent(): readonly AudioChunk[] {
    return this.#unsent;
  }

  /**
   * Starts to answer. When the time for it has come `effects` is asked how it goes wrong, and `onStart` is told when the
   * answer has begun and can no longer be taken back unheard.
   */
  begin(
    reply: Reply,
    delayMs: number,
    nowMs: number,
    hooks: { effects(nowMs: number): TurnEffects; onStart(nowMs: number): void },
  ): number {
    const { agenda } = this.#context;
    const startMs = Math.max(nowMs + delayMs, this.#freeAtMs);
    this.#reset('thinking');
    agenda.at(startMs, 'turn', (readyMs) => {
      const effects = hooks.effects(readyMs);
      this.#effects = effects;
      this.#steps = effects.empty ? [] : stepsOf(reply);
      agenda.at(readyMs + effects.delayMs, 'turn', (startedMs) => {
        hooks.onStart(startedMs);
        this.#next(startedMs);
      });
    });
    return startMs;
  }

  /** Goes on with audio that a cut connection did not get. */
  continueWith(chunks: readonly AudioChunk[], nowMs: number): void {
    this.#reset('speaking');
    this.#schedule(chunks, nowMs);
  }

  /** All blocking calls were answered: the turn goes on, with what their responses made the model say. */
  resume(followUps: readonly Reply[], nowMs: number): void {
    if (this.#phase !== 'waiting') return;
    this.#steps.unshift(...followUps.map((reply): Step => ({ kind: 'say', reply })));
    this.#phase = 'speaking';
    this.#context.agenda.at(nowMs + AFTER_TOOL_MS, 'turn', (dueMs) => this.#next(dueMs));
  }

  /** Breaks the turn off: `interrupted`, perhaps stale audio, `turnComplete`; never `generationComplete`. */
  interrupt(nowMs: number): void {
    if (this.#phase === 'idle') return;
    const { agenda, behaviours, plan, tools } = this.#context;
    const wasPlaying = this.#phase === 'playing';
    agenda.callOff('turn');
    agenda.callOff('output-transcript');
    let atMs = nowMs;
    const later = (message: () => object): void => {
      agenda.at(atMs, 'trailing', (dueMs) => this.#context.send(message(), dueMs));
      atMs += SPACING_MS;
    };
    const audioMs = this.#audioMs;
    const complete = (): void => later(() => this.#context.turnCompleteMessage(audioMs));

    const stale = this.#unsent.splice(0);
    const completeFirst = wasPlaying && behaviours.interruptedMayFollowTurnComplete;
    if (completeFirst) complete();
    const shared = behaviours.interruptedSharesMessage ? stale.shift() : undefined;
    const modelTurn = shared === undefined ? {} : { modelTurn: { parts: [shared.part] } };
    later(() => ({ serverContent: { ...modelTurn, interrupted: true } }));
    const staleCount = plan.staleChunksAfterInterrupt ?? behaviours.staleChunksAfterInterrupt;
    for (const chunk of stale.slice(0, staleCount)) {
      agenda.at(atMs, 'trailing', (dueMs) => this.#context.send(this.#context.chunkMessage(chunk), dueMs));
      atMs += SPACING_MS;
    }
    const cancelled = tools.cancelBlocking();
    if (cancelled.length > 0) later(() => ({ toolCallCancellation: { ids: cancelled } }));
    if (!completeFirst && behaviours.turnCompleteFollowsInterrupted) complete();
    this.#end(atMs);
  }

  /** A fault: `interrupted` out of nowhere. Told to stop, the turn ends without another word. */
  interruptFalsely(stops: boolean, withAudio: boolean, nowMs: number): void {
    const chunk = withAudio ? this.#unsent.shift() : undefined;
    if (chunk !== undefined) this.#countAudio(chunk, nowMs);
    const modelTurn = chunk === undefined ? {} : { modelTurn: { parts: [chunk.part] } };
    this.#context.send({ serverContent: { ...modelTurn, interrupted: true } }, nowMs);
    if (!stops || this.#phase === 'idle') return;
    this.#context.agenda.callOff('turn');
    this.#context.agenda.callOff('output-transcript');
    this.#unsent = [];
    this.#over(nowMs);
  }

  #send(message: object, nowMs: number): void {
    for (const sent of disguise(message, this.#effects)) this.#context.send(sent, nowMs);
  }

  #reset(phase: TurnPhase): void {
    this.#phase = phase;
    this.#effects = NO_EFFECTS;
    this.#steps = [];
    this.#unsent = [];
    this.#lateFragments = [];
    this.#generationCompleteSent = false;
    this.#audioUntilMs = 0;
    this.#audioMs = 0;
  }

  #next(nowMs: number): void {
    const step = this.#steps.shift();
    if (step === undefined) this.#finish(nowMs);
    else if (step.kind === 'say') this.#say(step.reply, nowMs);
    else this.#call(step.calls, nowMs);
  }

  #say(reply: Reply, nowMs: number): void {
    this.#phase = 'speaking';
    const { cutAfterMs, merged } = this.#effects;
    const chunks = chunksUntil(this.#context.chunksOf(reply, this.#effects), cutAfterMs);
    const lengthMs = reply.clip === null ? 0 : clipMs(reply.clip);
    const share = cutAfterMs === null ? 1 : Math.min(1, cutAfterMs / Math.max(1, lengthMs));
    if (cutAfterMs !== null) this.#steps = [];
    const { random, wantsTranscript } = this.#context;
    const all = wantsTranscript && reply.text !== '' ? fragmentsOf(reply.text, random) : [];
    const fragments = all.slice(0, Math.ceil(all.length * share));
    if (merged && chunks.length > 0) this.#scheduleMerged(chunks, fragments.join(''), nowMs);
    else {
      this.#transcribe(fragments, lengthMs * share, nowMs);
      this.#schedule(chunks, nowMs);
    }
  }

  #schedule(chunks: readonly AudioChunk[], nowMs: number): void {
    const { agenda } = this.#context;
    const offsets = this.#offsetsOf(chunks);
    this.#unsent = [...chunks];
    for (const [index, chunk] of chunks.entries()) {
      agenda.at(nowMs + offsets[index]!, 'turn', (dueMs) => {
        // It may have gone out with a false `interrupted`.
        if (this.#unsent[0] !== chunk) return;
        this.#unsent.shift();
        this.#countAudio(chunk, dueMs);
        this.#send(this.#context.chunkMessage(chunk), dueMs);
      });
    }
    const lastMs = nowMs + (offsets.at(-1) ?? 0) + (chunks.length > 0 ? SPACING_MS : 0);
    agenda.at(lastMs, 'turn', (dueMs) => this.#next(dueMs));
  }

  /** A fault: the whole transcript with the first chunk, and the ends of the turn with the last. */
  #scheduleMerged(chunks: readonly AudioChunk[], text: string, nowMs: number): void {
    const offsets = this.#offsetsOf(chunks);
    this.#unsent = [...chunks];
    for (const [index, chunk] of chunks.entries()) {
      this.#context.agenda.at(nowMs + offsets[index]!, 'turn', (dueMs) => {
        // It may have gone out with a false `interrupted`.
        const isUnsent = this.#unsent[0] === chunk;
        if (isUnsent) {
          this.#unsent.shift();
          this.#countAudio(chunk, dueMs);
        }
        let message = isUnsent ? this.#context.chunkMessage(chunk) : { serverContent: {} };
        if (index === 0 && text !== '') message = merge(message, outputTranscription(text));
        const ends = index === chunks.length - 1 && this.#steps.length === 0;
        if (ends) {
          this.#generationCompleteSent = true;
          message = merge(message, { serverContent: { generationComplete: true } });
          message = merge(message, this.#context.turnCompleteMessage(this.#audioMs));
        }
        this.#send(message, dueMs);
        if (ends) this.#over(dueMs);
        else if (index === chunks.length - 1) this.#next(dueMs);
      });
    }
  }

  #offsetsOf(chunks: readonly AudioChunk[]): number[] {
    const offsets = dueOffsetsMs(chunks, this.#effects.pace ?? this.#context.plan.pace);
    return offsets.map((offsetMs) => afterStall(offsetMs, this.#effects));
  }

  #countAudio(chunk: AudioChunk, nowMs: number): void {
    this.#audioMs += chunk.durationMs;
    this.#audioUntilMs = Math.max(this.#audioUntilMs, nowMs) + chunk.durationMs;
  }

  /** Text runs ahead of its audio or behind it, in the time in which the audio is sent; or half of it comes too late. */
  #transcribe(fragments: readonly string[], lengthMs: number, nowMs: number): void {
    const { agenda, behaviours, plan } = this.#context;
    const order = behaviours.outputTranscriptOrder;
    const inTime = order === 'after-turn' ? Math.floor(fragments.length / 2) : fragments.length;
    this.#lateFragments.push(...fragments.slice(inTime));
    const factor =
      plan.pace === 'burst' ? Number.POSITIVE_INFINITY : plan.pace === 'realtime' ? 1 : plan.pace;
    const spreadMs = lengthMs / factor;
    const [stretch, shiftMs] = order === 'trails-audio' ? [1, 250] : [0.7, 0];
    for (const [index, fragment] of fragments.slice(0, inTime).entries()) {
      const offsetMs = shiftMs + (spreadMs * stretch * index) / fragments.length;
      agenda.at(nowMs + afterStall(offsetMs, this.#effects), 'output-transcript', (atMs) =>
        this.#send(outputTranscription(fragment), atMs),
      );
    }
  }

  #call(planned: readonly PlannedCall[], nowMs: number): void {
    const { behaviours, tools, random } = this.#context;
    const calls = [];
    for (const call of planned) {
      const behavior = this.#context.behaviorOf(call.name);
      // A model knows only the functions that it was told of.
      if (behavior === undefined) this.#context.onUndeclared(call.name, nowMs);
      else calls.push({ ...call, blocking: behavior === 'BLOCKING' });
    }
    if (calls.length > 0) this.#send(tools.open(calls, random, this.#context.onCalls(nowMs)), nowMs);
    if (!calls.some((call) => call.blocking)) {
      this.#next(nowMs);
      return;
    }
    this.#phase = 'waiting';
    if (behaviours.generationCompleteAfterToolCall) this.#sendGenerationComplete(nowMs);
  }

  #sendGenerationComplete(nowMs: number): void {
    if (this.#generationCompleteSent) return;
    this.#generationCompleteSent = true;
    this.#send({ serverContent: { generationComplete: true } }, nowMs);
  }

  #finish(nowMs: number): void {
    this.#sendGenerationComplete(nowMs);
    this.#phase = 'playing';
    const waits = this.#context.behaviours.turnCompleteWaitsForPlayback;
    const doneMs = waits ? Math.max(nowMs + SPACING_MS, this.#audioUntilMs) : nowMs + SPACING_MS;
    const { turnCompleteLateByMs } = this.#effects;
    const isSent = Number.isFinite(turnCompleteLateByMs);
    this.#context.agenda.at(doneMs + (isSent ? turnCompleteLateByMs : 0), 'turn', (dueMs) => {
      const message = this.#context.turnCompleteMessage(this.#audioMs);
      if (isSent) this.#send(message, dueMs);
      this.#over(dueMs);
    });
  }

  #over(nowMs: number): void {
    this.#end(nowMs + SPACING_MS);
    this.#context.onIdle(nowMs);
  }

  #end(freeAtMs: number): void {
    this.#phase = 'idle';
    this.#freeAtMs = freeAtMs;
    for (const fragment of this.#lateFragments.splice(0)) {
      this.#context.agenda.at(freeAtMs, 'trailing', (dueMs) =>
        this.#context.send(outputTranscription(fragment), dueMs),
      );
    }
  }
}

function stepsOf(reply: Reply): Step[] {
  const before = reply.calls.filter((call) => call.when === 'before');
  const after = reply.calls.filter((call) => call.when === 'after');
  return [
    ...(before.length > 0 ? [{ kind: 'calls', calls: before } as const] : []),
    ...(reply.clip !== null || reply.text !== '' ? [{ kind: 'say', reply } as const] : []),
    ...(after.length > 0 ? [{ kind: 'calls', calls: after } as const] : []),
  ];
}
