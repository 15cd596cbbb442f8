/**
 * One connection to the emulated Gemini Live, without socket or timer: frames and the time go in, messages and closes
 * come out. It is strict, so that what is wrong with a client shows here and not at the first paid call.
 */
import type { BehaviourValues } from '../../gemini/behaviours.ts';
import type { Scenario } from '../scenario.ts';
import { Agenda } from './agenda.ts';
import type { ChunkStore } from './chunks.ts';
import { type ClientMessage, parseClientMessage } from './client-message.ts';
import type { HandleStore } from './conversation.ts';
import { Dialogue } from './dialogue.ts';
import { type Ending, planLifetime } from './lifetime.ts';
import type { EmulatorRecord } from './record.ts';
import { invalid, type Refusal } from './refusal.ts';
import { describeSent } from './sent-summary.ts';
import { type AcceptedSetup, judgeSetup } from './validate-setup.ts';
import type { FrameStyle, LiveAddress } from './wire.ts';

export type EmulatorOutput = { readonly send: object } | Ending;

export interface SessionOptions {
  readonly address: LiveAddress;
  /** False: the connection ends with 1007 once setup has come, as it does at Google. */
  readonly keyAccepted: boolean;
  readonly scenario: Scenario;
  /** Laid over the scenario's own and the family's likeliest. */
  readonly behaviours: Partial<BehaviourValues>;
  readonly handles: HandleStore;
  readonly chunks: ChunkStore;
  readonly record: EmulatorRecord;
}

/** A client that opens a socket and says nothing. */
const SETUP_DEADLINE_MS = 30_000;

type Phase = 'awaiting-setup' | 'setting-up' | 'mute' | 'live' | 'closed';

export class LiveSession {
  readonly #options: SessionOptions;
  readonly #overrides: Partial<BehaviourValues>;
  readonly #agenda = new Agenda();
  readonly #startedAtMs: number;
  #out: EmulatorOutput[] = [];
  #phase: Phase = 'awaiting-setup';
  #setup: AcceptedSetup | null = null;
  #dialogue: Dialogue | null = null;
  /** Of a setup that is only turned down when the first input comes. */
  #postponed: Refusal | null = null;
  #silent = false;

  constructor(options: SessionOptions, nowMs: number) {
    this.#options = options;
    this.#overrides = { ...options.scenario.model.behaviours, ...options.behaviours };
    this.#startedAtMs = nowMs;
    this.#agenda.at(nowMs + SETUP_DEADLINE_MS, 'setup', (dueMs) =>
      this.#end({ close: 1011, reason: 'Deadline expired before operation could complete.' }, dueMs),
    );
  }

  /** How frames are to be written. */
  get frameStyle(): FrameStyle {
    const frame = this.#setup?.behaviours.serverFrameType ?? this.#overrides.serverFrameType ?? 'binary';
    return { frame, pretty: true };
  }

  /** When `tick` has something to do; null: only after the next frame. */
  get nextDueMs(): number | null {
    return this.#agenda.nextDueMs;
  }

  get closed(): boolean {
    return this.#phase === 'closed';
  }

  /** One frame of the client, text or bytes. Never throws, whatever is in it. */
  receive(data: string | Uint8Array, nowMs: number): readonly EmulatorOutput[] {
    this.#agenda.run(nowMs);
    if (this.#phase !== 'closed') this.#take(data, nowMs);
    return this.tick(nowMs);
  }

  /** Does everything that is due. */
  tick(nowMs: number): readonly EmulatorOutput[] {
    this.#agenda.run(nowMs);
    const out = this.#out;
    this.#out = [];
    return out;
  }

  /** The socket is gone. `clean`: with a close frame; without one the service thinks it open for a while. */
  disconnected(clean: boolean, code: number, nowMs: number): void {
    this.#options.record.closed ??= { atMs: nowMs, by: 'client', code };
    this.#agenda.clear();
    if (this.#phase !== 'closed') this.#dialogue?.disconnect(clean, nowMs);
    this.#phase = 'closed';
  }

  #take(data: string | Uint8Array, nowMs: number): void {
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
    const { address, keyAccepted, record, scenario } = this.#options;
    this.#agenda.callOff('setup');
    if (message.kind !== 'setup') {
      this.#refuse(invalid(`${message.kind} as the first message, wanted setup`), nowMs);
      return;
    }
    if (!keyAccepted) {
      const reason = 'API key not valid. Please pass a valid API key.';
      this.#refuse(invalid('a key that is not accepted', reason), nowMs);
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
    if (!this.#openConversation(setup, nowMs)) return;
    this.#phase = 'setting-up';
    this.#agenda.at(nowMs + scenario.model.setupDelayMs, 'setup', (dueMs) => {
      this.#phase = 'live';
      this.#send({ setupComplete: {} }, dueMs);
      this.#dialogue?.start(dueMs);
      this.#planEnd(setup, dueMs);
    });
  }

  #openConversation(setup: AcceptedSetup, nowMs: number): boolean {
    const { handles, record, scenario, chunks } = this.#options;
    const handle = setup.message.sessionResumption?.handle;
    let conversation = handles.open();
    if (handle !== undefined && handle !== '') {
      const resumption = handles.resume(handle, setup.behaviours, nowMs);
      if (resumption.kind === 'refused') {
        this.#refuse(resumption.refusal, nowMs);
        return false;
      }
      conversation = resumption.conversation;
      record.resumed = true;
    }
    record.conversation = conversation.id;
    this.#dialogue = new Dialogue({
      setup,
      scenario,
      conversation,
      handles,
      chunks,
      record,
      agenda: this.#agenda,
      send: (message, atMs) => this.#send(message, atMs),
      refuse: (refusal, atMs) => this.#refuse(refusal, atMs),
      end: (ending, atMs) => this.#end(ending, atMs),
    });
    return true;
  }

  #planEnd(setup: AcceptedSetup, nowMs: number): void {
    const life = planLifetime(this.#options.scenario.model.connectionMs, setup.behaviours);
    const at = (offsetMs: number | null, run: (dueMs: number) => void): void => {
      if (offsetMs !== null) this.#agenda.at(Math.max(nowMs, this.#startedAtMs + offsetMs), 'lifetime', run);
    };
    const timeLeft = life.timeLeft === null ? {} : { timeLeft: life.timeLeft };
    at(life.goAwayAtMs, (dueMs) => this.#send({ goAway: timeLeft }, dueMs));
    at(life.silentFromMs, () => {
      this.#silent = true;
    });
    at(life.endsAtMs, (dueMs) => this.#dialogue?.endConnection(dueMs));
  }

  #send(message: object, nowMs: number): void {
    if (this.#phase === 'closed' || this.#silent) return;
    this.#out.push({ send: message });
    const { record } = this.#options;
    for (const sent of describeSent(message)) record.note(record.sent, { atMs: nowMs, ...sent });
  }

  #refuse(refusal: Refusal, nowMs: number): void {
    const { record } = this.#options;
    record.note(record.refusals, { ...refusal, atMs: nowMs });
    this.#end({ close: refusal.code, reason: refusal.reason }, nowMs);
  }

  #end(ending: Ending, nowMs: number): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#agenda.clear();
    this.#out.push(ending);
    const cut = 'cut' in ending;
    this.#options.record.closed = { atMs: nowMs, by: 'server', code: cut ? 1006 : ending.close };
    this.#dialogue?.disconnect(true, nowMs);
  }
}
