import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lengthOf, SpanSet } from '../../../src/lab/laboratory/spans.ts';

const stretch = fc.tuple(fc.nat(60), fc.nat(15)).map(([from, length]) => [from, from + length] as const);
const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

it('a set of stretches is the set of its numbers, and knows what it had and what it lacks', () => {
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 20 }), stretch, (stretches, [from, to]) => {
      const spans = new SpanSet();
      const plain = new Set<number>();
      for (const [start, end] of stretches) {
        const again = numbers(start, end).filter((number) => plain.has(number));
        expect(spans.add(start, end).flatMap((span) => numbers(span.from, span.to))).toEqual(again);
        for (const number of numbers(start, end)) plain.add(number);
      }
      expect(spans.size).toBe(plain.size);
      const lacking = numbers(from, to).filter((number) => !plain.has(number));
      const missing = spans.missing(from, to);
      expect(missing.flatMap((span) => numbers(span.from, span.to))).toEqual(lacking);
      expect(lengthOf(missing)).toBe(lacking.length);
      // Stretches that touch are one.
      for (const [index, span] of spans.spans.entries())
        expect(span.from).toBeGreaterThan(spans.spans[index - 1]?.to ?? -1);
    }),
    { seed: 3 },
  );
});
