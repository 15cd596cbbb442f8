import { createHash, createHmac, generateKeyPairSync } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { startVonageApi } from '../../../src/lab/caller/vonage/api.ts';
import { signedBearer } from '../../../src/lab/caller/vonage/jwt.ts';
import { parseNcco } from '../../../src/lab/caller/vonage/ncco.ts';
import { vonageProtocol } from '../../../src/lab/caller/vonage/protocol.ts';
import { loud, openStream } from './open-stream.ts';

const stream = (sampleRate: 8000 | 16000 | 24000 = 16_000, earlyFrame = false) =>
  openStream(vonageProtocol({ sampleRate, headers: { call: 'c1' }, earlyFrame }));

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

describe('a simulated Vonage stream', () => {
  it.each([8_000, 16_000, 24_000] as const)(
    'says connected with the headers, then binary frames of 20 ms at %d Hz',
    (rate) => {
      const { clock, said } = stream(rate);
      clock.advance(41);
      expect(said[0]!.json).toEqual({
        event: 'websocket:connected',
        'content-type': `audio/l16;rate=${rate}`,
        call: 'c1',
      });
      expect(said.slice(1).map(({ atMs, audio }) => [atMs, audio!.length])).toEqual([
        [20, rate / 25],
        [40, rate / 25],
      ]);
    },
  );

  it('may let the first audio overtake the first event', () => {
    const { clock, said } = stream(16_000, true);
    clock.advance(21);
    expect(said.map(({ json }) => json?.event ?? 'audio')).toEqual(['audio', 'websocket:connected']);
  });

  it('plays whole frames in real time, and hears them to the frame', () => {
    const { clock, play, heardSpans } = stream();
    clock.advance(25);
    for (let n = 0; n < 5; n += 1) play(loud(20, 16_000));
    clock.advance(200);
    expect(heardSpans(16_000)).toEqual([[40, 140]]);
  });

  it('drops the connection at a frame of any other size', () => {
    const { asked, play, stream: under } = stream();
    play(loud(10, 16_000));
    expect(asked).toEqual([{ what: 'drop', detail: 'unexpected frame size 320, when required 640' }]);
    expect(under.account().invalidMessages).toEqual(['unexpected frame size 320, when required 640']);
  });

  it('returns a notify with its payload when all before it was played', () => {
    const { clock, play, tell, events } = stream();
    for (let n = 0; n < 3; n += 1) play(loud(20, 16_000));
    tell({ action: 'notify', payload: { id: 'g0.1', more: [1] } });
    clock.advance(100);
    expect(events().slice(1)).toMatchObject([
      { atMs: 80, json: { event: 'websocket:notify', payload: { id: 'g0.1', more: [1] } } },
    ]);
  });

  it('says cleared at a clear, and the notifies that waited never come', () => {
    const { clock, play, tell, events, stream: under, heardSpans } = stream();
    for (let n = 0; n < 50; n += 1) play(loud(20, 16_000));
    tell({ action: 'notify', payload: { id: 'g0.1' } });
    clock.advance(50);
    tell({ action: 'clear' });
    for (let n = 0; n < 2; n += 1) play(loud(20, 16_000));
    tell({ action: 'notify', payload: { id: 'g1.1' } });
    clock.advance(2_000);
    expect(
      events()
        .slice(1)
        .map(({ json }) => json.payload?.id ?? json.event),
    ).toEqual(['websocket:cleared', 'g1.1']);
    // The frames of 20 and 40 ms had begun; the next generation begins with the next frame.
    expect(heardSpans(16_000)).toEqual([[20, 100]]);
    expect(under.account().generations).toMatchObject([
      { playedMs: 40, droppedMs: 960, clearedAtMs: 50 },
      { playedMs: 40 },
    ]);
    expect(under.account().clears[0]!.neverHeard.length).toBe(960 * 16);
    expect(under.account().marks).toMatchObject([{ how: 'cleared' }, { how: 'played' }]);
  });

  it('has no stop, and says keys as events', () => {
    const {
      clock,
      stream: under,
      said,
    } = openStream(vonageProtocol({ sampleRate: 8_000, headers: {} }), {
      dtmf: [{ atMs: 5, digit: '5' }],
    });
    clock.advance(21);
    under.end(true);
    expect(said.at(1)!.json).toEqual({ event: 'websocket:dtmf', digit: '5', duration: 260 });
    expect(said.at(-1)!.audio).not.toBeNull();
  });

  it('notes what it does not understand', () => {
    const { tell, stream: under } = stream();
    tell('{');
    tell({ action: 'notify' });
    tell({ action: 'hangup' });
    expect(under.account().messagesReceived).toEqual({ invalid: 3 });
  });
});

describe('Vonage’s documents', () => {
  const websocket = {
    type: 'websocket',
    uri: 'wss://gw.example.com/vonage/media/t',
    'content-type': 'audio/l16;rate=24000',
  };
  const connect = (endpoint: object, more: object = {}) =>
    parseNcco([{ action: 'connect', endpoint: [endpoint], ...more }])![0];

  it('name a websocket with its rate, headers and credentials', () => {
    const eventUrl = ['https://gw.example.com/vonage/after'];
    expect(
      connect(
        { ...websocket, headers: { a: '1' }, authorization: { type: 'vonage' } },
        { eventType: 'synchronous', eventUrl },
      ),
    ).toEqual({
      action: 'websocket',
      uri: websocket.uri,
      sampleRate: 24_000,
      headers: { a: '1' },
      authorization: 'vonage',
      eventUrl: eventUrl[0],
    });
    // Without "synchronous" the answer to an event is not read.
    expect(connect(websocket, { eventUrl })).toMatchObject({ eventUrl: null, authorization: null });
  });

  it.each([
    ['another content type', { ...websocket, 'content-type': 'audio/l16;rate=44100' }],
    ['headers of more than 512 bytes', { ...websocket, headers: { a: 'x'.repeat(505) } }],
    ['no address', { ...websocket, uri: 'gw.example.com' }],
    ['a number with a plus', { type: 'phone', number: '+15550100009' }],
  ])('are refused with %s', (_, endpoint) => {
    expect(connect(endpoint)?.action).toBe('invalid');
  });

  it.each(['', '{}', '[1]', 'null', '<Response/>'])('are none: %j', (text) => {
    expect(parseNcco(text)).toBeNull();
  });
});

it('signs with a token whose hash is that of the very body', () => {
  const body = '{"to":"442079460000","from":"447700900000","uuid":"u1","conversation_uuid":"CON-1"}';
  const signer = { applicationId: 'app', apiKey: 'key', signatureSecret: 'secret' };
  const [head, claims, signature] = signedBearer(signer, body, 1_750_000_000_000).slice(7).split('.');
  expect(JSON.parse(Buffer.from(claims!, 'base64url').toString())).toMatchObject({
    iat: 1_750_000_000,
    iss: 'Vonage',
    api_key: 'key',
    application_id: 'app',
    payload_hash: 'a6b6b61b9f8585cafa9a9c9fa795c642e3096ea44b2a437051bcc215442be25a',
  });
  expect(createHash('sha256').update(body).digest('hex')).toMatch(/^a6b6/);
  expect(signature).toBe(createHmac('sha256', 'secret').update(`${head}.${claims}`).digest('base64url'));
});

it('the API takes the application’s own tokens only, and knows running calls only', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const other = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
  const { tokenGenerate } = await import('@vonage/jwt');
  const pem = (key: typeof privateKey): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const api = await startVonageApi({ clock: systemClock, applicationId: 'app-1', publicKey });
  opened.push(api);
  const done: string[] = [];
  const forget = api.register('u1', {
    hangUp: () => done.push('hang-up'),
    transfer: (ncco, url) => done.push(`transfer ${JSON.stringify(ncco)} ${url}`),
    digits: (digits) => done.push(digits),
  });
  const put = async (path: string, body: object, token = tokenGenerate('app-1', pem(privateKey))) => {
    const response = await fetch(`${api.url}${path}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.status;
  };
  const hangup = { action: 'hangup' };
  expect(await put('/v1/calls/u1', hangup, tokenGenerate('app-1', pem(other)))).toBe(401);
  expect(await put('/v1/calls/u1', hangup, tokenGenerate('app-2', pem(privateKey)))).toBe(401);
  expect(await put('/v1/calls/u2', hangup)).toBe(404);
  expect(await put('/v1/calls/u1', { action: 'transfer' })).toBe(400);
  expect(await put('/v1/calls/u1/dtmf', { digits: '12#' })).toBe(200);
  expect(await put('/v1/calls/u1', { action: 'transfer', destination: { type: 'ncco', ncco: [] } })).toBe(
    204,
  );
  expect(await put('/v1/calls/u1', hangup)).toBe(204);
  forget();
  expect(await put('/v1/calls/u1', hangup)).toBe(404);
  expect(done).toEqual(['12#', 'transfer [] null', 'hang-up']);
});
