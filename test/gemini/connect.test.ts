/** The real SDK over real sockets, against a server that misbehaves as each test says. */
import { GoogleGenAI } from '@google/genai';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.ts';
import { LiveConnectError } from '../../src/gemini/closes.ts';
import { type ConnectorOptions, createConnector, type LiveFault } from '../../src/gemini/connect.ts';
import { audioFrame } from '../../src/gemini/connection.ts';
import type { LiveConnection, LiveEvent } from '../../src/gemini/live-session.ts';
import type { LiveSetup } from '../../src/gemini/setup.ts';
import { RecordingHandlers } from '../support/live-handlers.ts';
import { type Peer, ScriptedLiveServer } from '../support/scripted-live-server.ts';

const KEY = 'AIzaSy-secret-key-of-the-test-0123456789';
const SETUP: LiveSetup = {
  model: 'gemini-3.8-live',
  systemInstruction: 'You are brief.',
  voice: 'Kore',
  language: null,
};

let server: ScriptedLiveServer | null = null;
let open: LiveConnection[] = [];
let faults: { kind: LiveFault; detail: string }[] = [];
let rejections: unknown[] = [];
let timers = 0;
/** Real time, with a count of the timers that neither fired nor were cancelled. */
const countingClock: Clock = {
  ...systemClock,
  setTimer(delayMs, onFire) {
    timers += 1;
    let due = true;
    const over = () => {
      if (due) timers -= 1;
      due = false;
    };
    const timer = systemClock.setTimer(delayMs, () => {
      over();
      onFire();
    });
    return {
      cancel: () => {
        over();
        timer.cancel();
      },
    };
  },
};
const noteRejection = (reason: unknown) => rejections.push(reason);

beforeEach(() => {
  faults = [];
  rejections = [];
  timers = 0;
  open = [];
  process.on('unhandledRejection', noteRejection);
  process.on('uncaughtException', noteRejection);
});

afterEach(async () => {
  for (const connection of open) void connection.close(0);
  while (timers > 0) await new Promise((resolve) => setImmediate(resolve));
  await server?.close();
  server = null;
  process.off('unhandledRejection', noteRejection);
  process.off('uncaughtException', noteRejection);
  // Whatever happened: nothing may have reached the process, and no text may hold the key.
  expect(rejections).toEqual([]);
  expect(JSON.stringify(faults)).not.toContain(KEY);
});

async function listen(
  script: (peer: Peer) => unknown,
  options: Parameters<typeof ScriptedLiveServer.listen>[1] = {},
): Promise<ScriptedLiveServer> {
  server = await ScriptedLiveServer.listen(script, options);
  return server;
}

interface Attempt {
  readonly handlers?: RecordingHandlers;
  readonly setup?: Partial<LiveSetup>;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly connector?: Partial<ConnectorOptions>;
}

async function connect(attempt: Attempt = {}): Promise<LiveConnection> {
  const connectLive = createConnector({
    apiKey: KEY,
    baseUrl: attempt.connector?.baseUrl ?? server!.baseUrl,
    clock: countingClock,
    onFault: (kind, detail) => faults.push({ kind, detail }),
    ...attempt.connector,
  });
  const connection = await connectLive(
    { ...SETUP, ...attempt.setup },
    attempt.handlers ?? new RecordingHandlers(),
    {
      signal: attempt.signal ?? new AbortController().signal,
      deadlineMs: attempt.deadlineMs ?? 5_000,
      need: 'new-call',
    },
  );
  open.push(connection);
  return connection;
}

async function refusal(attempt: Attempt = {}): Promise<LiveConnectError> {
  const outcome = await connect(attempt).catch((caught: unknown) => caught);
  expect(outcome).toBeInstanceOf(LiveConnectError);
  const error = outcome as LiveConnectError;
  expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain(KEY);
  return error;
}

async function nothingLeft(): Promise<void> {
  for (const peer of server!.peers) await peer.closed;
  while ((await server!.connectionCount()) > 0) await new Promise((resolve) => setImmediate(resolve));
}

const audioMessage = (bytes: Buffer) => ({
  serverContent: {
    modelTurn: {
      parts: [{ inlineData: { mimeType: 'audio/pcm;rate=24000', data: bytes.toString('base64') } }],
    },
  },
});

describe('a connection that comes about', () => {
  test('asks for v1beta with the key, without compression, and sends setup first', async () => {
    const { peers } = await listen((peer) => peer.completeSetup());
    await connect();
    const [peer] = peers;
    expect(peer!.request.url).toBe(
      `//ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=${KEY}`,
    );
    expect(peer!.request.headers['sec-websocket-extensions']).toBeUndefined();
    expect(Object.keys(await peer!.frame(0))).toEqual(['setup']);
  });

  test.each(['binary', 'text'] as const)('reads %s frames', async (how) => {
    await listen(async (peer) => {
      await peer.frame(0);
      peer.say({ setupComplete: {} }, how);
      peer.say(audioMessage(Buffer.from([1, 2, 3])), how);
    });
    const handlers = new RecordingHandlers();
    await connect({ handlers });
    await handlers.until((seen) => seen.events.length > 0);
    expect(handlers.events).toEqual([{ type: 'audio', bytes: Buffer.from([1, 2, 3]), sampleRate: 24_000 }]);
  });

  test('what arrives together with setupComplete is told after the caller has its connection', async () => {
    await listen(async (peer) => {
      await peer.frame(0);
      peer.say({ setupComplete: {}, goAway: { timeLeft: '300s' } });
      peer.say({ serverContent: { outputTranscription: { text: 'one' } } });
      peer.say({ serverContent: { outputTranscription: { text: 'two' } } });
      peer.ws.close(1011, 'Internal error encountered.');
    });
    const order: string[] = [];
    const handlers = new RecordingHandlers();
    const connectLive = createConnector({ apiKey: KEY, baseUrl: server!.baseUrl, clock: systemClock });
    const wrapped = async () =>
      connectLive(
        SETUP,
        {
          onEvents: (events, at) => {
            order.push(...events.map((event) => event.type));
            expect(at).toBeLessThanOrEqual(systemClock.now());
            handlers.onEvents(events);
          },
          onClose: (close) => {
            order.push('close');
            handlers.onClose(close);
          },
        },
        { signal: new AbortController().signal, deadlineMs: 5_000, need: 'new-call' },
      );
    open.push(await (async () => await wrapped())());
    order.push('connected');
    await handlers.until((seen) => seen.closes.length > 0);
    expect(order).toEqual(['connected', 'go-away', 'output-transcript', 'output-transcript', 'close']);
    expect(handlers.closes).toEqual([
      { code: 1011, reason: 'Internal error encountered.', class: 'overload' },
    ]);
  });

  test('the fast audio frame is the SDK frame, byte for byte', async () => {
    const { peers } = await listen((peer) => peer.completeSetup());
    const connection = await connect();
    const samples = Int16Array.from({ length: 320 }, (_, i) => Math.round(30_000 * Math.sin(i / 7)));
    expect(connection.sendAudio(samples)).toBe(true);

    const ai = new GoogleGenAI({
      vertexai: false,
      apiKey: KEY,
      httpOptions: { baseUrl: server!.baseUrl, apiVersion: 'v1beta' },
    });
    const plain = await ai.live.connect({ model: SETUP.model, callbacks: { onmessage: () => {} } });
    const littleEndian = Buffer.alloc(640);
    for (const [i, sample] of samples.entries()) littleEndian.writeInt16LE(sample, 2 * i);
    plain.sendRealtimeInput({
      audio: { data: littleEndian.toString('base64'), mimeType: 'audio/pcm;rate=16000' },
    });
    await peers[0]!.frame(1);
    await peers[1]!.frame(1);
    plain.close();
    expect(peers[0]!.frames[1]).toBe(peers[1]!.frames[1]);
    // A view into a larger buffer sends its own samples only.
    expect(audioFrame(new Int16Array([9, 1, 9]).subarray(1, 2)).toString()).toContain('"AQA="');
  });

  test('audio of any length goes out in frames of at most one second, in order and whole', async () => {
    const { peers } = await listen((peer) => peer.completeSetup());
    const connection = await connect();
    const samples = Int16Array.from({ length: 40_001 }, (_, i) => i % 30_000);
    expect(connection.sendAudio(samples)).toBe(true);
    expect(connection.sendAudio(new Int16Array(0))).toBe(true);
    await peers[0]!.frame(3);
    const sent = peers[0]!.frames.slice(1).map((frame) => {
      const { data } = (JSON.parse(frame) as { realtimeInput: { audio: { data: string } } }).realtimeInput
        .audio;
      return Buffer.from(data, 'base64');
    });
    expect(sent.map((bytes) => bytes.length)).toEqual([32_000, 32_000, 16_002]);
    expect(Buffer.concat(sent).equals(Buffer.from(samples.buffer))).toBe(true);
  });

  test.each([
    ['gemini-3.8-live', { realtimeInput: { text: 'hello' } }],
    ['gemini-3.1-flash-live-preview', { realtimeInput: { text: 'hello' } }],
    [
      'gemini-2.5-flash-native-audio-preview-12-2025',
      { clientContent: { turns: [{ role: 'user', parts: [{ text: 'hello' }] }], turnComplete: true } },
    ],
  ])('text to %s takes the path of its family', async (model, wanted) => {
    const { peers } = await listen((peer) => peer.completeSetup());
    const connection = await connect({ setup: { model } });
    expect(connection.sendText('hello')).toBe(true);
    expect(await peers[0]!.frame(1)).toEqual(wanted);
  });

  test('signals are sent only in the mode they belong to', async () => {
    const { peers } = await listen((peer) => peer.completeSetup());
    const automatic = await connect();
    expect([automatic.sendActivity('start'), automatic.sendAudioStreamEnd()]).toEqual([false, true]);
    const manual = await connect({ setup: { vad: { mode: 'manual', interruptions: true } } });
    expect([manual.sendAudioStreamEnd(), manual.sendActivity('start'), manual.sendActivity('end')]).toEqual([
      false,
      true,
      true,
    ]);
    expect(await peers[0]!.frame(1)).toEqual({ realtimeInput: { audioStreamEnd: true } });
    expect(await peers[1]!.frame(1)).toEqual({ realtimeInput: { activityStart: {} } });
    expect(await peers[1]!.frame(2)).toEqual({ realtimeInput: { activityEnd: {} } });
  });

  test('scheduling is sent beside the response where the family takes it, and nowhere else', async () => {
    const { peers } = await listen((peer) => peer.completeSetup());
    const responses = [{ id: 'f1', name: 'look', response: { ok: 1 }, scheduling: 'SILENT' as const }];
    (await connect()).sendToolResponses(responses);
    (await connect({ setup: { model: 'gemini-3.8-live-extended-thinking' } })).sendToolResponses(responses);
    const bare = { id: 'f1', name: 'look', response: { ok: 1 } };
    expect(await peers[0]!.frame(1)).toEqual({
      toolResponse: { functionResponses: [{ ...bare, scheduling: 'SILENT' }] },
    });
    expect(await peers[1]!.frame(1)).toEqual({ toolResponse: { functionResponses: [bare] } });
  });

  test('a response that is no JSON is a fault and a false, not an exception', async () => {
    await listen((peer) => peer.completeSetup());
    const connection = await connect();
    expect(connection.sendToolResponses([{ id: 'f1', name: 'look', response: { big: 1n } }])).toBe(false);
    expect(faults.map((fault) => fault.kind)).toEqual(['send-refused']);
  });

  test('one setup object serves any number of connections', async () => {
    const { peers } = await listen((peer) => peer.completeSetup());
    const setup: LiveSetup = Object.freeze({
      ...SETUP,
      tools: [{ name: 'look', description: 'd', parameters: { type: 'object', properties: {} } }],
    });
    const before = JSON.stringify(setup);
    for (let i = 0; i < 3; i++) await connect({ setup });
    expect(JSON.stringify(setup)).toBe(before);
    expect(new Set(peers.map((peer) => peer.frames[0])).size).toBe(1);
  });
});

describe('a connection that does not come about', () => {
  const closes: [number, string, string][] = [
    [1007, 'API key not valid. Please pass a valid API key.', 'auth'],
    [1007, 'Request contains an invalid argument.', 'config'],
    [
      1008,
      'models/x is not found for API version v1beta, or is not supported for bidiGenerateContent. Call',
      'config',
    ],
    [1008, 'BidiGenerateContent session not found', 'handle-refused'],
    [1011, 'You exceeded your current quota, please check your plan', 'quota'],
    [1011, 'The service is currently unavailable.', 'overload'],
    [1000, '', 'normal'],
  ];
  test.each(closes)('a close with %i "%s" before setup rejects as %s', async (code, reason, closeClass) => {
    await listen(async (peer) => {
      await peer.frame(0);
      peer.ws.close(code, reason);
    });
    const handlers = new RecordingHandlers();
    const error = await refusal({ handlers });
    expect(error).toMatchObject({ code: 'ERR_LIVE_CONNECT', closeClass, closeCode: code });
    expect(error.message).toContain(`${code} "${reason}"`);
    expect(handlers.closes).toEqual([]);
    await nothingLeft();
  });

  test('an unexplained 1011 is the old socket when a handle was given, overload when not', async () => {
    await listen(async (peer) => {
      await peer.frame(0);
      peer.ws.close(1011, 'Internal error encountered.');
    });
    expect((await refusal({ setup: { resumption: { handle: 'h1' } } })).closeClass).toBe('old-socket-open');
    expect((await refusal()).closeClass).toBe('overload');
  });

  test('a cut before setup rejects as network', async () => {
    await listen(async (peer) => {
      await peer.frame(0);
      peer.ws.terminate();
    });
    expect(await refusal()).toMatchObject({ closeClass: 'network', closeCode: 1006, retryable: true });
  });

  test.each([
    [401, 'auth'],
    [404, 'config'],
    [409, 'overload'],
    [429, 'quota'],
    [503, 'overload'],
  ])('HTTP %i instead of the upgrade rejects as %s', async (refuseWith, closeClass) => {
    await listen(() => {}, { refuseWith });
    expect(await refusal()).toMatchObject({ closeClass, httpStatus: refuseWith });
    await nothingLeft();
  });

  test('a refused connection rejects as network and names the address, not the key', async () => {
    await listen(() => {});
    const { baseUrl } = server!;
    await server!.close();
    server = null;
    const error = await refusal({ connector: { baseUrl } });
    expect(error.closeClass).toBe('network');
    expect(error.message).toContain('ECONNREFUSED');
  });

  test('a server that never completes setup costs the deadline, and its socket is destroyed', async () => {
    await listen(() => {});
    const error = await refusal({ deadlineMs: 60 });
    expect(error).toMatchObject({ closeClass: 'deadline', retryable: true });
    expect(error.message).toContain('60 ms');
    expect((await server!.peers[0]!.closed).code).toBe(1006);
    await nothingLeft();
  });

  test('a server that never answers the upgrade costs the deadline, and its socket is destroyed', async () => {
    await listen(() => {}, { silentUpgrade: true });
    const { closeClass } = await refusal({ deadlineMs: 60 });
    expect(closeClass).toBe('deadline');
    await nothingLeft();
  });

  test('a call that ended meanwhile aborts the attempt, and the socket is destroyed', async () => {
    const call = new AbortController();
    await listen((peer) => peer.frame(0).then(() => call.abort()));
    expect((await refusal({ signal: call.signal })).closeClass).toBe('normal');
    await nothingLeft();
  });

  test('a call that had ended before opens no socket', async () => {
    await listen(() => {});
    expect((await refusal({ signal: AbortSignal.abort() })).closeClass).toBe('normal');
    expect(server!.peers).toEqual([]);
  });

  test('Vertex without credentials is refused as auth', async () => {
    vi.stubEnv('METADATA_SERVER_DETECTION', 'none');
    vi.stubEnv('HOME', '/nowhere');
    await listen(() => {});
    const { baseUrl } = server!;
    const error = await refusal({
      setup: { model: 'gemini-live-2.5-flash-native-audio' },
      connector: { baseUrl, vertex: { project: 'p', location: 'l' } },
    });
    vi.unstubAllEnvs();
    expect(error.message).toContain('Could not load the default credentials');
    expect(error).toMatchObject({ closeClass: 'auth', retryable: false });
    expect(server!.peers).toEqual([]);
  });

  test('a model that is none is refused without a socket', async () => {
    await listen(() => {});
    const error = await refusal({ setup: { model: 'gemini-3.8-pro' } });
    expect(error).toMatchObject({ closeClass: 'config', retryable: false });
    expect(server!.peers).toEqual([]);
  });

  test('a server that floods before setup is complete is cut off', async () => {
    await listen(async (peer) => {
      await peer.frame(0);
      const lump = Buffer.alloc(300_000, 0x20).toString();
      for (let i = 0; i < 5; i++) peer.say({ serverContent: { outputTranscription: { text: lump } } });
    });
    expect((await refusal()).closeClass).toBe('network');
    expect(faults.map((fault) => fault.kind)).toEqual(['oversize']);
    await nothingLeft();
  });
});

describe('a server that breaks the protocol', () => {
  test('setupComplete before our setup is kept until the SDK has a session for it', async () => {
    const { peers } = await listen((peer) => peer.say({ setupComplete: {} }));
    const connection = await connect();
    expect(connection.sendText('hello')).toBe(true);
    expect(Object.keys(await peers[0]!.frame(0))).toEqual(['setup']);
  });

  const oddities: [string, string][] = [
    ['words', 'this is not JSON'],
    ['nothing', ''],
    ['half a message', '{"serverContent":'],
    ['bytes that are no UTF-8', '\u00ff\u00fe'],
  ];
  test.each(oddities)('%s instead of JSON is one fault, and the call goes on', async (_, text) => {
    await listen(async (peer) => {
      await peer.completeSetup();
      peer.ws.send(Buffer.from(text, 'latin1'));
      peer.say({ serverContent: { turnComplete: true } });
    });
    const handlers = new RecordingHandlers();
    await connect({ handlers });
    await handlers.until((seen) => seen.events.length > 0);
    expect(handlers.events).toEqual([{ type: 'turn-complete', reason: null }]);
    expect(faults.map((fault) => fault.kind)).toEqual(['bad-frame']);
  });

  test('JSON that is no message, or that the SDK would choke on, is harmless', async () => {
    await listen(async (peer) => {
      await peer.completeSetup();
      for (const json of [
        'null',
        '7',
        '[]',
        '"x"',
        '{"text":"x","data":1}',
        '{"usageMetadata":5}',
        '{"error":{}}',
      ]) {
        peer.ws.send(json);
      }
      peer.say({ serverContent: { turnComplete: true } });
    });
    const handlers = new RecordingHandlers();
    await connect({ handlers });
    await handlers.until((seen) => seen.events.some((event) => event.type === 'turn-complete'));
    const unknown = handlers.events.flatMap((event) => (event.type === 'unknown' ? [event.field] : []));
    expect(unknown).toEqual(['text', 'data', 'error']);
  });

  test('one broken frame after the other ends the connection', async () => {
    await listen(async (peer) => {
      await peer.completeSetup();
      for (let i = 0; i < 50; i++) peer.ws.send('no JSON');
    });
    const handlers = new RecordingHandlers();
    await connect({ handlers });
    await handlers.until((seen) => seen.closes.length > 0);
    expect(handlers.closes[0]).toMatchObject({ code: 1006, class: 'network' });
    expect(faults.length).toBe(8);
  });

  test('a message beyond 4 MiB ends the connection', async () => {
    await listen(async (peer) => {
      await peer.completeSetup();
      peer.ws.send(Buffer.alloc(4 * 1024 * 1024 + 1, 0x20));
    });
    const handlers = new RecordingHandlers();
    await connect({ handlers });
    await handlers.until((seen) => seen.closes.length > 0);
    expect(faults.map((fault) => fault.kind)).toEqual(['oversize']);
    expect(handlers.closes).toHaveLength(1);
    await nothingLeft();
  });

  test('a close reason with the key in it is told without the key', async () => {
    await listen(async (peer) => {
      await peer.completeSetup();
      peer.ws.close(1008, `refused: ${KEY}`);
    });
    const handlers = new RecordingHandlers();
    await connect({ handlers });
    await handlers.until((seen) => seen.closes.length > 0);
    expect(handlers.closes[0]?.reason).toBe('refused: [redacted]');
  });
});

describe('the end of a connection', () => {
  test.each([
    [1000, '', 'normal'],
    [1008, 'The operation was aborted.', 'aborted'],
    [1011, 'Deadline expired before operation could complete.', 'deadline'],
    [1011, 'Internal error encountered.', 'overload'],
    [1007, 'Request contains an invalid argument.', 'config'],
  ])(
    'a close with %i "%s" is told once as %s, after every message before it',
    async (code, reason, closeClass) => {
      await listen(async (peer) => {
        await peer.completeSetup();
        for (let i = 0; i < 20; i++) peer.say({ serverContent: { outputTranscription: { text: `${i}` } } });
        peer.ws.close(code, reason);
      });
      const handlers = new RecordingHandlers();
      const connection = await connect({ handlers });
      await handlers.until((seen) => seen.closes.length > 0);
      expect(handlers.events).toHaveLength(20);
      expect(handlers.closes).toEqual([{ code, reason, class: closeClass }]);
      expect(connection.sendAudio(new Int16Array(320))).toBe(false);
      expect(connection.sendText('x')).toBe(false);
      expect(connection.sendToolResponses([{ id: 'f1', name: 'look', response: {} }])).toBe(false);
      await connection.close();
      expect(handlers.closes).toHaveLength(1);
    },
  );

  test('a cut is told as 1006, network', async () => {
    await listen(async (peer) => {
      await peer.completeSetup();
      peer.ws.terminate();
    });
    const handlers = new RecordingHandlers();
    await connect({ handlers });
    await handlers.until((seen) => seen.closes.length > 0);
    expect(handlers.closes[0]).toMatchObject({ code: 1006, class: 'network' });
  });

  test('after our own close nothing is told, sends answer false, and the server sees 1000', async () => {
    let talk = () => {};
    await listen(async (peer) => {
      await peer.completeSetup();
      talk = () => peer.say({ serverContent: { turnComplete: true } });
    });
    const handlers = new RecordingHandlers();
    const connection = await connect({ handlers });
    talk();
    // Longer than this test may take: the timer must go with the socket.
    const closed = connection.close(60_000);
    expect(connection.close()).toBe(closed);
    expect(connection.sendAudio(new Int16Array(320))).toBe(false);
    expect((await server!.peers[0]!.closed).code).toBe(1000);
    await closed;
    expect(timers).toBe(0);
    await nothingLeft();
    expect(handlers.events).toEqual([]);
    expect(handlers.closes).toEqual([]);
  });

  test('a peer that does not answer the close is destroyed when the grace is over', async () => {
    await listen(async (peer) => {
      await peer.completeSetup();
      // Reads nothing any more, so it never sees the close frame.
      peer.ws.pause();
    });
    const fire: (() => void)[] = [];
    const connection = await connect({
      connector: {
        clock: {
          ...systemClock,
          setTimer: (delayMs, onFire) => {
            if (delayMs === 1234) fire.push(onFire);
            return { cancel: () => {} };
          },
        },
      },
    });
    let told = false;
    const closed = connection.close(1234).then(() => {
      told = true;
    });
    expect(await server!.connectionCount()).toBe(1);
    expect(told).toBe(false);
    fire[0]!();
    await closed;
    const [peer] = server!.peers;
    peer!.ws.resume();
    await nothingLeft();
  });

  test('a handler that throws ends its connection and no other', async () => {
    await listen(async (peer) => {
      await peer.completeSetup();
      await peer.frame(1);
      peer.say({ serverContent: { turnComplete: true } });
      peer.say({ serverContent: { turnComplete: true } });
    });
    const bad = new RecordingHandlers();
    const note = bad.onEvents.bind(bad);
    bad.onEvents = (events: readonly LiveEvent[]) => {
      note(events);
      throw new Error(`boom ${KEY}`);
    };
    const good = new RecordingHandlers();
    const badConnection = await connect({ handlers: bad });
    const goodConnection = await connect({ handlers: good });
    badConnection.sendText('go');
    goodConnection.sendText('go');
    await good.until((seen) => seen.events.length === 2);
    await bad.until((seen) => seen.closes.length > 0);
    expect(bad.events).toHaveLength(1);
    expect(bad.closes).toEqual([{ code: 1011, reason: 'a handler of the gateway threw', class: 'aborted' }]);
    expect(badConnection.sendText('x')).toBe(false);
    expect(goodConnection.sendText('x')).toBe(true);
    expect(faults).toEqual([{ kind: 'handler-threw', detail: 'boom [redacted]' }]);
  });

  test('a close handler that throws is a fault, told once', async () => {
    await listen(async (peer) => {
      await peer.completeSetup();
      peer.ws.close(1000);
    });
    const handlers = new RecordingHandlers();
    let told = 0;
    const done = new Promise<void>((resolve) => {
      handlers.onClose = () => {
        told += 1;
        setImmediate(resolve);
        throw new Error('boom');
      };
    });
    await connect({ handlers });
    await done;
    expect(told).toBe(1);
    expect(faults.map((fault) => fault.kind)).toEqual(['handler-threw']);
  });
});

describe('a server that does not read', () => {
  test('gets a bounded backlog: audio is refused from 256 KiB on, and taken again when it reads', async () => {
    await listen(async (peer) => {
      await peer.completeSetup();
      peer.ws.pause();
    });
    const connection = await connect();
    const second = new Int16Array(16_000);
    let taken = 0;
    let refused = 0;
    // 300 seconds of audio are 13 MB on the wire, far beyond what the kernel's buffers hold.
    for (let i = 0; i < 300; i++) {
      if (connection.sendAudio(second)) taken += 1;
      else refused += 1;
      if (i % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(refused).toBeGreaterThan(0);
    expect(taken).toBeGreaterThan(0);
    // One frame may still cross the line.
    expect(connection.bufferedBytes).toBeLessThan(256 * 1024 + 45_000);
    expect(faults.map((fault) => fault.kind)).toEqual(['uplink-stalled']);
    expect(connection.sendText('still small enough')).toBe(true);

    const [peer] = server!.peers;
    peer!.ws.resume();
    await peer!.frame(taken + 1);
    expect(connection.sendAudio(second)).toBe(true);
    expect(faults.at(-1)?.detail).toContain(`${refused} chunks`);
  });
});

describe('the options', () => {
  const make = (options: Partial<ConnectorOptions>) => () =>
    createConnector({ clock: systemClock, ...options });

  test('an address that the SDK would misread is refused', () => {
    expect(make({ baseUrl: 'ws://127.0.0.1:9' })).toThrow('wanted one that begins with http:// or https://');
    expect(make({ baseUrl: 'nonsense' })).toThrow('"nonsense"');
  });

  test('a key that cannot stand in an address is refused without being shown', () => {
    let message = '';
    try {
      make({ apiKey: `${KEY} "` })();
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain('wanted the key as Google shows it');
    expect(message).not.toContain(KEY);
  });

  test('no key and no endpoint is refused, no key with an endpoint is not', () => {
    expect(make({})).toThrow('neither a key');
    expect(make({ baseUrl: 'http://127.0.0.1:9' })).not.toThrow();
  });
});
