import { describe, expect, it } from 'vitest';
import { Utterances } from '../../src/call/utterances.ts';

/** One that began at 100 and is over, and the model has called a tool for it at 5,000 ms. */
function actedOn(): Utterances {
  const utterances = new Utterances();
  utterances.began(100, 1_000, 0);
  utterances.ended(200, 2_000);
  utterances.actedOn(5_000);
  return utterances;
}

describe('words for which the model has called a tool', () => {
  it('are held by a session that is taken up at a handle from behind the call, with the tool still at work', () => {
    expect(actedOn().notIn({ atMs: 5_000, under: 'tool' })).toBeNull();
  });

  it('are not held at a handle from before it, nor by a new session', () => {
    expect(actedOn().notIn({ atMs: 4_999, under: 'tool' })?.from).toBe(100);
    expect(actedOn().notIn(null)?.from).toBe(100);
  });

  it('are not held where the tool was done: what comes of it has been said, or was lost', () => {
    expect(actedOn().notIn({ atMs: 6_000, under: 'utterance' })?.from).toBe(100);
  });

  it('wait for their answer all the same', () => {
    expect(actedOn().unanswered?.from).toBe(100);
  });

  it('are not those that came later, nor those that went on meanwhile', () => {
    const utterances = actedOn();
    utterances.began(300, 6_000, 0);
    utterances.actedOn(6_500);
    expect(utterances.notIn({ atMs: 7_000, under: 'tool' })?.from).toBe(300);
  });
});
