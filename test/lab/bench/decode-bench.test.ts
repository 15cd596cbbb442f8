import { expect, test } from 'vitest';
import { runDecodeBench } from '../../../src/lab/bench/decode-bench.ts';

test('no carrier’s decoder throws at mutated messages of its own, and some of them still mean something', () => {
  const { carriers } = runDecodeBench({
    traces: new URL('../../../fixtures/carriers/', import.meta.url),
    messages: 2_000,
    seed: 20,
    onProgress: () => {},
  });
  expect(carriers.map(({ carrier }) => carrier).sort()).toEqual([
    'asterisk',
    'jambonz',
    'plivo',
    'signalwire',
    'telnyx',
    'twilio',
    'vonage',
  ]);
  for (const { carrier, threw, events } of carriers) {
    expect([carrier, threw]).toEqual([carrier, 0]);
    expect(events).toBeGreaterThan(200);
  }
});
