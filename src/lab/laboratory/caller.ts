/** Plays a story: says every 20 ms whether the caller speaks, and when something else is to be done. */
import type { Act, Story } from './story.ts';

/** Nobody waits for an answer for ever. */
const PATIENCE_MS = 9_000;
/** The bot has said its say when it has been silent for so long. */
const BOT_PAUSE_MS = 700;
/** Speech is broken by short gaps, as a voice is: without them a detector takes it for the noise of the line. */
const PHRASE_MS = 1_800;
const GAP_MS = 200;
const FRAME_MS = 20;

export interface Utterance {
  readonly kind: 'talk' | 'cough';
  readonly fromMs: number;
  toMs: number;
  /** Places of its first sample and behind its last, in counted audio. */
  readonly from: number;
  to: number;
}

export type Deed = Extract<Act['does'], { kind: 'keys' | 'stream' | 'hang-up' }>;

export class Caller {
  readonly #story: Story;
  readonly #onDeed: (deed: Deed) => void;
  readonly #samplesPerFrame: number;
  #act: Act | null = null;
  /** Since when the act waits for its cue, and when the cue came. */
  #waitsSinceMs = 0;
  #cueAtMs: number | null = null;
  #startedAtMs: number | null = null;
  #doingUntilMs: number | null = null;
  #saidUntilMs = 0;
  #botHeardAtMs = Number.NEGATIVE_INFINITY;
  #botSince: number | null = null;
  #answered = false;
  #utterance: Utterance | null = null;
  #place = 0;
  #over = false;
  readonly utterances: Utterance[] = [];

  constructor(story: Story, samplesPerFrame: number, onDeed: (deed: Deed) => void) {
    this.#story = story;
    this.#samplesPerFrame = samplesPerFrame;
    this.#onDeed = onDeed;
  }

  /** The place of the next sample that is spoken. */
  get place(): number {
    return this.#place;
  }

  get speaking(): boolean {
    return this.#utterance !== null;
  }

  /** One frame of time. @returns whether it is loud */
  frame(nowMs: number, botAudible: boolean): boolean {
    this.#startedAtMs ??= nowMs;
    this.#listen(nowMs, botAudible);
    if (this.#over) return false;
    if (this.#doingUntilMs === null) this.#advance(nowMs);
    if (nowMs - this.#startedAtMs > this.#story.longestMs && this.#utterance === null) this.#hangUp();
    return this.#speak(nowMs);
  }

  #listen(nowMs: number, botAudible: boolean): void {
    if (!botAudible) {
      if (nowMs - this.#botHeardAtMs > BOT_PAUSE_MS) this.#botSince = null;
      return;
    }
    this.#botHeardAtMs = nowMs;
    this.#botSince ??= nowMs;
    if (this.#utterance === null) this.#answered = true;
  }

  #advance(nowMs: number): void {
    if (this.#act === null) {
      const next = this.#story.acts.next();
      if (next.done === true) {
        this.#hangUp();
        return;
      }
      this.#act = next.value;
      this.#waitsSinceMs = nowMs;
      this.#cueAtMs = null;
    }
    if (this.#cueAtMs === null && this.#isCue(this.#act, nowMs)) this.#cueAtMs = nowMs;
    if (this.#cueAtMs !== null && nowMs - this.#cueAtMs >= this.#act.afterMs) this.#begin(this.#act, nowMs);
  }

  #isCue({ cue }: Act, nowMs: number): boolean {
    if (cue === 'at-once' || nowMs - this.#waitsSinceMs > PATIENCE_MS) return true;
    if (cue === 'bot-speaks') return this.#botSince !== null;
    return this.#answered && nowMs - this.#botHeardAtMs > BOT_PAUSE_MS;
  }

  #begin({ does }: Act, nowMs: number): void {
    this.#act = null;
    switch (does.kind) {
      case 'talk':
      case 'cough':
        this.#utterance = { kind: does.kind, fromMs: nowMs, toMs: nowMs, from: this.#place, to: this.#place };
        this.utterances.push(this.#utterance);
        this.#doingUntilMs = nowMs + does.ms;
        if (does.kind === 'talk') this.#answered = false;
        break;
      case 'silence':
        this.#doingUntilMs = nowMs + does.ms;
        break;
      case 'hang-up':
        this.#hangUp();
        break;
      default:
        this.#onDeed(does);
    }
  }

  #speak(nowMs: number): boolean {
    const utterance = this.#utterance;
    if (this.#doingUntilMs !== null && nowMs >= this.#doingUntilMs) {
      this.#doingUntilMs = null;
      this.#utterance = null;
      this.#saidUntilMs = nowMs;
      this.#waitsSinceMs = nowMs;
      return false;
    }
    if (utterance === null) return false;
    const intoMs = nowMs - utterance.fromMs;
    const leftMs = (this.#doingUntilMs ?? nowMs) - nowMs;
    if (intoMs % (PHRASE_MS + GAP_MS) >= PHRASE_MS && leftMs > GAP_MS * 2) return false;
    this.#place += this.#samplesPerFrame;
    utterance.to = this.#place;
    utterance.toMs = nowMs + FRAME_MS;
    return true;
  }

  #hangUp(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onDeed({ kind: 'hang-up' });
  }

  /** When the caller last stopped talking. */
  get saidUntilMs(): number {
    return this.#saidUntilMs;
  }
}
