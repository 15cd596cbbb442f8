/** What really goes over the wire as setup, for each family: the SDK's own frames, read by a server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { createConnector } from '../../src/gemini/connect.ts';
import type { LiveSetup } from '../../src/gemini/setup.ts';
import { RecordingHandlers } from '../support/live-handlers.ts';
import { type Json, ScriptedLiveServer } from '../support/scripted-live-server.ts';

const M25 = 'gemini-2.5-flash-native-audio-preview-12-2025';
const M31 = 'gemini-3.1-flash-live-preview';
const M38 = 'gemini-3.8-live';
const MET = 'gemini-3.8-live-extended-thinking';

let server: ScriptedLiveServer;

beforeAll(async () => {
  server = await ScriptedLiveServer.listen((peer) => peer.completeSetup());
});
afterAll(() => server.close());

async function setupFrame(setup: Partial<LiveSetup>): Promise<{ sent: Json; dropped: readonly string[] }> {
  const connectLive = createConnector({ apiKey: 'k-of-a-test', baseUrl: server.baseUrl, clock: systemClock });
  const connection = await connectLive(
    { model: M38, systemInstruction: '', voice: null, language: null, ...setup },
    new RecordingHandlers(),
    { signal: new AbortController().signal, deadlineMs: 5_000, need: 'new-call' },
  );
  const message = await server.peers.at(-1)!.frame(0);
  await connection.close(0);
  return { sent: message['setup'] as Json, dropped: connection.dropped ?? [] };
}

/** Everything off that can be turned off: what is left is what the case at hand asked for. */
const BARE: Partial<LiveSetup> = {
  transcripts: { input: false, output: false },
  resumption: null,
  compression: null,
  vad: { mode: 'manual', interruptions: true },
};
const bare = (model: string, more: Json = {}, generation: Json = {}) => ({
  model: `models/${model}`,
  generationConfig: { responseModalities: ['AUDIO'], ...generation },
  realtimeInputConfig: { automaticActivityDetection: { disabled: true } },
  ...more,
});

describe('setup as the SDK sends it', () => {
  test('the whole of a phone bot on 3.8', async () => {
    const { sent, dropped } = await setupFrame({
      systemInstruction: 'You are brief.',
      voice: 'Kore',
      language: 'it-IT',
      resumption: { handle: 'HANDLE-123' },
      compression: { triggerTokens: 25_600, targetTokens: 12_800 },
    });
    expect(sent).toEqual({
      model: 'models/gemini-3.8-live',
      generationConfig: {
        responseModalities: ['AUDIO'],
        speechConfig: {
          voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Kore' } },
          languageCode: 'it-IT',
        },
      },
      systemInstruction: { parts: [{ text: 'You are brief.' }], role: 'user' },
      realtimeInputConfig: {
        automaticActivityDetection: {
          startOfSpeechSensitivity: 'START_SENSITIVITY_HIGH',
          endOfSpeechSensitivity: 'END_SENSITIVITY_HIGH',
          prefixPaddingMs: 60,
          silenceDurationMs: 600,
        },
      },
      sessionResumption: { handle: 'HANDLE-123' },
      contextWindowCompression: { triggerTokens: '25600', slidingWindow: { targetTokens: '12800' } },
      inputAudioTranscription: {},
      outputAudioTranscription: {},
    });
    expect(dropped).toEqual([]);
  });

  test('a session that begins asks for handles', async () => {
    const { sent } = await setupFrame({});
    expect(sent['sessionResumption']).toEqual({});
  });

  test.each([M25, M31, M38])('%s, with everything turned off', async (model) => {
    expect((await setupFrame({ ...BARE, model })).sent).toEqual(bare(model));
  });

  test('extended thinking always names a level, the lowest it knows when none fits', async () => {
    const wanted = (thinkingLevel: string) => bare(MET, {}, { thinkingConfig: { thinkingLevel } });
    expect((await setupFrame({ ...BARE, model: MET })).sent).toEqual(wanted('LOW'));
    const high = await setupFrame({ ...BARE, model: MET, thinking: { level: 'high' } });
    expect(high.sent).toEqual(wanted('HIGH'));
    const minimal = await setupFrame({ ...BARE, model: MET, thinking: { level: 'minimal' } });
    expect(minimal).toEqual({ sent: wanted('LOW'), dropped: ['thinking.level minimal'] });
  });

  test.each([
    [M25, { budget: 0 }, { thinkingConfig: { thinkingBudget: 0 } }, []],
    [M25, { level: 'low' }, {}, ['thinking.level low']],
    [M31, { level: 'minimal' }, { thinkingConfig: { thinkingLevel: 'MINIMAL' } }, []],
    [M31, { budget: 0 }, {}, ['thinking.budget']],
    [M38, { level: 'low', budget: 5 }, {}, ['thinking.budget', 'thinking.level low']],
  ] as const)(
    '%s is sent of thinking %j only what it takes',
    async (model, thinking, generation, dropped) => {
      expect(await setupFrame({ ...BARE, model, thinking })).toEqual({
        sent: bare(model, {}, generation),
        dropped,
      });
    },
  );

  test('2.5 ignores a language code, so it is told in words', async () => {
    const { sent, dropped } = await setupFrame({
      ...BARE,
      model: M25,
      systemInstruction: 'Be kind.',
      language: 'de-AT',
    });
    expect(sent).toEqual(
      bare(M25, {
        systemInstruction: {
          parts: [{ text: 'Be kind.\n\nSpeak the language with the BCP 47 tag de-AT.' }],
          role: 'user',
        },
      }),
    );
    expect(dropped).toHaveLength(1);
  });

  test('listening without interruption', async () => {
    const { sent } = await setupFrame({
      ...BARE,
      vad: {
        mode: 'auto',
        interruptions: false,
        startSensitivity: 'low',
        prefixPaddingMs: 20,
        silenceDurationMs: 500,
      },
    });
    expect(sent['realtimeInputConfig']).toEqual({
      automaticActivityDetection: {
        startOfSpeechSensitivity: 'START_SENSITIVITY_LOW',
        endOfSpeechSensitivity: 'END_SENSITIVITY_HIGH',
        prefixPaddingMs: 20,
        silenceDurationMs: 500,
      },
      activityHandling: 'NO_INTERRUPTION',
    });
  });

  test('temperature and media resolution stand in generationConfig', async () => {
    const { sent } = await setupFrame({ ...BARE, temperature: 0.5, mediaResolution: 'low' });
    expect(sent).toEqual(bare(M38, {}, { temperature: 0.5, mediaResolution: 'MEDIA_RESOLUTION_LOW' }));
  });

  const parameters = { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] };
  const tool = { name: 'get_order', description: 'd', parameters, behaviour: 'non-blocking' as const };
  const declared = { name: 'get_order', description: 'd', parametersJsonSchema: parameters };

  test.each([
    [M25, { ...declared, behavior: 'NON_BLOCKING' }, []],
    [M38, { ...declared, behavior: 'NON_BLOCKING' }, []],
    [M31, declared, ['non-blocking of tool get_order']],
  ])('%s gets the behaviour of a tool only if it knows more than one', async (model, wanted, dropped) => {
    expect(await setupFrame({ ...BARE, model, tools: [tool] })).toEqual({
      sent: bare(model, { tools: [{ functionDeclarations: [wanted] }] }),
      dropped,
    });
  });

  test('affective dialog and proactive audio do not exist on v1beta', async () => {
    const asked = { ...BARE, affectiveDialog: true, proactiveAudio: true };
    expect(await setupFrame({ ...asked, model: M25 })).toEqual({
      sent: bare(M25),
      dropped: ['affectiveDialog', 'proactiveAudio'],
    });
    // Always on there, so nothing is missing; only sending it would be an error.
    expect(await setupFrame({ ...asked, model: M38 })).toEqual({
      sent: bare(M38),
      dropped: ['affectiveDialog'],
    });
  });
});
