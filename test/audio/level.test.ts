import { expect, test } from 'vitest';
import { PCMA, PCMU } from '../../src/audio/g711.ts';
import { levelDbov, payloadLevelDbov, SILENCE_DBOV } from '../../src/audio/level.ts';
import { noise, rms, sine } from './signals.ts';

test('a full-scale square wave is 0 dBov', () => {
  expect(levelDbov(new Int16Array(160).fill(-32_768))).toBe(0);
});

test('a full-scale sine is 3.01 dB below it', () => {
  const tone = sine({ hertz: 1000, sampleRate: 8000, samples: 8000, dbfs: 0 });
  expect(levelDbov(tone)).toBeCloseTo(-3.01, 2);
});

test('half the amplitude is 6.02 dB less', () => {
  const [loud, soft] = [8000, 4000].map((value) => levelDbov(new Int16Array(80).fill(value)));
  expect(loud! - soft!).toBeCloseTo(6.02, 2);
});

test('silence, and no samples at all, are at the bottom', () => {
  expect(levelDbov(new Int16Array(160))).toBe(SILENCE_DBOV);
  expect(levelDbov(new Int16Array(0))).toBe(SILENCE_DBOV);
  expect(payloadLevelDbov(PCMU, new Uint8Array(160).fill(PCMU.silence))).toBe(SILENCE_DBOV);
  expect(payloadLevelDbov(PCMA, new Uint8Array(160).fill(PCMA.silence))).toBeCloseTo(-72.2, 1);
});

test.each([PCMU, PCMA])('$name: the level of a payload is that of the samples it decodes to', (law) => {
  const payload = law.encode(noise(1000, 9000, 3));
  const expected = 20 * Math.log10(rms(law.decode(payload)) / 32_768);
  expect(payloadLevelDbov(law, payload)).toBeCloseTo(expected, 9);
});
