/** Finds what the server would refuse, before a caller has to wait for a 1007. */
import { messageOf } from '../errors.ts';
import { type Family, familyOf } from './families.ts';
import { completeSetup, type LiveSetup, type ToolDeclaration } from './setup.ts';
import { VOICES } from './voices.ts';

const TOOL_NAME = /^[A-Za-z_][\w.:-]{0,127}$/;
const LANGUAGE = /^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/;
const MAX_SCHEMA_DEPTH = 16;

/** Google's list of the JSON Schema keywords it understands (SDK, at `responseJsonSchema`); any other is a 1007. */
const SCHEMA_KEYWORDS: ReadonlySet<string> = new Set(
  (
    '$id $defs $ref $anchor type format title description enum items prefixItems minItems maxItems minimum maximum ' +
    'anyOf oneOf properties additionalProperties required propertyOrdering nullable minLength maxLength pattern ' +
    'minProperties maxProperties default example'
  ).split(' '),
);

/** Every problem at once, each as "attempted: found, wanted"; an empty list for a setup that can be sent. */
export function validateSetup(setup: LiveSetup): string[] {
  const problems: string[] = [];
  let family: Family | null = null;
  try {
    family = familyOf(setup.model).family;
  } catch (error) {
    problems.push(messageOf(error));
  }
  const full = completeSetup(setup);
  const check = (ok: boolean, what: string, found: unknown, wanted: string) => {
    if (!ok) problems.push(`Reading ${what}: found "${String(found)}", wanted ${wanted}`);
  };
  if (full.voice !== null && !VOICES.includes(full.voice)) {
    const meant = VOICES.find((voice) => voice.toLowerCase() === full.voice?.toLowerCase());
    check(false, 'the voice', full.voice, meant ? `"${meant}" (case counts)` : `one of ${VOICES.join(', ')}`);
  }
  const { language, temperature, thinking, compression, resumption, vad } = full;
  if (language !== null)
    check(LANGUAGE.test(language), 'the language', language, 'a BCP 47 tag such as "it-IT"');
  if (temperature !== null)
    check(within(temperature, 0, 2), 'the temperature', temperature, 'a number from 0 to 2');
  check(
    whole(vad.prefixPaddingMs, 0, 2_000),
    'vad.prefixPaddingMs',
    vad.prefixPaddingMs,
    'whole milliseconds, 0 to 2000',
  );
  check(
    whole(vad.silenceDurationMs, 0, 10_000),
    'vad.silenceDurationMs',
    vad.silenceDurationMs,
    'whole milliseconds, 0 to 10000',
  );
  if (compression !== null) {
    const { triggerTokens, targetTokens } = compression;
    check(
      whole(triggerTokens, 5_000, 128_000),
      'compression.triggerTokens',
      triggerTokens,
      'a whole number from 5000 to 128000',
    );
    check(
      whole(targetTokens, 0, triggerTokens - 1),
      'compression.targetTokens',
      targetTokens,
      'a whole number below triggerTokens',
    );
  }
  if (resumption !== null)
    check(resumption.handle !== '', 'resumption.handle', '', 'a handle, or null to begin anew');
  if (thinking?.budget !== undefined) {
    check(
      whole(thinking.budget, -1, 65_536),
      'thinking.budget',
      thinking.budget,
      '-1, or a number of tokens',
    );
  }
  if (family !== null && thinking?.level !== undefined && family.thinkingLevels.length > 0) {
    const levels = family.thinkingLevels;
    check(levels.includes(thinking.level), 'thinking.level', thinking.level, `one of ${levels.join(', ')}`);
  }
  problems.push(...toolProblems(full.tools));
  return problems;
}

function toolProblems(tools: readonly ToolDeclaration[]): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const { name, parameters } of tools) {
    if (!TOOL_NAME.test(name)) {
      problems.push(
        `Reading the tools: found the name "${name}", wanted a letter or "_", then letters, digits, "_", ".", ":" or "-"`,
      );
    }
    if (seen.has(name)) problems.push(`Reading the tools: found "${name}" twice, wanted each name once`);
    seen.add(name);
    if (parameters === null) continue;
    if (parameters['type'] !== 'object') {
      problems.push(
        `Reading the parameters of tool "${name}": found type "${String(parameters['type'])}", wanted "object"`,
      );
    }
    for (const keyword of strangeKeywords(parameters, MAX_SCHEMA_DEPTH)) {
      problems.push(
        `Reading the parameters of tool "${name}": found the keyword "${keyword}", wanted only JSON Schema that Gemini takes`,
      );
    }
  }
  return problems;
}

function strangeKeywords(schema: unknown, depth: number): Set<string> {
  const strange = new Set<string>();
  if (typeof schema !== 'object' || schema === null) return strange;
  if (depth === 0) return strange.add(`nested deeper than ${MAX_SCHEMA_DEPTH}`);
  const merge = (nested: unknown) => {
    for (const keyword of strangeKeywords(nested, depth - 1)) strange.add(keyword);
  };
  for (const [keyword, value] of Object.entries(schema)) {
    if (!SCHEMA_KEYWORDS.has(keyword)) strange.add(keyword);
    else if (keyword === 'properties' || keyword === '$defs') Object.values(Object(value)).forEach(merge);
    else if (keyword === 'anyOf' || keyword === 'oneOf' || keyword === 'prefixItems') {
      if (Array.isArray(value)) value.forEach(merge);
    } else if (keyword === 'items' || keyword === 'additionalProperties') merge(value);
  }
  return strange;
}

function within(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}

function whole(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && within(value, low, high);
}
