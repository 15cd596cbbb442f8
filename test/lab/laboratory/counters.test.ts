import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EnergyVad } from '../../../src/lab/emulator/vad.ts';
import { CounterReader, writeCounted } from '../../../src/lab/laboratory/counters.ts';
import { LevelTracker } from '../../../src/lab/laboratory/level-tracker.ts';

const counted = (place: number, length: number): Int16Array => {
  const samples = new Int16Array(length);
  writeCounted(samples, place);
  return samples;
};

/** A piece of audio as it was put together: where it comes from, or silence. */
type Piece = { readonly from: number; readonly length: number } | { readonly silence: number };

function assemble(pieces: readonly Piece[]): Int16Array {
  return Int16Array.from(
    pieces.flatMap((piece) =>
      'silence' in piece ? Array(piece.silence).fill(0) : [...counted(piece.from, piece.length)],
    ),
  );
}

/** What a reader makes of audio that is cut into chunks of these lengths, sample by sample: places, -1 quiet, -2 foreign. */
function read(samples: Int16Array, cuts: readonly number[]): number[] {
  const places: number[] = [];
  const reader = new CounterReader({
    counted: (from, to) => {
      for (let place = from; place < to; place++) places.push(place);
    },
    quiet: (count) => places.push(...Array(count).fill(-1)),
    foreign: (count) => places.push(...Array(count).fill(-2)),
  });
  let at = 0;
  for (let index = 0; at < samples.length; index++) {
    const length = cuts[index % cuts.length]!;
    reader.push(samples.subarray(at, at + length));
    at += length;
  }
  reader.end();
  return places;
}

const placesOf = (pieces: readonly Piece[]): number[] =>
  pieces.flatMap((piece) =>
    'silence' in piece
      ? Array(piece.silence).fill(-1)
      : Array.from({ length: piece.length }, (_, index) => piece.from + index),
  );

const even = (most: number) => fc.nat(most / 2).map((half) => 2 * half);
const pieces = fc.array(
  fc.oneof(
    // Frames and packets hold whole pairs; a seam between two neighbours may misplace one sample.
    fc.record({ from: even(134_000_000), length: even(700).map((length) => length + 4) }),
    fc.record({ silence: fc.integer({ min: 1, max: 400 }) }),
  ),
  { minLength: 1, maxLength: 12 },
);
const cuts = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 });

describe('counted audio', () => {
  it('tells the place of every sample, however stretches were left out, repeated, mixed and cut', () => {
    fc.assert(
      fc.property(pieces, cuts, (parts, lengths) => {
        const found = read(assemble(parts), lengths);
        const wanted = placesOf(parts);
        expect(found).toHaveLength(wanted.length);
        // A single sample at a seam may be left without a place, but none gets a wrong one.
        const wrong = found.filter((place, index) => place !== wanted[index] && place !== -2);
        expect(wrong).toEqual([]);
        expect(found.filter((place) => place === -2).length).toBeLessThanOrEqual(2 * parts.length);
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  it('is read without a gap when it is whole', () => {
    fc.assert(
      fc.property(fc.nat(100_000_000), fc.integer({ min: 2, max: 3_000 }), cuts, (from, length, lengths) => {
        expect(read(counted(from, length), lengths)).toEqual(placesOf([{ from, length }]));
      }),
      { numRuns: 200, seed: 8 },
    );
  });

  it('that somebody has changed is foreign', () => {
    const samples = counted(1_000, 400).map((sample, index) =>
      index >= 100 && index < 300 ? sample / 1.5 : sample,
    );
    const found = read(samples, [320]);
    expect(found.slice(0, 100)).toEqual(placesOf([{ from: 1_000, length: 100 }]));
    expect(found.slice(302).every((place, index) => place === 1_302 + index)).toBe(true);
    const inside = found.slice(100, 300);
    expect(inside.filter((place, index) => place >= 0 && place !== 1_100 + index)).toEqual([]);
    expect(inside.filter((place) => place === -2 || place === -1).length).toBeGreaterThan(190);
  });
});

describe('the ears of both sides', () => {
  it('agree where counted speech begins and ends, to a tenth of a second', () => {
    const speech = [
      [500, 350],
      [3_000, 1_800],
      [7_000, 900],
    ] as const;
    const samples = new Int16Array(16 * 12_000);
    for (const [fromMs, ms] of speech) samples.set(counted(fromMs * 16, ms * 16), fromMs * 16);
    const vad = new EnergyVad({
      prefixPaddingMs: 60,
      silenceDurationMs: 600,
      startSensitivity: 'high',
      endSensitivity: 'high',
    });
    const tracker = new LevelTracker(16_000);
    const heard = vad.push(samples).map(({ kind, atSample }) => [kind, atSample / 16] as const);
    const tracked: (readonly [string, number])[] = [];
    for (let at = 0; at < samples.length; at += 320) {
      const change = tracker.push(samples.subarray(at, at + 320), at / 16 + 20, -127);
      if (change !== null)
        tracked.push([change.type === 'onset' ? 'start' : 'end', at / 16 + 20 - change.agoMs]);
    }
    const wanted = speech.flatMap(([fromMs, ms]) => [
      ['start', fromMs],
      ['end', fromMs + ms],
    ]);
    for (const found of [heard, tracked]) {
      expect(found.map(([kind]) => kind)).toEqual(wanted.map(([kind]) => kind));
      found.forEach(([, ms], index) => {
        expect(Math.abs(ms - (wanted[index]![1] as number))).toBeLessThanOrEqual(100);
      });
    }
  });
});
