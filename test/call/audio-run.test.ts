import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AudioRun } from '../../src/call/audio-run.ts';

const PER_MS = 8;

describe('a run of audio', () => {
  const piece = fc.record({ ms: fc.integer({ min: 1, max: 400 }), fillMs: fc.integer({ min: 0, max: 160 }) });

  test('with silence in it takes as long as all of it, and is at every position when its millisecond has come', () => {
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6, size: 'max' }), (pieces) => {
        const run = new AudioRun(800, PER_MS);
        // What is heard in each millisecond: the position behind it, written down one by one.
        const positions: number[] = [];
        for (const { ms, fillMs } of pieces) {
          for (let n = 0; n < ms; n++) positions.push((positions.at(-1) ?? 800) + PER_MS);
          run.extend(positions.at(-1)!);
          run.fill(fillMs);
          for (let n = 0; n < fillMs; n++) positions.push(positions.at(-1)!);
        }
        expect(run.ms).toBe(positions.length);
        for (const [i, position] of positions.entries()) expect(run.positionAfter(i + 1)).toBe(position);
        // A mark lies behind the silence that was written before it.
        for (const position of new Set(positions))
          expect(run.msTo(position)).toBe(positions.lastIndexOf(position) + 1);
      }),
    );
  });

  test('has no more of it than was written, nor less', () => {
    const run = new AudioRun(800, PER_MS);
    run.extend(1_600);
    expect([-1_000, 0, 100, 5_000].map((ms) => run.positionAfter(ms))).toEqual([800, 800, 1_600, 1_600]);
  });

  test('however many turns end in it, keeps their length in total', () => {
    const run = new AudioRun(0, PER_MS);
    for (let turn = 1; turn <= 100; turn++) {
      run.extend(turn * 800);
      run.fill(60);
    }
    expect(run.ms).toBe(100 * 160);
    expect(run.msTo(99 * 800 + 400)).toBe(99 * 160 + 50);
  });
});
