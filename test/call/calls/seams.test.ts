import { expect, test } from 'vitest';
import type { StreamSink } from '../../../src/call/desk.ts';
import { interruption, noise, payloadOf, positionsIn } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { SimulatedCarrier } from '../../support/call-carrier.ts';

const missingOf = (payload: Buffer, heard: Buffer): number => {
  const found = new Set(positionsIn(payload, heard));
  return payload.reduce((sum, _, position) => sum + Number(!found.has(position)), 0);
};

test('an answer that follows a barge-in within a second is heard, though the turn before was never completed', async () => {
  const bench = new CallBench({ bot: { bargeIn: { tracker: false } } });
  const carrier = await bench.answerAndGreet();
  bench.model.speak(noise(8_000, 5));
  await bench.run(1_500);
  bench.model.interrupt();
  await bench.run(900);
  const next = noise(400, 6);
  bench.model.speak(next);
  await bench.run(3_000);
  expect(missingOf(payloadOf(next), carrier.heard())).toBeLessThan(24);
});

test('chunks of 400 ms that come every 200 ms are heard as one, without a seam', async () => {
  const bench = new CallBench();
  const carrier = await bench.answerAndGreet();
  const words = noise(3_200, 5);
  bench.model.speak(words, { chunkMs: 400, pace: 2 });
  await bench.run(5_000);
  expect(bench.of('underrun')).toEqual([]);
  expect(missingOf(payloadOf(words), carrier.heard())).toBeLessThan(24);
});

test('a caller who speaks on is not taken for one who coughed because the line stood still for 200 ms', async () => {
  const bench = new CallBench();
  const path = bench.ring('CA1');
  const claim = bench.registry.claimStream(bench.adapter, path.split('/').at(-1)!);
  if (!claim.ok) throw new Error('the stream was refused');
  const carrier = new SimulatedCarrier(bench.clock, { callSid: 'CA1', streamSid: 'MZ1' });
  const sink = claim.attach(carrier);
  let held: Parameters<StreamSink['onMessage']>[] | null = null;
  carrier.opened({
    onMessage: (...message) => (held === null ? sink.onMessage(...message) : held.push(message)),
    onClose: (code, detail) => sink.onClose(code, detail),
  });
  carrier.start();
  await bench.until(() => (bench.live.connections.at(-1)?.texts.length ?? 0) > 0, 2_000);
  bench.model.speak(noise(8_000, 5), { pace: 20 });
  await bench.run(2_000);
  carrier.says(interruption());
  await bench.until(() => bench.of('barge-in').length > 0, 1_000);
  await bench.run(120);
  held = [];
  await bench.run(220);
  for (const message of held) sink.onMessage(...message);
  held = null;
  await bench.run(1_500);
  expect(bench.of('playout-resumed')).toEqual([]);
  carrier.stop();
});
