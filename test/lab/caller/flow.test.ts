import { describe, expect, it } from 'vitest';
import { createResampler } from '../../../src/audio/resample.ts';
import type { CarrierCapabilities } from '../../../src/carriers/carrier.ts';
import { asteriskProtocol } from '../../../src/lab/caller/asterisk/protocol.ts';
import { lineFormat } from '../../../src/lab/caller/line-format.ts';
import type { StreamHost } from '../../../src/lab/caller/protocol.ts';
import type { CallerStream } from '../../../src/lab/caller/stream.ts';
import { noise } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { adapterOf, connect, line } from './bench-stream.ts';

/** A call over a simulated Asterisk, in which the greeting has been spoken. */
class Pbx {
  readonly bench: CallBench;
  readonly stream: CallerStream;
  #host: StreamHost | null = null;
  /** Since the stream's start. */
  readonly saidAtMs: { readonly event: string; readonly atMs: number }[] = [];

  private constructor(capabilities: Partial<CarrierCapabilities>) {
    const adapter = adapterOf('asterisk', () => 0.5);
    this.bench = new CallBench({
      bot: { bargeIn: { tracker: false } },
      capabilities: { ...adapter.capabilities, ...capabilities },
      createMediaPort: adapter.createMediaPort,
    });
    const open = asteriskProtocol({ channelId: 'CA1.1', connectionId: 'gateway' });
    const watched = (host: StreamHost) => {
      this.#host = host;
      const send: StreamHost['send'] = (event, message, frame) => {
        if (event !== 'media') this.saidAtMs.push({ event, atMs: host.nowMs() });
        host.send(event, message, frame);
      };
      return open(Object.create(host, { send: { value: send } }));
    };
    this.stream = connect(this.bench, watched, line(30, 0), 1);
  }

  static async open(capabilities: Partial<CarrierCapabilities> = {}): Promise<Pbx> {
    const pbx = new Pbx(capabilities);
    const { bench } = pbx;
    await bench.until(() => (bench.live.connections.at(-1)?.texts.length ?? 0) > 0, 3_000);
    await bench.run(bench.model.speak(new Int16Array(24 * 600).fill(3_000)) + 1_500);
    return pbx;
  }

  /** Nothing is taken off the queue, as of a channel that nobody serves. */
  standStill(still: boolean): void {
    this.#host!.pause(still);
  }

  /** Of the queue's own words. */
  said(event: 'MEDIA_XOFF' | 'MEDIA_XON'): number {
    return this.stream.account().messagesSent[event] ?? 0;
  }

  /** What the caller has heard since `fromMs`, without silence. */
  heardSince(fromMs: number): number[] {
    return [...this.stream.account().heard.subarray(Math.round(fromMs * 8))].filter(
      (sample) => Math.abs(sample) > 8,
    );
  }
}

/** As it comes out of the line. */
function overTheLine(answer: Int16Array): number[] {
  const pcmu = lineFormat('pcmu', 8000);
  const converter = createResampler(24_000, 8_000);
  const all = [...converter.process(answer), ...converter.flush()];
  return [...pcmu.decode(pcmu.encode(Int16Array.from(all)))].filter((sample) => Math.abs(sample) > 8);
}

function same(found: readonly number[], wanted: readonly number[]): void {
  expect(found.length).toBe(wanted.length);
  expect(found.findIndex((sample, i) => sample !== wanted[i])).toBe(-1);
}

describe('an Asterisk whose queue is full', () => {
  it('is given nothing from XOFF to XON, loses nothing, and is not short of anything', async () => {
    // A lead that no bot has: as much as the queue can hold.
    const pbx = await Pbx.open({ leadMs: 19_500, maxLeadMs: 19_500 });
    const { bench, stream } = pbx;
    const fromMs = stream.elapsedMs();
    const answer = noise(40_000, 7);
    bench.model.speak(answer, { pace: 20 });
    await bench.run(45_000);
    const { invalidMessages, received } = stream.account();
    expect(invalidMessages).toEqual([]);
    same(pbx.heardSince(fromMs), overTheLine(answer));
    expect(bench.of('underrun')).toEqual([]);
    const words = pbx.saidAtMs.filter(({ event }) => event === 'MEDIA_XOFF' || event === 'MEDIA_XON');
    expect(words.length).toBeGreaterThanOrEqual(4);
    for (const [i, { event, atMs }] of words.entries()) {
      expect(event).toBe(i % 2 === 0 ? 'MEDIA_XOFF' : 'MEDIA_XON');
      // Both ways of the line, within which what was written before still comes.
      const [offMs, onMs] = [atMs + 60, (words[i + 1]?.atMs ?? 0) + 60];
      if (event === 'MEDIA_XOFF')
        expect(received.filter((each) => each.atMs > offMs && each.atMs < onMs)).toEqual([]);
    }
  });

  it('as it stands still is known not to have played what it holds', async () => {
    const pbx = await Pbx.open();
    const { bench, stream } = pbx;
    const fromMs = stream.elapsedMs();
    const answer = noise(45_000, 8);
    bench.model.speak(answer, { pace: 4 });
    await bench.run(3_000);
    pbx.standStill(true);
    // After 18 s of what the gateway writes in real time it says that it has too much.
    await bench.run(19_500);
    expect([pbx.said('MEDIA_XOFF'), pbx.said('MEDIA_XON')]).toEqual([1, 0]);
    const truthMs = pbx.heardSince(fromMs).length / 8;
    expect(truthMs).toBeLessThan(3_000);
    bench.model.interrupt();
    await bench.run(200);
    const [over] = bench.of('generation-over').slice(-1);
    // The greeting is in it too, and a mark comes every 160 ms.
    expect(Math.abs(over!.heardMs - 600 - truthMs)).toBeLessThanOrEqual(180);
    expect(pbx.said('MEDIA_XON')).toBe(1);
  });

  it('and goes on is given all of the rest, in order, and no gap of it is called ours', async () => {
    const pbx = await Pbx.open();
    const { bench, stream } = pbx;
    const fromMs = stream.elapsedMs();
    const answer = noise(30_000, 9);
    bench.model.speak(answer, { pace: 4 });
    await bench.run(3_000);
    pbx.standStill(true);
    await bench.run(19_500);
    pbx.standStill(false);
    await bench.run(32_000);
    expect([pbx.said('MEDIA_XOFF'), pbx.said('MEDIA_XON')]).toEqual([1, 1]);
    same(pbx.heardSince(fromMs), overTheLine(answer));
    expect(stream.account().invalidMessages).toEqual([]);
    expect(bench.of('underrun')).toEqual([]);
    // And the lead is what it was: what comes next is heard at once after an interruption.
    bench.model.speak(noise(2_000, 10), { pace: 4 });
    await bench.run(1_000);
    bench.model.interrupt();
    await bench.run(500);
    expect(stream.account().generations.at(-2)!.droppedMs).toBeLessThanOrEqual(460);
  });
});
