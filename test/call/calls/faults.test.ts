import { describe, expect, it } from 'vitest';
import { createTwilioMediaPort } from '../../../src/carriers/twilio/media.ts';
import { noise } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { ready } from '../../support/call-live.ts';

/** A media port that throws where it is told to, for the first stream only. */
function faulty(where: 'decode' | 'encode' | 'create', after = 0) {
  let made = 0;
  return () => {
    made += 1;
    if (made > 1) return createTwilioMediaPort();
    if (where === 'create') throw new Error('no port');
    const port = createTwilioMediaPort();
    let calls = 0;
    const worn =
      <A extends unknown[], R>(method: (...args: A) => R) =>
      (...args: A): R => {
        calls += 1;
        if (calls > after) throw new Error('broken port');
        return method(...args);
      };
    return where === 'decode'
      ? { decode: worn(port.decode.bind(port)), encode: port.encode.bind(port) }
      : { decode: port.decode.bind(port), encode: worn(port.encode.bind(port)) };
  };
}

/** Two calls, of which the first meets the fault; the second must not notice. */
async function besideAnother(bench: CallBench, provoke: () => Promise<void>): Promise<void> {
  await provoke();
  await bench.run(6_000);
  expect(bench.of('call-ended').map(({ reason }) => `${reason.who}/${reason.how}`)).toEqual([
    'gateway/crashed',
  ]);
  expect(bench.of('bug').length).toBeGreaterThanOrEqual(1);
  const second = await bench.answerAndGreet({ callSid: 'CA2' });
  second.stop();
  await bench.run(10);
  expect(bench.of('call-ended')).toHaveLength(2);
  bench.expectNothingLeft();
}

describe('a fault of ours ends the call in which it happens, and no other', () => {
  it.each([
    { where: 'decode', after: 0 },
    { where: 'decode', after: 80 },
    { where: 'encode', after: 0 },
    { where: 'encode', after: 5 },
  ] as const)('in the $where of the media port, at use $after', async ({ where, after }) => {
    const bench = new CallBench({ createMediaPort: faulty(where, after), live: [ready(), ready()] });
    await besideAnother(bench, async () => {
      await bench.answer();
      await bench.run(1_000);
      bench.live.connections[0]?.speak(noise(2_000, 1));
    });
  });

  it('in the making of the media port: the socket is closed', async () => {
    const bench = new CallBench({ createMediaPort: faulty('create'), live: [ready(), ready()] });
    await besideAnother(bench, async () => {
      const carrier = bench.connect(bench.ring())!;
      expect(carrier.closes).toHaveLength(1);
    });
  });

  it('in what the model says', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    await besideAnother(bench, async () => {
      await bench.answerAndGreet();
      bench.model.say({ type: 'audio', bytes: null as unknown as Buffer, sampleRate: 24_000 });
    });
  });

  it('also when the connection breaks its promise not to throw at the end', async () => {
    const bench = new CallBench({ live: [ready(), ready()] });
    await besideAnother(bench, async () => {
      await bench.answerAndGreet();
      bench.model.throwsAtClose = true;
      bench.model.say({ type: 'audio', bytes: null as unknown as Buffer, sampleRate: 24_000 });
    });
  });

  it('and a connection that throws at the end does not keep the call', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    bench.model.throwsAtClose = true;
    carrier.stop();
    await bench.run(100);
    expect(bench.of('call-ended').map(({ reason }) => `${reason.who}/${reason.how}`)).toEqual([
      'caller/completed',
    ]);
    bench.expectNothingLeft();
  });

  it('and a listener of the journal that throws is its own fault: no call notices', async () => {
    const bench = new CallBench({
      listeners: [
        () => {
          throw new Error('broken sink');
        },
      ],
    });
    const carrier = await bench.answerAndGreet();
    carrier.stop();
    await bench.run(100);
    bench.expectEnded('caller', 'completed');
    expect(bench.of('bug')).toEqual([]);
  });
});

describe('nonsense from the carrier', () => {
  it('is counted, reported once of a kind, and harms nothing', async () => {
    const bench = new CallBench();
    const carrier = await bench.answerAndGreet();
    for (let i = 0; i < 50; i++) {
      for (const text of [
        '{',
        '[]',
        '{"event":"media"}',
        '{"event":"nonsense"}',
        '{"event":"start"}',
        'null',
        '{"event":"mark","mark":{"name":"g1.1"}}',
      ]) {
        carrier.raw(text);
      }
    }
    await bench.run(1_000);
    expect(bench.ended).toBeNull();
    expect(bench.of('carrier-fault').length).toBeLessThanOrEqual(6);
    carrier.stop();
    await bench.run(10);
    bench.expectEnded('caller', 'completed');
    expect(bench.ended!.totals.faults['bad-json']).toBe(150);
  });
});
