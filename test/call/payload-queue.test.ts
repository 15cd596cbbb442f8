import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PayloadQueue } from '../../src/call/payload-queue.ts';

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 400 }),
  // Beyond the first allocation, so that it has to grow.
  fc.integer({ min: 3_000, max: 9_000 }),
);

describe.each([1, 2])('%i byte(s) a sample', (bytesPerSample) => {
  test('holds what was appended at its absolute position, as a plain array would', () => {
    const command = fc.oneof(
      { weight: 3, arbitrary: fc.record({ type: fc.constant('append' as const), samples: sizes }) },
      {
        weight: 2,
        arbitrary: fc.record({
          type: fc.constant('forget' as const),
          share: fc.double({ min: 0, max: 1.2, noNaN: true }),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40, size: 'max' }), (commands) => {
        const maxSamples = 20_000;
        const queue = new PayloadQueue(bytesPerSample, maxSamples);
        // Every byte that was ever taken, and how far forgetting was allowed.
        const all: number[] = [];
        let next = 0;
        let allowed = 0;
        for (const each of commands) {
          if (each.type === 'append') {
            const payload = Uint8Array.from({ length: each.samples * bytesPerSample }, () => next++ % 251);
            const before = queue.end;
            const left = queue.append(payload);
            const taken = each.samples - left;
            expect(queue.end).toBe(before + taken);
            for (let i = 0; i < taken * bytesPerSample; i++) all.push(payload[i]!);
            if (left > 0) expect(queue.end - queue.start).toBe(maxSamples);
          } else {
            allowed = Math.max(allowed, Math.round(queue.start + (queue.end - queue.start) * each.share));
            queue.forgetBefore(allowed);
          }
          expect(queue.end).toBe(all.length / bytesPerSample);
          expect(queue.start).toBeLessThanOrEqual(Math.min(allowed, queue.end));
          const from = Math.min(Math.max(queue.start, allowed), queue.end);
          const held = Buffer.from(queue.view(from, queue.end));
          expect(held.equals(Buffer.from(all.slice(from * bytesPerSample)))).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('never grows beyond its bound, and says what it left out', () => {
    const queue = new PayloadQueue(bytesPerSample, 10);
    expect(queue.append(new Uint8Array(8 * bytesPerSample))).toBe(0);
    expect(queue.append(new Uint8Array(5 * bytesPerSample))).toBe(3);
    expect(queue.end).toBe(10);
  });

  test('what is forgotten makes room at last, however little of it is asked for at a time', () => {
    const queue = new PayloadQueue(bytesPerSample, 1_000);
    let kept = 0;
    for (let i = 0; i < 10_000; i += 10) {
      expect(queue.append(new Uint8Array(10 * bytesPerSample))).toBe(0);
      queue.forgetBefore(queue.end - 300);
      kept = Math.max(kept, queue.end - queue.start);
    }
    // Moved when half is free: never more than twice what is wanted.
    expect(kept).toBeLessThanOrEqual(610);
  });
});
