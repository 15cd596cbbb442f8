/** The environment, checked: read once at start, every problem listed at once, before any port is opened. */
import {
  carrierProblems,
  configuredCarriers,
  type ReadText,
  readPrivateKeys,
  readText,
  settingsOfCarriers,
} from './carrier-settings.ts';
import { CARRIER_IDS } from './carriers/carrier.ts';
import type { CarrierSettings } from './carriers/registry.ts';
import { SETTINGS, type SettingName, type SettingValues } from './settings.ts';

export { describeSettings, type SettingDescription } from './settings.ts';

export interface GeminiConfig {
  /** Null in lab mode and with Vertex. */
  readonly apiKey: string | null;
  readonly baseUrl: string | null;
  readonly vertex: { readonly project: string; readonly location: string } | null;
}

export interface Config {
  /** `lab`: an emulator answers instead of Gemini. */
  readonly mode: 'lab' | 'serve';
  readonly gemini: GeminiConfig;
  readonly network: {
    readonly host: string;
    readonly port: number;
    readonly adminHost: string;
    readonly adminPort: number;
    /** `auto`: made once and kept in the data folder. Null: none is asked for, which only a loopback listener allows. */
    readonly adminToken: string | null;
    readonly adminHosts: readonly string[];
    /** An origin, or null: then it is the loopback address with the port that was opened. */
    readonly publicUrl: string | null;
  };
  /** Those that are configured. Empty: the gateway makes credentials for a simulated Twilio. */
  readonly carriers: CarrierSettings;
  readonly limits: {
    readonly maxCalls: number;
    /** To Gemini, of all calls together. */
    readonly connectsPerSecond: number;
    readonly connectsAtOnce: number;
    readonly drainSeconds: number;
    /** E.164 numbers, and prefixes that end in `*`. */
    readonly dialAllow: readonly string[];
    readonly dialPerHour: number;
    readonly toolAllowHosts: readonly string[];
  };
  readonly data: { readonly botsDir: string; readonly dataDir: string };
  readonly logLevel: string;
  /** Every configured secret by its value, for the log to blot out. */
  readonly secrets: readonly string[];
  /** What is allowed but probably not meant: sentences for the log. */
  readonly notes: readonly string[];
}

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * Pure but for a key that stands in a file: the same environment gives the same answer. A name that is set to nothing
 * counts as not set.
 */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
  read: ReadText = readText,
): ParsedConfig {
  const given = (name: SettingName): string => env[name]?.trim() ?? '';
  const isSet = (name: SettingName): boolean => given(name) !== '';
  const { values, problems } = readValues(given);

  const carriers = configuredCarriers(isSet);
  problems.push(...CARRIER_IDS.flatMap((id) => carrierProblems(id, isSet)));
  const vonage = readPrivateKeys(values.VONAGE_PRIVATE_KEY, read);
  problems.push(...vonage.problems);

  const publicUrl = isSet('PUBLIC_URL') ? originOf(values.PUBLIC_URL) : null;
  if (publicUrl !== null && 'problem' in publicUrl) problems.push(publicUrl.problem);
  const isPublic = publicUrl !== null && 'origin' in publicUrl && !publicUrl.loopback;

  const useVertex = values.GOOGLE_GENAI_USE_VERTEXAI;
  const missingOfVertex = useVertex ? missing(['GOOGLE_CLOUD_PROJECT', 'GOOGLE_CLOUD_LOCATION'], isSet) : [];
  if (missingOfVertex.length > 0) {
    problems.push(`GOOGLE_GENAI_USE_VERTEXAI is "true": wanted ${missingOfVertex.join(' and ')} too.`);
  }
  const hasModel = isSet('GEMINI_API_KEY') || useVertex;
  const mode = values.EMULATOR || !hasModel ? 'lab' : 'serve';
  if (!hasModel && !values.EMULATOR && carriers.length > 0 && isPublic) {
    problems.push(
      'GEMINI_API_KEY is not set, but carrier credentials and a public PUBLIC_URL are: ' +
        'wanted a key, or EMULATOR=1 to let the emulator answer real callers.',
    );
  }
  if (mode === 'serve' && carriers.length > 0 && !isSet('PUBLIC_URL')) {
    problems.push(
      `PUBLIC_URL is not set, but carrier credentials are: wanted ${SETTINGS.PUBLIC_URL.wanted}.`,
    );
  }
  if (isSet('TWILIO_REGION') && values.TWILIO_REGION !== 'us1' && !isSet('TWILIO_EDGE')) {
    problems.push(
      `TWILIO_REGION is "${values.TWILIO_REGION}" and TWILIO_EDGE is not set: wanted both, as Twilio's API has no address for a region alone.`,
    );
  }
  if (!isLoopbackHost(values.ADMIN_HOST) && !isSet('ADMIN_TOKEN')) {
    problems.push(
      `ADMIN_HOST is "${values.ADMIN_HOST}", which is not loopback, and ADMIN_TOKEN is not set: ` +
        `wanted ADMIN_TOKEN as ${SETTINGS.ADMIN_TOKEN.wanted}.`,
    );
  }
  if (problems.length > 0) return { ok: false, problems };

  return {
    ok: true,
    config: {
      mode,
      gemini: {
        apiKey: mode === 'serve' && !useVertex ? values.GEMINI_API_KEY : null,
        baseUrl: isSet('GOOGLE_GEMINI_BASE_URL') ? values.GOOGLE_GEMINI_BASE_URL : null,
        vertex:
          mode === 'serve' && useVertex
            ? { project: values.GOOGLE_CLOUD_PROJECT, location: values.GOOGLE_CLOUD_LOCATION }
            : null,
      },
      network: {
        host: values.HOST,
        port: values.PORT,
        adminHost: values.ADMIN_HOST,
        adminPort: values.ADMIN_PORT,
        adminToken: values.ADMIN_TOKEN === '' ? null : values.ADMIN_TOKEN,
        adminHosts: values.ADMIN_HOSTS.map((name) => name.toLowerCase()),
        publicUrl: publicUrl !== null && 'origin' in publicUrl ? publicUrl.origin : null,
      },
      carriers: settingsOfCarriers(values, carriers, vonage.keys),
      limits: {
        maxCalls: values.MAX_CALLS,
        connectsPerSecond: values.CONNECTS_PER_SECOND,
        connectsAtOnce: values.CONNECTS_AT_ONCE,
        drainSeconds: values.DRAIN_SECONDS,
        dialAllow: values.DIAL_ALLOW,
        dialPerHour: values.DIAL_PER_HOUR,
        toolAllowHosts: values.TOOL_ALLOW_HOSTS,
      },
      data: { botsDir: values.BOTS_DIR, dataDir: values.DATA_DIR },
      logLevel: values.LOG_LEVEL,
      secrets: [...secretsOf(given), ...vonage.keys],
      notes: notesOf(isSet, mode),
    },
  };
}

/** Where loopback is meant: 127.0.0.0/8, ::1, and the names that RFC 6761 reserves for it. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '');
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
  );
}

function readValues(given: (name: SettingName) => string): { values: SettingValues; problems: string[] } {
  const problems: string[] = [];
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const row = SETTINGS[name];
    const parsed = row.form.safeParse(given(name) || row.default);
    if (parsed.success) {
      values[name] = parsed.data;
      continue;
    }
    const found = row.secret ? 'has a value (kept secret here)' : `is "${given(name)}"`;
    problems.push(`${name} ${found}: wanted ${row.wanted}.`);
    // The other checks go on with the default, so that one pass shows every problem.
    values[name] = row.form.parse(row.default);
  }
  return { values: values as SettingValues, problems };
}

function missing(names: readonly SettingName[], isSet: (name: SettingName) => boolean): SettingName[] {
  return names.filter((name) => !isSet(name));
}

function originOf(value: string): { origin: string; loopback: boolean } | { problem: string } {
  const wanted = `wanted ${SETTINGS.PUBLIC_URL.wanted}`;
  if (!URL.canParse(value)) return { problem: `PUBLIC_URL is "${value}": ${wanted}.` };
  const url = new URL(value);
  if (url.username !== '' || url.password !== '') {
    return { problem: `PUBLIC_URL has a user name or password in it: ${wanted}.` };
  }
  if (url.pathname !== '/' || /[?#]/.test(value)) {
    return { problem: `PUBLIC_URL is "${value}": ${wanted}, without path or query.` };
  }
  const loopback = isLoopbackHost(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && loopback)) {
    return { origin: url.origin, loopback };
  }
  return { problem: `PUBLIC_URL is "${value}": wanted https, or http for a loopback host only.` };
}

function secretsOf(given: (name: SettingName) => string): string[] {
  const names = Object.keys(SETTINGS) as SettingName[];
  const found = names
    .filter((name) => SETTINGS[name].secret)
    .flatMap((name) => [
      given(name),
      ...given(name)
        .split(',')
        .map((part) => part.trim()),
    ]);
  return [...new Set(found)].filter((value) => value !== '' && value !== 'auto');
}

function notesOf(isSet: (name: SettingName) => boolean, mode: Config['mode']): string[] {
  const notes: string[] = [];
  for (const name of ['DATABASE_URL', 'VALKEY_URL'] as const) {
    if (isSet(name)) notes.push(`${name} is set, but nothing reads it yet`);
  }
  if (mode === 'lab' && isSet('GEMINI_API_KEY')) {
    notes.push('EMULATOR=1: the emulator answers, GEMINI_API_KEY is not used');
  }
  return notes;
}
