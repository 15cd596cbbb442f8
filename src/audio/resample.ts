/** Sample rate conversion of a live stream. For whole signals in files see offline.ts. */
import { DECIMATOR_TAPS, DecimatorKernel } from './decimator.ts';
import { HALF_BAND_TAPS, HalfBandKernel } from './half-band.ts';
import { designPolyphase, type PolyphaseDesign, PolyphaseKernel } from './polyphase.ts';
import { type Kernel, KernelResampler, type Resampler, toSample } from './resampler.ts';
import { compileFilter, SimdKernel } from './simd-kernel.ts';
import { decimatorModule } from './wasm/decimator.ts';
import { halfBandModule } from './wasm/half-band.ts';

export type { Resampler } from './resampler.ts';

/** Computed once and shared: a call costs its state only. */
const DESIGNS: readonly PolyphaseDesign[] = [
  designPolyphase({ inputRate: 16_000, up: 1, down: 2, taps: 123, cutoffHz: 3_850, beta: 8 }),
  designPolyphase({ inputRate: 8_000, up: 3, down: 1, taps: 147, cutoffHz: 4_000, beta: 8 }),
  designPolyphase({ inputRate: 24_000, up: 2, down: 3, taps: 183, cutoffHz: 7_600, beta: 8 }),
  designPolyphase({ inputRate: 16_000, up: 3, down: 2, taps: 183, cutoffHz: 7_800, beta: 8 }),
];

/** Between a telephone line and Gemini Live: all but a few conversions are one of these two. */
const HALF_BAND = compileFilter(halfBandModule(HALF_BAND_TAPS));
const DECIMATOR = compileFilter(decimatorModule(DECIMATOR_TAPS));

const RATES = [8_000, 16_000, 24_000];

/** No conversion: only the gain. */
class IdentityKernel implements Kernel {
  readonly inputRate: number;
  readonly outputRate: number;
  readonly delaySeconds = 0;
  readonly blockSamples = 480;
  readonly stateBytes = 0;
  readonly #gain: number;

  constructor(sampleRate: number, gain: number) {
    this.inputRate = sampleRate;
    this.outputRate = sampleRate;
    this.#gain = gain;
  }

  run(input: Int16Array, from: number, to: number, output: Int16Array, at: number): number {
    for (let i = from; i < to; i += 1) output[at + i - from] = toSample(this.#gain * input[i]!);
    return at + to - from;
  }

  reset(): void {}
}

/**
 * A converter between any two of 8, 16 and 24 kHz (equal rates: a copy).
 *
 * Pass-band flat to 0.01 dB up to 3.4 kHz, delay below 4 ms, output the same to the bit for every chunking.
 * @param options.gainDb amplification in dB, -40 to 20, free of charge; overshoot is clamped. Default 0
 * @param options.simd false: JavaScript also where WebAssembly could be used. The two differ by 1 in some samples of
 * ten thousand, so that what has to come out the same on every machine asks for false. Default true
 * @throws RangeError for other rates or gains: a bug of the caller, never a matter of what a peer sent
 */
export function createResampler(
  inputRate: number,
  outputRate: number,
  options: { readonly gainDb?: number; readonly simd?: boolean } = {},
): Resampler {
  const gainDb = options.gainDb ?? 0;
  if (!(gainDb >= -40 && gainDb <= 20)) {
    throw new RangeError(`Cannot resample with a gain of "${gainDb}" dB: -40 to 20 is wanted.`);
  }
  return new KernelResampler(createKernel(inputRate, outputRate, 10 ** (gainDb / 20), options.simd ?? true));
}

function createKernel(inputRate: number, outputRate: number, gain: number, simd: boolean): Kernel {
  if (inputRate === outputRate && RATES.includes(inputRate)) return new IdentityKernel(inputRate, gain);
  if (inputRate === 8_000 && outputRate === 16_000) {
    return simd && HALF_BAND ? new SimdKernel(HALF_BAND, 8_000, gain) : new HalfBandKernel(8_000, gain);
  }
  if (inputRate === 24_000 && outputRate === 8_000) {
    return simd && DECIMATOR ? new SimdKernel(DECIMATOR, 24_000, gain) : new DecimatorKernel(gain);
  }
  const design = DESIGNS.find((d) => d.inputRate === inputRate && d.outputRate === outputRate);
  if (design === undefined) {
    throw new RangeError(
      `Cannot resample a stream from "${inputRate}" to "${outputRate}" Hz: ${RATES.join(', ')} Hz are wanted.`,
    );
  }
  return new PolyphaseKernel(design, gain);
}
