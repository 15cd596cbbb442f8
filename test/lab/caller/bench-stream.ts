/** Calls of the bench whose other end is one of the simulated carriers, over two lines. */
import type { StreamSink, StreamSocket } from '../../../src/call/desk.ts';
import type { CarrierAdapter, CarrierId } from '../../../src/carriers/carrier.ts';
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
import type { CallBench } from '../../support/call-bench.ts';
import { buildAdapters } from './adapters.ts';

const PCMU = lineFormat('pcmu', 8000);

/** Of the bench that runs. */
const virtual = { nowMs: 0 };

/** What each simulated carrier speaks on the only stream of the call "CA1", and how the caller hears it. */
export const CARRIERS: Readonly<
  Record<CarrierId, { readonly open: OpenProtocol; readonly heard: LineFormat }>
> = {
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

export const line = (delayMs: number, jitterMs: number): LineWeather => ({
  delayMs,
  jitterMs,
  lateShare: 0,
  lateByMs: 0,
});

/** A stream of the bench's call, spoken by one of the simulated carriers over two lines of this weather. */
export function connect(
  bench: CallBench,
  open: OpenProtocol,
  weather: LineWeather,
  seed: number,
): CallerStream {
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

/** The gateway's adapter of a carrier, without a network. */
export function adapterOf(id: CarrierId, random: () => number): CarrierAdapter {
  return buildAdapters('https://gw.example.com', null, {
    clock: { now: () => 0, epochMs: () => 0, setTimer: () => ({ cancel: () => {} }) },
    random,
    fetch: () => Promise.reject(new Error('no network here')),
    onProblem: () => {},
  }).get(id)!;
}
