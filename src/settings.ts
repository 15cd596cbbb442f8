/**
 * Every environment variable that Offhook reads: one row each with its default, its meaning and its form. The README's
 * table is this one. What the values mean together is decided in config.ts.
 */
import { z } from 'zod';

export interface Setting<T> {
  readonly group: SettingGroup;
  /** As one would write it into the environment; empty where there is none. */
  readonly default: string;
  readonly meaning: string;
  /** Continues the sentence "wanted …". */
  readonly wanted: string;
  /** A secret's value is never repeated in a message. */
  readonly secret: boolean;
  readonly form: z.ZodType<T, string>;
}

export type SettingGroup = 'Gemini' | 'Network' | 'Carriers' | 'Limits' | 'Data';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const MIN_ADMIN_TOKEN_CHARACTERS = 32;
const ADMIN_TOKEN_FORM = new RegExp(`^(|auto|[!-~]{${MIN_ADMIN_TOKEN_CHARACTERS},256})$`);

const text = z.string();
/** Nothing at all, or at least one item: a lone comma would read as configured and hold nothing. */
const list = z
  .string()
  .regex(/^$|[^,\s]/)
  .transform((value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );
const flag = z.enum(['1', 'true', '0', 'false', '']).transform((value) => value === '1' || value === 'true');
const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .refine((value) => value >= least && value <= most);
const host = z.string().regex(/^[A-Za-z0-9.:_-]{1,253}$/);
const label = z.string().regex(/^$|^[a-z0-9-]{1,32}$/);
const httpUrl = z.string().refine((value) => value === '' || isHttpUrl(value));
const hostPort = z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/);
const phoneAudio = z.enum(['pcmu', 'l16@8000', 'l16@16000', 'l16@24000']);
const wideAudio = z.enum(['l16@8000', 'l16@16000', 'l16@24000']);
const verifyStream = z.enum(['required', 'when-present']);
/** Base64 of 32 bytes: an Ed25519 key. */
const publicKey = z.string().regex(/^[A-Za-z0-9+/]{43}=$/);
const dialEndpoint = z.string().regex(/^$|^[!-~]*\{number\}[!-~]*$/);
const dialExtension = z.string().regex(/^$|^[\w*#+.-]{1,64}@[\w.-]{1,64}$/);
const e164Prefix = z.string().regex(/^\+\d{1,15}\*?$/);

type Row<T> = Omit<Setting<T>, 'group' | 'secret' | 'wanted' | 'default'> & {
  readonly default?: string;
  readonly wanted?: string;
};

function rowsOf(group: SettingGroup) {
  const of =
    (secret: boolean) =>
    <T>(row: Row<T>): Setting<T> => ({ default: '', wanted: 'text', ...row, group, secret });
  return { open: of(false), secret: of(true) };
}

const gemini = rowsOf('Gemini');
const network = rowsOf('Network');
const carrier = rowsOf('Carriers');
const limit = rowsOf('Limits');
const data = rowsOf('Data');

export const SETTINGS = {
  GEMINI_API_KEY: gemini.secret({ form: text, meaning: 'Key for the Gemini API' }),
  GOOGLE_GEMINI_BASE_URL: gemini.open({
    form: httpUrl,
    wanted: 'an http or https address',
    meaning: 'Another endpoint than Google’s: a proxy, or an emulator',
  }),
  GOOGLE_GENAI_USE_VERTEXAI: gemini.open({
    form: flag,
    default: 'false',
    wanted: 'true or false',
    meaning: 'Talk to Gemini through Vertex AI; no key is needed then',
  }),
  GOOGLE_CLOUD_PROJECT: gemini.open({ form: text, meaning: 'The project, for Vertex AI' }),
  GOOGLE_CLOUD_LOCATION: gemini.open({ form: text, meaning: 'The region, for Vertex AI' }),
  EMULATOR: gemini.open({
    form: flag,
    default: '0',
    wanted: '1 or 0',
    meaning: 'Answer every call with the built-in emulator instead of Gemini, even calls of a real carrier',
  }),

  HOST: network.open({
    form: host,
    default: '0.0.0.0',
    wanted: 'an address or host name',
    meaning: 'Address of the public listener',
  }),
  PORT: network.open({
    form: whole(0, 65_535),
    default: '8080',
    wanted: 'a port from 0 to 65535',
    meaning: 'Port of the public listener; 0 takes any free one',
  }),
  ADMIN_HOST: network.open({
    form: host,
    default: '127.0.0.1',
    wanted: 'an address or host name',
    meaning: 'Address of the admin listener',
  }),
  ADMIN_PORT: network.open({
    form: whole(0, 65_535),
    default: '8081',
    wanted: 'a port from 0 to 65535',
    meaning: 'Port of the admin listener; 0 takes any free one',
  }),
  ADMIN_TOKEN: network.secret({
    form: z.string().regex(ADMIN_TOKEN_FORM),
    wanted: `at least ${MIN_ADMIN_TOKEN_CHARACTERS} characters without spaces, or auto`,
    meaning:
      'Bearer token of the admin listener; required when ADMIN_HOST is not loopback. `auto` makes one at the first start and keeps it in DATA_DIR/admin-token',
  }),
  ADMIN_HOSTS: network.open({
    form: list.pipe(z.array(host)),
    wanted: 'host names without port, separated by commas',
    meaning: 'Names under which the admin listener may be asked for, besides the loopback ones',
  }),
  PUBLIC_URL: network.open({
    form: text,
    wanted: 'an origin such as https://voice.example.com',
    meaning:
      'Origin that carriers see: https, or http for a loopback host. Signatures are checked against it. Unset: the loopback address and PORT',
  }),

  TWILIO_ACCOUNT_SID: carrier.open({
    form: z.string().regex(/^$|^AC[0-9a-fA-F]{32}$/),
    wanted: 'AC and 32 hex digits',
    meaning: 'Twilio: account',
  }),
  TWILIO_AUTH_TOKEN: carrier.secret({
    form: list,
    meaning: 'Twilio: auth token; several separated by commas while rotating, newest first',
  }),
  TWILIO_VERIFY_STREAM: carrier.open({
    form: verifyStream,
    default: 'required',
    wanted: 'required or when-present',
    meaning: 'Twilio: whether a stream without a handshake signature is refused',
  }),
  TWILIO_REGION: carrier.open({
    form: label,
    wanted: 'a region such as ie1',
    meaning: 'Twilio: region of the API',
  }),
  TWILIO_EDGE: carrier.open({
    form: label,
    wanted: 'an edge such as dublin',
    meaning: 'Twilio: edge of the API',
  }),
  TELNYX_API_KEY: carrier.secret({ form: list, meaning: 'Telnyx: API key' }),
  TELNYX_PUBLIC_KEY: carrier.open({
    form: list.pipe(z.array(publicKey)),
    wanted: 'base64 of 32 bytes, as the portal shows it',
    meaning: 'Telnyx: public key of webhook signatures',
  }),
  TELNYX_CONNECTION_ID: carrier.open({
    form: text,
    meaning: 'Telnyx: Call Control application that places calls; unset: none are placed',
  }),
  TELNYX_AUDIO: carrier.open({
    form: z.enum(['pcmu', 'pcma', 'l16@8000', 'l16@16000', 'l16@24000']),
    default: 'pcmu',
    wanted: 'pcmu, pcma, l16@8000, l16@16000 or l16@24000',
    meaning: 'Telnyx: what the stream carries',
  }),
  TELNYX_L16_ORDER: carrier.open({
    form: z.enum(['little', 'big']),
    default: 'little',
    wanted: 'little or big',
    meaning: 'Telnyx: byte order of l16, which it does not document',
  }),
  PLIVO_AUTH_ID: carrier.open({ form: text, meaning: 'Plivo: account' }),
  PLIVO_AUTH_TOKEN: carrier.secret({ form: list, meaning: 'Plivo: auth token' }),
  PLIVO_AUDIO: carrier.open({
    form: phoneAudio,
    default: 'pcmu',
    wanted: 'pcmu, l16@8000, l16@16000 or l16@24000',
    meaning: 'Plivo: what the stream carries',
  }),
  PLIVO_VERIFY_STREAM: carrier.open({
    form: verifyStream,
    default: 'required',
    wanted: 'required or when-present',
    meaning: 'Plivo: whether a stream without a handshake signature is refused',
  }),
  VONAGE_APPLICATION_ID: carrier.open({ form: text, meaning: 'Vonage: application' }),
  VONAGE_PRIVATE_KEY: carrier.secret({ form: list, meaning: 'Vonage: private key, PEM text or a path' }),
  VONAGE_SIGNATURE_SECRET: carrier.secret({ form: list, meaning: 'Vonage: secret of signed webhooks' }),
  VONAGE_AUDIO: carrier.open({
    form: wideAudio,
    default: 'l16@16000',
    wanted: 'l16@8000, l16@16000 or l16@24000',
    meaning: 'Vonage: what the stream carries',
  }),
  VONAGE_VERIFY_STREAM: carrier.open({
    form: verifyStream,
    default: 'required',
    wanted: 'required or when-present',
    meaning: 'Vonage: whether a stream without a token of Vonage’s is refused',
  }),
  SIGNALWIRE_SPACE: carrier.open({ form: text, meaning: 'SignalWire: space' }),
  SIGNALWIRE_PROJECT_ID: carrier.open({ form: text, meaning: 'SignalWire: project' }),
  SIGNALWIRE_API_TOKEN: carrier.secret({ form: list, meaning: 'SignalWire: API token' }),
  SIGNALWIRE_SIGNING_KEY: carrier.secret({ form: list, meaning: 'SignalWire: signing key' }),
  SIGNALWIRE_AUDIO: carrier.open({
    form: z.enum(['pcmu', 'l16@16000', 'l16@24000']),
    default: 'pcmu',
    wanted: 'pcmu, l16@16000 or l16@24000',
    meaning: 'SignalWire: what the stream carries',
  }),
  JAMBONZ_API_URL: carrier.open({
    form: httpUrl,
    wanted: 'an http or https address',
    meaning: 'jambonz: address of the API',
  }),
  JAMBONZ_ACCOUNT_SID: carrier.open({ form: text, meaning: 'jambonz: account' }),
  JAMBONZ_API_KEY: carrier.secret({ form: list, meaning: 'jambonz: API key' }),
  JAMBONZ_WEBHOOK_SECRET: carrier.secret({ form: list, meaning: 'jambonz: secret of signed webhooks' }),
  JAMBONZ_APPLICATION_SID: carrier.open({
    form: text,
    meaning: 'jambonz: application that places calls; unset: none are placed',
  }),
  JAMBONZ_AUDIO: carrier.open({
    form: wideAudio,
    default: 'l16@8000',
    wanted: 'l16@8000, l16@16000 or l16@24000',
    meaning: 'jambonz: what the stream carries; best the rate of the calls themselves',
  }),
  ASTERISK_USERNAME: carrier.open({ form: text, meaning: 'Asterisk: user name that it connects with' }),
  ASTERISK_PASSWORD: carrier.secret({ form: list, meaning: 'Asterisk: password that it connects with' }),
  ASTERISK_ARI_URL: carrier.open({
    form: httpUrl,
    wanted: 'an http or https address',
    meaning: 'Asterisk: address of its REST interface (optional)',
  }),
  ASTERISK_ARI_USERNAME: carrier.open({ form: text, meaning: 'Asterisk: user of its REST interface' }),
  ASTERISK_ARI_PASSWORD: carrier.secret({ form: list, meaning: 'Asterisk: password of its REST interface' }),
  ASTERISK_ARI_STASIS: carrier.open({
    form: flag,
    default: '0',
    wanted: '1 or 0',
    meaning: 'Asterisk: whether an ARI application of yours holds the callers’ channels',
  }),
  ASTERISK_DIAL_ENDPOINT: carrier.open({
    form: dialEndpoint,
    wanted: 'an endpoint such as PJSIP/{number}@trunk',
    meaning: 'Asterisk: how numbers are called; unset: no calls are placed',
  }),
  ASTERISK_DIAL_EXTENSION: carrier.open({
    form: dialExtension,
    wanted: 'an extension such as 600@outbound',
    meaning: 'Asterisk: extension and context that an answered call is connected with',
  }),

  MAX_CALLS: limit.open({
    form: whole(1, 10_000),
    default: '100',
    wanted: 'a number from 1 to 10000',
    meaning: 'Calls at the same time; further callers hear a spoken refusal',
  }),
  CONNECTS_PER_SECOND: limit.open({
    form: whole(1, 1_000),
    default: '15',
    wanted: 'a number from 1 to 1000',
    meaning: 'Connections to Gemini that are begun a second, of all calls together; the others wait',
  }),
  CONNECTS_AT_ONCE: limit.open({
    form: whole(1, 10_000),
    default: '32',
    wanted: 'a number from 1 to 10000',
    meaning: 'Connections to Gemini that are being opened at the same time',
  }),
  DRAIN_SECONDS: limit.open({
    form: whole(0, 86_400),
    default: '600',
    wanted: 'seconds from 0 to 86400',
    meaning: 'How long calls may go on after the first SIGTERM',
  }),
  DIAL_ALLOW: limit.open({
    form: list.pipe(z.array(e164Prefix)),
    wanted: 'numbers such as +15551230001 or prefixes such as +1555*, separated by commas',
    meaning: 'Destinations that may be called; empty: none',
  }),
  DIAL_PER_HOUR: limit.open({
    form: whole(1, 1_000),
    default: '6',
    wanted: 'a number from 1 to 1000',
    meaning: 'Calls to one destination in any hour, answered or not; to all together 60 times that',
  }),
  TOOL_ALLOW_HOSTS: limit.open({
    form: list.pipe(z.array(hostPort)),
    wanted: 'host:port pairs, separated by commas',
    meaning: 'Exact host:port pairs that tools may reach although they are private or plain http',
  }),

  BOTS_DIR: data.open({ form: text, default: './bots', wanted: 'a folder', meaning: 'The bots' }),
  DATA_DIR: data.open({
    form: text,
    default: './data',
    wanted: 'a folder',
    meaning: 'What the gateway keeps between starts',
  }),
  DATABASE_URL: data.secret({
    form: z.string().regex(/^$|^postgres(ql)?:\/\//),
    wanted: 'a postgres:// address',
    meaning: 'Postgres for call records (not read yet)',
  }),
  VALKEY_URL: data.secret({
    form: z.string().regex(/^$|^(valkey|redis)s?:\/\//),
    wanted: 'a valkey:// or redis:// address',
    meaning: 'Shared state of a fleet (not read yet)',
  }),
  LOG_LEVEL: data.open({
    form: z.enum(LOG_LEVELS),
    default: 'info',
    wanted: LOG_LEVELS.join(', '),
    meaning: 'Least severity that is logged; calls turn by turn are at debug',
  }),
};

export type SettingName = keyof typeof SETTINGS;
export type SettingValues = { readonly [K in SettingName]: z.output<(typeof SETTINGS)[K]['form']> };

export interface SettingDescription {
  readonly group: SettingGroup;
  readonly name: string;
  readonly default: string;
  readonly meaning: string;
}

/** The table as data, in the order in which people should read it: for `--help` and for the README. */
export function describeSettings(): readonly SettingDescription[] {
  return Object.entries(SETTINGS).map(([name, row]) => ({
    group: row.group,
    name,
    default: row.default,
    meaning: row.meaning,
  }));
}

function isHttpUrl(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
}
