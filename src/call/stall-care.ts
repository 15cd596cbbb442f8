/** Brings the stall doctor what happens in a call, and does what it says. */
import type { LiveEvent } from '../gemini/live-session.ts';
import type { Journal } from './journal.ts';
import { StallDoctor } from './stall-doctor.ts';
import { TurnLoudness } from './stall-level.ts';
import type { StallPolicy, StallSign } from './stall-policy.ts';
import { nudgeFor } from './stall-steps.ts';
import type { CallTotals } from './totals.ts';

export interface StallHost {
  playFiller(): void;
  nudge(text: string): void;
  /** What playout holds of the turn cannot be heard: it must not delay what comes next. */
  dropInaudible(): void;
  /** Another connection, with the newest handle; `byHand`: with activity signals from then on. */
  reconnect(detail: string, byHand: boolean): void;
  startAfresh(detail: string): void;
  end(detail: string): void;
}

export class StallCare {
  readonly #doctor: StallDoctor;
  readonly #loudness: TurnLoudness;
  readonly #journal: Journal;
  readonly #totals: CallTotals;
  readonly #host: StallHost;

  constructor(policy: StallPolicy, journal: Journal, totals: CallTotals, host: StallHost) {
    this.#doctor = new StallDoctor(policy);
    this.#loudness = new TurnLoudness(policy.nearSilentDbov);
    this.#journal = journal;
    this.#totals = totals;
    this.#host = host;
  }

  get facts(): Pick<
    StallDoctor,
    | 'caughtUp'
    | 'sessionLost'
    | 'utteranceStarted'
    | 'utteranceEnded'
    | 'textSent'
    | 'toolsOpen'
    | 'toolAnswered'
  > {
    return this.#doctor;
  }

  /** The utterance that was to be answered last got none, and it was let be. */
  get sign(): StallSign | null {
    return this.#doctor.sign;
  }

  /** A connection serves the call. */
  sessionReady(how: { readonly resumed: boolean }, nowMs: number): void {
    this.#loudness.reset();
    this.#doctor.sessionReady(how, nowMs);
  }

  /** A message of the model's, audio apart. `unplayedMs`: before the message was acted upon. */
  onModel(event: LiveEvent, unplayedMs: number, nowMs: number): void {
    switch (event.type) {
      case 'input-transcript':
        this.#doctor.callerTranscribed(event.text, nowMs);
        break;
      case 'output-transcript':
      case 'model-text':
        this.#doctor.modelText(event.text, nowMs);
        break;
      case 'generation-complete':
        this.#doctor.generationComplete(nowMs);
        // Audio that comes now is a new turn's, and the end of this one may never be said.
        this.#loudness.reset();
        break;
      case 'turn-complete': {
        const { reason, moreTurnsFollow = false } = event;
        this.#doctor.turnComplete({ reason, moreTurnsFollow }, nowMs);
        this.#loudness.reset();
        break;
      }
      case 'waiting-for-input':
        this.#doctor.waitingForInput();
        break;
      case 'interrupted':
        this.#doctor.interrupted(unplayedMs, nowMs);
        this.#loudness.reset();
        break;
      default:
        break;
    }
  }

  /** Audio of the model: L16, and whether it goes to playout. */
  onAudio(bytes: Uint8Array, sampleRate: number, isPlayed: boolean, nowMs: number): void {
    if (!isPlayed) {
      this.#doctor.modelAudioDropped(nowMs);
      return;
    }
    const loudestDbov = this.#loudness.push(bytes, sampleRate);
    this.#doctor.modelAudio({ ms: bytes.length / 2 / (sampleRate / 1000), loudestDbov }, nowMs);
  }

  /** Every 20 ms while the call talks and its stream is there. */
  tick(nowMs: number, unplayedMs: number): void {
    const action = this.#doctor.tick(nowMs, unplayedMs);
    if (action === null) return;
    const { sign, step, detail } = action;
    this.#journal.write({ type: 'stall', ...action });
    if (step === 'wait') {
      this.#totals.stalls[sign] = (this.#totals.stalls[sign] ?? 0) + 1;
      if (sign === 'near-silent-audio') this.#host.dropInaudible();
    }
    switch (step) {
      case 'wait':
        break;
      case 'filler':
        this.#host.playFiller();
        break;
      case 'nudge':
        this.#host.nudge(nudgeFor(sign));
        break;
      case 'rotate':
      case 'manual':
        this.#host.reconnect(detail, step === 'manual');
        break;
      case 'fresh':
        this.#host.startAfresh(detail);
        break;
      case 'end':
        this.#host.end(detail);
        break;
    }
  }
}
