import { expect, test } from 'vitest';
import { createVoiceDetector, voiceDetectorMemoryBytes } from '../../src/audio/vad.ts';
import { voiced } from './voice.ts';

const SILENCE = new Int16Array(160);

/** How many of the frames of a signal are judged speech. */
function speechFrames(detector: { isSpeech(frame: Int16Array): boolean }, signal: Int16Array): number {
  let count = 0;
  for (let at = 0; at + 160 <= signal.length; at += 160) {
    if (detector.isSpeech(signal.subarray(at, at + 160))) count += 1;
  }
  return count;
}

test('a voice is speech, silence is not', () => {
  const detector = createVoiceDetector();
  expect(speechFrames(detector, new Int16Array(8000))).toBe(0);
  expect(speechFrames(detector, voiced(4000, -20))).toBeGreaterThan(15);
  detector.dispose();
});

test('two thousand calls at once each hear their own line', () => {
  const detectors = Array.from({ length: 2_000 }, () => createVoiceDetector());
  const voice = voiced(1600, -20);
  const counts = detectors.map((detector, i) => (i % 2 === 0 ? speechFrames(detector, voice) : 0));
  expect(detectors.map((detector, i) => (i % 2 === 0 ? false : detector.isSpeech(SILENCE)))).not.toContain(
    true,
  );
  expect(new Set(counts.filter((_, i) => i % 2 === 0)).size).toBe(1);
  for (const detector of detectors) detector.dispose();
});

test('disposing gives the memory back: many more calls than would fit leave it as large as it was', () => {
  const before = voiceDetectorMemoryBytes();
  for (let i = 0; i < 40_000; i += 1) createVoiceDetector().dispose();
  expect(voiceDetectorMemoryBytes()).toBe(before);
});

test('a disposed detector hears nothing, and may be disposed of again without harm to its successor', () => {
  const old = createVoiceDetector();
  old.dispose();
  const successor = createVoiceDetector();
  old.dispose();
  old.reset();
  expect(speechFrames(old, voiced(4000, -20))).toBe(0);
  expect(speechFrames(successor, voiced(4000, -20))).toBeGreaterThan(15);
  successor.dispose();
});

test('a reset leaves it as new', () => {
  const fresh = createVoiceDetector();
  const used = createVoiceDetector();
  speechFrames(used, voiced(16_000, -12));
  used.reset();
  const voice = voiced(8000, -35);
  for (let at = 0; at + 160 <= voice.length; at += 160) {
    const frame = voice.subarray(at, at + 160);
    expect(used.isSpeech(frame)).toBe(fresh.isSpeech(frame));
  }
  fresh.dispose();
  used.dispose();
});

test('a frame of another length is refused', () => {
  const detector = createVoiceDetector();
  expect(() => detector.isSpeech(new Int16Array(80))).toThrow('"80"');
  detector.dispose();
});
