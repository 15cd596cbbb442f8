/** Chance with a seed (mulberry32): numbers from 0 up to, and without, 1. The same seed gives the same numbers. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A string of decimal digits, the first not 0. */
export function randomDigits(random: () => number, count: number): string {
  let digits = String(1 + Math.floor(random() * 9));
  while (digits.length < count) digits += Math.floor(random() * 10);
  return digits;
}
