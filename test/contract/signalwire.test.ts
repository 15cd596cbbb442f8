import { z } from 'zod';
import type { MediaCommand, RawRequest } from '../../src/carriers/carrier.ts';
import { createSignalwireAdapter } from '../../src/carriers/signalwire/adapter.ts';
import { streamBearer } from '../../src/carriers/stream-bearer.ts';
import { systemClock } from '../../src/clock.ts';
import { CALL_ID, callForm, PUBLIC_URL, settings, signedPost } from '../carriers/signalwire/support.ts';
import { type CarrierProfile, carrierContract, type Wire } from './carrier-contract.ts';

const streamSid = 'b4c10000-0000-4000-8000-000000000018';
const pcmu = { encoding: 'pcmu', sampleRate: 8000 } as const;
const form = callForm();
const voice = signedPost('/signalwire/voice', form);

/** The four messages that SignalWire takes. */
const Taken = z.discriminatedUnion('event', [
  z.strictObject({
    event: z.literal('media'),
    streamSid: z.literal(streamSid),
    media: z.strictObject({ payload: z.base64().min(4) }),
  }),
  z.strictObject({
    event: z.literal('mark'),
    streamSid: z.literal(streamSid),
    mark: z.strictObject({ name: z.string().min(1) }),
  }),
  z.strictObject({ event: z.literal('clear'), streamSid: z.literal(streamSid) }),
  z.strictObject({
    event: z.literal('dtmf'),
    streamSid: z.literal(streamSid),
    dtmf: z.strictObject({ digit: z.string().regex(/^[0-9A-D*#]$/) }),
  }),
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
    case 'dtmf':
      return { type: 'dtmf', digits: taken.dtmf.digit };
  }
}

function message(event: string, more: object): string {
  return JSON.stringify({ event, sequenceNumber: '2', ...more });
}

function handshake(target: string, authorization?: string): RawRequest {
  const headers = authorization === undefined ? {} : { authorization };
  return { method: 'GET', target, headers, body: Buffer.alloc(0) };
}

const mediaPath = '/signalwire/media/abc';
const bearer = streamBearer('signalwire', settings.signingKeys[0], mediaPath);
const profile: CarrierProfile = {
  traces: new URL('../../fixtures/carriers/signalwire/', import.meta.url),
  receive: pcmu,
  send: pcmu,
  callId: CALL_ID,
  streamId: streamSid,
  wire: {
    start: () => [
      JSON.stringify({ event: 'connected', protocol: 'Call', version: '0.2.0' }),
      message('start', {
        start: {
          streamSid,
          accountSid: settings.projectId,
          callSid: CALL_ID,
          tracks: ['inbound'],
          customParameters: {},
          mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
        },
      }),
    ],
    audio: (payload, index) => {
      const position = { chunk: String(index + 1), timestamp: String(index * 20) };
      return message('media', {
        media: { track: 'inbound', ...position, payload: payload.toString('base64') },
      });
    },
    dtmf: (digit) => message('dtmf', { streamSid, dtmf: { digit, duration: 120 } }),
    mark: (name) => message('mark', { streamSid, mark: { name } }),
    clearedMark: (name) => message('mark', { streamSid, mark: { name } }),
    stop: () => message('stop', {}),
    unknownEvent: () => message('weather', {}),
    audioOfAnotherStream: () => message('media', { streamSid: 'other', media: { payload: '/38A' } }),
    wrongFrameType: () => Buffer.from(message('media', { media: { payload: '/38A' } })),
  },
  read,
  signed: {
    voice: () => voice,
    events: () => signedPost('/signalwire/events', { ...form, CallStatus: 'completed' }),
    handshake: (target) =>
      handshake(target, `Bearer ${streamBearer('signalwire', settings.signingKeys[0], target)}`),
  },
  forged: {
    'a changed body': {
      ...voice,
      body: Buffer.from(voice.body.toString().replace('15551230001', '15551230009')),
    },
    'a changed address': { ...voice, target: '/signalwire/voice?bot=other' },
    'another port': signedPost('/signalwire/voice', form, {
      url: 'https://gw.example.com:8443/signalwire/voice',
    }),
    'another scheme': signedPost('/signalwire/voice', form, {
      url: 'http://gw.example.com/signalwire/voice',
    }),
    'no signature': { ...voice, headers: {} },
    'another key': signedPost('/signalwire/voice', form, { key: 'guessed' }),
    'the API token as a key': signedPost('/signalwire/voice', form, { key: settings.apiTokens[0] }),
    'another project': signedPost('/signalwire/voice', { ...form, AccountSid: '9f2e' }),
  },
  forgedHandshakes: {
    'no bearer': handshake(mediaPath),
    'a guessed bearer': handshake(mediaPath, 'Bearer guessed'),
    'another scheme': handshake(mediaPath, `Basic ${bearer}`),
    'a bearer of another path': handshake('/signalwire/media/abd', `Bearer ${bearer}`),
  },
  streamAddressIn: (body) => /<Stream url="([^"]*)"/.exec(body)?.[1] ?? null,
  streamOrigin: 'wss://gw.example.com',
};

carrierContract(
  () =>
    createSignalwireAdapter(settings, PUBLIC_URL, {
      clock: systemClock,
      random: () => 0.5,
      fetch: () => Promise.reject(new Error('asked')),
      onProblem: () => {},
    }),
  profile,
);
