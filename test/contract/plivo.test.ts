import { z } from 'zod';
import type { MediaCommand } from '../../src/carriers/carrier.ts';
import { createPlivoAdapter } from '../../src/carriers/plivo/adapter.ts';
import {
  CALL,
  callForm,
  handshake,
  PUBLIC_URL,
  settings,
  signedPost,
  world,
} from '../carriers/plivo/support.ts';
import { type CarrierProfile, carrierContract, type Wire } from './carrier-contract.ts';

const streamId = '20170ada-f610-433b-8758-c02a2aab3662';
const pcmu = { encoding: 'pcmu', sampleRate: 8000 } as const;
const form = callForm();
const voice = signedPost('/plivo/voice', form);

/** The four messages that Plivo takes, in the stream's own format. */
const Taken = z.discriminatedUnion('event', [
  z.strictObject({
    event: z.literal('playAudio'),
    media: z.strictObject({
      contentType: z.literal('audio/x-mulaw'),
      sampleRate: z.literal(8000),
      payload: z
        .base64()
        .min(4)
        .max(16 * 1024),
    }),
  }),
  z.strictObject({
    event: z.literal('checkpoint'),
    streamId: z.literal(streamId),
    name: z.string().min(1),
  }),
  z.strictObject({ event: z.literal('clearAudio'), streamId: z.literal(streamId) }),
  z.strictObject({ event: z.literal('sendDTMF'), dtmf: z.string().regex(/^[0-9*#]+$/) }),
]);

function read(message: Wire): MediaCommand | null {
  const taken = Taken.safeParse(typeof message === 'string' ? JSON.parse(message) : null).data;
  switch (taken?.event) {
    case undefined:
      return null;
    case 'playAudio':
      return { type: 'audio', payload: Buffer.from(taken.media.payload, 'base64') };
    case 'checkpoint':
      return { type: 'mark', name: taken.name };
    case 'clearAudio':
      return { type: 'clear' };
    case 'sendDTMF':
      return { type: 'dtmf', digits: taken.dtmf };
  }
}

function message(event: string, more: object): string {
  return JSON.stringify({ event, sequenceNumber: 2, streamId, ...more });
}

const mediaPath = '/plivo/media/abc';
const profile: CarrierProfile = {
  traces: new URL('../../fixtures/carriers/plivo/', import.meta.url),
  receive: pcmu,
  send: pcmu,
  callId: CALL,
  streamId,
  wire: {
    start: () => [
      JSON.stringify({
        event: 'start',
        sequenceNumber: 1,
        start: {
          callId: CALL,
          streamId,
          accountId: settings.authId,
          tracks: ['inbound'],
          mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000 },
        },
        extra_headers: 'from=15551230001,to=15551230002',
      }),
    ],
    audio: (payload, index) => {
      const position = { timestamp: String(1_705_312_200_000 + index * 20), chunk: index + 1 };
      return message('media', {
        media: { track: 'inbound', ...position, payload: payload.toString('base64') },
        extra_headers: 'from=15551230001,to=15551230002',
      });
    },
    dtmf: (digit) => message('dtmf', { dtmf: { track: 'inbound', digit, timestamp: '1705312250000' } }),
    mark: (name) => message('playedStream', { name }),
    clearedMark: () => null,
    stop: () => null,
    unknownEvent: () => message('weather', {}),
    audioOfAnotherStream: () => message('media', { streamId: 'other', media: { payload: '/38A' } }),
    wrongFrameType: () => Buffer.from(message('media', { media: { payload: '/38A' } })),
  },
  read,
  signed: {
    voice: () => voice,
    events: () => signedPost('/plivo/events', callForm({ Event: 'Hangup', CallStatus: 'completed' })),
    handshake: (target) => handshake(target),
  },
  forged: {
    'a changed body': {
      ...voice,
      body: Buffer.from(voice.body.toString().replace('15551230001', '15551230009')),
    },
    'a changed address': { ...voice, target: '/plivo/voice?bot=other' },
    'another port': signedPost('/plivo/voice', form, { url: 'https://gw.example.com:8443/plivo/voice' }),
    'another scheme': signedPost('/plivo/voice', form, { url: 'http://gw.example.com/plivo/voice' }),
    'no signature': { ...voice, headers: {} },
    'another token': signedPost('/plivo/voice', form, { token: 'guessed' }),
    'another account': signedPost('/plivo/voice', callForm({ ParentAuthID: 'MA2' })),
  },
  forgedHandshakes: {
    'no signature': { ...handshake(mediaPath), headers: {} },
    'another path': handshake(mediaPath, 'https://gw.example.com/plivo/media/abd'),
    'another host': handshake(mediaPath, `https://gw.example.org${mediaPath}`),
    'another token': handshake(mediaPath, `https://gw.example.com${mediaPath}`, 'guessed'),
  },
  streamAddressIn: (body) => /<Stream [^>]*>([^<]*)<\/Stream>/.exec(body)?.[1] ?? null,
  streamOrigin: 'wss://gw.example.com',
};

carrierContract(() => createPlivoAdapter(settings, PUBLIC_URL, world().dependencies), profile);
