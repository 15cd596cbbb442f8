/** A setup that is held back on an open socket: the real SDK over real sockets. */
import { getEventListeners } from 'node:events';
import { GoogleGenAI } from '@google/genai';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createConnector } from '../../src/gemini/connect.ts';
import { FAMILIES } from '../../src/gemini/families.ts';
import { toLiveConnectConfig, withHeldFields } from '../../src/gemini/live-config.ts';
import type { ConnectOptions, HeldFields, LiveConnection } from '../../src/gemini/live-session.ts';
import { openConnection } from '../../src/gemini/open-connection.ts';
import type { LiveSetup } from '../../src/gemini/setup.ts';
import { VirtualClock } from '../../src/lab/virtual-clock.ts';
import { RecordingHandlers } from '../support/live-handlers.ts';
import { type Json, type Peer, ScriptedLiveServer } from '../support/scripted-live-server.ts';

const M25 = 'gemini-2.5-flash-native-audio-preview-12-2025';
const M31 = 'gemini-3.1-flash-live-preview';
const SETUP: LiveSetup = {
  model: 'gemini-3.8-live',
  systemInstruction: 'You are brief.',
  voice: 'Kore',
  language: 'it-IT',
  resumption: { handle: 'the old handle' },
};
const HELD: HeldFields = { handle: 'the new handle', systemInstruction: 'You are brief. The time is ten.' };

let server: ScriptedLiveServer;
let open: LiveConnection[] = [];
let clock = new VirtualClock();
let call = new AbortController();
let rejections: unknown[] = [];
const noteRejection = (reason: unknown) => rejections.push(reason);

beforeEach(() => {
  open = [];
  rejections = [];
  clock = new VirtualClock();
  call = new AbortController();
  process.on('unhandledRejection', noteRejection);
});

afterEach(async () => {
  await Promise.all(open.map((connection) => connection.close(0)));
  await server.close();
  process.off('unhandledRejection', noteRejection);
  expect(rejections).toEqual([]);
  expect(getEventListeners(call.signal, 'abort')).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

const listen = async (script: (peer: Peer) => unknown, options = {}): Promise<void> => {
  server = await ScriptedLiveServer.listen(script, options);
};

async function connect(
  how: Partial<ConnectOptions>,
  setup: Partial<LiveSetup> = {},
  handlers = new RecordingHandlers(),
): Promise<LiveConnection> {
  const connectLive = createConnector({ apiKey: 'key-of-a-test', baseUrl: server.baseUrl, clock });
  const options = { signal: call.signal, deadlineMs: 1_000, need: 'rotation', ...how } as const;
  const connection = await connectLive({ ...SETUP, ...setup }, handlers, options);
  open.push(connection);
  return connection;
}

/** A hold that tells when it was asked, and waits for the test. */
function valve() {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<HeldFields>();
  let count = 0;
  const hold = () => {
    count += 1;
    asked.resolve();
    return answer.promise;
  };
  const resolve = (fields: HeldFields): void => answer.resolve(fields);
  const reject = (reason: Error): void => answer.reject(reason);
  return { hold, asked: asked.promise, resolve, reject, count: () => count };
}

/** Everything that the client had sent by now has arrived. */
async function roundTrip(peer: Peer): Promise<void> {
  const pong = new Promise((resolve) => peer.ws.once('pong', resolve));
  peer.ws.ping();
  await pong;
}

async function nothingLeft(): Promise<void> {
  for (const peer of server.peers) await peer.closed;
  while ((await server.connectionCount()) > 0) await new Promise((resolve) => setImmediate(resolve));
}

describe('a held setup', () => {
  test('waits on an open socket, and goes out once, with the fields it was given', async () => {
    await listen((peer) => peer.completeSetup());
    const { hold, asked, resolve, count } = valve();
    const connecting = connect({ hold });
    await asked;
    const [peer] = server.peers;
    await roundTrip(peer!);
    expect(peer!.frames).toEqual([]);
    resolve(HELD);
    const connection = await connecting;
    expect(connection.sendText('hello')).toBe(true);
    const setup = (await peer!.frame(0))['setup'] as Json;
    expect(setup['sessionResumption']).toEqual({ handle: 'the new handle' });
    expect(setup['systemInstruction']).toEqual({
      parts: [{ text: 'You are brief. The time is ten.' }],
      role: 'user',
    });
    expect(await peer!.frame(1)).toEqual({ realtimeInput: { text: 'hello' } });
    expect(count()).toBe(1);
  });

  const history = [{ role: 'user', text: 'My name is Ann.' }] as const;
  const cases: [string, Partial<LiveSetup>, HeldFields][] = [
    ['3.8', {}, HELD],
    ['a session that begins', {}, { ...HELD, handle: null }],
    ['no instruction at all', {}, { ...HELD, systemInstruction: '' }],
    ['resumption turned off', { resumption: null }, HELD],
    ['2.5, which is told the language in words', { model: M25 }, HELD],
    ['2.5 with a history', { model: M25, history }, { ...HELD, handle: null }],
    [
      '3.1 with a history in contents',
      { model: M31, history, historyBy: 'contents' },
      { ...HELD, handle: null },
    ],
    ['3.1 with a history that is not needed', { model: M31, history }, HELD],
    [
      'a setup that had a history, and a handle at last',
      { model: M31, history, historyBy: 'contents', resumption: { handle: null } },
      HELD,
    ],
  ];
  test.each(cases)('is the frame of one that knew them from the start: %s', async (_, setup, held) => {
    await listen((peer) => peer.completeSetup());
    await connect({ hold: async () => held }, setup);
    const { systemInstruction, handle } = held;
    const resumption = setup.resumption === null ? null : { handle };
    await connect({}, { ...setup, systemInstruction, resumption });
    const [late, early] = [await server.peers[0]!.frame(0), await server.peers[1]!.frame(0)];
    expect(late).toEqual(early);
  });

  test('has a deadline that stands still while it is held, and goes on with the rest after it', async () => {
    await listen((peer) => peer.frame(0));
    const { hold, asked, resolve } = valve();
    const outcome = connect({ hold, deadlineMs: 1_000 }).catch((caught: unknown) => caught);
    await asked;
    clock.advance(600_000);
    resolve(HELD);
    await server.peers[0]!.frame(0);
    clock.advance(999);
    await roundTrip(server.peers[0]!);
    expect(server.peers[0]!.ws.readyState).toBe(server.peers[0]!.ws.OPEN);
    clock.advance(1);
    expect(await outcome).toMatchObject({ closeClass: 'deadline' });
    await nothingLeft();
  });

  test('counts the time before it was held against its deadline', async () => {
    await listen((peer) => peer.frame(0));
    const { hold, asked, resolve } = valve();
    const outcome = connect({ hold, deadlineMs: 1_000 }).catch((caught: unknown) => caught);
    clock.advance(700);
    await asked;
    clock.advance(5_000);
    resolve(HELD);
    await server.peers[0]!.frame(0);
    expect(clock.nextDueMs).toBe(700 + 5_000 + 300);
    clock.advance(300);
    expect(await outcome).toMatchObject({ closeClass: 'deadline' });
  });

  test('that is given up ends the attempt and its socket', async () => {
    await listen(() => {});
    for (const hold of [
      () => Promise.reject(new Error('the caller speaks again')),
      () => {
        throw new Error('the caller speaks again');
      },
    ]) {
      const error = await connect({ hold }).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ closeClass: 'normal', retryable: true });
      expect((error as Error).message).toContain('"the caller speaks again"');
    }
    await nothingLeft();
    expect(server.peers.map((peer) => peer.frames)).toEqual([[], []]);
  });

  test('of a call that has ended is not sent, whatever comes of the hold later', async () => {
    await listen(() => {});
    const late = [valve(), valve()];
    for (const { hold, asked } of late) {
      call = new AbortController();
      const outcome = connect({ hold }).catch((caught: unknown) => caught);
      await asked;
      call.abort();
      expect(await outcome).toMatchObject({ closeClass: 'normal' });
    }
    late[0]!.resolve(HELD);
    late[1]!.reject(new Error('late'));
    await nothingLeft();
    expect(server.peers.map((peer) => peer.frames)).toEqual([[], []]);
  });

  test.each([
    [1011, 'Deadline expired before operation could complete.', 'deadline'],
    // No handle was sent: it cannot be the old socket.
    [1011, 'Internal error encountered.', 'overload'],
    [1000, '', 'normal'],
  ])('on a socket that closes with %i "%s" rejects at once as %s', async (code, reason, closeClass) => {
    await listen(() => {});
    const { hold, asked, resolve } = valve();
    const outcome = connect({ hold }).catch((caught: unknown) => caught);
    await asked;
    server.peers[0]!.ws.close(code, reason);
    expect(await outcome).toMatchObject({ closeClass, closeCode: code });
    resolve(HELD);
    await nothingLeft();
    expect(server.peers[0]!.frames).toEqual([]);
  });

  test.each([
    ['the new handle', 'old-socket-open'],
    [null, 'overload'],
  ])('that is refused with 1011 is judged by the handle it was sent with: %s', async (handle, closeClass) => {
    await listen(async (peer) => {
      await peer.frame(0);
      peer.ws.close(1011, 'Internal error encountered.');
    });
    const hold = async () => ({ ...HELD, handle });
    await expect(connect({ hold })).rejects.toMatchObject({ closeClass });
  });

  test('is never asked for when there is no socket to hold it on', async () => {
    await listen(() => {}, { refuseWith: 503 });
    const { hold, count } = valve();
    await expect(connect({ hold })).rejects.toMatchObject({ closeClass: 'overload' });
    expect(count()).toBe(0);
  });

  test('keeps what the server says before it, and the SDK hears nothing of it', async () => {
    await listen(async (peer) => {
      peer.say({ goAway: { timeLeft: '7s' } });
      peer.ws.send('{"text":"x"}');
      await peer.completeSetup();
    });
    const { hold, asked, resolve } = valve();
    const handlers = new RecordingHandlers();
    const connecting = connect({ hold }, {}, handlers);
    await asked;
    await roundTrip(server.peers[0]!);
    expect(handlers.events).toEqual([]);
    resolve(HELD);
    await connecting;
    await handlers.until((seen) => seen.events.length === 2);
    expect(handlers.events).toEqual([
      { type: 'go-away', timeLeftMs: 7_000 },
      { type: 'unknown', field: 'text' },
    ]);
  });

  test('is not complete before it was sent, whatever the server says', async () => {
    await listen(() => {});
    const { hold, asked, resolve } = valve();
    let connected = false;
    const connecting = connect({ hold }).then(() => {
      connected = true;
    });
    await asked;
    server.peers[0]!.say({ setupComplete: {} });
    await roundTrip(server.peers[0]!);
    await new Promise((done) => setImmediate(done));
    expect(connected).toBe(false);
    resolve(HELD);
    await connecting;
    expect(Object.keys(await server.peers[0]!.frame(0))).toEqual(['setup']);
  });
});

describe('an SDK that does not ask for our socket', () => {
  function openUnhooked(hold: () => Promise<HeldFields>): Promise<LiveConnection> {
    const { live } = new GoogleGenAI({
      vertexai: false,
      apiKey: 'key-of-a-test',
      httpOptions: { baseUrl: server.baseUrl, apiVersion: 'v1beta' },
    });
    return openConnection({
      live,
      hooked: false,
      model: SETUP.model,
      family: FAMILIES['3.8'],
      plan: (held) =>
        toLiveConnectConfig(held === null ? SETUP : withHeldFields(SETUP, held), FAMILIES['3.8']),
      hold,
      vadMode: 'auto',
      handlers: new RecordingHandlers(),
      signal: call.signal,
      deadlineMs: 1_000,
      clock,
      redact: (text) => text,
      onFault: () => {},
    });
  }

  test('is held before anything is opened', async () => {
    await listen((peer) => peer.completeSetup());
    const connection = await openUnhooked(async () => {
      clock.advance(60_000);
      expect(server.peers).toEqual([]);
      return HELD;
    });
    open.push(connection);
    const setup = (await server.peers[0]!.frame(0))['setup'] as Json;
    expect(setup['sessionResumption']).toEqual({ handle: 'the new handle' });
    expect(JSON.stringify(setup['systemInstruction'])).toContain('The time is ten.');
  });

  test('opens nothing when the hold is given up', async () => {
    await listen(() => {});
    await expect(openUnhooked(() => Promise.reject(new Error('no')))).rejects.toMatchObject({
      closeClass: 'normal',
    });
    expect(server.peers).toEqual([]);
  });
});
