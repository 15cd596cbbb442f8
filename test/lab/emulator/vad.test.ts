import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { convertOffline } from '../../../src/audio/offline.ts';
import { parseWav } from '../../../src/audio/wav.ts';
import { seededRandom } from '../../../src/lab/emulator/random.ts';
import { DEFAULT_VAD, EnergyVad, type VadEvent, type VadOptions } from '../../../src/lab/emulator/vad.ts';

const RATE = 16_000;
const FIXTURES = new URL('../../../fixtures/calls/', import.meta.url);

const join = (...parts: Int16Array[]): Int16Array => {
  const all = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
};
const silence = (seconds: number) => new Int16Array(seconds * RATE);
/** Level in dB under a full-scale square wave; uniform noise of the peak `a` has the power a² / 3. */
const noise = (seconds: number, dbov: number, random = seededRandom(5)) => {
  const peak = 32_768 * Math.sqrt(3) * 10 ** (dbov / 20);
  return Int16Array.from({ length: seconds * RATE }, () => Math.round((2 * random() - 1) * peak));
};
const tone = (seconds: number, dbov: number, hertz = 400) => {
  const peak = 32_768 * Math.SQRT2 * 10 ** (dbov / 20);
  return Int16Array.from({ length: seconds * RATE }, (_, n) =>
    Math.round(peak * Math.sin((2 * Math.PI * hertz * n) / RATE)),
  );
};
const mix = (a: Int16Array, b: Int16Array) =>
  a.map((sample, n) => Math.max(-32_768, Math.min(32_767, sample + (b[n] ?? 0))));

function hear(samples: Int16Array, options: Partial<VadOptions> = {}, step = 320): VadEvent[] {
  const vad = new EnergyVad({ ...DEFAULT_VAD, ...options });
  const events: VadEvent[] = [];
  for (let at = 0; at < samples.length; at += step) events.push(...vad.push(samples.subarray(at, at + step)));
  return events;
}
const ms = (samples: number) => (samples * 1000) / RATE;

describe('the detector', () => {
  it('reports where speech begins and ends, to two frames', () => {
    const events = hear(join(silence(1), tone(0.7, -20), silence(2)));
    expect(events.map((event) => event.kind)).toEqual(['start', 'end']);
    expect(Math.abs(ms(events[0]!.atSample) - 1000)).toBeLessThanOrEqual(20);
    expect(Math.abs(ms(events[1]!.atSample) - 1700)).toBeLessThanOrEqual(20);
  });

  it.each([20, 100, 300])('commits a start after %d ms of speech', (prefixPaddingMs) => {
    const [start] = hear(join(silence(1), tone(1, -20)), { prefixPaddingMs });
    expect(Math.abs(ms(start!.knownAtSample) - 1000 - prefixPaddingMs)).toBeLessThanOrEqual(20);
    expect(
      hear(join(silence(1), tone((prefixPaddingMs - 15) / 1000, -20), silence(1)), {
        prefixPaddingMs: prefixPaddingMs + 30,
      }),
    ).toEqual([]);
  });

  it.each([200, 800, 2000])('commits an end after %d ms of silence, and not before', (silenceDurationMs) => {
    const pause = (silenceDurationMs - 50) / 1000;
    const events = hear(join(silence(1), tone(0.5, -20), silence(pause), tone(0.5, -20), silence(3)), {
      silenceDurationMs,
    });
    expect(events.map((event) => event.kind)).toEqual(['start', 'end']);
    const endedMs = 1000 + 500 + silenceDurationMs - 50 + 500;
    expect(Math.abs(ms(events[1]!.knownAtSample) - endedMs - silenceDurationMs)).toBeLessThanOrEqual(20);
  });

  it('says the same however the audio is cut', () => {
    const samples = join(silence(0.7), tone(0.5, -25), noise(1.5, -60), tone(0.3, -30), silence(1.2));
    const whole = hear(samples, {}, samples.length);
    for (const step of [1, 7, 160, 319, 4001]) expect(hear(samples, {}, step)).toEqual(whole);
    expect(whole).toHaveLength(4);
  });

  it('hears nothing in steady noise, hum or clicks', () => {
    for (const level of [-70, -55, -45, -35]) expect(hear(noise(20, level))).toEqual([]);
    expect(hear(join(silence(2), tone(10, -45, 50)))).toEqual([]);
    const clicks = silence(10);
    for (let at = RATE; at < clicks.length; at += RATE) clicks.fill(15_000, at, at + 16);
    expect(hear(clicks, { prefixPaddingMs: 60 })).toEqual([]);
  });

  it('gets used to noise that sets in, within six seconds', () => {
    const events = hear(join(silence(3), noise(12, -40)));
    expect(events.map((event) => event.kind)).toEqual(['start', 'end']);
    expect(ms(events[1]!.knownAtSample)).toBeLessThan(3000 + 6500 + 800);
  });

  it('ends at once when told to', () => {
    const vad = new EnergyVad(DEFAULT_VAD);
    expect(vad.endNow()).toBeNull();
    vad.push(join(silence(0.5), tone(0.5, -20)));
    expect(vad.endNow()?.kind).toBe('end');
    expect(vad.speaking).toBe(false);
  });
});

describe('on the recorded callers', () => {
  const caller = (name: string): Int16Array => {
    const audio = parseWav(readFileSync(new URL(`${name}/caller.wav`, FIXTURES)));
    return convertOffline(audio.channels[0]!, audio.sampleRate, RATE);
  };
  const starts = (events: VadEvent[]) =>
    events.filter((event) => event.kind === 'start').map((event) => ms(event.atSample));

  it('noise 20 dB under the speech changes no utterance', () => {
    const clean = caller('plain-question');
    const loud = clean.filter((sample) => Math.abs(sample) > 600);
    const activeDb =
      10 * Math.log10(loud.reduce((sum, sample) => sum + (sample / 32_768) ** 2, 0) / loud.length);
    const noisy = mix(clean, noise(clean.length / RATE, activeDb - 20));
    const [inClean, inNoise] = [starts(hear(clean)), starts(hear(noisy))];
    expect(inNoise.length).toBe(inClean.length);
    for (const [index, at] of inNoise.entries()) expect(Math.abs(at - inClean[index]!)).toBeLessThan(120);
  });
});
