import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { mixToMono, parseWav } from '../../src/audio/wav.ts';
import { CallerAudio } from '../../src/call/caller-audio.ts';
import { createCodec } from '../../src/call/codec.ts';
import { Journal, type JournalEntry } from '../../src/call/journal.ts';
import { SpeechTracker } from '../../src/call/speech.ts';
import { emptyTotals } from '../../src/call/totals.ts';
import { Uplink } from '../../src/call/uplink.ts';
import { keyTone } from '../audio/key-tones.ts';
import { noise } from '../audio/signals.ts';
import { voiced } from '../audio/voice.ts';

const IDENTITY = { ref: 'r', carrier: 'twilio', carrierCallId: 'c', bot: 'b', model: 'm' } as const;
const SILENCE_DBOV = -127;

/** The caller's side with everything behind it, on a clock of its own. */
class Desk {
  nowMs = 10_000;
  readonly codec = createCodec({ encoding: 'pcmu', sampleRate: 8_000 });
  readonly totals = emptyTotals();
  readonly entries: JournalEntry[] = [];
  /** What the model hears, 16 kHz. */
  readonly sent: number[] = [];
  readonly uplink = new Uplink(this.codec, 20, (samples) => {
    this.sent.push(...samples);
    return true;
  });
  readonly caller: CallerAudio;

  constructor() {
    const { uplink } = this;
    uplink.open();
    const journal = new Journal(IDENTITY, () => this.nowMs, [(entry) => this.entries.push(entry)]);
    this.caller = new CallerAudio(this.codec, uplink, new SpeechTracker(8_000), journal, this.totals);
  }

  /** A frame with a constant sound in it, stamped and told. */
  frame(mediaMs: number | null, samples: Int16Array = noise(160, 4_000, 9)): ReturnType<CallerAudio['push']> {
    return this.caller.push(this.codec.encode(samples).slice(), mediaMs, this.nowMs, SILENCE_DBOV);
  }

  of<T extends JournalEntry['type']>(type: T): Extract<JournalEntry, { type: T }>[] {
    return this.entries.filter((entry): entry is Extract<JournalEntry, { type: T }> => entry.type === type);
  }

  get sentMs(): number {
    return this.sent.length / 16;
  }
}

const desks: Desk[] = [];
function open(): Desk {
  const desk = new Desk();
  desks.push(desk);
  return desk;
}
afterEach(() => {
  for (const desk of desks.splice(0)) desk.caller.dispose();
});

describe('the time line', () => {
  test('a loss is filled with silence before the frame that shows it, and told', () => {
    const desk = open();
    desk.frame(0);
    desk.nowMs += 80;
    desk.frame(80);
    expect(desk.sentMs).toBe(100);
    // In the middle of what was put in, beyond the filter's 3.5 ms.
    const middle = desk.sent.slice(30 * 16, 75 * 16);
    expect(Math.max(...middle.map(Math.abs))).toBeLessThanOrEqual(1);
    expect(Math.max(...desk.sent.slice(90 * 16).map(Math.abs))).toBeGreaterThan(1_000);
    expect(desk.of('caller-gap')).toMatchObject([{ gapMs: 60, filledMs: 60 }]);
    expect(desk.totals).toMatchObject({ inboundFrames: 2, inboundMs: 40, filledMs: 60, lateFrames: 0 });
  });

  test('a gap that is no whole number of frames is filled to the sample', () => {
    const desk = open();
    desk.frame(0);
    desk.frame(20 + 33);
    desk.frame(73 + 0);
    // 20 + 33 + 20 + 20 ms are 93: four whole chunks of 20 ms, 13 ms wait for the next.
    expect(desk.sentMs).toBe(80);
    desk.frame(93);
    desk.frame(113);
    expect(desk.sentMs).toBe(120);
    expect(desk.totals.filledMs).toBe(33);
  });

  test('a frame that comes too late is counted and not used', () => {
    const desk = open();
    desk.frame(0);
    desk.frame(40);
    desk.frame(20);
    desk.frame(60);
    expect(desk.sentMs).toBe(80);
    expect(desk.totals.lateFrames).toBe(1);
  });

  test('more than a second is counted and not filled', () => {
    const desk = open();
    desk.frame(0);
    desk.frame(5_020);
    expect(desk.sentMs).toBe(40);
    expect(desk.totals).toMatchObject({ filledMs: 0, unfilledGapMs: 5_000 });
    expect(desk.of('caller-gap')).toMatchObject([{ gapMs: 5_000, filledMs: 0 }]);
  });

  test('a carrier without time stamps is taken as it comes', () => {
    const desk = open();
    for (let i = 0; i < 5; i++) desk.frame(null);
    expect(desk.sentMs).toBe(100);
    expect(desk.caller.jitter.worstMs).toBe(0);
  });

  test('a payload without a sample is nothing', () => {
    const desk = open();
    expect(desk.frame(0, new Int16Array(0))).toBeNull();
    expect(desk.totals.inboundFrames).toBe(0);
  });
});

describe('a line that stands still', () => {
  /** Stands still from 20 ms of the stream on; silence is put in from 600 ms on. */
  function standStill(desk: Desk, untilMs: number): void {
    desk.frame(0);
    for (let ms = 20; ms <= untilMs; ms += 20) {
      desk.nowMs += 20;
      desk.caller.tick(desk.nowMs);
    }
  }

  test('is filled while it stands still, and what was filled then is not filled again', () => {
    const desk = open();
    standStill(desk, 1_000);
    // 600, 620 … 1000 are 21 ticks.
    expect(desk.sentMs).toBe(20 + 420);
    desk.nowMs += 20;
    desk.frame(1_020);
    // The media line is whole: 1040 ms, of which the first 580 ms of the stall are filled now.
    expect(desk.sentMs).toBe(1_040);
    expect(desk.totals.filledMs).toBe(580);
    const [stalled] = desk.of('caller-stalled');
    expect(Math.abs(stalled!.stalledMs - 1_000)).toBeLessThanOrEqual(20);
  });

  test('and then sends everything at once loses no word', () => {
    const desk = open();
    standStill(desk, 1_000);
    const before = desk.sentMs;
    for (let ms = 20; ms <= 1_000; ms += 20) desk.frame(ms);
    expect(desk.sentMs - before).toBe(1_000);
    expect(desk.totals.lateFrames).toBe(0);
    expect(desk.of('caller-gap')).toEqual([]);
  });

  test('and then sends pauses as well leaves out of them what was filled: no time is counted twice', () => {
    const desk = open();
    standStill(desk, 1_000);
    const quiet = noise(160, 20, 3);
    for (let ms = 20; ms <= 2_000; ms += 20) desk.frame(ms, ms % 200 < 100 ? quiet : undefined);
    expect(desk.sentMs).toBe(2_020);
    expect(desk.totals.lateFrames * 20).toBe(420);
  });

  test('for as long as a bad line is late is not filled at all', () => {
    const desk = open();
    standStill(desk, 560);
    expect(desk.sentMs).toBe(20);
  });

  test('before its first frame does not stand still: it has not begun', () => {
    const desk = open();
    desk.caller.tick(desk.nowMs + 60_000);
    expect(desk.sentMs).toBe(0);
  });
});

test('another stream begins its time line anew: no gap, nothing late, no jitter from before', () => {
  const desk = open();
  desk.frame(50_000);
  desk.nowMs += 100;
  desk.frame(50_020);
  expect(desk.caller.jitter.worstMs).toBeGreaterThan(50);
  desk.caller.restart();
  expect(desk.caller.jitter.worstMs).toBe(0);
  desk.caller.tick(desk.nowMs + 10_000);
  // Wherever its stamps begin.
  desk.frame(50_400);
  desk.frame(50_420);
  desk.caller.restart();
  desk.frame(50_100);
  expect(desk.sentMs).toBe(100);
  expect(desk.of('caller-gap')).toEqual([]);
  expect(desk.totals.lateFrames).toBe(0);
});

test('speech is noticed with the time at which it began, and its end with its length', () => {
  const desk = open();
  const changes: { atMs: number; change: NonNullable<ReturnType<CallerAudio['push']>> }[] = [];
  const line = new Int16Array(8_000 * 4);
  line.set(noise(line.length, 4, 2));
  line.set(voiced(8_000, -25), 8_000);
  for (let at = 0; at < line.length; at += 160) {
    desk.nowMs = 10_000 + at / 8;
    const change = desk.frame(at / 8, line.subarray(at, at + 160));
    if (change !== null) changes.push({ atMs: desk.nowMs, change });
  }
  expect(changes.map(({ change }) => change.type)).toEqual(['onset', 'end']);
  const [onset, end] = changes;
  if (onset?.change.type !== 'onset' || end?.change.type !== 'end') return expect.unreachable();
  expect(Math.abs(onset.change.onsetAtMs - 11_000)).toBeLessThanOrEqual(40);
  expect(onset.atMs).toBeLessThanOrEqual(11_120);
  expect(Math.abs(end.change.lastSpeechAtMs - 11_980)).toBeLessThanOrEqual(60);
  expect(Math.abs(end.change.durationMs - 1_000)).toBeLessThanOrEqual(100);
  expect(desk.caller.lastSpeechAtMs).toBe(end.change.lastSpeechAtMs);
});

describe('the tone of a key', () => {
  /** The line with a key pressed for 100 ms from sample `at` on. */
  const pressed = (key: string, at: number, dbov: number, line: Int16Array): Int16Array => {
    const sound = line.slice();
    const tone = keyTone(key, 800, { dbov });
    for (const [i, sample] of tone.entries()) sound[at + i] = line[at + i]! + sample;
    return sound;
  };
  /** @param frameMs of the carrier's packets */
  const say = (desk: Desk, sound: Int16Array, frameMs = 20): string[] => {
    const changes: string[] = [];
    for (let at = 0; at < sound.length; at += 8 * frameMs) {
      desk.nowMs += frameMs;
      const change = desk.frame(null, sound.subarray(at, at + 8 * frameMs));
      if (change !== null) changes.push(change.type);
    }
    return changes;
  };
  const loudMs = (desk: Desk, aboveFloor: number): number[] =>
    desk.sent.flatMap((sample, i) => (Math.abs(sample) > aboveFloor ? [i / 16] : []));
  const QUIET = noise(8_000, 20, 4);

  test('does not reach the model, but for what of it comes in 10 ms at the end of a frame', () => {
    for (const frameMs of [10, 20, 40, 60]) {
      for (let phase = 0; phase < 160; phase += 16) {
        const desk = open();
        say(desk, pressed('5', 3_200 + phase, -12, QUIET), frameMs);
        const loud = loudMs(desk, 1_000);
        // What the converter between the two rates smears.
        const smearMs = 2;
        expect((loud.at(-1) ?? 0) - (loud[0] ?? 0)).toBeLessThanOrEqual(10 + smearMs);
        expect(desk.sentMs).toBeGreaterThanOrEqual(980);
        expect(desk.totals.blankedToneMs).toBeGreaterThanOrEqual(100 - 10);
        expect(desk.totals.blankedToneMs).toBeLessThanOrEqual(140);
      }
    }
  });

  test('is gone as well where the audio is held for a connection, and said again from what is kept', () => {
    const desk = open();
    desk.uplink.close();
    say(desk, pressed('#', 3_200, -12, QUIET));
    expect(desk.sentMs).toBe(0);
    desk.uplink.open();
    desk.uplink.flush();
    expect(desk.sentMs).toBeGreaterThanOrEqual(500);
    expect(loudMs(desk, 1_000)).toEqual([]);
  });

  test('is no word of the caller’s, and makes none of a street behind it', () => {
    const raw = mixToMono(parseWav(readFileSync('fixtures/calls/noisy-dtmf/caller.wav')));
    // Between the words of the recording, and twice as loud as it.
    const street = raw.subarray(8_000 * 9, 8_000 * 15).map((sample) => 2 * sample);
    for (const key of '1590*#') {
      const desk = open();
      let sound: Int16Array = street;
      for (let second = 0; second < 5; second++) sound = pressed(key, 8_037 * second, -12, sound);
      expect([key, say(desk, sound)]).toEqual([key, []]);
    }
  });

  test('takes nothing from the words before and behind it', () => {
    const plain = open();
    const desk = open();
    const line = new Int16Array(16_000);
    line.set(voiced(4_000, -22), 1_600);
    line.set(voiced(4_000, -22), 8_000);
    say(plain, line);
    say(desk, pressed('7', 6_400, -12, line));
    // The key is down from 800 to 900 ms; 20 ms more are silence.
    for (const [from, to] of [
      [0, 790],
      [930, 1_980],
    ] as const)
      expect(desk.sent.slice(from * 16, to * 16)).toEqual(plain.sent.slice(from * 16, to * 16));
  });
});
