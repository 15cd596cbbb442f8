import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GapFiller, type Placed } from '../../src/call/gap-filler.ts';

const FRAME_MS = 20;

/** What the model's time line is made of. */
class Line {
  readonly filler = new GapFiller();
  usedMs = 0;
  filledMs = 0;
  stalledMs = 0;
  unfilledMs = 0;
  late = 0;

  frame(mediaMs: number): Placed {
    const placed = this.filler.place(mediaMs, FRAME_MS);
    if (placed.late) this.late += 1;
    else this.usedMs += FRAME_MS;
    this.filledMs += placed.fillMs;
    this.unfilledMs += placed.unfilledMs;
    return placed;
  }

  stall(ms: number): void {
    this.filler.stalled(ms);
    this.stalledMs += ms;
  }

  get totalMs(): number {
    return this.usedMs + this.filledMs + this.stalledMs + this.unfilledMs;
  }
}

describe('named cases', () => {
  test('frames in order need nothing', () => {
    const line = new Line();
    for (let i = 0; i < 10; i++)
      expect(line.frame(1_000 + i * 20)).toEqual({ fillMs: 0, unfilledMs: 0, late: false });
  });

  test('what was lost is filled before the frame that shows it', () => {
    const line = new Line();
    line.frame(0);
    expect(line.frame(80)).toEqual({ fillMs: 60, unfilledMs: 0, late: false });
  });

  test('the frame that was filled for is late when it comes, each time it comes', () => {
    const line = new Line();
    line.frame(0);
    line.frame(40);
    expect(line.frame(20).late).toBe(true);
    expect(line.frame(20).late).toBe(true);
    expect(line.frame(60)).toEqual({ fillMs: 0, unfilledMs: 0, late: false });
    expect(line.totalMs).toBe(80);
  });

  test('a second is filled, more is counted only', () => {
    const short = new Line();
    short.frame(0);
    expect(short.frame(1_020)).toMatchObject({ fillMs: 1_000, unfilledMs: 0 });
    const long = new Line();
    long.frame(0);
    expect(long.frame(1_060)).toEqual({ fillMs: 0, unfilledMs: 1_040, late: false });
    expect(long.frame(1_080)).toEqual({ fillMs: 0, unfilledMs: 0, late: false });
  });

  test('a stall that was filled while it lasted is not filled again when its loss shows', () => {
    const line = new Line();
    line.frame(0);
    line.stall(400);
    expect(line.frame(520)).toEqual({ fillMs: 100, unfilledMs: 0, late: false });
    expect(line.totalMs).toBe(540);
    // And it excuses one gap only.
    expect(line.frame(600)).toEqual({ fillMs: 60, unfilledMs: 0, late: false });
  });

  test('a stall after which everything comes in a burst loses no frame', () => {
    const line = new Line();
    line.frame(0);
    line.stall(600);
    for (let i = 1; i <= 50; i++)
      expect(line.frame(i * 20)).toEqual({ fillMs: 0, unfilledMs: 0, late: false });
    expect(line.usedMs).toBe(51 * 20);
    // The stall is over: a later gap is a gap.
    expect(line.frame(51 * 20 + 100).fillMs).toBe(100);
  });

  test('a carrier that starts its count anew is followed', () => {
    const line = new Line();
    line.frame(60_000);
    expect(line.frame(0)).toEqual({ fillMs: 0, unfilledMs: 0, late: false });
    expect(line.frame(20)).toEqual({ fillMs: 0, unfilledMs: 0, late: false });
  });

  test('stamps that are rounded make no gaps, and their errors do not add up', () => {
    const line = new Line();
    // 20.3 ms a frame by the carrier's clock, stamped in whole ms: a second and a half more over 5,000 frames.
    for (let i = 0; i < 5_000; i++) line.frame(Math.floor(i * 20.3));
    expect(Math.abs(line.totalMs - 5_000 * 20.3)).toBeLessThanOrEqual(11);
    expect(line.late).toBe(0);
  });
});

/** A media line: frames that come, are lost, or come after the next one; now and then the line stands still. */
const happening = fc.oneof(
  { weight: 10, arbitrary: fc.constant({ type: 'frame' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('lost' as const), frames: fc.integer({ min: 1, max: 80 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ type: 'swapped' as const }) },
  {
    weight: 1,
    // The carrier loses what it could not send, and the gateway fills while it waits: all but the first 300 ms.
    arbitrary: fc.record({ type: fc.constant('stalled' as const), frames: fc.integer({ min: 1, max: 120 }) }),
  },
);

test('the total of the line is that of the media, whatever was lost, late, stalled or rounded', () => {
  fc.assert(
    fc.property(
      fc.array(happening, { maxLength: 80, size: 'max' }),
      fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 7, maxLength: 7, size: 'max' }),
      (happenings, rounding) => {
        const line = new Line();
        let mediaMs = 40_000;
        let frames = 0;
        let late = 0;
        const send = (at: number) => {
          line.frame(at + rounding[frames % rounding.length]!);
          frames += 1;
        };
        send(mediaMs);
        mediaMs += FRAME_MS;
        for (const each of happenings) {
          if (each.type === 'frame') {
            send(mediaMs);
            mediaMs += FRAME_MS;
          } else if (each.type === 'swapped') {
            send(mediaMs + FRAME_MS);
            send(mediaMs);
            late += 1;
            mediaMs += 2 * FRAME_MS;
          } else {
            mediaMs += each.frames * FRAME_MS;
            if (each.type === 'stalled') line.stall(Math.max(0, each.frames * FRAME_MS - 300));
            send(mediaMs);
            mediaMs += FRAME_MS;
          }
        }
        expect(line.late).toBe(late);
        expect(Math.abs(line.totalMs - (mediaMs - 40_000))).toBeLessThanOrEqual(10 + 6);
        expect(line.usedMs).toBe((frames - late) * FRAME_MS);
      },
    ),
    { numRuns: 500 },
  );
});
