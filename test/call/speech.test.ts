import { expect, test } from 'vitest';
import { type SpeechChange, SpeechTracker } from '../../src/call/speech.ts';
import { voiced } from '../audio/voice.ts';

const FRAME = 160;
const SILENCE_DBOV = -127;

/** @param arrivesAtMs of the frame that the line took at `saidAtMs` */
function endOf(arrivesAtMs: (saidAtMs: number) => number): Extract<SpeechChange, { type: 'end' }> {
  const tracker = new SpeechTracker(8_000);
  const said = new Int16Array(FRAME * 150);
  said.set(voiced(9_600, -20), FRAME * 20);
  const changes: SpeechChange[] = [];
  for (let at = 0; at < said.length; at += FRAME) {
    const change = tracker.push(said.subarray(at, at + FRAME), arrivesAtMs(at / 8), SILENCE_DBOV);
    if (change !== null) changes.push(change);
  }
  tracker.dispose();
  const end = changes.find((change) => change.type === 'end');
  if (end?.type !== 'end') throw new Error('no end of speech was found');
  return end;
}

test('words that the line held back and brought all at once are as long as they were said', () => {
  const evenly = endOf((saidAtMs) => saidAtMs);
  const atOnce = endOf((saidAtMs) => Math.max(saidAtMs, 2_500));
  expect(evenly.durationMs).toBeGreaterThan(900);
  expect(atOnce.durationMs).toBe(evenly.durationMs);
});
