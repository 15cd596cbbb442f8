import { GoogleGenAI } from '@google/genai';
import { expect, test } from 'vitest';
import { FAMILIES, FAMILY_IDS } from '../../src/gemini/families.ts';
import { toLiveConnectConfig } from '../../src/gemini/live-config.ts';
import { hookWorks, withSocketFactory } from '../../src/gemini/sdk-hook.ts';
import type { LiveSetup } from '../../src/gemini/setup.ts';

const SETUP: LiveSetup = {
  model: 'gemini-live-2.5-flash-native-audio',
  systemInstruction: 'x',
  voice: 'Puck',
  language: 'en-US',
  resumption: { handle: 'h' },
  affectiveDialog: true,
  proactiveAudio: true,
  tools: [{ name: 't', description: 'd', parameters: { type: 'object', properties: {} } }],
};

test('on Vertex a resumption is transparent, and 2.5 takes affective dialog and proactive audio', () => {
  const { config, dropped } = toLiveConnectConfig(SETUP, FAMILIES['2.5'], { vertex: true });
  expect(config.sessionResumption).toEqual({ handle: 'h', transparent: true });
  expect(config.enableAffectiveDialog).toBe(true);
  expect(config.proactivity).toEqual({ proactiveAudio: true });
  expect(dropped).toHaveLength(1);
});

test('no object is shared between two configs, nor with the setup', () => {
  const objectsIn = (value: unknown): object[] =>
    typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(objectsIn)] : [];
  for (const id of FAMILY_IDS) {
    const made = [1, 2].map(() => objectsIn(toLiveConnectConfig(SETUP, FAMILIES[id]).config));
    const all = [...made[0]!, ...made[1]!, ...objectsIn(SETUP)];
    expect(new Set(all).size).toBe(all.length);
  }
});

test('the installed SDK asks our factory for its socket', () => {
  expect(hookWorks()).toBe(true);
});

test('the hook leaves the SDK as it was', () => {
  const { live } = new GoogleGenAI({ vertexai: false, apiKey: 'x' });
  const before = (live as unknown as { webSocketFactory: unknown }).webSocketFactory;
  const hooked = withSocketFactory(live, () => {
    throw new Error('not asked');
  });
  expect((live as unknown as { webSocketFactory: unknown }).webSocketFactory).toBe(before);
  expect((hooked as unknown as { webSocketFactory: unknown }).webSocketFactory).not.toBe(before);
});
