/** The stall doctor as its owner treats it, on made-up time: facts go in, time passes in ticks, fillers are played. */
import { type StallAction, StallDoctor } from '../../src/call/stall-doctor.ts';
import { DEFAULT_STALL_POLICY, type StallPolicy } from '../../src/call/stall-policy.ts';

export const TICK_MS = 20;
/** As the speech detector: silence by which an utterance has ended. */
export const HANGOVER_MS = 400;
const FILLER_MS = 1_300;
export const LOUD = -22;
export const WHISPER = -80;

export class Desk {
  readonly doctor: StallDoctor;
  readonly log: { readonly atMs: number; readonly action: StallAction }[] = [];
  nowMs = 5_000;
  playsUntilMs = 0;
  markMs = 0;

  constructor(policy: Partial<StallPolicy> = {}, first: { resumed: boolean } = { resumed: false }) {
    this.doctor = new StallDoctor({ ...DEFAULT_STALL_POLICY, ...policy });
    this.doctor.sessionReady(first, this.nowMs);
    this.wait(1_000);
  }

  get unplayedMs(): number {
    return Math.max(0, this.playsUntilMs - this.nowMs);
  }

  wait(ms: number): this {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) {
      this.nowMs += TICK_MS;
      const action = this.doctor.tick(this.nowMs, this.unplayedMs);
      if (action === null) continue;
      this.log.push({ atMs: this.nowMs, action });
      if (action.step === 'filler') this.plays(FILLER_MS);
    }
    return this;
  }

  plays(ms: number): this {
    this.playsUntilMs = Math.max(this.nowMs, this.playsUntilMs) + ms;
    return this;
  }

  mark(): this {
    this.markMs = this.nowMs;
    return this;
  }

  /** Somebody speaks for so long; marks the end of their last sound, and returns when the tracker has noticed it. */
  caller(ms = 1_000): this {
    this.doctor.utteranceStarted();
    this.wait(ms).mark().wait(HANGOVER_MS);
    this.doctor.utteranceEnded({ durationMs: ms, lastSpeechAtMs: this.markMs }, this.nowMs);
    return this;
  }

  audio(ms: number, loudestDbov = LOUD): this {
    this.doctor.modelAudio({ ms, loudestDbov }, this.nowMs);
    return this.plays(ms);
  }

  text(text: string): this {
    this.doctor.modelText(text, this.nowMs);
    return this;
  }

  generated(): this {
    this.doctor.generationComplete(this.nowMs);
    return this;
  }

  complete(reason: string | null = null, moreTurnsFollow = false): this {
    this.doctor.turnComplete({ reason, moreTurnsFollow }, this.nowMs);
    return this;
  }

  interrupted(): this {
    const { unplayedMs } = this;
    this.playsUntilMs = this.nowMs;
    this.doctor.interrupted(unplayedMs, this.nowMs);
    return this;
  }

  /** A turn as it should be: sent at three times the speed of speech, ended when it is assumed to have been played. */
  says(text: string, ms = 3_000): this {
    this.text(text);
    for (let sent = 0; sent < ms; sent += 200) this.audio(Math.min(200, ms - sent)).wait(60);
    this.generated();
    return this.wait(this.unplayedMs + 40).complete();
  }

  /** A conversation that goes well, so that the doctor knows how this model talks. */
  greeted(): this {
    return this.says('Hello, and welcome. How can I help?').wait(1_500);
  }

  /** What was found: sign, step, and tenths of a second since the mark. */
  get steps(): string[] {
    return this.log.map(({ atMs, action }) => {
      const seconds = (Math.round((atMs - this.markMs) / 100) / 10).toFixed(1);
      return `${action.sign} ${action.step} ${seconds}`;
    });
  }

  get signs(): string[] {
    return [...new Set(this.log.map(({ action }) => action.sign))];
  }

  taken(sign: string): string[] {
    return this.log.filter(({ action }) => action.sign === sign).map(({ action }) => action.step);
  }
}
