/** The first frame of a connection as the SDK would write it, from the real setup builder. */
import type { Family } from '../../gemini/families.ts';
import { type LiveConfig, toLiveConnectConfig } from '../../gemini/live-config.ts';
import type { LiveSetup } from '../../gemini/setup.ts';

/** Fields that the SDK puts into `generationConfig`; all others keep their place. */
const GENERATION_FIELDS = new Set([
  'responseModalities',
  'speechConfig',
  'thinkingConfig',
  'temperature',
  'mediaResolution',
]);

export interface WireSetup extends Pick<LiveConfig, 'firstContent' | 'resumes' | 'dropped'> {
  readonly frame: string;
}

export function wireSetup(setup: LiveSetup, family: Family): WireSetup {
  const { config, extraSetup, ...plan } = toLiveConnectConfig(setup, family);
  const generationConfig: Record<string, unknown> = {};
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(config)) {
    if (GENERATION_FIELDS.has(name)) generationConfig[name] = value;
    else if (name === 'systemInstruction') fields[name] = { parts: [{ text: value }], role: 'user' };
    else fields[name] = value;
  }
  const message = { model: `models/${setup.model}`, generationConfig, ...fields, ...extraSetup };
  return { frame: JSON.stringify({ setup: message }), ...plan };
}
