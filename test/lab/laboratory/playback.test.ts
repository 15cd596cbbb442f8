import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Playback } from '../../../src/lab/laboratory/playback.ts';

const deed = fc.oneof(
  { weight: 5, arbitrary: fc.record({ pushMs: fc.integer({ min: 1, max: 200 }) }) },
  { weight: 3, arbitrary: fc.record({ mark: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ clear: true } as const) },
  { weight: 5, arbitrary: fc.record({ passMs: fc.integer({ min: 1, max: 150 }) }) },
);

it('what is pushed is played in order and in real time, marks when all before them is over, nothing after a clear', () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
      const played: number[] = [];
      const marks: string[] = [];
      const playback = new Playback(0, 1_000, {
        heard: (piece) => {
          if (piece.kind === 'counted')
            for (let index = 0; index < piece.samples; index++) played.push(piece.from + index);
        },
        mark: (name) => marks.push(name),
      });
      // The same with one sample a millisecond and a list.
      const queue: (number | string)[] = [];
      const wantedPlayed: number[] = [];
      const wantedMarks: string[] = [];
      const takeMarks = (): void => {
        while (typeof queue[0] === 'string') wantedMarks.push(queue.shift() as string);
      };
      let nowMs = 0;
      let place = 0;
      for (const each of deeds) {
        if ('pushMs' in each) {
          playback.push([{ kind: 'counted', from: place, samples: each.pushMs }]);
          for (let index = 0; index < each.pushMs; index++) queue.push(place + index);
          place += each.pushMs;
        } else if ('mark' in each) {
          playback.mark(String(each.mark));
          queue.push(String(each.mark));
        } else if ('clear' in each) {
          playback.clear();
          wantedMarks.push(...queue.splice(0).filter((item) => typeof item === 'string'));
        } else {
          nowMs += each.passMs;
          playback.advance(nowMs);
          takeMarks();
          for (let ms = 0; ms < each.passMs && queue.length > 0; ms++) {
            wantedPlayed.push(queue.shift() as number);
            takeMarks();
          }
        }
      }
      expect(played).toEqual(wantedPlayed);
      expect(marks).toEqual(wantedMarks);
    }),
    { seed: 5 },
  );
});
