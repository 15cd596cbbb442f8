import { z } from 'zod';
import { createAsteriskAdapter } from '../../src/carriers/asterisk/adapter.ts';
import type { MediaCommand } from '../../src/carriers/carrier.ts';
import { systemClock } from '../../src/clock.ts';
import { basic, CALL, handshake, settings } from '../carriers/asterisk/support.ts';
import { type CarrierProfile, carrierContract, type Wire } from './carrier-contract.ts';

const format = { encoding: 'l16', sampleRate: 16000 } as const;
const CHANNEL = '1795170643.1';
const FRAME_BYTES = 640;
const path = `/asterisk/media?call=${CALL}&from=%2B15551230001&to=600`;

/** A command has at most 128 bytes, a message of audio whole frames and at most 65,500 bytes: anything else is lost. */
const Taken = z.discriminatedUnion('command', [
  z.strictObject({ command: z.enum(['REPORT_QUEUE_DRAINED', 'FLUSH_MEDIA', 'HANGUP']) }),
  z.strictObject({ command: z.literal('MARK_MEDIA'), correlation_id: z.string().min(1) }),
]);

function read(message: Wire): MediaCommand | null {
  if (typeof message !== 'string') {
    const whole = message.length % FRAME_BYTES === 0 && message.length <= 65_500;
    return whole ? { type: 'audio', payload: message } : null;
  }
  if (Buffer.byteLength(message) > 128) return null;
  const taken = Taken.safeParse(JSON.parse(message)).data;
  switch (taken?.command) {
    case undefined:
      return null;
    case 'MARK_MEDIA':
      return { type: 'mark', name: taken.correlation_id };
    case 'HANGUP':
      return { type: 'hangup' };
    default:
      return { type: 'clear' };
  }
}

function event(name: string, more: object = {}): string {
  return JSON.stringify({ event: name, channel_id: CHANNEL, ...more });
}

const profile: CarrierProfile = {
  traces: new URL('../../fixtures/carriers/asterisk/', import.meta.url),
  receive: format,
  send: format,
  callId: CALL,
  startCallId: null,
  streamId: CHANNEL,
  wire: {
    start: () => [
      JSON.stringify({
        event: 'MEDIA_START',
        connection_id: 'gateway',
        channel: 'WebSocket/gateway/0x7f4a78003c80',
        channel_id: CHANNEL,
        format: 'slin16',
        optimal_frame_size: 640,
        ptime: 20,
        channel_variables: { MEDIA_WEBSOCKET_CONNECTION_ID: 'gateway' },
      }),
    ],
    audio: (payload) => payload,
    dtmf: (digit) => event('DTMF_END', { digit }),
    mark: (name) => event('MEDIA_MARK_PROCESSED', { correlation_id: name }),
    clearedMark: () => null,
    stop: () => null,
    unknownEvent: () => event('WEATHER'),
    audioOfAnotherStream: () => null,
    wrongFrameType: () => null,
  },
  read,
  signed: { voice: () => handshake(path), events: () => handshake(path), handshake },
  incoming: () => handshake(path),
  forged: {},
  forgedHandshakes: {
    'no credentials': { ...handshake(path), headers: {} },
    'another password': handshake(path, basic('offhook', 'guessed')),
    'another user': handshake(path, basic('admin', settings.passwords[0])),
    'an empty password': handshake(path, basic('offhook', '')),
  },
  streamAddressIn: () => null,
  streamOrigin: 'wss://gw.example.com',
};

const outside = {
  clock: systemClock,
  random: () => 0,
  fetch: () => Promise.reject(new Error('no network here')),
  onProblem: () => {},
};

carrierContract(() => createAsteriskAdapter(settings, 'https://gw.example.com', outside), profile);
