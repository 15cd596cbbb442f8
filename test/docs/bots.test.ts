import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { type Bot, botSchema, liveSetupOf } from '../../src/bots/bot.ts';
import { KEY_PAUSE_MS } from '../../src/call/dtmf.ts';
import { GOODBYE_WAIT_MS, GREETING_WAIT_MS, HANG_UP_GRACE_MS } from '../../src/call/intent.ts';
import { FAMILIES, FAMILY_IDS, type FamilyId, familyOf } from '../../src/gemini/families.ts';
import { toLiveConnectConfig } from '../../src/gemini/live-config.ts';
import { PHONE_DEFAULTS } from '../../src/gemini/setup.ts';
import { validateSetup } from '../../src/gemini/validate-setup.ts';
import { VOICES } from '../../src/gemini/voices.ts';
import { codes, fenced, readDocument, section, tableHead, tableRows } from './markdown.ts';

const document = readDocument('docs/bots.md');
const LEVELS = ['minimal', 'low', 'medium', 'high'] as const;
/** A model of each family. */
const MODELS = new Map<FamilyId, string>(
  tableRows(section(document, 'models')).map(([model = '', family]) => [
    family as FamilyId,
    model.replaceAll('`', ''),
  ]),
);

interface JsonSchema {
  type?: string | string[];
  enum?: string[];
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  multipleOf?: number;
}

/** Every setting of the schema by its dotted name, in order. */
function settings(schema: JsonSchema, prefix = ''): [string, JsonSchema][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) =>
    inner.properties === undefined
      ? ([[prefix + key, inner]] as [string, JsonSchema][])
      : settings(inner, `${prefix + key}.`),
  );
}

function itemsInWords({ type, enum: names }: JsonSchema = {}): string {
  if (names !== undefined) return 'names';
  return type === 'object' ? 'targets' : 'texts';
}

function valuesInWords(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(valuesInWords).join(' or ');
  if (schema.type === 'null') return '`null`';
  if (Array.isArray(schema.type)) {
    return schema.type.map((type) => valuesInWords({ ...schema, type })).join(' or ');
  }
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.type === 'boolean') return '`true`, `false`';
  if (schema.type === 'array') return `list of ${itemsInWords(schema.items)}`;
  if (schema.type === 'string') return 'text';
  const { minimum, exclusiveMinimum, maximum, multipleOf } = schema;
  if (maximum === undefined || maximum === Number.MAX_SAFE_INTEGER) return `from ${minimum}`;
  const range =
    exclusiveMinimum === undefined ? `${minimum} to ${maximum}` : `above ${exclusiveMinimum}, to ${maximum}`;
  return multipleOf === undefined ? range : `${range} in steps of ${multipleOf}`;
}

const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);

const bot = (settings: object = {}): Bot => ({ ...botSchema.parse(settings), name: 'b', prompt: 'Talk.' });

describe('the table of fields', () => {
  const rows = tableRows(section(document, 'fields'));
  const schema = z.toJSONSchema(botSchema) as unknown as JsonSchema;

  test('has every setting of bot.yaml, in its order, and no other', () => {
    expect(rows.map(([name]) => name)).toEqual(settings(schema).map(([path]) => `\`${path}\``));
  });

  test('has the values that the schema takes', () => {
    expect(rows.map(([name, values]) => [name, values])).toEqual(
      settings(schema).map(([path, inner]) => [`\`${path}\``, valuesInWords(inner)]),
    );
  });

  test('has the defaults that an empty bot.yaml gets, and where it gets none, those of a telephone', () => {
    const empty = botSchema.parse({});
    for (const [name = '', , shown] of rows) {
      const path = name.replaceAll('`', '');
      const own = at(empty, path) ?? at({ listening: PHONE_DEFAULTS.vad }, path);
      const found = own ?? (at(empty, path) === null ? null : undefined);
      const text = typeof found === 'string' ? found : JSON.stringify(found);
      const every = new Map(settings(schema)).get(path)?.items?.enum;
      const isAll = every !== undefined && JSON.stringify(every) === JSON.stringify(found);
      expect([path, shown]).toEqual([path, found === undefined ? '–' : isAll ? 'all' : `\`${text}\``]);
    }
  });

  test('says what each of them means', () => {
    for (const [name, , , meaning] of rows) expect([name, meaning?.length]).not.toEqual([name, 0]);
  });

  test('names the signs and the steps of a stall', () => {
    const meaningOf = (path: string) => rows.find(([name]) => name === `\`${path}\``)?.[3] ?? '';
    expect(meaningOf('stall.signs')).toContain('(long-calls.md#when-the-model-stalls)');
    expect(meaningOf('stall.ignoredSteps')).toContain('(long-calls.md#when-silence-may-be-meant)');
  });
});

describe('the table of targets', () => {
  const rows = tableRows(section(document, 'targets'));
  const schema = z.toJSONSchema(botSchema, { io: 'input' }) as unknown as JsonSchema;
  const target = schema.properties?.['transfer']?.properties?.['targets']?.items;

  test('has what a target has, and says what must be given', () => {
    const wanted = Object.keys(target?.properties ?? {}).map((name) => [
      `\`${name}\``,
      target?.required?.includes(name) === true ? 'yes' : 'no',
    ]);
    expect(wanted.length).toBe(3);
    expect(rows.map(([name, needed]) => [name, needed])).toEqual(wanted);
  });

  test('its example can be used', () => {
    const example = fenced(document, 'yaml').find((block) => block.includes('targets:')) ?? '';
    const parsed = botSchema.parse(parseYaml(example));
    expect(parsed.transfer.targets.map(({ name }) => name)).toEqual(['reception', 'on-call']);
    expect(parsed.transfer.fallback).toBe('on-call');
  });
});

describe('the table of families', () => {
  const families = tableHead(section(document, 'families')).slice(1) as FamilyId[];
  const cell = (feature: string, family: FamilyId): string =>
    tableRows(section(document, 'families')).find(([name]) => name?.includes(`\`${feature}\``))?.[
      families.indexOf(family) + 1
    ] ?? '';

  const build = (family: FamilyId, settings: object, vertex = false) =>
    toLiveConnectConfig(liveSetupOf(bot(settings)), FAMILIES[family], { vertex });
  const thinkingOf = (family: FamilyId, settings: object): unknown =>
    build(family, settings).config.thinkingConfig;

  test('has every family', () => expect(families).toEqual([...FAMILY_IDS]));

  test.each(FAMILY_IDS)('%s: the language is sent, or asked for in the instruction', (family) => {
    const { config } = build(family, { language: 'it-IT' });
    const shown = { sent: 'it-IT', 'in the instruction': undefined }[cell('language', family)];
    expect(config.speechConfig?.languageCode).toBe(shown);
    expect(String(config.systemInstruction).includes('it-IT')).toBe(shown === undefined);
  });

  test.each(FAMILY_IDS)('%s: these levels of thinking are sent', (family) => {
    const sent = LEVELS.filter((level) => build(family, { thinking: { level } }).dropped.length === 0);
    const [listed = '', unset = ''] = cell('thinking.level', family).split(';');
    expect(codes(listed)).toEqual(sent);
    const level = (thinkingOf(family, {}) as { thinkingLevel?: string } | undefined)?.thinkingLevel;
    expect(codes(unset)).toEqual(level === undefined ? [] : [level.toLowerCase()]);
  });

  test('the one level that is an error rather than left out is the one that it names', () => {
    const refused = [...MODELS].flatMap(([family, model]) =>
      LEVELS.filter(
        (level) => validateSetup(liveSetupOf(bot({ model, thinking: { level } }))).length > 0,
      ).map((level) => `\`thinking.level: ${level}\` on\n${family} is an error`),
    );
    expect(refused.length).toBe(1);
    expect(document).toContain(refused[0]);
  });

  test.each(FAMILY_IDS)('%s: a budget for thinking is sent or left out', (family) => {
    const sent = build(family, { thinking: { budget: 512 } }).dropped.length === 0;
    expect(cell('thinking.budget', family)).toBe(sent ? 'sent' : 'left out');
  });

  test.each(FAMILY_IDS)('%s: temperature and media resolution are sent', (family) => {
    const { config } = build(family, { temperature: 0.5, mediaResolution: 'low' });
    expect([config.temperature, config.mediaResolution]).toEqual([0.5, 'MEDIA_RESOLUTION_LOW']);
    expect(cell('temperature', family)).toBe('sent');
  });

  test.each(FAMILY_IDS)('%s: affective dialog and proactive audio', (family) => {
    for (const feature of ['affectiveDialog', 'proactiveAudio']) {
      const isSent = (vertex: boolean) => {
        const { config } = build(family, { [feature]: true }, vertex);
        return config.enableAffectiveDialog === true || config.proactivity?.proactiveAudio === true;
      };
      const dropped = build(family, { [feature]: true }).dropped.includes(feature);
      const wanted = isSent(true) ? 'Vertex AI only' : dropped ? 'left out' : 'always on';
      expect([feature, cell(feature, family)]).toEqual([feature, wanted]);
      expect(isSent(false)).toBe(false);
    }
  });
});

test('each model in the table is known, and of the family that stands beside it', () => {
  const rows = tableRows(section(document, 'models'));
  expect(new Set(rows.map(([, family]) => family))).toEqual(new Set(FAMILY_IDS));
  for (const [name = '', family] of rows) {
    const match = familyOf(name.replaceAll('`', ''));
    expect([match.family.id, match.warning]).toEqual([family, null]);
  }
});

test('the voices are those that Gemini has', () => {
  expect(section(document, 'voices').trim().split(/,\s+/)).toEqual(VOICES);
});

test('the example is a bot that can be used', () => {
  const [example = ''] = fenced(document, 'yaml');
  const parsed = botSchema.parse(parseYaml(example));
  expect(parsed.numbers).toEqual(['+15550100009']);
  expect(validateSetup(liveSetupOf({ ...parsed, name: 'b', prompt: 'Talk.' }))).toEqual([]);
});

test('the times that it names are those of the code', () => {
  const text = document.replaceAll(/\s+/g, ' ');
  const seconds = (ms: number) => `${ms / 1000} s`;
  expect(text).toContain(`When no audio has come ${seconds(GREETING_WAIT_MS)} after the instruction`);
  expect(text).toContain(`after another ${seconds(GREETING_WAIT_MS)} the gateway plays`);
  expect(text).toContain(`played to its end, and ${seconds(HANG_UP_GRACE_MS)} more`);
  expect(text).toContain(`has ${seconds(GOODBYE_WAIT_MS)} to say goodbye`);
  expect(text).toContain(`until none has come for ${seconds(KEY_PAUSE_MS)}`);
});
