/** When a later SDK no longer asks for our socket, connections still work: with its own socket and less control. */
import { GoogleGenAI } from '@google/genai';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { FAMILIES } from '../../src/gemini/families.ts';
import { openConnection } from '../../src/gemini/open-connection.ts';
import { RecordingHandlers } from '../support/live-handlers.ts';
import { type Peer, ScriptedLiveServer } from '../support/scripted-live-server.ts';

let server: ScriptedLiveServer;
afterEach(() => server.close());

async function openUnhooked(script: (peer: Peer) => unknown, handlers: RecordingHandlers) {
  server = await ScriptedLiveServer.listen(script);
  const { live } = new GoogleGenAI({
    vertexai: false,
    apiKey: 'key-of-a-test',
    httpOptions: { baseUrl: server.baseUrl, apiVersion: 'v1beta' },
  });
  return openConnection({
    live,
    hooked: false,
    model: 'gemini-3.8-live',
    family: FAMILIES['3.8'],
    plan: () => ({ config: {}, extraSetup: {}, firstContent: null, resumes: false, dropped: [] }),
    hold: null,
    vadMode: 'auto',
    handlers,
    signal: new AbortController().signal,
    deadlineMs: 5_000,
    clock: systemClock,
    redact: (text) => text,
    onFault: () => {},
  });
}

test('without the hook: messages, sends and the close arrive, each once', async () => {
  const handlers = new RecordingHandlers();
  const connection = await openUnhooked(async (peer) => {
    await peer.completeSetup();
    peer.say({ serverContent: { outputTranscription: { text: 'hi' } } });
    await peer.frame(2);
    peer.ws.close(1011, 'Deadline expired before operation could complete.');
  }, handlers);
  expect(connection.sendAudio(new Int16Array(320))).toBe(true);
  expect(connection.sendText('hello')).toBe(true);
  expect(connection.bufferedBytes).toBeGreaterThanOrEqual(0);
  await handlers.until((seen) => seen.closes.length > 0);
  expect(handlers.events).toEqual([{ type: 'output-transcript', text: 'hi' }]);
  expect(handlers.closes.map((close) => close.class)).toEqual(['deadline']);
  expect(connection.sendText('late')).toBe(false);
});

test('without the hook: an early close rejects, and our own close is silent', async () => {
  const handlers = new RecordingHandlers();
  await expect(
    openUnhooked((peer) => peer.ws.close(1007, 'API key not valid. Please pass a valid API key.'), handlers),
  ).rejects.toMatchObject({ closeClass: 'auth' });
  await server.close();
  const connection = await openUnhooked((peer) => peer.completeSetup(), handlers);
  const closed = connection.close();
  expect(connection.sendText('late')).toBe(false);
  await server.peers[0]!.closed;
  await closed;
  expect(handlers.closes).toEqual([]);
});
