/** `digit` as a key of the telephone, or null where it is none. */
export function keyOf(digit: unknown): string | null {
  return typeof digit === 'string' && /^[0-9*#A-Da-d]$/.test(digit) ? digit.toUpperCase() : null;
}
