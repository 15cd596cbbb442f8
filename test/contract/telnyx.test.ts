import { z } from 'zod';
import type { MediaCommand, RawRequest } from '../../src/carriers/carrier.ts';
import { streamBearer } from '../../src/carriers/stream-bearer.ts';
import { createTelnyxAdapter } from '../../src/carriers/telnyx/adapter.ts';
import {
  CALL_ID,
  callEvent,
  fakeApi,
  keyPair,
  NOW_SECONDS,
  PUBLIC_URL,
  settings,
  signedPost,
  texmlForm,
} from '../carriers/telnyx/support.ts';
import { type CarrierProfile, carrierContract, type Wire } from './carrier-contract.ts';

const streamId = '3b1c0a4e-0000-4000-8000-000000000018';
const pcmu = { encoding: 'pcmu', sampleRate: 8000 } as const;
const stranger = keyPair(9);
let sequence = 0;

/** The three messages that Telnyx takes; audio from 20 ms on, and no longer than 30 s. */
const Taken = z.discriminatedUnion('event', [
  z.strictObject({
    event: z.literal('media'),
    media: z.strictObject({
      payload: z.base64().refine((text) => {
        const { length } = Buffer.from(text, 'base64');
        return length >= 160 && length <= 240_000;
      }),
    }),
  }),
  z.strictObject({ event: z.literal('mark'), mark: z.strictObject({ name: z.string().min(1) }) }),
  z.strictObject({ event: z.literal('clear') }),
]);

function read(message: Wire): MediaCommand | null {
  const taken = Taken.safeParse(typeof message === 'string' ? JSON.parse(message) : null).data;
  switch (taken?.event) {
    case undefined:
      return null;
    case 'media':
      return { type: 'audio', payload: Buffer.from(taken.media.payload, 'base64') };
    case 'mark':
      return { type: 'mark', name: taken.mark.name };
    case 'clear':
      return { type: 'clear' };
  }
}

function message(event: string, more: object): string {
  sequence += 1;
  return JSON.stringify({ event, sequence_number: String(sequence), stream_id: streamId, ...more });
}

function handshake(target: string, token?: string): RawRequest {
  const headers = token === undefined ? {} : { 'x-telnyx-streaming-auth-token': token };
  return { method: 'GET', target, headers, body: Buffer.alloc(0) };
}

const mediaPath = '/telnyx/media/abc';
const wire: CarrierProfile['wire'] = {
  start: () => {
    sequence = 0;
    return [
      JSON.stringify({ event: 'connected', version: '1.0.0' }),
      message('start', {
        start: {
          user_id: '3E6F',
          call_control_id: CALL_ID,
          call_session_id: 's1',
          from: '+15551230001',
          to: '+15551230002',
          tags: [],
          custom_parameters: {},
          media_format: { encoding: 'PCMU', sample_rate: 8000, channels: 1 },
        },
      }),
    ];
  },
  audio: (payload, index) => {
    const position = { chunk: String(index + 1), timestamp: String(index * 20) };
    return message('media', {
      media: { track: 'inbound', ...position, payload: payload.toString('base64') },
    });
  },
  dtmf: (digit) => message('dtmf', { occurred_at: '2026-01-02T03:04:05.6Z', dtmf: { digit } }),
  mark: (name) => message('mark', { mark: { name } }),
  clearedMark: (name) => message('mark', { mark: { name } }),
  stop: () => message('stop', { stop: { user_id: '3E6F', call_control_id: CALL_ID } }),
  unknownEvent: () => message('weather', {}),
  audioOfAnotherStream: () => message('media', { stream_id: 'other', media: { payload: '/38A' } }),
  wrongFrameType: () => Buffer.from(message('media', { media: { payload: '/38A' } })),
};

function profileOf(bodies: { voice: string; ended: string }): Omit<CarrierProfile, 'streamAddressIn'> {
  const voice = signedPost('/telnyx/voice', bodies.voice);
  const changed = voice.body.toString().replace('15551230001', '15551230009');
  return {
    traces: new URL('../../fixtures/carriers/telnyx/', import.meta.url),
    receive: pcmu,
    send: pcmu,
    callId: CALL_ID,
    streamId,
    wire,
    read,
    signed: {
      voice: () => voice,
      events: () => signedPost('/telnyx/voice', bodies.ended),
      handshake: (target) => handshake(target, streamBearer('telnyx', settings.apiKeys[1] as string, target)),
    },
    forged: {
      'a changed body': { ...voice, body: Buffer.from(changed) },
      'a changed time stamp': {
        ...voice,
        headers: { ...voice.headers, 'telnyx-timestamp': String(NOW_SECONDS - 1) },
      },
      'a request of six minutes ago': signedPost('/telnyx/voice', bodies.voice, {
        seconds: NOW_SECONDS - 360,
      }),
      'a request of the future': signedPost('/telnyx/voice', bodies.voice, { seconds: NOW_SECONDS + 360 }),
      'no signature': { ...voice, headers: {} },
      'another key': signedPost('/telnyx/voice', bodies.voice, { pair: stranger }),
      'a query that nobody signed': { ...voice, method: 'GET' },
    },
    forgedHandshakes: {
      'a guessed token': handshake(mediaPath, 'guessed'),
      'a token of another path': handshake(
        mediaPath,
        streamBearer('telnyx', settings.apiKeys[0], '/telnyx/media/abd'),
      ),
      'a token made without the key': handshake(mediaPath, streamBearer('telnyx', 'another', mediaPath)),
      'an empty token': handshake(mediaPath, ''),
    },
    streamOrigin: 'wss://gw.example.com',
  };
}

carrierContract(() => createTelnyxAdapter(settings, PUBLIC_URL, fakeApi().dependencies), {
  ...profileOf({ voice: texmlForm(), ended: texmlForm({ CallStatus: 'completed' }) }),
  streamAddressIn: (body) => /<Stream url="([^"]*)"/.exec(body)?.[1] ?? null,
});

// Call Control: the answer is a command instead of a document.
const api = fakeApi();
carrierContract(() => createTelnyxAdapter(settings, PUBLIC_URL, api.dependencies), {
  ...profileOf({
    voice: callEvent('call.initiated', { direction: 'incoming', state: 'parked' }),
    ended: callEvent('call.hangup', { hangup_cause: 'normal_clearing', state: 'hangup' }),
  }),
  streamAddressIn: () => {
    const url = api.seen.at(-1)?.body['stream_url'];
    return typeof url === 'string' ? url : null;
  },
});
