/** The conversation on one connection: what the client says and sends, in; the model's turns, out. */
import type { Reply, Scenario } from '../scenario.ts';
import type { Agenda } from './agenda.ts';
import type { ChunkStore } from './chunks.ts';
import type { ClientContent, ClientMessage, FunctionResponse, RealtimeInput } from './client-message.ts';
import { AUDIO_TOKENS_PER_MS, type Conversation, type HandleStore, textTokens } from './conversation.ts';
import { InputReader } from './input-reader.ts';
import { capEnding, connectionEnding, type Ending, untilCap } from './lifetime.ts';
import { Listener } from './listener.ts';
import { seededRandom } from './random.ts';
import type { EmulatorRecord } from './record.ts';
import { INVALID_ARGUMENT, invalid, type Refusal } from './refusal.ts';
import { ResumptionBeat } from './resumption-beat.ts';
import { ToolCalls } from './tool-calls.ts';
import { fragmentsOf, inputTranscription } from './transcripts.ts';
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
  readonly agenda: Agenda;
  send(message: object, nowMs: number): void;
  refuse(refusal: Refusal, nowMs: number): void;
  end(ending: Ending, nowMs: number): void;
}

/** What waits to be answered. An utterance's reply is looked up when its turn comes; a note waits for a quiet moment. */
type Waiting = { readonly kind: 'utterance' } | { readonly kind: 'text' | 'note'; readonly reply: Reply };

const MAX_WAITING = 8;
/** What compressing the context adds to the next answer. */
const COMPRESSION_DELAY_MS = 500;
/** Over which time the transcript of what was heard comes when it comes amid the answer. */
const AMID_ANSWER_MS = 1500;

export class Dialogue {
  readonly #options: DialogueOptions;
  readonly #listener: Listener;
  readonly #input: InputReader;
  readonly #tools = new ToolCalls();
  readonly #turn: Turn;
  readonly #beat: ResumptionBeat;
  readonly #random: () => number;
  readonly #epoch: number;
  readonly #waiting: Waiting[] = [];
  #followUps: Reply[] = [];
  #takingHistory: boolean;
  #compressed = false;
  #startedAtMs: number | null = null;
  /** Transcript that comes only when the turn is over. */
  #lateTranscript: string[] = [];

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
    this.#turn = this.#makeTurn();
    this.#beat = new ResumptionBeat({
      wanted: setup.message.sessionResumption !== undefined,
      behaviours: setup.behaviours,
      agenda,
      random: this.#random,
      busy: () => this.#turn.phase !== 'idle',
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

  endConnection(nowMs: number): void {
    this.#options.end(connectionEnding(this.#options.setup.behaviours), nowMs);
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

  #takeRealtime(input: RealtimeInput, nowMs: number): void {
    const { setup, refuse } = this.#options;
    const { behaviours } = setup;
    const fields = Object.keys(input);
    if (fields.length === 0 && behaviours.emptyRealtimeInput === 'close-1007') {
      refuse(invalid('an empty realtimeInput, wanted one field'), nowMs);
      return;
    }
    if (fields.length > 1 && behaviours.severalRealtimeFields === 'close-1007') {
      refuse(invalid(`realtimeInput with "${fields.join(', ')}", wanted one field`), nowMs);
      return;
    }
    if (input.mediaChunks !== undefined) {
      const reason = 'realtime_input.media_chunks is deprecated. Use audio, video, or text instead.';
      refuse(invalid('realtimeInput.mediaChunks, wanted audio', reason), nowMs);
      return;
    }
    const wrongSignal = this.#listener.manual
      ? input.audioStreamEnd !== undefined
      : input.activityStart !== undefined || input.activityEnd !== undefined;
    if (wrongSignal) {
      const detail = `realtimeInput.${fields.join(', ')} under ${this.#listener.manual ? 'manual' : 'automatic'} detection`;
      if (behaviours.activitySignalInWrongMode === 'close-1007') {
        refuse(invalid(detail), nowMs);
        return;
      }
      this.#options.record.note(this.#options.record.warnings, { atMs: nowMs, text: detail });
    }
    if (this.#listener.manual && input.activityStart !== undefined) this.#listener.mark('start', nowMs);
    if (input.audio !== undefined) this.#takeAudio(input.audio, nowMs);
    if (input.text !== undefined) this.#takeText(input.text, 'realtimeInput', nowMs);
    if (this.#listener.manual && input.activityEnd !== undefined) this.#listener.mark('end', nowMs);
    if (!this.#listener.manual && input.audioStreamEnd === true) this.#listener.endStream(nowMs);
  }

  #takeAudio(blob: { readonly data: string; readonly mimeType: string }, nowMs: number): void {
    const { conversation, refuse, setup } = this.#options;
    if (setup.behaviours.audioWhileToolPending === 'close-1008' && this.#tools.blockingPending) {
      const reason = 'Operation is not implemented, or supported, or enabled.';
      refuse({ code: 1008, reason, detail: 'audio while a blocking tool call waits' }, nowMs);
      return;
    }
    const read = this.#input.read(blob, nowMs);
    if (!read.ok) {
      refuse(invalid(read.detail), nowMs);
      return;
    }
    conversation.memory.contextTokens += (read.samples.length / 16) * AUDIO_TOKENS_PER_MS;
    this.#listener.hear(read.samples, nowMs);
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
      refuse(invalid('clientContent in mid call, wanted realtimeInput.text', INVALID_ARGUMENT), nowMs);
      return;
    }
    // Unconditionally, says the reference: whatever it holds, it stops the model.
    this.#interrupt(nowMs);
    if (content.turnComplete === true) this.#takeText(text, 'clientContent', nowMs);
    else {
      conversation.memory.contextTokens += textTokens(text);
      this.#noteText(text, 'clientContent', nowMs);
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
    const { record, refuse, setup } = this.#options;
    for (const response of responses) {
      const scheduled = response.scheduling !== undefined || response.response?.['scheduling'] !== undefined;
      if (scheduled && !setup.profile.scheduling) {
        const reason = 'Function response scheduling is not supported for this model.';
        refuse(invalid(`toolResponse with scheduling for "${response.id}"`, reason), nowMs);
        return;
      }
      const answered = this.#tools.answer(response, setup.behaviours);
      record.note(record.toolResponses, {
        atMs: nowMs,
        id: response.id,
        outcome: answered.kind,
        response: response.response ?? {},
      });
      if (answered.kind === 'unknown' && setup.behaviours.unknownToolId === 'close-1007') {
        refuse(invalid(`toolResponse with the unknown id "${response.id}"`), nowMs);
        return;
      }
      if (answered.kind === 'blocking' && answered.followUp !== null) this.#followUps.push(answered.followUp);
      if (
        answered.kind === 'non-blocking' &&
        answered.followUp !== null &&
        answered.scheduling !== 'SILENT'
      ) {
        this.#enqueue({ kind: 'note', reply: answered.followUp });
        // 3.8 lets the caller finish first (guide); so it is done for all.
        if (answered.scheduling === 'INTERRUPT' && !this.#listener.active) this.#interrupt(nowMs);
      }
    }
    if (this.#turn.phase === 'waiting' && !this.#tools.blockingPending) {
      this.#turn.resume(this.#followUps.splice(0), nowMs);
    }
    this.#pump(nowMs);
  }

  #onSpeechStart(onsetMs: number, nowMs: number): void {
    const { agenda, conversation, record, scenario, setup } = this.#options;
    conversation.memory.openUtterance = true;
    record.note(record.speech, { atMs: onsetMs, kind: 'start' });
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
    if (!dropped) this.#enqueue({ kind: 'utterance' });
    this.#pump(nowMs);
  }

  #enqueue(waiting: Waiting): void {
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(waiting);
  }

  #interrupt(nowMs: number): void {
    if (this.#turn.phase === 'idle') return;
    this.#options.agenda.callOff('input-transcript');
    this.#followUps = [];
    this.#turn.interrupt(nowMs);
    this.#flushLateTranscript(nowMs);
    this.#beat.turnOver(nowMs);
  }

  /** Begins the next answer when nothing stands against it. */
  #pump(nowMs: number): void {
    const { agenda } = this.#options;
    // Speech that is about to break off a turn does so before anything new is begun.
    if (this.#turn.phase !== 'idle' || agenda.has('interrupt')) return;
    const next = this.#waiting[0];
    if (next === undefined || (next.kind !== 'text' && this.#listener.active)) return;
    this.#waiting.shift();
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

  #answer(reply: Reply, isUtterance: boolean, nowMs: number): void {
    const { conversation, scenario } = this.#options;
    const delayMs =
      (reply.delayMs ?? scenario.model.firstAudioMs) + (this.#compressed ? COMPRESSION_DELAY_MS : 0);
    this.#compressed = false;
    const startMs = this.#turn.begin(reply, delayMs, nowMs, (startedMs) => {
      this.#beat.turnBegins(startedMs);
      if (!isUtterance) return;
      conversation.memory.answered++;
      conversation.memory.heardFragments = 0;
    });
    if (isUtterance && reply.hears !== null) this.#transcribe(reply.hears, nowMs, startMs);
  }

  #transcribe(hears: string, nowMs: number, startMs: number): void {
    const { agenda, conversation, scenario, setup, send } = this.#options;
    if (setup.message.inputAudioTranscription === undefined) return;
    const { memory } = conversation;
    // The same pieces again, should the caller go on and the answer be begun anew.
    const all = fragmentsOf(hears, seededRandom(scenario.model.seed + memory.answered));
    const fragments = all.slice(memory.heardFragments);
    const order = setup.behaviours.inputTranscriptOrder;
    if (order === 'after-turn') {
      this.#lateTranscript = fragments;
      return;
    }
    const fromMs = order === 'before-answer' ? nowMs : startMs + 100;
    const spreadMs = order === 'before-answer' ? (startMs - nowMs) * 0.9 : AMID_ANSWER_MS;
    for (const [index, fragment] of fragments.entries()) {
      agenda.at(fromMs + (spreadMs * index) / fragments.length, 'input-transcript', (atMs) => {
        if (order === 'before-answer') memory.heardFragments++;
        send(inputTranscription(fragment), atMs);
      });
    }
  }

  #flushLateTranscript(nowMs: number): void {
    for (const fragment of this.#lateTranscript.splice(0)) {
      this.#options.agenda.at(nowMs + 60, 'trailing', (atMs) =>
        this.#options.send(inputTranscription(fragment), atMs),
      );
    }
  }

  #noteText(text: string, via: 'realtimeInput' | 'clientContent', nowMs: number): void {
    const { record } = this.#options;
    record.note(record.texts, { atMs: nowMs, via, text });
  }

  #makeTurn(): Turn {
    const { agenda, chunks, conversation, record, scenario, send, setup } = this.#options;
    const { behaviours, profile } = setup;
    const { memory } = conversation;
    return new Turn({
      plan: scenario.model,
      behaviours,
      agenda,
      tools: this.#tools,
      random: this.#random,
      wantsTranscript: setup.message.outputAudioTranscription !== undefined,
      behaviorOf: (name) => setup.functions.get(name),
      chunksOf: (reply) =>
        reply.clip === null ? [] : chunks.chunksOf(reply.clip, scenario.model, behaviours.audioMime),
      send,
      sendChunk: (chunk, nowMs) => {
        const tokens = chunk.durationMs * AUDIO_TOKENS_PER_MS;
        const message =
          behaviours.usageReports === 'chunk-deltas'
            ? { ...chunk.message, usageMetadata: usageMetadata(0, tokens) }
            : chunk.message;
        send(message, nowMs);
      },
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
      onIdle: (nowMs) => this.#onTurnOver(nowMs),
    });
  }

  #onTurnOver(nowMs: number): void {
    const { conversation, refuse, setup } = this.#options;
    this.#flushLateTranscript(nowMs);
    this.#beat.turnOver(nowMs);
    const fit = conversation.checkContext(setup.compression, setup.behaviours.compressionWorks);
    if (fit === 'overflow') refuse(invalid('the context window is full'), nowMs);
    this.#compressed ||= fit === 'compressed';
    this.#pump(nowMs);
  }
}
