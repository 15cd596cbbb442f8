import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeWav } from '../../src/audio/wav.ts';
import { readClips } from '../../src/call/clips.ts';
import { OffhookError } from '../../src/errors.ts';
import { sine } from '../audio/signals.ts';
import { ROOT, recording } from '../fixtures/recordings.ts';

const NAMES = ['greeting', 'apology', 'goodbye', 'moment'] as const;

test('the clips of the box are there, as long as their recordings, and can be heard', () => {
  const clips = readClips(join(ROOT, 'assets/clips/en'));
  for (const name of NAMES) {
    const wav = recording(`assets/clips/en/${name}.wav`);
    const seconds = wav.samples.length / wav.channels / wav.sampleRate;
    expect(clips[name].bytes.length / 2 / 24_000).toBeCloseTo(seconds, 3);
    let peak = 0;
    for (let at = 0; at < clips[name].bytes.length; at += 2)
      peak = Math.max(peak, clips[name].bytes.readInt16LE(at));
    expect(peak).toBeGreaterThan(3_000);
    expect(clips[name].text).not.toBe('');
  }
});

test('a recording of another rate comes out at 24 kHz, and a missing or broken one is named', () => {
  const dir = mkdtempSync(join(tmpdir(), 'clips-'));
  try {
    const tone = sine({ hertz: 440, sampleRate: 8_000, samples: 4_000, dbfs: -6 });
    for (const name of NAMES) writeFileSync(join(dir, `${name}.wav`), writeWav(8_000, [tone]));
    const { bytes } = readClips(dir).moment;
    expect(bytes.length).toBe(12_000 * 2);
    let crossings = 0;
    for (let at = 2; at < bytes.length; at += 2) {
      if (bytes.readInt16LE(at - 2) < 0 !== bytes.readInt16LE(at) < 0) crossings += 1;
    }
    expect(Math.abs(crossings - 440)).toBeLessThanOrEqual(2);

    writeFileSync(join(dir, 'goodbye.wav'), 'not a recording');
    expect(() => readClips(dir)).toThrow(/goodbye\.wav/);
    rmSync(join(dir, 'apology.wav'));
    const attempt = () => readClips(dir);
    expect(attempt).toThrow(OffhookError);
    expect(attempt).toThrow(/apology\.wav/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
