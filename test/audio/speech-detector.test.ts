import { afterEach, describe, expect, test } from 'vitest';
import { SILENCE_DBOV } from '../../src/audio/level.ts';
import { SpeechDetector } from '../../src/audio/speech-detector.ts';
import { createVoiceDetector, type VoiceDetector } from '../../src/audio/vad.ts';
import { join, noise, seeded, sine } from './signals.ts';
import { voiced } from './voice.ts';

const FRAME = 160;
const voices: VoiceDetector[] = [];

function detectorOnLine(options: { endMs?: number; echoLossDb?: number } = {}): SpeechDetector {
  const voice = createVoiceDetector();
  voices.push(voice);
  return new SpeechDetector({ voice, ...options });
}

afterEach(() => {
  for (const voice of voices.splice(0)) voice.dispose();
});

/** A detector whose voice detector takes everything for speech: only the levels decide. */
const credulous = () => new SpeechDetector({ voice: { isSpeech: () => true } });

interface Heard {
  readonly change: 'onset' | 'end';
  /** Number of the frame after which it was known. */
  readonly frame: number;
}

/** Pushes a whole signal, played over our own audio of the given level. */
function hear(detector: SpeechDetector, signal: Int16Array, echoDbov = SILENCE_DBOV): Heard[] {
  const heard: Heard[] = [];
  for (let at = 0; at + FRAME <= signal.length; at += FRAME) {
    const frame = detector.frames;
    const change = detector.push(signal.subarray(at, at + FRAME), echoDbov);
    if (change !== null) heard.push({ change, frame });
  }
  return heard;
}

const silence = (ms: number) => new Int16Array(ms * 8);
const white = (ms: number, dbov: number) => noise(ms * 8, 32_768 * 10 ** (dbov / 20) * Math.sqrt(3), 3);
const onsets = (heard: Heard[]) => heard.filter(({ change }) => change === 'onset').length;
const plus = (a: Int16Array, b: Int16Array) => a.map((value, i) => value + (b[i] ?? 0));

describe('an utterance', () => {
  test('strong speech is known within 50 ms, wherever in a frame it begins', () => {
    for (let offset = 0; offset < FRAME; offset += 16) {
      const begin = 8_000 + offset;
      const [onset] = hear(detectorOnLine(), join([new Int16Array(begin), voiced(4_000, -22)]));
      const delayMs = ((onset!.frame + 1) * FRAME - begin) / 8;
      expect(delayMs, `begun ${offset} samples into a frame`).toBeLessThanOrEqual(50);
    }
  });

  test('weak speech is known too, by the careful way', () => {
    const [onset] = hear(detectorOnLine(), join([silence(1_000), voiced(4_000, -44)]));
    expect(((onset!.frame + 1) * FRAME - 8_000) / 8).toBeLessThanOrEqual(100);
  });

  test.each([200, 400, 800])('ends %i ms after its last speech', (endMs) => {
    const detector = detectorOnLine({ endMs });
    const heard = hear(detector, join([silence(500), voiced(8_000, -25), silence(1_500)]));
    expect(heard.map(({ change }) => change)).toEqual(['onset', 'end']);
    expect(heard[1]!.frame - detector.lastSpeechFrame).toBe(endMs / 20);
    // Speech lasted to 1.5 s; the voice detector hangs on a little.
    expect(Math.abs(detector.lastSpeechFrame - 75)).toBeLessThanOrEqual(3);
  });

  test('goes on over a pause between syllables', () => {
    const word = voiced(2_400, -25);
    const heard = hear(detectorOnLine(), join([silence(500), word, silence(300), word, silence(300), word]));
    expect(heard.map(({ change }) => change)).toEqual(['onset']);
  });

  test('says in which frame it began, its soft beginning included', () => {
    const detector = detectorOnLine();
    const [onset] = hear(detector, join([silence(1_000), white(100, -52), voiced(2_400, -22)]));
    expect(onset!.change).toBe('onset');
    expect(detector.onsetFrame).toBe(50);
  });

  test('may be followed by another', () => {
    const detector = detectorOnLine();
    const word = join([voiced(3_200, -25), silence(800)]);
    const heard = hear(detector, join([silence(500), word, word, word]));
    expect(heard.map(({ change }) => change)).toEqual(['onset', 'end', 'onset', 'end', 'onset', 'end']);
    expect(detector.speaking).toBe(false);
    expect(detector.frames).toBe(205);
    expect(detector.onsetFrame).toBe(145);
  });

  test('is found in noise 20 dB below it', () => {
    const line = white(9_000, -46);
    const speech = join([
      silence(3_000),
      voiced(4_000, -26),
      silence(2_000),
      voiced(4_000, -26),
      silence(3_000),
    ]);
    expect(onsets(hear(detectorOnLine(), plus(line, speech)))).toBe(2);
  });
});

describe('no utterance', () => {
  test.each([-60, -46, -40, -36, -31])('steady white noise at %i dBov, from the first frame on', (dbov) => {
    expect(hear(detectorOnLine(), white(20_000, dbov))).toEqual([]);
  });

  test.each([-46, -33])('hum at %i dBov', (dbov) => {
    const hum = sine({ hertz: 50, sampleRate: 8_000, samples: 160_000, dbfs: dbov + 3 });
    expect(hear(detectorOnLine(), hum)).toEqual([]);
  });

  test.each([1, 2, 5, 10, 20])('clicks of %i ms, wherever they fall', (ms) => {
    const random = seeded(ms);
    const line = silence(30_000);
    for (let at = 8_000; at < line.length - 4_000; at += 3_000 + Math.floor(random() * 4_000)) {
      line.set(noise(ms * 8, 20_000, at), at);
    }
    expect(hear(detectorOnLine(), line)).toEqual([]);
  });

  test('a voice below -48 dBov, whatever the voice detector says', () => {
    const word = (dbov: number) => join([silence(500), white(300, dbov), silence(500)]);
    expect(hear(credulous(), word(-50))).toEqual([]);
    expect(onsets(hear(credulous(), word(-46)))).toBe(1);
  });

  test('digital silence, for which the voice detector is not even asked', () => {
    let asked = 0;
    const detector = new SpeechDetector({
      voice: {
        isSpeech: () => {
          asked += 1;
          return true;
        },
      },
    });
    expect(hear(detector, silence(2_000))).toEqual([]);
    expect(asked).toBe(0);
    expect(detector.levelDbov).toBe(SILENCE_DBOV);
    expect([detector.lastSpeechFrame, detector.onsetFrame]).toEqual([-1, -1]);
  });
});

describe('our own echo', () => {
  const echo = join([silence(500), voiced(16_000, -44)]);

  test('would be taken for the caller if we did not know what we play', () => {
    expect(onsets(hear(detectorOnLine(), echo))).toBe(1);
  });

  test('is passed over while we play what explains it', () => {
    expect(hear(detectorOnLine(), echo, -18)).toEqual([]);
  });

  test('is passed over for as long as it may come back late: 400 ms', () => {
    const detector = credulous();
    hear(detector, silence(1_000), -18);
    expect(hear(detector, join([silence(260), white(120, -44), silence(300)]), SILENCE_DBOV)).toEqual([]);
  });

  test('half a second later the same sound is the caller again', () => {
    const detector = credulous();
    hear(detector, silence(1_000), -18);
    hear(detector, silence(400), SILENCE_DBOV);
    expect(onsets(hear(detector, white(120, -44), SILENCE_DBOV))).toBe(1);
  });

  test('does not hide a caller who is louder than it', () => {
    expect(onsets(hear(detectorOnLine(), join([silence(500), voiced(8_000, -24)]), -18))).toBe(1);
  });

  test('a line with a worse echo can be told so', () => {
    const loud = join([silence(500), voiced(8_000, -30)]);
    expect(onsets(hear(detectorOnLine({ echoLossDb: 26 }), loud, -18))).toBe(1);
    expect(onsets(hear(detectorOnLine({ echoLossDb: 10 }), loud, -18))).toBe(0);
  });
});
