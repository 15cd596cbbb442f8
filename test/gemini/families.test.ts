import { describe, expect, test } from 'vitest';
import { DEFAULT_MODEL, familyOf } from '../../src/gemini/families.ts';

describe('familyOf', () => {
  test.each([
    [DEFAULT_MODEL, '3.8'],
    ['gemini-3.8-live-extended-thinking', '3.8-extended-thinking'],
    ['gemini-3.1-flash-live-preview', '3.1'],
    ['gemini-2.5-flash-native-audio-preview-12-2025', '2.5'],
    ['gemini-live-2.5-flash-native-audio', '2.5'],
    ['models/gemini-3.8-live', '3.8'],
    ['publishers/google/models/gemini-live-2.5-flash-native-audio', '2.5'],
  ])('%s is known as %s', (model, id) => {
    expect(familyOf(model)).toMatchObject({ family: { id }, warning: null });
  });

  test.each([
    ['gemini-2.0-flash-live-001', '2.5'],
    ['gemini-live-2.5-flash-preview', '2.5'],
    ['gemini-3.5-flash-live', '3.1'],
    ['gemini-3.10-live', '3.8'],
    ['gemini-4-live', '3.8'],
    ['gemini-4.2-live-extended-thinking-preview', '3.8-extended-thinking'],
  ])('%s is not known, treated like %s, and warned of', (model, id) => {
    const { family, warning } = familyOf(model);
    expect(family.id).toBe(id);
    expect(warning).toContain(model);
  });

  test.each([
    'gemini-3.8-pro',
    'gemini-2.5-flash',
    'gemini-3.5-live-translate-preview',
    'gemini-3.5-transcribe-live',
    'gpt-realtime',
    'live',
    'alive-3.8',
    '',
    'models/',
  ])('"%s" cannot be a Live model that talks', (model) => {
    expect(() => familyOf(model)).toThrow(`found "${model}", wanted a Gemini Live model`);
  });
});
