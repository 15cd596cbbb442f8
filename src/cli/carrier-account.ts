/** What a simulated caller signs and identifies itself with: the settings of the gateway that it calls. */
import { OffhookError } from '../errors.ts';
import type { CarrierName } from '../lab/caller/call-run.ts';
import type { CarrierAccount } from '../lab/caller/place-call.ts';
import { telnyxKeys } from '../lab/caller/telnyx/signature.ts';
import { readLabTwilio } from '../store/lab-secrets.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Credentials come from the environment: on a command line they would end up in the shell's history. */
export function carrierAccount(carrier: CarrierName, env: Env): CarrierAccount {
  const setting = (name: string): string => settingOf(carrier, name, env);
  switch (carrier) {
    case 'twilio':
      return { carrier, ...twilioCredentials(env) };
    case 'telnyx':
      return { carrier, keys: agreedTelnyxKeys(setting('TELNYX_API_KEY'), env) };
    case 'plivo':
      return { carrier, authId: setting('PLIVO_AUTH_ID'), authToken: setting('PLIVO_AUTH_TOKEN') };
    case 'vonage':
      return {
        carrier,
        applicationId: setting('VONAGE_APPLICATION_ID'),
        signatureSecret: setting('VONAGE_SIGNATURE_SECRET'),
        apiKey: 'simulated',
      };
    case 'signalwire':
      return {
        carrier,
        projectId: setting('SIGNALWIRE_PROJECT_ID'),
        signingKey: setting('SIGNALWIRE_SIGNING_KEY'),
      };
    case 'jambonz':
      return {
        carrier,
        accountSid: setting('JAMBONZ_ACCOUNT_SID'),
        webhookSecret: setting('JAMBONZ_WEBHOOK_SECRET'),
      };
    case 'asterisk':
      return {
        carrier,
        username: setting('ASTERISK_USERNAME'),
        password: setting('ASTERISK_PASSWORD'),
      };
  }
}

/** Of a list, which is how secrets are rotated, the newest. @throws OffhookError ERR_CONFIG */
function settingOf(carrier: CarrierName, name: string, env: Env): string {
  const value = env[name]?.split(',')[0]?.trim() ?? '';
  if (value !== '') return value;
  throw new OffhookError(
    'ERR_CONFIG',
    `Cannot call as ${carrier}: ${name} is not set; what the gateway has for it is wanted.`,
  );
}

function twilioCredentials(env: Env): { accountSid: string; authToken: string } {
  const { TWILIO_ACCOUNT_SID: accountSid, TWILIO_AUTH_TOKEN: authToken } = env;
  if (accountSid && authToken) return { accountSid, authToken: authToken.split(',')[0]!.trim() };
  const dataDir = env['DATA_DIR'] || './data';
  const kept = readLabTwilio(dataDir);
  if (kept !== null) return kept;
  throw new OffhookError(
    'ERR_CONFIG',
    `Cannot sign as the carrier: no lab-mode gateway has run with the data folder "${dataDir}" (DATA_DIR); start one with "offhook serve", or set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.`,
  );
}

/** Telnyx's own private key is Telnyx's: a simulated one has a pair of its own, and the gateway has to know its half. */
function agreedTelnyxKeys(apiKey: string, env: Env) {
  const keys = telnyxKeys(apiKey);
  const known = (env['TELNYX_PUBLIC_KEY'] ?? '').split(',').map((key) => key.trim());
  if (known.includes(keys.publicKey)) return keys;
  throw new OffhookError(
    'ERR_CONFIG',
    `Cannot sign as telnyx: TELNYX_PUBLIC_KEY is "${known[0]}"; for simulated calls with this TELNYX_API_KEY the gateway and this command want "${keys.publicKey}".`,
  );
}
