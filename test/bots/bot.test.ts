import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BOT_SCHEMA_PATH, botSchemaText } from '../../scripts/make-bot-schema.ts';
import { botSchema, HANG_UP_TOOL, liveSetupOf } from '../../src/bots/bot.ts';
import { validateSetup } from '../../src/gemini/validate-setup.ts';

const botOf = (settings: object) => ({ ...botSchema.parse(settings), name: 'b', prompt: 'Be brief.' });

test('an empty file is a bot: everything has a default, and the setup it makes is valid', () => {
  const bot = botOf({});
  expect(bot).toMatchObject({
    numbers: [],
    voice: null,
    greeting: { mode: 'at-once', waitSeconds: 5 },
    listening: { mode: 'auto' },
    bargeIn: { enabled: true, tracker: true },
    audio: { outputGainDb: 0, chunkMs: 20 },
    limits: { maxMinutes: 240, outageSeconds: 30 },
  });
  expect(validateSetup(liveSetupOf(bot))).toEqual([]);
});

test.each([
  ['a setting that does not exist', { modle: 'x' }],
  ['one inside a group', { greeting: { mod: 'none' } }],
  ['a number where a text is wanted', { numbers: [15_550_100] }],
  ['chunks that are no whole frames', { audio: { chunkMs: 30 } }],
  ['a gain that would hurt', { audio: { outputGainDb: 40 } }],
  ['a call without an end', { limits: { maxMinutes: 0 } }],
  ['a greeting without words', { greeting: { instruction: '' } }],
])('%s is refused', (_what, settings) => {
  expect(botSchema.safeParse(settings).success).toBe(false);
});

test('the setup says what the bot says, and leaves out what it does not', () => {
  const plain = liveSetupOf(botOf({}));
  expect(Object.keys(plain)).not.toContain('temperature');
  expect(Object.keys(plain)).not.toContain('thinking');
  expect(plain.vad).toEqual({ mode: 'auto', interruptions: true });
  expect(plain.tools?.map(({ name }) => name)).toEqual([HANG_UP_TOOL]);
  const full = liveSetupOf(
    botOf({
      voice: 'Kore',
      language: 'de-DE',
      bargeIn: { enabled: false },
      listening: {
        startSensitivity: 'low',
        endSensitivity: 'high',
        prefixPaddingMs: 100,
        silenceDurationMs: 700,
      },
      thinking: { level: 'low', budget: 0 },
      temperature: 0,
      mediaResolution: 'low',
    }),
  );
  expect(full).toMatchObject({
    systemInstruction: 'Be brief.',
    voice: 'Kore',
    language: 'de-DE',
    vad: {
      mode: 'auto',
      interruptions: false,
      startSensitivity: 'low',
      endSensitivity: 'high',
      prefixPaddingMs: 100,
      silenceDurationMs: 700,
    },
    thinking: { level: 'low', budget: 0 },
    temperature: 0,
    mediaResolution: 'low',
  });
});

test('each connection gets a setup of its own', () => {
  const bot = botOf({});
  expect(liveSetupOf(bot)).not.toBe(liveSetupOf(bot));
});

test('the JSON schema that editors use is current: scripts/make-bot-schema.ts makes it', () => {
  expect(readFileSync(BOT_SCHEMA_PATH, 'utf8')).toBe(botSchemaText());
});

test('the JSON schema names every setting and its meaning, and asks for none of them', () => {
  const schema = JSON.parse(readFileSync(BOT_SCHEMA_PATH, 'utf8'));
  expect(schema.additionalProperties).toBe(false);
  expect(schema.required ?? []).toEqual([]);
  expect(Object.keys(schema.properties).sort()).toEqual(Object.keys(botSchema.shape).sort());
  expect(schema.properties.greeting.properties.mode.enum).toEqual(['at-once', 'after-caller', 'none']);
  expect(schema.properties.greeting.required ?? []).toEqual([]);
});
