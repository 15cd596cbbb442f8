import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PCMU } from '../../src/audio/g711.ts';
import { mintStreamToken } from '../../src/carriers/stream-token.ts';
import { systemClock } from '../../src/clock.ts';
import type { CallRun } from '../../src/lab/caller/call-run.ts';
import { connectedMessage, dtmfMessage, markMessage } from '../../src/lab/caller/twilio/messages.ts';
import { placeCall } from '../../src/lab/caller/twilio/place-call.ts';
import { makeReply, makeScenario } from '../../src/lab/scenario.ts';
import { noise, payloadOf, positionsIn } from '../support/call-audio.ts';
import { RudeCall } from '../support/gateway-carrier.ts';
import { until } from '../support/gateway-clock.ts';
import { SEAM_BYTES } from '../support/gateway-sounds.ts';
import { startWorld, type World } from '../support/gateway-world.ts';

/** Longer than all of this takes. */
const BYSTANDER_MS = 60_000;
/** What the bystander says: quieter than any speech, so that nobody answers. */
const MURMUR = Int16Array.from(noise(BYSTANDER_MS / 3, 3), (sample) => Math.round(sample / 200));
const LONG_STORY = noise(BYSTANDER_MS, 4);

const WHO = ['caller', 'bot', 'carrier', 'model', 'gateway', 'operator'];
const HOW = ['completed', 'transferred', 'limit', 'silence', 'refused', 'drained', 'crashed', 'error'];

let world: World;
let bystander: Promise<CallRun>;
let bystanderSid = '';
const hangUp = new AbortController();

beforeAll(async () => {
  const greeting = (ms: number) =>
    makeReply({ clip: { name: `${ms}`, samples: LONG_STORY.subarray(0, ms * 24) } });
  const scenario = (ms: number) =>
    makeScenario({ greeting: greeting(ms), model: { setupDelayMs: 10, firstAudioMs: 20 } });
  world = await startWorld(scenario(400));
  world.emulator.setNextScenario(scenario(BYSTANDER_MS));
  bystander = placeCall({
    clock: systemClock,
    url: world.gateway.localUrl,
    ...world.twilio,
    from: '+15550100003',
    to: '+15550100002',
    caller: MURMUR,
    maxMs: BYSTANDER_MS,
    signal: hangUp.signal,
  });
  await until('the bystander served', () => world.journal.some(({ type }) => type === 'turn-audible'), 8_000);
  bystanderSid = world.journal[0]!.callSid;
});

afterAll(() => world.close());

const tokenFor = (callId: string, ageMs: number, secret = world.twilio.authToken): string =>
  mintStreamToken({ carrier: 'twilio', callId, issuedAtEpochMs: Date.now() - ageMs, secrets: [secret] });

describe('a stream is opened by nobody', () => {
  test.each([
    ['without a token', () => ''],
    ['with a token that is none', () => 'x'.repeat(85)],
    [
      'with a forged token',
      (call: RudeCall) => call.token.slice(0, -1) + (call.token.endsWith('0') ? '1' : '0'),
    ],
    ['with a token signed by others', ({ callSid }: RudeCall) => tokenFor(callSid, 0, 'not ours')],
    ['with an expired token', ({ callSid }: RudeCall) => tokenFor(callSid, 60_500)],
    ['with the token of a call that never was', () => tokenFor('CA0', 0)],
    ['with a token that is too long', () => 'a'.repeat(300)],
  ])('%s', async (_, forge) => {
    const call = await RudeCall.ring(world);
    const url = call.streamUrl.replace(/[^/]*$/, forge(call));
    expect([403, 404, 414]).toContain(await call.handshake(url));
    expect(call.of('stream-opened')).toEqual([]);
    // The call itself is not touched by that.
    expect(await call.handshake()).toBe(101);
    await call.webhook('/twilio/events', 'completed');
    expect(await call.ended()).toBe('caller completed');
  });

  test('without the carrier’s signature, or with a forged one', async () => {
    const call = await RudeCall.ring(world);
    expect(await call.handshake(call.streamUrl, null)).toBe(403);
    expect(await call.handshake(call.streamUrl, call.signed(`${call.streamUrl}0`))).toBe(403);
    expect(call.of('stream-opened')).toEqual([]);
    await call.webhook('/twilio/events', 'completed');
    expect(await call.ended()).toBe('caller completed');
  });

  test('twice with one token: the stream that has started goes on', async () => {
    const { call, stream } = await RudeCall.begin(world);
    expect(await call.handshake()).toBe(403);
    stream.send(call.media(), call.stop());
    expect(await stream.closed()).toBe(1000);
    expect(await call.ended()).toBe('caller completed');
    expect(call.of('stream-opened')).toHaveLength(1);
  });
});

describe('of what a stream says', () => {
  test('a start of another call ends this one, and not the other', async () => {
    const other = await RudeCall.begin(world);
    const call = await RudeCall.ring(world);
    const stream = await call.open();
    stream.send(call.start({ callSid: other.call.callSid }));
    expect(await stream.closed()).toBe(1008);
    expect(await call.ended()).toBe('carrier error');
    expect(other.call.of('call-ended')).toEqual([]);
    expect(other.stream.closeCode).toBeNull();
    other.stream.send(other.call.stop());
    expect(await other.call.ended()).toBe('caller completed');
  });

  test.each([
    ['audio of another stream', 'wrong-stream', (call: RudeCall) => [call.media(1, 'MZ0')]],
    ['binary junk', 'unexpected-binary', () => [randomBytes(700)]],
    ['text that is no JSON', 'bad-json', () => ['{"event":', 'null', '[]', '"media"']],
    ['events unheard of', 'unknown-event', () => ['{"event":"explode"}', '{"event":7}', '{}']],
    [
      'audio that is no base64',
      'bad-payload',
      (call: RudeCall) => [call.media().replace(/"payload":"[^"]*"/, '"payload":"!"')],
    ],
    [
      'audio without a body',
      'bad-payload',
      (call: RudeCall) => [call.media().replace(/"media":\{[^}]*\}/, '"media":3')],
    ],
    ['another start', 'second-start', (call: RudeCall) => [call.start(), call.start({ streamSid: 'MZ0' })]],
  ])('%s is counted and left aside', async (_, kind, junk) => {
    const { call, stream } = await RudeCall.begin(world);
    stream.send(...junk(call), call.media(2));
    await until('the fault noted', () => call.of('carrier-fault').length > 0, 8_000);
    expect(call.of('carrier-fault')).toMatchObject([{ kind }]);
    stream.send(call.stop());
    expect(await stream.closed()).toBe(1000);
    expect(await call.ended()).toBe('caller completed');
  });

  test('audio before the start is left aside, and the start is taken', async () => {
    const call = await RudeCall.ring(world);
    const stream = await call.open();
    stream.send(call.media(), connectedMessage(), call.media(), call.start(), call.media());
    await until('the greeting', () => call.of('turn-audible').length > 0, 8_000);
    expect(call.of('carrier-fault')).toMatchObject([{ kind: 'before-start' }]);
    stream.send(call.stop());
    expect(await call.ended()).toBe('caller completed');
  });

  test('a megabyte in one message closes that stream', async () => {
    const { call, stream } = await RudeCall.begin(world);
    stream.send('x'.repeat(1_048_576));
    expect(await stream.closed()).toBe(1009);
    await call.webhook('/twilio/events', 'completed');
    expect(await call.ended()).toBe('caller completed');
    expect(call.of('stream-ended')).toMatchObject([{ how: 'close' }]);
  });

  test('bytes that are no WebSocket frame close that stream', async () => {
    const { call, stream } = await RudeCall.begin(world);
    const { _socket: wire } = stream.socket as unknown as { _socket: NodeJS.WritableStream };
    wire.write(Buffer.alloc(64, 0xff));
    expect(await stream.closed()).toBe(1002);
    await call.webhook('/twilio/events', 'completed');
    expect(await call.ended()).toBe('caller completed');
  });
});

test('garbage on a bare connection is answered with an error, and the connection closed', async () => {
  const port = Number(new URL(world.gateway.localUrl).port);
  const garbage = [
    randomBytes(4_000),
    Buffer.from(
      'GET /twilio/media/x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    ),
    Buffer.from(`GET /${'a'.repeat(40_000)} HTTP/1.1\r\n`),
    Buffer.from('POST /twilio/voice HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n'),
  ];
  const statuses = garbage.map(async (bytes) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('error', () => {});
    socket.write(bytes);
    const told = until('an answer', () => answer !== '' || socket.destroyed, 8_000);
    await told;
    socket.destroy();
    return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 400);
  });
  for (const status of await Promise.all(statuses)) expect(status).toBeGreaterThanOrEqual(400);
});

describe('a webhook that is repeated', () => {
  test('gets the same bytes each time, and opens no second session', async () => {
    const before = world.emulator.sessions.length;
    const call = new RudeCall(world);
    const documents = await Promise.all(Array.from({ length: 5 }, () => call.webhook()));
    documents.push(await call.webhook());
    expect(documents[0]).toContain('<Stream ');
    expect(new Set(documents).size).toBe(1);
    expect(call.of('call-admitted')).toHaveLength(1);
    await call.webhook('/twilio/events', 'completed');
    expect(await call.ended()).toBe('caller completed');
    // Also when the call is over.
    expect(await call.webhook()).toBe(documents[0]);
    expect(call.of('call-admitted')).toHaveLength(1);
    expect(call.of('session-connecting')).toHaveLength(1);
    // The call may be over before its turn to connect has come.
    expect(world.emulator.sessions.length).toBeLessThanOrEqual(before + 1);
  });

  test('lets a second stream take the call over; the session stays', async () => {
    const before = world.emulator.sessions.length;
    const { call, stream } = await RudeCall.begin(world);
    await until('the greeting', () => call.of('turn-audible').length > 0, 8_000);
    await call.webhook();
    const second = await call.open();
    second.send(connectedMessage(), call.start({ streamSid: 'MZ2' }));
    expect(await stream.closed()).toBe(1000);
    await until('the second stream taken', () => call.of('stream-replaced').length === 1, 8_000);
    const session = world.emulator.sessions[before]!;
    const heard = session.receivedSamples;
    for (let chunk = 1; chunk <= 25; chunk += 1) second.send(call.media(chunk, 'MZ2'));
    await until('the caller heard on', () => session.receivedSamples > heard, 8_000);
    second.send(call.stop());
    // A stop of the stream that was: the second one's own says its name.
    second.send(call.stop().replace(/"streamSid":"MZ[^"]*"/, '"streamSid":"MZ2"'));
    expect(await call.ended()).toBe('caller completed');
    expect(world.emulator.sessions.length).toBe(before + 1);
    expect(call.of('session-connecting')).toHaveLength(1);
  });
});

describe('a socket that is cut', () => {
  test('after any message of a call ends that call, once and with a reason', async () => {
    const script = (call: RudeCall): readonly string[] => {
      const ids = { accountSid: 'AC', callSid: call.callSid, streamSid: `MZ${call.callSid.slice(2)}` };
      return [
        connectedMessage(),
        call.start(),
        call.media(1),
        call.media(2),
        dtmfMessage(ids, 4, '5'),
        call.media(3),
        markMessage(ids, 6, 'g1.1'),
        markMessage(ids, 7, 'unheard of'),
        call.media(4),
        call.stop(),
      ];
    };
    const length = 10;
    const calls = Array.from({ length: length + 1 }, async (_, count) => {
      const call = await RudeCall.ring(world);
      const stream = await call.open();
      const messages = script(call).slice(0, count);
      // The last of them has left this machine when the next ping comes back.
      stream.send(...messages);
      stream.socket.ping();
      await once(stream.socket, count === length ? 'close' : 'pong', { signal: AbortSignal.timeout(8_000) });
      stream.socket.terminate();
      // Of a stream that never started the carrier has nothing more to say but this.
      if (count < 2) await call.webhook('/twilio/events', 'completed');
      return { count, how: await call.ended() };
    });
    expect(calls).toHaveLength(script(new RudeCall(world)).length + 1);
    for (const { count, how } of await Promise.all(calls)) {
      const wanted =
        count < 2 || count === length ? ['caller completed'] : ['caller completed', 'carrier error'];
      expect(wanted, `cut after ${count} messages`).toContain(how);
    }
  });
});

describe('after all that', () => {
  test('the bystander has heard everything, and was heard', async () => {
    await until('no call but the bystander', () => world.gateway.desk.activeCalls === 1, 8_000);
    hangUp.abort();
    const run = await bystander;
    expect(run.invalidMessages).toEqual([]);
    expect(run.clears).toEqual([]);
    // Both zeros of mu-law are one in what was heard.
    const story = Buffer.from(PCMU.encode(PCMU.decode(payloadOf(LONG_STORY))));
    const heard = Buffer.from(PCMU.encode(run.heard));
    const positions = [...positionsIn(story, heard)].filter((position) => position >= 0);
    const steps = positions.map((position, index) => position - (positions[index - 1] ?? -1));
    // From the first byte on, one after the other; at a stall of this machine the converter's few may differ.
    expect(Math.min(...steps)).toBe(1);
    expect(Math.max(...steps)).toBeLessThan(SEAM_BYTES);
    expect(positions.length).toBeGreaterThan(8 * 1_000);
    const session = world.emulator.sessions[0]!;
    expect(session.receivedSamples).toBe(run.sent.length * 2);
    const types = new Set(
      world.journal.filter(({ callSid }) => callSid === bystanderSid).map(({ type }) => type),
    );
    for (const bad of [
      'bug',
      'carrier-fault',
      'model-fault',
      'barge-in',
      'session-lost',
      'stream-replaced',
    ] as const) {
      expect(types).not.toContain(bad);
    }
  });

  test('every call has ended once, in one line and with a reason of the list', async () => {
    await until('no call left', () => world.gateway.desk.activeCalls === 0, 8_000);
    const admitted = world.log.filter(({ msg }) => msg === 'call admitted').map(({ call }) => call);
    const ended = world.log.filter(({ msg }) => msg === 'call ended');
    expect(admitted.length).toBeGreaterThan(30);
    expect(ended.map(({ call }) => call).sort()).toEqual([...admitted].sort());
    for (const line of ended) {
      const { who, how } = line['reason'] as { who: string; how: string };
      expect(WHO).toContain(who);
      expect(HOW).toContain(how);
    }
    expect(world.log.filter(({ level, msg }) => level === 'error' || msg === 'bug')).toEqual([]);
  });

  test('no connection to the model is left', async () => {
    const open = () => world.emulator.sessions.filter(({ closed }) => closed === null);
    await until('all connections closed', () => open().length === 0, 8_000);
    expect(world.emulator.sessions.flatMap(({ refusals, warnings }) => [...refusals, ...warnings])).toEqual(
      [],
    );
  });
});
