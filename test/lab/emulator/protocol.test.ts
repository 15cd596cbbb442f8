import { describe, expect, it } from 'vitest';
import { chat, type Json, Line, type MODELS, setupFor } from './line.ts';

const INVALID = 'Request contains an invalid argument.';

/** Opens with one setup and tells how it went. */
function outcome(message: Json, options: ConstructorParameters<typeof Line>[1] = {}) {
  const line = new Line(chat(), options).send(message).wait(1000);
  return {
    line,
    complete: line.of('setupComplete').length === 1,
    code: line.closed?.code,
    reason: line.closed?.reason,
  };
}
const withConfig = (family: keyof typeof MODELS, generationConfig: object, extra: object = {}) => {
  const message = setupFor(family, extra);
  Object.assign(message.setup.generationConfig, generationConfig);
  return message;
};

describe('setup', () => {
  it('is answered after the set delay, and nothing is sent before it', () => {
    const line = new Line(chat({ setupDelayMs: 400 })).wait(2000);
    expect(line.received).toHaveLength(0);
    line.send(setupFor('2.5')).wait(399);
    expect(line.received).toHaveLength(0);
    line.wait(1);
    expect(line.received.map((entry) => entry.message)).toEqual([{ setupComplete: {} }]);
  });

  it('must come first', () => {
    for (const message of [
      { realtimeInput: { text: 'hi' } },
      { clientContent: { turnComplete: true } },
      { config: { responseModalities: ['AUDIO'] } },
      {},
      { ...setupFor('2.5'), realtimeInput: { text: 'hi' } },
    ]) {
      expect(outcome(message)).toMatchObject({ complete: false, code: 1007 });
    }
  });

  it('must come within thirty seconds', () => {
    const line = new Line(chat()).wait(29_999);
    expect(line.closed).toBeNull();
    line.wait(1);
    expect(line.closed).toMatchObject({ code: 1011 });
  });

  it('is not to be overtaken by input', () => {
    const line = new Line(chat()).send(setupFor('2.5')).send({ realtimeInput: { text: 'hi' } });
    expect(line.closed).toMatchObject({ code: 1007 });
  });

  it.each([1007, 1008] as const)('a second one ends the connection with %d', (secondSetupCode) => {
    const line = new Line(chat(), { behaviours: { secondSetupCode } }).open().send(setupFor('2.5'));
    expect(line.closed?.code).toBe(secondSetupCode);
  });

  it('with a bad key is refused only after it has come', () => {
    const line = new Line(chat(), { key: 'bad-key' }).wait(1000);
    expect(line.closed).toBeNull();
    line.send(setupFor('2.5'));
    expect(line.closed).toMatchObject({
      code: 1007,
      reason: 'API key not valid. Please pass a valid API key.',
    });
  });

  it.each([
    ['an unknown model', 'models/gemini-9-live'],
    ['a model that was shut down', 'models/gemini-2.0-flash-live-001'],
    ['a model of Google Cloud', 'models/gemini-live-2.5-flash-native-audio'],
    ['a name without models/', 'gemini-3.8-live'],
    ['a name that objects have', 'models/constructor'],
  ])('with %s is closed with 1008', (_, model) => {
    const { code, reason } = outcome({ setup: { model } });
    expect(code).toBe(1008);
    expect(reason).toMatch(
      /^.* is not found for API version v1beta, or is not supported for bidiGenerateContent\. Call/,
    );
  });

  it('takes the fields of the reference in every family', () => {
    for (const family of ['2.5', '3.1', '3.8', '3.8-extended-thinking'] as const) {
      const extra = {
        systemInstruction: { parts: [{ text: 'You are brief.' }], role: 'user' },
        sessionResumption: {},
        contextWindowCompression: { triggerTokens: '25600', slidingWindow: { targetTokens: 12_800 } },
        realtimeInputConfig: {
          automaticActivityDetection: {
            disabled: false,
            startOfSpeechSensitivity: 'START_SENSITIVITY_LOW',
            endOfSpeechSensitivity: 'END_SENSITIVITY_HIGH',
            prefixPaddingMs: 20,
            silenceDurationMs: 500,
          },
          activityHandling: 'START_OF_ACTIVITY_INTERRUPTS',
          turnCoverage: 'TURN_INCLUDES_ONLY_ACTIVITY',
        },
        tools: [
          {
            functionDeclarations: [
              {
                name: 'get_order',
                description: 'd',
                parameters: { type: 'OBJECT', properties: { id: { type: 'STRING' } }, required: ['id'] },
              },
              { name: 'hang_up', parametersJsonSchema: { type: 'object', additionalProperties: false } },
            ],
          },
          { googleSearch: {} },
        ],
      };
      const speechConfig = {
        voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Kore' } },
        languageCode: 'it-IT',
      };
      expect(outcome(withConfig(family, { speechConfig, temperature: 0.7 }, extra))).toMatchObject({
        complete: true,
      });
    }
  });

  it.each<[string, Json]>([
    ['an unknown field at the top', setupFor('2.5', { frobnicate: 1 })],
    [
      'an unknown field deep inside',
      setupFor('2.5', { realtimeInputConfig: { automaticActivityDetection: { x: 1 } } }),
    ],
    ['responseModalities at the top', setupFor('2.5', { responseModalities: ['AUDIO'] })],
    ['transcription in generationConfig', withConfig('2.5', { inputAudioTranscription: {} })],
    ['two modalities', withConfig('2.5', { responseModalities: ['AUDIO', 'TEXT'] })],
    ['text as the modality', withConfig('2.5', { responseModalities: ['TEXT'] })],
    ['a wrong enum', setupFor('2.5', { realtimeInputConfig: { activityHandling: 'INTERRUPT' } })],
    [
      'compression without a sliding window',
      setupFor('2.5', { contextWindowCompression: { triggerTokens: '9000' } }),
    ],
    [
      'an int64 that is no number',
      setupFor('2.5', { contextWindowCompression: { slidingWindow: { targetTokens: 'x' } } }),
    ],
    [
      'a target above the trigger',
      setupFor('2.5', {
        contextWindowCompression: { triggerTokens: 9000, slidingWindow: { targetTokens: 9001 } },
      }),
    ],
    [
      'an unknown voice',
      withConfig('2.5', { speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: 'kore' } } } }),
    ],
    ['transparent resumption outside Vertex', setupFor('2.5', { sessionResumption: { transparent: true } })],
    [
      'a lower-case parameter type',
      setupFor('2.5', { tools: [{ functionDeclarations: [{ name: 'f', parameters: { type: 'object' } }] }] }),
    ],
    [
      'a JSON-schema keyword in parameters',
      setupFor('2.5', {
        tools: [
          {
            functionDeclarations: [
              { name: 'f', parameters: { type: 'OBJECT', additionalProperties: false } },
            ],
          },
        ],
      }),
    ],
    [
      'the same function twice',
      setupFor('2.5', { tools: [{ functionDeclarations: [{ name: 'f' }, { name: 'f' }] }] }),
    ],
    ['a field that Live does not support', withConfig('2.5', { responseMimeType: 'text/plain' })],
    ['an unknown handle form', setupFor('2.5', { sessionResumption: { handle: 5 } })],
  ])('with %s is closed with 1007', (_, message) => {
    const { line, complete, code } = outcome(message);
    expect({ complete, code }).toEqual({ complete: false, code: 1007 });
    expect(line.record.refusals[0]!.detail).toMatch(/^setup\b/);
  });

  it('names the unknown field, or does not, as the row says', () => {
    const message = setupFor('2.5', { frobnicate: 1 });
    expect(outcome(message).reason).toBe(
      `Invalid JSON payload received. Unknown name "frobnicate" at 'setup': Cannot find field.`,
    );
    expect(outcome(message, { behaviours: { unknownFieldText: 'invalid-argument' } }).reason).toBe(INVALID);
  });
});

describe('what a family does not take', () => {
  const NONBLOCKING = { tools: [{ functionDeclarations: [{ name: 'f', behavior: 'NON_BLOCKING' }] }] };
  const cases: [string, keyof typeof MODELS, Json, string][] = [
    [
      'thinkingLevel',
      '2.5',
      withConfig('2.5', { thinkingConfig: { thinkingLevel: 'LOW' } }),
      'Thinking level is not supported for this model.',
    ],
    ['enableAffectiveDialog on v1beta', '2.5', withConfig('2.5', { enableAffectiveDialog: true }), INVALID],
    ['thinkingBudget', '3.1', withConfig('3.1', { thinkingConfig: { thinkingBudget: 0 } }), INVALID],
    ['enableAffectiveDialog', '3.1', withConfig('3.1', { enableAffectiveDialog: true }), INVALID],
    ['proactivity', '3.1', setupFor('3.1', { proactivity: { proactiveAudio: true } }), INVALID],
    ['NON_BLOCKING', '3.1', setupFor('3.1', NONBLOCKING), INVALID],
    [
      'thinkingLevel',
      '3.8',
      withConfig('3.8', { thinkingConfig: { thinkingLevel: 'LOW' } }),
      'Thinking level is not supported for this model.',
    ],
    ['an empty thinkingConfig', '3.8', withConfig('3.8', { thinkingConfig: {} }), INVALID],
    ['proactivity on v1beta', '3.8', setupFor('3.8', { proactivity: { proactiveAudio: true } }), INVALID],
    [
      'no thinkingLevel',
      '3.8-extended-thinking',
      withConfig('3.8-extended-thinking', { thinkingConfig: {} }),
      INVALID,
    ],
    [
      'thinkingLevel MINIMAL',
      '3.8-extended-thinking',
      withConfig('3.8-extended-thinking', { thinkingConfig: { thinkingLevel: 'MINIMAL' } }),
      INVALID,
    ],
  ];

  it.each(cases)('%s on %s ends the connection at setup', (_, _family, message, reason) => {
    const found = outcome(message, { behaviours: { setupRefusalStage: 'setup' } });
    expect(found).toMatchObject({ complete: false, code: 1007, reason });
  });

  it.each(cases)('%s on %s ends it only at the first input', (_, _family, message, reason) => {
    const { line, complete } = outcome(message, { behaviours: { setupRefusalStage: 'first-input' } });
    expect(complete).toBe(true);
    line.wait(5000);
    expect(line.closed).toBeNull();
    line.silence(20);
    expect(line.closed).toMatchObject({ code: 1007, reason });
  });

  it.each(cases)('%s on %s is met with silence', (_, _family, message) => {
    const { line } = outcome(message, { behaviours: { setupRefusalStage: 'never-completes' } });
    line.wait(60_000);
    expect(line.received).toHaveLength(0);
    expect(line.closed).toBeNull();
    expect(line.record.refusals).toHaveLength(1);
  });

  it('by itself does not complete on 3.1, and on 3.8 fails at the first input', () => {
    expect(outcome(withConfig('3.1', { enableAffectiveDialog: true }))).toMatchObject({
      complete: false,
      code: undefined,
    });
    expect(outcome(withConfig('3.8', { enableAffectiveDialog: true }))).toMatchObject({
      complete: true,
      code: undefined,
    });
  });

  it('includes clientContent in mid call on 3.1, but not the initial history', () => {
    const turns = [{ role: 'user', parts: [{ text: 'hi' }] }];
    const plain = new Line(chat()).open('3.1').send({ clientContent: { turns, turnComplete: true } });
    expect(plain.closed).toMatchObject({ code: 1007 });
    const seeded = new Line(chat()).open('3.1', { historyConfig: { initialHistoryInClientContent: true } });
    seeded.send({ clientContent: { turns, turnComplete: true } }).wait(3000);
    expect(seeded.closed).toBeNull();
    expect(seeded.of('audio')).toHaveLength(0);
    seeded.send({ clientContent: { turns, turnComplete: true } });
    expect(seeded.closed).toMatchObject({ code: 1007 });
  });

  it('is taken on v1alpha where that is so', () => {
    const message = withConfig(
      '2.5',
      { enableAffectiveDialog: true },
      { proactivity: { proactiveAudio: true } },
    );
    expect(outcome(message, { apiVersion: 'v1alpha' })).toMatchObject({ complete: true });
  });
});

describe('input', () => {
  it.each<[string, Json]>([
    ['mediaChunks', { realtimeInput: { mediaChunks: [{ data: 'AAAA', mimeType: 'audio/pcm;rate=16000' }] } }],
    ['an unknown field', { realtimeInput: { sound: {} } }],
    ['two fields of the envelope', { realtimeInput: { text: 'a' }, toolResponse: { functionResponses: [] } }],
    ['an unknown field of the envelope', { helloThere: {} }],
    ['a contextUpdate outside Vertex', { contextUpdate: {} }],
    [
      'another mime type',
      { realtimeInput: { audio: { data: 'AAAA', mimeType: 'audio/x-mulaw;rate=8000' } } },
    ],
    [
      'a rate beyond the range',
      { realtimeInput: { audio: { data: 'AAA=', mimeType: 'audio/pcm;rate=96000' } } },
    ],
    ['half a sample', { realtimeInput: { audio: { data: 'AAAA', mimeType: 'audio/pcm;rate=16000' } } }],
    [
      'base64 without padding',
      { realtimeInput: { audio: { data: 'AAA', mimeType: 'audio/pcm;rate=16000' } } },
    ],
    [
      'the alphabet of URLs',
      { realtimeInput: { audio: { data: 'A-_AAA==', mimeType: 'audio/pcm;rate=16000' } } },
    ],
    [
      'base64 with a blank in it',
      { realtimeInput: { audio: { data: 'AA AAA==', mimeType: 'audio/pcm;rate=16000' } } },
    ],
    [
      'padding in the middle',
      { realtimeInput: { audio: { data: 'AA==AA==', mimeType: 'audio/pcm;rate=16000' } } },
    ],
    ['a system role', { clientContent: { turns: [{ role: 'system', parts: [{ text: 'x' }] }] } }],
    ['a tool response without an id', { toolResponse: { functionResponses: [{ name: 'f', response: {} }] } }],
    ['an unknown scheduling', { toolResponse: { functionResponses: [{ id: '1', scheduling: 'NOW' }] } }],
  ])('with %s is closed with 1007', (_, message) => {
    const line = new Line(chat()).open('2.5').send(message);
    expect(line.closed?.code).toBe(1007);
    expect(line.record.refusals).toHaveLength(1);
  });

  it.each(['no json', '[]', 'null', '"setup"', ''])(
    'that is %s is closed with 1007 and never throws',
    (raw) => {
      expect(new Line(chat()).open().sendRaw(raw).closed?.code).toBe(1007);
      expect(new Line(chat()).sendRaw(Buffer.from(raw)).closed?.code).toBe(1007);
    },
  );

  it('without a rate is taken for 16 kHz, with a warning', () => {
    const line = new Line(chat())
      .open()
      .send({ realtimeInput: { audio: { data: 'AAAAAA==', mimeType: 'audio/pcm' } } });
    expect(line.closed).toBeNull();
    expect(line.record.audio.length).toBe(2);
    expect(line.record.warnings[0]!.text).toContain('16000');
  });

  it('after the end is ignored', () => {
    const line = new Line(chat()).open().sendRaw('x');
    const closed = line.closed;
    line.silence(100).send({ realtimeInput: { text: 'hi' } });
    expect(line.closed).toBe(closed);
    expect(line.session.nextDueMs).toBeNull();
  });

  it.each<[string, Json, Json]>([
    ['activityStart under automatic detection', {}, { activityStart: {} }],
    ['activityEnd under automatic detection', {}, { activityEnd: {} }],
    [
      'audioStreamEnd under manual detection',
      { realtimeInputConfig: { automaticActivityDetection: { disabled: true } } },
      { audioStreamEnd: true },
    ],
  ])('%s is closed with 1007, or ignored and noted', (_, extra, realtimeInput) => {
    const strict = new Line(chat()).open('2.5', extra).send({ realtimeInput });
    expect(strict.closed?.code).toBe(1007);
    const mild = new Line(chat(), { behaviours: { activitySignalInWrongMode: 'ignored' } });
    mild.open('2.5', extra).send({ realtimeInput });
    expect(mild.closed).toBeNull();
    expect(mild.record.warnings).toHaveLength(1);
  });

  it('beyond the largest frame is closed with 1009', () => {
    const line = new Line(chat(), { behaviours: { maxClientFrameBytes: 65_536 } }).open();
    line.send({ realtimeInput: { text: 'x'.repeat(65_000) } });
    expect(line.closed).toBeNull();
    line.send({ realtimeInput: { text: 'x'.repeat(66_000) } });
    expect(line.closed?.code).toBe(1009);
  });
});
