/** From the environment's values to what each carrier's adapter is told; which of them belong together. */
import { readFileSync } from 'node:fs';
import { CARRIER_IDS, type CarrierId, type MediaFormat } from './carriers/carrier.ts';
import type { CarrierSettings, SettingsOf } from './carriers/registry.ts';
import { readPrivateKey } from './carriers/vonage/api-token.ts';
import { messageOf } from './errors.ts';
import type { SettingName, SettingValues } from './settings.ts';

/** As people write them. */
export const CARRIER_NAMES: Readonly<Record<CarrierId, string>> = {
  twilio: 'Twilio',
  telnyx: 'Telnyx',
  plivo: 'Plivo',
  vonage: 'Vonage',
  signalwire: 'SignalWire',
  jambonz: 'jambonz',
  asterisk: 'Asterisk',
};

interface Needs {
  /** What the carrier cannot do without. */
  readonly needed: readonly SettingName[];
  /** All of a list or nothing of it; each list needs those before it. */
  readonly together?: readonly (readonly SettingName[])[];
}

const NEEDS: Readonly<Record<CarrierId, Needs>> = {
  twilio: { needed: ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN'] },
  telnyx: { needed: ['TELNYX_API_KEY', 'TELNYX_PUBLIC_KEY'] },
  plivo: { needed: ['PLIVO_AUTH_ID', 'PLIVO_AUTH_TOKEN'] },
  vonage: { needed: ['VONAGE_APPLICATION_ID', 'VONAGE_PRIVATE_KEY', 'VONAGE_SIGNATURE_SECRET'] },
  signalwire: {
    needed: ['SIGNALWIRE_SPACE', 'SIGNALWIRE_PROJECT_ID', 'SIGNALWIRE_API_TOKEN', 'SIGNALWIRE_SIGNING_KEY'],
  },
  jambonz: {
    needed: ['JAMBONZ_API_URL', 'JAMBONZ_ACCOUNT_SID', 'JAMBONZ_API_KEY', 'JAMBONZ_WEBHOOK_SECRET'],
  },
  asterisk: {
    needed: ['ASTERISK_USERNAME', 'ASTERISK_PASSWORD'],
    together: [
      ['ASTERISK_ARI_URL', 'ASTERISK_ARI_USERNAME', 'ASTERISK_ARI_PASSWORD'],
      ['ASTERISK_DIAL_ENDPOINT', 'ASTERISK_DIAL_EXTENSION'],
    ],
  },
};

export type IsSet = (name: SettingName) => boolean;

/** Every carrier of which a credential is set, complete or not. */
export function configuredCarriers(isSet: IsSet): readonly CarrierId[] {
  return CARRIER_IDS.filter((id) => NEEDS[id].needed.some(isSet));
}

/** What is missing beside what is set. */
export function carrierProblems(id: CarrierId, isSet: IsSet): readonly string[] {
  const groups = [NEEDS[id].needed, ...(NEEDS[id].together ?? [])];
  const last = groups.findLastIndex((group) => group.some(isSet));
  const all = groups.slice(0, last + 1).flat();
  const lacking = all.filter((name) => !isSet(name));
  if (lacking.length === 0) return [];
  const set = all.filter(isSet);
  const verb = set.length === 1 ? 'is' : 'are';
  return [`${set.join(', ')} ${verb} set, but ${lacking.join(', ')} not: wanted all of them or none.`];
}

/** @param vonageKeys PEM texts, newest first */
export function settingsOfCarriers(
  values: SettingValues,
  configured: readonly CarrierId[],
  vonageKeys: readonly string[],
): CarrierSettings {
  const has = (id: CarrierId): boolean => configured.includes(id);
  return {
    ...(has('twilio') && { twilio: twilio(values) }),
    ...(has('telnyx') && { telnyx: telnyx(values) }),
    ...(has('plivo') && { plivo: plivo(values) }),
    ...(has('vonage') && { vonage: vonage(values, vonageKeys) }),
    ...(has('signalwire') && { signalwire: signalwire(values) }),
    ...(has('jambonz') && { jambonz: jambonz(values) }),
    ...(has('asterisk') && { asterisk: asterisk(values) }),
  };
}

const twilio = (values: SettingValues): SettingsOf['twilio'] => ({
  accountSid: values.TWILIO_ACCOUNT_SID,
  authTokens: values.TWILIO_AUTH_TOKEN,
  verifyStream: values.TWILIO_VERIFY_STREAM,
  ...(values.TWILIO_REGION !== '' && { region: values.TWILIO_REGION }),
  ...(values.TWILIO_EDGE !== '' && { edge: values.TWILIO_EDGE }),
});

const telnyx = (values: SettingValues): SettingsOf['telnyx'] => ({
  apiKeys: values.TELNYX_API_KEY,
  publicKeys: values.TELNYX_PUBLIC_KEY,
  audio: formatOf(values.TELNYX_AUDIO),
  l16Order: values.TELNYX_L16_ORDER,
  ...(values.TELNYX_CONNECTION_ID !== '' && { connectionId: values.TELNYX_CONNECTION_ID }),
});

const plivo = (values: SettingValues): SettingsOf['plivo'] => ({
  authId: values.PLIVO_AUTH_ID,
  authTokens: values.PLIVO_AUTH_TOKEN,
  audio: values.PLIVO_AUDIO,
  verifyStream: values.PLIVO_VERIFY_STREAM,
});

const vonage = (values: SettingValues, privateKeys: readonly string[]): SettingsOf['vonage'] => ({
  applicationId: values.VONAGE_APPLICATION_ID,
  privateKeys,
  signatureSecrets: values.VONAGE_SIGNATURE_SECRET,
  sampleRate: formatOf(values.VONAGE_AUDIO).sampleRate,
  verifyStream: values.VONAGE_VERIFY_STREAM,
});

const signalwire = (values: SettingValues): SettingsOf['signalwire'] => ({
  space: values.SIGNALWIRE_SPACE,
  projectId: values.SIGNALWIRE_PROJECT_ID,
  apiTokens: values.SIGNALWIRE_API_TOKEN,
  signingKeys: values.SIGNALWIRE_SIGNING_KEY,
  audio: formatOf(values.SIGNALWIRE_AUDIO),
});

const jambonz = (values: SettingValues): SettingsOf['jambonz'] => ({
  accountSid: values.JAMBONZ_ACCOUNT_SID,
  webhookSecrets: values.JAMBONZ_WEBHOOK_SECRET,
  apiKeys: values.JAMBONZ_API_KEY,
  apiBaseUrl: values.JAMBONZ_API_URL,
  audio: values.JAMBONZ_AUDIO,
  ...(values.JAMBONZ_APPLICATION_SID !== '' && { applicationSid: values.JAMBONZ_APPLICATION_SID }),
});

const asterisk = (values: SettingValues): SettingsOf['asterisk'] => {
  const [extension = '', context = ''] = values.ASTERISK_DIAL_EXTENSION.split('@');
  const endpoint = values.ASTERISK_DIAL_ENDPOINT;
  const ari = {
    url: values.ASTERISK_ARI_URL,
    username: values.ASTERISK_ARI_USERNAME,
    passwords: values.ASTERISK_ARI_PASSWORD,
    callersInStasis: values.ASTERISK_ARI_STASIS,
    ...(endpoint !== '' && { dial: { endpoint, extension, context } }),
  };
  return {
    username: values.ASTERISK_USERNAME,
    passwords: values.ASTERISK_PASSWORD,
    ari: ari.url === '' ? null : ari,
  };
};

/** @param audio an encoding, with its rate in hertz behind an @ where it is not 8 kHz alone */
function formatOf(audio: SettingValues['TELNYX_AUDIO']): MediaFormat {
  const [encoding, rate = '8000'] = audio.split('@') as [MediaFormat['encoding'], string?];
  return { encoding, sampleRate: Number(rate) as MediaFormat['sampleRate'] };
}

export type ReadText = (path: string) => string;
export const readText: ReadText = (path) => readFileSync(path, 'utf8');

/**
 * Keys as PEM text, whose line ends may be written as `\n`, or the paths of files that hold it. Neither the value nor
 * what a file holds is repeated in a problem.
 */
export function readPrivateKeys(
  given: readonly string[],
  read: ReadText,
): { readonly keys: readonly string[]; readonly problems: readonly string[] } {
  const keys: string[] = [];
  const problems: string[] = [];
  for (const value of given) {
    try {
      const pem = value.includes('-----BEGIN') ? value.replaceAll('\\n', '\n') : read(value).trim();
      readPrivateKey(pem);
      keys.push(pem);
    } catch (caught) {
      const code = (caught as { code?: unknown }).code;
      problems.push(
        code === 'ERR_CONFIG'
          ? `VONAGE_PRIVATE_KEY: ${messageOf(caught)}`
          : `VONAGE_PRIVATE_KEY is neither PEM text nor the path of a file that can be read (found "${code}"): wanted either.`,
      );
    }
  }
  return { keys, problems };
}
