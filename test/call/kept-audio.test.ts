import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeptAudio } from '../../src/call/kept-audio.ts';

/** All that is kept, view by view. */
function contentOf(kept: KeptAudio, bytesPerSample: number, from = kept.start, to = kept.end): number[] {
  const bytes: number[] = [];
  let at = from;
  while (at < to) {
    const view = kept.view(at, to);
    if (view.length === 0 || view.length % bytesPerSample !== 0)
      throw new Error(`a view of ${view.length} bytes`);
    bytes.push(...view);
    at += view.length / bytesPerSample;
  }
  return bytes;
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constant('append' as const),
      samples: fc.integer({ min: 0, max: 6_000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('forget' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
);

describe('kept audio', () => {
  test.each([1, 2])(
    'is what was appended, at its position, the newest of it, with %s bytes a sample',
    (bytesPerSample) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 20_000 }), (steps, most) => {
          const kept = new KeptAudio(bytesPerSample, most);
          // Everything ever appended, and where what is kept of it begins.
          const all: number[] = [];
          let start = 0;
          for (const each of steps) {
            if (each.does === 'append') {
              const payload = Uint8Array.from(
                { length: each.samples * bytesPerSample },
                (_, at) => (all.length + at) % 251,
              );
              all.push(...payload);
              kept.append(payload);
              payload.fill(255);
              start = Math.max(start, all.length / bytesPerSample - most);
            } else {
              const position = Math.round(start + (all.length / bytesPerSample - start) * each.share);
              kept.forgetBefore(position);
              start = Math.max(start, position);
            }
            expect(kept.start).toBe(start);
            expect(kept.end).toBe(all.length / bytesPerSample);
          }
          expect(contentOf(kept, bytesPerSample)).toEqual(all.slice(start * bytesPerSample));
          const middle = Math.floor((kept.start + kept.end) / 2);
          expect(contentOf(kept, bytesPerSample, middle)).toEqual(all.slice(middle * bytesPerSample));
        }),
        { numRuns: 80, seed: 20_261 },
      );
    },
  );

  test('is not forgotten by positions that lie before it', () => {
    const kept = new KeptAudio(1, 1_000);
    kept.append(new Uint8Array(100));
    kept.forgetBefore(-5);
    kept.forgetBefore(0);
    expect(kept.end - kept.start).toBe(100);
    kept.forgetBefore(500);
    expect([kept.start, kept.end]).toEqual([100, 100]);
    expect(kept.view(100, 200)).toHaveLength(0);
  });
});
