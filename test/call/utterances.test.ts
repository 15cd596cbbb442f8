import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type TurnBeginning, Utterances } from '../../src/call/utterances.ts';

const PLAIN: TurnBeginning = { callerSpeaks: false, textWaits: false, knownTo: Number.POSITIVE_INFINITY };

/** Three that are over, at 100, 200 and 300. */
function three(): Utterances {
  const utterances = new Utterances();
  for (const from of [100, 200, 300]) {
    utterances.began(from, from, 0);
    utterances.ended(from + 50, 1_000);
  }
  return utterances;
}

describe('an utterance', () => {
  test('waits from its beginning on', () => {
    const utterances = new Utterances();
    expect(utterances.unanswered).toBeNull();
    expect(utterances.neededFrom).toBeNull();
    utterances.began(100, 7, 0);
    expect(utterances.unanswered).toMatchObject({ from: 100, fromMs: 7, to: null });
    expect(utterances.open).toBe(true);
    utterances.ended(150, 1_000);
    expect(utterances.open).toBe(false);
    expect(utterances.unanswered).toMatchObject({ from: 100, to: 150 });
  });

  test('that a turn answers waits no more, but is needed until the turn is safe', () => {
    const utterances = three();
    utterances.turnBegan(1, PLAIN);
    expect(utterances.unanswered).toBeNull();
    expect(utterances.neededFrom).toBe(100);
    utterances.turnSafe(1);
    expect(utterances.neededFrom).toBeNull();
  });

  test('waits again when the turn is lost that answered it, and only then', () => {
    const utterances = three();
    utterances.turnBegan(1, PLAIN);
    utterances.began(400, 400, 0);
    utterances.ended(450, 1_000);
    utterances.turnBegan(2, PLAIN);
    utterances.turnLost(2);
    expect(utterances.unanswered?.from).toBe(400);
    utterances.turnLost(1);
    expect(utterances.unanswered?.from).toBe(100);
  });

  test('that goes on while the model begins is not answered by that; one that has just fallen silent is', () => {
    for (const callerSpeaks of [true, false]) {
      const utterances = new Utterances();
      utterances.began(100, 0, 0);
      utterances.turnBegan(1, { ...PLAIN, callerSpeaks });
      expect(utterances.unanswered === null).toBe(!callerSpeaks);
    }
  });

  test('is not answered by a turn that began before it could be known for over, but by the next', () => {
    const utterances = three();
    utterances.turnBegan(1, { ...PLAIN, knownTo: 340 });
    utterances.turnSafe(1);
    expect(utterances.unanswered?.from).toBe(300);
    expect(utterances.neededFrom).toBe(300);
    utterances.turnBegan(2, PLAIN);
    expect(utterances.unanswered).toBeNull();
    expect(utterances.neededFrom).toBe(300);
  });

  test('is answered by such a turn after all when no other one comes for long, unless it was lost', () => {
    for (const lost of [false, true]) {
      const utterances = three();
      utterances.turnBegan(1, { ...PLAIN, knownTo: 340 });
      if (lost) utterances.turnLost(1);
      else utterances.turnSafe(1);
      utterances.settleBefore(349);
      expect(utterances.unanswered?.from).toBe(lost ? 100 : 300);
      utterances.settleBefore(350);
      expect(utterances.neededFrom).toBe(lost ? 100 : null);
    }
  });

  test('is not answered by a turn that may answer a text, unless its words had been recognised', () => {
    const utterances = three();
    utterances.turnBegan(1, { ...PLAIN, textWaits: true });
    expect(utterances.unanswered?.from).toBe(100);
    utterances.recognised(null);
    utterances.turnBegan(2, { ...PLAIN, textWaits: true });
    expect(utterances.unanswered).toBeNull();
  });

  test('is answered by such a turn all the same when no other comes for long', () => {
    const utterances = three();
    utterances.turnBegan(1, { ...PLAIN, textWaits: true });
    utterances.turnSafe(1);
    utterances.settleBefore(300);
    expect(utterances.unanswered?.from).toBe(300);
    utterances.settleBefore(350);
    expect(utterances.neededFrom).toBeNull();
  });

  test('is not answered by a turn that was open when it began, though words are recognised then', () => {
    const utterances = new Utterances();
    utterances.began(100, 0, 3);
    utterances.ended(200, 1_000);
    utterances.recognised(3);
    expect(utterances.unanswered?.from).toBe(100);
    utterances.recognised(4);
    expect(utterances.unanswered).toBeNull();
  });

  test('that is safe is so together with all that were answered before it', () => {
    const utterances = new Utterances();
    for (const turn of [1, 2, 3]) {
      utterances.began(turn * 100, 0, 0);
      utterances.ended(turn * 100 + 50, 1_000);
      utterances.turnBegan(turn, PLAIN);
    }
    utterances.turnSafe(2);
    expect(utterances.neededFrom).toBe(300);
  });

  test('that was a cough is not waited for', () => {
    const utterances = three();
    utterances.began(400, 400, 0);
    utterances.dismissed();
    utterances.ended(410, 150);
    utterances.turnBegan(1, PLAIN);
    utterances.turnSafe(1);
    expect(utterances.neededFrom).toBeNull();
  });

  test('that was taken for a cough, and went on, is one', () => {
    const utterances = new Utterances();
    utterances.began(100, 0, 0);
    utterances.dismissed();
    utterances.ended(900, 2_000);
    expect(utterances.unanswered).toMatchObject({ from: 100, to: 900 });
  });

  test('that is not kept any more is not waited for, unless it goes on', () => {
    const utterances = three();
    utterances.began(400, 400, 0);
    utterances.forgetBefore(260);
    expect(utterances.neededFrom).toBe(300);
    utterances.forgetBefore(10_000);
    expect(utterances.neededFrom).toBe(400);
  });

  test('whose end was not noticed ends with the next', () => {
    const utterances = new Utterances();
    utterances.began(100, 0, 0);
    utterances.began(200, 0, 0);
    expect(utterances.unanswered).toMatchObject({ from: 100, to: 200 });
  });
});

describe('whatever is said', () => {
  const event = fc.oneof(
    fc.record({ type: fc.constant('began' as const) }),
    fc.record({ type: fc.constant('ended' as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
    fc.record({ type: fc.constant('dismissed' as const) }),
    fc.record({
      type: fc.constant('turn' as const),
      speaks: fc.boolean(),
      text: fc.boolean(),
      early: fc.boolean(),
    }),
    fc.record({ type: fc.constant('safe' as const), back: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ type: fc.constant('settle' as const) }),
    fc.record({ type: fc.constant('lost' as const), back: fc.integer({ min: 0, max: 3 }) }),
  );

  test('what waits is needed, the oldest first, and there is never more than a bound of it', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), (events) => {
        const utterances = new Utterances();
        let position = 0;
        let turn = 0;
        const begun: number[] = [];
        for (const each of events) {
          position += 100;
          if (each.type === 'began') begun.push(position);
          if (each.type === 'began') utterances.began(position, position, turn);
          else if (each.type === 'ended') utterances.ended(position, each.ms);
          else if (each.type === 'dismissed') utterances.dismissed();
          else if (each.type === 'turn') {
            turn += 1;
            utterances.turnBegan(turn, {
              callerSpeaks: each.speaks,
              textWaits: each.text,
              knownTo: each.early ? position - 250 : position,
            });
          } else if (each.type === 'settle') utterances.settleBefore(position - 300);
          else if (each.type === 'safe') utterances.turnSafe(turn - each.back);
          else utterances.turnLost(turn - each.back);
          const { unanswered, neededFrom } = utterances;
          if (unanswered === null) continue;
          expect(neededFrom).not.toBeNull();
          expect(neededFrom!).toBeLessThanOrEqual(unanswered.from);
          expect(begun.slice(-16)).toContain(neededFrom);
        }
      }),
      { numRuns: 200, seed: 20_261 },
    );
  });
});
