import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { durationMs, isSetupComplete, parseServerMessage } from '../../src/gemini/events.ts';

const audio = (data: string, mimeType = 'audio/pcm;rate=24000') => ({ inlineData: { mimeType, data } });

describe('parseServerMessage', () => {
  test('one message with everything in it comes out in the documented order', () => {
    const message = {
      goAway: { timeLeft: '50s' },
      usageMetadata: { promptTokenCount: 5, responseTokenCount: 3, totalTokenCount: 8 },
      voiceActivity: { voiceActivityType: 'ACTIVITY_START' },
      sessionResumptionUpdate: { newHandle: 'h', resumable: true },
      toolCallCancellation: { ids: ['f1'] },
      toolCall: { functionCalls: [{ id: 'f1', name: 'look', args: { a: 1 } }] },
      serverContent: {
        waitingForInput: true,
        turnComplete: true,
        generationComplete: true,
        outputTranscription: { text: ' out' },
        inputTranscription: { text: ' in' },
        modelTurn: { parts: [{ text: 'hm' }, audio('AQI=')] },
        interrupted: true,
      },
    };
    expect(parseServerMessage(message)).toEqual([
      { type: 'interrupted' },
      { type: 'model-text', text: 'hm' },
      { type: 'audio', bytes: Buffer.from([1, 2]), sampleRate: 24_000 },
      { type: 'input-transcript', text: ' in' },
      { type: 'output-transcript', text: ' out' },
      { type: 'tool-calls', calls: [{ id: 'f1', name: 'look', args: { a: 1 } }] },
      { type: 'tool-calls-cancelled', ids: ['f1'] },
      { type: 'generation-complete' },
      { type: 'turn-complete', reason: null },
      { type: 'waiting-for-input' },
      { type: 'resumption', handle: 'h', resumable: true, lastConsumedIndex: null },
      { type: 'usage', usage: { promptTokens: 5, responseTokens: 3, totalTokens: 8 } },
      { type: 'voice-activity', kind: 'start' },
      { type: 'go-away', timeLeftMs: 50_000 },
    ]);
  });

  test('audio is found in any part, thoughts are not spoken, other media are reported', () => {
    const parts = [
      { text: 'thinking', thought: true },
      audio('AA=='),
      { inlineData: { mimeType: 'image/png' } },
      audio('AQ=='),
    ];
    expect(parseServerMessage({ serverContent: { modelTurn: { parts } } })).toEqual([
      { type: 'audio', bytes: Buffer.from([0]), sampleRate: 24_000 },
      { type: 'audio', bytes: Buffer.from([1]), sampleRate: 24_000 },
      { type: 'unknown', field: 'inlineData image/png' },
    ]);
  });

  test.each([
    ['audio/pcm;rate=24000', 24_000],
    ['audio/pcm', 24_000],
    ['audio/pcm;rate=16000', 16_000],
    ['audio/pcm; channels=1; rate=48000', 48_000],
    ['audio/pcm;rate=loud', 24_000],
  ])('%s is heard at %i Hz', (mime, sampleRate) => {
    const [event] = parseServerMessage({ serverContent: { modelTurn: { parts: [audio('AAA=', mime)] } } });
    expect(event).toMatchObject({ type: 'audio', sampleRate });
  });

  test.each([
    ['50s', 50_000],
    ['17.250s', 17_250],
    ['0s', 0],
    ['0.500000000s', 500],
    ['-1s', null],
    ['50', null],
    ['s', null],
    ['1e3s', null],
    [50, null],
    [undefined, null],
  ])('the duration %j is %s ms', (text, wanted) => {
    expect(durationMs(text)).toBe(wanted);
  });

  test('int64 comes as a string or a number, Vertex has names of its own', () => {
    expect(
      parseServerMessage({
        sessionResumptionUpdate: {
          newHandle: '',
          resumable: false,
          lastConsumedClientMessageIndex: '123456789',
        },
        usageMetadata: { promptTokenCount: '7', candidatesTokenCount: 2, totalTokenCount: 'many' },
        voiceActivity: { type: 'ACTIVITY_END' },
      }),
    ).toEqual([
      { type: 'resumption', handle: null, resumable: false, lastConsumedIndex: 123_456_789 },
      { type: 'usage', usage: { promptTokens: 7, responseTokens: 2, totalTokens: 0 } },
      { type: 'voice-activity', kind: 'end' },
    ]);
    expect(parseServerMessage({ sessionResumptionUpdate: {} })).toEqual([
      { type: 'resumption', handle: null, resumable: false, lastConsumedIndex: null },
    ]);
  });

  test('why a turn ended, and whether another follows, is told', () => {
    expect(
      parseServerMessage({
        serverContent: {
          turnComplete: true,
          turnCompleteReason: 'RESPONSE_REJECTED',
          interactionStatus: 'IN_PROGRESS',
        },
      }),
    ).toEqual([{ type: 'turn-complete', reason: 'RESPONSE_REJECTED', moreTurnsFollow: true }]);
  });

  test('a false flag and an empty transcript are nothing', () => {
    const serverContent = {
      interrupted: false,
      turnComplete: false,
      outputTranscription: {},
      inputTranscription: { text: '' },
    };
    expect(parseServerMessage({ serverContent, setupComplete: {} })).toEqual([]);
  });

  test('tool calls without id or name are left out, and their number is bounded', () => {
    const functionCalls = [
      { name: 'no id' },
      { id: 'x' },
      7,
      null,
      ...Array.from({ length: 100 }, (_, i) => ({ id: `${i}`, name: 'n' })),
    ];
    const [event] = parseServerMessage({ toolCall: { functionCalls } });
    expect(event).toMatchObject({ type: 'tool-calls' });
    expect(event?.type === 'tool-calls' && event.calls).toHaveLength(32);
    expect(event?.type === 'tool-calls' && event.calls[0]).toEqual({ id: '0', name: 'n', args: {} });
  });

  test('a name, an id or a transcript that no model writes is not kept whole', () => {
    const long = 'n'.repeat(1_000_000);
    const call = (id: string, name: string) => ({ toolCall: { functionCalls: [{ id, name }] } });
    expect(parseServerMessage(call('i'.repeat(256), 'n'.repeat(128)))).toHaveLength(1);
    expect(parseServerMessage(call('i'.repeat(257), 'lookup'))).toEqual([]);
    expect(parseServerMessage(call('1', 'n'.repeat(129)))).toEqual([]);
    for (const field of ['inputTranscription', 'outputTranscription']) {
      const [event] = parseServerMessage({ serverContent: { [field]: { text: `Good ${long}` } } });
      expect(event).toMatchObject({ text: expect.stringMatching(/^Good n{7995}$/) });
    }
  });

  test('unknown fields are reported, at most eight of them, cut short', () => {
    const message = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${'x'.repeat(100)}${i}`, 1]));
    const events = parseServerMessage({ ...message, serverContent: { brandNew: 1 } });
    expect(events).toHaveLength(8);
    expect(events[0]).toEqual({ type: 'unknown', field: 'serverContent.brandNew' });
    expect(Math.max(...events.map((event) => (event.type === 'unknown' ? event.field.length : 0)))).toBe(64);
  });

  test('nothing makes it throw: known fields with any content, at any place', () => {
    const names = fc.constantFrom(
      ...(
        'serverContent modelTurn parts inlineData data mimeType text thought interrupted turnComplete toolCall ' +
        'functionCalls id name args toolCallCancellation ids sessionResumptionUpdate newHandle usageMetadata ' +
        'promptTokenCount goAway timeLeft voiceActivity inputTranscription setupComplete __proto__'
      ).split(' '),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6, withCrossShrink: true },
        fc.oneof(fc.boolean(), fc.double(), fc.string(), fc.constant(null), fc.constant('audio/pcm')),
        fc.dictionary(names, tie('tree'), { size: 'max', maxKeys: 6 }),
        fc.array(tie('tree'), { size: 'max', maxLength: 4 }),
      ),
    }));
    let meaningful = 0;
    fc.assert(
      fc.property(tree, (json) => {
        meaningful += parseServerMessage(json).length > 0 ? 1 : 0;
        isSetupComplete(json);
      }),
      { numRuns: 2_000 },
    );
    expect(meaningful).toBeGreaterThan(50);
  });

  test('the bytes of audio are those that were sent, of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ size: 'max', minLength: 1, maxLength: 20_000 }), (bytes) => {
        const data = btoa(String.fromCharCode(...bytes));
        const [event] = parseServerMessage({ serverContent: { modelTurn: { parts: [audio(data)] } } });
        return event?.type === 'audio' && Buffer.compare(event.bytes, bytes) === 0;
      }),
      { numRuns: 50 },
    );
  });
});
