/**
 * What of the caller's counted speech reached the model, and what the model did with it. An utterance is safe when a
 * session that had heard it began to answer, or when the session that is there at the end still holds it.
 */

import type { Conversation } from '../emulator/conversation.ts';
import type { AnswerBegun } from '../emulator/stage.ts';
import { CounterReader } from './counters.ts';
import { type Span, SpanSet } from './spans.ts';

/** A stretch of speech in one connection's audio: samples since its first, and places. */
interface Run {
  readonly at: number;
  readonly from: number;
  to: number;
}

class Ear {
  readonly runs: Run[] = [];
  #at = 0;
  foreign = 0;
  readonly reader = new CounterReader({
    counted: (from, to) => this.#counted(from, to),
    quiet: (samples) => {
      this.#at += samples;
    },
    foreign: (samples) => {
      this.#at += samples;
      this.foreign += samples;
    },
  });

  #counted(from: number, to: number): void {
    const last = this.runs.at(-1);
    if (last?.to === from && last.at + last.to - last.from === this.#at) last.to = to;
    else this.runs.push({ at: this.#at, from, to });
    this.#at += to - from;
  }
}

export interface Answer {
  readonly atMs: number;
  /** Places that the session had heard by then and that no answer before had covered. */
  readonly news: readonly Span[];
  /** The answer's voice: `begins` is null as long as the call has got nothing of it. */
  readonly voice: { readonly begins: number | null } | null;
}

export class Hearing {
  #ears = new Map<number, Ear>();
  #last: Conversation | null = null;
  /** What was answered. */
  readonly answered = new SpanSet();
  /** What some session heard twice. */
  readonly twice = new SpanSet();
  readonly answers: Answer[] = [];
  #foreign = 0;

  /** Samples that were neither silence nor as the caller said them. */
  get foreign(): number {
    let sum = this.#foreign;
    for (const ear of this.#ears.values()) sum += ear.foreign;
    return sum;
  }

  take(connection: number, samples: Int16Array): void {
    let ear = this.#ears.get(connection);
    if (ear === undefined) {
      ear = new Ear();
      this.#ears.set(connection, ear);
    }
    ear.reader.push(samples);
  }

  answerBegins({ conversation, isUtterance, atMs }: AnswerBegun, voice: Answer['voice']): void {
    this.#last = conversation;
    if (!isUtterance) return;
    const news: Span[] = [];
    for (const { from, to } of this.#heardBy(conversation).spans) {
      news.push(...this.answered.missing(from, to));
      this.answered.add(from, to);
    }
    if (news.length > 0) this.answers.push({ atMs, news, voice });
  }

  /** The session that the newest connection belongs to. */
  sessionIs(conversation: Conversation | null): void {
    if (conversation !== null) this.#last = conversation;
  }

  /** The service has lost all its sessions; its connections are counted anew. */
  serviceLost(): void {
    this.#foreign = this.foreign;
    this.#ears = new Map();
    this.#last = null;
  }

  /** What was answered, or is held by the last session. */
  safe(): SpanSet {
    const safe = new SpanSet();
    safe.addAll(this.answered);
    if (this.#last !== null) safe.addAll(this.#heardBy(this.#last));
    return safe;
  }

  /** The places in a session's record; what it holds twice is noted. */
  #heardBy(conversation: Conversation): SpanSet {
    const heard = new SpanSet();
    for (const { session, from, to } of conversation.heard) {
      for (const run of this.#ears.get(session)?.runs ?? []) {
        const start = Math.max(from, run.at);
        const end = Math.min(to, run.at + run.to - run.from);
        if (end <= start) continue;
        const shift = run.from - run.at;
        for (const span of heard.add(start + shift, end + shift)) this.twice.add(span.from, span.to);
      }
    }
    return heard;
  }
}
