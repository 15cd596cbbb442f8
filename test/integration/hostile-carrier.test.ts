import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PCMA, PCMU } from '../../src/audio/g711.ts';
import { streamAuthOf } from '../../src/carriers/jambonz/stream-auth.ts';
import { streamBearer } from '../../src/carriers/stream-bearer.ts';
import { mintStreamToken } from '../../src/carriers/stream-token.ts';
import { systemClock } from '../../src/clock.ts';
import { basicCredentials } from '../../src/lab/caller/api-server.ts';
import { CARRIERS, type CallRun } from '../../src/lab/caller/call-run.ts';
import { type CarrierAccount, placeCarrierCall } from '../../src/lab/caller/place-call.ts';
import { plivoHeaders } from '../../src/lab/caller/plivo/signature.ts';
import { twilioSignature } from '../../src/lab/caller/twilio/signature.ts';
import { signedBearer } from '../../src/lab/caller/vonage/jwt.ts';
import { makeReply, makeScenario } from '../../src/lab/scenario.ts';
import { ASTERISK, JAMBONZ, PLIVO, SIGNALWIRE, TWILIO, VONAGE } from '../lab/caller/adapters.ts';
import { type CarrierWorld, startCarrierWorld } from '../lab/caller/carrier-world.ts';
import { noise, payloadOf, positionsIn } from '../support/call-audio.ts';
import { until } from '../support/gateway-clock.ts';
import { SEAM_BYTES } from '../support/gateway-sounds.ts';
import { LeapClock } from '../support/leap-clock.ts';
import { RudeCall, type RudeStream, type Wire } from '../support/rude-call.ts';

type Change = readonly [from: string, to: string];
type Player = (typeof CARRIERS)[number] | 'texml';

/** What of these rules looks different from carrier to carrier. */
interface Peer {
  readonly name: Player;
  /** Of a start: to a codec that nobody has, and to A-law where it can be said at all. */
  readonly strangeCodec: Change;
  readonly aLaw: { readonly change: Change; readonly taken: boolean } | null;
  /** Whether its start names the call, and its other messages the stream. */
  readonly namesCall: boolean;
  readonly namesStream: boolean;
  readonly audio: 'text' | 'binary';
  /** Half a sample more is a fault: of L16 in messages, but not in a plain run of bytes. */
  readonly oddIsFault: boolean;
  /** What the carrier shows at a handshake with this address, and the answer without that; null where it need not. */
  readonly shows: (url: string) => Readonly<Record<string, string>>;
  readonly withoutCredentials: 401 | 403 | null;
}

const TWILIO_LIKE = {
  strangeCodec: ['audio/x-mulaw', 'audio/opus'],
  aLaw: { change: ['audio/x-mulaw', 'audio/x-alaw'], taken: false },
  namesCall: true,
  namesStream: true,
  audio: 'text',
  oddIsFault: false,
  withoutCredentials: 403,
} as const;
const TELNYX = {
  ...TWILIO_LIKE,
  strangeCodec: ['"PCMU"', '"OPUS"'],
  aLaw: { change: ['"PCMU"', '"PCMA"'], taken: true },
  shows: () => ({}),
  withoutCredentials: null,
} as const;
const authorization = (value: string) => ({ authorization: value });
const PEERS: readonly Peer[] = [
  {
    name: 'twilio',
    ...TWILIO_LIKE,
    shows: (url) => ({ 'x-twilio-signature': twilioSignature(TWILIO.authToken, url) }),
  },
  { name: 'telnyx', ...TELNYX },
  { name: 'texml', ...TELNYX },
  {
    name: 'plivo',
    ...TWILIO_LIKE,
    shows: (url) => {
      const handshake = { method: 'GET', url: url.replace(/^ws/, 'http'), form: {} } as const;
      return plivoHeaders(PLIVO.authToken, handshake, randomBytes(8).toString('hex'));
    },
  },
  {
    name: 'signalwire',
    ...TWILIO_LIKE,
    shows: (url) =>
      authorization(`Bearer ${streamBearer('signalwire', SIGNALWIRE.signingKey, new URL(url).pathname)}`),
  },
  {
    name: 'vonage',
    strangeCodec: ['audio/l16;rate=16000', 'audio/opus;rate=48000'],
    aLaw: { change: ['audio/l16;rate=16000', 'audio/pcma;rate=8000'], taken: false },
    namesCall: true,
    namesStream: false,
    audio: 'binary',
    oddIsFault: true,
    shows: () => authorization(signedBearer(VONAGE, null, clock.epochMs())),
    withoutCredentials: 401,
  },
  {
    name: 'jambonz',
    strangeCodec: ['"sampleRate":8000', '"sampleRate":44100'],
    aLaw: null,
    namesCall: true,
    namesStream: false,
    audio: 'binary',
    oddIsFault: false,
    shows: (url) => {
      const { username, password } = streamAuthOf(JAMBONZ.webhookSecret, new URL(url).pathname);
      return authorization(basicCredentials(username, password));
    },
    withoutCredentials: 401,
  },
  {
    name: 'asterisk',
    strangeCodec: ['"ulaw"', '"opus"'],
    aLaw: { change: ['"ulaw"', '"alaw"'], taken: true },
    namesCall: false,
    namesStream: true,
    audio: 'binary',
    oddIsFault: false,
    shows: () => authorization(basicCredentials(ASTERISK.username, ASTERISK.password)),
    withoutCredentials: 401,
  },
];

/** Longer than all of this takes. */
const BYSTANDER_MS = 60_000;
/** What a bystander says: quieter than any speech, so that nobody answers. */
const MURMUR = Int16Array.from(noise(BYSTANDER_MS / 3, 3), (sample) => Math.round(sample / 200));
const LONG_STORY = noise(BYSTANDER_MS, 4);
/** From the gateway's limits. */
const LONGEST_BYTES = 64 * 1024;

const clock = new LeapClock();
let world: CarrierWorld;
const bystanders = new Map<Player, Promise<CallRun>>();
const hangUp = new AbortController();
/** How each of the calls may have ended in the end. */
const endings = new Map<string, readonly string[]>();

beforeAll(async () => {
  const greeting = (ms: number) =>
    makeReply({ clip: { name: `${ms}`, samples: LONG_STORY.subarray(0, ms * 24) } });
  const scenario = (ms: number) =>
    makeScenario({ greeting: greeting(ms), model: { setupDelayMs: 10, firstAudioMs: 20 } });
  world = await startCarrierWorld(scenario(100), { clock, maxCalls: 500 });
  for (const [served, { name }] of PEERS.entries()) {
    world.emulator.setNextScenario(scenario(BYSTANDER_MS));
    const run = placeCarrierCall(accountOf(name), {
      clock: systemClock,
      url: world.gateway.localUrl,
      from: '+15550100003',
      to: '+15550100002',
      caller: MURMUR,
      maxMs: BYSTANDER_MS,
      signal: hangUp.signal,
    });
    bystanders.set(name, run);
    await until(`the bystander at ${name} served`, () => spoken() > served, 8_000);
  }
}, 30_000);

afterAll(() => world.close());

const spoken = (): number => world.journal.filter(({ type }) => type === 'turn-audible').length;

/** Telnyx's messages come in their order here: what is held back would blur what is looked at. */
const accountOf = (name: Player): CarrierAccount => {
  const account = world.accounts[name];
  return account.carrier === 'telnyx' ? { ...account, reorderEvery: 0 } : account;
};

const COMPLETED = ['caller completed'];
const REFUSED = ['carrier error'];
/** A stream that broke off is the carrier's doing, where nobody says that the caller has gone. */
const BROKEN = [...COMPLETED, ...REFUSED];

async function ring({ name }: Peer, ends = COMPLETED): Promise<RudeCall> {
  const call = await RudeCall.ring(world, accountOf(name));
  endings.set(call.callId, ends);
  return call;
}

async function begin({ name }: Peer, ends = COMPLETED) {
  const begun = await RudeCall.begin(world, accountOf(name));
  endings.set(begun.call.callId, ends);
  return begun;
}

/** The stream is still listened to, and nothing of the call has ended; then the caller hangs up. */
async function expectGoesOn(call: RudeCall, stream: RudeStream): Promise<void> {
  stream.send(...call.dtmf('5'), ...Array.from({ length: 8 }, () => call.media()).flat());
  await until('the key heard', () => call.of('dtmf').length === 1, 8_000);
  expect(stream.closeCode).toBeNull();
  expect(call.of('call-ended')).toEqual([]);
  await call.hangUp(stream);
}

/** The start with one of its words changed. */
function changed(messages: readonly Wire[], [from, to]: Change): readonly Wire[] {
  const last = String(messages.at(-1));
  expect(last).toContain(from);
  return [...messages.slice(0, -1), last.replace(from, to)];
}

const asBinary = (messages: readonly Wire[]): readonly Wire[] =>
  messages.map((message) => Buffer.from(message as string));
const asText = (messages: readonly Wire[]): readonly Wire[] =>
  messages.map((message) => (message as Buffer).toString('base64'));

describe.concurrent.each(PEERS)('a hostile peer of $name’s', (peer) => {
  const id = peer.name === 'texml' ? 'telnyx' : peer.name;
  const tokenFor = (callId: string, ageMs: number, secret?: string): string => {
    const secrets = secret === undefined ? world.adapters.get(id)!.tokenSecrets : [secret];
    return mintStreamToken({ carrier: id, callId, issuedAtEpochMs: clock.epochMs() - ageMs, secrets });
  };

  test('without a good token, or without the carrier’s credentials, never becomes a stream', async () => {
    const forgeries: Readonly<Record<string, (call: RudeCall) => string>> = {
      'none at all': () => '',
      'one that is none': () => 'x'.repeat(85),
      'one that is too long': () => 'a'.repeat(300),
      'a forged one': ({ callId }) => tokenFor(callId, 0).replace(/.$/, flipped),
      'one signed by others': ({ callId }) => tokenFor(callId, 0, 'not ours'),
      'an expired one': ({ callId }) => tokenFor(callId, 60_500),
      'one of a call that never was': () => tokenFor('unheard-of', 0),
    };
    const call = await ring(peer);
    const { url, headers } = call.plan;
    for (const [what, forge] of Object.entries(forgeries)) {
      const forged = new URL(`/${id}/media/${forge(call)}`, url).href;
      expect([403, 404, 414], what).toContain(await call.handshake(forged, peer.shows(forged)));
    }
    expect(await call.handshake(url, { ...peer.shows(url), origin: 'https://example.com' })).toBe(403);
    const forged = Object.entries(headers).map(([name, value]) => [
      name,
      value.replace(/[A-Za-z0-9](?==*$)/, flipped),
    ]);
    const { withoutCredentials } = peer;
    if (withoutCredentials === null) {
      expect(await call.handshake(url, { 'x-telnyx-streaming-auth-token': 'f'.repeat(64) })).toBe(403);
    } else {
      expect(await call.handshake(url, {})).toBe(withoutCredentials);
      expect(await call.handshake(url, Object.fromEntries(forged))).toBe(withoutCredentials);
    }
    expect(call.of('stream-opened')).toEqual([]);
    // What was shown was good; and the call itself is not touched by all that.
    expect(await call.handshake(url, peer.shows(url))).toBe(101);
    const stream = await call.open();
    stream.send(...call.start());
    await expectGoesOn(call, stream);
    expect(call.of('stream-opened')).toHaveLength(2);
  });

  test('shows a token twice: the stream that has started goes on', async () => {
    const { call, stream } = await begin(peer);
    // Asterisk announces a call by its handshake: another one is what a webhook that is repeated is for the others.
    if (peer.name !== 'asterisk') expect(await call.handshake()).toBe(403);
    await expectGoesOn(call, stream);
    expect(call.of('stream-opened')).toHaveLength(1);
  });

  test('declares a codec that nobody has: that stream is closed with 1003', async () => {
    const call = await ring(peer, REFUSED);
    const stream = await call.open();
    stream.send(...changed(call.start(), peer.strangeCodec));
    expect(await stream.closed()).toBe(1003);
    expect(await call.ended()).toBe('carrier error');
    expect(call.of('stream-started')).toEqual([]);
  });

  test('declares A-law where mu-law was asked for: it is taken where it can be, and refused where not', async () => {
    const { aLaw } = peer;
    if (aLaw === null) return;
    const call = await ring(peer, aLaw.taken ? COMPLETED : REFUSED);
    const stream = await call.open();
    stream.send(...changed(call.start(), aLaw.change));
    if (aLaw.taken) {
      await expectGoesOn(call, stream);
      expect(call.of('stream-started')).toMatchObject([{ receive: { encoding: 'pcma' } }]);
    } else {
      expect(await stream.closed()).toBe(1003);
      expect(await call.ended()).toBe('carrier error');
    }
  });

  test('sends A-law where it has declared something else: noise for the model, and nothing worse', async () => {
    const { call, stream } = await begin(peer);
    const tone = Int16Array.from({ length: 160 }, (_, n) => 800 * Math.sin(n / 3));
    stream.send(...call.media(Buffer.from(PCMA.encode(tone))));
    await expectGoesOn(call, stream);
    expect(call.faults()).toEqual([]);
  });

  test('sends audio of odd lengths: half a sample is left aside where it would shift all that follows', async () => {
    const { call, stream } = await begin(peer);
    for (const bytes of [1, 159, 161, 3, 799]) stream.send(...call.media(Buffer.alloc(bytes, 0xff)));
    await expectGoesOn(call, stream);
    expect(call.faults()).toEqual(peer.oddIsFault ? ['bad-payload'] : []);
  });

  test('sends audio before the start: it is left aside, and the start is taken', async () => {
    const call = await ring(peer);
    const stream = await call.open();
    const start = call.start();
    stream.send(...call.media(), ...call.media(), ...start);
    await expectGoesOn(call, stream);
    expect(call.faults()).toEqual(['before-start']);
    expect(call.of('stream-started')).toHaveLength(1);
  });

  test('says start twice: the second one is left aside', async () => {
    const { call, stream } = await begin(peer);
    stream.send(call.start().at(-1)!);
    await expectGoesOn(call, stream);
    expect(call.faults()).toEqual(['second-start']);
    expect(call.of('stream-started')).toHaveLength(1);
  });

  test('starts a stream of another call: its own call ends, and the other goes on', async () => {
    if (!peer.namesCall) return;
    const other = await begin(peer);
    const call = await ring(peer, REFUSED);
    const stream = await call.open();
    stream.send(...changed(call.start(), [call.callId, other.call.callId]));
    expect(await stream.closed()).toBe(1008);
    expect(await call.ended()).toBe('carrier error');
    await expectGoesOn(other.call, other.stream);
    expect(other.call.of('stream-opened')).toHaveLength(1);
  });

  test('speaks of another stream: that is left aside', async () => {
    const { call, stream } = await begin(peer);
    const foreign = call.dtmf('9').map((message) => String(message).replaceAll(call.streamId || '\0', 'MZ0'));
    const isNamed = foreign.some((message) => message.includes('MZ0'));
    expect(isNamed).toBe(peer.namesStream);
    if (isNamed) stream.send(...foreign);
    await expectGoesOn(call, stream);
    expect(call.faults()).toEqual(isNamed ? ['wrong-stream'] : []);
    expect(call.of('dtmf')).toMatchObject([{ pii: { digit: '5' } }]);
  });

  test('sends bytes where text is wanted, or the reverse: that is left aside', async () => {
    const { call, stream } = await begin(peer);
    stream.send(...(peer.audio === 'text' ? asBinary(call.media()) : asText(call.media())));
    await expectGoesOn(call, stream);
    expect(call.faults()).toEqual([peer.audio === 'text' ? 'unexpected-binary' : 'bad-json']);
  });

  test('says its start in bytes, or in words that are none: nothing starts', async () => {
    const call = await ring(peer);
    const stream = await call.open();
    stream.send(...asBinary(call.start()), '', '{', '\0', 'null');
    await stream.read();
    expect(call.of('stream-started')).toEqual([]);
    stream.send(...call.start());
    await expectGoesOn(call, stream);
    expect(call.faults()).toContain('bad-json');
  });

  test.each([
    ['text that is no JSON', ['bad-json'], () => ['{"event":', 'null', '[]', '"media"', '', '\0\0']],
    ['events unheard of', ['unknown-event'], () => ['{"event":"explode"}', '{"event":7,"type":[]}']],
    [
      'audio that is none',
      ['bad-payload'],
      (call: RudeCall) => {
        const [media = ''] = call.media();
        if (typeof media !== 'string') return [];
        return [
          media.replace(/"payload":"[^"]*"/, '"payload":"!"'),
          media.replace(/"payload":"[^"]*"/, '"payload":7'),
          media.replace(/"media":\{[^}]*\}/, '"media":3'),
        ];
      },
    ],
    [
      'bytes of all lengths',
      ['unexpected-binary'],
      () => [1, 7, 700].map((length) => randomBytes(length * 2)),
    ],
  ] as const)('sends garbage, %s: it is counted once and left aside', async (_, kinds, junk) => {
    const { call, stream } = await begin(peer);
    const messages: readonly Wire[] = junk(call);
    stream.send(...messages);
    await expectGoesOn(call, stream);
    // Where bytes are audio they are heard.
    const isAudio = peer.audio === 'binary' && messages.every((message) => typeof message !== 'string');
    expect(call.faults()).toEqual(isAudio ? [] : kinds);
  });

  test.each([
    ['text', 'x'.repeat(LONGEST_BYTES + 1)],
    ['bytes', Buffer.alloc(LONGEST_BYTES + 1)],
  ])('sends a message that is too long, as %s: that stream is closed with 1009', async (_, message) => {
    const { call, stream } = await begin(peer, BROKEN);
    stream.send(message);
    expect(await stream.closed()).toBe(1009);
    await call.tellEnded();
    await until('the stream over', () => call.of('stream-ended').length > 0, 8_000);
    expect(call.of('stream-ended')).toMatchObject([
      { how: 'close', detail: expect.stringMatching(/oversize/) },
    ]);
  });

  test.each([
    ['no frames at all', 1002, Buffer.alloc(64, 0xff)],
    ['a frame without its mask', 1002, Buffer.from([0x81, 0x02, 0x7b, 0x7d])],
    ['a frame of a kind that is reserved', 1002, Buffer.from([0x83, 0x80, 0, 0, 0, 0])],
    ['text that is no UTF-8', 1007, Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff])],
  ])('breaks the WebSocket protocol, %s: that stream is closed with %i', async (_, code, bytes) => {
    const { call, stream } = await begin(peer, BROKEN);
    const { _socket: wire } = stream.socket as unknown as { _socket: NodeJS.WritableStream };
    wire.write(bytes);
    expect(await stream.closed()).toBe(code);
    await call.tellEnded();
    await until('the stream over', () => call.of('stream-ended').length > 0, 8_000);
  });

  test('repeats its announcement: the same bytes each time, and one call', async () => {
    // What has no announcement has nothing to repeat before its stream.
    if (peer.name === 'asterisk') return;
    const call = await ring(peer);
    const answers = await Promise.all(Array.from({ length: 5 }, () => call.announceAgain()));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(call.of('call-admitted')).toHaveLength(1);
    await call.tellEnded();
    // Also when the call is over.
    expect(await call.announceAgain()).toEqual(answers[0]);
    expect(call.of('call-admitted')).toHaveLength(1);
    expect(call.of('session-connecting').length).toBeLessThanOrEqual(1);
  });

  test('repeats its announcement and opens another stream: that takes the call over, the session stays', async () => {
    const { call, stream } = await begin(peer);
    await call.announceAgain();
    const second = await call.open();
    second.send(...call.start());
    expect(await stream.closed()).toBe(1000);
    await until('the second stream taken', () => call.of('stream-replaced').length === 1, 8_000);
    await expectGoesOn(call, second);
    expect(call.of('session-connecting')).toHaveLength(1);
    expect(call.of('call-admitted')).toHaveLength(1);
  });

  test('is cut after any of its messages', async () => {
    const parts = (call: RudeCall): readonly Wire[] => [
      ...call.start(),
      ...call.media(),
      ...call.dtmf('5'),
      ...call.media(),
      ...call.stop(),
    ];
    const length = parts(await ring(peer, BROKEN)).length;
    const cuts = Array.from({ length: length + 1 }, async (_, count) => {
      const call = await ring(peer, BROKEN);
      const stream = await call.open();
      stream.send(...parts(call).slice(0, count));
      await stream.read();
      stream.socket.terminate();
      await stream.closed();
    });
    await Promise.all(cuts);
  });
});

const flipped = (character: string): string => (character === 'A' ? 'B' : 'A');

test('garbage on a bare connection is answered with an error, and the connection closed', async () => {
  const port = Number(new URL(world.gateway.localUrl).port);
  const garbage = [
    randomBytes(4_000),
    Buffer.from(`GET /${'a'.repeat(40_000)} HTTP/1.1\r\n`),
    ...CARRIERS.flatMap((id) => [
      Buffer.from(
        `GET /${id}/media/x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
      ),
      Buffer.from(`POST /${id}/voice HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n`),
    ]),
  ];
  const statuses = garbage.map(async (bytes) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('error', () => {});
    socket.write(bytes);
    await until('an answer', () => answer !== '' || socket.destroyed, 8_000);
    socket.destroy();
    return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 400);
  });
  for (const status of await Promise.all(statuses)) expect(status).toBeGreaterThanOrEqual(400);
});

describe('after all that', () => {
  test('the bystanders have heard everything, and were heard', async () => {
    hangUp.abort();
    // Both zeros of mu-law are one in what was heard.
    const story = Buffer.from(PCMU.encode(PCMU.decode(payloadOf(LONG_STORY))));
    for (const [name, running] of bystanders) {
      const run = await running;
      expect({ name, invalid: run.invalidMessages, clears: run.clears }).toEqual({
        name,
        invalid: [],
        clears: [],
      });
      const types = new Set(
        world.journal.filter(({ callId }) => callId === run.callSid).map(({ type }) => type),
      );
      for (const bad of [
        'bug',
        'carrier-fault',
        'model-fault',
        'barge-in',
        'session-lost',
        'stream-replaced',
      ] as const) {
        expect([...types], name).not.toContain(bad);
      }
      expect(run.generations[0]!.playedMs).toBeGreaterThan(1_000);
      endings.set(run.callSid, COMPLETED);
      // Of wider audio the bytes are others.
      if (run.sampleRate !== 8_000 || name === 'jambonz') continue;
      const heard = Buffer.from(PCMU.encode(run.heard));
      const positions = [...positionsIn(story, heard)].filter((position) => position >= 0);
      const steps = positions.map((position, index) => position - (positions[index - 1] ?? -1));
      // From the first byte on, one after the other; at a stall of this machine the converter's few may differ.
      expect(
        steps.filter((step) => step < 1 || step >= SEAM_BYTES),
        name,
      ).toEqual([]);
      expect(positions.length, name).toBeGreaterThan(8 * 1_000);
    }
  });

  test('a stream that never starts is closed 10 s after it was opened, and its call ends; one that has started goes on', async () => {
    const started = await begin(PEERS[0]!);
    const silent = await Promise.all(
      PEERS.map(async (peer) => {
        const call = await ring(peer, REFUSED);
        const stream = await call.open();
        // Telnyx opens the socket first and answers the call then.
        await call.plan.beforeStart?.();
        await stream.read();
        return { call, stream };
      }),
    );
    clock.leap(8_000);
    for (const { stream } of silent) {
      await stream.read();
      expect(stream.closeCode).toBeNull();
    }
    clock.leap(2_000);
    for (const { call, stream } of silent) {
      // Sooner than by real time alone.
      expect(await stream.closed(2_000)).toBe(1008);
      expect(await call.ended()).toBe('carrier error');
      expect(call.of('stream-started')).toEqual([]);
    }
    await expectGoesOn(started.call, started.stream);
  });

  test('every call has ended once, and as it should', async () => {
    // Longer than a call waits for its stream, the first or another one.
    clock.leap(61_000);
    await until('no call left', () => world.gateway.desk.activeCalls === 0, 8_000);
    const admitted = world.journal.filter(({ type }) => type === 'call-admitted').map(({ callId }) => callId);
    expect(admitted.length).toBeGreaterThan(200);
    expect(new Set(admitted).size).toBe(admitted.length);
    for (const callId of admitted) {
      const ends = endings.get(callId);
      const found = world.entriesOf(callId, 'call-ended').map(({ reason: { who, how } }) => `${who} ${how}`);
      expect(found).toHaveLength(1);
      expect(ends, callId).toContain(found[0]);
    }
    expect(world.problems.filter((line) => /"level":("error"|50)|"bug"|tick/.test(line))).toEqual([]);
  });

  test('no connection to the model is left', async () => {
    const open = () => world.emulator.sessions.filter(({ closed }) => closed === null);
    await until('all connections closed', () => open().length === 0, 8_000);
    expect(world.emulator.sessions.flatMap(({ refusals, warnings }) => [...refusals, ...warnings])).toEqual(
      [],
    );
  });
});
