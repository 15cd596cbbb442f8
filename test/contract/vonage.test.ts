import { z } from 'zod';
import type { MediaCommand } from '../../src/carriers/carrier.ts';
import { createVonageAdapter } from '../../src/carriers/vonage/adapter.ts';
import { systemClock } from '../../src/clock.ts';
import { answer, CALL, clock, handshake, PUBLIC_URL, post, settings } from '../carriers/vonage/support.ts';
import { type CarrierProfile, carrierContract, type Wire } from './carrier-contract.ts';

const format = { encoding: 'l16', sampleRate: 16000 } as const;
const FRAME_BYTES = 640;
const voice = post('/vonage/voice', answer);
const mediaPath = '/vonage/media/abc';

/** Frames of 20 ms and two actions: for anything else Vonage ends the connection, or does nothing. */
const Taken = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('clear') }),
  z.strictObject({ action: z.literal('notify'), payload: z.strictObject({ id: z.string().min(1) }) }),
]);

function read(message: Wire): MediaCommand | null {
  if (typeof message !== 'string') {
    return message.length === FRAME_BYTES ? { type: 'audio', payload: message } : null;
  }
  const taken = Taken.safeParse(JSON.parse(message)).data;
  switch (taken?.action) {
    case undefined:
      return null;
    case 'clear':
      return { type: 'clear' };
    case 'notify':
      return { type: 'mark', name: taken.payload.id };
  }
}

const profile: CarrierProfile = {
  traces: new URL('../../fixtures/carriers/vonage/', import.meta.url),
  receive: format,
  send: format,
  callId: CALL,
  streamId: CALL,
  wire: {
    start: () => [
      JSON.stringify({
        event: 'websocket:connected',
        'content-type': 'audio/l16;rate=16000',
        uuid: CALL,
        from: '+15551230001',
        to: '+15551230002',
      }),
    ],
    audio: (payload) => payload,
    dtmf: (digit) => JSON.stringify({ event: 'websocket:dtmf', digit, duration: 260 }),
    mark: (name) => JSON.stringify({ event: 'websocket:notify', payload: { id: name } }),
    clearedMark: () => null,
    stop: () => null,
    unknownEvent: () => JSON.stringify({ event: 'websocket:weather' }),
    audioOfAnotherStream: () => null,
    wrongFrameType: () => null,
  },
  read,
  signed: {
    voice: () => voice,
    events: () => post('/vonage/events', { ...answer, status: 'completed', duration: '12' }),
    handshake: (target) => handshake(target),
  },
  forged: {
    'a changed body': {
      ...voice,
      body: Buffer.from(voice.body.toString().replace('15551230001', '15551230009')),
    },
    'a body appended to': { ...voice, body: Buffer.concat([voice.body, Buffer.from(' ')]) },
    'as a GET': { ...voice, method: 'GET' },
    'no token': { ...voice, headers: {} },
    'another secret': post('/vonage/voice', answer, { secret: 'guessed' }),
    'another application': post('/vonage/voice', answer, { claims: { application_id: 'other' } }),
    'no application': post('/vonage/voice', answer, { claims: { application_id: undefined } }),
    'an old token': post('/vonage/voice', answer, { claims: { iat: clock.epochMs() / 1000 - 301 } }),
    'no payload hash': post('/vonage/voice', answer, { claims: { payload_hash: undefined } }),
    'a link that we did not make': post(`/vonage/after?stream=${CALL}&mac=${'0'.repeat(40)}`, answer),
  },
  forgedHandshakes: {
    'no token': { ...handshake(mediaPath), headers: {} },
    'another secret': handshake(mediaPath, {}, 'guessed'),
    'another application': handshake(mediaPath, { application_id: 'other' }),
    'an old token': handshake(mediaPath, { iat: clock.epochMs() / 1000 - 301 }),
  },
  streamAddressIn: (body) => JSON.parse(body)[0]?.endpoint?.[0]?.uri ?? null,
  streamOrigin: 'wss://gw.example.com',
};

carrierContract(
  () =>
    createVonageAdapter(settings, PUBLIC_URL, {
      clock: { ...systemClock, epochMs: clock.epochMs },
      random: () => 0,
      fetch: () => Promise.reject(new Error('no network here')),
      onProblem: () => {},
    }),
  profile,
);
