import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createResampler } from '../../../src/audio/resample.ts';
import { parseWav } from '../../../src/audio/wav.ts';
import { type BotClip, ClipRecognizer } from '../../../src/lab/report/clips.ts';
import { overG711, sequence } from '../../support/call-run.ts';

const clip = (name: string): BotClip => ({
  name,
  samples: parseWav(readFileSync(new URL(`../../../fixtures/voices/bot/${name}.wav`, import.meta.url)))
    .channels[0]!,
});
const greeting = clip('greeting');
const hours = clip('hours');
const goodbye = clip('goodbye');
const recognizer = new ClipRecognizer([greeting, hours, goodbye]);

/** As a caller hears it: 24 to 8 kHz, and G.711. */
function heardOf({ samples }: BotClip): Int16Array {
  const resampler = createResampler(24_000, 8_000);
  return overG711(Int16Array.from([...resampler.process(samples).slice(), ...resampler.flush().slice()]));
}

describe('what the caller heard is recognised', () => {
  it('as the clip that was played, whole, with nothing but G.711 between', () => {
    const heard = heardOf(hours);
    const found = recognizer.recognize(heard, 1_000);
    expect(found.map(({ name }) => name)).toEqual(['hours']);
    const [one] = found;
    expect(one!.clipMs - one!.clipToMs).toBeLessThan(80);
    expect(one!.fromMs).toBeGreaterThanOrEqual(1_000);
    expect(one!.residualDb).toBeLessThan(-28);
  });

  it('up to where it was cut', () => {
    const heard = heardOf(greeting).slice(0, 8 * 1_400);
    const [one] = recognizer.recognize(heard, 0);
    expect(one!.name).toBe('greeting');
    // The converter delays by 3.8 ms.
    expect(one!.clipToMs).toBeGreaterThan(1_360);
    expect(one!.clipToMs).toBeLessThanOrEqual(1_400);
  });

  it('from where it goes on', () => {
    const [one] = recognizer.recognize(heardOf(hours).slice(8 * 900), 0);
    expect(one!.name).toBe('hours');
    expect(one!.clipFromMs).toBeGreaterThan(880);
    expect(one!.clipFromMs).toBeLessThan(960);
  });

  it('when two clips follow each other without a break', () => {
    const first = heardOf(goodbye);
    const found = recognizer.recognize(sequence(first, heardOf(hours)), 0);
    expect(found.map(({ name }) => name)).toEqual(['goodbye', 'hours']);
    expect(Math.abs(found[1]!.fromMs - first.length / 8)).toBeLessThan(120);
  });

  it('with the distortion in the residual', () => {
    const clean = recognizer.recognize(heardOf(hours), 0)[0]!;
    const worse = recognizer.recognize(
      heardOf(hours).map((sample, n) => sample + Math.round(400 * Math.sin(n * 0.9))),
      0,
    )[0]!;
    expect(worse.residualDb).toBeGreaterThan(clean.residualDb + 5);
  });

  it('and a voice that is none of the clips as nothing', () => {
    expect(new ClipRecognizer([greeting, goodbye]).recognize(heardOf(hours), 0)).toEqual([]);
    expect(recognizer.recognize(new Int16Array(8_000), 0)).toEqual([]);
    expect(recognizer.recognize(new Int16Array(0), 0)).toEqual([]);
  });
});
