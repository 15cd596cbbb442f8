/** A set of whole numbers as sorted stretches, for millions of samples that mostly lie side by side. */
export interface Span {
  readonly from: number;
  /** Without it. */
  readonly to: number;
}

export class SpanSet {
  #spans: Span[] = [];

  get spans(): readonly Span[] {
    return this.#spans;
  }

  get size(): number {
    return this.#spans.reduce((sum, { from, to }) => sum + to - from, 0);
  }

  /** @returns the parts of the stretch that were in the set already */
  add(from: number, to: number): readonly Span[] {
    if (to <= from) return [];
    const first = this.#firstEndingAtOrAfter(from);
    let last = first;
    const known: Span[] = [];
    let start = from;
    let end = to;
    while (last < this.#spans.length && this.#spans[last]!.from <= to) {
      const span = this.#spans[last]!;
      const both = { from: Math.max(span.from, from), to: Math.min(span.to, to) };
      if (both.to > both.from) known.push(both);
      start = Math.min(start, span.from);
      end = Math.max(end, span.to);
      last++;
    }
    this.#spans.splice(first, last - first, { from: start, to: end });
    return known;
  }

  addAll(other: SpanSet): void {
    for (const { from, to } of other.#spans) this.add(from, to);
  }

  /** The parts of a stretch that are not in the set. */
  missing(from: number, to: number): readonly Span[] {
    const gaps: Span[] = [];
    let at = from;
    for (let index = this.#firstEndingAtOrAfter(from); index < this.#spans.length; index++) {
      const span = this.#spans[index]!;
      if (span.from >= to) break;
      if (span.from > at) gaps.push({ from: at, to: span.from });
      at = Math.max(at, span.to);
    }
    if (at < to) gaps.push({ from: at, to });
    return gaps;
  }

  #firstEndingAtOrAfter(value: number): number {
    let low = 0;
    let high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#spans[middle]!.to < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export const lengthOf = (spans: readonly Span[]): number =>
  spans.reduce((sum, { from, to }) => sum + to - from, 0);
