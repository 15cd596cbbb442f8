import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AFTER_SPEECH_MS, LONGEST_DISCARD_MS, STALE_GAP_MS, TurnGate } from '../../src/call/turns.ts';

describe('a turn', () => {
  test('opens with its first audio and is over at turn-complete', () => {
    const gate = new TurnGate();
    expect(gate.turn).toBe(0);
    expect(gate.audio(0)).toEqual({ play: true, opened: true });
    expect(gate.audio(20)).toEqual({ play: true, opened: false });
    expect([gate.turn, gate.open, gate.generating]).toEqual([1, true, true]);
    expect(gate.turnComplete()).toBe(1);
    expect([gate.open, gate.generating]).toEqual([false, false]);
    expect(gate.audio(40)).toEqual({ play: true, opened: true });
    expect(gate.turn).toBe(2);
  });

  test('audio after generation-complete is a new one, although the old one was never completed', () => {
    const gate = new TurnGate();
    gate.audio(0);
    gate.generationComplete();
    expect([gate.open, gate.generating]).toEqual([true, false]);
    expect(gate.audio(100)).toEqual({ play: true, opened: true });
    expect(gate.turn).toBe(2);
  });

  test('that nobody opened cannot be completed', () => {
    const gate = new TurnGate();
    gate.generationComplete();
    expect(gate.turnComplete()).toBeNull();
    expect(gate.cut(0)).toBe(false);
  });

  test('is over with its connection, and what was being discarded with it', () => {
    const gate = new TurnGate();
    gate.audio(0);
    gate.cut(10);
    expect(gate.lost()).toBe(1);
    expect(gate.audio(20)).toEqual({ play: true, opened: true });
  });

  test('a clip is a turn of our own: closed from the start, and the model goes on in another', () => {
    const gate = new TurnGate();
    gate.audio(0);
    expect(gate.clip()).toBe(2);
    expect(gate.open).toBe(false);
    expect(gate.audio(10)).toEqual({ play: true, opened: true });
    expect(gate.turn).toBe(3);
  });
});

describe('after an interruption', () => {
  test('the rest of the turn is dropped, until it is completed', () => {
    const gate = new TurnGate();
    gate.audio(0);
    expect(gate.cut(100)).toBe(true);
    expect(gate.discarding).toBe(true);
    expect(gate.audio(150)).toEqual({ play: false, opened: false });
    gate.turnComplete();
    expect(gate.audio(160)).toEqual({ play: true, opened: true });
    expect(gate.turn).toBe(2);
  });

  test('a turn-complete that came first does not let the interruption swallow the next answer', () => {
    const gate = new TurnGate();
    gate.audio(0);
    gate.turnComplete();
    expect(gate.cut(100)).toBe(false);
    expect(gate.audio(110)).toEqual({ play: true, opened: true });
  });

  test('neither does one that never comes: after a second and a half the audio is that of a new turn', () => {
    const gate = new TurnGate();
    gate.audio(0);
    gate.cut(100);
    for (const ms of [400, 800, 1_200, 1_499]) {
      expect(gate.audio(100 + ms)).toEqual({ play: false, opened: false });
    }
    expect(gate.audio(100 + 1_500)).toEqual({ play: true, opened: true });
    expect(gate.turn).toBe(2);
    expect(gate.audio(100 + 1_520)).toEqual({ play: true, opened: false });
  });

  test('after a pause of half a second what comes is the next answer, however open the turn still is', () => {
    const gate = new TurnGate();
    gate.audio(0);
    gate.cut(100);
    expect(gate.audio(400)).toEqual({ play: false, opened: false });
    expect(gate.audio(899)).toEqual({ play: false, opened: false });
    expect(gate.audio(899 + 500)).toEqual({ play: true, opened: true });
  });

  test('a turn that was generated to its end has nothing left to drop', () => {
    const gate = new TurnGate();
    gate.audio(0);
    gate.generationComplete();
    expect(gate.cut(100)).toBe(true);
    expect(gate.audio(150)).toEqual({ play: true, opened: true });
  });
});

describe('a turn that the caller spoke over', () => {
  test('is dropped for as long as they speak, and for two and a half seconds after that', () => {
    const gate = new TurnGate();
    gate.audio(0);
    gate.cut(100);
    for (let nowMs = 120; nowMs < 6_000; nowMs += 20) expect(gate.audio(nowMs, true).play).toBe(false);
    for (let nowMs = 6_000; nowMs < 5_980 + AFTER_SPEECH_MS; nowMs += 20)
      expect(gate.audio(nowMs).play).toBe(false);
    expect(gate.audio(5_980 + AFTER_SPEECH_MS)).toEqual({ play: true, opened: true });
  });

  test('is dropped also after a pause in what comes of it, while they speak', () => {
    const gate = new TurnGate();
    gate.audio(0);
    gate.cut(100);
    expect(gate.audio(100 + 3 * STALE_GAP_MS, true).play).toBe(false);
    expect(gate.audio(100 + 4 * STALE_GAP_MS)).toEqual({ play: true, opened: true });
  });

  test('is over after a pause, though they speak, where the model has said that it stopped', () => {
    for (const order of [['tracker', 'model'], ['model', 'tracker'], ['model']]) {
      const gate = new TurnGate();
      gate.audio(0);
      for (const by of order) gate.cut(100, by === 'model');
      expect(gate.audio(120, true).play).toBe(false);
      expect(gate.audio(120 + STALE_GAP_MS, true)).toEqual({ play: true, opened: true });
    }
  });

  test('is dropped also when a clip of ours had been played into it', () => {
    const gate = new TurnGate();
    gate.audio(0);
    expect(gate.clip()).toBe(2);
    expect(gate.generating).toBe(true);
    gate.cut(100);
    expect(gate.audio(120).play).toBe(false);
    gate.turnComplete();
    expect(gate.audio(140)).toEqual({ play: true, opened: true });
  });

  test('and whose connection was lost is not heard on the next one, should it be sent again there', () => {
    const gate = new TurnGate();
    gate.audio(0);
    gate.cut(100);
    gate.lost();
    gate.discardReplay(1_000);
    expect(gate.audio(1_020).play).toBe(false);
    // Half a second of nothing, and it is an answer.
    expect(gate.audio(1_020 + STALE_GAP_MS)).toEqual({ play: true, opened: true });
  });
});

test('what comes of a turn after a clip was played into it is one of its own, and the turn is still being made', () => {
  const gate = new TurnGate();
  gate.audio(0);
  gate.clip();
  expect(gate.audio(100)).toEqual({ play: true, opened: true });
  expect(gate.turn).toBe(3);
  gate.generationComplete();
  expect(gate.generating).toBe(false);
});

const event = fc.constantFrom('audio', 'cut', 'generation-complete', 'turn-complete', 'lost', 'clip');

test('whatever the order of events: no audio is dropped for longer than the bound, and turns count up by one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(event, fc.integer({ min: 0, max: 400 })), { maxLength: 80, size: 'max' }),
      (events) => {
        const gate = new TurnGate();
        let nowMs = 0;
        let lastCutMs = Number.NEGATIVE_INFINITY;
        for (const [what, afterMs] of events) {
          nowMs += afterMs;
          const before = gate.turn;
          if (what === 'audio') {
            const verdict = gate.audio(nowMs);
            if (!verdict.play) {
              expect(nowMs - lastCutMs).toBeLessThan(LONGEST_DISCARD_MS);
              expect(verdict.opened).toBe(false);
            }
            expect(gate.turn).toBe(before + (verdict.opened ? 1 : 0));
            if (verdict.play) expect(gate.generating).toBe(true);
          } else if (what === 'cut') {
            gate.cut(nowMs);
            if (gate.discarding) lastCutMs = nowMs;
          } else if (what === 'generation-complete') gate.generationComplete();
          else if (what === 'turn-complete') gate.turnComplete();
          else if (what === 'lost') gate.lost();
          else gate.clip();
          if (what === 'turn-complete' || what === 'lost') expect(gate.open || gate.discarding).toBe(false);
        }
      },
    ),
    { numRuns: 500 },
  );
});
