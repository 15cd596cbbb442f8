/** Filter design by the windowed-sinc method with Kaiser's window: ten lines that can be checked by eye. */

/** The modified Bessel function of the first kind, order 0, by its power series. */
export function besselI0(x: number): number {
  const quarter = (x * x) / 4;
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k += 1) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}

/** Kaiser's window at `t` in -1..1 (0 outside); `beta` trades side lobes for the width of the transition. */
export function kaiser(t: number, beta: number): number {
  return Math.abs(t) > 1 ? 0 : besselI0(beta * Math.sqrt(1 - t * t)) / besselI0(beta);
}

/** sin(pi x) / (pi x). */
export function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/**
 * A linear-phase low-pass of `taps` coefficients (delay: (taps - 1) / 2 samples) that is 6 dB down at `cutoffHz`.
 * The coefficients add up to `sum`.
 */
export function lowPass(options: {
  readonly taps: number;
  readonly sampleRate: number;
  readonly cutoffHz: number;
  readonly beta: number;
  readonly sum: number;
}): Float64Array {
  const { taps, sampleRate, cutoffHz, beta, sum } = options;
  const middle = (taps - 1) / 2;
  const window = Float64Array.from({ length: taps }, (_, k) => {
    const x = k - middle;
    return sinc((2 * cutoffHz * x) / sampleRate) * kaiser(x / middle, beta);
  });
  const total = window.reduce((a, b) => a + b, 0);
  return window.map((tap) => (tap * sum) / total);
}
