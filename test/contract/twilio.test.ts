import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks.js';
import { z } from 'zod';
import type { MediaCommand, RawRequest } from '../../src/carriers/carrier.ts';
import { buildCarriers } from '../../src/carriers/registry.ts';
import { callForm, PUBLIC_URL, settings, signedPost } from '../carriers/twilio/support.ts';
import { type CarrierProfile, carrierContract, type Wire } from './carrier-contract.ts';

const streamSid = 'MZ00000000000000000000000000000018';
const callSid = 'CA00000000000000000000000000000005';
const pcmu = { encoding: 'pcmu', sampleRate: 8000 } as const;
const form = callForm({ CallSid: callSid });
const voice = signedPost('/twilio/voice', form);

/** The three messages that Twilio takes; it warns (31951) about anything else, and about another stream's id. */
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
  return JSON.stringify({ event, sequenceNumber: '2', streamSid, ...more });
}

function handshake(target: string, signedUrl: string, token: string = settings.authTokens[0]): RawRequest {
  const signature = getExpectedTwilioSignature(token, signedUrl, {});
  return { method: 'GET', target, headers: { 'x-twilio-signature': signature }, body: Buffer.alloc(0) };
}

const mediaPath = '/twilio/media/abc';
const profile: CarrierProfile = {
  traces: new URL('../../fixtures/carriers/twilio/', import.meta.url),
  receive: pcmu,
  send: pcmu,
  callId: callSid,
  streamId: streamSid,
  wire: {
    start: () => [
      JSON.stringify({ event: 'connected', protocol: 'Call', version: '1.0.0' }),
      message('start', {
        start: {
          streamSid,
          callSid,
          accountSid: settings.accountSid,
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
    dtmf: (digit) => message('dtmf', { dtmf: { track: 'inbound_track', digit } }),
    mark: (name) => message('mark', { mark: { name } }),
    clearedMark: (name) => message('mark', { mark: { name } }),
    stop: () => message('stop', { stop: { accountSid: settings.accountSid, callSid } }),
    unknownEvent: () => message('weather', {}),
    audioOfAnotherStream: () => message('media', { streamSid: 'MZother', media: { payload: '/38A' } }),
    wrongFrameType: () => Buffer.from(message('media', { media: { payload: '/38A' } })),
  },
  read,
  signed: {
    voice: () => voice,
    events: () => signedPost('/twilio/events', { ...form, CallStatus: 'completed' }),
    handshake: (target) => handshake(target, `wss://gw.example.com${target}`),
  },
  forged: {
    'a changed body': {
      ...voice,
      body: Buffer.from(voice.body.toString().replace('15551230001', '15551230009')),
    },
    'a changed address': { ...voice, target: '/twilio/voice?bot=other' },
    'another port': signedPost('/twilio/voice', form, { url: 'https://gw.example.com:8443/twilio/voice' }),
    'another scheme': signedPost('/twilio/voice', form, { url: 'http://gw.example.com/twilio/voice' }),
    'no signature': { ...voice, headers: {} },
    'another token': signedPost('/twilio/voice', form, { token: 'guessed' }),
    'another account': signedPost('/twilio/voice', { ...form, AccountSid: 'AC2' }),
  },
  forgedHandshakes: {
    'no signature': { ...handshake(mediaPath, ''), headers: {} },
    'another path': handshake(mediaPath, 'wss://gw.example.com/twilio/media/abd'),
    "the webhook's scheme": handshake(mediaPath, `https://gw.example.com${mediaPath}`),
    'another token': handshake(mediaPath, `wss://gw.example.com${mediaPath}`, 'guessed'),
  },
  streamAddressIn: (body) => /<Stream url="([^"]*)"/.exec(body)?.[1] ?? null,
  streamOrigin: 'wss://gw.example.com',
};

carrierContract(() => {
  const adapter = buildCarriers({ publicUrl: PUBLIC_URL, twilio: settings }).get('twilio');
  if (adapter === undefined) throw new Error('building the carriers: found no Twilio, wanted it');
  return adapter;
}, profile);
