import { describe, expect, test } from 'vitest';
import type { LiveSetup } from '../../src/gemini/setup.ts';
import { validateSetup } from '../../src/gemini/validate-setup.ts';
import { VOICES } from '../../src/gemini/voices.ts';

const GOOD: LiveSetup = { model: 'gemini-3.8-live', systemInstruction: '', voice: null, language: null };
const tool = (name: string, parameters: Record<string, unknown> | null = null) => ({
  name,
  description: '',
  parameters,
});

describe('validateSetup', () => {
  test('finds nothing wrong with the defaults, every voice and a common schema', () => {
    expect(VOICES).toHaveLength(30);
    for (const voice of VOICES)
      expect(validateSetup({ ...GOOD, voice, language: 'cmn-Hans-CN' })).toEqual([]);
    const properties = {
      // A property may be called like a keyword that is not taken.
      uniqueItems: { type: 'array', items: { type: 'string', enum: ['a'] } },
      either: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    };
    expect(validateSetup({ ...GOOD, tools: [tool('a.b-c:d', { type: 'object', properties })] })).toEqual([]);
  });

  const wrong: [string, Partial<LiveSetup>, string][] = [
    ['a model', { model: 'gemini-3.8-pro' }, 'found "gemini-3.8-pro"'],
    ['a voice in another case', { voice: 'kore' }, 'wanted "Kore"'],
    ['a voice', { voice: 'Bob' }, 'found "Bob"'],
    ['a language', { language: 'Italian, please' }, 'found "Italian, please"'],
    ['a temperature', { temperature: 3 }, 'found "3"'],
    ['no temperature at all', { temperature: Number.NaN }, 'found "NaN"'],
    ['a prefix', { vad: { mode: 'auto', interruptions: true, prefixPaddingMs: -1 } }, 'vad.prefixPaddingMs'],
    [
      'a silence',
      { vad: { mode: 'auto', interruptions: true, silenceDurationMs: 0.5 } },
      'vad.silenceDurationMs',
    ],
    ['a trigger', { compression: { triggerTokens: 100, targetTokens: 50 } }, 'triggerTokens'],
    ['a target', { compression: { triggerTokens: 9_000, targetTokens: 9_000 } }, 'targetTokens'],
    ['an empty handle', { resumption: { handle: '' } }, 'resumption.handle'],
    ['a budget', { thinking: { budget: -2 } }, 'thinking.budget'],
    [
      'a level',
      { model: 'gemini-3.8-live-extended-thinking', thinking: { level: 'minimal' } },
      'wanted one of low, medium, high',
    ],
    ['a tool name', { tools: [tool('get order')] }, 'found the name "get order"'],
    ['a tool twice', { tools: [tool('a'), tool('a')] }, 'found "a" twice'],
    ['parameters of another type', { tools: [tool('a', { type: 'string' })] }, 'wanted "object"'],
    [
      'a keyword deep down',
      { tools: [tool('a', { type: 'object', properties: { x: { items: { uniqueItems: true } } } })] },
      'found the keyword "uniqueItems"',
    ],
  ];
  test.each(wrong)('names %s that is wrong, and that alone', (_, change, problem) => {
    const problems = validateSetup({ ...GOOD, ...change });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  test('lists every problem at once', () => {
    expect(validateSetup({ ...GOOD, model: 'x', voice: 'Bob', temperature: 9 })).toHaveLength(3);
  });

  test('a schema that contains itself is a problem, not an endless walk', () => {
    const schema: Record<string, unknown> = { type: 'object' };
    schema['properties'] = { again: schema };
    expect(validateSetup({ ...GOOD, tools: [tool('a', schema)] })).toHaveLength(1);
  });
});
