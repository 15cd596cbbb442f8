import { describe, expect, it } from 'vitest';
import { createResampler } from '../../../src/audio/resample.ts';
import type { StreamSink, StreamSocket } from '../../../src/call/desk.ts';
import type { CarrierId } from '../../../src/carriers/carrier.ts';
import { asteriskProtocol } from '../../../src/lab/caller/asterisk/protocol.ts';
import { jambonzProtocol } from '../../../src/lab/caller/jambonz/protocol.ts';
import { type LineFormat, lineFormat } from '../../../src/lab/caller/line-format.ts';
import { plivoProtocol } from '../../../src/lab/caller/plivo/protocol.ts';
import type { OpenProtocol } from '../../../src/lab/caller/protocol.ts';
import { signalwireProtocol } from '../../../src/lab/caller/signalwire/protocol.ts';
import { CallerStream } from '../../../src/lab/caller/stream.ts';
import { agreeFormats } from '../../../src/lab/caller/telnyx/formats.ts';
import { telnyxProtocol } from '../../../src/lab/caller/telnyx/protocol.ts';
import { twilioProtocol } from '../../../src/lab/caller/twilio/protocol.ts';
import { vonageProtocol } from '../../../src/lab/caller/vonage/protocol.ts';
import { Line, type LineWeather } from '../../../src/lab/network/line.ts';
import { seededRandom } from '../../../src/lab/network/random.ts';
import { noise } from '../../support/call-audio.ts';
import { CallBench } from '../../support/call-bench.ts';
import { buildAdapters } from './adapters.ts';

const TURNS = 5;
const PCMU = lineFormat('pcmu', 8000);
/** Of the bench that runs. */
const virtual = { nowMs: 0 };

/** What each simulated carrier speaks on the only stream of the call "CA1", and how the caller hears it. */
const CARRIERS: Readonly<Record<CarrierId, { readonly open: OpenProtocol; readonly heard: LineFormat }>> = {
  twilio: {
    open: twilioProtocol({ accountSid: 'AC1', callSid: 'CA1', streamSid: 'MZ1' }, {}),
    heard: PCMU,
  },
  telnyx: {
    open: telnyxProtocol({
      streamId: 's1',
      callControlId: 'CA1',
      callSessionId: 'session',
      from: '+1',
      to: '+2',
      clientState: null,
      parameters: {},
      authToken: null,
      formats: agreeFormats(
        { codec: 'PCMU', mode: 'rtp', bidirectionalCodec: 'PCMU', bidirectionalRate: '' },
        {},
      )!,
      isoNow: () => '2026-01-01T00:00:00.000Z',
    }),
    heard: PCMU,
  },
  plivo: {
    open: plivoProtocol({
      callId: 'CA1',
      streamId: 's1',
      accountId: 'MAXXXXXXXXXXXXXXXXXX',
      format: PCMU,
      extraHeaders: '',
      epochMs: () => 1_767_225_600_000 + virtual.nowMs,
    }),
    heard: PCMU,
  },
  vonage: {
    open: vonageProtocol({ sampleRate: 16_000, headers: {}, earlyFrame: true }),
    heard: lineFormat('l16', 16000),
  },
  signalwire: {
    open: signalwireProtocol({
      accountSid: 'project-1',
      callSid: 'CA1',
      streamSid: 's1',
      format: PCMU,
      parameters: {},
    }),
    heard: PCMU,
  },
  jambonz: {
    open: jambonzProtocol({
      metadata: {
        callSid: 'CA1',
        direction: 'inbound',
        from: '+1',
        to: '+2',
        accountSid: 'account-1',
        callStatus: 'in-progress',
        sampleRate: 8_000,
        mixType: 'mono',
      },
      sentRate: 8_000,
      heardRate: 8_000,
      callRate: 8_000,
      isStreaming: true,
      passDtmf: true,
    }),
    heard: lineFormat('l16', 8000),
  },
  asterisk: {
    open: asteriskProtocol({ channelId: 'CA1.1', connectionId: 'gateway' }),
    heard: PCMU,
  },
};

const line = (delayMs: number, jitterMs: number): LineWeather => ({
  delayMs,
  jitterMs,
  lateShare: 0,
  lateByMs: 0,
});

/** A stream of the bench's call, spoken by one of the simulated carriers over two lines of this weather. */
function connect(bench: CallBench, open: OpenProtocol, weather: LineWeather, seed: number): CallerStream {
  const claim = bench.registry.claimStream(bench.adapter, bench.ring().split('/').at(-1)!);
  if (!claim.ok) throw new Error(`the stream was refused: ${claim.reason}`);
  const { clock } = bench;
  Object.defineProperty(virtual, 'nowMs', { get: () => clock.now(), configurable: true });
  let stream: CallerStream | null = null;
  const down = new Line<string | Buffer>({
    clock,
    weather,
    random: seededRandom(seed * 2),
    deliver: (message) => stream?.receive(Buffer.from(message), typeof message !== 'string'),
  });
  const socket: StreamSocket = {
    bufferedBytes: 0,
    // A buffer of the call's is used again.
    send: (message) => {
      down.send(typeof message === 'string' ? message : Buffer.from(message));
      return true;
    },
    close: () => {
      stream?.end(false);
      clock.setTimer(0, () => sink.onClose(1000, ''));
    },
  };
  const sink: StreamSink = claim.attach(socket);
  const up = new Line<string | Buffer>({
    clock,
    weather,
    random: seededRandom(seed * 2 + 1),
    deliver: (message) => sink.onMessage(Buffer.from(message), typeof message !== 'string'),
  });
  stream = new CallerStream({
    clock,
    open,
    caller: new Int16Array(0),
    dtmf: [],
    send: (message) => up.send(message),
    onTimeline: () => {},
    onCallerDone: () => {},
  });
  return stream;
}

/** Samples of the source up to the last one that was heard: found by its last 8 ms, the loudness apart. */
function heardTo(source: Int16Array, heard: Int16Array, sampleRate: number): number {
  const window = (sampleRate * 8) / 1_000;
  const end = heard.findLastIndex((sample) => Math.abs(sample) > 8) + 1;
  if (end < window) return 0;
  let best = { at: 0, error: Number.POSITIVE_INFINITY };
  for (let at = 0; at + window <= source.length; at += 1) {
    let error = 0;
    for (let n = 0; n < window && error < best.error; n += 1) {
      error += (source[at + n]! - heard[end - window + n]!) ** 2;
    }
    if (error < best.error) best = { at, error };
  }
  // Noise that is not of this source is nowhere near it.
  return best.error > window * 1_000 ** 2 ? 0 : best.at + window;
}

interface Comparison {
  readonly errorMs: number;
  readonly heardMs: number;
}

/** Interrupts answer after answer, and lays the ledger beside what the simulated carrier has played. */
async function compare(id: CarrierId, seed: number, weather: LineWeather) {
  const random = seededRandom(seed * 77);
  const adapter = buildAdapters('https://gw.example.com', null, {
    clock: { now: () => 0, epochMs: () => 0, setTimer: () => ({ cancel: () => {} }) },
    random,
    fetch: () => Promise.reject(new Error('no network here')),
    onProblem: () => {},
  }).get(id)!;
  const bench = new CallBench({
    seed,
    bot: { bargeIn: { tracker: false } },
    capabilities: adapter.capabilities,
    createMediaPort: adapter.createMediaPort,
  });
  const { open, heard: format } = CARRIERS[id];
  const stream = connect(bench, open, weather, seed);
  await bench.until(() => (bench.live.connections.at(-1)?.texts.length ?? 0) > 0, 3_000);
  await bench.run(bench.model.speak(new Int16Array(24 * 600).fill(3_000)) + 1_500);
  const answers: Int16Array[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const answer = noise(3_500, seed * 100 + turn);
    const converter = createResampler(24_000, format.sampleRate);
    answers.push(format.decode(format.encode(Int16Array.from(converter.process(answer)))));
    bench.model.speak(answer, { pace: 1.3 + 8 * random(), ends: random() < 0.5 });
    await bench.run(500 + 2_500 * random());
    bench.model.interrupt();
    bench.model.say({ type: 'turn-complete', reason: null });
    await bench.run(700 + 500 * random());
  }
  // A carrier that loses cleared marks lets the gateway wait for them.
  await bench.run(3_000);
  stream.end(false);
  const ledger = bench.of('generation-over').filter(({ how }) => how === 'cleared');
  const account = stream.account();
  const perMs = account.sampleRate / 1_000;
  // The first generation holds the greeting as well.
  const compared = answers.slice(1).map((source, index): Comparison => {
    const runs = account.runs.filter(({ generation }) => generation === index + 1);
    const from = runs[0]?.fromMs ?? 0;
    const to = runs.at(-1)?.toMs ?? 0;
    const heard = account.heard.subarray(Math.round(from * perMs), Math.round(to * perMs));
    const heardMs = heardTo(source, heard, account.sampleRate) / perMs;
    return { errorMs: Math.abs(ledger[index + 1]!.heardMs - heardMs), heardMs };
  });
  return { compared, ledger, account };
}

describe('the gateway’s ledger is what the simulated carrier played,', () => {
  const ids = Object.keys(CARRIERS) as CarrierId[];
  const weathers = [
    ['with no delay', line(0, 0)],
    ['over 80 ± 30 ms each way', line(80, 30)],
  ] as const;
  const cases = ids.flatMap((id) => weathers.map(([name, weather]) => ({ id, name, weather })));

  it.each(cases)('$id, to 60 ms, $name', async ({ id, weather }) => {
    const errors: number[] = [];
    for (let seed = 1; seed <= 4; seed += 1) {
      const { compared, ledger, account } = await compare(id, seed, weather);
      expect(ledger).toHaveLength(TURNS);
      expect(account.clears).toHaveLength(TURNS);
      expect(account.invalidMessages).toEqual([]);
      for (const { heardMs } of compared) expect(heardMs).toBeGreaterThan(0);
      errors.push(...compared.map(({ errorMs }) => errorMs));
    }
    expect(Math.max(...errors)).toBeLessThanOrEqual(60);
  });
});
