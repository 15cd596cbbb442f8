import { z } from 'zod';
import type { MediaCommand } from '../../src/carriers/carrier.ts';
import { createJambonzAdapter } from '../../src/carriers/jambonz/adapter.ts';
import {
  CALL,
  callBody,
  handshake,
  NOW_SECONDS,
  PUBLIC_URL,
  passwordOf,
  settings,
  signedPost,
  world,
} from '../carriers/jambonz/support.ts';
import { type CarrierProfile, carrierContract, type Wire } from './carrier-contract.ts';

const l16 = { encoding: 'l16', sampleRate: 8000 } as const;
const voice = signedPost('/jambonz/voice', callBody());

/** The messages that jambonz takes as text, of those that we know; audio comes as whole samples in binary. */
const Taken = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('mark'), data: z.strictObject({ name: z.string().min(1) }) }),
  z.strictObject({ type: z.literal('killAudio') }),
]);

function read(message: Wire): MediaCommand | null {
  if (typeof message !== 'string') {
    return message.length > 0 && message.length % 2 === 0 ? { type: 'audio', payload: message } : null;
  }
  const taken = Taken.safeParse(JSON.parse(message)).data;
  if (taken === undefined) return null;
  return taken.type === 'mark' ? { type: 'mark', name: taken.data.name } : { type: 'clear' };
}

const mediaPath = '/jambonz/media/abc';
const profile: CarrierProfile = {
  traces: new URL('../../fixtures/carriers/jambonz/', import.meta.url),
  receive: l16,
  send: l16,
  callId: CALL,
  streamId: CALL,
  wire: {
    start: () => [
      JSON.stringify({
        callSid: CALL,
        direction: 'inbound',
        from: '15551230001',
        to: '15551230002',
        callId: 'sip-1',
        accountSid: settings.accountSid,
        callStatus: 'in-progress',
        sampleRate: 8000,
        mixType: 'mono',
      }),
    ],
    audio: (payload) => payload,
    dtmf: (dtmf) => JSON.stringify({ event: 'dtmf', dtmf, duration: '1600' }),
    mark: (name) => JSON.stringify({ type: 'mark', data: { name, event: 'playout' } }),
    clearedMark: (name) => JSON.stringify({ type: 'mark', data: { name, event: 'cleared' } }),
    stop: () => null,
    unknownEvent: () => JSON.stringify({ type: 'weather' }),
    // Audio names no stream, and both kinds of frames are used.
    audioOfAnotherStream: () => null,
    wrongFrameType: () => null,
  },
  read,
  signed: {
    voice: () => voice,
    events: () => signedPost('/jambonz/events', callBody({ call_status: 'completed', duration: 5 })),
    handshake: (target) => handshake(target),
  },
  forged: {
    'a changed body': {
      ...voice,
      body: Buffer.from(voice.body.toString().replace('15551230001', '15551230009')),
    },
    'a body appended to': { ...voice, body: Buffer.concat([voice.body, Buffer.from(' ')]) },
    'as a GET': { ...voice, method: 'GET' },
    'no signature': { ...voice, headers: {} },
    'another secret': signedPost('/jambonz/voice', callBody(), { secret: 'guessed' }),
    'another account': signedPost('/jambonz/voice', callBody({ account_sid: 'another' })),
    'an old signature': signedPost('/jambonz/voice', callBody(), { seconds: NOW_SECONDS - 301 }),
  },
  forgedHandshakes: {
    'no credentials': { ...handshake(mediaPath), headers: {} },
    'another path': handshake(mediaPath, passwordOf('/jambonz/media/abd')),
    'another secret': handshake(mediaPath, passwordOf(mediaPath, 'guessed')),
    'another user': handshake(mediaPath, passwordOf(mediaPath), 'admin'),
  },
  streamAddressIn: (body) =>
    (JSON.parse(body) as { verb: string; url?: string }[]).find(({ verb }) => verb === 'listen')?.url ?? null,
  streamOrigin: 'wss://gw.example.com',
};

carrierContract(() => createJambonzAdapter(settings, PUBLIC_URL, world().dependencies), profile);
