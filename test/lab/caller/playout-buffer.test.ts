import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlayoutBuffer } from '../../../src/lab/caller/playout-buffer.ts';

interface Echo {
  readonly name: string;
  readonly how: string;
  readonly atMs: number;
}

function createBuffer() {
  const heard: number[] = [];
  const echoes: Echo[] = [];
  const buffer = new PlayoutBuffer(0, {
    onFrame: (payload) => heard.push(...payload),
    onMark: (name, how, atMs) => echoes.push({ name, how, atMs }),
  });
  return { buffer, heard, echoes };
}

/** `ms` of audio whose every byte is `code`. */
const audio = (ms: number, code = 1): Uint8Array => new Uint8Array(ms * 8).fill(code);

describe('the carrier plays in real time', () => {
  it('plays nothing but silence while nothing was sent', () => {
    const { buffer, heard } = createBuffer();
    buffer.advance(99);
    expect(heard).toEqual(new Array(5 * 160).fill(0xff));
  });

  it('plays 160 bytes every 20 ms, however early they came', () => {
    const { buffer, heard } = createBuffer();
    buffer.push(audio(100), 0);
    buffer.advance(39);
    expect(heard.length).toBe(320);
    // The frame of 0 ms had begun as silence.
    expect(buffer.queuedMs).toBe(80);
    buffer.advance(200);
    expect(heard.filter((code) => code === 1).length).toBe(800);
    expect(buffer.runs).toEqual([{ generation: 0, fromMs: 20, toMs: 120 }]);
  });

  it('leaves no gap between payloads of any size that come in time', () => {
    const { buffer, heard } = createBuffer();
    for (const ms of [3, 17, 1, 30, 9]) buffer.push(audio(ms), 5);
    buffer.advance(100);
    expect(heard.slice(160, 160 + 480)).toEqual(new Array(480).fill(1));
    expect(buffer.runs).toEqual([{ generation: 0, fromMs: 20, toMs: 80 }]);
  });

  it('shows a queue that ran dry as two runs', () => {
    const { buffer } = createBuffer();
    buffer.push(audio(40), 0);
    buffer.push(audio(20), 101);
    buffer.advance(300);
    expect(buffer.runs).toEqual([
      { generation: 0, fromMs: 20, toMs: 60 },
      { generation: 0, fromMs: 120, toMs: 140 },
    ]);
  });
});

describe('marks', () => {
  it('come back at once when nothing is queued', () => {
    const { buffer, echoes } = createBuffer();
    buffer.mark('a', 7);
    expect(echoes).toEqual([{ name: 'a', how: 'played', atMs: 7 }]);
  });

  it('come back when the audio before them has sounded to its end', () => {
    const { buffer, echoes } = createBuffer();
    buffer.push(audio(40), 0);
    buffer.mark('a', 0);
    buffer.push(audio(20), 0);
    buffer.mark('b', 0);
    buffer.advance(59);
    expect(echoes).toEqual([]);
    buffer.advance(80);
    expect(echoes).toEqual([
      { name: 'a', how: 'played', atMs: 60 },
      { name: 'b', how: 'played', atMs: 80 },
    ]);
  });

  it('come back at a clear, all at once', () => {
    const { buffer, echoes } = createBuffer();
    buffer.push(audio(200), 0);
    buffer.mark('a', 0);
    buffer.push(audio(200), 0);
    buffer.mark('b', 0);
    buffer.clear(90);
    expect(echoes).toEqual([
      { name: 'a', how: 'cleared', atMs: 90 },
      { name: 'b', how: 'cleared', atMs: 90 },
    ]);
  });
});

describe('a clear', () => {
  it('stops at the end of the frame that sounds, and hands back what was never heard', () => {
    const { buffer, heard } = createBuffer();
    buffer.push(audio(100, 1), 0);
    buffer.push(audio(100, 2), 0);
    const dropped = buffer.clear(50);
    buffer.advance(300);
    // Frames began at 20 and 40 ms: 40 ms were played.
    expect(heard.filter((code) => code !== 0xff).length).toBe(320);
    expect(dropped.map((payload) => payload.length / 8)).toEqual([60, 100]);
    expect(buffer.accounts[0]).toMatchObject({
      receivedMs: 200,
      playedMs: 40,
      droppedMs: 160,
      clearedAtMs: 50,
    });
    expect(buffer.generation).toBe(1);
  });

  it('starts a generation that plays as if nothing had been', () => {
    const { buffer } = createBuffer();
    buffer.push(audio(100), 0);
    buffer.clear(30);
    buffer.push(audio(20), 35);
    buffer.advance(100);
    expect(buffer.runs.at(-1)).toEqual({ generation: 1, fromMs: 40, toMs: 60 });
    expect(buffer.accounts[1]).toMatchObject({ firstArrivalMs: 35, playedMs: 20, droppedMs: 0 });
  });
});

it('drops and counts what is beyond a minute', () => {
  const { buffer } = createBuffer();
  for (let second = 0; second < 70; second += 1) buffer.push(audio(1_000), 0);
  expect(buffer.queuedMs + 20).toBeGreaterThanOrEqual(59_000);
  expect(buffer.queuedMs).toBeLessThanOrEqual(60_000);
  expect(buffer.overflowMs).toBe(10_000);
});

type Step =
  | { readonly kind: 'push'; readonly bytes: number; readonly waitMs: number }
  | { readonly kind: 'clear' | 'mark'; readonly waitMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      bytes: fc.integer({ min: 0, max: 2_000 }),
      waitMs: fc.integer({ min: 0, max: 120 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('clear' as const, 'mark' as const),
      waitMs: fc.integer({ min: 0, max: 60 }),
    }),
  },
);

it('accounts for every byte and every mark, and plays in order, whatever is sent when', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const { buffer, heard, echoes } = createBuffer();
      // Every byte is numbered, never with the code of silence.
      let number = 0;
      let marks = 0;
      let nowMs = 0;
      let droppedBytes = 0;
      for (const { waitMs, ...what } of steps) {
        nowMs += waitMs;
        if (what.kind === 'push') {
          buffer.push(
            Uint8Array.from({ length: what.bytes }, () => number++ % 251),
            nowMs,
          );
        } else if (what.kind === 'mark') {
          buffer.mark(`m${marks}`, nowMs);
          marks += 1;
        } else for (const payload of buffer.clear(nowMs)) droppedBytes += payload.length;
      }
      buffer.advance(nowMs + number / 8 + 100);
      const played = heard.filter((code) => code !== 0xff);
      expect(played.length + droppedBytes).toBe(number);
      expect(echoes.map(({ name }) => name)).toEqual(Array.from({ length: marks }, (_, n) => `m${n}`));
      const accounts = buffer.accounts.reduce((sum, one) => sum + one.playedMs + one.droppedMs, 0);
      expect(accounts).toBeCloseTo(number / 8, 6);
      const inRuns = buffer.runs.reduce((sum, run) => sum + run.toMs - run.fromMs, 0);
      expect(inRuns).toBeCloseTo(played.length / 8, 6);
      if (droppedBytes === 0) expect(played).toEqual(Array.from({ length: number }, (_, n) => n % 251));
    }),
    { numRuns: 60 },
  );
});
