/** What a new session is told of the call so far, and what is told it in mid call: the SDK's frames, and the emulator's ear. */
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createConnector } from '../../src/gemini/connect.ts';
import type { ConnectOptions, HistoryTurn, LiveConnection } from '../../src/gemini/live-session.ts';
import type { LiveSetup } from '../../src/gemini/setup.ts';
import { tonePhrase } from '../../src/lab/clip.ts';
import { type Emulator, startEmulator } from '../../src/lab/emulator/server.ts';
import { makeReply, makeScenario } from '../../src/lab/scenario.ts';
import { RecordingHandlers } from '../support/live-handlers.ts';
import { type Json, ScriptedLiveServer } from '../support/scripted-live-server.ts';

const M25 = 'gemini-2.5-flash-native-audio-preview-12-2025';
const M31 = 'gemini-3.1-flash-live-preview';
const M38 = 'gemini-3.8-live';
const MET = 'gemini-3.8-live-extended-thinking';
const HISTORY: readonly HistoryTurn[] = [
  { role: 'user', text: 'My name is Ann.' },
  { role: 'model', text: 'Good day, Ann.' },
];
const CONTENTS = [
  { role: 'user', parts: [{ text: 'My name is Ann.' }] },
  { role: 'model', parts: [{ text: 'Good day, Ann.' }] },
];
const BASE: LiveSetup = { model: M38, systemInstruction: 'Be kind.', voice: null, language: null };

const open: LiveConnection[] = [];
const closeConnections = () => Promise.all(open.splice(0).map((connection) => connection.close(0)));

async function connect(
  baseUrl: string,
  setup: Partial<LiveSetup>,
  handlers = new RecordingHandlers(),
  how: Partial<ConnectOptions> = {},
): Promise<LiveConnection> {
  const connectLive = createConnector({ apiKey: 'key-of-a-test', baseUrl, clock: systemClock });
  const options = {
    signal: new AbortController().signal,
    deadlineMs: 5_000,
    need: 'outage',
    ...how,
  } as const;
  const connection = await connectLive({ ...BASE, ...setup }, handlers, options);
  open.push(connection);
  return connection;
}

describe('on the wire', () => {
  let server: ScriptedLiveServer | null = null;
  afterEach(async () => {
    await closeConnections();
    await server?.close();
    server = null;
  });

  /** @returns the setup, and the first frame after it: the call's own text, or what came before that */
  async function frames(setup: Partial<LiveSetup>): Promise<{ setup: Json; next: Json }> {
    server ??= await ScriptedLiveServer.listen((peer) => peer.completeSetup());
    const connection = await connect(server.baseUrl, setup);
    connection.sendText('hello');
    const peer = server.peers.at(-1)!;
    return { setup: (await peer.frame(0))['setup'] as Json, next: await peer.frame(1) };
  }
  const instructionOf = (setup: Json): string =>
    (setup['systemInstruction'] as { parts: { text: string }[] }).parts[0]!.text;

  test.each([M38, MET])('%s gets the history as contents that ask for no answer', async (model) => {
    const { setup, next } = await frames({ model, history: HISTORY });
    expect(next).toEqual({ clientContent: { turns: CONTENTS, turnComplete: false } });
    expect(instructionOf(setup)).toBe('Be kind.');
    expect(setup).not.toHaveProperty('historyConfig');
  });

  test.each([M25, M31])('%s gets it in words, behind its own instruction', async (model) => {
    const { setup, next } = await frames({ model, history: HISTORY, language: 'de-DE' });
    expect(next).not.toMatchObject({ clientContent: { turnComplete: false } });
    expect(instructionOf(setup)).toMatch(
      /^Be kind\.\n\n(.|\n)*Caller: My name is Ann\.\nYou: Good day, Ann\./,
    );
    expect(instructionOf(setup).includes('de-DE')).toBe(model === M25);
  });

  test('either way can be asked for', async () => {
    const told = await frames({ history: HISTORY, historyBy: 'instruction' });
    expect(instructionOf(told.setup)).toContain('Good day, Ann.');
    expect(told.next).toEqual({ realtimeInput: { text: 'hello' } });
    const shown = await frames({ model: M25, history: HISTORY, historyBy: 'contents' });
    expect(shown.next).toEqual({ clientContent: { turns: CONTENTS, turnComplete: false } });
  });

  test('3.1 takes contents only where the setup announces them, and until they are complete', async () => {
    const { setup, next } = await frames({ model: M31, history: HISTORY, historyBy: 'contents' });
    expect(setup['historyConfig']).toEqual({ initialHistoryInClientContent: true });
    expect(next).toEqual({ clientContent: { turns: CONTENTS, turnComplete: true } });
    expect(instructionOf(setup)).toBe('Be kind.');
  });

  test.each(['contents', 'instruction'] as const)(
    'a session that is resumed knows its history: none by %s',
    async (historyBy) => {
      const { setup, next } = await frames({ history: HISTORY, historyBy, resumption: { handle: 'h' } });
      expect(instructionOf(setup)).toBe('Be kind.');
      expect(next).toEqual({ realtimeInput: { text: 'hello' } });
    },
  );

  test('a history without a word is none', async () => {
    const { next } = await frames({ history: [{ role: 'user', text: ' ' }] });
    expect(next).toEqual({ realtimeInput: { text: 'hello' } });
  });

  test('context in mid call goes where the family takes it, and nowhere else', async () => {
    server = await ScriptedLiveServer.listen((peer) => peer.completeSetup());
    const takes: boolean[] = [];
    for (const model of [M25, M31, M38, MET]) {
      const connection = await connect(server.baseUrl, { model });
      takes.push(connection.sendContext(HISTORY));
      expect(connection.sendContext([])).toBe(model !== M31);
      connection.sendText('hello');
    }
    expect(takes).toEqual([true, false, true, true]);
    const sent = await Promise.all(server.peers.map((peer) => peer.frame(1)));
    const context = { clientContent: { turns: CONTENTS, turnComplete: false } };
    expect(sent).toEqual([context, { realtimeInput: { text: 'hello' } }, context, context]);
    const [connection] = open;
    await connection!.close(0);
    expect(connection!.sendContext(HISTORY)).toBe(false);
  });
});

describe.concurrent('at the emulator', () => {
  const emulators: Emulator[] = [];
  // Each test has one of its own, and waits for what comes in its time.
  afterAll(async () => {
    await closeConnections();
    await Promise.all(emulators.map((emulator) => emulator.close()));
  });
  const FRAME = 320;
  const VOICE = tonePhrase('caller', 800).samples;
  /** 16 kHz; a note a fifth higher does not matter to a detector that goes by level. */
  const utterance = (): Int16Array[] => {
    const samples = new Int16Array(16_000 * 2);
    samples.set(VOICE.subarray(0, 12_800).map((sample) => sample * 3));
    return Array.from({ length: samples.length / FRAME }, (_, i) =>
      samples.subarray(i * FRAME, (i + 1) * FRAME),
    );
  };
  const start = async (): Promise<Emulator> => {
    const answer = makeReply({
      clip: tonePhrase('answer', 200),
      text: 'Yes, Ann.',
      hears: 'Do you know me?',
    });
    const scenario = makeScenario({
      replies: [answer],
      otherwise: [answer],
      model: { setupDelayMs: 1, firstAudioMs: 5, pace: 'burst' },
    });
    const emulator = await startEmulator({ clock: systemClock, scenario });
    emulators.push(emulator);
    return emulator;
  };

  test.each([
    [M25, 'contents'],
    [M25, 'instruction'],
    [M31, 'contents'],
    [M31, 'instruction'],
    [M38, 'contents'],
    [MET, 'contents'],
  ] as const)(
    '%s with a history in %s answers the next utterance, and nothing before it',
    async (model, historyBy) => {
      const { url, sessions } = await start();
      const handlers = new RecordingHandlers();
      const connection = await connect(url, { model, history: HISTORY, historyBy }, handlers);
      for (const frame of utterance()) expect(connection.sendAudio(frame)).toBe(true);
      await handlers.until((seen) => seen.events.some(({ type }) => type === 'audio'));
      await handlers.until((seen) => seen.events.some(({ type }) => type === 'turn-complete'));
      const [session] = sessions;
      expect(session!.refusals).toEqual([]);
      expect(session!.speech.map(({ kind }) => kind)).toEqual(['start', 'end']);
      const transcripts = handlers.events.flatMap((event) =>
        event.type === 'output-transcript' ? [event.text] : [],
      );
      expect(transcripts.join('').trim()).toBe('Yes, Ann.');
      const told = session!.texts.map(({ text }) => text);
      expect(told).toEqual(historyBy === 'contents' ? ['My name is Ann. Good day, Ann.'] : []);
      expect(JSON.stringify(session!.setup?.systemInstruction).includes('Good day, Ann.')).toBe(
        historyBy === 'instruction',
      );
    },
  );

  test('a rotation: the new socket is open, the old one closed, the session goes on', async () => {
    const { url, sessions } = await start();
    const before = new RecordingHandlers();
    const old = await connect(url, {}, before);
    expect(old.sendContext(HISTORY)).toBe(true);
    const handleIn = (handlers: RecordingHandlers): string | undefined =>
      handlers.events
        .flatMap((event) => (event.type === 'resumption' && event.handle !== null ? [event.handle] : []))
        .at(-1);
    await before.until((seen) => handleIn(seen) !== undefined);
    const after = new RecordingHandlers();
    const connection = await connect(url, {}, after, {
      need: 'rotation',
      hold: async () => {
        expect(sessions).toHaveLength(2);
        await old.close();
        return { handle: handleIn(before)!, systemInstruction: 'Be kind and brief.' };
      },
    });
    for (const frame of utterance()) expect(connection.sendAudio(frame)).toBe(true);
    await after.until((seen) => seen.events.some(({ type }) => type === 'audio'));
    expect(sessions.map(({ conversation, resumed }) => [conversation, resumed])).toEqual([
      [1, false],
      [1, true],
    ]);
    expect(sessions.flatMap(({ refusals }) => refusals)).toEqual([]);
    expect(JSON.stringify(sessions[1]!.setup?.systemInstruction)).toContain('kind and brief');
  });
});
