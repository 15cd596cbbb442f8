/** The conversation on one connection: what the client says and sends, in; the model's turns, out. */
import type { Reply, Scenario } from '../scenario.ts';
import type { Agenda } from './agenda.ts';
import type { ChunkStore } from './chunks.ts';
import type { ClientContent, ClientMessage, FunctionResponse, RealtimeInput } from './client-message.ts';
import { AUDIO_TOKENS_PER_MS, type Conversation, type HistoryEntry, textTokens } from './conversation.ts';
import { AnswerFaults } from './faults/answer-faults.ts';
import type { FaultOf } from './faults/catalogue.ts';
import type { SessionFaults } from './faults/session-faults.ts';
import type { HandleStore } from './handles.ts';
import { InputReader } from './input-reader.ts';
import { InputTranscript } from './input-transcript.ts';
import { capEnding, type Ending, untilCap } from './lifetime.ts';
import { Listener } from './listener.ts';
import { seededRandom } from './random.ts';
import { judgeRealtime } from './realtime-rules.ts';
import type { EmulatorRecord } from './record.ts';
import { invalid, type Refusal, refusalAs } from './refusal.ts';
import { ResumptionBeat } from './resumption-beat.ts';
import type { Stage } from './stage.ts';
import { ToolDesk } from './tool-desk.ts';
import { Turn } from './turn.ts';
import { usageMetadata } from './usage.ts';
import type { AcceptedSetup } from './validate-setup.ts';

export interface DialogueOptions {
  readonly setup: AcceptedSetup;
  readonly scenario: Scenario;
  readonly conversation: Conversation;
  readonly handles: HandleStore;
  readonly chunks: ChunkStore;
  readonly record: EmulatorRecord;
  readonly stage?: Stage | undefined;
  readonly agenda: Agenda;
  readonly faults: SessionFaults;
  send(message: object, nowMs: number): void;
  refuse(refusal: Refusal, nowMs: number): void;
  end(ending: Ending, nowMs: number): void;
}

/** What waits to be answered. An utterance's reply is looked up when its turn comes; a note waits for a quiet moment. */
type Waiting = { readonly kind: 'utterance' } | { readonly kind: 'text' | 'note'; readonly reply: Reply };

const MAX_WAITING = 8;
/** What compressing the context adds to the next answer. */
const COMPRESSION_DELAY_MS = 500;
const MS_PER_SAMPLE = 1 / 16;

export class Dialogue {
  readonly #options: DialogueOptions;
  readonly #listener: Listener;
  readonly #input: InputReader;
  readonly #transcript: InputTranscript;
  readonly #tools: ToolDesk;
  readonly #answers: AnswerFaults;
  readonly #turn: Turn;
  readonly #beat: ResumptionBeat;
  readonly #random: () => number;
  readonly #epoch: number;
  readonly #waiting: Waiting[] = [];
  #takingHistory: boolean;
  #compressed = false;
  #startedAtMs: number | null = null;
  #utteranceStartMs = 0;
  constructor(options: DialogueOptions) {
    const { setup, scenario, conversation, agenda, record } = options;
    this.#options = options;
    this.#random = seededRandom(scenario.model.seed * 7919 + conversation.id);
    this.#epoch = conversation.epoch;
    this.#takingHistory = setup.initialHistory && !record.resumed;
    this.#input = new InputReader(record);
    this.#listener = new Listener(setup.vad, {
      behaviours: setup.behaviours,
      agenda,
      onStart: (onsetMs, nowMs) => this.#onSpeechStart(onsetMs, nowMs),
      onEnd: (nowMs) => this.#onSpeechEnd(nowMs),
    });
    this.#transcript = new InputTranscript({
      wanted: setup.message.inputAudioTranscription !== undefined,
      order: setup.behaviours.inputTranscriptOrder,
      seed: scenario.model.seed,
      agenda,
      send: options.send,
    });
    this.#tools = new ToolDesk(options);
    this.#answers = new AnswerFaults(options.faults);
    this.#turn = this.#makeTurn();
    this.#beat = new ResumptionBeat({
      wanted: setup.message.sessionResumption !== undefined,
      behaviours: setup.behaviours,
      agenda,
      random: this.#random,
      busy: () => this.#turn.phase !== 'idle' || this.#hidesHandles,
      speaking: () => this.#listener.active,
      issue: (name) => options.handles.issue(conversation, setup.behaviours, name),
      send: options.send,
    });
    conversation.memory.contextTokens ||= textTokens(JSON.stringify(setup.message));
  }

  /** Setup is complete: the conversation begins, or goes on. */
  start(nowMs: number): void {
    this.#startedAtMs = nowMs;
    const { agenda, conversation, scenario, setup } = this.#options;
    if (conversation.memory.openUtterance) this.#listener.continueUtterance();
    if (conversation.undelivered.length > 0) {
      this.#turn.continueWith(conversation.undelivered, nowMs);
      conversation.undelivered = [];
    }
    this.#beat.start(nowMs);
    const capMs = untilCap(conversation.spentMs, scenario.model, setup.compression !== null);
    if (capMs !== null) {
      agenda.at(nowMs + capMs, 'lifetime', (dueMs) => this.#options.end(capEnding(setup.behaviours), dueMs));
    }
  }

  /** A checked message of the client, after setup. */
  take(message: ClientMessage, nowMs: number): void {
    if (message.kind === 'realtimeInput') this.#takeRealtime(message.value, nowMs);
    else if (message.kind === 'clientContent') this.#takeContent(message.value, nowMs);
    else if (message.kind === 'toolResponse') this.#takeResponses(message.value.functionResponses, nowMs);
  }

  /** A fault: the model says that it was interrupted, and nobody spoke. */
  interruptFalsely({ model, withAudio }: FaultOf<'phantom-interrupted'>, nowMs: number): void {
    if (model !== 'completes') this.#turn.interruptFalsely(model === 'stops', withAudio, nowMs);
    else if (this.#turn.phase !== 'idle') this.#interrupt(nowMs);
    else {
      this.#options.send({ serverContent: { interrupted: true } }, nowMs);
      this.#options.send({ serverContent: { turnComplete: true } }, nowMs);
    }
    this.#pump(nowMs);
  }

  /** The connection is over; what the session remembers stays. */
  disconnect(clean: boolean, nowMs: number): void {
    const { conversation, setup } = this.#options;
    if (conversation.epoch !== this.#epoch) return;
    conversation.undelivered = [...this.#turn.unsent];
    conversation.endedAtMs = nowMs;
    conversation.spentMs += nowMs - (this.#startedAtMs ?? nowMs);
    conversation.openUntilMs = clean ? nowMs : nowMs + setup.behaviours.oldSocketGraceMs;
  }

  /** A call waits beside the conversation, and the state is not one to return to. */
  get #hidesHandles(): boolean {
    return this.#options.setup.behaviours.handleWhileCallWaits === 'none' && this.#tools.calls.pending;
  }

  #takeRealtime(input: RealtimeInput, nowMs: number): void {
    const { record, refuse, setup } = this.#options;
    const { refusal, warning } = judgeRealtime(input, this.#listener.manual, setup.behaviours);
    if (refusal !== null) {
      refuse(refusal, nowMs);
      return;
    }
    if (warning !== null) record.note(record.warnings, { atMs: nowMs, text: warning });
    if (this.#listener.manual && input.activityStart !== undefined) this.#listener.mark('start', nowMs);
    if (input.audio !== undefined) this.#takeAudio(input.audio, nowMs);
    if (input.text !== undefined) this.#takeText(input.text, 'realtimeInput', nowMs);
    if (this.#listener.manual && input.activityEnd !== undefined) this.#listener.mark('end', nowMs);
    if (!this.#listener.manual && input.audioStreamEnd === true) this.#listener.endStream(nowMs);
  }

  #takeAudio(blob: { readonly data: string; readonly mimeType: string }, nowMs: number): void {
    const { record, refuse } = this.#options;
    if (!this.#takesAudio(nowMs)) return;
    const before = record.receivedSamples;
    const read = this.#input.read(blob, nowMs);
    if (!read.ok) {
      refuse(invalid(read.detail), nowMs);
      return;
    }
    this.#hear(read.samples, before, nowMs);
  }

  /** Audio without its wire, at 16 kHz. */
  takeSamples(samples: Int16Array, nowMs: number): void {
    const { record } = this.#options;
    if (!this.#takesAudio(nowMs)) return;
    const before = record.receivedSamples;
    record.takeAudio(samples, nowMs);
    this.#hear(samples, before, nowMs);
  }

  #takesAudio(nowMs: number): boolean {
    const { refuse, setup } = this.#options;
    if (setup.behaviours.audioWhileToolPending !== 'close-1008' || !this.#tools.calls.blockingPending)
      return true;
    refuse(refusalAs('not-implemented', 'audio while a blocking tool call waits'), nowMs);
    return false;
  }

  #hear(samples: Int16Array, before: number, nowMs: number): void {
    const { conversation, record } = this.#options;
    conversation.hear(record.number, before, samples.length);
    conversation.memory.contextTokens += samples.length * MS_PER_SAMPLE * AUDIO_TOKENS_PER_MS;
    this.#listener.hear(samples, nowMs);
  }

  #takeContent(content: ClientContent, nowMs: number): void {
    const { conversation, refuse, setup } = this.#options;
    const turns = content.turns ?? [];
    const text = turns.flatMap((turn) => turn.parts.map((part) => part.text ?? '')).join(' ');
    if (this.#takingHistory) {
      conversation.memory.seededTurns += turns.length;
      conversation.memory.contextTokens += textTokens(text);
      this.#noteText(text, 'clientContent', nowMs);
      if (content.turnComplete === true) this.#takingHistory = false;
      return;
    }
    if (setup.behaviours.clientContentInMidCall === 'close-1007') {
      refuse(invalid('clientContent in mid call, wanted realtimeInput.text'), nowMs);
      return;
    }
    // Unconditionally, says the reference: whatever it holds, it stops the model.
    this.#interrupt(nowMs);
    if (content.turnComplete === true) this.#takeText(text, 'clientContent', nowMs);
    else {
      if (setup.behaviours.openContentsRemembered) {
        conversation.memory.contextTokens += textTokens(text);
        this.#noteText(text, 'clientContent', nowMs);
      } else {
        const { record } = this.#options;
        record.note(record.texts, { atMs: nowMs, via: 'clientContent', text });
      }
      this.#pump(nowMs);
    }
  }

  #takeText(text: string, via: 'realtimeInput' | 'clientContent', nowMs: number): void {
    const { conversation, scenario, setup } = this.#options;
    const { memory } = conversation;
    this.#noteText(text, via, nowMs);
    memory.contextTokens += textTokens(text);
    const first = memory.texts++ === 0;
    if (setup.behaviours.interruptionOfTextTrigger && this.#turn.phase !== 'idle') this.#interrupt(nowMs);
    const greeting = first ? scenario.greeting : null;
    const matched = greeting ?? scenario.onText.find((row) => text.includes(row.match))?.reply ?? null;
    const reply = matched ?? (setup.behaviours.textNoteIsAnswered ? (scenario.otherwise[0] ?? null) : null);
    if (reply !== null) this.#enqueue({ kind: 'text', reply });
    this.#pump(nowMs);
  }

  #takeResponses(responses: readonly FunctionResponse[], nowMs: number): void {
    for (const response of responses) {
      const taken = this.#tools.take(response, nowMs);
      if (taken.kind === 'refused') {
        this.#options.refuse(taken.refusal, nowMs);
        return;
      }
      if (taken.settled) this.#remember('tool', response.id, nowMs);
      if (taken.note !== null) this.#enqueue({ kind: 'note', reply: taken.note });
      // 3.8 lets the caller finish first (guide); so it is done for all.
      if (taken.interrupts && !this.#listener.active) this.#interrupt(nowMs);
    }
    if (this.#turn.phase === 'waiting' && !this.#tools.calls.blockingPending) {
      this.#turn.resume(this.#tools.takeFollowUps(), nowMs);
    }
    this.#pump(nowMs);
  }

  #onSpeechStart(onsetMs: number, nowMs: number): void {
    const { agenda, conversation, record, scenario, setup } = this.#options;
    conversation.openUtterance((nowMs - onsetMs) / MS_PER_SAMPLE);
    this.#utteranceStartMs = onsetMs;
    record.note(record.speech, { atMs: onsetMs, kind: 'start' });
    this.#answers.utterance(nowMs);
    if (!setup.interruptions) return;
    const dueMs = Math.max(nowMs, onsetMs + scenario.model.interruptDelayMs);
    const phaseAtStart = this.#turn.phase;
    agenda.at(dueMs, 'interrupt', (atMs) => {
      if (this.#isInterruptible()) this.#interrupt(atMs);
      else if (phaseAtStart === 'playing' && this.#turn.phase === 'idle') {
        // The turn ended by itself meanwhile: its turnComplete came first.
        if (setup.behaviours.interruptedMayFollowTurnComplete) {
          this.#options.send({ serverContent: { interrupted: true } }, atMs);
        }
      }
      this.#pump(atMs);
    });
  }

  #isInterruptible(): boolean {
    const { behaviours } = this.#options.setup;
    const { phase } = this.#turn;
    if (phase === 'playing') return behaviours.interruptsAssumedPlayback;
    if (phase === 'waiting') return behaviours.blockingCallCancelledBySpeech;
    return phase !== 'idle';
  }

  #onSpeechEnd(nowMs: number): void {
    const { conversation, record, setup } = this.#options;
    conversation.memory.openUtterance = false;
    record.note(record.speech, { atMs: nowMs, kind: 'end' });
    const dropped =
      !setup.interruptions &&
      this.#turn.phase !== 'idle' &&
      setup.behaviours.speechUnderNoInterruption === 'dropped';
    if (!dropped && !this.#isSwallowed(nowMs)) this.#enqueue({ kind: 'utterance' });
    this.#pump(nowMs);
  }

  #isSwallowed(nowMs: number): boolean {
    const lengthMs = nowMs - this.#utteranceStartMs - this.#listener.silenceDurationMs;
    const swallow = this.#answers.swallows(lengthMs, nowMs);
    if (swallow?.transcribe) this.#transcribeUnanswered(nowMs);
    return swallow !== null;
  }

  #enqueue(waiting: Waiting): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(waiting);
  }

  #interrupt(nowMs: number): void {
    if (this.#turn.phase === 'idle') return;
    this.#transcript.callOff();
    this.#tools.takeFollowUps();
    this.#turn.interrupt(nowMs);
    this.#transcript.turnOver(nowMs);
    this.#beat.turnOver(nowMs);
  }

  /** Begins the next answer when nothing stands against it. */
  #pump(nowMs: number): void {
    const { agenda, conversation } = this.#options;
    // Speech that is about to break off a turn does so before anything new is begun.
    if (this.#turn.phase !== 'idle' || agenda.has('interrupt')) return;
    const next = this.#waiting[0];
    if (next === undefined || (next.kind !== 'text' && this.#listener.active)) return;
    this.#waiting.shift();
    if (conversation.poisoned) {
      if (next.kind === 'utterance') this.#transcribeUnanswered(nowMs);
      this.#pump(nowMs);
      return;
    }
    const reply = next.kind === 'utterance' ? this.#replyToUtterance() : next.reply;
    if (reply === null) {
      this.#pump(nowMs);
      return;
    }
    this.#answer(reply, next.kind === 'utterance', nowMs);
  }

  #replyToUtterance(): Reply | null {
    const { conversation, scenario } = this.#options;
    const { replies, otherwise } = scenario;
    const index = conversation.memory.answered;
    if (index < replies.length) return replies[index]!;
    return otherwise[(index - replies.length) % Math.max(1, otherwise.length)] ?? null;
  }

  #answer(planned: Reply, isUtterance: boolean, nowMs: number): void {
    const { conversation, record, scenario, stage } = this.#options;
    const reply = stage?.voice === undefined ? planned : { ...planned, clip: stage.voice(planned) };
    const delayMs =
      (reply.delayMs ?? scenario.model.firstAudioMs) + (this.#compressed ? COMPRESSION_DELAY_MS : 0);
    this.#compressed = false;
    const startMs = this.#turn.begin(reply, delayMs, nowMs, {
      effects: (readyMs) => this.#answers.turn(readyMs),
      onStart: (startedMs) => {
        this.#beat.turnBegins(startedMs);
        if (isUtterance) {
          conversation.memory.answered++;
          conversation.memory.heardFragments = 0;
          this.#remember('caller', reply.hears ?? '', startedMs);
        }
        this.#remember('model', reply.text, startedMs);
        stage?.answerBegins?.({ conversation, session: record.number, isUtterance, atMs: startedMs });
      },
    });
    if (!isUtterance || reply.hears === null) return;
    this.#transcript.begin(reply.hears, conversation.memory, nowMs, startMs, this.#answers.doublesTranscript);
  }

  /** The caller is understood, and nothing comes of it. */
  #transcribeUnanswered(nowMs: number): void {
    const { conversation, scenario } = this.#options;
    const hears = this.#replyToUtterance()?.hears ?? null;
    if (hears === null) return;
    // The next utterance is transcribed from its beginning.
    this.#transcript.begin(
      hears,
      { ...conversation.memory },
      nowMs,
      nowMs + scenario.model.firstAudioMs,
      false,
    );
    this.#transcript.turnOver(nowMs);
  }

  #remember(who: HistoryEntry['who'], text: string, nowMs: number): void {
    const { conversation, record } = this.#options;
    conversation.note({ atMs: nowMs, session: record.number, who, text });
  }

  #noteText(text: string, via: 'realtimeInput' | 'clientContent', nowMs: number): void {
    const { record } = this.#options;
    record.note(record.texts, { atMs: nowMs, via, text });
    this.#remember('client', text, nowMs);
  }

  #makeTurn(): Turn {
    const { agenda, chunks, conversation, record, scenario, send, setup } = this.#options;
    const { behaviours, profile } = setup;
    const { memory } = conversation;
    return new Turn({
      plan: scenario.model,
      behaviours,
      agenda,
      tools: this.#tools.calls,
      random: this.#random,
      wantsTranscript: setup.message.outputAudioTranscription !== undefined,
      behaviorOf: (name) => setup.functions.get(name),
      chunksOf: ({ clip }, { chunkBytes, nearSilent }) => {
        if (clip === null) return [];
        const plan = chunkBytes === null ? scenario.model : { seed: scenario.model.seed, chunkBytes };
        return chunks.chunksOf(clip, plan, behaviours.audioMime, nearSilent);
      },
      send,
      chunkMessage: ({ durationMs, message }) =>
        behaviours.usageReports === 'chunk-deltas'
          ? { ...message, usageMetadata: usageMetadata(0, durationMs * AUDIO_TOKENS_PER_MS) }
          : message,
      turnCompleteMessage: (audioMs) => {
        const responseTokens = audioMs * AUDIO_TOKENS_PER_MS;
        const usage =
          behaviours.usageReports === 'turn-totals'
            ? { usageMetadata: usageMetadata(memory.contextTokens, responseTokens) }
            : {};
        memory.contextTokens += responseTokens;
        const status = profile.interactionStatus ? { interactionStatus: 'IDLE' } : {};
        return { serverContent: { turnComplete: true, ...status }, ...usage };
      },
      onUndeclared: (name, nowMs) =>
        record.note(record.warnings, {
          atMs: nowMs,
          text: `the scenario calls "${name}", which the setup does not declare: left out`,
        }),
      onCalls: (nowMs) => this.#tools.callEffects(nowMs),
      onIdle: (nowMs) => this.#onTurnOver(nowMs),
    });
  }

  #onTurnOver(nowMs: number): void {
    const { conversation, refuse, setup } = this.#options;
    this.#transcript.turnOver(nowMs);
    this.#beat.turnOver(nowMs);
    const fit = conversation.checkContext(setup.compression, setup.behaviours.compressionWorks);
    if (fit === 'overflow') {
      refuse(invalid('the context window is full'), nowMs);
      return;
    }
    this.#compressed ||= fit === 'compressed';
    this.#pump(nowMs);
  }
}
