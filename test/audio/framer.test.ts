import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Framer } from '../../src/audio/framer.ts';

test('frames of one size, in order, whatever the chunks; less than one frame waits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.array(fc.uint8Array({ maxLength: 900, size: 'max' }), { maxLength: 20, size: 'max' }),
      (frameBytes, chunks) => {
        const framer = new Framer(frameBytes);
        const frames = chunks.flatMap((chunk) => [...framer.push(chunk)]);
        const all = Buffer.concat(chunks);
        const whole = Math.floor(all.length / frameBytes);
        expect(frames.map((frame) => frame.length)).toEqual(new Array(whole).fill(frameBytes));
        expect(framer.bufferedBytes).toBe(all.length % frameBytes);
        expect(
          Buffer.concat([...frames, framer.flush(0) ?? Buffer.alloc(0)]).subarray(0, all.length),
        ).toEqual(all);
      },
    ),
  );
});

test('a flush fills the last frame up with silence, and then nothing waits', () => {
  const framer = new Framer(4);
  framer.push(Uint8Array.of(1, 2, 3, 4, 5));
  expect(framer.flush(0xff)).toEqual(Buffer.from([5, 0xff, 0xff, 0xff]));
  expect(framer.flush(0xff)).toBeNull();
  expect(framer.bufferedBytes).toBe(0);
});

test('a reset drops what waits', () => {
  const framer = new Framer(3);
  framer.push(Uint8Array.of(1, 2));
  framer.reset();
  expect(framer.push(Uint8Array.of(7, 8, 9))).toEqual([Buffer.from([7, 8, 9])]);
});

test('frames are copies: writing over the pushed buffer does not reach them', () => {
  const framer = new Framer(2);
  const chunk = Uint8Array.of(1, 2, 3);
  const [first] = framer.push(chunk);
  chunk.fill(9);
  const [second] = framer.push(Uint8Array.of(4));
  expect([...first!, ...second!]).toEqual([1, 2, 3, 4]);
});

test('a push that completes no frame allocates no list', () => {
  const framer = new Framer(10);
  expect(framer.push(Uint8Array.of(1))).toBe(framer.push(Uint8Array.of(2)));
});

test.each([0, -1, 1.5, Number.NaN])('a frame of %s bytes is refused', (frameBytes) => {
  expect(() => new Framer(frameBytes)).toThrow(RangeError);
});
