import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameCutter } from '../../src/carriers/frame-cutter.ts';

const sizes = { frameBytes: fc.integer({ min: 1, max: 50 }), maxFrames: fc.integer({ min: 1, max: 4 }) };
const payloads = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 });

describe('the frame cutter', () => {
  test('lets only whole frames out, all bytes in their order, and pads the last one with silence', () => {
    fc.assert(
      fc.property(sizes.frameBytes, sizes.maxFrames, payloads, (frameBytes, maxFrames, chunks) => {
        const cutter = new FrameCutter(frameBytes, 0xd5, maxFrames);
        const out = [...chunks.flatMap((chunk) => cutter.cut(chunk)), ...cutter.pad()];
        for (const message of out) {
          expect(message.length % frameBytes).toBe(0);
          expect(message.length).toBeGreaterThan(0);
          expect(message.length).toBeLessThanOrEqual(maxFrames * frameBytes);
        }
        const given = Buffer.concat(chunks);
        const played = Buffer.concat(out);
        expect(played.subarray(0, given.length).equals(given)).toBe(true);
        expect(played.length).toBe(Math.ceil(given.length / frameBytes) * frameBytes);
        expect(played.subarray(given.length).every((byte) => byte === 0xd5)).toBe(true);
        expect(cutter.pad()).toEqual([]);
      }),
    );
  });

  test('what was dropped is never heard, and holds up nothing', () => {
    const cutter = new FrameCutter(4, 0, 10);
    expect(cutter.cut(Buffer.from([1, 2, 3, 4, 5, 6]))).toEqual([Buffer.from([1, 2, 3, 4])]);
    cutter.drop();
    expect(cutter.pad()).toEqual([]);
    expect(cutter.cut(Buffer.from([7, 8, 9, 10]))).toEqual([Buffer.from([7, 8, 9, 10])]);
  });

  test('keeps copies: the payload’s owner may write over it', () => {
    const cutter = new FrameCutter(2, 0, 10);
    const payload = Uint8Array.from([1, 2, 3]);
    const [message] = cutter.cut(payload);
    payload.fill(99);
    expect(message).toEqual(Buffer.from([1, 2]));
    expect(cutter.pad()).toEqual([Buffer.from([3, 0])]);
  });
});
