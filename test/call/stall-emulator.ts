/** A caller, the doctor and the emulated service on virtual time: what the doctor says is done, as its owner would. */
import { nudgeFor, StallDoctor } from '../../src/call/stall-doctor.ts';
import { TurnLoudness } from '../../src/call/stall-level.ts';
import { DEFAULT_STALL_POLICY, type StallPolicy, type StallSign } from '../../src/call/stall-policy.ts';
import { TurnGate } from '../../src/call/turns.ts';
import { type BehaviourValues, behavioursFor } from '../../src/gemini/behaviours.ts';
import { parseServerMessage } from '../../src/gemini/events.ts';
import { FAMILIES, type FamilyId } from '../../src/gemini/families.ts';
import type { LiveEvent } from '../../src/gemini/live-session.ts';
import { type FaultFile, makeFaults } from '../../src/lab/emulator/faults/catalogue.ts';
import type { Scenario } from '../../src/lab/scenario.ts';
import { Line } from '../lab/emulator/line.ts';
import { HANGOVER_MS } from './stall-desk.ts';

const ONSET_MS = 80;
const BELIEVED_MS = 300;
const FILLER_MS = 1_300;

export interface Taken {
  readonly atMs: number;
  readonly sign: StallSign;
  readonly step: string;
}

export class StalledCall {
  readonly doctor: StallDoctor;
  readonly taken: Taken[] = [];
  /** When sound of the model began to be heard, by turns. */
  readonly heardAtMs: number[] = [];
  readonly #family: FamilyId;
  readonly #behaviours: BehaviourValues;
  readonly #scenario: Scenario;
  readonly #loudness = new TurnLoudness(DEFAULT_STALL_POLICY.nearSilentDbov);
  #gate = new TurnGate();
  #line: Line;
  #read = 0;
  #playsUntilMs = 0;
  #handle: string | null = null;
  #toolsOpen = 0;

  constructor(
    scenario: Scenario,
    faults: FaultFile[] = [],
    more: { family?: FamilyId; behaviours?: BehaviourValues; policy?: Partial<StallPolicy> } = {},
  ) {
    this.#family = more.family ?? '2.5';
    this.#behaviours = more.behaviours ?? behavioursFor(this.#family);
    this.#scenario = { ...scenario, faults: makeFaults(faults) };
    this.doctor = new StallDoctor({ ...DEFAULT_STALL_POLICY, ...more.policy });
    this.#line = new Line(this.#scenario, { behaviours: this.#behaviours });
    this.#open(null);
  }

  get line(): Line {
    return this.#line;
  }

  get nowMs(): number {
    return this.#line.nowMs;
  }

  get signs(): string[] {
    return [...new Set(this.taken.map(({ sign }) => sign))];
  }

  steps(sign: StallSign): string[] {
    return this.taken.filter((one) => one.sign === sign && one.step !== 'filler').map(({ step }) => step);
  }

  silence(ms: number): this {
    for (let passed = 0; passed < ms; passed += 20) {
      this.#line.silence(20);
      this.#step();
    }
    return this;
  }

  /** The caller speaks, and is heard by the tracker as by the model. */
  speak(ms: number): this {
    for (let passed = 0; passed < ms; passed += 20) {
      if (passed === ONSET_MS) this.doctor.utteranceStarted();
      if (passed === ONSET_MS + BELIEVED_MS) this.#bargeIn();
      this.#line.speak(20);
      this.#step();
    }
    const lastSpeechAtMs = this.nowMs;
    this.silence(HANGOVER_MS);
    this.doctor.utteranceEnded({ durationMs: ms, lastSpeechAtMs }, this.nowMs);
    return this;
  }

  /** As when a connection has to be given up. */
  rotate(): this {
    this.#leave();
    return this.#open(this.#handle);
  }

  say(text: string): this {
    this.#line.send({ realtimeInput: { text } });
    this.doctor.textSent(false, this.nowMs);
    return this;
  }

  #leave(): void {
    this.doctor.sessionLost();
    this.#gate = new TurnGate();
    this.#line.session.disconnected(true, 1000, this.nowMs);
  }

  #open(handle: string | null): this {
    if (this.#read > 0) {
      this.#line = new Line(this.#scenario, { behaviours: this.#behaviours, after: this.#line });
    }
    this.#read = 0;
    this.#line.open(this.#family, {
      sessionResumption: handle === null ? {} : { handle },
      tools: [{ functionDeclarations: [{ name: 'look_up' }] }],
    });
    this.doctor.sessionReady({ resumed: handle !== null }, this.nowMs);
    this.#step();
    return this;
  }

  #bargeIn(): void {
    this.#playsUntilMs = this.nowMs;
    this.#gate.cut(this.nowMs);
  }

  #step(): void {
    for (; this.#read < this.#line.received.length; this.#read++) {
      const { atMs, message } = this.#line.received[this.#read]!;
      for (const event of parseServerMessage(message)) this.#take(event, atMs);
    }
    const unplayedMs = Math.max(0, this.#playsUntilMs - this.nowMs);
    const action = this.doctor.tick(this.nowMs, unplayedMs);
    if (action === null) return;
    const { sign, step } = action;
    this.taken.push({ atMs: this.nowMs, sign, step });
    if (sign === 'near-silent-audio') this.#playsUntilMs = this.nowMs;
    if (step === 'filler') this.#plays(FILLER_MS);
    else if (step === 'nudge') this.#line.send({ realtimeInput: { text: nudgeFor(sign) } });
    else if (step === 'rotate' || step === 'manual') this.rotate();
    else if (step === 'fresh') {
      this.#leave();
      this.#open(null);
    }
  }

  #plays(ms: number): void {
    this.#playsUntilMs = Math.max(this.#playsUntilMs, this.nowMs) + ms;
  }

  #take(event: LiveEvent, atMs: number): void {
    const { doctor } = this;
    switch (event.type) {
      case 'interrupted': {
        this.#gate.cut(atMs);
        doctor.interrupted(Math.max(0, this.#playsUntilMs - atMs), atMs);
        this.#playsUntilMs = atMs;
        break;
      }
      case 'audio': {
        const verdict = this.#gate.audio(atMs);
        if (verdict.opened) this.#loudness.reset();
        const ms = event.bytes.length / 48;
        if (!verdict.play) {
          doctor.modelAudioDropped(atMs);
          break;
        }
        const loudestDbov = this.#loudness.push(event.bytes, event.sampleRate);
        if (verdict.opened) this.heardAtMs.push(atMs);
        doctor.modelAudio({ ms, loudestDbov }, atMs);
        this.#plays(ms);
        break;
      }
      case 'output-transcript':
      case 'model-text':
        doctor.modelText(event.text, atMs);
        break;
      case 'input-transcript':
        doctor.callerTranscribed(event.text, atMs);
        break;
      case 'generation-complete':
        this.#gate.generationComplete();
        doctor.generationComplete(atMs);
        break;
      case 'turn-complete':
        this.#gate.turnComplete();
        doctor.turnComplete({ reason: event.reason, moreTurnsFollow: event.moreTurnsFollow ?? false }, atMs);
        break;
      case 'waiting-for-input':
        doctor.waitingForInput();
        break;
      case 'resumption':
        if (event.resumable && event.handle !== null) this.#handle = event.handle;
        break;
      case 'tool-calls':
        this.#toolsOpen += event.calls.length;
        doctor.toolsOpen(this.#toolsOpen, atMs);
        for (const { id, name } of event.calls) this.#answerTool(id, name, atMs);
        break;
      default:
        break;
    }
  }

  #answerTool(id: string, name: string, atMs: number): void {
    const answered = { id, name, response: { result: 'ok' } };
    const scheduling = FAMILIES[this.#family].scheduling ? { scheduling: 'WHEN_IDLE' } : {};
    this.#line.send({ toolResponse: { functionResponses: [{ ...answered, ...scheduling }] } });
    this.#toolsOpen -= 1;
    this.doctor.toolsOpen(this.#toolsOpen, atMs);
  }
}
