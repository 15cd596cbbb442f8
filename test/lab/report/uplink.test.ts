import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createResampler } from '../../../src/audio/resample.ts';
import { parseWav } from '../../../src/audio/wav.ts';
import { compareUplink } from '../../../src/lab/report/uplink.ts';
import { babble, overG711, sequence } from '../../support/call-run.ts';

/** Stands for the gateway: 20 ms frames, converted as they come; `change` may drop, repeat or damage them. */
function receive(
  said: Int16Array,
  change: (frame: Int16Array, n: number) => Int16Array[] = (frame) => [frame],
): Int16Array {
  const resampler = createResampler(8_000, 16_000);
  const out: number[] = [];
  for (let n = 0; (n + 1) * 160 <= said.length; n += 1) {
    for (const frame of change(said.slice(n * 160, (n + 1) * 160), n)) out.push(...resampler.process(frame));
  }
  return Int16Array.from(out);
}

const recorded = parseWav(
  readFileSync(new URL('../../../fixtures/calls/barge-in-twice/caller.wav', import.meta.url)),
).channels[0]!;
/** From the middle of one utterance to the middle of the next: speech, a pause with line noise, speech. */
const said = overG711(recorded.slice(6 * 8_000, 14 * 8_000));

describe('audio that arrived whole', () => {
  it('shows nothing lost, the converter’s delay, and next to no residual', () => {
    const report = compareUplink(said, receive(said))!;
    expect(report).toMatchObject({ lostFrames: 0, doubledFrames: 0, damagedFrames: 0, jumps: [] });
    expect(report.delayMs).toBeCloseTo(3.5, 3);
    expect(report.residualDb).toBeLessThan(-60);
  });
});

describe('a fault is found, at its place:', () => {
  it('one lost frame', () => {
    const report = compareUplink(
      said,
      receive(said, (frame, n) => (n === 30 ? [] : [frame])),
    )!;
    expect(report).toMatchObject({ lostFrames: 1, doubledFrames: 0, jumps: [{ byMs: -20 }] });
    expect(report.jumps[0]!.atMs).toBe(600);
  });

  it('one doubled frame', () => {
    const report = compareUplink(
      said,
      receive(said, (frame, n) => (n === 40 ? [frame, frame] : [frame])),
    )!;
    expect(report).toMatchObject({ lostFrames: 0, doubledFrames: 1, jumps: [{ byMs: 20 }] });
    expect(Math.abs(report.jumps[0]!.atMs - 820)).toBeLessThanOrEqual(20);
  });

  it('half a second lost in one piece', () => {
    const report = compareUplink(
      said,
      receive(said, (frame, n) => (n >= 20 && n < 45 ? [] : [frame])),
    )!;
    expect(report).toMatchObject({ lostFrames: 25, doubledFrames: 0 });
  });

  it('a loss here and a double there', () => {
    const change = (frame: Int16Array, n: number): Int16Array[] =>
      n === 25 ? [] : n === 60 ? [frame, frame] : [frame];
    const report = compareUplink(said, receive(said, change))!;
    expect(report).toMatchObject({ lostFrames: 1, doubledFrames: 1 });
  });

  it('a beginning that never came', () => {
    const report = compareUplink(
      said,
      receive(said, (frame, n) => (n < 12 ? [] : [frame])),
    )!;
    expect(report).toMatchObject({ lostFrames: 12, doubledFrames: 0 });
  });

  it('a loss in the pause, by what follows it', () => {
    const speech = [babble(800, 1), babble(800, 2)] as const;
    const paused = overG711(sequence(speech[0], 600, speech[1]));
    const report = compareUplink(
      paused,
      receive(paused, (frame, n) => (n === 50 ? [] : [frame])),
    )!;
    expect(report).toMatchObject({ lostFrames: 1, doubledFrames: 0 });
  });

  it('a frame replaced by silence: damaged, not lost', () => {
    const change = (frame: Int16Array, n: number): Int16Array[] => [n === 30 ? new Int16Array(160) : frame];
    const report = compareUplink(said, receive(said, change))!;
    expect(report).toMatchObject({ lostFrames: 0, doubledFrames: 0 });
    expect(report.damagedFrames).toBeGreaterThanOrEqual(1);
    // The converter's filter spreads it over the neighbours at most.
    expect(report.damagedFrames).toBeLessThanOrEqual(3);
  });

  it('distortion, in the residual', () => {
    const clean = compareUplink(said, receive(said))!;
    const noisy = receive(said).map((sample, n) => sample + Math.round(40 * Math.sin(n * 0.4)));
    expect(compareUplink(said, noisy)!.residualDb).toBeGreaterThan(clean.residualDb + 20);
  });
});

it('a call that ended early misses its tail and has lost nothing', () => {
  const report = compareUplink(said, receive(said).slice(0, 16_000 * 3))!;
  expect(report).toMatchObject({ lostFrames: 0, damagedFrames: 0 });
  expect(report.missingTailMs).toBeGreaterThan(4_900);
  expect(report.missingTailMs).toBeLessThan(5_100);
});

it('nothing in common is no report', () => {
  expect(
    compareUplink(
      said,
      Int16Array.from({ length: 100_000 }, (_, n) => Math.round(3_000 * Math.sin(n))),
    ),
  ).toBeNull();
  expect(compareUplink(new Int16Array(0), new Int16Array(0))).toBeNull();
  expect(compareUplink(said, new Int16Array(0))).toBeNull();
});
