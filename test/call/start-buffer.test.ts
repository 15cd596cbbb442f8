import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StartBuffer } from '../../src/call/start-buffer.ts';
import { FIRST_BLOCK_MS, NEXT_BLOCK_MS } from '../../src/carriers/jambonz/pre-buffer.ts';
import { JambonzQueue } from '../../src/lab/caller/jambonz/queue.ts';

describe('what a carrier holds back', () => {
  test('is what the simulated jambonz does, however the audio is cut, ended and cleared', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('audio' as const), ms: fc.integer({ min: 1, max: 120 }) }),
      fc.record({ type: fc.constantFrom('end' as const, 'clear' as const), ms: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const buffer = new StartBuffer(FIRST_BLOCK_MS, NEXT_BLOCK_MS, 8);
        const queue = new JambonzQueue(() => {});
        const push = (ms: number): void => queue.push(new Uint8Array(ms * 16));
        for (const { type, ms } of steps) {
          if (type === 'audio') {
            push(ms);
            expect(buffer.wrote(ms * 8)).toBe(queue.heldBytes === 0);
          } else {
            push(buffer.fill());
            if (type === 'clear') queue.clear();
            expect(queue.heldBytes).toBe(0);
          }
          expect(buffer.heldMs).toBe(queue.heldBytes / 16);
        }
      }),
    );
  });

  test('begins anew with another stream', () => {
    const buffer = new StartBuffer(160, 80, 8);
    expect(buffer.wrote(160 * 8)).toBe(true);
    expect(buffer.wrote(80 * 8)).toBe(true);
    buffer.reset();
    expect(buffer.wrote(80 * 8)).toBe(false);
    expect(buffer.fill()).toBe(80);
  });

  test('is nothing where there is no start buffer, whatever a packet is', () => {
    const buffer = new StartBuffer(0, 60, 8);
    expect([buffer.wrote(1), buffer.heldMs, buffer.fill()]).toEqual([true, 0, 0]);
  });
});
