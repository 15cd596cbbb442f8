import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawCuts } from '../../../src/lab/bench/rotation-cuts.ts';
import { seededRandom } from '../../../src/lab/network/random.ts';

const PLAN = {
  share: 0.05,
  readyAfterMs: 3_000,
  toldAfterMs: 5_000,
  endsAfterMs: 15_000,
  connections: 250,
};

describe('the connections that are cut', () => {
  test('are one of every so many in a row, whatever the chance', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 1_000 }),
        fc.nat(),
        (inARow, connections, seed) => {
          const cuts = drawCuts({ ...PLAN, share: 1 / inARow, connections }, seededRandom(seed));
          for (let from = 0; from + inARow <= connections; from += inARow) {
            const within = cuts.filter(({ connection }) => connection > from && connection <= from + inARow);
            expect(within).toHaveLength(1);
          }
          expect(cuts).toHaveLength(Math.floor(connections / inARow));
        },
      ),
    );
  });

  test('are cut while they are up, and every other one before it is told of its end', () => {
    const cuts = drawCuts(PLAN, seededRandom(1));
    expect(cuts).toHaveLength(12);
    cuts.forEach(({ afterMs }, row) => {
      expect(afterMs).toBeGreaterThan(PLAN.readyAfterMs);
      expect(afterMs).toBeLessThan(row % 2 === 0 ? PLAN.toldAfterMs : PLAN.endsAfterMs);
    });
    expect(Math.max(...cuts.map(({ afterMs }) => afterMs))).toBeGreaterThan(PLAN.toldAfterMs);
  });

  test('are others for another seed, anywhere in their row, and the same for the same', () => {
    const of = (seed: number) => drawCuts(PLAN, seededRandom(seed));
    expect(of(1)).toEqual(of(1));
    const places = new Set(
      Array.from({ length: 200 }, (_, seed) =>
        of(seed).map(({ connection }) => (connection - 1) % 20),
      ).flat(),
    );
    expect(places.size).toBe(20);
  });

  test('are none where none is asked for', () => {
    expect(drawCuts({ ...PLAN, share: 0 }, seededRandom(1))).toEqual([]);
  });
});
