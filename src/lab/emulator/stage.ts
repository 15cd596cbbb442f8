/** What whoever stages the emulated service may lend to its answers, and learn of them. */
import type { Clip } from '../clip.ts';
import type { Reply } from '../scenario.ts';
import type { Conversation } from './conversation.ts';

export interface AnswerBegun {
  readonly conversation: Conversation;
  /** Number of the connection. */
  readonly session: number;
  /** It answers what the caller said; false: a text, or of the model's own accord. */
  readonly isUtterance: boolean;
  readonly atMs: number;
}

export interface Stage {
  /** The clip of an answer in place of the reply's own, asked for once an answer: so that no two say the same. */
  voice?(reply: Reply): Clip | null;
  /** An answer has begun and can no longer be taken back unheard. */
  answerBegins?(answer: AnswerBegun): void;
}
