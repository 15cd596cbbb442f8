/** When a fault strikes, as people write it: `connect`, `turn:3`, `second:12.5`. */

/** What is counted, over all connections of a run and from 1. */
export const HAPPENINGS = ['connect', 'setup', 'resume', 'utterance', 'turn', 'tool'] as const;
export type Happening = (typeof HAPPENINGS)[number];
export type MomentKind = Happening | 'second';

export type Moment =
  /** The n-th connect, setup, resumption, utterance of the caller, turn of the model, message with tool calls. */
  | { readonly kind: Happening; readonly n: number; readonly text: string }
  /** Milliseconds after the run's first connect. */
  | { readonly kind: 'second'; readonly offsetMs: number; readonly text: string };

const COUNTED = /^([a-z]+)(?::([1-9]\d{0,5}))?$/;
const TIMED = /^second:(\d{1,6}(?:\.\d{1,6})?)$/;

/** Null for what is no moment. */
export function parseMoment(text: string): Moment | null {
  const timed = TIMED.exec(text);
  if (timed !== null) return { kind: 'second', offsetMs: Number(timed[1]) * 1000, text };
  const counted = COUNTED.exec(text);
  const kind = HAPPENINGS.find((known) => known === counted?.[1]);
  return kind === undefined ? null : { kind, n: Number(counted?.[2] ?? 1), text };
}
