import { describe, expect, it } from 'vitest';
import type { LineWeather } from '../../../src/lab/network/line.ts';
import {
  botVoice,
  bytesOf,
  callerVoice,
  cough,
  gapsIn,
  interruption,
  noise,
  payloadOf,
  positionsIn,
} from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';

const TRACKER_OFF = { bargeIn: { tracker: false } };
const audio = (samples: Int16Array) =>
  ({ type: 'audio', bytes: bytesOf(samples), sampleRate: 24_000 }) as const;

/** Which parts of `source` were heard: [first, last] byte of each stretch. */
function stretches(source: Buffer, heard: Buffer): readonly (readonly [number, number])[] {
  const found: [number, number][] = [];
  for (const position of positionsIn(source, heard)) {
    const last = found.at(-1);
    if (position < 0) continue;
    if (last !== undefined && position === last[1] + 1) last[1] = position;
    else found.push([position, position]);
  }
  return found;
}

describe('interrupted by the model', () => {
  it('writes clear before anything else, and nothing of what was said before it afterwards', async () => {
    const bench = new CallBench({ bot: TRACKER_OFF });
    const carrier = await bench.answerAndGreet();
    const old = noise(8_000, 5);
    bench.model.speak(old);
    await bench.run(1_500);
    const before = carrier.written.length;
    bench.model.interrupt();
    expect(carrier.written[before]?.event).toBe('clear');
    expect(carrier.written[before]?.atMs).toBe(bench.clock.now());
    await bench.run(5_000);
    expect(carrier.written.slice(before + 1)).toEqual([]);
    expect(carrier.clears()).toHaveLength(1);
  });

  it('plays nothing that still comes of the turn until it is completed, and then the next answer whole', async () => {
    const bench = new CallBench({ bot: TRACKER_OFF });
    const carrier = await bench.answerAndGreet();
    bench.model.speak(noise(8_000, 5), { ends: false });
    await bench.run(1_500);
    bench.model.interrupt();
    const late = noise(600, 6);
    bench.model.sayAudio(late);
    await bench.run(450);
    bench.model.sayAudio(late);
    bench.model.completeTurn();
    const next = noise(1_000, 7);
    bench.model.speak(next);
    await bench.run(2_500);
    const heard = carrier.heard();
    expect(stretches(payloadOf(late), heard)).toEqual([]);
    expect(stretches(payloadOf(next), heard)).toEqual([[0, payloadOf(next).length - 1]]);
    expect(bench.of('stale-audio-dropped').reduce((sum, { droppedMs }) => sum + droppedMs, 0)).toBeCloseTo(
      1_200,
      0,
    );
  });

  it('drops late audio for 1.5 s at most, when the end of the turn never comes', async () => {
    const bench = new CallBench({ bot: TRACKER_OFF });
    const carrier = await bench.answerAndGreet();
    bench.model.speak(noise(8_000, 5), { ends: false });
    await bench.run(1_000);
    bench.model.interrupt();
    const late = noise(200, 6);
    for (let i = 0; i < 3; i++) {
      await bench.run(450);
      bench.model.sayAudio(late);
    }
    await bench.run(250);
    const next = noise(1_000, 7);
    bench.model.speak(next);
    await bench.run(2_500);
    expect(stretches(payloadOf(late), carrier.heard())).toEqual([]);
    expect(stretches(payloadOf(next), carrier.heard())).toEqual([[0, payloadOf(next).length - 1]]);
    expect(bench.of('turn-started').at(-1)?.turn).toBe(3);
  });

  it('plays the next answer whole when the turn was complete before the interruption', async () => {
    const bench = new CallBench({ bot: TRACKER_OFF });
    const carrier = await bench.answerAndGreet();
    bench.model.speak(noise(6_000, 5), { pace: 20 });
    await bench.run(1_500);
    bench.model.interrupt();
    const next = noise(1_000, 7);
    bench.model.speak(next);
    await bench.run(2_500);
    expect(carrier.clears()).toHaveLength(1);
    expect(stretches(payloadOf(next), carrier.heard())).toEqual([[0, payloadOf(next).length - 1]]);
  });

  it('changes nothing when there is nothing to interrupt', async () => {
    const bench = new CallBench({ bot: TRACKER_OFF });
    const carrier = await bench.answerAndGreet();
    const before = carrier.written.length;
    bench.model.interrupt();
    await bench.run(200);
    expect(carrier.written.length).toBe(before);
    const next = noise(1_000, 7);
    bench.model.speak(next);
    await bench.run(2_500);
    expect(stretches(payloadOf(next), carrier.heard())).toEqual([[0, payloadOf(next).length - 1]]);
    expect(bench.of('barge-in')).toEqual([]);
    expect(bench.of('interrupted-ignored')).toHaveLength(1);
  });

  it('drops audio that shares its message with the interruption of its turn', async () => {
    const bench = new CallBench({ bot: TRACKER_OFF });
    const carrier = await bench.answerAndGreet();
    bench.model.speak(noise(8_000, 5), { ends: false });
    await bench.run(1_000);
    bench.model.stopSpeaking();
    const shared = noise(400, 6);
    bench.model.say({ type: 'interrupted' }, audio(shared), { type: 'turn-complete', reason: null });
    await bench.run(1_000);
    expect(stretches(payloadOf(shared), carrier.heard())).toEqual([]);
    const next = noise(1_000, 7);
    bench.model.speak(next);
    await bench.run(2_000);
    expect(stretches(payloadOf(next), carrier.heard())).toEqual([[0, payloadOf(next).length - 1]]);
  });

  it('does not count speech of long ago as the beginning of the interruption', async () => {
    const bench = new CallBench({ bot: TRACKER_OFF });
    const carrier = await bench.answerAndGreet();
    carrier.says(interruption());
    await bench.run(4_000);
    bench.model.speak(noise(8_000, 5));
    await bench.run(3_000);
    bench.model.interrupt();
    expect(bench.of('barge-in')).toMatchObject([{ by: 'model', bargeInMs: null, gatewayMs: 0 }]);
  });
});

describe('the speech tracker', () => {
  it('stops playout within 120 ms of the first frame of speech, and never plays the rest once speech is certain', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    const old = noise(8_000, 5);
    bench.model.speak(old);
    await bench.run(1_500);
    const spokeAtMs = bench.clock.now();
    carrier.says(interruption());
    await bench.run(6_000);
    const [clearAtMs] = carrier.clears();
    expect(carrier.clears()).toHaveLength(1);
    expect(clearAtMs! - spokeAtMs).toBeLessThanOrEqual(120);
    expect(carrier.writtenAfterClear()).toEqual([]);
    expect(bench.of('barge-in')).toMatchObject([{ by: 'tracker' }]);
    expect(bench.of('playout-resumed')).toEqual([]);
  });

  it('drops at the word of the model, without a second clear, when that comes before the verdict', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    bench.model.speak(noise(8_000, 5), { ends: false });
    await bench.run(1_500);
    carrier.says(cough());
    await bench.until(() => carrier.clears().length > 0, 500);
    await bench.run(100);
    bench.model.interrupt();
    bench.model.completeTurn();
    const next = noise(1_000, 7);
    bench.model.speak(next);
    await bench.run(3_000);
    expect(carrier.clears()).toHaveLength(1);
    expect(stretches(payloadOf(next), carrier.heard())).toEqual([[0, payloadOf(next).length - 1]]);
    expect(bench.of('playout-resumed')).toEqual([]);
  });

  it.each([
    { line: 'at once', weather: { delayMs: 0, jitterMs: 0, lateShare: 0, lateByMs: 0 } },
    { line: 'over a line of 80 ± 30 ms', weather: { delayMs: 80, jitterMs: 30, lateShare: 0, lateByMs: 0 } },
  ] satisfies { line: string; weather: LineWeather }[])(
    'goes on after a cough, $line: nothing is lost, at most 120 ms come twice',
    async ({ weather }) => {
      for (let seed = 1; seed <= 6; seed++) {
        const bench = new CallBench({ seed });
        const carrier = await bench.answerAndGreet({ weather, seed });
        const answer = noise(6_000, 50 + seed);
        bench.model.speak(answer);
        await bench.run(1_500 + 37 * seed);
        carrier.says(cough());
        await bench.run(8_000);
        expect(bench.of('playout-resumed')).toHaveLength(1);
        const source = payloadOf(answer);
        const heard = stretches(source, carrier.heard());
        expect(heard).toHaveLength(2);
        const [first, second] = heard as [[number, number], [number, number]];
        expect(first[0]).toBe(0);
        expect(second[1]).toBe(source.length - 1);
        const repeatedMs = (first[1] + 1 - second[0]) / 8;
        expect(repeatedMs).toBeGreaterThanOrEqual(0);
        expect(repeatedMs).toBeLessThanOrEqual(120);
      }
    },
  );

  it('does not take the echo of our own voice for the caller', async () => {
    for (const delayMs of [60, 200, 360]) {
      const bench = new CallBench({ seed: delayMs });
      const carrier = await bench.answerAndGreet({ echo: { lossDb: 28, delayMs } });
      const answer = botVoice('services');
      const ms = bench.model.speak(answer);
      await bench.run(ms + 1_500);
      expect(carrier.clears()).toEqual([]);
      expect(bench.of('utterance-started')).toEqual([]);
    }
  });

  it('hears the caller through the echo of our own voice', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet({ echo: { lossDb: 28, delayMs: 200 } });
    bench.model.speak(botVoice('services'));
    await bench.run(3_000);
    carrier.says(interruption());
    await bench.run(400);
    expect(carrier.clears()).toHaveLength(1);
  });
});

describe('an answer to somebody who spoke over the last one', () => {
  it('never queues behind it, even when nobody said that it was interrupted', async () => {
    const bench = new CallBench({ bot: TRACKER_OFF });
    const carrier = await bench.answerAndGreet();
    bench.model.speak(noise(9_000, 5), { pace: 20 });
    await bench.run(1_000);
    carrier.says(interruption());
    await bench.run(2_600);
    expect(carrier.clears()).toEqual([]);
    const next = noise(1_000, 7);
    bench.model.speak(next);
    await bench.run(3_000);
    expect(carrier.clears()).toHaveLength(1);
    expect(bench.of('barge-in')).toMatchObject([{ by: 'new-answer' }]);
    const heard = positionsIn(payloadOf(next), Buffer.from(carrier.heard(carrier.clears()[0])));
    expect(heard.filter((position) => position >= 0)).toHaveLength(payloadOf(next).length);
  });

  it('follows it where nobody spoke', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    bench.model.speak(noise(3_000, 5), { pace: 20 });
    await bench.run(1_000);
    bench.model.speak(noise(1_000, 7), { pace: 20 });
    await bench.run(5_000);
    expect(carrier.clears()).toEqual([]);
    expect(gapsIn(carrier.heard()).filter((ms) => ms < 500)).toEqual([]);
  });
});

describe('a bot that may not be interrupted', () => {
  it('speaks on through the caller, and its next answer waits', async () => {
    const bench = new CallBench({ bot: { bargeIn: { enabled: false } } });
    const carrier = await bench.answerAndGreet();
    const old = noise(6_000, 5);
    bench.model.speak(old);
    await bench.run(1_500);
    carrier.says(callerVoice('barge-in-twice', 18.39, 20.9));
    await bench.run(2_800);
    const next = noise(1_000, 7);
    bench.model.speak(next);
    await bench.run(5_000);
    expect(carrier.clears()).toEqual([]);
    expect(stretches(payloadOf(old), carrier.heard())).toEqual([[0, payloadOf(old).length - 1]]);
    expect(stretches(payloadOf(next), carrier.heard())).toEqual([[0, payloadOf(next).length - 1]]);
    expect(bench.model.setup.vad?.interruptions).toBe(false);
  });
});
