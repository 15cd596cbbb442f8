import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createResampler } from '../../src/audio/resample.ts';
import { createCodec, type PayloadCodec } from '../../src/call/codec.ts';
import { Uplink } from '../../src/call/uplink.ts';
import { noise } from '../audio/signals.ts';
import { bytesOf } from './simulated-carrier.ts';

/** 20 ms of the caller at 8 kHz. */
const FRAME = 160;

/** An uplink, a caller made of noise, and a connection that keeps what it takes. */
class Desk {
  readonly codec: PayloadCodec = createCodec({ encoding: 'l16', sampleRate: 8_000 });
  readonly uplink: Uplink;
  readonly signal: Int16Array;
  pushed = 0;
  takes = true;
  readonly chunks: Int16Array[] = [];

  constructor(chunkMs = 20, seconds = 60) {
    this.signal = noise(seconds * 8_000, 8_000, 3);
    this.uplink = new Uplink(this.codec, chunkMs, (samples) => {
      if (this.takes) this.chunks.push(samples.slice());
      return this.takes;
    });
  }

  push(samples = FRAME): void {
    const part = this.signal.subarray(this.pushed, this.pushed + samples);
    this.pushed += part.length;
    // As the carrier's socket does: the memory is written again as soon as we are back.
    const payload = bytesOf(part).slice();
    this.uplink.push(payload, this.codec.decode(payload));
    payload.fill(0);
  }

  frames(count: number): void {
    for (let i = 0; i < count; i++) this.push();
  }

  get sent(): Int16Array {
    const all = new Int16Array(this.chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  get droppedMs(): number {
    return this.uplink.droppedMs;
  }

  get sentMs(): number {
    return this.sent.length / 16;
  }
}

/** The whole signal in one piece: what the model must hear, however it was delivered. */
const converted = (signal: Int16Array) => createResampler(8_000, 16_000).process(signal).slice();

const beginsWith = (whole: Int16Array, part: Int16Array) =>
  Buffer.from(bytesOf(whole.slice(0, part.length))).equals(Buffer.from(bytesOf(part.slice())));

describe('nothing is lost, doubled or reordered', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ type: fc.constant('frames' as const), count: fc.integer({ min: 1, max: 90 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('odd' as const),
        samples: fc.integer({ min: 1, max: 1_700 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('open' as const) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('close' as const) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('refuse' as const), refuse: fc.boolean() }) },
  );

  test('however connections come, go and refuse', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30, size: 'max' }),
        fc.constantFrom(20, 40, 60, 100),
        (steps, chunkMs) => {
          const desk = new Desk(chunkMs);
          for (const each of steps) {
            if (each.type === 'frames') desk.frames(Math.min(each.count, (29_000 * 8 - desk.pushed) / FRAME));
            else if (each.type === 'odd') desk.push(Math.min(each.samples, 29_000 * 8 - desk.pushed));
            else if (each.type === 'open') desk.uplink.open();
            else if (each.type === 'close') desk.uplink.close();
            else desk.takes = !each.refuse;
          }
          desk.takes = true;
          desk.uplink.open();
          const said = desk.pushed;
          desk.frames(Math.ceil(said / FRAME) + 20);
          const wanted = converted(desk.signal.subarray(0, desk.pushed));
          const { sent } = desk;
          expect(beginsWith(wanted, sent)).toBe(true);
          // Caught up: less than an open chunk is missing.
          expect(wanted.length - sent.length).toBeLessThan(16 * chunkMs + 2 * FRAME);
          expect(desk.droppedMs).toBe(0);
          for (const chunk of desk.chunks) expect(chunk.length).toBe(16 * chunkMs);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a frame that is a chunk, and is refused, is the first that goes when it is offered again', () => {
    const desk = new Desk(20);
    desk.uplink.open();
    desk.frames(10);
    expect(desk.chunks).toHaveLength(10);
    desk.takes = false;
    desk.push();
    desk.takes = true;
    desk.push();
    expect(desk.chunks).toHaveLength(12);
    expect(desk.sentMs).toBe(240);
    expect(desk.uplink.sentMs).toBe(240);
    expect(beginsWith(converted(desk.signal), desk.sent)).toBe(true);
  });

  test('when a connection dies before it is known to be dead, the next one gets what it refused', () => {
    const desk = new Desk();
    desk.uplink.open();
    desk.frames(10);
    desk.takes = false;
    desk.frames(5);
    desk.uplink.close();
    desk.takes = true;
    desk.frames(5);
    desk.uplink.open();
    desk.frames(1);
    expect(desk.sentMs).toBe(21 * 20);
    expect(beginsWith(converted(desk.signal), desk.sent)).toBe(true);
  });
});

describe('what was held', () => {
  test('up to a second of it goes in one burst', () => {
    const desk = new Desk();
    desk.frames(100);
    expect(desk.sentMs).toBe(0);
    expect(desk.uplink.heldMs).toBe(2_000);
    desk.uplink.open();
    expect(desk.sentMs).toBe(1_000);
    expect(desk.uplink.heldMs).toBe(1_000);
  });

  test('the rest follows at twice real time, until nothing waits', () => {
    const desk = new Desk();
    desk.frames(100);
    desk.uplink.open();
    for (let frame = 1; frame <= 50; frame++) {
      desk.push();
      expect(desk.sentMs).toBe(1_000 + frame * 40);
    }
    expect(desk.uplink.heldMs).toBe(0);
    desk.push();
    expect(desk.sentMs).toBe(1_000 + 50 * 40 + 20);
  });

  test('is half a minute at most; then the oldest is given up, and counted', () => {
    const desk = new Desk();
    desk.frames(1_750);
    expect(desk.uplink.heldMs).toBe(30_000);
    expect(desk.droppedMs).toBe(5_000);
    desk.uplink.open();
    desk.frames(1_500);
    const wanted = converted(desk.signal.subarray(5_000 * 8));
    expect(beginsWith(wanted, desk.sent)).toBe(true);
  });

  test('is bounded as well behind a connection that is open and takes nothing', () => {
    const desk = new Desk();
    desk.takes = false;
    desk.uplink.open();
    desk.frames(2_000);
    expect(desk.uplink.heldMs).toBeLessThanOrEqual(30_000);
    expect(desk.droppedMs).toBeGreaterThanOrEqual(9_900);
    expect(desk.droppedMs + desk.uplink.heldMs).toBeCloseTo(40_000 - 20, -2);
  });
});

describe('the end of a stream', () => {
  test('empties the filter and the open chunk: a lone syllable is not kept back', () => {
    const desk = new Desk(100);
    desk.uplink.open();
    desk.frames(3);
    expect(desk.sentMs).toBe(0);
    desk.uplink.flush();
    // 3.5 ms more than was said: the delay of the filter.
    expect(desk.sent.length).toBe((3 * FRAME + 28) * 2);
    const resampler = createResampler(8_000, 16_000);
    const said = resampler.process(desk.signal.subarray(0, 3 * FRAME)).slice();
    expect(beginsWith(desk.sent, said)).toBe(true);
  });

  test('lets go of what was still catching up first', () => {
    const desk = new Desk();
    desk.frames(150);
    desk.uplink.open();
    desk.uplink.flush();
    expect(desk.uplink.heldMs).toBe(0);
    expect(beginsWith(desk.sent, converted(desk.signal.subarray(0, desk.pushed)))).toBe(true);
  });
});

describe('manual activity', () => {
  test('between two utterances nothing is sent, and of the silence only the last half second is kept', () => {
    const desk = new Desk();
    desk.uplink.mute();
    desk.uplink.open();
    desk.frames(200);
    expect(desk.sentMs).toBe(0);
    expect(desk.uplink.heldMs).toBe(500);
    expect(desk.droppedMs).toBe(0);
    desk.uplink.unmute();
    expect(desk.sentMs).toBe(500);
    const preRoll = desk.signal.subarray(desk.pushed - 500 * 8, desk.pushed);
    expect(beginsWith(converted(preRoll), desk.sent)).toBe(true);
    desk.frames(10);
    expect(desk.sentMs).toBe(700);
  });

  test('what a connection refused at the end of an utterance waits for the next one, also when the stream pauses', () => {
    const desk = new Desk();
    desk.uplink.open();
    desk.frames(5);
    desk.takes = false;
    desk.frames(1);
    desk.uplink.mute();
    expect(desk.uplink.waiting).toBe(true);
    desk.takes = true;
    const sentMs = desk.sentMs;
    desk.uplink.flush();
    desk.frames(3);
    expect(desk.sentMs).toBe(sentMs);
    desk.uplink.unmute();
    expect(desk.sentMs).toBeGreaterThan(sentMs);
  });

  test('nothing waits once all was taken, and something does as long as any of it was not', () => {
    for (const chunkMs of [20, 100]) {
      const desk = new Desk(chunkMs);
      desk.uplink.open();
      expect(desk.uplink.waiting).toBe(false);
      desk.frames(7);
      desk.uplink.flush();
      expect(desk.uplink.waiting).toBe(false);
      desk.takes = false;
      desk.frames(7);
      desk.uplink.flush();
      expect(desk.uplink.waiting).toBe(true);
      desk.takes = true;
      desk.uplink.flush();
      expect(desk.uplink.waiting).toBe(false);
      expect(desk.sentMs).toBeGreaterThanOrEqual(14 * 20);
    }
  });

  test('the end of an utterance is on its way before the silence begins, also when it was still catching up', () => {
    const desk = new Desk();
    desk.frames(200);
    desk.uplink.open();
    desk.uplink.mute();
    const wanted = converted(desk.signal.subarray(0, desk.pushed));
    expect(desk.sent.length).toBeGreaterThanOrEqual(wanted.length);
    expect(beginsWith(desk.sent, wanted)).toBe(true);
    const sentMs = desk.sentMs;
    desk.frames(50);
    expect(desk.sentMs).toBe(sentMs);
  });
});

/** Frames in a row that say at every sample where they stand, with pauses that are no sound at all. */
function timeline(frames: readonly ('sound' | 'pause')[]): Int16Array {
  const voice = noise(frames.length * FRAME, 8_000, 5);
  return Int16Array.from({ length: frames.length * FRAME }, (_, at) =>
    frames[Math.floor(at / FRAME)] === 'pause' ? 0 : (voice[at] as number),
  );
}

describe('words that are sent again', () => {
  test('begin where they are wanted, and everything follows once, whenever the connection was lost', () => {
    const losses = fc.array(
      fc.record({
        before: fc.integer({ min: 1, max: 200 }),
        backMs: fc.integer({ min: 0, max: 6_000 }),
        gap: fc.integer({ min: 0, max: 150 }),
        refuses: fc.boolean(),
      }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(losses, fc.constantFrom(20, 60, 100), (rounds, chunkMs) => {
        const desk = new Desk(chunkMs);
        desk.uplink.needFrom(0);
        desk.uplink.open(false);
        for (const { before, backMs, gap, refuses } of rounds) {
          desk.frames(before);
          if (refuses) {
            desk.takes = false;
            desk.frames(3);
          }
          desk.uplink.close();
          desk.takes = true;
          desk.frames(gap);
          const sentTo = desk.uplink.sentTo;
          const wanted = Math.max(0, desk.pushed - backMs * 8);
          desk.chunks.length = 0;
          const againMs = desk.uplink.rewind(wanted);
          const from = Math.min(wanted, sentTo);
          expect(againMs).toBe((sentTo - from) / 8);
          desk.uplink.open(false);
          const behind = desk.pushed - from;
          desk.frames(Math.ceil(behind / FRAME) + 8);
          // With nothing to repeat, the filter and the open chunk go on as they were.
          if (againMs === 0) continue;
          const whole = converted(desk.signal.subarray(from, desk.pushed));
          expect(beginsWith(whole, desk.sent)).toBe(true);
          expect(whole.length - desk.sent.length).toBeLessThan(16 * chunkMs + 2 * FRAME);
        }
        expect(desk.droppedMs).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('begin at once, and come no faster than twice real time', () => {
    const desk = new Desk();
    desk.uplink.needFrom(0);
    desk.uplink.open(false);
    desk.frames(100);
    desk.uplink.close();
    desk.frames(50);
    desk.chunks.length = 0;
    desk.uplink.rewind(0);
    desk.uplink.open(false);
    expect(desk.sentMs).toBe(20);
    for (let frame = 1; frame <= 149; frame++) {
      desk.push();
      expect(desk.sentMs).toBe(20 + frame * 40);
    }
    // 3 s were held, and 3 s more have come: from here on it is real time.
    desk.push();
    expect(desk.sentMs).toBe(6_000);
    desk.push();
    expect(desk.sentMs).toBe(6_020);
  });

  test('are kept only as long as they are needed, and for half a minute at most', () => {
    const desk = new Desk();
    desk.uplink.open();
    desk.frames(500);
    expect(desk.uplink.keptMs).toBe(500);
    desk.uplink.needFrom(desk.pushed - 8 * 300);
    desk.frames(500);
    expect(desk.uplink.keptMs).toBe(10_300);
    desk.frames(1_500);
    expect(desk.uplink.keptMs).toBe(30_000);
    expect(desk.droppedMs).toBe(0);
    // What is gone cannot be said again; what is left is.
    desk.uplink.close();
    expect(desk.uplink.rewind(0)).toBe(30_000);
    desk.uplink.open();
    desk.uplink.needFrom(null);
    desk.uplink.flush();
    desk.push();
    expect(desk.uplink.keptMs).toBeLessThanOrEqual(500);
  });

  test('were never sent: then nothing is repeated, and nothing is left out', () => {
    const desk = new Desk();
    desk.uplink.open(false);
    desk.frames(20);
    desk.uplink.close();
    desk.frames(20);
    expect(desk.uplink.rewind(desk.pushed - FRAME)).toBe(0);
    desk.uplink.open(false);
    desk.frames(60);
    expect(beginsWith(converted(desk.signal.subarray(0, desk.pushed)), desk.sent)).toBe(true);
    expect(desk.uplink.resentMs).toBe(0);
  });

  test('are heard also by a connection with manual activity between two utterances', () => {
    const desk = new Desk();
    desk.uplink.needFrom(0);
    desk.uplink.open(false);
    desk.frames(50);
    desk.uplink.mute();
    desk.uplink.close();
    expect(desk.uplink.rewind(0)).toBeGreaterThanOrEqual(1_000);
    expect(desk.uplink.muted).toBe(false);
    desk.chunks.length = 0;
    desk.uplink.open(false);
    desk.frames(60);
    expect(beginsWith(converted(desk.signal.subarray(0, desk.pushed)), desk.sent)).toBe(true);
  });
});

describe('silence that is caught up on', () => {
  /** What was sent of a held time line, sound and silence, when the line was caught up with. */
  function caughtUp(frames: readonly ('sound' | 'pause')[]) {
    const signal = timeline(frames);
    const sent: Int16Array[] = [];
    const codec = createCodec({ encoding: 'l16', sampleRate: 8_000 });
    const uplink = new Uplink(codec, 20, (samples) => {
      sent.push(samples.slice());
      return true;
    });
    const half = Math.floor(frames.length / 2);
    const push = (frame: number): void => {
      const payload = bytesOf(signal.subarray(frame * FRAME, (frame + 1) * FRAME)).slice();
      uplink.push(payload, codec.decode(payload));
    };
    for (let frame = 0; frame < half; frame++) push(frame);
    uplink.open(false);
    for (let frame = half; frame < frames.length; frame++) push(frame);
    uplink.flush();
    return { sent: Int16Array.from(sent.flatMap((chunk) => [...chunk])), uplink, signal };
  }

  const stretches = fc.array(
    fc.record({ sound: fc.integer({ min: 1, max: 40 }), pause: fc.integer({ min: 0, max: 120 }) }),
    { minLength: 1, maxLength: 8 },
  );
  const framesOf = (all: readonly { sound: number; pause: number }[]): ('sound' | 'pause')[] =>
    all.flatMap(({ sound, pause }) => [
      ...new Array<'sound'>(sound).fill('sound'),
      ...new Array<'pause'>(pause).fill('pause'),
    ]);

  test('is at most half a second long afterwards, and no sound is lost, doubled or moved', () => {
    fc.assert(
      fc.property(stretches, (all) => {
        const { sent, uplink, signal } = caughtUp(framesOf(all));
        // Every sample of sound, in order: the filter has forgotten what was before a pause of 200 ms.
        const loud = (samples: Int16Array): number[] => [...samples].filter((sample) => sample !== 0);
        const whole = createResampler(8_000, 16_000);
        const wanted = [...loud(whole.process(signal).slice()), ...loud(whole.flush().slice())];
        expect(loud(sent)).toEqual(wanted);
        // Nothing is missing but what was counted.
        expect(sent.length / 16 + uplink.skippedMs).toBeCloseTo(signal.length / 8, -1);
      }),
      { numRuns: 60 },
    );
  });

  test('keeps 300 ms of its beginning and 200 ms before the next sound, which may begin softly', () => {
    const pause = 300;
    const frames = framesOf([
      { sound: 10, pause },
      { sound: 400, pause: 0 },
    ]);
    const { sent, uplink } = caughtUp(frames);
    expect(uplink.skippedMs).toBe(pause * 20 - 500);
    const between = [...sent].reduce(
      (found, sample) => {
        const run = sample === 0 ? found.run + 1 : 0;
        return { run, longest: Math.max(found.longest, run) };
      },
      { run: 0, longest: 0 },
    ).longest;
    expect(between / 16).toBeGreaterThan(480);
    expect(between / 16).toBeLessThanOrEqual(500);
  });

  test('is left alone in a pause of half a second, and when less than that is to be caught up on', () => {
    expect(
      caughtUp(
        framesOf([
          { sound: 100, pause: 25 },
          { sound: 200, pause: 0 },
        ]),
      ).uplink.skippedMs,
    ).toBe(0);
    const desk = caughtUp(new Array<'pause'>(48).fill('pause'));
    expect(desk.uplink.skippedMs).toBe(0);
  });
});
