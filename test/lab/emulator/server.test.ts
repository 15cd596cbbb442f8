import { request } from 'node:http';
import { GoogleGenAI, type LiveServerMessage, Modality, type Session } from '@google/genai';
import { afterAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { parseWav } from '../../../src/audio/wav.ts';
import { systemClock } from '../../../src/clock.ts';
import { tonePhrase } from '../../../src/lab/clip.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../../src/lab/emulator/server.ts';
import { makeReply, makeScenario, type Scenario } from '../../../src/lab/scenario.ts';
import { base64, voice } from './line.ts';

const open: { close(): unknown }[] = [];
// Each test has an emulator of its own, and most of them wait for audio that comes in its time.
afterAll(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function start(scenario: Scenario, options: Partial<EmulatorOptions> = {}): Promise<Emulator> {
  const emulator = await startEmulator({ clock: systemClock, scenario, ...options });
  open.push(emulator);
  return emulator;
}

/** The messages of a live session, and a way to wait for one. */
class Inbox {
  readonly messages: LiveServerMessage[] = [];
  closed: { code: number; reason: string } | null = null;
  #wake: (() => void)[] = [];

  readonly callbacks = {
    onmessage: (message: LiveServerMessage) => {
      this.messages.push(message);
      this.#ring();
    },
    onclose: (event: { code: number; reason: string }) => {
      this.closed = { code: event.code, reason: event.reason };
      this.#ring();
    },
  };

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  has = (test: (message: LiveServerMessage) => unknown) =>
    this.messages.some((message) => Boolean(test(message)));

  #ring(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

async function dial(
  emulator: Emulator,
  config: object = {},
  path = '',
  apiVersion = 'v1beta',
  apiKey = 'test-key',
) {
  const inbox = new Inbox();
  const ai = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: emulator.url + path, apiVersion } });
  const session = await ai.live.connect({
    model: 'gemini-2.5-flash-native-audio-preview-12-2025',
    config: { responseModalities: [Modality.AUDIO], ...config },
    callbacks: inbox.callbacks,
  });
  open.push(session);
  return { session, inbox };
}

/** Sends sound and silence as fast as it goes: the emulator listens in the time of the stream. */
function say(session: Session, voiceMs: number, silenceMs: number): void {
  for (let ms = 0; ms < voiceMs + silenceMs; ms += 20) {
    const samples = ms < voiceMs ? voice(ms / 20) : new Int16Array(320);
    session.sendRealtimeInput({ audio: { data: base64(samples), mimeType: 'audio/pcm;rate=16000' } });
  }
}

const quick = { setupDelayMs: 5, firstAudioMs: 20, interruptDelayMs: 10 };
const clip = tonePhrase('answer', 400);
const simple = makeScenario({
  model: { ...quick, pace: 20 },
  replies: [makeReply({ hears: 'are you there', text: 'yes I am here', clip })],
});
const soundOf = (inbox: Inbox) =>
  Buffer.concat(
    inbox.messages.flatMap((message) =>
      (message.serverContent?.modelTurn?.parts ?? []).map((part) =>
        Buffer.from(part.inlineData?.data ?? '', 'base64'),
      ),
    ),
  );

describe.concurrent('with the SDK over a socket', () => {
  it.each(['', '/', '/emu', '/emu/'])(
    'a call at the base URL with "%s" goes from setup to turnComplete',
    async (path) => {
      const emulator = await start(simple);
      const { session, inbox } = await dial(
        emulator,
        { inputAudioTranscription: {}, outputAudioTranscription: {} },
        path,
      );
      expect(session.setupComplete).toEqual({});
      session.sendRealtimeInput({
        audio: { data: base64(new Int16Array(3200)), mimeType: 'audio/pcm;rate=16000' },
      });
      say(session, 600, 1000);
      await inbox.until(() => inbox.has((message) => message.serverContent?.turnComplete));
      expect(soundOf(inbox).equals(Buffer.from(clip.samples.buffer))).toBe(true);
      const text = (field: 'inputTranscription' | 'outputTranscription') =>
        inbox.messages.map((message) => message.serverContent?.[field]?.text ?? '').join('');
      expect(text('inputTranscription')).toBe('are you there');
      expect(text('outputTranscription')).toBe('yes I am here');
      expect(inbox.messages.at(-1)!.usageMetadata?.responseTokenCount).toBe(10);
      expect(emulator.sessions[0]).toMatchObject({ apiVersion: 'v1beta', pace: { audioMs: 1800 } });
    },
  );

  it('a barge-in brings interrupted, then turnComplete, and no generationComplete', async () => {
    const scenario = makeScenario({
      model: { ...quick, pace: 'realtime' },
      replies: [makeReply({ clip: tonePhrase('long', 8000) })],
    });
    const { session, inbox } = await dial(await start(scenario));
    say(session, 600, 1000);
    await inbox.until(() => inbox.has((message) => message.serverContent?.modelTurn));
    say(session, 400, 0);
    await inbox.until(() => inbox.has((message) => message.serverContent?.turnComplete));
    const ends = inbox.messages.flatMap((message) => Object.keys(message.serverContent ?? {}));
    expect(ends.filter((kind) => kind !== 'modelTurn')).toEqual(['interrupted', 'turnComplete']);
  });

  it('a tool call waits for its response', async () => {
    const calls = [{ name: 'get_order', args: { id: '42' }, when: 'before', followUp: null } as const];
    const emulator = await start(
      makeScenario({ model: { ...quick, pace: 20 }, replies: [makeReply({ clip, calls })] }),
    );
    const { session, inbox } = await dial(emulator, {
      tools: [{ functionDeclarations: [{ name: 'get_order' }] }],
    });
    say(session, 600, 1000);
    await inbox.until(() => inbox.has((message) => message.toolCall));
    const call = inbox.messages.find((message) => message.toolCall)!.toolCall!.functionCalls![0]!;
    expect(call).toMatchObject({ name: 'get_order', args: { id: '42' } });
    expect(soundOf(inbox)).toHaveLength(0);
    session.sendToolResponse({
      functionResponses: [{ id: call.id!, name: call.name!, response: { result: 'ok' } }],
    });
    await inbox.until(() => inbox.has((message) => message.serverContent?.turnComplete));
    expect(soundOf(inbox)).toHaveLength(clip.samples.byteLength);
    expect(emulator.sessions[0]!.toolResponses).toMatchObject([{ id: call.id, outcome: 'blocking' }]);
  });

  it('a field that the SDK sends but the model does not take ends the connection', async () => {
    const emulator = await start(simple);
    const connecting = dial(emulator, {
      speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Nobody' } } },
    });
    await expect(connecting).rejects.toThrow('1007');
    expect(emulator.sessions[0]!.refusals[0]!.detail).toContain('"Nobody"');
  });

  it('a bad key is told after the upgrade', async () => {
    await expect(dial(await start(simple), {}, '', 'v1beta', 'bad-key')).rejects.toThrow('API key not valid');
  });

  it('the version that was dialled is on record', async () => {
    const emulator = await start(simple);
    await dial(emulator, {}, '', 'v1');
    expect(emulator.sessions[0]!.apiVersion).toBe('v1');
  });

  it('a cut at the end of the connection reaches the client as 1006', async () => {
    const scenario = makeScenario({
      model: {
        ...quick,
        connectionMs: 300,
        behaviours: { connectionEndClose: '1006-cut', goAwayLead: 'none' },
      },
    });
    const { inbox } = await dial(await start(scenario));
    await inbox.until(() => inbox.closed !== null);
    expect(inbox.closed!.code).toBe(1006);
  });
});

const LIVE = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';

describe.concurrent('the server', () => {
  const refusal = (url: string) =>
    new Promise<number>((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.on('unexpected-response', (_, response) => {
        resolve(response.statusCode ?? 0);
        socket.terminate();
      });
      socket.on('open', () => reject(new Error('let in')));
      socket.on('error', () => {});
    });

  it('answers unknown paths with 404 and a missing key with 403', async () => {
    const base = (await start(simple)).url.replace('http', 'ws');
    expect(await refusal(`${base}/ws/something.else?key=k`)).toBe(404);
    expect(await refusal(`${base}${LIVE}/more?key=k`)).toBe(404);
    expect(await refusal(`${base}${LIVE.replace('v1beta', 'v2')}?key=k`)).toBe(404);
    expect(await refusal(`${base}${LIVE}`)).toBe(403);
  });

  it.each(['binary', 'text'] as const)(
    'sends %s frames of pretty JSON, uncompressed',
    async (serverFrameType) => {
      const emulator = await start(simple, { behaviours: { serverFrameType } });
      const socket = new WebSocket(`${emulator.url.replace('http', 'ws')}/${LIVE}?key=k`, {
        perMessageDeflate: true,
      });
      open.push(socket);
      socket.on('open', () => socket.send(JSON.stringify({ setup: { model: 'models/gemini-3.8-live' } })));
      const [data, isBinary] = await new Promise<[Buffer, boolean]>((resolve) =>
        socket.on('message', (...frame) => resolve(frame as [Buffer, boolean])),
      );
      expect(isBinary).toBe(serverFrameType === 'binary');
      expect(data.toString()).toBe('{\n  "setupComplete": {}\n}\n');
      expect(socket.extensions).toBe('');
    },
  );

  const call = (emulator: Emulator, method: string, path: string, body = '', host?: string) =>
    new Promise<{ status: number; body: Buffer }>((resolve, reject) => {
      const headers = host === undefined ? {} : { host };
      const outgoing = request(emulator.url + path, { method, headers }, (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) }));
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });

  it('shows what it received, and gives the audio back as a WAV', async () => {
    const emulator = await start(simple);
    const { session, inbox } = await dial(emulator);
    say(session, 600, 1000);
    await inbox.until(() => inbox.has((message) => message.serverContent?.turnComplete));
    const list = JSON.parse((await call(emulator, 'GET', '/lab/sessions')).body.toString());
    expect(list).toMatchObject([{ number: 1, audioMs: 1600, refusals: 0 }]);
    const one = JSON.parse((await call(emulator, 'GET', '/lab/sessions/1')).body.toString());
    expect(one.sent.map((sent: { kind: string }) => sent.kind)).toContain('turnComplete');
    const wav = parseWav((await call(emulator, 'GET', '/lab/sessions/1/audio.wav')).body);
    expect(wav.sampleRate).toBe(16_000);
    expect(wav.channels[0]!.subarray(0, 320)).toEqual(voice(0));
    expect((await call(emulator, 'GET', '/lab/sessions/2')).status).toBe(404);
  });

  it('plays a scenario that was put for the next connection, and then its own again', async () => {
    const emulator = await start(simple);
    const scenario = { model: { ...quick, pace: 'burst' }, greeting: { text: 'from the request' } };
    expect((await call(emulator, 'PUT', '/lab/next-scenario', JSON.stringify({ scenario }))).status).toBe(
      200,
    );
    const { session, inbox } = await dial(emulator, { outputAudioTranscription: {} });
    session.sendRealtimeInput({ text: 'begin' });
    await inbox.until(() => inbox.has((message) => message.serverContent?.generationComplete));
    const text = inbox.messages
      .map((message) => message.serverContent?.outputTranscription?.text ?? '')
      .join('');
    expect(text).toBe('from the request');
    const usual = await dial(emulator);
    usual.session.sendRealtimeInput({ text: 'begin' });
    say(usual.session, 600, 1000);
    await usual.inbox.until(() => usual.inbox.has((message) => message.serverContent?.turnComplete));
    expect(soundOf(usual.inbox)).toHaveLength(clip.samples.byteLength);
  });

  it('refuses scenarios that it cannot read, and people from elsewhere', async () => {
    const emulator = await start(simple);
    const bad = await call(
      emulator,
      'PUT',
      '/lab/next-scenario',
      JSON.stringify({ path: '/no/such/file.yaml' }),
    );
    expect(bad.status).toBe(400);
    expect(bad.body.toString()).toContain('no such file');
    expect((await call(emulator, 'PUT', '/lab/next-scenario', 'x'.repeat(2_000_000))).status).toBe(400);
    expect((await call(emulator, 'GET', '/lab/sessions', '', 'evil.example')).status).toBe(403);
    expect((await call(emulator, 'GET', '/elsewhere')).status).toBe(404);
  });

  it('says which port it could not have', async () => {
    const emulator = await start(simple);
    const port = Number(new URL(emulator.url).port);
    await expect(startEmulator({ clock: systemClock, scenario: simple, port })).rejects.toThrow(
      `127.0.0.1:${port}`,
    );
  });
});
