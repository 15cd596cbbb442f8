import { expect, it } from 'vitest';
import { convertOffline } from '../../../src/audio/offline.ts';
import { parseWav } from '../../../src/audio/wav.ts';
import { ClipRecognizer } from '../../../src/lab/report/clips.ts';
import { measureCall } from '../../../src/lab/report/measure.ts';
import { drawCall } from '../../../src/lab/report/picture.ts';
import { recordingOf } from '../../../src/lab/report/recording.ts';
import { compareUplink } from '../../../src/lab/report/uplink.ts';
import { babble, makeRun, sequence } from '../../support/call-run.ts';

const voice = babble(1_200, 3);
const clip = { name: 'clip', samples: convertOffline(voice, 8_000, 24_000) };

it.each([8_000, 16_000, 24_000] as const)('a turn heard at %d Hz is recognised, at its place', (rate) => {
  const played = rate === 8_000 ? voice : convertOffline(clip.samples, 24_000, rate);
  const silence = new Int16Array(rate / 2);
  const heard = Int16Array.from([...silence, ...played]);
  const run = makeRun({
    sampleRate: rate,
    heard,
    durationMs: 1_700,
    runs: [{ generation: 0, fromMs: 500, toMs: 1_700 }],
    generations: [
      {
        generation: 0,
        firstArrivalMs: 480,
        receivedMs: 1_300,
        playedMs: 1_200,
        clearedAtMs: 1_700,
        droppedMs: 100,
      },
    ],
    clears: [{ atMs: 1_700, generation: 0, neverHeard: new Int16Array(rate / 10) }],
  });
  const measures = measureCall(run, { clips: [clip] });
  expect(measures.neverHeardMs).toBe(100);
  const [turn] = measures.turns;
  expect(turn!.audibleFromMs).toBeGreaterThanOrEqual(500);
  expect(turn!.audibleFromMs).toBeLessThan(510);
  expect(turn!.clips.map(({ name }) => name)).toEqual(['clip']);
  expect(Math.abs(turn!.clips[0]!.fromMs - 500)).toBeLessThan(25);
  expect(turn!.clips[0]!.residualDb).toBeLessThan(-20);
  expect(drawCall(run, measures)).toContain('sent, never heard: 100 ms');
  expect(new ClipRecognizer([clip]).recognize(silence, 0, rate)).toEqual([]);
});

it.each([8_000, 16_000, 24_000] as const)(
  'what was said at %d Hz is found whole in what the model got',
  (rate) => {
    const said8k = sequence(500, voice, 500);
    const said = convertOffline(said8k, 8_000, rate);
    const report = compareUplink(said, convertOffline(said8k, 8_000, 16_000), rate);
    expect(report).toMatchObject({ lostFrames: 0, doubledFrames: 0, damagedFrames: 0 });
    expect(report!.comparedFrames).toBeGreaterThan(50);
    const run = makeRun({ sampleRate: rate, sent: said });
    expect(measureCall(run).utterances).toEqual([{ fromMs: 500, toMs: 1_700 }]);
  },
);

it('a recording of two rates has the higher one, and both channels are as long as they were', () => {
  const run = makeRun({
    sampleRate: 16_000,
    sentRate: 8_000,
    sent: babble(400, 1),
    heard: new Int16Array(16 * 300),
  });
  const { sampleRate, channels } = parseWav(recordingOf(run));
  expect([sampleRate, channels[0]!.length]).toEqual([16_000, 16 * 400]);
});
