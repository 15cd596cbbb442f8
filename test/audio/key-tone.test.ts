import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PCMU } from '../../src/audio/g711.ts';
import { KeyToneDetector } from '../../src/audio/key-tone.ts';
import { createResampler } from '../../src/audio/resample.ts';
import { mixToMono, parseWav } from '../../src/audio/wav.ts';
import { KEYS, keyTone, sines, withNoise } from './key-tones.ts';
import { noise } from './signals.ts';

const FRAME = 160;
const overTheLine = (sound: Int16Array): Int16Array => PCMU.decode(PCMU.encode(sound)).slice();

/** Which 20 ms frames of a sound are taken for a key's tone; `from`: where the first one begins. */
function frames(sound: Int16Array, from = 0, frame = FRAME, sampleRate = 8_000): boolean[] {
  const detector = new KeyToneDetector(sampleRate);
  const found: boolean[] = [];
  for (let at = from; at + frame <= sound.length; at += frame)
    found.push(detector.push(sound.subarray(at, at + frame)));
  return found;
}

describe('the tone of a key is found', () => {
  const tone = fc.record({
    key: fc.constantFrom(...KEYS),
    dbov: fc.integer({ min: -36, max: -6 }),
    twistDb: fc.integer({ min: -8, max: 8 }),
    offLow: fc.constantFrom(-0.015, 0, 0.015),
    offHigh: fc.constantFrom(-0.015, 0, 0.015),
    seed: fc.integer(),
  });

  test('in every frame of it, at the levels, twists and errors of Q.24, over PCMU', () => {
    fc.assert(
      fc.property(tone, ({ key, ...options }) => {
        expect(frames(overTheLine(keyTone(key, 5 * FRAME, options)))).toEqual(new Array(5).fill(true));
      }),
      { numRuns: 300 },
    );
  });

  test.each([16_000, 24_000] as const)('also at %i Hz', (sampleRate) => {
    const frame = sampleRate / 50;
    for (const key of KEYS) {
      const sound = keyTone(key, 3 * frame, { sampleRate });
      expect(frames(sound, 0, frame, sampleRate)).toEqual([true, true, true]);
    }
  });

  test('12 dB above the noise', () => {
    for (const [seed, key] of [...KEYS].entries()) {
      const sound = overTheLine(withNoise(keyTone(key, 5 * FRAME, { seed }), -27, seed));
      expect(frames(sound)).toEqual(new Array(5).fill(true));
    }
  });

  test('in packets of 5 ms as soon as there are 10 ms of it', () => {
    const sound = new Int16Array(400);
    sound.set(keyTone('5', 240), 80);
    const [no, yes] = [false, true];
    expect(frames(sound, 0, 40)).toEqual([no, no, no, yes, yes, yes, yes, yes, no, no]);
  });
});

describe('what is no key', () => {
  /** A quarter of a second of each is enough to show every phase that frames can have to it. */
  const no = (sound: Int16Array): void => {
    for (let from = 0; from < FRAME; from += 17) expect(frames(sound, from)).not.toContain(true);
  };

  test.each([
    ['the dial tone of America', [350, 440]],
    ['the ring-back tone of America', [440, 480]],
    ['the busy tone of America', [480, 620]],
    ['the busy tone of Europe', [425]],
    ['the busy tone of Britain', [400]],
    ['the three tones of a number that is not in service', [950]],
    ['their second', [1400]],
    ['their third', [1800]],
    ['a calling fax', [1100]],
    ['an answering fax', [2100]],
    ['one low frequency alone', [770]],
    ['one high frequency alone', [1336]],
    ['two of the low group', [697, 852]],
    ['two of the high group', [1209, 1477]],
    ['an octave of a singer', [440, 880, 1320, 1760]],
    ['a chord', [523, 659, 784, 1047]],
    ['a high note', [831, 1661]],
    ['a key among other frequencies', [770, 1336, 2000, 2600]],
  ])('is let through: %s', (_what, hertz) => {
    no(
      overTheLine(
        sines(
          hertz.map((each) => [each, -18] as const),
          2_000,
        ),
      ),
    );
  });

  test('is let through: frequencies off by 3.5 %, more twist than telephones make, silence, noise', () => {
    for (const key of KEYS) {
      no(keyTone(key, 2_000, { offLow: 0.035, offHigh: 0.035 }));
      no(keyTone(key, 2_000, { offLow: -0.035, offHigh: -0.035 }));
      no(keyTone(key, 2_000, { twistDb: 17 }));
      no(keyTone(key, 2_000, { twistDb: -17 }));
      no(keyTone(key, 2_000, { dbov: -50 }));
    }
    no(new Int16Array(2_000));
    no(noise(20_000, 9_000));
  });

  test('is let through: every word of the recorded calls, at every tenth of a frame', {
    timeout: 20_000,
  }, () => {
    const callers = readdirSync('fixtures/calls')
      .filter((call) => call !== 'noisy-dtmf')
      .map((call) => `fixtures/calls/${call}/caller.wav`);
    const bots = readdirSync('fixtures/voices/bot').map((file) => `fixtures/voices/bot/${file}`);
    for (const file of [...callers, ...bots.filter((name) => name.endsWith('.wav'))]) {
      const wav = parseWav(readFileSync(file));
      const mono = mixToMono(wav);
      const narrow =
        wav.sampleRate === 8_000 ? mono : createResampler(wav.sampleRate, 8_000).process(mono).slice();
      const sound = overTheLine(narrow);
      let found = 0;
      for (let from = 0; from < FRAME; from += 16) found += frames(sound, from).filter(Boolean).length;
      expect([file, found]).toEqual([file, 0]);
    }
  });
});
