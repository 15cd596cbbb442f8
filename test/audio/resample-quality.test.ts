import { describe, expect, test } from 'vitest';
import { PCMU } from '../../src/audio/g711.ts';
import { convertOffline } from '../../src/audio/offline.ts';
import { createResampler } from '../../src/audio/resample.ts';
import { db, fitTone, join, multitone, rms, sinad, sine, snr } from './signals.ts';

const SPEECH_TONES = [203, 307, 601, 1004, 1501, 2003, 2503, 2999, 3203, 3397];

/** Those of the hot path, which come in SIMD and in JavaScript. */
const HOT = [
  [8_000, 16_000],
  [24_000, 8_000],
] as const;

const PAIRS = [...HOT, [16_000, 8_000], [8_000, 24_000], [24_000, 16_000], [16_000, 24_000]] as const;

describe.each([true, false])('SIMD: %s', (simd) => {
  /** Converts a whole signal in 20 ms frames, as a call does. */
  function convert(signal: Int16Array, inputRate: number, outputRate: number, gainDb = 0): Int16Array {
    const resampler = createResampler(inputRate, outputRate, { gainDb, simd });
    const frame = inputRate / 50;
    const frames = Array.from({ length: Math.ceil(signal.length / frame) }, (_, i) =>
      resampler.process(signal.subarray(i * frame, (i + 1) * frame)).slice(),
    );
    return join(frames);
  }

  /** The settled part of a tone that went through a conversion, and the amplitude it went in with. */
  function tone(hertz: number, inputRate: number, outputRate: number, dbfs = -1) {
    const input = sine({ hertz, sampleRate: inputRate, samples: inputRate / 2, dbfs });
    const output = convert(input, inputRate, outputRate).subarray(outputRate / 20);
    return { output, gain: db(fitTone(output, hertz, outputRate).amplitude / (32_767 * 10 ** (dbfs / 20))) };
  }

  describe.each<readonly [number, number]>(simd ? PAIRS : HOT)('%i to %i Hz', (inputRate, outputRate) => {
    test('speech passes flat: at most 0.05 dB of ripple from 200 to 3,400 Hz', () => {
      for (const hertz of SPEECH_TONES) {
        expect(Math.abs(tone(hertz, inputRate, outputRate).gain), `${hertz} Hz`).toBeLessThan(0.05);
      }
    });

    test('every tone of speech comes out alone: all else is 80 dB down', () => {
      for (const hertz of SPEECH_TONES) {
        expect(
          sinad(tone(hertz, inputRate, outputRate).output, hertz, outputRate),
          `${hertz} Hz`,
        ).toBeGreaterThan(80);
      }
    });

    test('the delay is what it says, and below 4 ms', () => {
      const { delayMs } = createResampler(inputRate, outputRate, { simd });
      expect(delayMs).toBeLessThan(4);
      // The phase of a tone that lags by the delay, removed, leaves the tone itself.
      const hertz = 1000;
      const output = convert(
        sine({ hertz, sampleRate: inputRate, samples: inputRate / 4, dbfs: -6 }),
        inputRate,
        outputRate,
      );
      const expected = Float64Array.from(output, (_, i) => {
        const seconds = i / outputRate - delayMs / 1000;
        return 32_767 * 10 ** (-6 / 20) * Math.sin(2 * Math.PI * hertz * seconds + 0.3);
      });
      const settled = outputRate / 20;
      expect(snr(output.subarray(settled), expected.subarray(settled))).toBeGreaterThan(70);
    });

    test('at most 16 kB of state, also after a second of audio at once', () => {
      const resampler = createResampler(inputRate, outputRate, { simd });
      resampler.process(new Int16Array(1_500));
      expect(resampler.stateBytes).toBeGreaterThan(0);
      expect(resampler.process(new Int16Array(inputRate))).toHaveLength(outputRate);
      expect(resampler.stateBytes).toBeLessThanOrEqual(16_000);
    });

    test('a full-scale square wave is clamped and never wraps round', () => {
      const half = inputRate / 400;
      const square = Int16Array.from({ length: inputRate / 5 }, (_, i) =>
        Math.floor(i / half) % 2 ? -32_768 : 32_767,
      );
      const output = convert(square, inputRate, outputRate, 6);
      // In the middle of every half wave the sign is that of the square wave.
      const delay = Math.round(
        (createResampler(inputRate, outputRate, { simd }).delayMs / 1000) * outputRate,
      );
      const outputHalf = outputRate / 400;
      for (let k = 4; k < 70; k += 1) {
        const middle = Math.floor((k + 0.5) * outputHalf) + delay;
        expect(Math.sign(output[middle]!)).toBe(k % 2 ? -1 : 1);
        expect(Math.abs(output[middle]!)).toBeGreaterThan(30_000);
      }
    });
  });

  test.each([
    [8_000, 16_000, 85],
    [24_000, 8_000, 86],
  ])('%i to %i Hz: nothing but the rounding to 16 bits is added: SINAD above %i dB', (from, to, limit) => {
    expect(sinad(tone(1_004, from, to, -10).output, 1_004, to)).toBeGreaterThan(limit);
  });

  describe('images and aliases', () => {
    test.each(SPEECH_TONES)('8 to 16 kHz: the image of %i Hz is at least 80 dB below it', (hertz) => {
      const { output } = tone(hertz, 8_000, 16_000);
      const { amplitude, rest } = fitTone(output, hertz, 16_000);
      expect(db(fitTone(rest, 8_000 - hertz, 16_000).amplitude / amplitude)).toBeLessThan(-80);
    });

    test.each([4_400, 4_601, 5_003, 6_007, 7_001, 8_003, 9_001, 10_007, 11_503])(
      '24 to 8 kHz: %i Hz, which has no place there, is at least 80 dB down',
      (hertz) => {
        const { output } = tone(hertz, 24_000, 8_000);
        expect(db((rms(output) * Math.SQRT2) / 32_767)).toBeLessThan(-80);
      },
    );

    test('24 to 8 kHz: 4,201 Hz, in the slope, is 75 dB down, and 3,600 Hz is still there', () => {
      expect(db((rms(tone(4_201, 24_000, 8_000).output) * Math.SQRT2) / 32_767)).toBeLessThan(-75);
      expect(tone(3_600, 24_000, 8_000).gain).toBeGreaterThan(-0.2);
    });

    test.each([4_601, 5_003, 7_001])('16 to 8 kHz: %i Hz is at least 80 dB down', (hertz) => {
      expect(db((rms(tone(hertz, 16_000, 8_000).output) * Math.SQRT2) / 32_767)).toBeLessThan(-80);
    });
  });

  describe('with mu-law in the path', () => {
    const line = (samples: Int16Array) => PCMU.decode(PCMU.encode(samples));
    const hertz = 1_004;

    test('8 to 16 kHz costs at most 0.2 dB against G.711 alone', () => {
      const spoken = line(sine({ hertz, sampleRate: 8_000, samples: 8_000, dbfs: -10 }));
      const alone = sinad(spoken.subarray(400), hertz, 8_000);
      const converted = sinad(convert(spoken, 8_000, 16_000).subarray(800), hertz, 16_000);
      expect(alone).toBeGreaterThan(37);
      expect(converted).toBeGreaterThan(alone - 0.2);
    });

    test('24 to 8 kHz costs at most 0.2 dB against G.711 alone', () => {
      const alone = sinad(line(sine({ hertz, sampleRate: 8_000, samples: 8_000, dbfs: -10 })), hertz, 8_000);
      const answer = sine({ hertz, sampleRate: 24_000, samples: 24_000, dbfs: -10 });
      expect(sinad(line(convert(answer, 24_000, 8_000)).subarray(400), hertz, 8_000)).toBeGreaterThan(
        alone - 0.2,
      );
    });
  });

  describe('against wave-resampler, which shares no code with it', () => {
    test('8 to 16 kHz: at least 70 dB of agreement below 3.3 kHz', () => {
      const signal = multitone(8_000, 12_000);
      const delay = 56;
      const own = convert(signal, 8_000, 16_000);
      const oracle = convertOffline(signal, 8_000, 16_000);
      expect(
        snr(own.subarray(2_000 + delay, 20_000 + delay), oracle.subarray(2_000, 20_000)),
      ).toBeGreaterThan(70);
    });

    test('24 to 8 kHz: at least 70 dB of agreement below 3.3 kHz', () => {
      const signal = multitone(24_000, 36_000);
      // Two samples more make the delay of 91 a whole number of output samples.
      const own = convert(join([new Int16Array(2), signal]), 24_000, 8_000);
      const oracle = convertOffline(signal, 24_000, 8_000);
      expect(snr(own.subarray(1_000 + 31, 10_000 + 31), oracle.subarray(1_000, 10_000))).toBeGreaterThan(70);
    });
  });

  test('the gain is applied inside, in dB', () => {
    const plain = tone(1_000, 24_000, 8_000, -12).output;
    const softer = convert(
      sine({ hertz: 1_000, sampleRate: 24_000, samples: 12_000, dbfs: -12 }),
      24_000,
      8_000,
      -6,
    );
    const ratio =
      fitTone(softer.subarray(400), 1_000, 8_000).amplitude / fitTone(plain, 1_000, 8_000).amplitude;
    expect(db(ratio)).toBeCloseTo(-6, 2);
  });
});
