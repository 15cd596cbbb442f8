/** A call whose connection has to wait for its turn among the process's others. */
import { expect, test } from 'vitest';
import type { Clock } from '../../../src/clock.ts';
import { govern } from '../../../src/gemini/governor.ts';
import type { ConnectLive } from '../../../src/gemini/live-session.ts';
import { CallBench } from '../../support/call-bench.ts';
import { ready } from '../../support/call-live.ts';
import { giveHandle } from '../../support/call-talk.ts';

/** Between two that are let in. */
const EVERY_MS = 8_000;
const SETUP_MS = 250;

const slowDoor = (connect: ConnectLive, clock: Clock): ConnectLive =>
  govern(connect, { clock, random: () => 0, perSecond: 1_000 / EVERY_MS, burst: 1, atOnce: 32 });

test('the wait for its turn and the set-up after it are told apart, when it breaks', async () => {
  const bench = new CallBench({ live: [ready(SETUP_MS), ready(SETUP_MS)], door: slowDoor });
  await bench.answerAndGreet();
  giveHandle(bench.model, 'h');
  await bench.run(2_000);
  bench.model.lose();
  await bench.run(EVERY_MS);
  const [first, second] = bench.of('session-connecting').map(({ atMs }) => atMs) as [number, number];
  // The door was left at the first connect; nothing but the next turn lets the second one in.
  const queuedMs = first + EVERY_MS - second;
  expect(queuedMs).toBeGreaterThan(1_000);
  expect(bench.of('session-ready')).toMatchObject([
    { queuedMs: 0, setupMs: SETUP_MS },
    { queuedMs, setupMs: SETUP_MS },
  ]);
  expect(bench.of('rotated')).toMatchObject([{ planned: false, queuedMs, setupMs: SETUP_MS }]);
  expect(bench.of('rotated')[0]?.gapMs).toBeGreaterThanOrEqual(queuedMs + SETUP_MS);
});

test('of a rotation nothing was waited for: the old connection served meanwhile', async () => {
  const bench = new CallBench({
    live: [ready(SETUP_MS), ready(SETUP_MS)],
    door: slowDoor,
  });
  await bench.answerAndGreet();
  giveHandle(bench.model, 'h');
  bench.model.say({ type: 'go-away', timeLeftMs: 30_000 });
  await bench.run(30_000);
  expect(bench.of('session-ready')).toMatchObject([
    { queuedMs: 0, setupMs: SETUP_MS },
    { queuedMs: 0, setupMs: SETUP_MS },
  ]);
  expect(bench.of('rotated')).toMatchObject([{ planned: true, queuedMs: 0, setupMs: SETUP_MS }]);
  const [connecting] = bench.live.asked.slice(1);
  // It did wait: the door had been passed less than so long before.
  expect((connecting?.atMs ?? 0) - (bench.of('session-connecting')[1]?.atMs ?? 0)).toBeGreaterThan(1_000);
});
