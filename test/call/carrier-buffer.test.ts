import { describe, expect, test } from 'vitest';
import { CarrierBuffer } from '../../src/call/carrier-buffer.ts';

const PER_MS = 8;
/** jambonz: 160 ms at first, then by 80 ms. */
const holding = (): CarrierBuffer => new CarrierBuffer(8_000, 160, 80);
const wrote = (buffer: CarrierBuffer, fromMs: number, toMs: number, nowMs: number, isGap = false): number =>
  buffer.wrote(fromMs * PER_MS, toMs * PER_MS, nowMs, isGap);

describe('what the carrier has of ours', () => {
  test('does not play before it is let through, and counts against the lead all the same', () => {
    const buffer = holding();
    wrote(buffer, 0, 80, 1_000);
    expect([buffer.clock.positionAt(5_000), buffer.aheadMs(5_000), buffer.isEmpty(5_000)]).toEqual([
      0,
      80,
      false,
    ]);
    wrote(buffer, 80, 160, 5_000);
    expect([buffer.clock.endMs, buffer.aheadMs(5_000), buffer.isEmpty(5_160)]).toEqual([5_160, 160, true]);
  });

  test('is let through at the end of a turn, with silence up to the block behind it', () => {
    const buffer = holding();
    wrote(buffer, 0, 100, 1_000);
    buffer.turnEnded(1_200);
    expect(buffer.clock.positionAt(1_300)).toBe(100 * PER_MS);
    expect(buffer.clock.endMs).toBe(1_200 + 160);
    // The next turn waits behind that silence.
    wrote(buffer, 100, 180, 1_300);
    expect(buffer.clock.endMs).toBe(1_360 + 80);
    expect(buffer.clock.positionAt(1_400)).toBe(140 * PER_MS);
  });

  test.each([
    ['all of it held back', [80], 20, 80, 500, 580 + 80],
    ['some of it held back', [80, 80, 80, 60], 10, 20, 0, 300 + 20],
    ['some of it held back, and the rest long played', [80, 80, 80, 60], 10, 20, 500, 560 + 20],
    ['none of it held back', [80, 80], 40, 80, 0, 160 + 80],
  ])('begins behind the silence in front of it, %s', (_what, padsMs, firstMs, allMs, laterMs, endsMs) => {
    const buffer = holding();
    for (const ms of padsMs) buffer.padded(ms, 0);
    wrote(buffer, 0, firstMs, 0);
    wrote(buffer, firstMs, allMs, laterMs);
    expect(buffer.clock.endMs).toBe(endsMs);
  });

  test('is short of audio by how long it played nothing, where that is a gap', () => {
    const gaps = [true, false].map((isGap) => {
      const buffer = holding();
      wrote(buffer, 0, 160, 0);
      wrote(buffer, 160, 200, 300, isGap);
      return wrote(buffer, 200, 240, 350);
    });
    expect(gaps).toEqual([190, 0]);
  });

  test('is nothing any more once it is cleared; another stream holds back as much as the first', () => {
    const buffer = holding();
    wrote(buffer, 0, 80, 0);
    buffer.cleared(10);
    expect([buffer.isEmpty(10), buffer.aheadMs(10)]).toEqual([true, 0]);
    wrote(buffer, 0, 80, 20);
    expect(buffer.clock.endMs).toBe(100);
    buffer.reset();
    wrote(buffer, 0, 80, 200);
    expect(buffer.aheadMs(200)).toBe(80);
    expect(buffer.isEmpty(500)).toBe(false);
  });
});
