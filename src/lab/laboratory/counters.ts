/**
 * Audio in which every sample says where it belongs, so that loss, doubling and disorder are exact and cost little to
 * find. Two neighbours, an even sample and an odd one, hold 13 bits each of their pair's number: any stretch of two or
 * more samples tells its place, wherever chunks were cut. Counted audio is loud (about -10 dBov, turned over every
 * sixteen samples as a voice is at 500 Hz), silence is zero: detectors that go by level agree on where speech is.
 */
const QUIETEST = 4_096;
const FIELD_BITS = 13;
const FIELD_MASK = (1 << FIELD_BITS) - 1;
const ODD = 1 << FIELD_BITS;

/** Places are counted from 0; the first that no longer fits: more than two hours at 16 kHz. */
export const MAX_PLACE = 1 << (2 * FIELD_BITS + 1);

/** The sample at a place. */
function sampleAt(place: number): number {
  const pair = place >>> 1;
  const field = (place & 1) === 0 ? pair & FIELD_MASK : ODD | (pair >>> FIELD_BITS);
  return (place & 16) === 0 ? QUIETEST + field : -(QUIETEST + field);
}

/** Fills `into` with counted samples from `place` on. */
export function writeCounted(into: Int16Array, place: number): void {
  for (let index = 0; index < into.length; index++) into[index] = sampleAt(place + index);
}

export interface CountedSink {
  /** Samples in order and without a gap, from `from` up to and without `to`. A stretch may come in several calls. */
  counted(from: number, to: number): void;
  /** So many samples that hold no count: silence, or near it. */
  quiet(samples: number): void;
  /** So many samples that are loud and no count: somebody has changed them. */
  foreign(samples: number): void;
}

/** Reads counted audio, cut anywhere. */
export class CounterReader {
  readonly #sink: CountedSink;
  /** The place that would go on where the last sample left off; -1 when that is not known. */
  #next = -1;
  /** A sample whose place shows only with what follows it: an even one at the end of a chunk, or an odd one at a cut. */
  #waiting: number | null = null;
  /** An odd sample that stood before the one that waits. */
  #orphan: number | null = null;

  constructor(sink: CountedSink) {
    this.#sink = sink;
  }

  push(samples: Int16Array): void {
    const { length } = samples;
    let index = 0;
    while (index < length) {
      const from = index;
      if (this.#waiting === null && this.#goesOn(samples, index)) {
        const place = this.#next;
        do index++;
        while (index < length && samples[index] === sampleAt(place + index - from));
        this.#next = place + index - from;
        this.#sink.counted(place, this.#next);
      } else if (isQuiet(samples[index]!)) {
        this.#giveUp();
        while (index < length && isQuiet(samples[index]!)) index++;
        this.#sink.quiet(index - from);
      } else {
        this.#place(samples[index]!);
        index++;
      }
    }
  }

  /** By its neighbour too where there is one: every 8,192nd even sample looks like this one. */
  #goesOn(samples: Int16Array, index: number): boolean {
    const next = this.#next;
    if (next < 0 || samples[index] !== sampleAt(next)) return false;
    return (next & 1) === 1 || index + 1 === samples.length || samples[index + 1] === sampleAt(next + 1);
  }

  /** Nothing follows: what waits stays without a place. */
  end(): void {
    this.#giveUp();
    this.#next = -1;
  }

  /** A loud sample that does not go on where the last one left off. */
  #place(sample: number): void {
    const before = this.#waiting;
    this.#waiting = null;
    if (before === null) {
      this.#next = -1;
      this.#waiting = sample;
      return;
    }
    const place = placeOf(before, sample);
    if (place >= 0) {
      this.#found(place);
    } else if (isOdd(before) && !isOdd(sample)) {
      // The pair that `sample` begins tells the place of the one before it as well.
      this.#orphan = before;
      this.#waiting = sample;
    } else {
      this.#orphanLost();
      this.#sink.foreign(1);
      this.#waiting = sample;
    }
  }

  #found(place: number): void {
    const orphan = this.#orphan;
    const belongs = orphan !== null && place > 0 && sampleAt(place - 1) === orphan;
    if (!belongs) this.#orphanLost();
    this.#orphan = null;
    this.#next = place + 2;
    this.#sink.counted(belongs ? place - 1 : place, this.#next);
  }

  #orphanLost(): void {
    if (this.#orphan !== null) this.#sink.foreign(1);
    this.#orphan = null;
  }

  #giveUp(): void {
    this.#orphanLost();
    if (this.#waiting !== null) this.#sink.foreign(1);
    this.#waiting = null;
  }
}

const isOdd = (sample: number): boolean => Math.abs(sample) >= QUIETEST + ODD;
const isQuiet = (sample: number): boolean => sample < QUIETEST && sample > -QUIETEST;

/** The place of an even sample that is followed by `second`; -1 when the two are no pair. */
function placeOf(first: number, second: number): number {
  const low = Math.abs(first) - QUIETEST;
  const high = Math.abs(second) - QUIETEST;
  if (low < 0 || low > FIELD_MASK || high < ODD) return -1;
  const place = (((high & FIELD_MASK) << FIELD_BITS) | low) * 2;
  return sampleAt(place) === first && sampleAt(place + 1) === second ? place : -1;
}
