/**
 * One connection to the emulated Gemini Live, without socket or timer: frames and the time go in, messages and closes
 * come out. It is strict, so that what is wrong with a client shows here and not at the first paid call.
 */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { Scenario } from '../scenario.ts';
import { Agenda } from './agenda.ts';
import type { ChunkStore } from './chunks.ts';
import { type ClientMessage, parseClientMessage } from './client-message.ts';
import type { Conversation } from './conversation.ts';
import { Dialogue } from './dialogue.ts';
import type { SuddenFault } from './faults/catalogue.ts';
import { CLOSE_ROWS } from './faults/close-rows.ts';
import type { FaultRun } from './faults/fault-run.ts';
import { SessionFaults } from './faults/session-faults.ts';
import { strike } from './faults/strike.ts';
import type { HandleStore } from './handles.ts';
import { closeWith, connectionEnding, type Ending, planLifetime } from './lifetime.ts';
import { type EmulatorOutput, type Frame, Outlet } from './outlet.ts';
import type { EmulatorRecord } from './record.ts';
import { invalid, type Refusal, refusalAs } from './refusal.ts';
import { describeSent } from './sent-summary.ts';
import { handleOf } from './setup-schema.ts';
import type { Stage } from './stage.ts';
import { type AcceptedSetup, judgeSetup } from './validate-setup.ts';
import type { FrameStyle, LiveAddress } from './wire.ts';

export type { EmulatorOutput } from './outlet.ts';

/** What a connection plays, and which faults strike it: those of its conversation once that is known. */
export interface Play {
  readonly scenario: Scenario;
  readonly run: FaultRun;
}

export interface SessionOptions {
  readonly address: LiveAddress;
  /** False: the connection ends with 1007 once setup has come, as it does at Google. */
  readonly keyAccepted: boolean;
  /** Until setup has come. */
  readonly play: Play;
  /** For the conversation that the setup begins or, with its handle, takes up again. */
  choosePlay(handle: string | null, nowMs: number): Play;
  /** The setup is about to be read: whether the service has room for one more session. */
  admit(scenario: Scenario, nowMs: number): Refusal | null;
  /** Laid over the scenario's own and the family's likeliest. */
  readonly behaviours: Partial<BehaviourValues>;
  readonly handles: HandleStore;
  readonly chunks: ChunkStore;
  readonly record: EmulatorRecord;
  readonly stage?: Stage | undefined;
}

/** A client that opens a socket and says nothing, where no behaviour says otherwise. */
const OPEN_SOCKET_MS = 30_000;

/** `refused`: at the upgrade. `gone`: half open, so that nobody will hear of it again. */
type Phase = 'refused' | 'awaiting-setup' | 'setting-up' | 'mute' | 'live' | 'gone' | 'closed';

export class LiveSession {
  readonly #options: SessionOptions;
  readonly #agenda = new Agenda();
  readonly #outlet = new Outlet();
  readonly #startedAtMs: number;
  #play: Play;
  #overrides: Partial<BehaviourValues>;
  #faults: SessionFaults;
  #phase: Phase = 'awaiting-setup';
  #setup: AcceptedSetup | null = null;
  #dialogue: Dialogue | null = null;
  /** Of a setup that is only turned down when the first input comes. */
  #postponed: Refusal | null = null;
  #silent = false;

  constructor(options: SessionOptions, nowMs: number) {
    this.#options = options;
    this.#play = options.play;
    this.#overrides = this.#overridesOf(options.play.scenario);
    this.#startedAtMs = nowMs;
    this.#agenda.at(nowMs + (this.#overrides.openSocketWaitMs ?? OPEN_SOCKET_MS), 'setup', (dueMs) =>
      this.#end(closeWith(CLOSE_ROWS.deadline), dueMs),
    );
    this.#faults = this.#makeFaults(nowMs);
    const refusal = this.#faults.happens('connect', nowMs).find((fault) => fault.fault === 'refuse');
    if (refusal === undefined) return;
    this.#faults.note(refusal, nowMs);
    this.#agenda.clear();
    this.#phase = 'refused';
    this.#outlet.put({ refuse: refusal.status });
    options.record.closed = { atMs: nowMs, by: 'server', code: refusal.status };
  }

  /** How frames are to be written. */
  get frameStyle(): FrameStyle {
    const frame = this.#setup?.behaviours.serverFrameType ?? this.#overrides.serverFrameType ?? 'binary';
    return { frame, pretty: true };
  }

  /** When `tick` has something to do; null: only after the next frame. */
  get nextDueMs(): number | null {
    if (this.#outlet.pending) return Number.NEGATIVE_INFINITY;
    return this.closed ? null : this.#agenda.nextDueMs;
  }

  /** Nothing comes any more, whatever is sent. */
  get closed(): boolean {
    return this.#phase === 'closed' || this.#phase === 'gone' || this.#phase === 'refused';
  }

  /** One frame of the client. Never throws, whatever is in it. */
  receive(data: Frame, nowMs: number): readonly EmulatorOutput[] {
    this.#agenda.run(nowMs);
    if (this.#outlet.frozen) {
      if (!this.closed && !this.#outlet.hold(data)) this.#end({ cut: true }, nowMs);
    } else if (!this.closed) this.#take(data, nowMs);
    return this.tick(nowMs);
  }

  /** Does everything that is due. To be called once right after the connection was made: it may have been refused. */
  tick(nowMs: number): readonly EmulatorOutput[] {
    this.#agenda.run(nowMs);
    return this.#outlet.take();
  }

  /** The socket is gone. `clean`: with a close frame; without one the service thinks it open for a while. */
  disconnected(clean: boolean, code: number, nowMs: number): void {
    this.#options.record.closed ??= { atMs: nowMs, by: 'client', code };
    this.#agenda.clear();
    if (!this.closed) this.#dialogue?.disconnect(clean, nowMs);
    this.#phase = 'closed';
    this.#outlet.take();
  }

  #overridesOf(scenario: Scenario): Partial<BehaviourValues> {
    return { ...scenario.model.behaviours, ...this.#options.behaviours };
  }

  #makeFaults(nowMs: number): SessionFaults {
    const { record } = this.#options;
    return new SessionFaults(
      {
        run: this.#play.run,
        record,
        agenda: this.#agenda,
        strike: (fault, atMs) => this.#strike(fault, atMs),
      },
      nowMs,
    );
  }

  #take(data: Frame, nowMs: number): void {
    if (data instanceof Int16Array) this.#takeSamples(data, nowMs);
    else this.#takeFrame(data, nowMs);
  }

  /** The audio of a realtimeInput without its wire: the same states, effects and record. */
  #takeSamples(samples: Int16Array, nowMs: number): void {
    if (this.#phase === 'awaiting-setup') this.#takeFirst({ kind: 'realtimeInput', value: {} }, nowMs);
    else if (this.#phase === 'setting-up') this.#refuse(invalid('realtimeInput before setupComplete'), nowMs);
    else if (this.#postponed !== null) this.#refuse(this.#postponed, nowMs);
    else if (this.#phase === 'live') this.#dialogue?.takeSamples(samples, nowMs);
  }

  #takeFrame(data: string | Uint8Array, nowMs: number): void {
    const size = typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength;
    const limit =
      this.#setup?.behaviours.maxClientFrameBytes ?? this.#overrides.maxClientFrameBytes ?? 1_048_576;
    if (size > limit) {
      this.#refuse(
        { code: 1009, reason: '', detail: `a frame of "${size}" bytes, wanted at most ${limit}` },
        nowMs,
      );
      return;
    }
    const text =
      typeof data === 'string' ? data : Buffer.from(data.buffer, data.byteOffset, size).toString('utf8');
    const message = parseClientMessage(text, {
      vertex: this.#options.address.vertex,
      behaviours: { unknownFieldText: this.#overrides.unknownFieldText ?? 'unknown-name' },
    });
    if (message.kind === 'refused') this.#refuse(message.refusal, nowMs);
    else if (this.#phase === 'awaiting-setup') this.#takeFirst(message, nowMs);
    else if (message.kind === 'setup') {
      const code = this.#setup?.behaviours.secondSetupCode ?? 1007;
      this.#refuse({ ...invalid('a second setup, wanted one as the first message'), code }, nowMs);
    } else if (this.#phase === 'setting-up') {
      this.#refuse(invalid(`${message.kind} before setupComplete`), nowMs);
    } else if (this.#postponed !== null) this.#refuse(this.#postponed, nowMs);
    else if (this.#phase === 'live') this.#dialogue?.take(message, nowMs);
  }

  #takeFirst(message: ClientMessage, nowMs: number): void {
    const { address, choosePlay, keyAccepted, record } = this.#options;
    this.#agenda.callOff('setup');
    if (message.kind !== 'setup') {
      this.#refuse(invalid(`${message.kind} as the first message, wanted setup`), nowMs);
      return;
    }
    if (!keyAccepted) {
      this.#refuse(refusalAs('key-not-valid', 'a key that is not accepted'), nowMs);
      return;
    }
    this.#takePlay(choosePlay(handleOf(message.value), nowMs), nowMs);
    const faults = [...this.#faults.happens('setup', nowMs)];
    const full = this.#options.admit(this.#play.scenario, nowMs);
    if (full !== null) {
      this.#refuse(full, nowMs);
      return;
    }
    const verdict = judgeSetup(message.value, {
      apiVersion: address.apiVersion,
      vertex: address.vertex,
      overrides: this.#overrides,
    });
    if (verdict.kind === 'refused' && (verdict.at === 'setup' || verdict.setup === null)) {
      this.#refuse(verdict.refusal, nowMs);
      return;
    }
    if (verdict.kind === 'refused') {
      record.note(record.refusals, { ...verdict.refusal, atMs: nowMs });
      if (verdict.at === 'never') {
        this.#phase = 'mute';
        return;
      }
      this.#postponed = verdict.refusal;
    }
    const setup = verdict.setup!;
    this.#setup = setup;
    record.setup = setup.message;
    record.model = setup.model;
    const conversation = this.#openConversation(setup, nowMs);
    if (conversation === null) return;
    if (record.resumed) faults.push(...this.#faults.happens('resume', nowMs));
    for (const fault of faults) this.#faults.note(fault, nowMs);
    if (faults.some((fault) => fault.fault === 'forgotten')) conversation.forget();
    conversation.poisoned ||= faults.some((fault) => fault.fault === 'poisoned');
    this.#dialogue = this.#makeDialogue(setup, conversation);
    if (faults.some((fault) => fault.fault === 'never-complete')) {
      this.#phase = 'mute';
      return;
    }
    this.#phase = 'setting-up';
    const slow = faults.find((fault) => fault.fault === 'slow-setup');
    const delayMs = this.#play.scenario.model.setupDelayMs + (slow?.delayMs ?? 0);
    this.#agenda.at(nowMs + delayMs, 'setup', (dueMs) => {
      this.#phase = 'live';
      this.#send({ setupComplete: {} }, dueMs);
      this.#dialogue?.start(dueMs);
      this.#planEnd(setup, dueMs);
    });
  }

  #takePlay(play: Play, nowMs: number): void {
    if (play.run === this.#play.run) return;
    this.#play = play;
    this.#overrides = this.#overridesOf(play.scenario);
    this.#agenda.callOff('fault');
    this.#faults = this.#makeFaults(nowMs);
  }

  #openConversation(setup: AcceptedSetup, nowMs: number): Conversation | null {
    const { handles, record } = this.#options;
    const handle = setup.message.sessionResumption?.handle;
    let conversation: Conversation;
    if (handle === undefined || handle === '') conversation = handles.open();
    else {
      const resumption = handles.resume(handle, setup.behaviours, nowMs);
      if (resumption.kind === 'refused') {
        this.#refuse(resumption.refusal, nowMs);
        return null;
      }
      conversation = resumption.conversation;
      record.resumed = true;
    }
    conversation.scenario ??= this.#play.scenario;
    record.conversation = conversation.id;
    return conversation;
  }

  #makeDialogue(setup: AcceptedSetup, conversation: Conversation): Dialogue {
    const { handles, record, chunks, stage } = this.#options;
    return new Dialogue({
      setup,
      scenario: this.#play.scenario,
      conversation,
      handles,
      chunks,
      record,
      stage,
      agenda: this.#agenda,
      faults: this.#faults,
      send: (message, atMs) => this.#send(message, atMs),
      refuse: (refusal, atMs) => this.#refuse(refusal, atMs),
      end: (ending, atMs) => this.#end(ending, atMs),
    });
  }

  #planEnd(setup: AcceptedSetup, nowMs: number): void {
    const life = planLifetime(this.#play.scenario.model.connectionMs, setup.behaviours);
    const at = (offsetMs: number | null, run: (dueMs: number) => void): void => {
      if (offsetMs !== null) this.#agenda.at(Math.max(nowMs, this.#startedAtMs + offsetMs), 'lifetime', run);
    };
    const timeLeft = life.timeLeft === null ? {} : { timeLeft: life.timeLeft };
    at(life.goAwayAtMs, (dueMs) => this.#send({ goAway: timeLeft }, dueMs));
    at(life.silentFromMs, () => {
      this.#silent = true;
    });
    at(life.endsAtMs, (dueMs) => this.#expire(dueMs));
  }

  #strike(fault: SuddenFault, nowMs: number): void {
    if (this.closed) return;
    strike(fault, {
      send: (message) => this.#send(message, nowMs),
      sendRaw: (sendRaw) => this.#outlet.put({ sendRaw }),
      end: (ending) => this.#end(ending, nowMs),
      expire: (inMs) => this.#agenda.at(nowMs + inMs, 'lifetime', (dueMs) => this.#expire(dueMs)),
      abandon: () => this.#abandon(nowMs),
      freeze: (kind, forMs) => this.#freeze(kind, nowMs + forMs),
      delayPongs: (pongDelayMs) => this.#outlet.put({ pongDelayMs }),
      interruptFalsely: (phantom) => this.#dialogue?.interruptFalsely(phantom, nowMs),
    });
  }

  #expire(nowMs: number): void {
    const setup = this.#setup;
    this.#end(setup === null ? closeWith(CLOSE_ROWS.deadline) : connectionEnding(setup.behaviours), nowMs);
  }

  #abandon(nowMs: number): void {
    this.#outlet.freeze('both', true);
    this.#agenda.clear();
    this.#phase = 'gone';
    this.#dialogue?.disconnect(false, nowMs);
  }

  #freeze(kind: 'reading' | 'both', untilMs: number): void {
    this.#outlet.freeze(kind);
    this.#agenda.at(untilMs, 'thaw', (dueMs) => this.#thaw(dueMs));
  }

  #thaw(nowMs: number): void {
    // Two freezes that overlap end together, with the later one.
    if (this.#agenda.has('thaw')) return;
    for (const frame of this.#outlet.thaw()) if (!this.closed) this.#take(frame, nowMs);
  }

  #send(message: object, nowMs: number): void {
    if (this.closed || this.#silent) return;
    this.#outlet.put({ send: message });
    const { record } = this.#options;
    for (const sent of describeSent(message)) record.note(record.sent, { atMs: nowMs, ...sent });
  }

  #refuse(refusal: Refusal, nowMs: number): void {
    const { record } = this.#options;
    record.note(record.refusals, { ...refusal, atMs: nowMs });
    this.#end({ close: refusal.code, reason: refusal.reason }, nowMs);
  }

  #end(ending: Ending, nowMs: number): void {
    if (this.closed) return;
    this.#phase = 'closed';
    this.#agenda.clear();
    this.#outlet.thaw();
    this.#outlet.put(ending);
    const cut = 'cut' in ending;
    this.#options.record.closed = { atMs: nowMs, by: 'server', code: cut ? 1006 : ending.close };
    this.#dialogue?.disconnect(true, nowMs);
  }
}
