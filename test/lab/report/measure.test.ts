import { describe, expect, it } from 'vitest';
import type { CallRun } from '../../../src/lab/caller/call-run.ts';
import { PlayoutBuffer } from '../../../src/lab/caller/playout-buffer.ts';
import { unmetExpectations } from '../../../src/lab/report/expectations.ts';
import { readFrameLatency, readGatewayView } from '../../../src/lab/report/gateway-view.ts';
import { measureCall } from '../../../src/lab/report/measure.ts';
import { quantile } from '../../../src/lab/report/rows.ts';
import { findSpeech } from '../../../src/lab/report/segments.ts';
import { babble, makeRun, sequence } from '../../support/call-run.ts';

/** A call that is played by hand: the caller's side as given, the gateway's as a list of what arrives when. */
function playCall(
  sent: Int16Array,
  arrivals: readonly { readonly atMs: number; readonly ms?: number; readonly clear?: true }[],
  parts: Partial<CallRun> = {},
): CallRun {
  const heard: number[] = [];
  const clears: CallRun['clears'][number][] = [];
  const received: CallRun['received'][number][] = [];
  const buffer = new PlayoutBuffer(0, {
    onFrame: (payload) => {
      for (const code of payload) heard.push(code === 0xff ? 0 : 5_000);
    },
    onMark: () => {},
  });
  for (const { atMs, ms, clear } of arrivals) {
    const { generation } = buffer;
    if (clear) {
      const bytes = buffer.clear(atMs).reduce((sum, payload) => sum + payload.length, 0);
      clears.push({ atMs, generation, neverHeard: new Int16Array(bytes) });
    } else {
      buffer.push(new Uint8Array((ms ?? 0) * 8).fill(1), atMs);
      received.push({ atMs, generation, bytes: (ms ?? 0) * 8, audible: true });
    }
  }
  buffer.advance(sent.length / 8);
  const { runs, accounts: generations } = buffer;
  return makeRun({ sent, heard: Int16Array.from(heard), runs, generations, clears, received, ...parts });
}

/** The caller speaks from 1 to 2 s, and again from 6 to 7 s. */
const twice = sequence(1_000, babble(1_000, 1), 4_000, babble(1_000, 2), 3_000);

describe('the turn gap', () => {
  it('is counted from the last frame with speech to the first audible frame, and at the ear', () => {
    // The last frame with speech begins at 1980 and is written at 2000.
    const run = playCall(twice, [
      { atMs: 200, ms: 300 },
      { atMs: 2_735, ms: 500 },
    ]);
    const { turnGaps, turns } = measureCall(run);
    expect(turns.map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([
      [220, 520],
      [2_740, 3_240],
    ]);
    // None for the greeting: nobody had spoken.
    expect(turnGaps).toEqual([{ turn: 1, wireMs: 735, earMs: 740 }]);
  });

  it('is not counted for a key press, nor for a turn that follows a turn', () => {
    const arrivals = [
      { atMs: 2_500, ms: 200 },
      { atMs: 4_000, ms: 200 },
    ];
    expect(measureCall(playCall(twice, arrivals)).turnGaps.map(({ turn }) => turn)).toEqual([0]);
    const pressed = playCall(twice, arrivals, { dtmf: [{ atMs: 2_200, digit: '4' }] });
    expect(measureCall(pressed).turnGaps).toEqual([]);
  });
});

describe('a barge-in', () => {
  it('is counted from the first frame of the speech to the clear, and to silence at the ear', () => {
    const run = playCall(twice, [
      { atMs: 5_000, ms: 2_000 },
      { atMs: 6_130, clear: true },
    ]);
    const { bargeIns, neverHeardMs, turns, otherClears } = measureCall(run);
    // The first frame with speech begins at 6000 and is written at 6020; the frame of 6120 ends at 6140.
    expect(bargeIns).toEqual([
      { onsetMs: 6_000, clearMs: 6_130, wireMs: 110, earMs: 140, neverHeardMs: 880 },
    ]);
    expect(neverHeardMs).toBe(880);
    expect(otherClears).toBe(0);
    expect(turns[0]).toMatchObject({ cut: true, heardMs: 1_120 });
  });

  it('is one for each utterance, however often the gateway clears', () => {
    const run = playCall(twice, [
      { atMs: 5_000, ms: 2_000 },
      { atMs: 6_100, clear: true },
      { atMs: 6_200, ms: 500 },
      { atMs: 6_400, clear: true },
    ]);
    expect(measureCall(run)).toMatchObject({ otherClears: 1, bargeIns: [{ clearMs: 6_100 }] });
  });

  it('is none when nobody spoke, or when the bot had finished before', () => {
    const nobody = playCall(twice, [
      { atMs: 3_500, ms: 2_000 },
      { atMs: 4_500, clear: true },
    ]);
    expect(measureCall(nobody)).toMatchObject({ bargeIns: [], otherClears: 1 });
    const finished = playCall(twice, [
      { atMs: 4_000, ms: 500 },
      { atMs: 6_100, clear: true },
    ]);
    expect(measureCall(finished)).toMatchObject({ bargeIns: [], otherClears: 1 });
  });
});

describe('an underrun', () => {
  it('is a break in a turn, with its place and length', () => {
    const run = playCall(twice, [
      { atMs: 3_000, ms: 100 },
      { atMs: 3_190, ms: 100 },
    ]);
    // Played from 3020 to 3120, and on from 3200.
    expect(measureCall(run).underruns).toEqual([{ atMs: 3_120, gapMs: 80 }]);
  });

  it('is not the pause between two turns, nor what a clear leaves', () => {
    const pause = playCall(twice, [
      { atMs: 3_000, ms: 100 },
      { atMs: 4_200, ms: 100 },
    ]);
    expect(measureCall(pause).underruns).toEqual([]);
    const cleared = playCall(twice, [
      { atMs: 3_000, ms: 500 },
      { atMs: 3_200, clear: true },
      { atMs: 3_300, ms: 100 },
    ]);
    expect(measureCall(cleared).underruns).toEqual([]);
  });
});

it('what was sent but never heard includes what was queued at the end', () => {
  const run = playCall(twice, [{ atMs: 100, ms: 100 }], { unplayed: new Int16Array(800) });
  expect(measureCall(run)).toMatchObject({ neverHeardMs: 100, receivedMs: 100, heardMs: 100 });
});

describe('utterances', () => {
  it('are found to the frame, on a silent and on a noisy line', () => {
    expect(findSpeech(twice)).toEqual([
      { fromMs: 1_000, toMs: 2_000 },
      { fromMs: 6_000, toMs: 7_000 },
    ]);
    let state = 1;
    const noisy = twice.map((sample) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return sample + Math.round((state / 2 ** 32 - 0.5) * 400);
    });
    expect(findSpeech(noisy).length).toBe(2);
  });

  it('span short pauses, and are no clicks', () => {
    expect(findSpeech(sequence(500, babble(300, 1), 300, babble(300, 2), 500))).toEqual([
      { fromMs: 500, toMs: 1_400 },
    ]);
    expect(findSpeech(sequence(500, babble(60, 1), 900))).toEqual([]);
    expect(findSpeech(new Int16Array(0))).toEqual([]);
  });

  it('do not include the tones of keys', () => {
    const run = playCall(twice, [], { dtmf: [{ atMs: 1_100, digit: '1' }] });
    expect(measureCall(run).utterances).toEqual([{ fromMs: 6_000, toMs: 7_000 }]);
  });
});

describe('the gateway’s own account', () => {
  const entries = [
    { type: 'barge-in', atMs: 1, by: 'tracker', generation: 1, bargeInMs: 61, gatewayMs: null, droppedMs: 3 },
    { type: 'barge-in', atMs: 2, by: 'model', generation: 2, bargeInMs: 400, gatewayMs: 0.4, droppedMs: 3 },
    { type: 'turn-audible', atMs: 3, turn: 1, turnGapMs: null, addedLatencyMs: 2 },
    { type: 'turn-audible', atMs: 4, turn: 2, turnGapMs: 1_300, addedLatencyMs: 3 },
    { type: 'something-new', atMs: 5 },
    null,
    { type: 'barge-in' },
    { type: 'call-ended', atMs: 6, reason: { who: 'bot', how: 'completed', detail: '' }, totals: {} },
  ];

  it('is read for what it has, and the rest is left alone', () => {
    expect(readGatewayView(entries)).toEqual({
      bargeIns: [
        { type: 'barge-in', by: 'tracker', bargeInMs: 61, gatewayMs: null },
        { type: 'barge-in', by: 'model', bargeInMs: 400, gatewayMs: 0.4 },
      ],
      addedDownMs: [2, 3],
      addedUp: null,
      turnGapsMs: [1_300],
      ended: { who: 'bot', how: 'completed' },
    });
  });

  it('tells the latency of frames as bounds of its histogram', () => {
    const metrics = ['0.001', '0.002', '0.005', '+Inf']
      .map((le, n) => `offhook_frame_latency_seconds_bucket{le="${le}",leg="up"} ${[40, 60, 100, 100][n]}`)
      .join('\n');
    expect(readFrameLatency(metrics, 'up')).toEqual({ frames: 100, medianBelowMs: 2, p99BelowMs: 5 });
    expect(readFrameLatency(metrics, 'down')).toBeNull();
  });

  it('decides who ended the call', () => {
    const end = { by: 'gateway', how: 'stream-closed', detail: '' } as const;
    const unknown = measureCall(playCall(twice, []));
    expect(unmetExpectations({ endedBy: 'bot', bargeIns: 0 }, unknown, end)).toEqual([]);
    expect(unmetExpectations({ endedBy: 'caller', bargeIns: 2 }, unknown, end).length).toBe(2);
    const told = measureCall(playCall(twice, []), { gateway: readGatewayView(entries) });
    expect(unmetExpectations({ endedBy: 'bot' }, told, end)).toEqual([]);
    expect(unmetExpectations({ endedBy: 'gateway' }, told, end).length).toBe(1);
  });

  it('a call that was turned away was not ended by a bot', () => {
    const refused = { by: 'gateway', how: 'refused', detail: 'All our lines are busy.' } as const;
    const nothing = measureCall(playCall(new Int16Array(0), []));
    expect(unmetExpectations({ endedBy: 'gateway' }, nothing, refused)).toEqual([]);
    expect(unmetExpectations({ endedBy: 'bot', bargeIns: 0 }, nothing, refused)).toHaveLength(1);
  });
});

it('quantiles are values that occur', () => {
  expect(quantile([], 0.5)).toBeNull();
  expect(quantile([3, 1, 2], 0.5)).toBe(2);
  expect(quantile([4, 1, 2, 3], 0.5)).toBe(2);
  expect(quantile([1, 2, 3, 4], 0.99)).toBe(4);
});
