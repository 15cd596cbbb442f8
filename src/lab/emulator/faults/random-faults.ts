/** Faults by chance, with a seed: what a laboratory lets loose on a call, and can print and play again. */
import { FAULT_NAMES, type FaultFile, type FaultName, MAX_FAULTS } from './catalogue.ts';
import type { CloseName } from './close-rows.ts';

export interface RandomFaultsOptions {
  /** How long the call is; faults are spread over it but for its first seconds. */
  readonly minutes: number;
  /** Default: every kind. */
  readonly kinds?: readonly FaultName[];
  /** Default: those that a caller should hardly notice, as another connection cures them. */
  readonly closes?: readonly CloseName[];
  /** How many on average. Default 2. */
  readonly perMinute?: number;
}

/** A call is let begin in peace: what fails there is another experiment (`at: connect`, `at: setup`). */
const QUIET_START_MS = 4000;

export const CURABLE_CLOSES: readonly CloseName[] = [
  'aborted',
  'not-implemented',
  'internal',
  'unavailable',
  'deadline',
];

/**
 * A list for a scenario's `faults`, in order of time, all at seconds of the call. The same numbers from `random` make
 * the same list.
 * @param random numbers from 0 up to, and without, 1
 */
export function randomFaults(random: () => number, options: RandomFaultsOptions): FaultFile[] {
  const { minutes, kinds = FAULT_NAMES, closes = CURABLE_CLOSES, perMinute = 2 } = options;
  const between = (low: number, high: number): number => Math.round(low + random() * (high - low));
  const oneOf = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  const endMs = minutes * 60_000;
  const faults: FaultFile[] = [];
  if (kinds.length === 0 || perMinute <= 0) return faults;
  // Waiting times between independent events are exponential.
  const pauseMs = (): number => (-Math.log(1 - random()) * 60_000) / perMinute;
  for (let atMs = QUIET_START_MS + pauseMs(); atMs < endMs && faults.length < MAX_FAULTS; atMs += pauseMs()) {
    faults.push(draw(oneOf(kinds), `second:${Math.round(atMs) / 1000}`, { between, oneOf, closes }));
  }
  return faults;
}

interface Chance {
  between(low: number, high: number): number;
  oneOf<T>(choices: readonly T[]): T;
  readonly closes: readonly CloseName[];
}

/** Sizes as they have been reported, where they have. */
function draw(fault: FaultName, at: string, { between, oneOf, closes }: Chance): FaultFile {
  switch (fault) {
    case 'refuse':
      return { at, fault, status: oneOf([409, 429, 503]), forMs: between(500, 15_000) };
    case 'close':
      return { at, fault, close: oneOf(closes) };
    case 'freeze':
      return { at, fault, forMs: between(2000, 51_000) };
    case 'stop-reading':
      return { at, fault, forMs: between(1000, 30_000) };
    case 'late-pongs':
      return { at, fault, delayMs: between(5000, 30_000) };
    case 'go-away':
      return { at, fault, timeLeftMs: between(1000, 60_000) };
    case 'slow-setup':
      return { at, fault, delayMs: between(3000, 15_000) };
    case 'phantom-interrupted': {
      const model = oneOf(['goes-on', 'stops', 'completes'] as const);
      return { at, fault, model, withAudio: model !== 'completes' && oneOf([true, false]) };
    }
    case 'swallow':
      return { at, fault, transcribe: oneOf([true, false]) };
    case 'slow-answer':
      return { at, fault, delayMs: between(3000, 20_000) };
    case 'stall':
      return { at, fault, afterMs: between(50, 1500), forMs: between(2000, 50_000) };
    case 'slow-audio':
      return { at, fault, pace: between(40, 95) / 100 };
    case 'near-silent':
    case 'empty-turn':
      return oneOf([true, false]) ? { at, fault, reason: 'RESPONSE_REJECTED' } : { at, fault };
    case 'cut-sentence':
      return { at, fault, afterMs: between(200, 3000) };
    case 'no-turn-complete':
      return oneOf([true, false]) ? { at, fault, lateByMs: between(1000, 50_000) } : { at, fault };
    case 'malformed-args':
      return { at, fault, args: oneOf([null, [], 'no object', { '': { deep: [null] } }]) };
    default:
      return { at, fault };
  }
}
