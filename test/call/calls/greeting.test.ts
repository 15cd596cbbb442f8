import { describe, expect, it } from 'vitest';
import {
  botVoice,
  cough,
  noise,
  payloadOf,
  positionsIn,
  question,
  uplinkOf,
} from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { ready } from '../../support/call-live.ts';

/** Bytes of `source` that the caller heard. */
const heardOf = (source: Int16Array, heard: Buffer): number =>
  positionsIn(payloadOf(source), heard).filter((position) => position >= 0).length;

describe('greeting at once', () => {
  it('asks for the greeting before the model gets any of the caller, and then gives it all that was held, in order', async () => {
    const bench = new CallBench({ live: [ready(1_800)] });
    const carrier = await bench.answer();
    carrier.says(question());
    await bench.until(() => bench.live.connections.length > 0, 3_000);
    await bench.run(2_400);
    const { sent } = bench.model;
    expect(sent[0]).toMatchObject({ type: 'text', text: bench.bot.greeting.instruction });
    expect(sent.slice(1).every(({ type }) => type === 'audio')).toBe(true);
    const given = bench.model.audio;
    const all = uplinkOf(Buffer.concat(carrier.spoken));
    expect(given.length).toBeGreaterThan(16 * 3_800);
    expect(Buffer.compare(asBytes(given), asBytes(all.subarray(0, given.length)))).toBe(0);
    expect(all.length - given.length).toBeLessThanOrEqual(16 * 20);
    carrier.stop();
    await bench.run(100);
    bench.expectEnded('caller', 'completed');
  });

  it('waits for the stream when the model is ready first', async () => {
    const bench = new CallBench({ live: [ready(10)] });
    const path = bench.ring();
    await bench.run(5_000);
    expect(bench.model.sent).toEqual([]);
    const carrier = bench.connect(path)!;
    await bench.run(1_000);
    expect(bench.model.sent).toEqual([]);
    carrier.start();
    await bench.run(100);
    expect(bench.model.texts).toHaveLength(1);
  });

  it('asks once more after 2.5 s, and plays the clip after another 2.5 s', async () => {
    const bench = new CallBench();
    const carrier = await bench.answer();
    await bench.until(() => bench.of('greeting-clip').length === 1, 10_000);
    const [first, second] = bench.of('greeting-triggered');
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(2_500);
    expect(second!.atMs - first!.atMs).toBeLessThanOrEqual(2_520);
    expect(bench.of('greeting-clip')[0]!.atMs - second!.atMs).toBeLessThanOrEqual(2_520);
    expect(bench.model.texts).toHaveLength(2);
    await bench.run(6_000);
    expect(carrier.heard().filter((byte) => byte !== 0xff).length / 8).toBeGreaterThan(2_000);
    expect(bench.model.texts).toHaveLength(2);
    carrier.stop();
    await bench.run(100);
    bench.expectEnded('caller', 'completed');
  });

  it('does not ask again once the greeting is on its way', async () => {
    const bench = new CallBench();
    await bench.answer();
    await bench.run(2_300);
    bench.model.speak(noise(2_000, 1));
    await bench.run(8_000);
    expect(bench.model.texts).toHaveLength(1);
  });

  it.each([
    { late: 'after the second request', firstMs: 3_000, secondMs: 6_000, wanted: 'first' },
    { late: 'after the clip', firstMs: 6_200, secondMs: 9_000, wanted: 'clip' },
    { late: 'one in time and one surplus, back to back', firstMs: 2_600, secondMs: 4_700, wanted: 'first' },
  ])('lets the caller hear one greeting when two come: $late', async ({ firstMs, secondMs, wanted }) => {
    const bench = new CallBench();
    const carrier = await bench.answer();
    const first = noise(2_000, 1);
    const second = noise(2_000, 2);
    await bench.run(firstMs);
    bench.model.speak(first);
    await bench.run(secondMs - firstMs);
    bench.model.speak(second);
    await bench.run(6_000);
    const heard = carrier.heard();
    expect(heardOf(first, heard)).toBe(wanted === 'first' ? payloadOf(first).length : 0);
    expect(heardOf(second, heard)).toBe(0);
    expect(bench.of('duplicate-greeting-dropped')).toHaveLength(wanted === 'first' ? 1 : 2);
  });

  it('plays the answer to a caller who spoke after the greeting, although two greetings were asked for', async () => {
    const bench = new CallBench();
    const carrier = await bench.answer();
    await bench.run(3_000);
    bench.model.speak(noise(1_000, 1));
    await bench.run(1_500);
    carrier.says(question());
    await bench.run(3_000);
    const answer = noise(1_500, 3);
    bench.model.speak(answer);
    await bench.run(3_000);
    expect(heardOf(answer, carrier.heard())).toBe(payloadOf(answer).length);
  });

  it('plays the answer to a word that only the model heard, although two greetings were asked for', async () => {
    const bench = new CallBench();
    const carrier = await bench.answer();
    await bench.run(3_000);
    bench.model.speak(noise(1_000, 1));
    await bench.run(1_500);
    bench.model.say({ type: 'input-transcript', text: 'Yes.' });
    const answer = noise(1_500, 3);
    bench.model.speak(answer);
    await bench.run(3_000);
    expect(heardOf(answer, carrier.heard())).toBe(payloadOf(answer).length);
  });

  it('plays the answer to keys, although two greetings were asked for', async () => {
    const bench = new CallBench();
    const carrier = await bench.answer();
    await bench.run(3_000);
    bench.model.speak(noise(1_000, 1));
    await bench.run(1_500);
    carrier.press('7', '#');
    await bench.run(500);
    const answer = noise(1_500, 3);
    bench.model.speak(answer);
    await bench.run(3_000);
    expect(heardOf(answer, carrier.heard())).toBe(payloadOf(answer).length);
  });

  it('does not swallow the next answer when a surplus greeting never ends', async () => {
    const bench = new CallBench();
    const carrier = await bench.answer();
    await bench.run(3_000);
    bench.model.speak(noise(1_000, 1));
    await bench.run(1_500);
    bench.model.speak(noise(1_000, 2), { ends: false });
    await bench.run(1_000);
    carrier.says(question());
    await bench.run(4_000);
    const answer = noise(1_500, 3);
    bench.model.speak(answer);
    await bench.run(3_000);
    expect(heardOf(answer, carrier.heard())).toBe(payloadOf(answer).length);
  });

  it('neither repeats the greeting nor plays the clip for a caller who speaks during the wait', async () => {
    const bench = new CallBench();
    const carrier = await bench.answer();
    await bench.run(800);
    carrier.says(question());
    await bench.run(4_000);
    const answer = botVoice('hours');
    bench.model.speak(answer);
    await bench.run(6_000);
    expect(bench.model.texts).toHaveLength(1);
    expect(bench.of('greeting-clip')).toEqual([]);
    expect(carrier.heard().indexOf(payloadOf(answer).subarray(0, 8_000))).toBeGreaterThan(0);
  });
});

describe('the other greetings', () => {
  it('after-caller leaves the first word to the caller', async () => {
    const bench = new CallBench({ bot: { greeting: { mode: 'after-caller', waitSeconds: 5 } } });
    const carrier = await bench.answer();
    await bench.run(2_000);
    carrier.says(question());
    await bench.run(8_000);
    expect(bench.model.texts).toEqual([]);
    expect(bench.model.audio.length / 16).toBeGreaterThan(9_900);
  });

  it('after-caller greets a caller who says nothing, once the wait is over', async () => {
    const bench = new CallBench({ bot: { greeting: { mode: 'after-caller', waitSeconds: 5 } } });
    await bench.answer();
    await bench.run(4_900);
    expect(bench.model.texts).toEqual([]);
    await bench.run(200);
    expect(bench.model.texts).toEqual([bench.bot.greeting.instruction]);
  });

  it('after-caller does not greet into words that began just before the wait was over', async () => {
    const bench = new CallBench({ bot: { greeting: { mode: 'after-caller', waitSeconds: 2 } } });
    const carrier = await bench.answer();
    await bench.run(1_700);
    carrier.says(question());
    await bench.run(6_000);
    expect(bench.of('utterance-started')[0]!.atMs).toBeLessThan(1_300 + 2_000);
    expect(bench.model.texts).toEqual([]);
  });

  it('after-caller greets after a cough at the end of the wait, hardly later', async () => {
    const bench = new CallBench({ bot: { greeting: { mode: 'after-caller', waitSeconds: 2 } } });
    const carrier = await bench.answer();
    await bench.run(1_700);
    carrier.says(cough());
    await bench.run(1_000);
    expect(bench.of('utterance-started')).toHaveLength(1);
    expect(bench.model.texts).toEqual([bench.bot.greeting.instruction]);
  });

  it('none never asks for a greeting, and the caller is heard from the first frame', async () => {
    const bench = new CallBench({ bot: { greeting: { mode: 'none' } } });
    const carrier = await bench.answer();
    carrier.says(question());
    await bench.run(15_000);
    expect(bench.model.texts).toEqual([]);
    expect(bench.of('greeting-clip')).toEqual([]);
    const given = bench.model.audio;
    const all = uplinkOf(Buffer.concat(carrier.spoken));
    expect(Buffer.compare(asBytes(given), asBytes(all.subarray(0, given.length)))).toBe(0);
  });
});

function asBytes(samples: Int16Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}
